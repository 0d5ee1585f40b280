"""JSON over HTTP: how answers are written and bodies read."""

import asyncio
import json
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from tams_graphql.model.errors import InvalidInput, Problem, TooLarge, UnsupportedMediaType

MAX_NESTING = 64
_LONG_BODY = 1 << 16
_MEDIA_TYPE = "application/json"


def json_response(
    content: Any, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """`content` as JSON; mappings and sequences of any kind are fine."""
    body = orjson.dumps(content, default=plain)
    return Response(body, status, headers, media_type=_MEDIA_TYPE)


def no_content() -> Response:
    """204, with the content type that every answer carries (DECISIONS)."""
    return Response(status_code=204, media_type=_MEDIA_TYPE)


def plain(value: Any) -> Any:
    """What `orjson` can't write by itself: mappings and sequences of any kind."""
    return dict(value) if isinstance(value, Mapping) else list(value)


async def read_json(request: Request, limit: int, *, required: bool) -> Any:
    """The request's JSON body; ``{}`` for none where it is not `required`.

    A missing content type is taken for JSON.

    Args:
        request: the request.
        limit: most bytes accepted; counted while they arrive, whatever was announced.
        required: whether an empty body is refused.

    Raises:
        TooLarge: the body exceeds `limit`.
        UnsupportedMediaType: the content type is not JSON, or not UTF-8, or it is compressed.
        InvalidInput: it is no JSON (RFC 8259), names a member twice, or nests too deeply.
    """
    _check_media_type(request.headers.get("content-type"))
    _check_coding(request.headers.get("content-encoding", "identity"))
    body = await _read(request, limit)
    if not body.strip():
        if required:
            raise InvalidInput("body", "json.missing", "the request needs a JSON body")
        return {}
    if len(body) > _LONG_BODY:
        return await asyncio.to_thread(parse_json, body)
    return parse_json(body)


def _check_media_type(content_type: str | None) -> None:
    if content_type is None:
        return
    kind, *parameters = (part.strip().lower() for part in content_type.split(";"))
    charset = next((p.partition("=")[2] for p in parameters if p.startswith("charset=")), "utf-8")
    structured = kind.startswith("application/") and kind.endswith("+json")
    if (kind != _MEDIA_TYPE and not structured) or charset.strip('"') not in {"utf-8", "utf8"}:
        message = f"bodies are {_MEDIA_TYPE} in UTF-8, not {content_type!r}"
        raise UnsupportedMediaType(message, (Problem("content-type", "media_type", message),))


def _check_coding(coding: str) -> None:
    if coding.strip().lower() not in {"", "identity"}:
        message = f"bodies are taken as they are, not in the content coding {coding!r}"
        raise UnsupportedMediaType(message, (Problem("content-encoding", "identity", message),))


async def _read(request: Request, limit: int) -> bytes:
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and (len(announced) > 18 or int(announced) > limit):
        raise _too_large(limit)
    pieces, size = [], 0
    async for piece in request.stream():
        size += len(piece)
        if size > limit:
            raise _too_large(limit)
        pieces.append(piece)
    return b"".join(pieces)


def _too_large(limit: int) -> TooLarge:
    message = f"request bodies are limited to {limit} bytes"
    return TooLarge(message, (Problem("body", "too_large", message),))


def parse_json(body: bytes) -> Any:
    """The value of a JSON text.

    Raises:
        InvalidInput: not JSON in UTF-8, a member named twice, a number that is no number or
            too big for a float, or more than `MAX_NESTING` levels.
    """
    try:
        # orjson refuses bad UTF-8, lone surrogates, NaN and deep nesting; the standard library
        # then tells duplicate members and keeps integers beyond 64 bits exact.
        orjson.loads(body)
        value = json.loads(body, object_pairs_hook=_members)
    except RecursionError:
        raise _too_deep() from None
    except ValueError as error:
        raise InvalidInput("body", "json.malformed", f"the body is not JSON: {error}") from error
    _check_nesting(value)
    return value


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        twice = Counter(name for name, _ in pairs).most_common(1)[0][0]
        raise InvalidInput("body", "json.duplicate", f"the member {twice!r} occurs twice")
    return members


def _check_nesting(value: Any) -> None:
    level, depth = _containers([value]), 0
    while level:
        depth += 1
        if depth > MAX_NESTING:
            raise _too_deep()
        level = [
            child
            for parent in level
            for child in _containers(parent.values() if isinstance(parent, dict) else parent)
        ]


def _containers(values: Iterable[Any]) -> list[Any]:
    return [value for value in values if isinstance(value, dict | list)]


def _too_deep() -> InvalidInput:
    return InvalidInput("body", "json.nesting", f"JSON may nest {MAX_NESTING} levels deep")
