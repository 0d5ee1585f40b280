"""GET and HEAD of stored bytes: whole, one range, or not at all (304, 412, 416)."""

from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from tams_graphql.media.filesystem import conditions
from tams_graphql.media.filesystem.files import StoredFile
from tams_graphql.media.filesystem.refusals import precondition_failed, range_not_satisfiable
from tams_graphql.media.filesystem.store import FilesystemStore
from tams_graphql.model.errors import NotFound

_UNKNOWN_TYPE = "application/octet-stream"


async def download(request: Request, store: FilesystemStore, key: str, fresh: int) -> Response:
    """The bytes under `key`, or the part of them that `request` wants.

    Args:
        request: GET or HEAD, its URL verified.
        store: where the bytes are.
        key: their name there.
        fresh: seconds for which the URL, and so a private cache's entry, stays good.

    Raises:
        NotFound: nothing is stored there.
        HttpError: 412 or 416.
        Unavailable: the disk fails.
    """
    file = await store.open(key)
    if file is None:
        raise NotFound("media", key)
    try:
        response = _answer(request, store, file, fresh)
    except BaseException:
        file.close()
        raise
    if not isinstance(response, _FileResponse):
        file.close()
    return response


def _answer(request: Request, store: FilesystemStore, file: StoredFile, fresh: int) -> Response:
    version = conditions.Version(file.description.etag, file.modified)
    headers = _headers(version, fresh)
    asked = conditions.merged(request.headers)
    failed = conditions.failed(asked, version)
    if failed:
        raise precondition_failed(failed, "the bytes stored are another version")
    if conditions.unchanged(asked, version):
        return Response(status_code=304, headers=headers)
    headers["content-type"] = _sendable(file.description.content_type)
    if request.method == "HEAD":
        # Range has no meaning with HEAD (RFC 9110, section 14.2).
        headers["content-length"] = str(file.description.size)
        return Response(headers=headers)
    return _body(asked, store, file, version, headers)


def _body(
    asked: Mapping[str, str],
    store: FilesystemStore,
    file: StoredFile,
    version: conditions.Version,
    headers: dict[str, str],
) -> Response:
    size = file.description.size
    part = _part(asked, version, size)
    start, end = part or (0, size)
    headers["content-length"] = str(end - start)
    if part:
        headers["content-range"] = f"bytes {start}-{end - 1}/{size}"
    return _FileResponse(store, file, (start, end), 206 if part else 200, headers)


def _part(
    asked: Mapping[str, str], version: conditions.Version, size: int
) -> tuple[int, int] | None:
    if not conditions.wants_range(asked, version):
        return None
    try:
        return conditions.byte_range(asked["range"], size)
    except IndexError:
        raise range_not_satisfiable(size) from None


class _FileResponse(StreamingResponse):
    """Streams an open file and closes it, whatever becomes of the connection.

    Starlette's own `FileResponse` opens its path anew after the headers are decided (another
    upload may have replaced the file by then), sends the whole file, footer included, and
    answers ranges that are to be ignored with 400.
    """

    def __init__(
        self,
        store: FilesystemStore,
        file: StoredFile,
        part: tuple[int, int],
        status: int,
        headers: dict[str, str],
    ) -> None:
        super().__init__(store.pieces(file, *part), status, headers)
        self._file = file

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._file.close()


def _headers(version: conditions.Version, fresh: int) -> dict[str, str]:
    return {
        "etag": version.etag,
        "last-modified": version.last_modified,
        "accept-ranges": "bytes",
        "cache-control": f"private, max-age={fresh}, immutable",
    }


def _sendable(content_type: str | None) -> str:
    """`content_type` if a header can hold it: it came from a client, by way of a flow."""
    if content_type and content_type.isascii() and content_type.isprintable():
        return content_type
    return _UNKNOWN_TYPE
