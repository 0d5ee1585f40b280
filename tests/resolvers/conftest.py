"""What resolver tests share: a context over each engine, a clock, stories to tell."""

import uuid
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from tams_graphql.media.store import MediaStores, StorageBackend
from tams_graphql.metadata import tables
from tams_graphql.metadata.engine import MetadataEngine, Scan
from tams_graphql.resolvers.context import Context, Service
from tams_graphql.sealing import SealedSecrets
from tests.metadata.vast_shaped import VastShapedEngine
from tests.resolvers.memory_store import MemoryStore
from tests.support.engines import open_engine

DISK = "11111111-1111-4111-8111-111111111111"
ARCHIVE = "22222222-2222-4222-8222-222222222222"


class Clock:
    """Each look at it is one second later than the one before."""

    def __init__(self) -> None:
        self.now_us = 1_700_000_000_000_000

    def __call__(self) -> int:
        self.now_us += 1_000_000
        return self.now_us


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def stores() -> MediaStores:
    disk = StorageBackend(
        id=DISK, label="disk", provider="here", store_product="memory", default_storage=True
    )
    archive = StorageBackend(id=ARCHIVE, label="archive", provider="here", store_product="memory")
    return MediaStores({backend.id: MemoryStore(backend) for backend in (disk, archive)})


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "engine" in metafunc.fixturenames:
        chosen = metafunc.config.getoption("--engine")
        names = ["sqlite", "vast_shaped"] if chosen == "sqlite" else [chosen]
        metafunc.parametrize("engine", names, indirect=True)


@pytest.fixture
async def engine(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[MetadataEngine]:
    engine: MetadataEngine
    if request.param == "vast_shaped":
        engine = VastShapedEngine()
    else:
        engine = await open_engine(tmp_path)
    yield engine
    await engine.close()


@pytest.fixture
def ctx(engine: MetadataEngine, stores: MediaStores, clock: Clock) -> Context:
    """One request. `fresh` makes the next: loaders remember what they have read."""
    return Context(
        metadata=engine,
        stores=stores,
        service=Service(name="test"),
        clock=clock,
        secrets=SealedSecrets(bytes(32)),
    )


def fresh(ctx: Context) -> Context:
    """The next request to the same server."""
    return Context(
        metadata=ctx.metadata,
        stores=ctx.stores,
        service=ctx.service,
        principal=ctx.principal,
        clock=ctx.clock,
        secrets=ctx.secrets,
    )


Dump = dict[str, list[dict[str, Any]]]


@pytest.fixture
def dump(engine: MetadataEngine) -> Callable[[], Any]:
    """Every row of every table, but for the versions that conflict rows count up."""

    async def dumped() -> Dump:
        found: Dump = {}
        for table in tables.TABLES:
            if table is tables.GUARDS:
                continue
            rows = await engine.page(Scan(table=table, limit=100_000))
            kept = [name for name in table.columns if name != "version"]
            found[table.name] = rows.select(kept).to_pylist()
        return found

    return dumped


def without_log(dumped: Dump) -> Dump:
    """What a dump says about the present: the event log remembers the past."""
    log = {"events", "event_parts", "lanes"}
    return {
        name: [{k: v for k, v in row.items() if k != "hlc"} for row in rows]
        for name, rows in dumped.items()
        if name not in log
    }


def uuid4(number: int) -> str:
    """A readable UUID for story number `number`."""
    return str(uuid.UUID(int=number, version=4))


def video(flow_id: str, source_id: str, **changes: Any) -> dict[str, Any]:
    """The PUT body of a video flow."""
    body = {
        "id": flow_id,
        "source_id": source_id,
        "format": "urn:x-nmos:format:video",
        "codec": "video/h264",
        "container": "video/mp2t",
        "essence_parameters": {
            "frame_width": 1920,
            "frame_height": 1080,
            "frame_rate": {"numerator": 25, "denominator": 1},
        },
    }
    return body | changes


def audio(flow_id: str, source_id: str, **changes: Any) -> dict[str, Any]:
    """The PUT body of an audio flow."""
    body = {
        "id": flow_id,
        "source_id": source_id,
        "format": "urn:x-nmos:format:audio",
        "codec": "audio/aac",
        "container": "video/mp2t",
        "essence_parameters": {"sample_rate": 48000, "channels": 2},
    }
    return body | changes


def multi(flow_id: str, source_id: str, *members: str, **changes: Any) -> dict[str, Any]:
    """The PUT body of a multi flow that collects `members`."""
    body: dict[str, Any] = {
        "id": flow_id,
        "source_id": source_id,
        "format": "urn:x-nmos:format:multi",
    }
    if members:
        body["flow_collection"] = [{"id": member} for member in members]
    return body | changes
