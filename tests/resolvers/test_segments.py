"""Registering, listing, counting and deleting segments: what is stored and what comes back."""

import asyncio
from typing import Any

import pytest

from tams_graphql.metadata.engine import Key, Scan
from tams_graphql.metadata.tables import SEGMENTS
from tams_graphql.model.errors import InvalidInput, NotFound
from tams_graphql.resolvers.context import Context
from tams_graphql.resolvers.instances import parse_instances
from tams_graphql.resolvers.paging import PageRequest
from tams_graphql.resolvers.segments import (
    READ_AT_ONCE,
    count_segments,
    list_segments,
    register_segments,
)
from tams_graphql.timeline import NEVER, TimeRange
from tests.resolvers.conftest import DISK, fresh, uuid4
from tests.resolvers.segment_stories import (
    FLOW,
    OTHER,
    allocated,
    flow_now,
    fmp4_flow,
    post,
    recorded,
    registered,
    timeline,
    told,
    video_flow,
)


async def test_a_segment_carries_all_that_a_read_needs(ctx: Context) -> None:
    await video_flow(ctx)
    await allocated(ctx, "o")
    registration = await registered(
        ctx,
        post(
            "o",
            "[10:0_11:0]",
            ts_offset="9:500000000",
            object_timerange="[0:0_5:0)",
            last_duration="0:40000000",
            sample_offset=12,
            sample_count=25,
            key_frame_count=2,
            get_urls=[{"url": "https://mirror.example/o", "label": "mirror"}],
        ),
    )
    (row,) = registration.registered.to_pylist()
    page = await list_segments(ctx, FLOW, PageRequest())
    assert page.columns.to_pylist() == [row]
    assert page.columns.schema == SEGMENTS.schema
    controlled, mirror = parse_instances(row.pop("instances_json"))
    assert (controlled.storage_id, mirror.url) == (DISK, "https://mirror.example/o")
    assert row.pop("incarnation") == (await flow_now(ctx)).incarnation
    assert row.pop("timeline_id") == (await flow_now(ctx)).timeline_id
    assert row.pop("created_us") > 0
    assert row == {
        "flow_id": FLOW,
        "object_id": "o",
        "init_object_id": None,
        "init_instances_json": None,
        "start_ns": 10_000_000_000,
        "end_ns": 11_000_000_001,
        "bounds": 2,
        "ts_offset_ns": 9_500_000_000,
        "last_duration_ns": 40_000_000,
        "sample_offset": 12,
        "sample_count": 25,
        "key_frame_count": 2,
        "object_start_ns": 0,
        "object_end_ns": 5_000_000_000,
        "object_bounds": 0,
    }


async def test_the_rollup_follows_every_registration(ctx: Context) -> None:
    await video_flow(ctx)
    assert (await flow_now(ctx)).timerange == NEVER
    await recorded(ctx, "[5:0_6:0)", "[8:0_9:0]")
    flow = await flow_now(ctx)
    assert (flow.segment_count, flow.covered_ns) == (2, 2_000_000_001)
    assert str(flow.timerange) == "[5:0_9:0]"
    first_update = flow.segments_updated_us
    await recorded(ctx, "[-1:0_0:0)", "[9:1_10:0)", prefix="p")
    flow = await flow_now(ctx)
    assert (flow.segment_count, flow.covered_ns) == (4, 4_000_000_000)
    assert str(flow.timerange) == "[-1:0_10:0)"
    assert first_update is not None
    assert flow.segments_updated_us is not None
    assert flow.segments_updated_us > first_update


async def test_an_instant_follows_an_exclusive_end(ctx: Context) -> None:
    await video_flow(ctx)
    await recorded(ctx, "[2:0]", "[1:0_2:0)")
    assert await timeline(ctx) == [("o1", "[1:0_2:0)"), ("o0", "[2:0]")]


async def test_pages_go_both_ways(ctx: Context) -> None:
    await video_flow(ctx)
    await recorded(ctx, *(f"[{n}:0_{n + 1}:0)" for n in range(5)))
    for reverse, wanted in ((False, list("01234")), (True, list("43210"))):
        seen: list[str] = []
        request = PageRequest(limit=2, reverse=reverse)
        for size in (2, 2, 1):
            page = await list_segments(fresh(ctx), FLOW, request)
            assert page.columns.num_rows == size
            seen += [name[1:] for name, _ in told(page.columns)]
            request = PageRequest(limit=2, reverse=reverse, after=page.next_cursor)
        assert seen == wanted
        assert page.next_cursor is None


@pytest.mark.parametrize(
    ("timerange", "objects"),
    [
        ("_", ["o0", "o1", "o2"]),
        ("[1:0_2:0)", ["o0"]),
        ("[1:0_2:0]", ["o0", "o1"]),
        ("[2:500000000]", ["o1"]),
        ("_4:0)", ["o0", "o1"]),
        ("[4:0_", ["o2"]),
        ("[3:0_4:0)", []),
        ("()", []),
        ("[9:0_99:0)", []),
        ("[9223372036:854775807]", []),
        ("[0:0_9223372036:854775807]", ["o0", "o1", "o2"]),
    ],
)
async def test_a_timerange_finds_what_overlaps_it(
    ctx: Context, timerange: str, objects: list[str]
) -> None:
    await video_flow(ctx)
    await recorded(ctx, "[0:0_2:0)", "[2:0_3:0)", "[4:0_5:0)")
    wanted = TimeRange.parse(timerange, clamp=True)
    page = await list_segments(ctx, FLOW, PageRequest(), timerange=wanted)
    assert [name for name, _ in told(page.columns)] == objects
    assert await count_segments(ctx, FLOW, wanted) == len(objects)
    page = await list_segments(ctx, FLOW, PageRequest(), timerange=wanted, object_id="o0")
    assert [name for name, _ in told(page.columns)] == [one for one in objects if one == "o0"]


async def test_an_object_filter_meets_timerange_and_paging(ctx: Context) -> None:
    await video_flow(ctx)
    await recorded(ctx, "[0:0_1:0)", "[1:0_2:0)")
    again = [post("o0", f"[{n}:0_{n + 1}:0)", ts_offset=f"{n}:0") for n in (4, 6, 8)]
    await registered(ctx, *again)
    page = await list_segments(ctx, FLOW, PageRequest(limit=2, reverse=True), object_id="o0")
    assert told(page.columns) == [("o0", "[8:0_9:0)"), ("o0", "[6:0_7:0)")]
    request = PageRequest(limit=2, reverse=True, after=page.next_cursor)
    within = TimeRange.parse("[4:0_7:0)")
    page = await list_segments(ctx, FLOW, request, object_id="o0", timerange=within)
    assert told(page.columns) == [("o0", "[4:0_5:0)")]
    assert (await list_segments(ctx, FLOW, PageRequest(), object_id="none")).columns.num_rows == 0


async def test_an_unknown_flow_has_no_segments(ctx: Context) -> None:
    page = await list_segments(ctx, OTHER, PageRequest())
    assert (page.columns.num_rows, page.has_more) == (0, False)
    assert await count_segments(ctx, OTHER) == 0


async def test_a_malformed_flow_id_is_not_found(ctx: Context) -> None:
    for flow_id in ("", "x", "\ud800", FLOW.upper().replace("0", "A")):
        with pytest.raises(NotFound):
            await list_segments(ctx, flow_id, PageRequest())
        with pytest.raises(NotFound):
            await count_segments(ctx, flow_id)
    with pytest.raises(InvalidInput):
        await list_segments(ctx, FLOW, PageRequest(), object_id="\ud800")


async def test_a_foreign_cursor_is_refused(ctx: Context) -> None:
    with pytest.raises(InvalidInput):
        await list_segments(ctx, FLOW, PageRequest(after="bm9uc2Vuc2U"))


async def test_the_count_comes_from_the_rollup(ctx: Context) -> None:
    await video_flow(ctx)
    await recorded(ctx, "[0:0_1:0)", "[1:0_2:0)")
    assert await count_segments(ctx, FLOW) == 2


async def test_many_flows_share_one_read(ctx: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    await video_flow(ctx)
    await video_flow(ctx, OTHER)
    await recorded(ctx, "[0:0_1:0)", "[1:0_2:0)")
    await recorded(ctx, "[7:0_8:0)", flow_id=OTHER, prefix="p")
    reads: list[list[Key]] = []
    read = ctx.metadata.first_per_key

    async def counted(scan: Scan, prefixes: Any) -> Any:
        reads.append(list(prefixes))
        return await read(scan, prefixes)

    monkeypatch.setattr(type(ctx.metadata), "first_per_key", lambda _, *args: counted(*args))
    ids = [OTHER, uuid4(3), FLOW]
    pages = await asyncio.gather(*(list_segments(ctx, one, PageRequest(limit=5)) for one in ids))
    assert [[name for name, _ in told(page.columns)] for page in pages] == [
        ["p0"],
        [],
        ["o0", "o1"],
    ]
    timelines = [(await flow_now(ctx, one)).timeline_id for one in (OTHER, FLOW)]
    assert reads == [[(one,) for one in timelines]]


async def test_only_the_columns_asked_for_are_read_and_the_key(ctx: Context) -> None:
    await video_flow(ctx)
    await recorded(ctx, "[0:0_1:0)", "[1:0_2:0)")
    whole, narrow, none, beyond = await asyncio.gather(
        list_segments(ctx, FLOW, PageRequest(limit=1)),
        list_segments(ctx, FLOW, PageRequest(limit=1), columns=["end_ns", "object_id"]),
        list_segments(ctx, FLOW, PageRequest(limit=1), columns=()),
        list_segments(ctx, FLOW, PageRequest(limit=1), columns=["end_ns"], timerange=NEVER),
    )
    assert whole.columns.schema == SEGMENTS.schema
    assert narrow.columns == whole.columns.select(["flow_id", "object_id", "start_ns", "end_ns"])
    assert none.columns == whole.columns.select(["flow_id", "start_ns"])
    assert beyond.columns.column_names == ["flow_id", "start_ns", "end_ns"]
    assert narrow.next_cursor == none.next_cursor == whole.next_cursor is not None


async def test_the_same_segment_again_changes_nothing(ctx: Context, dump: Any) -> None:
    await fmp4_flow(ctx)
    await allocated(ctx, "init", "o")
    full = post(
        "o",
        "[0:0_1:0)",
        ts_offset="0:0",
        init_object_id="init",
        key_frame_count=1,
        object_timerange="[0:0_1:0)",
        get_urls=[{"url": "https://mirror.example/o", "label": "mirror"}],
    )
    first = await registered(ctx, full)
    before = await dump()
    again = await registered(ctx, full, post("o", "[0:0_0:999999999]"))
    assert again.registered.to_pylist() == first.registered.to_pylist() * 2
    assert await dump() == before


async def test_twice_in_one_request_is_stored_once(ctx: Context) -> None:
    await video_flow(ctx)
    await allocated(ctx, "o")
    registration = await registered(ctx, post("o", "[0:0_1:0)"), post("o", "[0:0_1:0)"))
    assert registration.registered.num_rows == 2
    assert await timeline(ctx) == [("o", "[0:0_1:0)")]
    assert (await flow_now(ctx)).segment_count == 1


async def test_init_objects_come_along(ctx: Context) -> None:
    await fmp4_flow(ctx)
    await fmp4_flow(ctx, OTHER)
    await allocated(ctx, "init", "o", "p")
    await registered(
        ctx,
        post("o", "[0:0_1:0)", init_object_id="init"),
        post("p", "[1:0_2:0)", init_object_id="init"),
    )
    await registered(ctx, post("o", "[0:0_1:0)"), flow_id=OTHER)
    page = await list_segments(ctx, OTHER, PageRequest())
    (row,) = page.columns.to_pylist()
    assert row["init_object_id"] == "init"
    (instance,) = parse_instances(row["init_instances_json"])
    assert instance.storage_id == DISK


async def test_new_urls_reach_every_segment_of_the_object(ctx: Context) -> None:
    await video_flow(ctx)
    await video_flow(ctx, OTHER)
    await recorded(ctx, "[0:0_1:0)")
    mirror = [{"url": "https://mirror.example/o0", "label": "mirror"}]
    await registered(ctx, post("o0", "[0:0_1:0)", get_urls=mirror), flow_id=OTHER)
    for flow_id in (FLOW, OTHER):
        page = await list_segments(fresh(ctx), flow_id, PageRequest())
        (row,) = page.columns.to_pylist()
        assert [one.label for one in parse_instances(row["instances_json"])] == [None, "mirror"]


async def test_external_media_needs_no_allocation(ctx: Context) -> None:
    await video_flow(ctx)
    urls = [{"url": "http://elsewhere.example/x", "label": "elsewhere"}]
    await registered(ctx, post("x", "[0:0_1:0)", get_urls=urls))
    await registered(ctx, post("x", "[1:0_2:0)", ts_offset="1:0"))
    assert await timeline(ctx) == [("x", "[0:0_1:0)"), ("x", "[1:0_2:0)")]


async def test_a_full_request_lets_others_have_a_turn_while_it_is_read(ctx: Context) -> None:
    turns, seen = 0, []

    class Watched(list[Any]):
        def __getitem__(self, at: Any) -> Any:
            if isinstance(at, slice):
                seen.append(turns)
            return super().__getitem__(at)

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    await video_flow(ctx)
    beside = asyncio.create_task(others())
    registration = await register_segments(ctx, FLOW, Watched([{}] * 5000))
    beside.cancel()
    assert len(registration.failed) == 5000
    assert len(seen) == 5000 // READ_AT_ONCE
    assert seen == sorted(set(seen))
