"""Events as their readers want them: which of them, what is in them, and one after the other."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import pyarrow as pa

from tams_graphql.events.event import Event
from tams_graphql.events.log import EventLog
from tams_graphql.metadata.tables import FLOWS, SEGMENTS, SOURCES, Table
from tams_graphql.model.errors import Unavailable
from tams_graphql.model.records import CollectionItem, Flow, Source
from tams_graphql.model.vocabulary import EventType
from tams_graphql.resolvers.authorise import Action, authorise
from tams_graphql.resolvers.context import Context
from tams_graphql.resolvers.filters import TagFilter, matches_tags
from tams_graphql.resolvers.flow_rows import flow_from_row
from tams_graphql.resolvers.source_rows import source_from_row
from tams_graphql.timeline import TimeRange

_TABLES = 64
"""How many tables of segments are kept: subscribers of an event are told of it one by one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EventFilter:
    """An AND of what is given, as of the time of each event (spec 8.2, `webhook.json`).

    `flow_ids` and `flow_collected_by` limit the events of flows and their segments, the others
    those of sources, too. `*_collected_by`: ids of collectors; empty: what none collects.
    """

    types: frozenset[EventType] | None = None
    flow_ids: frozenset[str] | None = None
    source_ids: frozenset[str] | None = None
    flow_collected_by: frozenset[str] | None = None
    source_collected_by: frozenset[str] | None = None
    tags: tuple[TagFilter, ...] = ()

    def matches(self, event: Event) -> bool:
        """See `hub.Wanted`."""
        return (
            _among(event.type, self.types)
            and _among(event.source_id, self.source_ids)
            and (event.flow_id is None or self._matches_flow(event))
            and _collected(event, "source_collected_by", self.source_collected_by)
            and matches_tags(event.payload["tags"], self.tags)
        )

    def _matches_flow(self, event: Event) -> bool:
        by = self.flow_collected_by
        return _among(event.flow_id, self.flow_ids) and _collected(event, "flow_collected_by", by)


def _among(value: str | None, wanted: frozenset[str] | None) -> bool:
    return wanted is None or value in wanted


def _collected(event: Event, name: str, wanted: frozenset[str] | None) -> bool:
    if wanted is None:
        return True
    collectors = event.payload[name]
    return not wanted.isdisjoint(collectors) if wanted else not collectors


def event_flow(event: Event) -> Flow:
    """The flow that was created or updated, as it was then, or as it was before it was deleted."""
    return flow_from_row(_full(FLOWS, event.payload["flow"]))


def event_source(event: Event) -> Source:
    """The source that was created or updated, as it was then, or before it was deleted."""
    return source_from_row(_full(SOURCES, event.payload["source"]))


def event_source_collection(event: Event) -> tuple[CollectionItem, ...]:
    """What the source of `event_source` collected."""
    items = event.payload["source"]["source_collection"]
    return tuple(CollectionItem(id=item["id"], role=item.get("role")) for item in items)


@lru_cache(_TABLES)
def event_segments(event: Event) -> pa.Table:
    """The segments that were added: rows of SEGMENTS.

    The timeline that they are on is not told: ``timeline_id`` and ``incarnation`` are empty.
    """
    columns = event.payload["segments"]
    count = len(columns["start_ns"])
    own = {"timeline_id": [""] * count, "incarnation": [""] * count}
    nulls = {name: [None] * count for name in SEGMENTS.columns}
    return pa.table(
        {**nulls, **own, "flow_id": [event.flow_id] * count, **columns}, schema=SEGMENTS.schema
    )


def event_timerange(event: Event) -> TimeRange:
    """What the deleted segments spanned."""
    return TimeRange.parse(event.payload["timerange"])


@dataclass(frozen=True, slots=True)
class Heard:
    """An event, and the cursor from which one would go on after it."""

    event: Event
    cursor: str


async def subscribe(
    ctx: Context, wanted: EventFilter, after: str | None = None
) -> AsyncGenerator[Heard, None]:
    """What happens, as it happens; closing the iterator ends the subscription.

    Args:
        ctx: the request.
        wanted: which events.
        after: the cursor to go on from: first comes what has happened since; ``None``: only what
            happens from now on.

    Raises:
        InvalidInput: `after` is no cursor of this log, or lies in the future.
        CursorTooOld: events after it are no longer kept.
        TooSlow, Stopping: nothing more will be told; the error has the cursor to go on from.
        Unavailable: the log can't be read, or this process has no hub.
    """
    authorise(ctx, Action.READ, "event")
    hub = ctx.hub
    if hub is None:
        raise Unavailable("this process tells nobody of events")
    position = ctx.now if after is None else await hub.log.resume(after, "after")
    async with hub.subscribe(wanted, position) as subscription:
        async for told in subscription:
            yield Heard(told.event, await hub.log.cursor(told.position))


async def begin_now(ctx: Context) -> None:
    """Let a subscription of this request begin here: what happens from now on is told.

    For transports that say "yes" before the subscription has begun.
    """
    if ctx.hub is not None:
        # Without an answer, whoever subscribes is told so.
        with suppress(Unavailable):
            ctx.now = await ctx.hub.log.heads()


def log_of(ctx: Context) -> EventLog:
    """The event log of the index."""
    return EventLog(ctx.metadata) if ctx.hub is None else ctx.hub.log


async def event_cursors(ctx: Context) -> tuple[str, str]:
    """The cursors before the oldest event that is kept, and after the newest.

    Raises:
        Unavailable: the log can't be read.
    """
    authorise(ctx, Action.READ, "event")
    log = log_of(ctx)
    return await log.cursor(await log.floors()), await log.cursor(await log.heads())


def _full(table: Table, row: Mapping[str, Any]) -> Mapping[str, Any]:
    return {**dict.fromkeys(table.columns), **row}
