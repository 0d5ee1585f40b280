"""The route that answers signed media URLs.

1. An unknown backend, or a key that can't be one, is 404; every method but OPTIONS then needs
   a URL signed for it (403).
2. `uploads` and `downloads` do the rest; a refusal is JSON of the same shape as REST's.
3. Every answer may be read by pages of any origin (the URL is the permission, no cookie is
   involved), and none is a page that could act in this server's own: the bytes are clients'.
"""

from collections.abc import Mapping

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from tams_graphql.media.filesystem.downloads import download
from tams_graphql.media.filesystem.refusals import method_not_allowed, refusal_response
from tams_graphql.media.filesystem.store import FilesystemStore
from tams_graphql.media.filesystem.uploads import MayWrite, Upload, receive
from tams_graphql.media.store import is_key
from tams_graphql.model.errors import MediaStoreError, NotFound

ALLOWED = "GET, HEAD, OPTIONS, PUT"

_ANY_ORIGIN = {
    "access-control-allow-origin": "*",
    "access-control-expose-headers": (
        "Accept-Ranges, Content-Length, Content-Range, ETag, Last-Modified"
    ),
    "cross-origin-resource-policy": "cross-origin",
    "content-security-policy": "default-src 'none'; sandbox",
    "x-content-type-options": "nosniff",
}
_PREFLIGHT = {
    "allow": ALLOWED,
    "access-control-allow-methods": ALLOWED,
    "access-control-allow-headers": "*",
    "access-control-max-age": "86400",
}


def media_routes(
    stores: Mapping[str, FilesystemStore], may_write: MayWrite, max_bytes: int
) -> list[Route]:
    """Routes for ``/media/{storage_id}/{key}``.

    Args:
        stores: the filesystem backends, by id.
        may_write: asked before an upload's body is received and again before it gets its name.
        max_bytes: the most that one object may have.
    """
    return [Route("/media/{storage_id}/{key}", _Media(stores, may_write, max_bytes))]


class _Media:
    """The ASGI application behind the route, so that it answers every method itself."""

    def __init__(
        self, stores: Mapping[str, FilesystemStore], may_write: MayWrite, max_bytes: int
    ) -> None:
        self._stores = stores
        self._may_write = may_write
        self._max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        try:
            response = await self._answer(request)
        except ClientDisconnect:
            return
        except MediaStoreError as error:
            response = refusal_response(request, error)
        response.headers.update(_ANY_ORIGIN)
        await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        if request.method == "OPTIONS":
            return Response(status_code=204, headers=_PREFLIGHT)
        if request.method not in ALLOWED.split(", "):
            raise method_not_allowed(request.method, ALLOWED)
        storage_id, key = request.path_params["storage_id"], request.path_params["key"]
        store = self._stores.get(storage_id)
        if store is None:
            raise NotFound("storage backend", storage_id)
        if not is_key(key):
            raise NotFound("media", key)
        return await self._granted(request, store, key)

    async def _granted(self, request: Request, store: FilesystemStore, key: str) -> Response:
        query = request.scope["query_string"].decode("latin-1")
        grant = store.signer.verify(request.method, store.backend.id, key, query)
        if request.method != "PUT":
            return await download(request, store, key, store.signer.seconds_left(grant))
        upload = Upload(
            store=store,
            key=key,
            object_id=grant.object_id,
            content_type=grant.content_type,
            sha256=grant.sha256,
            max_bytes=self._max_bytes,
            may_write=self._may_write,
        )
        return await receive(request, upload)
