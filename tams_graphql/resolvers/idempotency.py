"""Answering a repeated request with what it was answered the first time.

1. A key that is known answers at once: its saved answer, or `Conflict` for another request.
2. Otherwise the request runs, and its commit writes the answer too: the change and the memory
   of it are one. A twin that committed meanwhile is noticed inside the command.

A refused request saves nothing, so it may be sent again with the same key.
"""

import hashlib
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import orjson
import pyarrow as pa

from tams_graphql.metadata.engine import (
    Aggregate,
    Changes,
    Command,
    Key,
    MetadataEngine,
    Row,
    Scan,
    View,
    creation,
)
from tams_graphql.metadata.tables import IDEMPOTENCY, Table
from tams_graphql.model.errors import Conflict, InvalidInput, Problem, TooLarge
from tams_graphql.resolvers.context import Context

T = TypeVar("T")

MAX_KEY = 256
"""The longest key, in characters."""

_OF_THE_ATTEMPT = {"client_mutation_id", "idempotency_key"}
"""What names an attempt and may differ between two of the same request."""

MAX_ANSWER = 100_000
"""The longest answer that can be saved, in bytes: it is one cell of the index."""


async def once(
    ctx: Context,
    operation: str,
    key: str | None,
    request: Mapping[str, Any],
    run: Callable[[Context], Awaitable[T]],
    *,
    encode: Callable[[T], Any],
) -> Any:
    """Run a request, unless it ran before under the same key.

    Args:
        ctx: the request's context.
        operation: what is asked for; part of the request.
        key: the client's idempotency key; ``None``: simply run.
        request: the request as JSON, told apart from others by value (but for what names
            the attempt: `client_mutation_id`).
        run: does it in the context that it is given, with one commit whose answer it returns.
        encode: the answer as JSON.

    Returns:
        The encoded answer, now or as it was saved.

    Raises:
        Conflict: the key was used for another request.
        InvalidInput: the key is empty or too long.
        TooLarge: the answer is too long to be saved; nothing was changed.
    """
    if key is None:
        return encode(await run(ctx))
    _check(key)
    digest = _digest(operation, request)
    saved = (await ctx.metadata.get(IDEMPOTENCY, [(key,)])).to_pylist()
    if saved:
        return _replayed(saved[0], digest)
    note = _Note(key, digest, encode, ctx.clock())
    try:
        return encode(await run(replace(ctx, metadata=_Remembering(ctx.metadata, note))))
    except _RanMeanwhile as twin:
        return _replayed(twin.row, digest)
    finally:
        ctx.loaders.forget()


class _RanMeanwhile(Exception):
    def __init__(self, row: Mapping[str, Any]) -> None:
        super().__init__("the same idempotency key committed meanwhile")
        self.row = row


@dataclass(frozen=True, slots=True)
class _Note:
    """What is written beside the change."""

    key: str
    digest: str
    encode: Callable[[Any], Any]
    now_us: int

    def row(self, answer: Any) -> Row:
        text = orjson.dumps(self.encode(answer))
        if len(text) > MAX_ANSWER:
            message = f"with an idempotency key the answer may have at most {MAX_ANSWER} bytes"
            raise TooLarge(message, (Problem("idempotency_key", "answer_too_large", message),))
        return {
            "idempotency_key": self.key,
            "body_digest": self.digest,
            "answer_json": text.decode(),
            "created_us": self.now_us,
        }


@dataclass(frozen=True, slots=True)
class _Remembering:
    """The metadata engine, whose commits write the note as well."""

    engine: MetadataEngine
    note: _Note

    @property
    def background_rows(self) -> int:
        return self.engine.background_rows

    async def get(
        self, table: Table, keys: Iterable[Key], columns: tuple[str, ...] | None = None
    ) -> pa.Table:
        return await self.engine.get(table, list(keys), columns)

    async def page(self, scan: Scan) -> pa.Table:
        return await self.engine.page(scan)

    async def first_per_key(self, scan: Scan, prefixes: Iterable[Key]) -> pa.Table:
        return await self.engine.first_per_key(scan, list(prefixes))

    async def count(self, scan: Scan) -> int:
        return await self.engine.count(scan)

    async def commit(
        self, command: Command[T], relies_on: Iterable[Aggregate], *, background: bool = False
    ) -> T:
        def noted(view: View) -> Changes[T]:
            for row in view.get(IDEMPOTENCY, [(self.note.key,)]).to_pylist():
                raise _RanMeanwhile(row)
            changes = command(view)
            insert = {**changes.insert, IDEMPOTENCY: [self.note.row(changes.answer)]}
            return replace(changes, insert=insert)

        guard = creation("idempotency", self.note.key)
        return await self.engine.commit(noted, [*relies_on, guard], background=background)

    async def check(self) -> None:
        await self.engine.check()

    async def close(self) -> None:
        """Nothing of its own to let go of."""


def _replayed(row: Mapping[str, Any], digest: str) -> Any:
    if row["body_digest"] != digest:
        message = "this idempotency key was used for another request"
        raise Conflict(message, (Problem("idempotency_key", "idempotency_key.reused", message),))
    return orjson.loads(row["answer_json"])


def _check(key: str) -> None:
    if not 0 < len(key) <= MAX_KEY or any("\ud800" <= char <= "\udfff" for char in key):
        raise InvalidInput(
            "idempotency_key",
            "idempotency_key.malformed",
            f"an idempotency key is 1 to {MAX_KEY} characters of Unicode",
        )


def _digest(operation: str, request: Mapping[str, Any]) -> str:
    asked = {name: value for name, value in request.items() if name not in _OF_THE_ATTEMPT}
    text = orjson.dumps([operation, asked], option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(text).hexdigest()
