"""Deletions that go on after the answer: what is gone at once, what later, and nothing twice."""

import asyncio
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest

from tams_graphql.metadata.engine import Aggregate, Command, Scan
from tams_graphql.metadata.tables import (
    COPIES,
    DELETE_REQUESTS,
    OBJECTS,
    REFERENCES,
    SEGMENTS,
    Table,
)
from tams_graphql.model.errors import InvalidInput, NotFound
from tams_graphql.model.records import DeletionRequest, DeletionStatus
from tams_graphql.model.vocabulary import DeletionSort
from tams_graphql.resolvers import deletion_jobs
from tams_graphql.resolvers.context import Context
from tams_graphql.resolvers.copies import copy_instance
from tams_graphql.resolvers.deletion_jobs import LEASE_US, STALLED_US, work_on_deletions
from tams_graphql.resolvers.deletions import (
    get_deletion_request,
    list_deletion_requests,
)
from tams_graphql.resolvers.flows import delete_flow, get_flow, put_flow
from tams_graphql.resolvers.objects import (
    add_uncontrolled_instance,
    get_object,
    object_flows,
    remove_instance,
)
from tams_graphql.resolvers.paging import PageRequest
from tams_graphql.resolvers.segment_deletion import delete_segments
from tams_graphql.timeline import NEVER, TimeRange
from tests.resolvers.conftest import ARCHIVE, DISK, fresh, video
from tests.resolvers.segment_stories import (
    FLOW,
    OTHER,
    SOURCE,
    allocated,
    flow_now,
    post,
    recorded,
    registered,
    timeline,
    video_flow,
)

DAY_US = 24 * 3_600_000_000


@pytest.fixture(autouse=True)
def small_batches(ctx: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctx.metadata, "background_rows", 3)
    ctx.service = replace(ctx.service, async_delete_segments=4, deletion_grace=0)


@pytest.fixture
async def long_flow(ctx: Context) -> str:
    """Ten segments of a second, of objects ``o0`` to ``o9``."""
    await video_flow(ctx)
    await recorded(ctx, *(f"[{n}:0_{n + 1}:0)" for n in range(10)))
    return FLOW


async def count(ctx: Context, *tables: Any) -> list[int]:
    return [await ctx.metadata.count(Scan(table=table)) for table in tables]


async def only_request(ctx: Context) -> DeletionRequest:
    (found,) = (await list_deletion_requests(ctx, DeletionSort.CREATED, PageRequest())).items
    return found


async def test_a_long_flow_is_gone_at_once_and_its_rows_later(ctx: Context, long_flow: str) -> None:
    request = await delete_flow(ctx, long_flow)
    assert request is not None
    assert (request.flow_id, request.delete_flow) == (FLOW, True)
    assert (str(request.timerange), request.remaining) == ("[0:0_10:0)", request.timerange)
    assert (request.status, request.created_by) == (DeletionStatus.CREATED, "anonymous")
    with pytest.raises(NotFound):
        await get_flow(fresh(ctx), FLOW)
    assert await timeline(ctx) == []
    with pytest.raises(NotFound):
        await get_object(fresh(ctx), "o3")
    assert await count(ctx, SEGMENTS, REFERENCES, OBJECTS) == [10, 10, 10]
    await work_on_deletions(ctx)
    assert await count(ctx, SEGMENTS, REFERENCES, OBJECTS) == [0, 0, 0]
    done = await get_deletion_request(ctx, request.id)
    assert (done.status, done.remaining, done.deleted_count) == (DeletionStatus.DONE, NEVER, 10)
    assert done.expiry_us == done.updated_us + DAY_US


async def test_a_flow_made_anew_at_once_has_an_empty_timeline_and_keeps_its_own(
    ctx: Context, long_flow: str
) -> None:
    await delete_flow(ctx, long_flow)
    await put_flow(ctx, FLOW, video(FLOW, SOURCE))
    assert await timeline(ctx) == []
    await registered(ctx, post("o3", "[3:0_4:0)"))
    assert (await object_flows(fresh(ctx), "o3", PageRequest())).items == [FLOW]
    await work_on_deletions(ctx)
    assert await timeline(ctx) == [("o3", "[3:0_4:0)")]
    assert await count(ctx, SEGMENTS, REFERENCES, OBJECTS) == [1, 1, 1]
    assert (await flow_now(ctx)).segment_count == 1


async def test_all_segments_of_a_flow_are_gone_at_once(ctx: Context, long_flow: str) -> None:
    before = await flow_now(ctx)
    deletion = await delete_segments(ctx, long_flow)
    assert deletion.count == 10
    assert deletion.request is not None
    assert not deletion.request.delete_flow
    assert await timeline(ctx) == []
    after = await flow_now(ctx)
    assert (after.segment_count, after.covered_ns, after.timerange) == (0, 0, NEVER)
    assert (after.incarnation, after.metadata_version) == (
        before.incarnation,
        before.metadata_version,
    )
    await work_on_deletions(ctx)
    assert await count(ctx, SEGMENTS, REFERENCES, OBJECTS) == [0, 0, 0]


async def test_objects_that_others_use_stay_and_do_not_show_the_flow_that_went(
    ctx: Context, long_flow: str
) -> None:
    await video_flow(ctx, OTHER)
    await registered(ctx, post("o2", "[0:0_1:0)", ts_offset="-2:0"), flow_id=OTHER)
    assert (await object_flows(ctx, "o2", PageRequest())).items == [FLOW, OTHER]
    await delete_flow(ctx, long_flow)
    assert (await object_flows(fresh(ctx), "o2", PageRequest())).items == [OTHER]
    await work_on_deletions(ctx)
    assert (await get_object(fresh(ctx), "o2")).id == "o2"
    assert await count(ctx, SEGMENTS, REFERENCES, OBJECTS) == [1, 1, 1]


async def test_a_part_goes_little_by_little_and_says_what_remains(
    ctx: Context, long_flow: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    within = TimeRange.parse("[0:1_9:0)")
    deletion = await delete_segments(ctx, long_flow, timerange=within)
    assert deletion.count == 0
    assert len(await timeline(ctx)) == 10
    seen: list[tuple[str, list[str], int]] = []

    async def look(_: float) -> None:
        # Between two batches: what clients see, and one of them takes a place that is free.
        request = await only_request(fresh(ctx))
        flow = await flow_now(ctx)
        seen.append(
            (str(request.remaining), [o for o, _ in await timeline(ctx)], flow.segment_count)
        )
        if len(seen) == 1:
            await allocated(ctx, "new")
            await registered(ctx, post("new", "[1:0_2:0)"))

    monkeypatch.setattr(deletion_jobs, "give_way", look)
    await work_on_deletions(ctx)
    assert seen == [
        ("[3:0_9:0)", ["o0", *(f"o{n}" for n in range(3, 10))], 8),
        ("[6:0_9:0)", ["o0", "new", *(f"o{n}" for n in range(6, 10))], 6),
        ("[9:0_9:0)", ["o0", "new", "o9"], 3),
    ]
    assert await timeline(ctx) == [
        ("o0", "[0:0_1:0)"),
        ("new", "[1:0_2:0)"),
        ("o9", "[9:0_10:0)"),
    ]
    flow = await flow_now(ctx)
    assert (flow.segment_count, flow.covered_ns) == (3, 3 * 10**9)
    request = await only_request(fresh(ctx))
    assert (request.status, request.deleted_count) == (DeletionStatus.DONE, 8)


async def test_segments_of_one_object_go_and_others_stay(ctx: Context) -> None:
    await video_flow(ctx)
    await recorded(ctx, "[100:0_101:0)")
    await allocated(ctx, "many")
    pieces = (post("many", f"[{n}:0_{n + 1}:0)", ts_offset=f"{n}:0") for n in range(9))
    await registered(ctx, *pieces)
    deletion = await delete_segments(ctx, FLOW, object_id="many")
    assert deletion.request is not None
    assert str(deletion.request.timerange) == "[0:0_101:0)"
    await work_on_deletions(ctx)
    assert await timeline(ctx) == [("o0", "[100:0_101:0)")]
    assert await count(ctx, REFERENCES, OBJECTS) == [1, 1]


async def test_a_flow_that_goes_during_its_deletion_leaves_nothing(
    ctx: Context, long_flow: str
) -> None:
    await delete_segments(ctx, long_flow, timerange=TimeRange.parse("[0:0_8:0)"))
    await delete_flow(ctx, long_flow)
    await work_on_deletions(ctx)
    assert await count(ctx, SEGMENTS, REFERENCES, OBJECTS) == [0, 0, 0]
    found = (await list_deletion_requests(ctx, DeletionSort.CREATED, PageRequest())).items
    assert {one.status for one in found} == {DeletionStatus.DONE}


class Killed(BaseException):
    """The process ends here."""


@pytest.mark.parametrize("commits", range(1, 5))
async def test_whoever_comes_after_a_crash_goes_on(
    ctx: Context, long_flow: str, monkeypatch: pytest.MonkeyPatch, commits: int
) -> None:
    request = await delete_flow(ctx, long_flow)
    assert request is not None
    left = commits
    commit = ctx.metadata.commit

    async def dying(command: Command[Any], relies_on: Iterable[Aggregate], **how: bool) -> Any:
        nonlocal left
        if left == 0:
            raise Killed
        left -= 1
        return await commit(command, relies_on, **how)

    with monkeypatch.context() as until_then:
        until_then.setattr(ctx.metadata, "commit", dying)
        with pytest.raises(Killed):
            await work_on_deletions(ctx)
    kept = 10 - min(10, 3 * (commits - 1))
    assert await count(ctx, SEGMENTS, REFERENCES, OBJECTS) == [kept] * 3
    await work_on_deletions(fresh(ctx))
    assert await count(ctx, SEGMENTS) == [kept]
    later = fresh(ctx)
    moment = ctx.clock() + LEASE_US + 1_000_000
    later.clock = lambda: moment
    await work_on_deletions(later)
    assert await count(ctx, SEGMENTS, REFERENCES, OBJECTS) == [0, 0, 0]
    done = await get_deletion_request(ctx, request.id)
    assert (done.status, done.deleted_count) == (DeletionStatus.DONE, 10)


async def test_two_workers_do_not_do_it_twice(ctx: Context, long_flow: str) -> None:
    await delete_flow(ctx, long_flow)
    await asyncio.gather(*(work_on_deletions(fresh(ctx)) for _ in range(3)))
    assert await count(ctx, SEGMENTS, REFERENCES, OBJECTS) == [0, 0, 0]
    assert (await only_request(ctx)).deleted_count == 10


async def test_zero_means_that_no_deletion_is_waited_for(ctx: Context) -> None:
    ctx.service = replace(ctx.service, async_delete_segments=0)
    await video_flow(ctx)
    await recorded(ctx, "[0:0_1:0)")
    assert (await delete_segments(ctx, FLOW)).request is not None
    assert await delete_flow(ctx, FLOW) is not None


async def test_requests_are_listed_and_go_when_they_expire(ctx: Context, long_flow: str) -> None:
    first = await delete_flow(ctx, long_flow)
    await video_flow(ctx, OTHER)
    ctx.service = replace(ctx.service, async_delete_segments=0)
    second = await delete_flow(ctx, OTHER)
    assert first is not None
    assert second is not None
    for sort in DeletionSort:
        page = await list_deletion_requests(ctx, sort, PageRequest(limit=1))
        assert (page.items, page.has_more) == ([second], True)
        rest = await list_deletion_requests(ctx, sort, PageRequest(after=page.next_cursor))
        assert rest.items == [first]
    await work_on_deletions(ctx)
    later = fresh(ctx)
    moment = ctx.clock() + 2 * DAY_US
    later.clock = lambda: moment
    await work_on_deletions(later)
    assert await count(ctx, DELETE_REQUESTS) == [0]
    for request_id in (first.id, "none", "\ud800"):
        with pytest.raises(NotFound):
            await get_deletion_request(ctx, request_id)


async def test_who_had_just_asked_for_the_timeline_still_finds_it_whole(
    ctx: Context, long_flow: str
) -> None:
    ctx.service = replace(ctx.service, deletion_grace=3600)
    await delete_flow(ctx, long_flow)
    await work_on_deletions(ctx)
    assert await count(ctx, SEGMENTS, REFERENCES, OBJECTS) == [10, 10, 10]
    later = fresh(ctx)
    moment = ctx.clock() + 3600 * 1_000_000
    later.clock = lambda: moment
    await work_on_deletions(later)
    assert await count(ctx, SEGMENTS, REFERENCES, OBJECTS) == [0, 0, 0]


async def test_an_object_that_only_a_timeline_keeps_that_went_takes_no_instances(
    ctx: Context, long_flow: str
) -> None:
    await video_flow(ctx, OTHER)
    await registered(ctx, post("o2", "[0:0_1:0)", ts_offset="-2:0"), flow_id=OTHER)
    await delete_flow(ctx, long_flow)
    before = await rows_of(ctx, OBJECTS, "o3")
    for refused in (
        add_uncontrolled_instance(fresh(ctx), "o3", "https://there.example/o3", "there"),
        remove_instance(fresh(ctx), "o3", storage_id=DISK),
        copy_instance(fresh(ctx), "o3", ARCHIVE),
    ):
        with pytest.raises(NotFound):
            await refused
    assert await rows_of(ctx, OBJECTS, "o3") == before
    assert await count(ctx, COPIES) == [0]
    kept = await add_uncontrolled_instance(fresh(ctx), "o2", "https://there.example/o2", "there")
    assert [one.label for one in kept.instances] == [None, "there"]


async def rows_of(ctx: Context, table: Table, key: str) -> list[Any]:
    return (await ctx.metadata.get(table, [(key,)])).to_pylist()


async def test_a_deletion_that_keeps_failing_says_so_and_others_get_their_turn(
    ctx: Context, long_flow: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = await delete_flow(ctx, long_flow)
    await video_flow(ctx, OTHER)
    ctx.service = replace(ctx.service, async_delete_segments=0)
    fine = await delete_flow(ctx, OTHER)
    assert broken is not None
    assert fine is not None
    refusal = InvalidInput("object_id", "odd", "this object is odd")

    def refuse(*_: object) -> None:
        raise refusal

    told = []
    now = ctx.clock()
    later = fresh(ctx)
    later.clock = lambda: now
    with monkeypatch.context() as until_then:
        until_then.setattr(deletion_jobs, "remove_segments", refuse)
        for rest in (0, 2, 4, 8, 16):
            now += (rest - 1) * 1_000_000
            await work_on_deletions(later)  # it still rests
            now += 1_000_000
            await work_on_deletions(later)
            request = await get_deletion_request(later, broken.id)
            assert request.error is not None
            told.append((request.status.value, request.error.type, request.error.tries))
    assert told == [
        ("started", "INVALID_INPUT", 1),
        ("started", "INVALID_INPUT", 2),
        ("started", "INVALID_INPUT", 3),
        ("started", "INVALID_INPUT", 4),
        ("error", "INVALID_INPUT", 5),
    ]
    assert (await get_deletion_request(later, fine.id)).status is DeletionStatus.DONE
    with pytest.raises(NotFound):
        await get_object(fresh(ctx), "o3")
    now += STALLED_US
    await work_on_deletions(later)
    done = await get_deletion_request(later, broken.id)
    assert (done.status, done.error, done.deleted_count) == (DeletionStatus.DONE, None, 10)


async def test_for_how_long_a_request_that_ended_is_kept_is_the_operators_choice(
    ctx: Context, long_flow: str
) -> None:
    ctx.service = replace(ctx.service, delete_request_retention=100)
    request = await delete_flow(ctx, long_flow)
    assert request is not None
    assert request.expiry_us == request.created_us + 100_000_000
    await work_on_deletions(ctx)
    done = await get_deletion_request(ctx, request.id)
    assert done.expiry_us == done.updated_us + 100_000_000
    later = fresh(ctx)
    for moment, left in ((done.expiry_us - 1, 1), (done.expiry_us, 0)):
        later.clock = lambda at=moment: at  # type: ignore[misc]
        await work_on_deletions(later)
        assert await count(ctx, DELETE_REQUESTS) == [left]
