"""Flow Segments: pages of them, held as columns."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, TypeAlias, cast

import strawberry

from tams_graphql.graphql import connections as relay
from tams_graphql.graphql import fields
from tams_graphql.graphql.connections import Cut, Node, PageInfo
from tams_graphql.graphql.context import Info
from tams_graphql.graphql.scalars import UUID, Int64, Timestamp
from tams_graphql.graphql.selection import selected_names
from tams_graphql.graphql.urls import GetUrl, GetUrlFilter, shown_urls
from tams_graphql.model.errors import InvalidInput, NotFound
from tams_graphql.resolvers import segments as resolvers
from tams_graphql.resolvers.context import Context
from tams_graphql.resolvers.paging import PageRequest
from tams_graphql.resolvers.urls import parse_instances
from tams_graphql.timeline import TimeRange

if TYPE_CHECKING:
    from tams_graphql.graphql.objects import MediaObject

LazyMediaObject = Annotated["MediaObject", strawberry.lazy("tams_graphql.graphql.objects")]

FirstSegments: TypeAlias = Annotated[
    int | None,
    strawberry.argument(description="The first so many segments (default 100, most 5000)."),
]
LastSegments: TypeAlias = Annotated[
    int | None, strawberry.argument(description="The last so many segments; instead of `first`.")
]


@strawberry.type(description="The initialisation object that a segment's Media Object needs.")
class InitObject:
    """Spec 8.2, `flow-segment.json`, `init_object`."""

    object_id: str
    instances_json: strawberry.Private[str | None]

    @fields.field(description="Signed only when selected.")
    def get_urls(
        self,
        info: Info,
        filter: GetUrlFilter | None = None,  # noqa: A002 - the schema's word
    ) -> list[GetUrl]:
        """As for the segment itself."""
        return shown_urls(info, parse_instances(self.instances_json), filter)


@strawberry.type(description="A Media Object on a Flow's timeline.")
class FlowSegment(Node):
    """Spec 8.2, `flow-segment.json`; one row, when columns do not do."""

    flow_id: UUID
    object_id: str
    timerange: TimeRange
    start: Timestamp
    end: Timestamp = strawberry.field(description="The first instant after it.")
    duration: Timestamp
    ts_offset: Timestamp = strawberry.field(
        description="Added to the object's timestamps it gives the Flow's."
    )
    last_duration: Timestamp | None = strawberry.field(description="Of its last sample.")
    object_timerange: TimeRange = strawberry.field(
        description="What of the Media Object's own timeline is used."
    )
    key_frame_count: int | None
    sample_offset: Int64 | None = strawberry.field(
        deprecation_reason="Deprecated by the TAMS specification; use objectTimerange."
    )
    sample_count: Int64 | None = strawberry.field(
        deprecation_reason="Deprecated by the TAMS specification; use objectTimerange."
    )
    init_object: InitObject | None
    instances_json: strawberry.Private[str | None]

    @fields.field(description="Where its bytes are; signed only when selected.")
    def get_urls(
        self,
        info: Info,
        filter: GetUrlFilter | None = None,  # noqa: A002 - the schema's word
    ) -> list[GetUrl]:
        """Without a look-up: the row knows its instances."""
        return shown_urls(info, parse_instances(self.instances_json), filter)

    @strawberry.field
    async def object(self, info: Info) -> LazyMediaObject | None:
        """Through the dataloader."""
        from tams_graphql.graphql.objects import find_object  # noqa: PLC0415 - the nouns know each other

        return await find_object(info, self.object_id)


@strawberry.type(description="A segment of a page, with its cursor.")
class FlowSegmentEdge:
    """Relay's Edge."""

    cursor: str
    node: FlowSegment


@strawberry.type(description="A page of a Flow's segments.")
class FlowSegmentConnection:
    """Relay's Connection; its lists are columns."""

    edges: list[FlowSegmentEdge]
    nodes: list[FlowSegment]
    page_info: PageInfo
    count: strawberry.Private[Callable[[], Awaitable[int]]]

    @fields.field(description="How many there are in all; may cost a query of its own.")
    async def total_count(self) -> int:
        """From the rollup, unless filtered."""
        return await self.count()


async def segment_connection(
    info: Info, flow_id: str, at: Cut, timerange: TimeRange | None, object_id: str | None
) -> FlowSegmentConnection:
    """A page of a Flow's segments.

    Raises:
        InvalidInput: the cursor is none of this listing.
    """
    from tams_graphql.graphql.segment_rows import (  # noqa: PLC0415
        SegmentEdgeRows,
        SegmentRows,
        columns_of,
    )

    ctx = info.context.tams
    page = await resolvers.list_segments(
        ctx,
        flow_id,
        at.request,
        timerange=timerange,
        object_id=object_id,
        columns=columns_of(selected_names(info)),
    )
    rows = SegmentRows(ctx, page.columns[::-1] if at.backward else page.columns)
    edges = SegmentEdgeRows(rows)

    async def count() -> int:
        if object_id is None:
            return await resolvers.count_segments(ctx, flow_id, timerange)
        return await _count_of_object(ctx, flow_id, timerange, object_id)

    return FlowSegmentConnection(
        edges=cast("list[FlowSegmentEdge]", edges),
        nodes=cast("list[FlowSegment]", rows),
        page_info=at.info(rows.ends(), has_more=page.has_more),
        count=count,
    )


async def _count_of_object(
    ctx: Context, flow_id: str, timerange: TimeRange | None, object_id: str
) -> int:
    total, after = 0, None
    while True:
        request = PageRequest(limit=relay.SEGMENTS.most, after=after)
        page = await resolvers.list_segments(
            ctx, flow_id, request, timerange=timerange, object_id=object_id, columns=()
        )
        total, after = total + int(page.columns.num_rows), page.next_cursor
        if after is None:
            return total


async def find_segment(info: Info, rest: str) -> FlowSegment | None:
    """The segment of a global id.

    Raises:
        InvalidInput: it is no segment's.
    """
    from tams_graphql.graphql.segment_rows import SegmentRows  # noqa: PLC0415 - see above

    flow_id, _, start = rest.partition(":")
    if not start.removeprefix("-").isdecimal() or len(start) > 20:
        raise InvalidInput("id", "id.malformed", "not an id of this service")
    at = relay.Cut(1, None, backward=False, reverse=False)
    try:
        page = await resolvers.list_segments(
            info.context.tams, flow_id, at.request, timerange=TimeRange.instant(int(start))
        )
    except NotFound:
        return None
    if not page.columns.num_rows or page.columns["start_ns"][0].as_py() != int(start):
        return None
    return next(iter(SegmentRows(info.context.tams, page.columns)))
