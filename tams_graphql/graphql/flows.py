"""Flows: one interface, one type per format."""

import asyncio
from typing import TYPE_CHECKING, Annotated, Any

import strawberry

from tams_graphql.graphql import connections as relay
from tams_graphql.graphql import essence, fields
from tams_graphql.graphql import tags as tagging
from tams_graphql.graphql.connections import After, Before, Connection, First, Last, Node, Reverse
from tams_graphql.graphql.context import Info
from tams_graphql.graphql.errors import shown_or_null
from tams_graphql.graphql.filters import capped
from tams_graphql.graphql.json_shapes import read_json
from tams_graphql.graphql.profiles import Profile, find_profile
from tams_graphql.graphql.scalars import UUID, ZERO, DateTime, MimeType, Timestamp
from tams_graphql.graphql.segments import (
    FirstSegments,
    FlowSegmentConnection,
    LastSegments,
    segment_connection,
)
from tams_graphql.graphql.timeline import (
    FirstRanges,
    TimelineRange,
    flow_coverage,
    flow_gaps,
    timeline_range,
)
from tams_graphql.model import records
from tams_graphql.model.vocabulary import ContentFormat, FlowSort, FlowStatus
from tams_graphql.resolvers import flows as resolvers
from tams_graphql.resolvers.filters import FlowFilter
from tams_graphql.timeline import TimeRange

if TYPE_CHECKING:
    from tams_graphql.graphql.sources import Source

LazySource = Annotated["Source", strawberry.lazy("tams_graphql.graphql.sources")]


@strawberry.input(name="FlowFilter", description="An AND of what is given.")
class FlowFilterInput:
    """Spec 8.2, `GET /flows`."""

    source_id: UUID | None = None
    timerange: TimeRange | None = strawberry.field(
        default=None, description="With content in it; `()`: without any content."
    )
    format: ContentFormat | None = None
    codec: MimeType | None = None
    container: MimeType | None = None
    profile_id: UUID | None = None
    label: str | None = None
    status: FlowStatus | None = None
    frame_width: int | None = None
    frame_height: int | None = None
    init_segments: bool | None = None
    tags: list[tagging.TagFilterInput] | None = None
    collected_by: list[UUID] | None = strawberry.field(
        default=None,
        description="Collected by one of these Flows; an empty list: top-level Flows.",
    )


@strawberry.type(description="A Flow that another one collects.")
class FlowCollectionItem:
    """Spec 8.2, `flow-collection.json`."""

    flow_id: UUID
    role: str | None
    container_mapping: essence.ContainerMapping | None

    @strawberry.field
    async def flow(self, info: Info) -> "Flow | None":
        """Through the dataloader."""
        return await find_flow(info, self.flow_id)


@strawberry.interface(description="A concrete representation of a Source: segments on a timeline.")
class Flow(Node):
    """Spec 8.2, `flow-get.json`."""

    flow_id: UUID
    source_id: UUID
    format: ContentFormat
    label: str | None
    description: str | None
    status: FlowStatus | None
    codec: MimeType | None
    container: MimeType | None
    created_by: str | None
    updated_by: str | None
    created: DateTime
    metadata_updated: DateTime
    segments_updated: DateTime | None
    metadata_version: str
    generation: int | None
    profile_id: UUID | None
    read_only: bool
    max_bit_rate: int | None = strawberry.field(description="In 1000 bits per second.")
    avg_bit_rate: int | None = strawberry.field(description="In 1000 bits per second.")
    segment_duration: essence.Rational | None = strawberry.field(
        description="Target duration of a segment, in seconds."
    )
    container_mapping: essence.ContainerMapping | None
    segment_count: int
    record: strawberry.Private[records.Flow]

    @fields.field(description="By name.")
    def tags(self) -> list[tagging.Tag]:
        """All of them."""
        return tagging.shown_tags(self.record.tags)

    @strawberry.field
    def tag(self, name: str) -> tagging.Tag | None:
        """One of them."""
        return tagging.shown_tag(self.record.tags, name)

    @strawberry.field
    async def source(self, info: Info) -> LazySource | None:
        """Through the dataloader."""
        from tams_graphql.graphql.sources import find_source  # noqa: PLC0415 - as above

        return await find_source(info, self.source_id)

    @fields.field(description="The Profile that it is made from.")
    async def profile(self, info: Info) -> Profile | None:
        """Through the dataloader."""
        return None if self.profile_id is None else await find_profile(info, self.profile_id)

    @fields.field(description="What its segments span; of those that overlap `within`.")
    async def timerange(self, info: Info, within: TimeRange | None = None) -> TimelineRange:
        """From the rollup unless `within` is given."""
        if within is None:
            return timeline_range(self.record.timerange)
        ctx = info.context.tams
        return timeline_range(await resolvers.flow_timerange(ctx, self.flow_id, within))

    @fields.field(description="Its segments that overlap `timerange`, by time.")
    async def segments(
        self,
        info: Info,
        *,
        timerange: TimeRange | None = None,
        object_id: str | None = None,
        first: FirstSegments = None,
        after: After = None,
        last: LastSegments = None,
        before: Before = None,
        reverse: Reverse = False,
    ) -> FlowSegmentConnection:
        """One read for all Flows of a page."""
        at = relay.cut(first, after, last, before, reverse=reverse, limits=relay.SEGMENTS)
        return await segment_connection(info, self.flow_id, at, timerange, object_id)

    @fields.field(description="The Flows that it collects, in order.")
    def flow_collection(self, info: Info) -> list[FlowCollectionItem]:
        """From the Flow's own row."""
        return [
            FlowCollectionItem(
                flow_id=UUID(item.id),
                role=item.role,
                container_mapping=read_json(essence.ContainerMapping, item.container_mapping),
            )
            for item in info.context.counted(self.record.flow_collection or ())
        ]

    @fields.field(description="The Flows that collect it.")
    async def collected_by(self, info: Info) -> "list[Flow]":
        """Batched."""
        ids = await resolvers.flow_collected_by(info.context.tams, self.flow_id)
        found = await asyncio.gather(
            *(find_flow(info, flow_id) for flow_id in info.context.counted(ids))
        )
        return [flow for flow in found if flow is not None]

    @fields.field(description="Contiguous ranges of content; shorter holes are bridged.")
    async def coverage(
        self,
        info: Info,
        *,
        timerange: TimeRange | None = None,
        min_gap: Timestamp = ZERO,
        first: FirstRanges = None,
    ) -> list[TimelineRange]:
        """By interval arithmetic in the store."""
        return await flow_coverage(info, self.flow_id, timerange, min_gap, first)

    @fields.field(description="Holes, by default between its first and last segment.")
    async def gaps(
        self,
        info: Info,
        *,
        timerange: TimeRange | None = None,
        min_duration: Timestamp = ZERO,
        first: FirstRanges = None,
    ) -> list[TimelineRange]:
        """By interval arithmetic in the store."""
        return await flow_gaps(info, self.flow_id, timerange, min_duration, first)


@strawberry.type
class VideoFlow(Flow):
    """Spec 8.2, `flow-video.json`."""

    essence_parameters: essence.VideoEssenceParameters | None


@strawberry.type
class AudioFlow(Flow):
    """Spec 8.2, `flow-audio.json`."""

    essence_parameters: essence.AudioEssenceParameters | None


@strawberry.type
class ImageFlow(Flow):
    """Spec 8.2, `flow-image.json`."""

    essence_parameters: essence.ImageEssenceParameters | None


@strawberry.type
class DataFlow(Flow):
    """Spec 8.2, `flow-data.json`."""

    essence_parameters: essence.DataEssenceParameters | None


@strawberry.type(description="A Flow of several essences, which it collects or multiplexes.")
class MultiFlow(Flow):
    """Spec 8.2, `flow-multi.json`."""

    essence_parameters: essence.MultiEssenceParameters | None


FLOW_TYPES: dict[ContentFormat, tuple[type[Any], type[Any]]] = {
    ContentFormat.VIDEO: (VideoFlow, essence.VideoEssenceParameters),
    ContentFormat.AUDIO: (AudioFlow, essence.AudioEssenceParameters),
    ContentFormat.IMAGE: (ImageFlow, essence.ImageEssenceParameters),
    ContentFormat.DATA: (DataFlow, essence.DataEssenceParameters),
    ContentFormat.MULTI: (MultiFlow, essence.MultiEssenceParameters),
}


def flow_of(record: records.Flow) -> Flow:
    """A stored Flow as GraphQL shows it, as the type of its format."""
    kind, parameters = FLOW_TYPES[record.format]
    flow: Flow = kind(
        id=relay.global_id("Flow", record.id),
        flow_id=UUID(record.id),
        source_id=UUID(record.source_id),
        format=record.format,
        label=record.label,
        description=record.description,
        status=record.status,
        codec=record.codec,
        container=record.container,
        created_by=record.created_by,
        updated_by=record.updated_by,
        created=DateTime(record.created_us),
        metadata_updated=DateTime(record.metadata_updated_us),
        segments_updated=record.segments_updated_us,
        metadata_version=record.metadata_version,
        generation=record.generation,
        profile_id=record.profile_id,
        read_only=bool(record.read_only),
        max_bit_rate=record.max_bit_rate,
        avg_bit_rate=record.avg_bit_rate,
        segment_duration=read_json(essence.Rational, record.segment_duration),
        container_mapping=read_json(essence.ContainerMapping, record.container_mapping),
        essence_parameters=read_json(parameters, record.essence_parameters),
        segment_count=record.segment_count,
        record=record,
    )
    return flow


async def find_flow(info: Info, flow_id: str) -> Flow | None:
    """A Flow, or ``None`` if there is none."""
    return await shown_or_null(resolvers.get_flow(info.context.tams, flow_id), flow_of)


@strawberry.type
class FlowQueries:
    """The root fields about Flows."""

    @fields.field(description="One Flow, or null.")
    async def flow(self, info: Info, flow_id: UUID) -> Flow | None:
        """By TAMS id."""
        return await find_flow(info, flow_id)

    @fields.field(description="Flows, by default the most recently created first.")
    async def flows(
        self,
        info: Info,
        *,
        filter: FlowFilterInput | None = None,  # noqa: A002 - the schema's word
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
        sort: FlowSort = FlowSort.CREATED,
        reverse: Reverse = False,
    ) -> Connection[Flow]:
        """Spec 8.2, `GET /flows`."""
        ctx, filters = info.context.tams, _filters(filter, sort)
        at = relay.cut(first, after, last, before, reverse=reverse)
        page = await resolvers.list_flows(ctx, filters, at.request)
        return relay.connection(page, at, flow_of, lambda: resolvers.count_flows(ctx, filters))


def _filters(given: FlowFilterInput | None, sort: FlowSort) -> FlowFilter:
    if given is None:
        return FlowFilter(sort=sort)
    return FlowFilter(
        source_id=given.source_id,
        timerange=given.timerange,
        format=given.format,
        codec=given.codec,
        container=given.container,
        profile_id=given.profile_id,
        label=given.label,
        status=given.status,
        frame_width=given.frame_width,
        frame_height=given.frame_height,
        init_segments=given.init_segments,
        tags=tagging.tag_filters(given.tags, "filter.tags"),
        collected_by=capped("filter.collectedBy", given.collected_by),
        sort=sort,
    )
