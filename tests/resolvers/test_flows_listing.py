"""What `test_listing` leaves to say about flows: odd values, spans, whose reads are how many."""

from typing import Any

import pytest

from tams_graphql.metadata.engine import Scan
from tams_graphql.model.errors import InvalidInput, NotFound
from tams_graphql.model.vocabulary import ContentFormat, FlowSort
from tams_graphql.resolvers.context import Context
from tams_graphql.resolvers.filters import FlowFilter, TagFilter
from tams_graphql.resolvers.flows import flow_timerange, list_flows, put_flow
from tams_graphql.resolvers.paging import PageRequest
from tams_graphql.resolvers.segments import register_segments
from tams_graphql.timeline import ETERNITY, NEVER, TimeRange
from tests.resolvers.conftest import fresh, uuid4, video

FLOW, SOURCE = uuid4(1), uuid4(101)
IMAGE = {
    "format": "urn:x-tam:format:image",
    "codec": "image/jpeg",
    "essence_parameters": {"frame_width": 1920, "frame_height": 1080},
}


async def listed(ctx: Context, **filters: Any) -> list[str]:
    page = await list_flows(ctx, FlowFilter(**filters), PageRequest())
    return [flow.id for flow in page.items]


async def test_frame_sizes_ask_for_video_unless_a_format_is_given(ctx: Context) -> None:
    await put_flow(ctx, FLOW, video(FLOW, SOURCE))
    await put_flow(ctx, uuid4(2), video(uuid4(2), uuid4(102)) | IMAGE)
    assert await listed(ctx, frame_width=1920) == [FLOW]
    assert await listed(ctx, frame_height=1080) == [FLOW]
    assert await listed(ctx, frame_width=1920, format=ContentFormat.IMAGE) == [uuid4(2)]
    assert await listed(ctx, frame_width=1080) == []


@pytest.mark.parametrize(
    ("filters", "field"),
    [
        ({"label": "\ud800"}, "label"),
        ({"codec": "\udfff/x"}, "codec"),
        ({"frame_width": 2**63}, "frame_width"),
        ({"frame_height": -(2**63) - 1}, "frame_height"),
        ({"tags": (TagFilter("\ud800", exists=True),)}, "tags"),
        ({"tags": (TagFilter("a", any_of=("\ud800",)),)}, "tags"),
    ],
)
async def test_values_that_no_row_can_have_are_refused(
    ctx: Context, filters: dict[str, Any], field: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        await listed(ctx, **filters)
    assert [problem.field for problem in refused.value.problems] == [field]


async def test_a_cursor_holds_for_its_own_sort_order_only(ctx: Context) -> None:
    await put_flow(ctx, FLOW, video(FLOW, SOURCE))
    await put_flow(ctx, uuid4(2), video(uuid4(2), SOURCE))
    cursor = (await list_flows(ctx, FlowFilter(), PageRequest(limit=1))).next_cursor
    by_label = FlowFilter(sort=FlowSort.LABEL)
    with pytest.raises(InvalidInput) as refused:
        await list_flows(ctx, by_label, PageRequest(after=cursor, field="after"))
    assert [(p.field, p.rule) for p in refused.value.problems] == [("after", "cursor.foreign")]


async def test_a_page_does_not_read_the_whole_store(
    ctx: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(1, 21):
        tags = {"rare": "yes"} if number == 7 else {}
        await put_flow(ctx, uuid4(number), video(uuid4(number), SOURCE, tags=tags))
    rows: list[int] = []
    page = ctx.metadata.page

    async def counted(scan: Scan) -> Any:
        found = await page(scan)
        rows.append(found.num_rows)
        return found

    monkeypatch.setattr(ctx.metadata, "page", counted)
    found = await list_flows(ctx, FlowFilter(), PageRequest(limit=5))
    assert (len(found.items), rows) == (5, [6])
    rows.clear()
    rare = (TagFilter("rare", any_of=("yes",)),)
    assert await listed(ctx, tags=rare) == [uuid4(7)]
    assert rows == []


@pytest.mark.parametrize(
    ("within", "expected"),
    [
        (None, "[0:0_6:0)"),
        (ETERNITY, "[0:0_6:0)"),
        (NEVER, "()"),
        (TimeRange(0, 1), "[0:0_2:0)"),
        (TimeRange(10**9, 4 * 10**9 + 1), "[0:0_6:0)"),
        (TimeRange(2 * 10**9, 4 * 10**9), "()"),
        (TimeRange(None, 0), "()"),
        (TimeRange(5 * 10**9, None), "[4:0_6:0)"),
    ],
)
async def test_a_limited_timerange_spans_whole_segments(
    ctx: Context, within: TimeRange | None, expected: str
) -> None:
    await put_flow(ctx, FLOW, video(FLOW, SOURCE))
    urls = [{"url": "https://example.org/o", "label": "web"}]
    posts = [
        {"object_id": timerange, "timerange": timerange, "get_urls": urls}
        for timerange in ("[0:0_2:0)", "[4:0_6:0)")
    ]
    assert (await register_segments(ctx, FLOW, posts)).failed == ()
    assert str(await flow_timerange(fresh(ctx), FLOW, within)) == expected


@pytest.mark.parametrize("beyond", ["[99999999999:0]", "[9223372036:854775807_", "_-99999999999:0"])
async def test_beyond_what_can_be_stored_is_neither_content_nor_emptiness(
    ctx: Context, beyond: str
) -> None:
    await put_flow(ctx, FLOW, video(FLOW, SOURCE))
    await put_flow(ctx, uuid4(2), video(uuid4(2), SOURCE))
    urls = [{"url": "https://example.org/o", "label": "web"}]
    post = {"object_id": "o", "timerange": "[0:0_2:0]", "get_urls": urls}
    assert (await register_segments(ctx, FLOW, [post])).failed == ()
    assert await listed(ctx, timerange=TimeRange.parse(beyond, clamp=True)) == []


async def test_a_timerange_keeps_how_its_ends_were_written(ctx: Context) -> None:
    await put_flow(ctx, FLOW, video(FLOW, SOURCE))
    urls = [{"url": "https://example.org/o", "label": "web"}]
    post = {"object_id": "o", "timerange": "[0:0_2:0]", "get_urls": urls}
    assert (await register_segments(ctx, FLOW, [post])).failed == ()
    assert str(await flow_timerange(ctx, FLOW, TimeRange(10**9, None))) == "[0:0_2:0]"
    with pytest.raises(NotFound):
        await flow_timerange(ctx, uuid4(2), None)
