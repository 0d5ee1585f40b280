"""A media store in this process: both faces over one index, and a clock that the test moves."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI
from starlette.requests import HTTPConnection

from rest_compat.errors import install_error_handlers
from rest_compat.router import rest_router
from tams_graphql.graphql.limits import Limits
from tams_graphql.graphql.router import graphql_router
from tams_graphql.media.store import MediaStores, StorageBackend
from tams_graphql.metadata.engine import MetadataEngine
from tams_graphql.resolvers.context import Context, Service
from tams_graphql.sealing import SealedSecrets
from tests.resolvers.memory_store import MemoryStore
from tests.support.engines import open_engine

PUBLIC_URL = "https://tams.example/base"
Json = dict[str, Any]


class Store:
    """What a test talks to; `told` is what it remembers having done, by kind and id."""

    def __init__(self, engine: MetadataEngine) -> None:
        self.engine = engine
        self.now_us = 1_700_000_000_000_000
        self.service = Service(name="test", version="1", deletion_grace=0)
        self.backends: dict[str, MemoryStore] = {}
        self.told: dict[str, Json] = {}
        app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None, redirect_slashes=False)
        app.include_router(
            graphql_router(self.context, limits=Limits(), introspection=False, ide=False)
        )
        app.include_router(rest_router(self.context, public_url=PUBLIC_URL))
        install_error_handlers(app)
        transport = httpx.ASGITransport(app)
        self.http = httpx.AsyncClient(transport=transport, base_url="http://host")

    def context(self, _: HTTPConnection | None = None) -> Context:
        return Context(
            metadata=self.engine,
            stores=MediaStores(self.backends),
            service=self.service,
            clock=lambda: self.now_us,
            request_id="story",
            secrets=SealedSecrets(bytes(32)),
        )

    def pass_seconds(self, seconds: int) -> None:
        self.now_us += seconds * 1_000_000

    def add_backend(self, backend: StorageBackend) -> None:
        self.backends[backend.id] = MemoryStore(backend)

    async def ask(self, method: str, path: str, body: Any = None) -> Any:
        """The JSON of an answer that is no refusal."""
        response = await self.http.request(method, path, json=body)
        assert response.status_code < 300, f"{method} {path}: {response.text}"
        return response.json() if response.content else None

    async def graphql(self, document: str, variables: Json) -> Any:
        """The data of an operation without errors."""
        body = {"query": document, "variables": variables}
        answer = (await self.http.post("/graphql", json=body)).json()
        assert "errors" not in answer, answer
        return answer["data"]


@asynccontextmanager
async def opened(folder: Path) -> AsyncIterator[Store]:
    """A store with an index of its own, and one storage backend that is no default."""
    engine = await open_engine(folder)
    store = Store(engine)
    try:
        yield store
    finally:
        await store.http.aclose()
        await engine.close()
