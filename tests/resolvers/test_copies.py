"""Copies between backends: refused, made, joined, resumed, taken over, cancelled, given up."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from typing import Any, cast

import pytest

from tams_graphql.media.store import CopyOrder, CopyProgress
from tams_graphql.metadata.engine import Scan
from tams_graphql.metadata.tables import COPIES, DISCARDED_MEDIA
from tams_graphql.model.errors import InvalidInput, NotFound, Unavailable
from tams_graphql.model.records import CopyState
from tams_graphql.resolvers import copies, copying
from tams_graphql.resolvers.context import Context
from tams_graphql.resolvers.copies import copy_instance, object_copies, resume_copies
from tams_graphql.resolvers.instances import parse_instances
from tams_graphql.resolvers.objects import (
    add_uncontrolled_instance,
    get_object,
    remove_instance,
)
from tams_graphql.resolvers.paging import PageRequest
from tams_graphql.resolvers.segments import delete_segments, list_segments
from tests.resolvers.conftest import ARCHIVE, DISK, Clock, fresh, uuid4
from tests.resolvers.memory_store import MemoryStore
from tests.resolvers.segment_stories import (
    FLOW,
    only_problem,
    post,
    recorded,
    registered,
    video_flow,
)

Dump = Callable[[], Any]
MEDIA = b"media of many parts"


class Parts(MemoryStore):
    """A backend that copies ten bytes at a time, and does `meanwhile` after each."""

    def __init__(self, store: MemoryStore) -> None:
        super().__init__(store.backend)
        self.parts: dict[str, bytes] = {}
        self.tokens: list[str | None] = []
        self.meanwhile: Callable[[], Any] | None = None

    async def copy(
        self, order: CopyOrder, token: str | None = None
    ) -> AsyncGenerator[CopyProgress, None]:
        self.tokens.append(token)
        told = token or f"upload {len(self.tokens)}"
        held = self.parts.setdefault(told, b"")
        yield CopyProgress(len(held), told)
        while len(self.parts[told]) < order.size:
            start = len(self.parts[told])
            rest = b"".join([one async for one in order.source.read(order.source_key, start)])
            self.parts[told] += rest[:10]
            if self.meanwhile is not None:
                await self.meanwhile()
            yield CopyProgress(len(self.parts[told]), told)
        self.contents[order.key] = (self.parts.pop(told), order.content_type)

    async def abandon(self, key: str, token: str) -> None:
        await super().abandon(key, token)
        self.parts.pop(token, None)


def store(ctx: Context, storage_id: str) -> MemoryStore:
    return cast("MemoryStore", ctx.stores.by_id[storage_id])


def replace(ctx: Context, other: MemoryStore) -> None:
    cast("dict[str, Any]", ctx.stores.by_id)[other.backend.id] = other


async def uploaded(ctx: Context, content: bytes = MEDIA) -> str:
    """A registered object ``o0`` whose bytes are on the disk, under the key returned."""
    await video_flow(ctx)
    await recorded(ctx, "[0:0_1:0)")
    key = str((await get_object(fresh(ctx), "o0")).instances[0].key)
    store(ctx, DISK).contents[key] = (content, "video/mp2t")
    return key


@pytest.fixture
async def parts(ctx: Context) -> Parts:
    """The archive, copying part by part; ``o0`` waits on the disk."""
    await uploaded(ctx)
    archive = Parts(store(ctx, ARCHIVE))
    replace(ctx, archive)
    return archive


async def shown(ctx: Context) -> list[tuple[CopyState, int, int, str | None]]:
    """What a client sees of the copies of ``o0``."""
    ctx = fresh(ctx)
    found = await object_copies(ctx, await get_object(ctx, "o0"))
    assert {one.storage_id for one in found} <= {ARCHIVE}
    return [(one.state, one.bytes_done, one.bytes_total, one.error) for one in found]


async def places(ctx: Context) -> list[str | None]:
    """The backends that ``o0`` is advertised in, by itself and by its segment."""
    found = [one.storage_id for one in (await get_object(fresh(ctx), "o0")).instances]
    page = await list_segments(fresh(ctx), FLOW, PageRequest())
    (text,) = page.columns["instances_json"].to_pylist()
    assert [one.storage_id for one in parse_instances(text)] == found
    return found


async def rounds(ctx: Context, clock: Clock, seconds: int = 60) -> None:
    """What the background does once that time has passed."""
    clock.now_us += seconds * 1_000_000
    work = fresh(ctx)
    await resume_copies(work)
    while work.background._tasks:
        await asyncio.gather(*work.background._tasks)


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


async def test_a_copy_goes_on_after_the_answer_and_is_joined_by_the_same_request(
    ctx: Context, parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = asyncio.Event()
    parts.meanwhile = held.wait
    monkeypatch.setattr(copies, "PATIENCE_SECONDS", 0.05)
    answer = await copy_instance(ctx, "o0", ARCHIVE)
    assert [one.storage_id for one in answer.instances] == [DISK]
    assert await shown(ctx) == [(CopyState.RUNNING, 0, 19, None)]
    again = await copy_instance(fresh(ctx), "o0", ARCHIVE)
    assert again == answer
    await resume_copies(ctx)
    held.set()
    await asyncio.gather(*ctx.background._tasks)
    assert await shown(ctx) == [(CopyState.DONE, 19, 19, None)]
    assert await places(ctx) == [DISK, ARCHIVE]
    assert len(parts.tokens) == 1


async def test_a_copy_goes_on_where_a_dead_process_stopped(
    ctx: Context, parts: Parts, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copying, "_TELL_SECONDS", 0.0)
    monkeypatch.setattr(copies, "PATIENCE_SECONDS", 0.05)
    parts.meanwhile = asyncio.Event().wait
    await copy_instance(ctx, "o0", ARCHIVE)
    await ctx.background.close()
    assert await shown(ctx) == [(CopyState.RUNNING, 0, 19, None)]
    assert parts.parts == {"upload 1": MEDIA[:10]}
    parts.meanwhile = None
    await rounds(ctx, clock, 0)
    assert parts.tokens == [None], "its owner may still be alive"
    await rounds(ctx, clock, 10)
    assert parts.tokens == [None, "upload 1"]
    assert [content for content, _ in parts.contents.values()] == [MEDIA]
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


async def test_a_store_that_fails_delays_a_copy(ctx: Context, parts: Parts, clock: Clock) -> None:
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
    await rounds(ctx, clock, 3)
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
    held = asyncio.Event()
    parts.meanwhile = held.wait
    await asyncio.gather(*(copy_instance(ctx, name, ARCHIVE) for name in names))
    await resume_copies(ctx)
    assert len(parts.tokens) == 4
    held.set()
    await asyncio.gather(*ctx.background._tasks)
    await rounds(ctx, clock, 0)
    assert len(parts.contents) == 6
    for name in names:
        assert len((await get_object(fresh(ctx), name)).instances) == 2
