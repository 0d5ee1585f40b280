"""Idempotency keys: a repeated request is answered as before, and happens once."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from tams_graphql.metadata.engine import Scan
from tams_graphql.metadata.tables import IDEMPOTENCY, OBJECTS
from tams_graphql.model.errors import Conflict, InvalidInput, TooLarge
from tams_graphql.resolvers import idempotency
from tams_graphql.resolvers.context import Context
from tams_graphql.resolvers.idempotency import once
from tams_graphql.resolvers.storage import AllocatedObject, allocate_storage
from tests.resolvers.conftest import fresh
from tests.resolvers.segment_stories import FLOW, only_problem, video_flow

Dump = Callable[[], Any]


async def ask(ctx: Context, key: str | None, body: dict[str, Any], **attempt: str) -> Any:
    """Allocate storage once; the answer is a list of object ids."""

    async def run(inner: Context) -> tuple[AllocatedObject, ...]:
        return await allocate_storage(inner, FLOW, body)

    request = {"body": body, **attempt}
    return await once(
        fresh(ctx), "allocate", key, request, run, encode=lambda a: [one.object_id for one in a]
    )


async def test_a_repetition_gets_the_saved_answer(ctx: Context, dump: Dump) -> None:
    await video_flow(ctx)
    first = await ask(ctx, "k", {"limit": 2}, client_mutation_id="1")
    before = await dump()
    assert await ask(ctx, "k", {"limit": 2}, client_mutation_id="2") == first
    assert await dump() == before
    assert len(first) == 2


async def test_other_requests_and_operations_conflict(ctx: Context, dump: Dump) -> None:
    await video_flow(ctx)
    await ask(ctx, "k", {"limit": 2})
    before = await dump()
    with pytest.raises(Conflict) as refused:
        await ask(ctx, "k", {"limit": 3})
    assert only_problem(refused.value) == ("idempotency_key", "idempotency_key.reused")

    async def run(inner: Context) -> None:
        raise AssertionError("must not run")

    with pytest.raises(Conflict):
        await once(ctx, "other", "k", {"body": {"limit": 2}}, run, encode=lambda _: None)
    assert await dump() == before


async def test_without_a_key_every_request_happens(ctx: Context) -> None:
    await video_flow(ctx)
    assert await ask(ctx, None, {}) != await ask(ctx, None, {})
    assert (await ctx.metadata.page(Scan(table=IDEMPOTENCY))).num_rows == 0


async def test_a_refusal_is_not_remembered(ctx: Context) -> None:
    await video_flow(ctx)
    await ask(ctx, None, {"object_ids": ["a"]})
    with pytest.raises(InvalidInput):
        await ask(ctx, "k", {"object_ids": ["a"]})
    assert await ask(ctx, "k", {"object_ids": ["b"]}) == ["b"]


async def test_twins_happen_once(ctx: Context) -> None:
    await video_flow(ctx)
    answers = await asyncio.gather(*(ask(ctx, "k", {"limit": 3}) for _ in range(16)))
    assert all(answer == answers[0] for answer in answers)
    stored = await ctx.metadata.page(Scan(table=OBJECTS))
    assert sorted(stored["object_id"].to_pylist()) == sorted(answers[0])


async def test_limits_are_kept_without_a_trace(
    ctx: Context, dump: Dump, monkeypatch: pytest.MonkeyPatch
) -> None:
    await video_flow(ctx)
    before = await dump()
    for key in ("", "x" * 257, "\ud800"):
        with pytest.raises(InvalidInput):
            await ask(ctx, key, {})
    monkeypatch.setattr(idempotency, "MAX_ANSWER", 10)
    with pytest.raises(TooLarge):
        await ask(ctx, "k", {})
    assert await dump() == before
