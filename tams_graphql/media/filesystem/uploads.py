"""PUT of an object's bytes.

1. The headers are judged before any byte is received: content type, length, digests,
   preconditions; and the store is asked whether the object may still be written.
2. The body streams into a draft, hashed on the way, up to the limit.
3. Length and digests are compared; the draft is made durable.
4. The store is asked again, since an object may be registered while its bytes still come in,
   and the bytes get their name. A refusal at any step, or a client that goes away, leaves
   nothing.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from tams_graphql.media.filesystem import conditions
from tams_graphql.media.filesystem.content_types import same_content_type
from tams_graphql.media.filesystem.digests import Expected, expected_digests
from tams_graphql.media.filesystem.files import Draft
from tams_graphql.media.filesystem.refusals import HttpError, precondition_failed
from tams_graphql.media.filesystem.store import FilesystemStore, gathered
from tams_graphql.model.errors import (
    Forbidden,
    InvalidInput,
    Problem,
    TooLarge,
    UnsupportedMediaType,
)

MayWrite = Callable[[str, str, str], Awaitable[bool]]
"""``(object_id, storage_id, key)``: is the object allocated there, and not registered yet?"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """What is uploaded where, as the signed URL says; at most `max_bytes` of it.

    `sha256` is the digest that it must have, as base64; empty for any.
    """

    store: FilesystemStore
    key: str
    object_id: str
    content_type: str
    sha256: str
    max_bytes: int
    may_write: MayWrite


async def receive(request: Request, upload: Upload) -> Response:
    """Store the body of `request`: 200 and its ETag.

    Raises:
        Forbidden: the object may not be written (any more).
        InvalidInput: the body, or a header about it, is wrong.
        UnsupportedMediaType: the content type or coding is not the one allocated.
        TooLarge: there is more than `max_bytes`.
        HttpError: 412, a precondition does not hold.
        Unavailable: the disk is full, or fails.
        ClientDisconnect: the client left before the end.
    """
    headers = conditions.merged(request.headers)
    _judge_type(headers, upload.content_type)
    _judge_length(headers, upload.max_bytes)
    expected = expected_digests(headers, upload.sha256)
    await _judge_permission(upload)
    await _judge_preconditions(headers, upload)
    async with upload.store.draft({one.algorithm for one in expected}) as draft:
        await _fill(draft, request, upload)
        _judge_body(draft, headers, expected)
        told = await upload.store.in_thread(draft.seal, upload.content_type)
        await _judge_preconditions(headers, upload)
        await _judge_permission(upload)
        await _publish(draft, headers, upload)
    return Response(headers={"etag": told.etag})


async def _fill(draft: Draft, request: Request, upload: Upload) -> None:
    async with aclosing(gathered(_limited(request.stream(), upload.max_bytes))) as pieces:
        async for piece in pieces:
            await upload.store.in_thread(draft.append, piece)


async def _limited(
    body: AsyncGenerator[bytes, None], max_bytes: int
) -> AsyncGenerator[bytes, None]:
    received = 0
    async for piece in body:
        received += len(piece)
        if received > max_bytes:
            raise _too_large(max_bytes)
        yield piece


async def _publish(draft: Draft, headers: Mapping[str, str], upload: Upload) -> None:
    only_first = headers.get("if-none-match", "").strip() == "*"
    if not await upload.store.in_thread(draft.publish, upload.key, replace=not only_first):
        raise _exists()


def _judge_type(headers: Mapping[str, str], signed: str) -> None:
    given = headers.get("content-type", "")
    if not same_content_type(given, signed):
        message = f"the content type must be {signed!r}, as allocated, not {given!r}"
        raise UnsupportedMediaType(message, (Problem("content-type", "allocated", message),))
    coding = headers.get("content-encoding", "identity")
    if coding.strip().lower() != "identity":
        message = f"bytes are stored as they come; content coding {coding!r} is not taken"
        raise UnsupportedMediaType(message, (Problem("content-encoding", "identity", message),))
    if "content-range" in headers:
        # RFC 9110, section 14.4: it would otherwise be stored as if it were the whole.
        raise InvalidInput("content-range", "whole", "an upload is the whole, not a range")


def _judge_length(headers: Mapping[str, str], max_bytes: int) -> None:
    length = _length(headers)
    if length is not None and length > max_bytes:
        raise _too_large(max_bytes)


def _length(headers: Mapping[str, str]) -> int | None:
    text = headers.get("content-length")
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 20):
        raise InvalidInput("content-length", "format", f"{text!r} is not a number of bytes")
    return int(text)


def _judge_body(draft: Draft, headers: Mapping[str, str], expected: list[Expected]) -> None:
    length = _length(headers)
    if length is not None and length != draft.size:
        message = f"{length} bytes were announced, {draft.size} came"
        raise InvalidInput("content-length", "mismatch", message)
    for one in expected:
        one.compare(draft.digest(one.algorithm))


async def _judge_permission(upload: Upload) -> None:
    if not await upload.may_write(upload.object_id, upload.store.backend.id, upload.key):
        message = "the object is not allocated, or it is registered: its bytes can't be written"
        raise Forbidden(message, (Problem("object_id", "writable", message),))


async def _judge_preconditions(headers: Mapping[str, str], upload: Upload) -> None:
    if not {"if-match", "if-none-match", "if-unmodified-since"}.intersection(headers):
        return
    file = await upload.store.open(upload.key)
    current = None
    if file is not None:
        current = conditions.Version(file.description.etag, file.modified)
        file.close()
    failed = conditions.failed(headers, current)
    if failed:
        raise precondition_failed(failed, "the bytes stored are another version, or none")
    if "if-none-match" in headers and conditions.unchanged(headers, current):
        raise _exists()


def _exists() -> HttpError:
    return precondition_failed("if-none-match", "bytes are stored already")


def _too_large(max_bytes: int) -> TooLarge:
    message = f"an object may have at most {max_bytes} bytes"
    return TooLarge(message, (Problem("body", "max_bytes", message),))
