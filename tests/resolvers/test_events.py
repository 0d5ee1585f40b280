"""Which events a filter lets through, what is read out of one, and following them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, suppress
from dataclasses import replace
from typing import Any

import pytest

from tams_graphql.events.event import Event
from tams_graphql.events.hub import Hub
from tams_graphql.events.log import EventLog
from tams_graphql.events.waking import WakingEngine
from tams_graphql.metadata.engine import MetadataEngine
from tams_graphql.metadata.tables import SEGMENTS
from tams_graphql.model.errors import InvalidInput, Stopping, Unavailable
from tams_graphql.model.records import CollectionItem
from tams_graphql.model.vocabulary import EventType
from tams_graphql.resolvers.context import Context
from tams_graphql.resolvers.events import (
    EventFilter,
    Heard,
    event_cursors,
    event_flow,
    event_segments,
    event_source,
    event_source_collection,
    event_timerange,
    subscribe,
)
from tams_graphql.resolvers.filters import TagFilter
from tams_graphql.resolvers.flows import delete_flow, get_flow, put_flow
from tams_graphql.resolvers.segment_deletion import delete_segments
from tams_graphql.resolvers.sources import get_source
from tams_graphql.timeline import TimeRange
from tests.resolvers.conftest import fresh, multi, uuid4, video
from tests.resolvers.segment_stories import FLOW, SOURCE, recorded, timeline, told, video_flow

COLLECTOR, ELSEWHERE = uuid4(7), uuid4(8)


def of_flow(**changes: Any) -> Event:
    payload = {"tags": {}, "flow_collected_by": [], "source_collected_by": []}
    about = {"flow_id": FLOW, "source_id": SOURCE, "type": EventType.FLOWS_UPDATED}
    given = {name: changes.pop(name) for name in payload.keys() & changes.keys()}
    return Event(
        lane=0, sequence=1, hlc=1, id=uuid4(900), occurred_us=0, actor=None,
        payload=payload | given, **(about | changes),
    )  # fmt: skip


def of_source(**changes: Any) -> Event:
    return of_flow(**({"flow_id": None, "type": EventType.SOURCES_UPDATED} | changes))


@pytest.mark.parametrize(
    ("wanted", "flow_event", "source_event"),
    [
        ({}, True, True),
        ({"types": {EventType.FLOWS_UPDATED}}, True, False),
        ({"types": {EventType.SOURCES_UPDATED}}, False, True),
        ({"types": set()}, False, False),
        ({"flow_ids": {FLOW, ELSEWHERE}}, True, True),
        ({"flow_ids": {ELSEWHERE}}, False, True),
        ({"flow_ids": set()}, False, True),
        ({"source_ids": {SOURCE}}, True, True),
        ({"source_ids": {ELSEWHERE}}, False, False),
        ({"flow_ids": {FLOW}, "source_ids": {ELSEWHERE}}, False, False),
        ({"types": {EventType.FLOWS_UPDATED}, "flow_ids": {FLOW}}, True, False),
    ],
)
def test_what_happened_and_to_what(
    wanted: dict[str, Any], flow_event: bool, source_event: bool
) -> None:
    chosen = EventFilter(**{name: frozenset(ids) for name, ids in wanted.items()})

    assert (chosen.matches(of_flow()), chosen.matches(of_source())) == (flow_event, source_event)


@pytest.mark.parametrize(
    ("wanted", "collectors", "flow_event", "source_event"),
    [
        (None, [], True, True),
        (None, [COLLECTOR], True, True),
        ([COLLECTOR], [COLLECTOR, ELSEWHERE], True, True),
        ([COLLECTOR], [ELSEWHERE], False, False),
        ([COLLECTOR], [], False, False),
        ([], [], True, True),
        ([], [COLLECTOR], False, False),
    ],
)
def test_what_collects_it(
    wanted: list[str] | None, collectors: list[str], flow_event: bool, source_event: bool
) -> None:
    ids = None if wanted is None else frozenset(wanted)
    by_flow = EventFilter(flow_collected_by=ids)
    by_source = EventFilter(source_collected_by=ids)

    assert by_flow.matches(of_flow(flow_collected_by=collectors)) is flow_event
    assert by_flow.matches(of_source()) is True
    assert by_source.matches(of_flow(source_collected_by=collectors)) is flow_event
    assert by_source.matches(of_source(source_collected_by=collectors)) is source_event


def test_its_tags_at_that_time() -> None:
    live = EventFilter(tags=(TagFilter("state", any_of=("live", "armed")),))
    untagged = EventFilter(tags=(TagFilter("state", exists=False),))

    assert [live.matches(of_flow(tags=tags)) for tags in ({}, {"state": "live"})] == [False, True]
    assert live.matches(of_source(tags={"state": ["done", "armed"]}))
    assert [untagged.matches(of_flow(tags=tags)) for tags in ({}, {"state": "x"})] == [True, False]


@pytest.fixture
async def following(ctx: Context, engine: MetadataEngine) -> AsyncIterator[Context]:
    """A context whose process has a hub that runs."""
    hub = Hub(EventLog(engine), poll_seconds=0.02)
    running = asyncio.create_task(hub.run())
    await hub.started()
    yield replace(ctx, metadata=WakingEngine(engine, hub.wake), hub=hub)
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running


async def logged(ctx: Context) -> list[Event]:
    log = EventLog(ctx.metadata)
    heads = await log.heads()
    return list((await log.read({}, heads)).events)


async def test_a_flow_and_its_source_as_they_were(ctx: Context) -> None:
    await video_flow(ctx, label="first", tags={"a": ["b", "c"]})
    flow, source = await get_flow(fresh(ctx), FLOW), await get_source(fresh(ctx), SOURCE)
    await put_flow(fresh(ctx), FLOW, video(FLOW, SOURCE, label="second"))

    created = {event.type: event for event in (await logged(ctx))[:2]}

    assert event_flow(created[EventType.FLOWS_CREATED]) == replace(
        flow, timeline_id=event_flow(created[EventType.FLOWS_CREATED]).timeline_id
    )
    assert event_flow(created[EventType.FLOWS_CREATED]).label == "first"
    assert event_source(created[EventType.SOURCES_CREATED]) == source
    assert event_source_collection(created[EventType.SOURCES_CREATED]) == ()


async def test_what_a_source_collected(ctx: Context) -> None:
    await video_flow(ctx)
    await put_flow(ctx, COLLECTOR, multi(COLLECTOR, uuid4(107), FLOW))

    (created,) = [
        one for one in await logged(ctx) if one.source_id == uuid4(107) and not one.flow_id
    ]

    assert event_source_collection(created) == (CollectionItem(id=SOURCE),)


async def test_segments_as_they_were_added(ctx: Context) -> None:
    await video_flow(ctx)
    await recorded(ctx, "[0:0_2:0)", "[2:0_4:0)")
    stored = await timeline(ctx)

    (added,) = [one for one in await logged(ctx) if one.type is EventType.FLOWS_SEGMENTS_ADDED]
    segments = event_segments(added)

    assert segments.schema == SEGMENTS.schema
    assert told(segments) == stored == [("o0", "[0:0_2:0)"), ("o1", "[2:0_4:0)")]
    assert segments["flow_id"].to_pylist() == [FLOW, FLOW]
    assert segments["init_object_id"].to_pylist() == [None, None]


async def test_what_deleted_segments_spanned(ctx: Context) -> None:
    await video_flow(ctx)
    await recorded(ctx, "[0:0_2:0)", "[2:0_4:0)", "[4:0_6:0)")
    await delete_segments(fresh(ctx), FLOW, timerange=TimeRange.parse("[0:0_3:0)"))

    (gone,) = [one for one in await logged(ctx) if one.type is EventType.FLOWS_SEGMENTS_DELETED]

    assert str(event_timerange(gone)) == "[0:0_2:0)"


async def test_following_from_a_cursor_goes_on_live(following: Context) -> None:
    oldest, _ = await event_cursors(following)
    await video_flow(following)
    seen: list[Heard] = []
    async with aclosing(
        subscribe(following, EventFilter(flow_ids=frozenset({FLOW})), oldest)
    ) as it:
        seen += [await anext(it), await anext(it)]
        await recorded(fresh_with_hub(following), "[0:0_2:0)")
        seen.append(await anext(it))
        await delete_flow(fresh_with_hub(following), FLOW)
        seen += [await anext(it) for _ in range(2)]

    kinds = [one.event.type for one in seen]
    assert kinds[2] is EventType.FLOWS_SEGMENTS_ADDED
    assert sorted(kinds[:2]) == [EventType.FLOWS_CREATED, EventType.SOURCES_CREATED]
    assert sorted(kinds[3:]) == [EventType.FLOWS_DELETED, EventType.SOURCES_DELETED]
    _, newest = await event_cursors(following)
    assert seen[-1].cursor == newest


def fresh_with_hub(ctx: Context) -> Context:
    return replace(fresh(ctx), hub=ctx.hub)


async def test_the_end_of_the_server_is_told_with_the_cursor(following: Context) -> None:
    await video_flow(following)
    oldest, newest = await event_cursors(following)
    async with aclosing(subscribe(following, EventFilter(), oldest)) as it:
        await anext(it)
        await anext(it)
        waiting = asyncio.ensure_future(anext(it))
        await asyncio.sleep(0)
        assert following.hub is not None
        following.hub.stop()
        with pytest.raises(Stopping) as stopping:
            await waiting

    assert stopping.value.cursor == newest


@pytest.mark.parametrize("flow_ids", [None, frozenset(), frozenset({FLOW})])
async def test_the_end_is_told_to_whoever_still_catches_up(
    following: Context, flow_ids: frozenset[str] | None
) -> None:
    oldest, _ = await event_cursors(following)
    assert following.hub is not None
    following.hub.stop()
    async with aclosing(subscribe(following, EventFilter(flow_ids=flow_ids), oldest)) as it:
        with pytest.raises(Stopping):
            await anext(it)


async def test_a_cursor_of_nothing_is_refused(following: Context) -> None:
    async with aclosing(subscribe(following, EventFilter(), "nonsense")) as it:
        with pytest.raises(InvalidInput) as refused:
            await anext(it)

    assert refused.value.problems[0].rule == "cursor.malformed"


async def test_without_a_hub_nobody_is_told(ctx: Context) -> None:
    async with aclosing(subscribe(ctx, EventFilter())) as it:
        with pytest.raises(Unavailable):
            await anext(it)
