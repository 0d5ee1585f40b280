"""How copies are made: joined, resumed, taken over, delayed, given up, a few at a time."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any, cast

import pytest

from tams_graphql.media.store import CopyOrder, CopyProgress
from tams_graphql.model.errors import Unavailable
from tams_graphql.model.records import CopyState
from tams_graphql.resolvers import copies, copying
from tams_graphql.resolvers.context import Context
from tams_graphql.resolvers.copies import copy_instance, resume_copies
from tams_graphql.resolvers.objects import (
    get_object,
)
from tests.resolvers.conftest import ARCHIVE, DISK, Clock, fresh
from tests.resolvers.copy_stories import (
    MEDIA,
    Gate,
    Parts,
    archive_in_parts,
    places,
    replace,
    rounds,
    shown,
    store,
)
from tests.resolvers.memory_store import MemoryStore
from tests.resolvers.segment_stories import (
    recorded,
)


@pytest.fixture
async def parts(ctx: Context) -> Parts:
    return await archive_in_parts(ctx)


async def test_a_copy_goes_on_after_the_answer_and_is_joined_by_the_same_request(
    ctx: Context, parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = Gate(parts)
    monkeypatch.setattr(copies, "PATIENCE_SECONDS", 0.05)
    answer = await copy_instance(ctx, "o0", ARCHIVE)
    assert [one.storage_id for one in answer.instances] == [DISK]
    assert await shown(ctx) == [(CopyState.RUNNING, 0, 19, None)]
    again = await copy_instance(fresh(ctx), "o0", ARCHIVE)
    assert again == answer
    await resume_copies(ctx)
    gate.open()
    await asyncio.gather(*ctx.background._tasks)
    assert await shown(ctx) == [(CopyState.DONE, 19, 19, None)]
    assert await places(ctx) == [DISK, ARCHIVE]
    assert len(parts.tokens) == 1


async def test_a_copy_goes_on_where_a_dead_process_stopped(
    ctx: Context, parts: Parts, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copying, "_TELL_SECONDS", 0.0)
    monkeypatch.setattr(copies, "PATIENCE_SECONDS", 0.05)
    gate = Gate(parts)
    monkeypatch.setattr(copying._Job, "let_go", die)
    monkeypatch.setattr(copying, "LEASE_US", 60_000_000)
    await copy_instance(ctx, "o0", ARCHIVE)
    await gate.reached(1)
    await ctx.background.close()
    monkeypatch.undo()
    assert await shown(ctx) == [(CopyState.RUNNING, 0, 19, None)]
    assert parts.parts == {"upload 1": MEDIA[:10]}
    parts.meanwhile = None
    await rounds(ctx, clock, 0)
    assert parts.tokens == [None], "its owner may still be alive"
    await rounds(ctx, clock, 60)
    assert parts.tokens == [None, "upload 1"]
    assert [content for content, _ in parts.contents.values()] == [MEDIA]
    assert await places(ctx) == [DISK, ARCHIVE]


async def die(*_: object, **__: object) -> None:
    """What a killed process does last."""
    raise asyncio.CancelledError


async def test_a_server_that_stops_leaves_its_copies_to_the_next_at_once(
    ctx: Context, parts: Parts, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copies, "PATIENCE_SECONDS", 0.05)
    gate = Gate(parts)
    await copy_instance(ctx, "o0", ARCHIVE)
    await gate.reached(1)
    await ctx.background.close()
    parts.meanwhile = None
    await rounds(ctx, clock, 0)
    assert parts.tokens == [None, "upload 1"]
    assert await places(ctx) == [DISK, ARCHIVE]


async def test_whoever_lost_its_copy_to_another_stops(
    ctx: Context, parts: Parts, clock: Clock
) -> None:
    async def too_late() -> None:
        parts.meanwhile = None
        await rounds(ctx, clock, 60)

    parts.meanwhile = too_late
    await copy_instance(ctx, "o0", ARCHIVE)
    assert len(parts.tokens) == 2
    assert list(parts.contents) == [(await get_object(fresh(ctx), "o0")).instances[1].key]
    assert await places(ctx) == [DISK, ARCHIVE]
    assert await shown(ctx) == [(CopyState.DONE, 19, 19, None)]


async def test_a_store_that_fails_delays_a_copy(
    ctx: Context, parts: Parts, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copying, "RETRY_US", 60_000_000)

    async def fail() -> None:
        raise Unavailable("storage backend archive failed (503); try again")

    parts.meanwhile = fail
    await copy_instance(ctx, "o0", ARCHIVE)
    told = "storage backend archive failed (503); try again"
    assert await shown(ctx) == [(CopyState.RUNNING, 0, 19, told)]
    assert await places(ctx) == [DISK]
    parts.meanwhile = None
    await rounds(ctx, clock, 0)
    assert len(parts.tokens) == 1, "not at once"
    await rounds(ctx, clock, 60)
    assert parts.tokens == [None, "upload 1"]
    assert await shown(ctx) == [(CopyState.DONE, 19, 19, None)]


async def test_a_copy_of_another_size_is_never_advertised(
    ctx: Context, parts: Parts, clock: Clock
) -> None:
    class Short(MemoryStore):
        async def copy(
            self, order: CopyOrder, token: str | None = None
        ) -> AsyncGenerator[CopyProgress, None]:
            yield CopyProgress(order.size)
            self.contents[order.key] = (MEDIA[:-1], order.content_type)

    replace(ctx, Short(parts.backend))
    await copy_instance(ctx, "o0", ARCHIVE)
    ((state, _, _, error),) = await shown(ctx)
    assert state is CopyState.RUNNING
    assert error == "the copy has 18 bytes instead of 19; it begins anew"
    assert await places(ctx) == [DISK]
    replace(ctx, parts)
    await rounds(ctx, clock)
    assert await places(ctx) == [DISK, ARCHIVE]


async def test_a_copy_fails_for_good_if_the_bytes_are_gone(
    ctx: Context, parts: Parts, clock: Clock
) -> None:
    async def lose() -> None:
        store(ctx, DISK).contents.clear()
        raise Unavailable("cut off")

    parts.meanwhile = lose
    await copy_instance(ctx, "o0", ARCHIVE)
    await rounds(ctx, clock)
    told = "the object's bytes have not been uploaded"
    assert await shown(ctx) == [(CopyState.FAILED, 0, 19, told)]
    assert parts.parts == {}
    await rounds(ctx, clock, 3600)
    assert len(parts.tokens) == 1
    assert await places(ctx) == [DISK]


async def test_a_backend_taken_out_of_the_configuration_keeps_its_copies_waiting(
    ctx: Context, parts: Parts, clock: Clock
) -> None:
    async def fail() -> None:
        raise Unavailable("cut off")

    parts.meanwhile = fail
    await copy_instance(ctx, "o0", ARCHIVE)
    parts.meanwhile = None
    del cast("dict[str, Any]", ctx.stores.by_id)[ARCHIVE]
    await rounds(ctx, clock)
    ((state, _, _, error),) = await shown(ctx)
    assert (state, error) == (CopyState.RUNNING, f"storage backend {ARCHIVE} is not configured")
    replace(ctx, parts)
    await rounds(ctx, clock)
    assert await places(ctx) == [DISK, ARCHIVE]


async def test_a_process_makes_four_copies_at_a_time(
    ctx: Context, parts: Parts, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copies, "PATIENCE_SECONDS", 0.05)
    names = [f"p{number}" for number in range(6)]
    await recorded(ctx, *(f"[{n}:0_{n + 1}:0)" for n in range(10, 16)), prefix="p")
    for name in names:
        key = str((await get_object(fresh(ctx), name)).instances[0].key)
        store(ctx, DISK).contents[key] = (MEDIA, "video/mp2t")
    gate = Gate(parts)
    await asyncio.gather(*(copy_instance(ctx, name, ARCHIVE) for name in names))
    await gate.reached(4)
    await resume_copies(ctx)
    assert len(parts.tokens) == 4
    gate.open()
    await asyncio.gather(*ctx.background._tasks)
    await rounds(ctx, clock, 0)
    assert len(parts.contents) == 6
    for name in names:
        assert len((await get_object(fresh(ctx), name)).instances) == 2
