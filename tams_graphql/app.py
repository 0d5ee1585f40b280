"""The one place that wires things together: settings → ports → contexts → the two faces."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from importlib.metadata import version
from pathlib import Path
from urllib.parse import urlsplit

import structlog
from fastapi import FastAPI
from prometheus_client import CollectorRegistry
from prometheus_fastapi_instrumentator import Instrumentator
from starlette.requests import HTTPConnection, Request
from starlette.responses import JSONResponse

from rest_compat.errors import install_error_handlers
from rest_compat.event_bodies import EventBodies
from rest_compat.router import rest_router
from tams_graphql.backends import (
    close_all,
    open_index,
    open_s3_stores,
    open_sender,
    why_unusable,
)
from tams_graphql.events.hub import Hub
from tams_graphql.events.log import EventLog
from tams_graphql.events.sending import Sender
from tams_graphql.events.waking import WakingEngine
from tams_graphql.graphql.limits import Limits
from tams_graphql.graphql.router import graphql_router
from tams_graphql.graphql.streams import Streams
from tams_graphql.guards import LOOPBACK_ORIGIN, ApiCors, HostGuard, OriginGuard
from tams_graphql.media.filesystem.routes import media_routes
from tams_graphql.media.filesystem.secret import load_or_create_secret, made_once
from tams_graphql.media.filesystem.signing import UrlSigner
from tams_graphql.media.filesystem.store import FilesystemStore
from tams_graphql.media.store import MediaStore, MediaStores, StorageBackend
from tams_graphql.metadata.engine import MetadataEngine
from tams_graphql.model.errors import Unavailable
from tams_graphql.model.identifiers import is_uuid
from tams_graphql.observability import RequestLog
from tams_graphql.resolvers.background import Background
from tams_graphql.resolvers.context import Context, Service
from tams_graphql.resolvers.housekeeping import keep_house
from tams_graphql.resolvers.storage import may_upload
from tams_graphql.resolvers.webhook_dispatch import serve_webhooks
from tams_graphql.sealing import SealedSecrets
from tams_graphql.settings import Settings, is_loopback

_log = structlog.get_logger("tams")


class Server:
    """The ports of one running server, opened by the application's lifespan."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._index: MetadataEngine | None = None
        self.embedded = [_filesystem_store(settings)] if settings.embedded_storage else []
        self.buckets = open_s3_stores(settings)
        every: list[MediaStore] = [*self.embedded, *self.buckets]
        self.stores = MediaStores({store.backend.id: store for store in every})
        self.service = Service(
            name=settings.name,
            description=settings.description,
            version=version("tams-graphql"),
            min_object_timeout=settings.min_object_timeout,
            min_presigned_url_timeout=settings.min_presigned_url_timeout,
            async_delete_segments=settings.async_delete_segments,
            deletion_grace=settings.deletion_grace,
            delete_request_retention=settings.delete_request_retention,
            head_urls_in_rest=settings.head_urls_in_rest,
            event_retention=settings.event_retention,
            webhook_networks=tuple(settings.webhook_networks),
            webhook_ports=frozenset(settings.webhook_ports),
            webhook_retry_seconds=tuple(settings.webhook_retry_seconds),
        )
        self.secrets = SealedSecrets(
            load_or_create_secret(settings.secret_key_file or settings.data / "secret_key")
        )
        self.engine: MetadataEngine | None = None
        self.hub: Hub | None = None
        self.sender: Sender | None = None
        self.bodies = EventBodies()
        self.background = Background()
        self.streams = Streams(
            keep_alive=settings.event_keep_alive, most_operations=settings.max_subscriptions
        )

    def adopt(self, index: MetadataEngine) -> None:
        """Serve from an index that is open already, and close it in the end."""
        self._index = index

    def context(self, request: HTTPConnection | None = None) -> Context:
        """The context of one request (or of work that no request asked for)."""
        if self.engine is None:
            raise Unavailable("the server is starting or stopping")
        request_id = getattr(request.state, "request_id", "") if request else ""
        return Context(
            metadata=self.engine,
            stores=self.stores,
            service=self.service,
            request_id=request_id,
            background=self.background,
            secrets=self.secrets,
            hub=self.hub,
            sender=self.sender,
            bodies=self.bodies,
        )

    async def end_streams(self) -> None:
        """Tell subscribers that the server stops, and give them half of the time to go."""
        if self.hub is not None:
            self.hub.stop()
        await self.streams.stop(self.settings.shutdown_timeout / 2)

    async def may_upload(self, object_id: str, storage_id: str, key: str) -> bool:
        """Whether the media routes may take bytes for this object."""
        return await may_upload(self.context(), object_id, storage_id, key)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Open the index, finish what an earlier process left behind, and close at the end."""
        async with self.opened():
            await self._tell_unusable_buckets()
            self.background.start(keep_house(self.context))
            if self.hub is not None:
                self.background.start(self.hub.run())
                self.background.start(serve_webhooks(self.context))
            yield

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        """The ports alone: for contexts of work that is done once."""
        sender = open_sender(self.settings)
        index = self._index or await open_index(self.settings)
        self.hub = Hub(EventLog(index), poll_seconds=self.settings.event_poll_seconds)
        self.engine = WakingEngine(index, self.hub.wake)
        self.sender = sender
        try:
            yield
        finally:
            await self.background.close()
            await sender.close()
            await self.engine.close()
            self.engine = self._index = self.hub = self.sender = None
            for store in self.embedded:
                store.close()
            close_all(self.buckets)

    async def _tell_unusable_buckets(self) -> None:
        # Metadata and the other backends are worth serving while one is away.
        reasons = await asyncio.gather(*map(why_unusable, self.buckets))
        for store, reason in zip(self.buckets, reasons, strict=True):
            if reason is not None:
                _log.error("storage backend unusable", label=store.backend.label, reason=reason)


def create_app(settings: Settings) -> FastAPI:
    """The whole server as one ASGI application.

    Args:
        settings: the configuration; its `data` folder is created if missing.
    """
    settings.data.mkdir(parents=True, exist_ok=True)
    server = Server(settings)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with server.running():
            yield

    app = FastAPI(
        lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None, redirect_slashes=False
    )
    app.state.server = server
    _add_faces(app, server)
    _add_operations(app, server)
    _add_guards(app, settings)
    return app


def _add_faces(app: FastAPI, server: Server) -> None:
    settings = server.settings
    app.include_router(
        graphql_router(
            server.context,
            limits=Limits(
                depth=settings.max_depth,
                cost=settings.max_cost,
                body_bytes=settings.max_body_bytes,
            ),
            introspection=settings.introspection,
            ide=settings.graphiql,
            streams=server.streams,
        )
    )
    app.router.routes.extend(
        media_routes(
            {store.backend.id: store for store in server.embedded},
            server.may_upload,
            settings.max_upload_bytes,
        )
    )
    app.include_router(
        rest_router(
            server.context, public_url=settings.base_url, max_body_bytes=settings.max_body_bytes
        )
    )
    install_error_handlers(app)


def _add_operations(app: FastAPI, server: Server) -> None:
    async def health(_: Request) -> JSONResponse:
        checks = await _health(server)
        healthy = all(state == "ok" for state in checks.values())
        body = {"status": "ok" if healthy else "unavailable", "checks": checks}
        return JSONResponse(body, 200 if healthy else 503)

    app.add_route("/health", health, methods=["GET"], include_in_schema=False)
    Instrumentator(
        registry=CollectorRegistry(auto_describe=True), excluded_handlers=["/metrics", "/health"]
    ).instrument(app).expose(app, include_in_schema=False)


async def _health(server: Server) -> dict[str, str]:
    async def check(name: str, probe: Callable[[], Awaitable[object]]) -> tuple[str, str]:
        try:
            await asyncio.wait_for(probe(), timeout=2)
        except (Unavailable, TimeoutError) as error:
            return name, str(error) or "no answer within 2 s"
        return name, "ok"

    async def index() -> None:
        await server.context().metadata.check()

    probes = [check("index", index)]
    probes += [
        check(f"storage backend {store.backend.label or store.backend.id}", store.check)
        for store in server.stores.by_id.values()
    ]
    return dict(await asyncio.gather(*probes))


def _add_guards(app: FastAPI, settings: Settings) -> None:
    origins = [*settings.cors_origins, _origin(settings.base_url)]
    app.add_middleware(
        ApiCors,
        allow_origins=settings.cors_origins,
        allow_origin_regex=LOOPBACK_ORIGIN.pattern,
        allow_methods=["*"],
        allow_headers=["*"],
        expose_headers=["*"],
    )
    app.add_middleware(OriginGuard, origins=frozenset(origins))
    if is_loopback(settings.host):
        known = {"localhost", "127.0.0.1", "::1", settings.host}
        public = urlsplit(settings.base_url).hostname or ""
        app.add_middleware(HostGuard, hosts=frozenset({*known, public}))
    app.add_middleware(RequestLog)


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _filesystem_store(settings: Settings) -> FilesystemStore:
    backend = StorageBackend(
        id=_stable_id(settings.data / "storage_backend_id"),
        label=settings.storage_label,
        provider="tams-graphql",
        store_product="filesystem",
        default_storage=not any(one.default_storage for one in settings.storage_backends),
    )
    signer = UrlSigner(
        load_or_create_secret(settings.data / "url_signing_key"),
        settings.base_url,
        lifetime=settings.min_presigned_url_timeout,
    )
    return FilesystemStore(settings.data / "media", backend, signer)


def _stable_id(path: Path) -> str:
    """The identifier kept in `path`, made once; several processes may start at the same time.

    Raises:
        ValueError: the file holds none.
    """
    identifier = made_once(path, lambda: str(uuid.uuid4()).encode()).decode().strip()
    if not is_uuid(identifier):
        raise ValueError(f"{path} must hold a UUID, not {identifier!r}")
    return identifier
