"""Sources."""

import asyncio
from typing import TYPE_CHECKING, Annotated

import strawberry

from tams_graphql.graphql import connections as relay
from tams_graphql.graphql import fields
from tams_graphql.graphql import tags as tagging
from tams_graphql.graphql.connections import After, Before, Connection, First, Last, Node, Reverse
from tams_graphql.graphql.context import Info
from tams_graphql.graphql.errors import shown_or_null
from tams_graphql.graphql.filters import capped
from tams_graphql.graphql.scalars import UUID, DateTime
from tams_graphql.graphql.timeline import SourceTimeline, source_timeline
from tams_graphql.model import records
from tams_graphql.model.vocabulary import ContentFormat, FlowSort, SourceSort
from tams_graphql.resolvers import flows as flow_resolvers
from tams_graphql.resolvers import sources as resolvers
from tams_graphql.resolvers.filters import FlowFilter, SourceFilter
from tams_graphql.timeline import TimeRange

if TYPE_CHECKING:
    from tams_graphql.graphql.flows import Flow

LazyFlow = Annotated["Flow", strawberry.lazy("tams_graphql.graphql.flows")]


@strawberry.input(name="SourceFilter", description="An AND of what is given.")
class SourceFilterInput:
    """Spec 8.2, `GET /sources`."""

    label: str | None = None
    format: ContentFormat | None = None
    tags: list[tagging.TagFilterInput] | None = None
    collected_by: list[UUID] | None = strawberry.field(
        default=None,
        description="Collected by one of these Sources; an empty list: top-level Sources.",
    )


@strawberry.type(description="A Source that another one collects.")
class SourceCollectionItem:
    """Spec 8.2, `collection-item.json`."""

    source_id: UUID
    role: str | None

    @strawberry.field
    async def source(self, info: Info) -> "Source | None":
        """Through the dataloader."""
        return await find_source(info, self.source_id)


@strawberry.type(description="Content as such, whatever it is encoded as: what Flows represent.")
class Source(Node):
    """Spec 8.2, `source.json`."""

    source_id: UUID
    format: ContentFormat
    label: str | None
    description: str | None
    created_by: str | None
    updated_by: str | None
    created: DateTime
    updated: DateTime = strawberry.field(description="When its metadata last changed.")
    record: strawberry.Private[records.Source]

    @fields.field(description="By name.")
    def tags(self) -> list[tagging.Tag]:
        """All of them."""
        return tagging.shown_tags(self.record.tags)

    @strawberry.field
    def tag(self, name: str) -> tagging.Tag | None:
        """One of them."""
        return tagging.shown_tag(self.record.tags, name)

    @fields.field(description="Its Flows, by default the most recently created first.")
    async def flows(
        self,
        info: Info,
        *,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
        sort: FlowSort = FlowSort.CREATED,
        reverse: Reverse = False,
    ) -> Connection[LazyFlow]:
        """One read for the Flows of all Sources of a page."""
        from tams_graphql.graphql.flows import flow_of  # noqa: PLC0415 - the nouns know each other

        ctx, filters = info.context.tams, FlowFilter(source_id=self.source_id, sort=sort)
        at = relay.cut(first, after, last, before, reverse=reverse)
        if at.plain and sort is FlowSort.CREATED:
            page = await flow_resolvers.flows_of_source(ctx, self.source_id, at.limit)
        else:
            page = await flow_resolvers.list_flows(ctx, filters, at.request)
        return relay.connection(page, at, flow_of, lambda: flow_resolvers.count_flows(ctx, filters))

    @fields.field(description="The Sources that it collects, inferred from its Flows.")
    async def source_collection(self, info: Info) -> list[SourceCollectionItem]:
        """Batched."""
        items = await resolvers.source_collection(info.context.tams, self.source_id)
        return [
            SourceCollectionItem(source_id=UUID(item.id), role=item.role)
            for item in info.context.counted(items)
        ]

    @fields.field(description="The Sources that collect it.")
    async def collected_by(self, info: Info) -> "list[Source]":
        """Batched."""
        ids = await resolvers.source_collected_by(info.context.tams, self.source_id)
        found = await asyncio.gather(
            *(find_source(info, source_id) for source_id in info.context.counted(ids))
        )
        return [source for source in found if source is not None]

    @fields.field(
        description="The coverage of its Flows, side by side (the first so many by creation)."
    )
    async def timeline(
        self,
        info: Info,
        timerange: TimeRange | None = None,
        first: Annotated[
            int | None, strawberry.argument(description="Flows (default 20, most 100).")
        ] = None,
    ) -> SourceTimeline:
        """One read per Flow."""
        limit = relay.limited("first", first, relay.LISTS)
        return await source_timeline(info, self.source_id, timerange, limit)


def source_of(record: records.Source) -> Source:
    """A stored Source as GraphQL shows it."""
    return Source(
        id=relay.global_id("Source", record.id),
        source_id=UUID(record.id),
        format=record.format,
        label=record.label,
        description=record.description,
        created_by=record.created_by,
        updated_by=record.updated_by,
        created=DateTime(record.created_us),
        updated=DateTime(record.updated_us),
        record=record,
    )


async def find_source(info: Info, source_id: str) -> Source | None:
    """A Source, or ``None`` if there is none."""
    return await shown_or_null(resolvers.get_source(info.context.tams, source_id), source_of)


@strawberry.type
class SourceQueries:
    """The root fields about Sources."""

    @fields.field(description="One Source, or null.")
    async def source(self, info: Info, source_id: UUID) -> Source | None:
        """By TAMS id."""
        return await find_source(info, source_id)

    @fields.field(description="Sources, by default the most recently created first.")
    async def sources(
        self,
        info: Info,
        *,
        filter: SourceFilterInput | None = None,  # noqa: A002 - the schema's word
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
        sort: SourceSort = SourceSort.CREATED,
        reverse: Reverse = False,
    ) -> Connection[Source]:
        """Spec 8.2, `GET /sources`."""
        ctx, filters = info.context.tams, _filters(filter, sort)
        at = relay.cut(first, after, last, before, reverse=reverse)
        page = await resolvers.list_sources(ctx, filters, at.request)
        return relay.connection(page, at, source_of, lambda: resolvers.count_sources(ctx, filters))


def _filters(given: SourceFilterInput | None, sort: SourceSort) -> SourceFilter:
    if given is None:
        return SourceFilter(sort=sort)
    return SourceFilter(
        label=given.label,
        format=given.format,
        tags=tagging.tag_filters(given.tags, "filter.tags"),
        collected_by=capped("filter.collectedBy", given.collected_by),
        sort=sort,
    )
