"""Check the AWS Signature V4 of a request, as the SDK signs it.

1. Take access key, scope, signed headers and signature from `Authorization`.
2. Build the canonical request: the path quoted once more, the query items sorted and each with a
   `=`, the signed headers, the SHA-256 of the body (which must equal `x-amz-content-sha256`).
3. Derive the key of scope `DATE//s3/aws4_request` (region empty; other regions are taken as sent).
4. Compare signatures; an unknown key, a skew over 15 minutes or any difference is a 403.
"""

import hashlib
import hmac
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from urllib.parse import quote

from .refusals import forbidden

_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=([^/]+)/(\d{8})/([^/]*)/([^/]*)/aws4_request, ?"
    r"SignedHeaders=([^,]+), ?Signature=([0-9a-f]{64})"
)
_SKEW = timedelta(minutes=15)


@lru_cache(maxsize=64)
def _signing_key(secret: str, date: str, region: str, service: str) -> bytes:
    key = f"AWS4{secret}".encode()
    for part in (date, region, service, "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key


def _canonical_query(query: str) -> str:
    items = sorted(item for item in query.split("&") if item)
    return "&".join(item if "=" in item else f"{item}=" for item in items)


def _check_date(stamp: str, date: str) -> None:
    try:
        sent = datetime.strptime(stamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError as error:
        raise forbidden("x-amz-date is missing or malformed") from error
    if abs(datetime.now(UTC) - sent) > _SKEW or not stamp.startswith(date):
        raise forbidden("The request's time is too far from the server's")


def verify(
    method: str,
    path: str,
    query: str,
    headers: Mapping[str, str],
    body: bytes,
    *,
    secrets: Mapping[str, str],
) -> None:
    """Check who signed the request, and that nothing was changed on the way.

    Args:
        method: as on the wire.
        path: the raw, still quoted path.
        query: the raw query, without `?`.
        headers: by lower-case name.
        body: the whole body.
        secrets: secret key by access key.

    Raises:
        Refused: 403, for every kind of failure.
    """
    match = _AUTHORIZATION.fullmatch(headers.get("authorization", ""))
    if match is None:
        raise forbidden("The request isn't signed with AWS Signature V4")
    access, date, region, service, signed, signature = match.groups()
    if access not in secrets:
        raise forbidden("The access key is unknown")
    stamp = headers.get("x-amz-date", "")
    _check_date(stamp, date)
    payload = hashlib.sha256(body).hexdigest()
    if headers.get("x-amz-content-sha256", payload) != payload:
        raise forbidden("x-amz-content-sha256 is not the body's")
    names = signed.split(";")
    canonical = "\n".join(
        [
            method,
            quote(path or "/", safe="/-_.~"),
            _canonical_query(query),
            *(f"{name}:{headers.get(name, '').strip()}" for name in names),
            "",
            signed,
            payload,
        ]
    )
    scope = f"{date}/{region}/{service}/aws4_request"
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    key = _signing_key(secrets[access], date, region, service)
    expected = hmac.digest(
        key, f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{digest}".encode(), "sha256"
    ).hex()
    if not hmac.compare_digest(expected, signature):
        raise forbidden("The signature does not match")
