"""Which events each change makes, and what they say: each change once, a refused one none."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import orjson
import pytest

from tams_graphql.events.log import EventLog
from tams_graphql.events.position import START
from tams_graphql.model.errors import MediaStoreError
from tams_graphql.resolvers.composition import Clip
from tams_graphql.resolvers.context import Context
from tams_graphql.resolvers.deletion_jobs import work_on_deletions
from tams_graphql.resolvers.flows import (
    delete_flow,
    put_flow,
    set_flow_property,
    set_flow_tag,
    update_flow,
)
from tams_graphql.resolvers.segment_deletion import delete_segments
from tams_graphql.resolvers.segments import register_segments
from tams_graphql.resolvers.sources import set_source_property, set_source_tag
from tams_graphql.resolvers.timeline import compose_flow
from tams_graphql.timeline import TimeRange
from tests.resolvers.conftest import fresh, multi, uuid4, video
from tests.resolvers.segment_stories import FLOW, OTHER, SOURCE, allocated, post, recorded

News = list[tuple[str, str]]
WHOLE, WHOLE_SOURCE = uuid4(9), uuid4(109)


@pytest.fixture
def news(ctx: Context) -> Callable[[], Awaitable[Any]]:
    """The events since the last time that one asked."""
    log, seen = EventLog(ctx.metadata), START

    async def since() -> list[Any]:
        nonlocal seen
        batch = await log.read(seen, await log.heads(), limit=10_000)
        seen = batch.position
        return list(batch.events)

    return since


def told(events: list[Any]) -> News:
    return [(event.type.value, event.flow_id or event.source_id) for event in events]


async def test_a_flow_comes_with_its_source_and_goes_with_it(ctx: Context, news: Any) -> None:
    await put_flow(ctx, FLOW, video(FLOW, SOURCE, label="one", tags={"a": ["b"]}))
    source, flow = await news()
    assert told([source, flow]) == [("sources/created", SOURCE), ("flows/created", FLOW)]
    assert flow.payload["flow"]["label"] == "one"
    assert flow.payload["tags"] == {"a": ["b"]}
    assert (flow.source_id, source.flow_id, flow.actor) == (SOURCE, None, "anonymous")
    assert source.payload["source"]["format"] == "urn:x-nmos:format:video"
    await put_flow(ctx, OTHER, video(OTHER, SOURCE))
    assert told(await news()) == [("flows/created", OTHER)]
    await delete_flow(fresh(ctx), OTHER)
    assert told(await news()) == [("flows/deleted", OTHER)]
    await delete_flow(fresh(ctx), FLOW)
    assert told(await news()) == [("flows/deleted", FLOW), ("sources/deleted", SOURCE)]


async def test_what_changes_nothing_is_no_event(ctx: Context, news: Any) -> None:
    body = video(FLOW, SOURCE, label="one", tags={"a": "b"})
    await put_flow(ctx, FLOW, body)
    await recorded(ctx, "[0:0_1:0)")
    await set_source_property(ctx, SOURCE, "label", "source")
    await news()
    await put_flow(fresh(ctx), FLOW, body)
    await set_flow_property(fresh(ctx), FLOW, "label", "one")
    await set_flow_tag(fresh(ctx), FLOW, "a", "b")
    await set_source_property(fresh(ctx), SOURCE, "label", "source")
    await register_segments(fresh(ctx), FLOW, [post("o0", "[0:0_1:0)")])
    await delete_segments(fresh(ctx), FLOW, timerange=TimeRange.parse("[5:0_6:0)"))
    assert await news() == []


@pytest.mark.parametrize(
    "refused",
    [
        lambda ctx: put_flow(ctx, FLOW, video(FLOW, SOURCE, format="urn:x-nmos:format:audio")),
        lambda ctx: put_flow(ctx, OTHER, multi(OTHER, uuid4(102), uuid4(77))),
        lambda ctx: set_flow_property(ctx, FLOW, "max_bit_rate", -1),
        lambda ctx: set_flow_tag(ctx, FLOW, "none", None),
        lambda ctx: set_source_tag(ctx, SOURCE, "none", None),
        lambda ctx: delete_flow(ctx, OTHER),
    ],
    ids=["format", "member", "property", "tag", "source tag", "unknown"],
)
async def test_a_refused_change_is_no_event(ctx: Context, news: Any, refused: Any) -> None:
    await put_flow(ctx, FLOW, video(FLOW, SOURCE))
    await news()
    with pytest.raises(MediaStoreError):
        await refused(fresh(ctx))
    assert await news() == []


async def test_each_change_of_metadata_is_one_event(ctx: Context, news: Any) -> None:
    await put_flow(ctx, FLOW, video(FLOW, SOURCE))
    await news()
    await put_flow(fresh(ctx), FLOW, video(FLOW, SOURCE, label="two"))
    await update_flow(fresh(ctx), FLOW, {"label": "three", "description": "d"}, {"a": "b"})
    flow, again = await news()
    await set_source_tag(fresh(ctx), SOURCE, "of", "source")
    (source,) = await news()
    assert told([flow, again, source]) == [
        ("flows/updated", FLOW),
        ("flows/updated", FLOW),
        ("sources/updated", SOURCE),
    ]
    assert [event.payload["flow"]["label"] for event in (flow, again)] == ["two", "three"]
    assert (again.payload["tags"], source.payload["tags"]) == ({"a": "b"}, {"of": "source"})


async def test_a_flow_that_moves_brings_a_source_and_takes_one(ctx: Context, news: Any) -> None:
    await put_flow(ctx, FLOW, video(FLOW, SOURCE))
    await news()
    await put_flow(fresh(ctx), FLOW, video(FLOW, uuid4(101)))
    assert told(await news()) == [
        ("sources/created", uuid4(101)),
        ("flows/updated", FLOW),
        ("sources/deleted", SOURCE),
    ]


async def test_collections_are_told_as_they_were_at_the_change(ctx: Context, news: Any) -> None:
    await put_flow(ctx, FLOW, video(FLOW, SOURCE))
    await news()
    await put_flow(ctx, WHOLE, multi(WHOLE, WHOLE_SOURCE, FLOW))
    source, flow = await news()
    assert source.payload["source"]["source_collection"] == [{"id": SOURCE}]
    assert flow.payload["flow_collected_by"] == []
    await set_flow_tag(fresh(ctx), FLOW, "a", "b")
    (flow,) = await news()
    await set_source_tag(fresh(ctx), SOURCE, "a", "b")
    (source,) = await news()
    assert flow.payload["flow_collected_by"] == [WHOLE]
    assert flow.payload["source_collected_by"] == [WHOLE_SOURCE]
    assert source.payload["source_collected_by"] == [WHOLE_SOURCE]
    await delete_flow(fresh(ctx), FLOW)
    collector, gone, last = await news()
    assert told([collector, gone, last]) == [
        ("flows/updated", WHOLE),
        ("flows/deleted", FLOW),
        ("sources/deleted", SOURCE),
    ]
    assert gone.payload["flow_collected_by"] == [WHOLE]
    assert collector.payload["flow"]["collection_json"] == "[]"


async def test_segments_are_told_by_the_hundred(ctx: Context, news: Any) -> None:
    await put_flow(ctx, FLOW, video(FLOW, SOURCE, tags={"camera": "1"}))
    await news()
    await recorded(ctx, *(f"[{n}:0_{n + 1}:0)" for n in range(250)))
    events = await news()
    assert told(events) == [("flows/segments_added", FLOW)] * 3
    assert events[0].payload["tags"] == {"camera": "1"}
    starts = [event.payload["segments"]["start_ns"] for event in events]
    assert [len(one) for one in starts] == [100, 100, 50]
    assert [start for some in starts for start in some] == [n * 1_000_000_000 for n in range(250)]


async def test_only_what_a_bulk_stored_is_told(ctx: Context, news: Any) -> None:
    await put_flow(ctx, FLOW, video(FLOW, SOURCE))
    await recorded(ctx, "[0:0_1:0)")
    await allocated(ctx, "good", "bad")
    await news()
    bad, good = post("bad", "[0:5_0:6)"), post("good", "[1:0_2:0)")
    unknown = post("nowhere", "[3:0_4:0)")
    await register_segments(ctx, FLOW, [bad, post("o0", "[0:0_1:0)"), good, unknown])
    (event,) = await news()
    assert event.payload["segments"]["object_id"] == ["good"]
    await register_segments(ctx, FLOW, [bad, unknown])
    assert await news() == []


async def test_deleted_segments_are_told_by_what_they_span(ctx: Context, news: Any) -> None:
    await put_flow(ctx, FLOW, video(FLOW, SOURCE))
    await recorded(ctx, "[0:0_1:0)", "[1:0_2:0)", "[4:0_5:0)", "[5:0_6:0]")
    await news()
    await delete_segments(ctx, FLOW, timerange=TimeRange.parse("[0:5_6:0]"))
    (event,) = await news()
    assert told([event]) == [("flows/segments_deleted", FLOW)]
    assert event.payload["timerange"] == "[1:0_6:0]"


async def test_what_lies_between_deleted_segments_and_stays_is_not_told(
    ctx: Context, news: Any
) -> None:
    await put_flow(ctx, FLOW, video(FLOW, SOURCE))
    await allocated(ctx, "a", "b")
    turns = ["a", "a", "b", "a", "b"]
    posts = [post(name, f"[{n}:0_{n + 1}:0)", ts_offset=f"{n}:0") for n, name in enumerate(turns)]
    await register_segments(ctx, FLOW, posts)
    await news()
    await delete_segments(ctx, FLOW, object_id="a")
    events = await news()
    assert [event.payload["timerange"] for event in events] == ["[0:0_2:0)", "[3:0_4:0)"]


async def test_a_deletion_that_goes_on_tells_each_segment_once(ctx: Context, news: Any) -> None:

    ctx.service = replace(ctx.service, async_delete_segments=2, deletion_grace=0)
    await put_flow(ctx, FLOW, video(FLOW, SOURCE))
    await recorded(ctx, *(f"[{n}:0_{n + 1}:0)" for n in range(6)))
    await news()
    await delete_segments(fresh(ctx), FLOW, timerange=TimeRange.parse("[1:0_5:0)"))
    assert await news() == []
    await work_on_deletions(fresh(ctx))
    assert [event.payload["timerange"] for event in await news()] == ["[1:0_5:0)"]
    await recorded(ctx, *(f"[{n}:0_{n + 1}:0)" for n in range(10, 14)), prefix="more")
    await news()
    await delete_segments(fresh(ctx), FLOW)
    assert [event.payload["timerange"] for event in await news()] == ["[0:0_14:0)"]
    await work_on_deletions(fresh(ctx))
    assert await news() == []


async def test_a_composed_flow_is_told_with_its_segments(ctx: Context, news: Any) -> None:
    await put_flow(ctx, FLOW, video(FLOW, SOURCE))
    await recorded(ctx, "[0:0_1:0)", "[1:0_2:0)")
    await news()
    clips = [Clip(FLOW, TimeRange.parse("[0:0_2:0)"))]
    await compose_flow(fresh(ctx), OTHER, video(OTHER, SOURCE), clips, 0)
    created, added = await news()
    assert told([created, added]) == [("flows/created", OTHER), ("flows/segments_added", OTHER)]
    assert added.payload["segments"]["object_id"] == ["o0", "o1"]


async def test_an_event_may_be_larger_than_a_cell(ctx: Context, news: Any) -> None:
    large = {f"tag {n}": "é" * 1000 for n in range(40)}
    await put_flow(ctx, FLOW, video(FLOW, SOURCE, description="d" * 90_000, tags=large))
    _, flow = await news()
    assert flow.payload["tags"] == large
    assert orjson.loads(flow.payload["flow"]["tags_json"]) == large
    assert flow.payload["flow"]["description"] == "d" * 90_000
