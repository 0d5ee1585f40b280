"""Events: what has changed, told as it happens."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Annotated, Any, TypeAlias, cast

import strawberry

from tams_graphql.events.event import Event
from tams_graphql.graphql import fields
from tams_graphql.graphql import tags as tagging
from tams_graphql.graphql.context import Info
from tams_graphql.graphql.filters import capped
from tams_graphql.graphql.flows import Flow, find_flow, flow_of
from tams_graphql.graphql.scalars import UUID, DateTime
from tams_graphql.graphql.segment_rows import SegmentRows
from tams_graphql.graphql.segments import FlowSegment
from tams_graphql.graphql.sources import Source, source_of
from tams_graphql.graphql.timeline import TimelineRange, timeline_range
from tams_graphql.model.vocabulary import EventType
from tams_graphql.resolvers import events as resolvers
from tams_graphql.resolvers.events import EventFilter, Heard

After: TypeAlias = Annotated[
    str | None,
    strawberry.argument(
        description="A cursor: first comes what has happened since, then what happens. Without"
        " it: what happens from now on."
    ),
]


@strawberry.input(name="EventFilter", description="An AND of what is given; as of each event.")
class EventFilterInput:
    """Spec 8.2, `webhook.json`."""

    types: list[EventType] | None = None
    flow_ids: list[UUID] | None = strawberry.field(
        default=None, description="Events of other Flows and their segments are left out."
    )
    source_ids: list[UUID] | None = strawberry.field(
        default=None, description="Events of other Sources, and of their Flows, are left out."
    )
    flow_collected_by_ids: list[UUID] | None = strawberry.field(
        default=None,
        description="Of Flows, only those that one of these collects; empty: that none does.",
    )
    source_collected_by_ids: list[UUID] | None = strawberry.field(
        default=None,
        description="Of Sources, only those that one of these collects; empty: that none does.",
    )
    tags: list[tagging.TagFilterInput] | None = strawberry.field(
        default=None, description="Of the Flow or Source that the event is about."
    )


@strawberry.interface(description="Something that has changed, told once for each change.")
class LoggedEvent:
    """What all events have in common."""

    cursor: str = strawberry.field(description="Subscribe `after` it to go on from here.")
    event_id: UUID
    occurred_at: DateTime
    actor: str | None = strawberry.field(description="Whose request it was.")
    source_id: UUID
    record: strawberry.Private[Event]


@strawberry.interface(description="A change of a Flow, or of its segments.")
class FlowEvent(LoggedEvent):
    """What events of Flows have in common."""

    flow_id: UUID


def _shown_flow(self: FlowEvent) -> Flow:
    return flow_of(resolvers.event_flow(self.record))


def _shown_source(self: LoggedEvent) -> Source:
    return source_of(resolvers.event_source(self.record))


async def _current_flow(self: FlowEvent, info: Info) -> Flow | None:
    return await find_flow(info, self.flow_id)


@strawberry.type(description="A Flow was created.")
class FlowCreated(FlowEvent):
    """Spec 8.2, `flows/created`."""

    flow: Flow = strawberry.field(resolver=_shown_flow, description="As it was then.")


@strawberry.type(description="A Flow's metadata was changed.")
class FlowUpdated(FlowEvent):
    """Spec 8.2, `flows/updated`."""

    flow: Flow = strawberry.field(resolver=_shown_flow, description="As it was then.")


@strawberry.type(description="A Flow was deleted, and all of its segments with it.")
class FlowDeleted(FlowEvent):
    """Spec 8.2, `flows/deleted`."""

    flow: Flow = strawberry.field(resolver=_shown_flow, description="As it was before.")


@strawberry.type(description="Segments were added to a Flow: at most 100, more make more events.")
class SegmentsAdded(FlowEvent):
    """Spec 8.2, `flows/segments_added`."""

    flow: Flow | None = strawberry.field(
        resolver=_current_flow, description="As it is now; null if it is gone."
    )

    @fields.field(description="As they were then; URLs are signed only when selected.")
    def segments(self, info: Info) -> list[FlowSegment]:
        """Columns, as in a page of segments."""
        table = resolvers.event_segments(self.record)
        return cast("list[FlowSegment]", SegmentRows(info.context.tams, table))


@strawberry.type(description="Segments of a Flow were deleted, all of those in a range.")
class SegmentsDeleted(FlowEvent):
    """Spec 8.2, `flows/segments_deleted`."""

    flow: Flow | None = strawberry.field(
        resolver=_current_flow, description="As it is now; null if it is gone."
    )

    @fields.field(description="What the deleted segments spanned.")
    def timerange(self) -> TimelineRange:
        """It begins and ends with one of them."""
        return timeline_range(resolvers.event_timerange(self.record))


@strawberry.type(description="A Source was created, with its first Flow.")
class SourceCreated(LoggedEvent):
    """Spec 8.2, `sources/created`."""

    source: Source = strawberry.field(resolver=_shown_source, description="As it was then.")


@strawberry.type(description="A Source's metadata was changed.")
class SourceUpdated(LoggedEvent):
    """Spec 8.2, `sources/updated`."""

    source: Source = strawberry.field(resolver=_shown_source, description="As it was then.")


@strawberry.type(description="A Source was deleted, with its last Flow.")
class SourceDeleted(LoggedEvent):
    """Spec 8.2, `sources/deleted`."""

    source: Source = strawberry.field(resolver=_shown_source, description="As it was before.")


AnyEvent = Annotated[
    FlowCreated
    | FlowUpdated
    | FlowDeleted
    | SegmentsAdded
    | SegmentsDeleted
    | SourceCreated
    | SourceUpdated
    | SourceDeleted,
    strawberry.union("Event", description="What can happen (spec 8.2, `webhooks`)."),
]

_TYPES: dict[EventType, type[Any]] = {
    EventType.FLOWS_CREATED: FlowCreated,
    EventType.FLOWS_UPDATED: FlowUpdated,
    EventType.FLOWS_DELETED: FlowDeleted,
    EventType.FLOWS_SEGMENTS_ADDED: SegmentsAdded,
    EventType.FLOWS_SEGMENTS_DELETED: SegmentsDeleted,
    EventType.SOURCES_CREATED: SourceCreated,
    EventType.SOURCES_UPDATED: SourceUpdated,
    EventType.SOURCES_DELETED: SourceDeleted,
}


@strawberry.type(description="The log of all events, which subscriptions read.")
class EventLog:
    """Where one can go on from."""

    cursor: str = strawberry.field(
        description="After the newest event. To miss nothing, take it before reading the state."
    )
    oldest_cursor: str = strawberry.field(description="Before the oldest event that is kept.")


@strawberry.type
class EventQueries:
    """The root fields about events."""

    @fields.field(description="The cursors between which events can be followed.")
    async def event_log(self, info: Info) -> EventLog:
        """Two reads."""
        oldest, newest = await resolvers.event_cursors(info.context.tams)
        return EventLog(cursor=newest, oldest_cursor=oldest)


@strawberry.type(description="Everything that can be followed as it happens.")
class Subscription:
    """The root of subscriptions."""

    @fields.subscription(
        description="Changes as they happen, those of a Flow or Source in their order; none is"
        " missing and none comes twice."
    )
    async def events(
        self,
        info: Info,
        filter: EventFilterInput | None = None,  # noqa: A002 - the schema's word
        after: After = None,
    ) -> AsyncGenerator[AnyEvent, None]:
        """What webhooks are told, too."""
        async with aclosing(_told(info, _wanted(filter), after)) as told:
            async for one in told:
                yield one

    @fields.subscription(description="Segments that are added to a Flow, as it happens.")
    async def segments_added(
        self, info: Info, flow_id: UUID, after: After = None
    ) -> AsyncGenerator[SegmentsAdded, None]:
        """For players of live Flows; the Flow may be one that is still to be created."""
        wanted = EventFilter(
            types=frozenset({EventType.FLOWS_SEGMENTS_ADDED}), flow_ids=frozenset({flow_id})
        )
        async with aclosing(_told(info, wanted, after)) as told:
            async for one in told:
                yield one


async def _told(info: Info, wanted: EventFilter, after: str | None) -> AsyncGenerator[Any, None]:
    async with aclosing(resolvers.subscribe(info.context.tams, wanted, after)) as heard:
        async for one in heard:
            yield _event_of(one)


def _event_of(heard: Heard) -> LoggedEvent:
    event = heard.event
    of_flow = {} if event.flow_id is None else {"flow_id": UUID(event.flow_id)}
    shown: LoggedEvent = _TYPES[event.type](
        cursor=heard.cursor,
        event_id=UUID(event.id),
        occurred_at=DateTime(event.occurred_us),
        actor=event.actor,
        source_id=event.source_id,
        record=event,
        **of_flow,
    )
    return shown


def _wanted(given: EventFilterInput | None) -> EventFilter:
    if given is None:
        return EventFilter()
    return EventFilter(
        types=None if given.types is None else frozenset(given.types),
        flow_ids=_ids("filter.flowIds", given.flow_ids),
        source_ids=_ids("filter.sourceIds", given.source_ids),
        flow_collected_by=_ids("filter.flowCollectedByIds", given.flow_collected_by_ids),
        source_collected_by=_ids("filter.sourceCollectedByIds", given.source_collected_by_ids),
        tags=tagging.tag_filters(given.tags, "filter.tags"),
    )


def _ids(field: str, given: list[UUID] | None) -> frozenset[str] | None:
    ids = capped(field, given)
    return None if ids is None else frozenset(ids)
