"""`tams doctor`: what would keep this server from running well, and what to do about it."""

import asyncio
import shutil
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from urllib.parse import urlsplit

from tams_graphql.model.errors import Unavailable
from tams_graphql.settings import Settings, is_loopback
from tams_graphql.storage_settings import S3BackendSettings
from tams_graphql.vast_settings import VastSettings

_FREE_BYTES = 5 * 1024**3


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at; `advice` says what to do if it is not well."""

    what: str
    state: str
    advice: str | None = None


async def diagnose(settings: Settings) -> list[Finding]:
    """Look at everything that `settings` relies on."""
    checks: list[Callable[[Settings], Finding]] = [
        _folder,
        _space,
        port_finding,
        _address,
        _media_tools,
    ]
    findings = [check(settings) for check in checks]
    index = await index_finding(settings)
    findings.append(index)
    if index.advice is None:
        findings += await _waiting(settings)
    return findings + [await bucket_finding(one) for one in settings.storage_backends]


def _folder(settings: Settings) -> Finding:
    folder = settings.data.resolve()
    probe = folder / ".doctor"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe.write_bytes(b"")
        probe.unlink()
    except OSError as error:
        advice = f"make {folder} writable for this user, or choose another with --data / TAMS_DATA"
        return Finding("data folder", str(error), advice)
    return Finding("data folder", str(folder))


def _space(settings: Settings) -> Finding:
    existing = next(
        p for p in (settings.data.resolve(), *settings.data.resolve().parents) if p.exists()
    )
    free = shutil.disk_usage(existing).free
    state = f"{free / 1024**3:.1f} GiB free"
    return Finding("disk", state, None if free > _FREE_BYTES else "free some space: media is large")


def port_finding(settings: Settings) -> Finding:
    """Whether the port can be listened on."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((settings.host, settings.port))
        except OSError as error:
            advice = "stop what listens there (another tams serve?), or choose another --port"
            return Finding("port", f"{settings.host}:{settings.port}: {error.strerror}", advice)
    return Finding("port", f"{settings.host}:{settings.port} is free")


def _address(settings: Settings) -> Finding:
    host = urlsplit(settings.base_url).hostname or ""
    if not is_loopback(settings.host) and settings.public_url is None:
        advice = "set TAMS_PUBLIC_URL to the address that clients use, or URLs will not reach them"
        return Finding("public address", settings.base_url, advice)
    state = settings.base_url + (" (this machine only)" if is_loopback(host) else "")
    return Finding("public address", state)


def _media_tools(_: Settings) -> Finding:
    if find_spec("av") is None:
        return Finding("media tools", "not installed", "pip install 'tams-graphql[media]'")
    return Finding("media tools", "PyAV is installed: tams demo, ingest and export work")


async def index_finding(settings: Settings) -> Finding:
    """Whether the index can be opened and read."""
    from tams_graphql.backends import open_index

    if settings.vast is not None:
        return await _vast_finding(settings, settings.vast)
    path = settings.data / "index.sqlite"
    if not await asyncio.to_thread(path.exists):
        return Finding("index", "will be created at the first start")
    try:
        engine = await open_index(settings)
        await engine.check()
        await engine.close()
    except Unavailable as error:
        return index_refused(settings, error)
    return Finding("index", str(path))


async def _waiting(settings: Settings) -> list[Finding]:
    """What servers are to delete, if that can be told without asking a cluster."""
    if settings.vast is not None or not (settings.data / "index.sqlite").exists():
        return []
    from tams_graphql.backends import open_index
    from tams_graphql.metadata.engine import Scan
    from tams_graphql.metadata.tables import DISCARDED_MEDIA, OBJECTS

    engine = await open_index(settings)
    try:
        discarded = await engine.count(Scan(table=DISCARDED_MEDIA))
        oldest = await engine.page(Scan(table=OBJECTS, order="allocated", limit=1))
    finally:
        await engine.close()
    state = f"bytes of {discarded} objects wait to be deleted"
    for since_us in oldest["allocated_us"].to_pylist():
        minutes = int(time.time() - since_us / 1_000_000) // 60
        state += f"; the oldest allocation has waited to be registered for {minutes} min"
    return [Finding("upkeep", f"{state} (servers do it, or tams gc)")]


def index_refused(settings: Settings, error: Unavailable) -> Finding:
    """Why the index can't be opened, and what to do about it."""
    advice = "restore index.sqlite from a backup, or see docs/operations.md"
    if settings.vast is not None:
        advice = "see docs/run-on-vast.md about endpoints, credentials and the identity policy"
    return Finding("index", str(error), advice)


async def _vast_finding(settings: Settings, given: VastSettings) -> Finding:
    from tams_graphql.backends import vast_index_state

    try:
        state = await asyncio.to_thread(vast_index_state, given)
    except Unavailable as error:
        return index_refused(settings, error)
    return Finding("index", state)


async def bucket_finding(given: S3BackendSettings) -> Finding:
    """Whether a bucket can be used, and whether it keeps uploads from overwriting."""
    from tams_graphql.backends import open_s3_store

    what = f"storage backend {given.label}"
    try:
        store = await asyncio.to_thread(open_s3_store, given, 60)
    except Unavailable as error:
        return Finding(what, str(error), "see docs/storage-backends.md about credentials")
    try:
        await store.check()
        keeps = await store.refuses_overwriting()
    except Unavailable as error:
        return Finding(what, str(error), "see docs/storage-backends.md about buckets")
    finally:
        await asyncio.to_thread(store.close)
    return Finding(what, *_overwriting(given, keeps=keeps))


def _overwriting(given: S3BackendSettings, *, keeps: bool) -> tuple[str, str | None]:
    state = f"bucket {given.bucket} can be written"
    if keeps and given.write_once:
        return f"{state}, and keeps uploads from overwriting", None
    if keeps:
        return state, "set write_once = true: this server can keep uploads from overwriting"
    advice = (
        "this server ignores If-None-Match: until an upload URL expires, whoever holds it can"
        " replace what was uploaded; see docs/storage-backends.md"
    )
    # Who switched it off knows.
    return f"{state}, and overwritten", advice if given.write_once else None
