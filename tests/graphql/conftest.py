"""What tests of the GraphQL face share: an API over a real engine, and stories told through it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from starlette.requests import HTTPConnection

from tams_graphql.events.hub import Hub
from tams_graphql.events.log import EventLog
from tams_graphql.events.waking import WakingEngine
from tams_graphql.graphql.limits import Limits
from tams_graphql.graphql.router import graphql_router
from tams_graphql.media.store import MediaStores, StorageBackend
from tams_graphql.metadata.engine import MetadataEngine
from tams_graphql.resolvers.context import Context, Service
from tams_graphql.sealing import SealedSecrets
from tests.resolvers.memory_store import MemoryStore
from tests.support.engines import open_engine

DISK = "11111111-1111-4111-8111-111111111111"
ARCHIVE = "22222222-2222-4222-8222-222222222222"


def memory_stores() -> MediaStores:
    disk = StorageBackend(
        id=DISK,
        label="disk",
        provider="here",
        store_product="memory",
        default_storage=True,
        tags={"tier": "hot"},
    )
    archive = StorageBackend(id=ARCHIVE, label="archive", provider="here", store_product="memory")
    return MediaStores({one.id: MemoryStore(one) for one in (disk, archive)})


class Clock:
    """Each look at it is one second later than the one before."""

    def __init__(self) -> None:
        self.now_us = 1_700_000_000_000_000

    def __call__(self) -> int:
        self.now_us += 1_000_000
        return self.now_us


class Api:
    """A GraphQL API in this process, spoken to over HTTP.

    Args:
        engine: where it keeps its index.
        options: `graphql_router`'s.
    """

    queue_length = 1_000

    def __init__(self, engine: MetadataEngine, **options: Any) -> None:
        self.hub = Hub(EventLog(engine), poll_seconds=0.02, queue_length=self.queue_length)
        self.engine = WakingEngine(engine, self.hub.wake)
        self.stores = memory_stores()
        self.clock = Clock()
        self.service = Service(name="test", version="1.2.3")
        self.app = FastAPI()
        chosen = {"limits": Limits(), "introspection": True, "ide": True} | options
        self.app.include_router(graphql_router(self.context, **chosen))
        transport = httpx.ASGITransport(app=self.app)
        self.http = httpx.AsyncClient(transport=transport, base_url="http://tams.test")

    def context(self, connection: HTTPConnection | None = None) -> Context:
        return Context(
            metadata=self.engine,
            stores=self.stores,
            service=self.service,
            clock=self.clock,
            request_id="request-1",
            secrets=SealedSecrets(bytes(32)),
            hub=self.hub,
        )

    @asynccontextmanager
    async def telling(self) -> AsyncIterator[None]:
        """While its hub runs, so that it tells subscribers of events."""
        running = asyncio.create_task(self.hub.run())
        await self.hub.started()
        try:
            yield
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

    async def followed(self) -> None:
        """Wait until somebody's subscription has begun; the answer to it begins before."""
        async with asyncio.timeout(10):
            while not self.hub._open:  # noqa: ASYNC110 - it tells nobody when
                await asyncio.sleep(0.001)

    async def post(self, query: str, variables: dict[str, Any] | None = None) -> dict[str, Any]:
        """The whole answer to an operation."""
        answer = await self.http.post("/graphql", json={"query": query, "variables": variables})
        body: dict[str, Any] = answer.json()
        return body

    async def data(self, query: str, **variables: Any) -> Any:
        """The data of an operation that has no errors."""
        body = await self.post(query, variables)
        assert "errors" not in body, body["errors"]
        return body["data"]

    async def errors(self, query: str, **variables: Any) -> list[dict[str, Any]]:
        """The errors of an operation that has some."""
        body = await self.post(query, variables)
        assert "errors" in body, body
        errors: list[dict[str, Any]] = body["errors"]
        return errors

    async def mutate(self, name: str, kind: str, selection: str, **fields: Any) -> Any:
        """The payload of the mutation `name`, whose input type is `kind`."""
        query = f"mutation M($input: {kind}!) {{ {name}(input: $input) {{ {selection} }} }}"
        return (await self.data(query, input=fields))[name]

    async def video_flow(self, **fields: Any) -> dict[str, Any]:
        """A new video flow: its ids."""
        given = {
            "codec": "video/h264",
            "container": "video/mp2t",
            "essence": {
                "video": {
                    "frameWidth": 1920,
                    "frameHeight": 1080,
                    "frameRate": {"numerator": 25},
                }
            },
        } | fields
        payload = await self.mutate(
            "putFlow",
            "PutFlowInput",
            "created flow { id flowId sourceId } errors { code rule field message }",
            **given,
        )
        assert payload["errors"] == []
        flow: dict[str, Any] = payload["flow"]
        return flow

    async def record(self, flow_id: str, *timeranges: str) -> list[str]:
        """Allocate and register one object for each timerange; their ids."""
        allocated = await self.mutate(
            "allocateStorage",
            "AllocateStorageInput",
            "objects { objectId } errors { message }",
            flowId=flow_id,
            count=len(timeranges),
        )
        assert allocated["errors"] == []
        ids = [one["objectId"] for one in allocated["objects"]]
        registered = await self.mutate(
            "registerSegments",
            "RegisterSegmentsInput",
            "registeredCount failed { index errors { message } } errors { message }",
            flowId=flow_id,
            segments=[
                {"objectId": one, "timerange": timerange}
                for one, timerange in zip(ids, timeranges, strict=True)
            ],
        )
        assert registered == {"registeredCount": len(ids), "failed": [], "errors": []}
        return ids


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[MetadataEngine]:
    engine = await open_engine(tmp_path)
    yield engine
    await engine.close()


@pytest.fixture
async def api(engine: MetadataEngine) -> AsyncIterator[Api]:
    api = Api(engine)
    yield api
    await api.http.aclose()


@pytest.fixture
async def make_api(engine: MetadataEngine) -> AsyncIterator[Callable[..., Api]]:
    """An `Api` with other options over the same engine."""
    made: list[Api] = []

    def make(**options: Any) -> Api:
        made.append(Api(engine, **options))
        return made[-1]

    yield make
    for one in made:
        await one.http.aclose()
