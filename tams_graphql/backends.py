"""The ports that the settings ask for. boto3 and vastdb are imported only if one needs them."""

import asyncio
import os
from collections.abc import Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING

from pydantic import HttpUrl

from tams_graphql.events.http_sender import HttpSender, Limits, tls_context
from tams_graphql.events.sending import Sender
from tams_graphql.media.store import StorageBackend
from tams_graphql.metadata.engine import MetadataEngine
from tams_graphql.metadata.sqlite.engine import SQLiteEngine
from tams_graphql.metadata.tables import SchemaError
from tams_graphql.model.errors import Unavailable
from tams_graphql.settings import Settings
from tams_graphql.storage_settings import S3BackendSettings
from tams_graphql.vast_settings import VastSettings

if TYPE_CHECKING:
    from tams_graphql.media.s3.store import S3Store
    from tams_graphql.metadata.vast.cluster import Target

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


async def open_index(settings: Settings) -> MetadataEngine:
    """The metadata engine that the settings ask for.

    Raises:
        Unavailable: it can't be opened, or is of a newer version or another program.
    """
    try:
        if settings.vast is not None:
            return await _open_vast(settings.vast)
        return await SQLiteEngine.open(settings.data / "index.sqlite")
    except SchemaError as error:
        raise Unavailable(str(error)) from error


async def _open_vast(given: VastSettings) -> MetadataEngine:
    target = await asyncio.to_thread(vast_target, given)
    from tams_graphql.metadata.vast.engine import VastEngine

    return await VastEngine.open(target, threads=given.threads)


def vast_target(given: VastSettings) -> "Target":
    """Where the index is and how to get there; the cluster is not asked for anything yet.

    Raises:
        Unavailable: vastdb is not installed, or credentials are missing.
    """
    if find_spec("vastdb") is None:
        raise Unavailable("VAST DB needs its SDK: pip install 'tams-graphql[vast]'")
    from tams_graphql.metadata.vast.cluster import Target

    access, secret = _credentials(given.credentials_env)
    return Target(
        endpoints=tuple(_address(url) for url in given.endpoints),
        bucket=given.bucket,
        schema=given.db_schema,
        access_key=access,
        secret_key=secret,
        verify=str(given.tls_ca_file) if given.tls_ca_file else given.verify_tls,
        timeout=given.timeout,
    )


def vast_index_state(given: VastSettings) -> str:
    """What stands where the index is to be; nothing is changed.

    Raises:
        Unavailable: the cluster or its bucket can't be reached, or another program's tables, or
            those of a newer version, stand there.
    """
    target = vast_target(given)
    from tams_graphql.metadata.vast.cluster import Cluster
    from tams_graphql.metadata.vast.schema import stored_version

    where = f"VAST DB, {target.bucket}/{target.schema}"
    try:
        found = stored_version(Cluster(target))
    except SchemaError as error:
        raise Unavailable(str(error)) from error
    if found is None:
        return f"{where}: will be created at the first start"
    return f"{where}, schema version {found}"


def _credentials(prefix: str) -> tuple[str, str]:
    names = (f"{prefix}ACCESS_KEY_ID", f"{prefix}SECRET_ACCESS_KEY")
    missing = [name for name in names if not os.environ.get(name)]
    if missing:
        raise Unavailable(f"VAST DB: set {' and '.join(missing)} in the environment")
    return os.environ[names[0]], os.environ[names[1]]


def open_sender(settings: Settings) -> Sender:
    """What sends events to webhooks; nothing is connected to yet.

    Raises:
        Unavailable: `settings.webhook_tls_ca_file` can't be used.
    """
    try:
        tls = tls_context(settings.webhook_tls_ca_file)
    except OSError as error:
        raise Unavailable(f"webhook_tls_ca_file: {error}") from error
    return HttpSender(
        networks=tuple(settings.webhook_networks),
        ports=frozenset(settings.webhook_ports),
        limits=Limits(connect_s=settings.webhook_connect_timeout, total_s=settings.webhook_timeout),
        tls=tls,
    )


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
    return None if url is None else _address(url)


def _address(url: HttpUrl) -> str:
    return str(url).rstrip("/")
