"""Copies between backends: asked for, refused, shown, cancelled, overtaken by deletion."""

from collections.abc import Callable
from typing import Any

import pytest

from tams_graphql.metadata.engine import Scan
from tams_graphql.metadata.tables import COPIES, DISCARDED_MEDIA
from tams_graphql.model.errors import InvalidInput, NotFound, Unavailable
from tams_graphql.model.records import CopyState
from tams_graphql.resolvers import copying
from tams_graphql.resolvers.context import Context
from tams_graphql.resolvers.copies import copy_instance
from tams_graphql.resolvers.objects import (
    add_uncontrolled_instance,
    remove_instance,
)
from tams_graphql.resolvers.segment_deletion import delete_segments
from tests.resolvers.conftest import ARCHIVE, DISK, Clock, fresh, uuid4
from tests.resolvers.copy_stories import (
    MEDIA,
    Parts,
    archive_in_parts,
    places,
    rounds,
    shown,
    store,
    uploaded,
)
from tests.resolvers.segment_stories import (
    FLOW,
    only_problem,
    post,
    recorded,
    registered,
    video_flow,
)

Dump = Callable[[], Any]


@pytest.fixture
async def parts(ctx: Context) -> Parts:
    return await archive_in_parts(ctx)


async def test_a_copy_has_the_same_bytes(ctx: Context) -> None:
    await uploaded(ctx)
    changed = await copy_instance(ctx, "o0", ARCHIVE)
    copy = changed.instances[1]
    assert copy.storage_id == ARCHIVE
    assert store(ctx, ARCHIVE).contents == {copy.key: (MEDIA, "video/mp2t")}
    assert await places(ctx) == [DISK, ARCHIVE]
    assert await shown(ctx) == [(CopyState.DONE, 19, 19, None)]
    assert (await ctx.metadata.page(Scan(table=DISCARDED_MEDIA))).num_rows == 0


async def test_an_ended_copy_is_shown_for_a_day(ctx: Context, clock: Clock) -> None:
    await uploaded(ctx)
    await copy_instance(ctx, "o0", ARCHIVE)
    await rounds(ctx, clock, 23 * 3600)
    assert len(await shown(ctx)) == 1
    await rounds(ctx, clock, 3600)
    assert await shown(ctx) == []
    assert await places(ctx) == [DISK, ARCHIVE]


async def test_a_copy_is_refused_without_a_trace(ctx: Context, dump: Dump) -> None:
    await video_flow(ctx)
    await recorded(ctx, "[0:0_1:0)")
    elsewhere = [{"url": "https://elsewhere.example/x", "label": "elsewhere"}]
    await registered(ctx, post("x", "[1:0_2:0)", get_urls=elsewhere))
    before = await dump()
    for object_id, storage_id, rule in (
        ("o0", DISK, "instance.exists"),
        ("o0", uuid4(9), "storage_id.unknown"),
        ("o0", ARCHIVE, "instance.no_bytes"),
        ("x", ARCHIVE, "instance.uncontrolled"),
    ):
        with pytest.raises(InvalidInput) as refused:
            await copy_instance(ctx, object_id, storage_id)
        assert only_problem(refused.value) == ("storage_id", rule)
    assert await dump() == before
    assert store(ctx, ARCHIVE).contents == {}


async def test_a_copy_is_an_instance_like_any_other(ctx: Context, dump: Dump) -> None:
    await uploaded(ctx)
    for number in range(15):
        await add_uncontrolled_instance(ctx, "o0", f"https://a.example/{number}", f"m{number}")
    before = await dump()
    with pytest.raises(InvalidInput) as refused:
        await copy_instance(ctx, "o0", ARCHIVE)
    assert only_problem(refused.value) == ("storage_id", "instances.too_many")
    assert await dump() == before


@pytest.mark.parametrize("away", [DISK, ARCHIVE])
async def test_a_backend_that_is_away_is_told_before_anything_begins(
    ctx: Context, dump: Dump, away: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await uploaded(ctx)

    async def fail(*_: object) -> None:
        raise Unavailable("away")

    monkeypatch.setattr(store(ctx, away), "stat" if away == DISK else "check", fail)
    before = await dump()
    with pytest.raises(Unavailable, match="away"):
        await copy_instance(ctx, "o0", ARCHIVE)
    assert await dump() == before


async def test_a_copy_of_an_object_that_goes_meanwhile_is_thrown_away(
    ctx: Context, parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copying, "_TELL_SECONDS", 0.0)

    async def delete() -> None:
        parts.meanwhile = None
        await delete_segments(fresh(ctx), FLOW)

    parts.meanwhile = delete
    with pytest.raises(NotFound):
        await copy_instance(ctx, "o0", ARCHIVE)
    assert (parts.parts, parts.contents, store(ctx, DISK).contents) == ({}, {}, {})
    assert (await ctx.metadata.page(Scan(table=COPIES))).num_rows == 0
    (note,) = (await ctx.metadata.page(Scan(table=DISCARDED_MEDIA))).to_pylist()
    assert note["storage_id"] == ARCHIVE, "bytes that are still on their way are deleted later"


async def test_an_object_of_the_same_name_is_another_one(
    ctx: Context, parts: Parts, clock: Clock
) -> None:
    async def fail() -> None:
        raise Unavailable("cut off")

    parts.meanwhile = fail
    await copy_instance(ctx, "o0", ARCHIVE)
    parts.meanwhile = None
    await delete_segments(fresh(ctx), FLOW)
    await recorded(fresh(ctx), "[0:0_1:0)")
    assert await shown(ctx) == []
    await rounds(ctx, clock)
    assert await places(ctx) == [DISK]
    assert (parts.contents, parts.parts) == ({}, {})


@pytest.mark.parametrize("which", [{"storage_id": ARCHIVE}, {"label": "archive"}])
async def test_a_copy_can_be_cancelled(
    ctx: Context, parts: Parts, clock: Clock, which: dict[str, str]
) -> None:
    async def fail() -> None:
        raise Unavailable("cut off")

    parts.meanwhile = fail
    await copy_instance(ctx, "o0", ARCHIVE)
    answer = await remove_instance(fresh(ctx), "o0", **which)
    assert [one.storage_id for one in answer.instances] == [DISK]
    assert [state for state, *_ in await shown(ctx)] == [CopyState.CANCELLED]
    parts.meanwhile = None
    await rounds(ctx, clock)
    assert await shown(ctx) == []
    assert (parts.contents, parts.parts) == ({}, {})
    assert len(parts.tokens) == 1
    await copy_instance(fresh(ctx), "o0", ARCHIVE)
    assert await places(ctx) == [DISK, ARCHIVE]
