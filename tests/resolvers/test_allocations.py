"""Allocations that nobody registers: when they go, with what, and who wins the race."""

import asyncio
from collections.abc import Callable
from typing import Any, cast

import pytest

from tams_graphql.metadata.engine import Command, MetadataEngine, Scan
from tams_graphql.metadata.tables import DISCARDED_MEDIA, INSTANCES, OBJECTS
from tams_graphql.model.errors import Conflict, InvalidInput, Unavailable
from tams_graphql.resolvers import allocations, housekeeping
from tams_graphql.resolvers.allocations import (
    GRACE_SECONDS,
    collect_allocations,
    expired_allocations,
    renew_allocations,
)
from tams_graphql.resolvers.context import Context, Service
from tams_graphql.resolvers.discard import discard_media
from tams_graphql.resolvers.segments import register_segments
from tams_graphql.resolvers.storage import AllocatedObject, allocate_storage, may_upload
from tests.resolvers.conftest import DISK, Clock, fresh
from tests.resolvers.memory_store import MemoryStore
from tests.resolvers.segment_stories import (
    FLOW,
    allocated,
    fmp4_flow,
    only_problem,
    post,
    registered,
    timeline,
    video_flow,
)

TIMEOUT = 600


@pytest.fixture
def ctx(ctx: Context) -> Context:
    ctx.service = Service(min_object_timeout=TIMEOUT)
    return ctx


def disk(ctx: Context) -> MemoryStore:
    return cast("MemoryStore", ctx.stores.by_id[DISK])


def pass_seconds(clock: Clock, seconds: int) -> None:
    clock.now_us += seconds * 1_000_000


async def objects(ctx: Context) -> list[str]:
    rows = await ctx.metadata.page(Scan(table=OBJECTS, limit=10_000))
    return cast("list[str]", rows["object_id"].to_pylist())


async def put(ctx: Context, *names: str) -> list[AllocatedObject]:
    """Allocate objects and upload their bytes."""
    made = await allocate_storage(ctx, FLOW, {"object_ids": list(names)})
    for one in made:
        disk(ctx).contents[one.key] = (b"media", one.content_type)
    return list(made)


async def test_what_is_not_registered_in_time_goes_with_its_bytes(
    ctx: Context, clock: Clock
) -> None:
    await video_flow(ctx)
    (late,) = await put(ctx, "late")
    pass_seconds(clock, TIMEOUT)
    (early,) = await put(ctx, "early")
    pass_seconds(clock, GRACE_SECONDS - 20)
    assert (await expired_allocations(ctx), await collect_allocations(ctx)) == (0, 0)
    assert await objects(ctx) == ["early", "late"]

    pass_seconds(clock, 20)
    assert (await expired_allocations(ctx), await collect_allocations(ctx)) == (1, 1)
    assert await objects(ctx) == ["early"]
    instances = await ctx.metadata.page(Scan(table=INSTANCES))
    assert instances["storage_key"].to_pylist() == [early.key]
    assert not await may_upload(ctx, "late", DISK, late.key)
    # The note is in the index before the bytes go: a crash here loses nothing.
    notes = await ctx.metadata.page(Scan(table=DISCARDED_MEDIA))
    assert notes["storage_key"].to_pylist() == [late.key]
    await discard_media(ctx)
    assert list(disk(ctx).contents) == [early.key]


async def test_what_was_registered_stays_whatever_its_role(
    ctx: Context, clock: Clock, dump: Callable[[], Any]
) -> None:
    await fmp4_flow(ctx)
    await allocated(ctx, "media", "init")
    await registered(ctx, post("media", "[0:0_1:0)", init_object_id="init"))
    pass_seconds(clock, 10 * TIMEOUT)
    before = await dump()
    assert (await expired_allocations(ctx), await collect_allocations(ctx)) == (0, 0)
    assert await dump() == before


async def test_late_is_not_too_late_until_it_is_collected(ctx: Context, clock: Clock) -> None:
    await video_flow(ctx)
    await allocated(ctx, "kept", "collected")
    pass_seconds(clock, 10 * TIMEOUT)
    await registered(ctx, post("kept", "[0:0_1:0)"))
    assert await collect_allocations(ctx) == 1
    assert await timeline(ctx) == [("kept", "[0:0_1:0)")]
    registration = await _refused(ctx, "collected")
    assert only_problem(registration) == ("segments.0.object_id", "object.unknown")


async def _refused(ctx: Context, object_id: str) -> InvalidInput:
    answer = await register_segments(ctx, FLOW, [post(object_id, "[5:0_6:0)")])
    (failed,) = answer.failed
    return cast("InvalidInput", failed.error)


class Between:
    """An engine in which somebody does something just before the next commit."""

    def __init__(self, engine: MetadataEngine, something: Callable[[], Any]) -> None:
        self._engine = engine
        self._something: Callable[[], Any] | None = something

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)

    async def commit(self, command: Command[Any], relies_on: Any, **how: Any) -> Any:
        something, self._something = self._something, None
        if something is not None:
            await something()
        return await self._engine.commit(command, relies_on, **how)


async def test_whoever_registers_in_between_wins(ctx: Context, clock: Clock) -> None:
    await video_flow(ctx)
    won, lost = await put(ctx, "won", "lost")
    pass_seconds(clock, 10 * TIMEOUT)
    other = fresh(ctx)
    ctx.metadata = cast(
        "MetadataEngine",
        Between(ctx.metadata, lambda: registered(other, post("won", "[0:0_1:0)"))),
    )
    assert await collect_allocations(ctx) == 1
    await discard_media(ctx)
    assert await objects(ctx) == ["won"]
    assert list(disk(ctx).contents) == [won.key]
    assert lost.key not in disk(ctx).contents


async def test_registering_and_collecting_at_once_is_one_or_the_other(
    ctx: Context, clock: Clock
) -> None:
    await video_flow(ctx)
    names = [f"o{number}" for number in range(12)]
    made = await put(ctx, *names)
    pass_seconds(clock, 10 * TIMEOUT)
    posts = [post(name, f"[{n}:0_{n + 1}:0)") for n, name in enumerate(names)]
    work = asyncio.create_task(collect_allocations(fresh(ctx)))
    calls = (register_segments(fresh(ctx), FLOW, [one]) for one in posts)
    registrations = await asyncio.gather(*calls)
    collected = await work
    await discard_media(ctx)
    lived = [
        one["object_id"] for one, told in zip(posts, registrations, strict=True) if not told.failed
    ]
    assert await objects(ctx) == sorted(lived)
    assert {name for name, _ in await timeline(ctx)} == set(lived)
    assert collected == len(names) - len(lived)
    assert set(disk(ctx).contents) == {one.key for one in made if one.object_id in lived}


async def test_two_collectors_share_the_work(
    ctx: Context, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(allocations, "BATCH", 3)
    await video_flow(ctx)
    await put(ctx, *(f"o{number}" for number in range(10)))
    pass_seconds(clock, 10 * TIMEOUT)
    steps: list[int] = []
    both = await asyncio.gather(
        collect_allocations(fresh(ctx), steps.append), collect_allocations(fresh(ctx))
    )
    assert sum(both) == 10
    assert steps == sorted(steps)
    assert steps[-1] == both[0]
    assert await objects(ctx) == []
    notes = await ctx.metadata.page(Scan(table=DISCARDED_MEDIA))
    assert set(notes["storage_key"].to_pylist()) == set(disk(ctx).contents)
    assert notes.num_rows == 10


async def test_urls_that_are_signed_later_get_all_of_the_time_again(
    ctx: Context, clock: Clock
) -> None:
    await video_flow(ctx)
    made = await put(ctx, "renewed", "registered")
    await registered(ctx, post("registered", "[0:0_1:0)"))
    await put(ctx, "forgotten")
    pass_seconds(clock, TIMEOUT + GRACE_SECONDS - 20)
    await renew_allocations(ctx, FLOW, made)
    pass_seconds(clock, TIMEOUT)
    assert await collect_allocations(ctx) == 1
    assert await objects(ctx) == ["registered", "renewed"]
    pass_seconds(clock, GRACE_SECONDS)
    assert await collect_allocations(ctx) == 1
    assert await objects(ctx) == ["registered"]


async def test_what_is_gone_cannot_be_renewed(
    ctx: Context, clock: Clock, dump: Callable[[], Any]
) -> None:
    await video_flow(ctx)
    (gone,) = await put(ctx, "gone")
    pass_seconds(clock, 10 * TIMEOUT)
    await collect_allocations(ctx)
    (left, again) = await put(ctx, "left", "gone")
    before = await dump()
    with pytest.raises(Conflict) as refused:
        # Its id is somebody else's by now, for bytes at another place.
        await renew_allocations(ctx, FLOW, [left, gone])
    assert only_problem(refused.value) == ("idempotency_key", "allocation.expired")
    assert await dump() == before
    await renew_allocations(ctx, FLOW, [left, again])


async def test_a_server_collects_by_itself(
    ctx: Context, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(housekeeping, "ROUND_SECONDS", 0.001)
    await video_flow(ctx)
    await put(ctx, "o")
    pass_seconds(clock, 10 * TIMEOUT)
    work = asyncio.create_task(housekeeping.keep_house(lambda: fresh(ctx)))
    async with asyncio.timeout(20):
        while await objects(ctx) or disk(ctx).contents:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0)
    work.cancel()
    await asyncio.gather(work, return_exceptions=True)


async def test_an_index_that_is_away_is_told(ctx: Context, clock: Clock) -> None:
    async def away() -> None:
        raise Unavailable("the index is away")

    await video_flow(ctx)
    await put(ctx, "o")
    pass_seconds(clock, 10 * TIMEOUT)
    engine = ctx.metadata
    ctx.metadata = cast("MetadataEngine", Between(engine, away))
    with pytest.raises(Unavailable):
        await collect_allocations(ctx)
    ctx.metadata = engine
    assert await objects(ctx) == ["o"]
    assert len(disk(ctx).contents) == 1
