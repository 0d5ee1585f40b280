"""The storage backends that the settings ask for. boto3 is imported only if one needs it."""

from collections.abc import Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING

from pydantic import HttpUrl

from tams_graphql.media.store import StorageBackend
from tams_graphql.model.errors import Unavailable
from tams_graphql.settings import Settings
from tams_graphql.storage_settings import S3BackendSettings

if TYPE_CHECKING:
    from tams_graphql.media.s3.store import S3Store

_THREADS = 16
"""Blocking calls at once per bucket."""


def open_s3_stores(settings: Settings) -> list["S3Store"]:
    """One store for each of `settings.storage_backends`; no bucket is asked for anything yet.

    Raises:
        Unavailable: boto3 is not installed, or credentials are missing.
    """
    stores: list[S3Store] = []
    try:
        for one in settings.storage_backends:
            stores.append(open_s3_store(one, settings.min_presigned_url_timeout))  # noqa: PERF401
    except Unavailable:
        close_all(stores)
        raise
    return stores


def open_s3_store(given: S3BackendSettings, lifetime: int) -> "S3Store":
    """The store of one bucket, whose URLs are good for `lifetime` seconds.

    Raises:
        Unavailable: boto3 is not installed, or credentials are missing.
    """
    if find_spec("boto3") is None:
        raise Unavailable("S3 needs boto3: pip install 'tams-graphql[s3]'")
    from tams_graphql.media.s3.connection import Bucket, Connection
    from tams_graphql.media.s3.store import S3Store

    bucket = Bucket(
        name=given.bucket,
        region=given.region,
        endpoint=_text(given.endpoint),
        public_endpoint=_text(given.public_endpoint),
        addressing=given.addressing_style,
        profile=given.profile,
        credentials_env=given.credentials_env,
        verify=str(given.tls_ca_file) if given.tls_ca_file else given.verify_tls,
    )
    direct = _text(given.direct_url_base)
    return S3Store(
        Connection(bucket, threads=_THREADS),
        _described(given),
        lifetime=lifetime,
        direct_base=None if direct is None else f"{direct}/",
        write_once=given.write_once,
        threads=_THREADS,
    )


def close_all(stores: Sequence["S3Store"]) -> None:
    """Close every store."""
    for store in stores:
        store.close()


async def why_unusable(store: "S3Store") -> str | None:
    """Why the bucket can't be used now; ``None`` if it can."""
    try:
        await store.check()
    except Unavailable as error:
        return str(error)
    return None


def _described(given: S3BackendSettings) -> StorageBackend:
    return StorageBackend(
        id=str(given.id),
        label=given.label,
        provider=given.provider,
        store_product=given.store_product,
        region=given.region,
        availability_zone=given.availability_zone,
        default_storage=given.default_storage,
        tags=given.tags,
    )


def _text(url: HttpUrl | None) -> str | None:
    return None if url is None else str(url).rstrip("/")
