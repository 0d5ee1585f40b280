"""Ranges on a timeline, what a Flow covers of one, and a Source's Flows side by side."""

import asyncio
from itertools import chain
from typing import TYPE_CHECKING, Annotated, TypeAlias

import strawberry

from tams_graphql.graphql import connections as relay
from tams_graphql.graphql.context import Info
from tams_graphql.graphql.scalars import Timestamp
from tams_graphql.model.errors import InvalidInput
from tams_graphql.resolvers import flows as flow_resolvers
from tams_graphql.resolvers import timeline as resolvers
from tams_graphql.timeline import TimeRange, union

if TYPE_CHECKING:
    from tams_graphql.graphql.flows import Flow

LazyFlow = Annotated["Flow", strawberry.lazy("tams_graphql.graphql.flows")]
FirstRanges: TypeAlias = Annotated[
    int | None,
    strawberry.argument(description="The first so many ranges (default 100, most 5000)."),
]


@strawberry.type(description="A range on a timeline, also taken apart.")
class TimelineRange:
    """`end` is the instant right after the range."""

    timerange: TimeRange = strawberry.field(description="As the TAMS specification writes it.")
    start: Timestamp | None = strawberry.field(description="Null if it has no beginning.")
    end: Timestamp | None = strawberry.field(
        description="The first instant after it; null if it has no end."
    )
    duration: Timestamp | None = strawberry.field(description="Null unless it has both ends.")


def timeline_range(timerange: TimeRange) -> TimelineRange:
    """A range as GraphQL shows it; an empty one starts and ends nowhere."""
    start, end = timerange.start_ns, timerange.end_ns
    empty = timerange.is_empty
    return TimelineRange(
        timerange=timerange,
        start=None if start is None or empty else Timestamp(start),
        end=None if end is None or empty else Timestamp(end),
        duration=None if start is None or end is None else Timestamp(end - start),
    )


async def flow_coverage(
    info: Info, flow_id: str, timerange: TimeRange | None, min_gap: int, first: int | None
) -> list[TimelineRange]:
    """What a Flow covers.

    Raises:
        InvalidInput: a negative gap, or `first` out of range.
    """
    limit = relay.limited("first", first, relay.RANGES)
    _not_negative("minGap", min_gap)
    ranges = await resolvers.coverage(info.context.tams, flow_id, timerange, min_gap, limit)
    return [timeline_range(part) for part in ranges]


async def flow_gaps(
    info: Info, flow_id: str, timerange: TimeRange | None, min_duration: int, first: int | None
) -> list[TimelineRange]:
    """What a Flow does not cover.

    Raises:
        InvalidInput: a negative duration, or `first` out of range.
    """
    limit = relay.limited("first", first, relay.RANGES)
    _not_negative("minDuration", min_duration)
    ranges = await resolvers.gaps(info.context.tams, flow_id, timerange, min_duration, limit)
    return [timeline_range(part) for part in ranges]


def _not_negative(name: str, ns: int) -> None:
    if ns < 0:
        raise InvalidInput(name, "timestamp.negative", f"{name} can't be negative")


@strawberry.type(description="One Flow on its Source's timeline.")
class TimelineTrack:
    """A Flow with what it covers."""

    flow: LazyFlow
    coverage: list[TimelineRange]


@strawberry.type(description="A Source's Flows side by side.")
class SourceTimeline:
    """One track per Flow."""

    tracks: list[TimelineTrack]
    covered: list[TimelineRange] = strawberry.field(
        description="What at least one of the Flows covers."
    )


async def source_timeline(
    info: Info, source_id: str, timerange: TimeRange | None, limit: int
) -> SourceTimeline:
    """The coverage of the first `limit` Flows of a Source; ranges are capped as in `coverage`."""
    from tams_graphql.graphql.flows import flow_of  # noqa: PLC0415 - the nouns know each other

    ctx = info.context.tams
    page = await flow_resolvers.flows_of_source(ctx, source_id, limit)
    covered = await asyncio.gather(
        *(
            resolvers.coverage(ctx, flow.id, timerange, 0, relay.RANGES.default)
            for flow in page.items
        )
    )
    return SourceTimeline(
        tracks=[
            TimelineTrack(flow=flow_of(flow), coverage=[timeline_range(part) for part in parts])
            for flow, parts in zip(page.items, covered, strict=True)
        ],
        covered=[timeline_range(part) for part in union(chain.from_iterable(covered))],
    )
