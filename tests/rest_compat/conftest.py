"""A whole application without a socket: real resolvers, a real index and filesystem store."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from starlette.requests import Request

from rest_compat.errors import install_error_handlers
from rest_compat.router import rest_router
from tams_graphql.media.filesystem.routes import media_routes
from tams_graphql.media.filesystem.signing import UrlSigner
from tams_graphql.media.filesystem.store import FilesystemStore
from tams_graphql.media.store import MediaStores, StorageBackend
from tams_graphql.metadata import tables
from tams_graphql.metadata.engine import MetadataEngine, Scan
from tams_graphql.resolvers.context import Context, Service
from tams_graphql.resolvers.storage import may_upload
from tams_graphql.sealing import SealedSecrets
from tests.rest_compat.official import Official, find_official
from tests.rest_compat.stories import put_flow, uuid4, video
from tests.support.engines import open_engine

PUBLIC_URL = "https://tams.example/base"
DISK = "11111111-1111-4111-8111-111111111111"
ARCHIVE = "22222222-2222-4222-8222-222222222222"
MAX_BODY_BYTES = 200_000


def filesystem_stores(folder: Path) -> dict[str, FilesystemStore]:
    """Two backends: ``disk`` is the default, ``archive`` has tags."""
    backends = [
        StorageBackend(
            id=DISK, label="disk", provider="here", store_product="files", default_storage=True
        ),
        StorageBackend(
            id=ARCHIVE,
            label="archive",
            provider="here",
            store_product="files",
            region="cellar",
            tags={"tier": "cold", "copies": ["two", "three"]},
        ),
    ]
    signer = UrlSigner(b"0123456789abcdef0123456789abcdef", PUBLIC_URL, lifetime=600)
    return {b.id: FilesystemStore(folder / b.id, b, signer) for b in backends}


def application(engine: MetadataEngine, stores: dict[str, FilesystemStore]) -> FastAPI:
    """The REST face and the media routes, wired as `app.py` does."""

    def make_context(_: Request | None = None) -> Context:
        return Context(
            metadata=engine,
            stores=MediaStores(stores),
            service=app.state.service,
            request_id="story",
            secrets=SealedSecrets(bytes(32)),
        )

    async def may_write(object_id: str, storage_id: str, key: str) -> bool:
        return await may_upload(make_context(), object_id, storage_id, key)

    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None, redirect_slashes=False)
    app.state.service = Service(name="test", version="1", min_presigned_url_timeout=600)
    app.state.make_context = make_context
    app.router.routes.extend(media_routes(stores, may_write, 10_000_000))
    app.include_router(
        rest_router(make_context, public_url=PUBLIC_URL, max_body_bytes=MAX_BODY_BYTES)
    )
    install_error_handlers(app)
    return app


@asynccontextmanager
async def opened(folder: Path) -> AsyncIterator[tuple[FastAPI, MetadataEngine]]:
    """An application on an index of its own."""
    engine = await open_engine(folder)
    stores = filesystem_stores(folder)
    try:
        yield application(engine, stores), engine
    finally:
        for store in stores.values():
            store.close()
        await engine.close()


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[tuple[FastAPI, MetadataEngine]]:
    async with opened(tmp_path) as pair:
        yield pair


@pytest.fixture
def app(served: tuple[FastAPI, MetadataEngine]) -> FastAPI:
    return served[0]


@pytest.fixture
async def client(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://host") as client:
        yield client


@pytest.fixture
async def live_flow(client: httpx.AsyncClient) -> str:
    """The id of a video flow without segments."""
    flow_id = uuid4(1)
    await put_flow(client, video(flow_id, uuid4(100), label="live"))
    return flow_id


@pytest.fixture
def dump(served: tuple[FastAPI, MetadataEngine]) -> Callable[[], Any]:
    """Every row of every table, but for the versions that conflict rows count up."""

    async def dumped() -> dict[str, list[dict[str, Any]]]:
        found = {}
        for table in tables.TABLES:
            if table is not tables.GUARDS:
                rows = await served[1].page(Scan(table=table, limit=100_000))
                kept = [name for name in table.columns if name != "version"]
                found[table.name] = rows.select(kept).to_pylist()
        return found

    return dumped


@pytest.fixture(scope="session")
def official() -> Official:
    return find_official()
