"""How a bucket is reached: boto3 clients and credentials. Nothing else imports boto3."""

import os
import threading
from base64 import b64encode
from contextlib import suppress
from dataclasses import dataclass
from hashlib import md5
from typing import Any, Final, Literal

import boto3
import boto3.exceptions
import botocore.exceptions
from botocore.config import Config
from botocore.credentials import RefreshableCredentials

from tams_graphql.media.s3.signing import Credentials
from tams_graphql.model.errors import Unavailable

Client = Any
"""A boto3 S3 client: its methods are made at run time."""

FAILURES: Final = (
    botocore.exceptions.ClientError,
    botocore.exceptions.BotoCoreError,
    boto3.exceptions.Boto3Error,
)
"""What an operation of a client raises when the server refuses, or can't be reached."""

_RENEW_SECONDS = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Bucket:
    """Where a bucket is and how to get in; holds no secret.

    Attributes:
        endpoint: the server; ``None`` is AWS.
        public_endpoint: what clients reach it by, if that differs.
        profile: of the shared AWS configuration files.
        credentials_env: prefix of the environment variables ``…ACCESS_KEY_ID``,
            ``…SECRET_ACCESS_KEY`` and ``…SESSION_TOKEN``. With neither this nor a profile
            boto3 looks where it always does.
        verify: whether TLS certificates are checked, or a file of authorities to trust.
    """

    name: str
    region: str
    endpoint: str | None = None
    public_endpoint: str | None = None
    addressing: Literal["auto", "path", "virtual"] = "auto"
    profile: str | None = None
    credentials_env: str | None = None
    verify: bool | str = True

    @property
    def server(self) -> tuple[str | None, str]:
        """What two buckets have in common that can copy from each other."""
        # AWS copies between regions; of other servers a region's name says nothing.
        return (self.endpoint, "" if self.endpoint is None else self.region)


class Connection:
    """Clients for one bucket, and the credentials in force.

    Raises:
        Unavailable: no credentials are found, or the configuration names nothing real.
    """

    def __init__(self, bucket: Bucket, *, threads: int) -> None:
        self.bucket = bucket
        try:
            session = _session(bucket)
            self._credentials = CredentialSource(session)
            self.client = self._client(session, bucket.endpoint, pool=threads)
            self.probe = self._client(session, bucket.endpoint, pool=threads, patient=False)
            public = self._client(session, bucket.public_endpoint or bucket.endpoint)
            self.base_url = base_url(public, bucket.name)
            public.close()
        except (botocore.exceptions.BotoCoreError, ValueError) as error:
            raise Unavailable(f"bucket {bucket.name!r} can't be reached: {error}") from error

    def credentials(self) -> Credentials:
        """What to sign with now; never blocks."""
        return self._credentials.current

    def close(self) -> None:
        """Close all connections."""
        self._credentials.close()
        self.client.close()
        self.probe.close()

    def _client(
        self,
        session: boto3.Session,
        endpoint: str | None,
        *,
        pool: int = 1,
        patient: bool = True,
    ) -> Client:
        client = session.client(
            "s3",
            region_name=self.bucket.region,
            endpoint_url=endpoint,
            verify=self.bucket.verify,
            config=Config(
                signature_version="s3v4",
                s3={"addressing_style": self.bucket.addressing},
                # Servers other than AWS's stumble over checksums that they did not ask for.
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
                max_pool_connections=pool,
                connect_timeout=2,
                read_timeout=30 if patient else 2,
                retries={"mode": "standard", "total_max_attempts": 3 if patient else 1},
            ),
        )
        client.meta.events.register("before-sign.s3.DeleteObjects", _add_md5)
        return client


class CredentialSource:
    """The credentials of a session; temporary ones are renewed by a thread of its own.

    boto3 renews them when they are used, which may block; signing must not.
    """

    def __init__(self, session: boto3.Session) -> None:
        found = session.get_credentials()
        if found is None:
            raise ValueError("no credentials are configured")
        self._found = found
        self.current = self._frozen()
        self._closed = threading.Event()
        if isinstance(found, RefreshableCredentials):
            threading.Thread(target=self._renew, name="s3-credentials", daemon=True).start()

    def close(self) -> None:
        """End the thread."""
        self._closed.set()

    def _renew(self) -> None:
        while not self._closed.wait(_RENEW_SECONDS):
            # Those in force stay so: boto3 begins long before they expire.
            with suppress(botocore.exceptions.BotoCoreError):
                self.current = self._frozen()

    def _frozen(self) -> Credentials:
        frozen = self._found.get_frozen_credentials()
        return Credentials(frozen.access_key, frozen.secret_key, frozen.token)


def failure_code(error: Exception) -> str | None:
    """The server's code for a refusal, as ``NoSuchKey`` or ``404``; ``None`` if it has none."""
    if not isinstance(error, botocore.exceptions.ClientError):
        return None
    code: str | None = error.response.get("Error", {}).get("Code")
    return code


def base_url(client: Client, bucket: str) -> str:
    """What comes before a key in URLs of `bucket`: asked of botocore, which knows all styles."""
    url: str = client.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "k"})
    return url.partition("?")[0].removesuffix("k")


def _session(bucket: Bucket) -> boto3.Session:
    if bucket.credentials_env is None:
        return boto3.Session(profile_name=bucket.profile)
    prefix = bucket.credentials_env
    access, secret = f"{prefix}ACCESS_KEY_ID", f"{prefix}SECRET_ACCESS_KEY"
    missing = [name for name in (access, secret) if not os.environ.get(name)]
    if missing:
        raise ValueError(f"set {' and '.join(missing)} in the environment")
    return boto3.Session(
        aws_access_key_id=os.environ[access],
        aws_secret_access_key=os.environ[secret],
        aws_session_token=os.environ.get(f"{prefix}SESSION_TOKEN"),
    )


def _add_md5(request: Any, **_: Any) -> None:
    # Many servers insist on what S3 itself once required for this one operation.
    request.headers["Content-MD5"] = b64encode(md5(request.body).digest()).decode()  # noqa: S324
