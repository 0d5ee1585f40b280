"""Concurrent writers of one flow: one creation, no change lost, indexes that agree."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import orjson

from tams_graphql.resolvers.context import Context
from tams_graphql.resolvers.flows import delete_flow, get_flow, put_flow, set_flow_tag
from tests.resolvers.conftest import fresh, uuid4, video, without_log

FLOW, SOURCE = uuid4(1), uuid4(101)

Dump = Callable[[], Awaitable[Any]]


async def test_one_of_many_puts_creates_a_flow(ctx: Context, dump: Dump) -> None:
    empty = await dump()
    body = video(FLOW, SOURCE, label="one")
    puts = await asyncio.gather(*(put_flow(fresh(ctx), FLOW, body) for _ in range(6)))
    assert sorted(put.created for put in puts) == [False] * 5 + [True]
    assert len({put.flow.incarnation for put in puts}) == 1
    await delete_flow(ctx, FLOW)
    assert without_log(await dump()) == without_log(empty)


async def test_no_tag_set_meanwhile_is_lost(ctx: Context) -> None:
    await put_flow(ctx, FLOW, video(FLOW, SOURCE))
    await asyncio.gather(*(set_flow_tag(fresh(ctx), FLOW, f"t{n}", "x") for n in range(6)))
    flow = await get_flow(fresh(ctx), FLOW)
    assert flow.tags == {f"t{number}": "x" for number in range(6)}


async def test_the_tag_index_agrees_with_the_put_that_came_last(ctx: Context, dump: Dump) -> None:
    bodies = [video(FLOW, SOURCE, tags={"n": str(number)}) for number in range(6)]
    await asyncio.gather(*(put_flow(fresh(ctx), FLOW, body) for body in bodies))
    rows = await dump()
    stored = orjson.loads(rows["flows"][0]["tags_json"])
    assert [row["value"] for row in rows["tags"]] == [stored["n"]]


async def test_a_put_and_a_delete_leave_all_or_nothing(ctx: Context, dump: Dump) -> None:
    for _ in range(8):
        await put_flow(ctx, FLOW, video(FLOW, SOURCE, tags={"a": "x"}))
        await asyncio.gather(
            delete_flow(fresh(ctx), FLOW),
            put_flow(fresh(ctx), FLOW, video(FLOW, uuid4(102), tags={"b": "y"})),
        )
        rows = await dump()
        alive = len(rows["flows"])
        assert [row["source_id"] for row in rows["sources"]] == [uuid4(102)] * alive
        assert [row["name"] for row in rows["tags"]] == ["b"] * alive
        if alive:
            await delete_flow(ctx, FLOW)
