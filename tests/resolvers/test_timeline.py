"""Coverage and gaps of a flow, and new flows made of pieces of others."""

from collections.abc import Callable
from typing import Any

import pytest

from tams_graphql.metadata.engine import Scan
from tams_graphql.metadata.tables import REFERENCES
from tams_graphql.model.errors import InvalidInput, MediaStoreError, NotFound, TooLarge
from tams_graphql.resolvers import composition
from tams_graphql.resolvers import timeline as resolvers
from tams_graphql.resolvers.context import Context
from tams_graphql.resolvers.objects import get_object
from tams_graphql.resolvers.paging import PageRequest
from tams_graphql.resolvers.segment_deletion import delete_segments
from tams_graphql.resolvers.segments import list_segments
from tams_graphql.resolvers.timeline import Clip, compose_flow, coverage, gaps
from tams_graphql.timeline import NANOSECONDS, TimeRange, format_timerange
from tests.resolvers.conftest import fresh, uuid4, video
from tests.resolvers.segment_stories import (
    FLOW,
    OTHER,
    SOURCE,
    allocated,
    flow_now,
    fmp4_flow,
    post,
    recorded,
    registered,
    timeline,
    video_flow,
)

NEW = uuid4(50)
PIECES = ("[0:0_1:0)", "[1:0_2:0)", "[3:0_4:0)", "[4:500000000_5:0)", "[9:0_10:0)")


@pytest.fixture(params=[1, 2, 10_000])
def small_pages(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resolvers, "_FIRST_PAGE", request.param)
    monkeypatch.setattr(resolvers, "_PAGE", request.param)


def _window(timerange: str | None) -> TimeRange | None:
    return None if timerange is None else TimeRange.parse(timerange)


@pytest.mark.usefixtures("small_pages")
@pytest.mark.parametrize(
    ("window", "bridged_s", "limit", "found"),
    [
        (None, 0.0, 9, ["[0:0_2:0)", "[3:0_4:0)", "[4:500000000_5:0)", "[9:0_10:0)"]),
        (None, 0.6, 9, ["[0:0_2:0)", "[3:0_5:0)", "[9:0_10:0)"]),
        (None, 1.1, 1, ["[0:0_5:0)"]),
        (None, 99.0, 9, ["[0:0_10:0)"]),
        ("[1:500000000_4:700000000)", 0.6, 9, ["[1:500000000_2:0)", "[3:0_4:700000000)"]),
        ("[9:500000000_", 0.0, 9, ["[9:500000000_10:0)"]),
        ("[5:0_9:0)", 0.0, 9, []),
        ("()", 0.0, 9, []),
        (None, 0.0, 2, ["[0:0_2:0)", "[3:0_4:0)"]),
    ],
)
async def test_coverage(
    ctx: Context, window: str | None, bridged_s: float, limit: int, found: list[str]
) -> None:
    await video_flow(ctx)
    await recorded(ctx, *PIECES)
    bridged = int(bridged_s * NANOSECONDS)
    runs = await coverage(ctx, FLOW, _window(window), bridged, limit)
    assert [str(one) for one in runs] == found


@pytest.mark.usefixtures("small_pages")
@pytest.mark.parametrize(
    ("window", "shortest_s", "limit", "found"),
    [
        (None, 0.0, 9, ["[2:0_3:0)", "[4:0_4:500000000)", "[5:0_9:0)"]),
        (None, 0.6, 9, ["[2:0_3:0)", "[5:0_9:0)"]),
        (None, 0.0, 1, ["[2:0_3:0)"]),
        (None, 0.0, 3, ["[2:0_3:0)", "[4:0_4:500000000)", "[5:0_9:0)"]),
        ("[-5:0_2:0)", 0.0, 9, ["[-5:0_0:0)"]),
        ("[8:0_12:0)", 0.0, 9, ["[8:0_9:0)", "[10:0_12:0)"]),
        ("[8:500000000_12:0)", 0.6, 9, ["[10:0_12:0)"]),
        ("[6:0_7:0)", 0.0, 9, ["[6:0_7:0)"]),
        ("[4:0_", 0.0, 9, ["[4:0_4:500000000)", "[5:0_9:0)"]),
        ("_-1:0)", 0.0, 9, []),
        ("()", 0.0, 9, []),
    ],
)
async def test_gaps(
    ctx: Context, window: str | None, shortest_s: float, limit: int, found: list[str]
) -> None:
    await video_flow(ctx)
    await recorded(ctx, *PIECES)
    shortest = int(shortest_s * NANOSECONDS)
    holes = await gaps(ctx, FLOW, _window(window), shortest, limit)
    assert [str(one) for one in holes] == found


async def test_a_flow_without_content(ctx: Context) -> None:
    await video_flow(ctx)
    assert await coverage(ctx, FLOW, None, 0, 9) == []
    assert await gaps(ctx, FLOW, None, 0, 9) == []
    window = TimeRange.parse("[0:0_1:0)")
    assert await gaps(ctx, FLOW, window, 0, 9) == [window]


def clip(timerange: str, flow_id: str = FLOW) -> Clip:
    return Clip(flow_id, TimeRange.parse(timerange))


async def test_a_composition_plays_its_clips_one_after_the_other(ctx: Context) -> None:
    await video_flow(ctx)
    await video_flow(ctx, OTHER)
    await allocated(ctx, "a", "b")
    await registered(
        ctx,
        post("a", "[10:0_12:0)", ts_offset="10:0", last_duration="0:40000000", sample_count=50),
        post("b", "[12:0_14:0]", ts_offset="12:0", last_duration="0:40000000"),
    )
    await recorded(ctx, "[0:0_5:0)", flow_id=OTHER, prefix="c")
    clips = [clip("[11:0_14:0]"), clip("[2:0_3:0)", OTHER), clip("[10:0_12:0)")]
    flow = await compose_flow(ctx, NEW, video(NEW, SOURCE), clips, 100 * NANOSECONDS)
    page = await list_segments(ctx, NEW, PageRequest())
    columns = ("start_ns", "end_ns", "bounds")
    rows = page.columns.to_pylist()
    assert [
        (
            row["object_id"],
            format_timerange(*(row[name] for name in columns)),
            row["ts_offset_ns"],
            row["last_duration_ns"],
            row["sample_count"],
            row["object_end_ns"],
        )
        for row in rows
    ] == [
        ("a", "[100:0_101:0)", 99 * NANOSECONDS, None, None, 2 * NANOSECONDS),
        ("b", "[101:0_103:0]", 101 * NANOSECONDS, 40_000_000, None, 2 * NANOSECONDS + 1),
        ("c0", "[103:1_104:1)", 101 * NANOSECONDS + 1, None, None, 5 * NANOSECONDS),
        ("a", "[104:1_106:1)", 104 * NANOSECONDS + 1, 40_000_000, 50, 2 * NANOSECONDS),
    ]
    assert {row["incarnation"] for row in rows} == {flow.incarnation}
    assert all(row["instances_json"] for row in rows)
    assert flow == await flow_now(ctx, NEW)
    assert (flow.segment_count, str(flow.timerange)) == (4, "[100:0_106:1)")
    assert flow.covered_ns == 6 * NANOSECONDS + 1


async def test_a_composition_has_an_upper_limit(
    ctx: Context, dump: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(composition, "MAX_COMPOSED_SEGMENTS", 4)
    await video_flow(ctx)
    await recorded(ctx, *PIECES)
    before = await dump()
    with pytest.raises(TooLarge):
        await compose_flow(ctx, NEW, video(NEW, SOURCE), [clip("[0:0_10:0)")], 0)
    assert await dump() == before
    await compose_flow(ctx, NEW, video(NEW, SOURCE), [clip("[0:0_9:0)")], 0)


async def test_a_composition_keeps_the_objects_alive(ctx: Context) -> None:
    await fmp4_flow(ctx)
    await allocated(ctx, "init", "a")
    await registered(ctx, post("a", "[0:0_4:0)", init_object_id="init"))
    essence = video(NEW, SOURCE)["essence_parameters"] | {"init_segments": True}
    body = video(NEW, SOURCE, essence_parameters=essence)
    await compose_flow(ctx, NEW, body, [clip("[1:0_2:0)"), clip("[3:0_4:0)")], 0)
    await delete_segments(ctx, FLOW)
    assert await timeline(ctx, NEW) == [("a", "[0:0_1:0)"), ("a", "[1:0_2:0)")]
    assert (await get_object(fresh(ctx), "init")).role == "init"
    columns = ("object_id", "flow_id", "segment_count")
    references = await ctx.metadata.page(Scan(table=REFERENCES, columns=columns))
    assert [tuple(row.values()) for row in references.to_pylist()] == [
        ("a", NEW, 2),
        ("init", NEW, 2),
    ]
    await delete_segments(ctx, NEW)
    with pytest.raises(NotFound):
        await get_object(fresh(ctx), "init")


HOLES = [clip("[0:0_1:0)")]


@pytest.mark.parametrize(
    ("changes", "clips", "start_ns", "field", "rule"),
    [
        ({}, [], 0, "clips", "required"),
        ({}, [clip("()")], 0, "clips.0.timerange", "timerange.empty"),
        ({}, [clip("[0:0_")], 0, "clips.0.timerange", "timerange.unbounded"),
        ({}, [*HOLES, clip("[5:0_6:0)")], 0, "clips.1.timerange", "clip.no_segments"),
        ({}, HOLES, 2**63 - 5, "clips.0.timerange", "timestamp.out_of_range"),
        ({}, HOLES, -(2**63) - 1, "clips.0.timerange", "timestamp.out_of_range"),
        ({"codec": "video/h265"}, HOLES, 0, "clips.0.flow_id", "clip.mismatch"),
        ({"container": "video/mp4"}, HOLES, 0, "clips.0.flow_id", "clip.mismatch"),
        ({"id": FLOW}, HOLES, 0, "flow_id", "flow.exists"),
        ({}, [clip("[0:0_1:0)", OTHER)], 0, "flow", "not_found"),
        ({}, [clip("[0:0_1:0)", "x")], 0, "flow", "not_found"),
    ],
)
async def test_a_composition_is_refused_as_a_whole(
    ctx: Context,
    dump: Callable[[], Any],
    *,
    changes: dict[str, Any],
    clips: list[Clip],
    start_ns: int,
    field: str,
    rule: str,
) -> None:
    await video_flow(ctx)
    await recorded(ctx, "[0:0_1:0)")
    before = await dump()
    body = video(NEW, SOURCE) | changes
    with pytest.raises(MediaStoreError) as refused:
        await compose_flow(ctx, body["id"], body, clips, start_ns)
    assert isinstance(refused.value, InvalidInput | NotFound)
    (problem,) = refused.value.problems
    assert (problem.field, problem.rule) == (field, rule)
    assert await dump() == before
