"""The listing of sources: which filters the engine applies, and which are checked here."""

from tams_graphql.metadata.engine import Filter, OneOf, Scan
from tams_graphql.metadata.tables import COLLECTIONS, SOURCES
from tams_graphql.model.records import Source
from tams_graphql.model.vocabulary import SourceSort
from tams_graphql.resolvers.collections import load_source_collected_by
from tams_graphql.resolvers.context import Context
from tams_graphql.resolvers.filters import SourceFilter
from tams_graphql.resolvers.listing import Check, Listing
from tams_graphql.resolvers.narrowing import check_tags, common, labelled, tagged
from tams_graphql.resolvers.reading import Found, all_per_key
from tams_graphql.resolvers.source_rows import source_from_row


async def source_listing(ctx: Context, filters: SourceFilter) -> Listing[Source]:
    """The sources that match `filters` (spec 8.2, `GET /sources`)."""
    where: list[Filter] = []
    if filters.label is not None:
        where.append(OneOf("label", (filters.label,)))
    if filters.format is not None:
        where.append(OneOf("format", (filters.format.value,)))
    if filters.formats is not None:
        where.append(OneOf("format", tuple(one.value for one in filters.formats)))
    top_level = (_top_level(ctx),) if filters.collected_by == () else ()
    return Listing(
        name=f"sources:{filters.sort.value}",
        table=SOURCES,
        order=filters.sort.value,
        descending=filters.sort is not SourceSort.LABEL,
        read=source_from_row,
        where=tuple(where),
        checks=(*check_tags(filters.tags), *top_level),
        candidates=await _candidates(ctx, filters),
    )


async def _candidates(ctx: Context, filters: SourceFilter) -> frozenset[str] | None:
    sets = await tagged(ctx.metadata, "source", filters.tags)
    if filters.label is not None:
        sets += await labelled(ctx.metadata, SOURCES, filters.label)
    if filters.collected_by:
        sets.append(await _collected_by(ctx, filters.collected_by))
    return common(sets)


async def _collected_by(ctx: Context, collectors: tuple[str, ...]) -> frozenset[str]:
    scan = Scan(table=COLLECTIONS, order="collector_source")
    prefixes = [(collector,) for collector in sorted(set(collectors))]
    edges = await all_per_key(ctx.metadata, scan, prefixes)
    return frozenset(
        str(edge["member_source_id"])
        for edge in edges
        if edge["member_source_id"] != edge["collector_source_id"]
    )


def _top_level(ctx: Context) -> Check:
    async def check(rows: list[Found]) -> list[Found]:
        collectors = await load_source_collected_by(
            ctx.loaders, [str(row["source_id"]) for row in rows]
        )
        return [row for row, by in zip(rows, collectors, strict=True) if not by]

    return check
