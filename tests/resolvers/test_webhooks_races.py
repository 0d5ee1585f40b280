"""Two old clients at once: what is one webhook to them stays one, in one process and in two."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tams_graphql.metadata.engine import MetadataEngine
from tams_graphql.model.records import Webhook
from tams_graphql.resolvers import webhooks
from tams_graphql.resolvers.context import Context
from tams_graphql.resolvers.paging import PageRequest
from tests.metadata.vast_shaped import VastShapedEngine
from tests.resolvers.conftest import fresh
from tests.support.engines import open_engine

ROUNDS = 6
UNSEEN = frozenset({"id", "status", "error", "tags", "include_object_timerange"})


def body(number: int, *events: str) -> dict[str, Any]:
    return {
        "url": f"https://hook{number}.example.com",
        "api_key_name": "Authorization",
        "api_key_value": "Bearer x",
        "events": list(events),
    }


async def post(ctx: Context, given: dict[str, Any], version: str = "7.0") -> Webhook | None:
    return await webhooks.upsert_webhook(fresh(ctx), given, version, UNSEEN)


async def registered(ctx: Context) -> list[Webhook]:
    return list((await webhooks.list_webhooks(fresh(ctx), PageRequest())).items)


@pytest.fixture
async def processes(
    ctx: Context, engine: MetadataEngine, tmp_path: Path
) -> AsyncIterator[tuple[Context, Context]]:
    """Two requests to two processes that share an index; to one if it is in its memory."""
    if isinstance(engine, VastShapedEngine):
        yield ctx, ctx
        return
    second = await open_engine(tmp_path)
    yield ctx, replace(fresh(ctx), metadata=second)
    await second.close()


async def test_two_first_posts_make_one_webhook(processes: tuple[Context, Context]) -> None:
    for number in range(ROUNDS):
        answers = await asyncio.gather(
            *(
                post(ctx, body(number, event), version)
                for ctx, event, version in zip(
                    processes, ("flows/created", "flows/deleted"), ("6.0", "7.0"), strict=True
                )
            )
        )
        assert len({answer.id for answer in answers if answer is not None}) == 1
    assert len(await registered(processes[0])) == ROUNDS


async def test_a_removal_and_a_change_leave_one_webhook_or_none(
    processes: tuple[Context, Context],
) -> None:
    one, other = processes
    for number in range(ROUNDS):
        await post(one, body(number, "flows/created"))
        removed, kept = await asyncio.gather(
            post(one, body(number)), post(other, body(number, "flows/deleted"))
        )
        assert removed is None
        assert kept is not None
        left = [hook for hook in await registered(one) if hook.url == kept.url]
        assert [hook.id for hook in left] in ([], [kept.id])


async def test_what_newer_clients_registered_alike_is_removed_as_a_whole(ctx: Context) -> None:
    for event in ("flows/created", "flows/deleted"):
        await webhooks.register_webhook(fresh(ctx), body(1, event))
    other = await webhooks.register_webhook(fresh(ctx), body(2, "flows/created"))
    assert await post(ctx, body(1)) is None
    assert [hook.id for hook in await registered(ctx)] == [other.id]
