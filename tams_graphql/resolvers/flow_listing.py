"""The listing of flows: which filters the engine applies, and which are checked here."""

from tams_graphql.metadata.engine import Between, Filter, Key, OneOf, Scan
from tams_graphql.metadata.tables import COLLECTIONS, FLOWS, SEGMENTS
from tams_graphql.model.records import Flow
from tams_graphql.model.vocabulary import ContentFormat, FlowSort
from tams_graphql.resolvers.context import Context
from tams_graphql.resolvers.filters import FlowFilter
from tams_graphql.resolvers.flow_rows import flow_from_row
from tams_graphql.resolvers.listing import FEW, Check, Listing
from tams_graphql.resolvers.narrowing import check_tags, common, labelled, tagged
from tams_graphql.resolvers.reading import Found, all_per_key
from tams_graphql.timeline import ETERNITY, MAX_NS, MIN_NS, TimeRange

_PLAIN = ("source_id", "format", "codec", "container", "profile_id", "label", "status")
_SIZES = ("frame_width", "frame_height")


async def flow_listing(ctx: Context, filters: FlowFilter) -> Listing[Flow]:
    """The flows that match `filters` (spec 8.2, `GET /flows`).

    ``frame_width`` and ``frame_height`` ask for video flows, as the spec says, unless a format
    is given. A flow without ``init_segments`` counts as one where it is false.
    """
    return Listing(
        name=f"flows:{filters.sort.value}",
        table=FLOWS,
        order=filters.sort.value,
        descending=filters.sort is not FlowSort.LABEL,
        read=flow_from_row,
        where=(*_equalities(filters), *_spanning(filters.timerange)),
        checks=(
            *check_tags(filters.tags),
            *((_top_level(ctx),) if filters.collected_by == () else ()),
            *_with_content(ctx, filters.timerange),
        ),
        candidates=await _candidates(ctx, filters),
    )


def _equalities(filters: FlowFilter) -> list[Filter]:
    where: list[Filter] = []
    for name in (*_PLAIN, *_SIZES):
        value = getattr(filters, name)
        if value is not None:
            where.append(OneOf(name, (value,)))
    if filters.formats is not None:
        where.append(OneOf("format", tuple(one.value for one in filters.formats)))
    if filters.format is None and any(getattr(filters, name) is not None for name in _SIZES):
        where.append(OneOf("format", (ContentFormat.VIDEO.value,)))
    if filters.init_segments is not None:
        where.append(OneOf("init_segments", (True,) if filters.init_segments else (False, None)))
    return where


def _spanning(timerange: TimeRange | None) -> list[Filter]:
    """What the rollup tells: a flow with content there at least spans some of it."""
    if timerange is None or timerange == ETERNITY:
        return []
    if timerange.start_ns == MAX_NS or timerange.end_ns == MIN_NS:
        # Clamped from beyond what can be stored: it is not empty, but no flow has content there.
        return [Between("segment_count", below=0)]
    if timerange.is_empty:
        return [OneOf("segment_count", (0,))]
    where: list[Filter] = []
    if timerange.start_ns is not None:
        where.append(Between("end_ns", at_least=timerange.start_ns + 1))
    if timerange.end_ns is not None:
        where.append(Between("start_ns", below=timerange.end_ns))
    return where


def _with_content(ctx: Context, timerange: TimeRange | None) -> tuple[Check, ...]:
    """The exact test: a segment of the flow overlaps `timerange`."""
    if timerange is None or timerange == ETERNITY or timerange.is_empty:
        return ()

    async def check(rows: list[Found]) -> list[Found]:
        scan = Scan(
            table=SEGMENTS,
            overlapping=(timerange.start_ns, timerange.end_ns),
            limit=1,
            columns=SEGMENTS.key,
        )
        keys: list[Key] = [(row["timeline_id"],) for row in rows]
        found = await ctx.metadata.first_per_key(scan, keys)
        overlapping = set(found["timeline_id"].to_pylist())
        return [row for row in rows if row["timeline_id"] in overlapping]

    return (check,)


def _top_level(ctx: Context) -> Check:
    async def check(rows: list[Found]) -> list[Found]:
        order = COLLECTIONS.orders["member"]
        scan = Scan(table=COLLECTIONS, order="member", limit=1, columns=order)
        keys: list[Key] = [(row["flow_id"],) for row in rows]
        collected = set(
            (await ctx.metadata.first_per_key(scan, keys))["member_flow_id"].to_pylist()
        )
        return [row for row in rows if row["flow_id"] not in collected]

    return check


async def _candidates(ctx: Context, filters: FlowFilter) -> frozenset[str] | None:
    sets = await tagged(ctx.metadata, "flow", filters.tags)
    if filters.label is not None:
        sets += await labelled(ctx.metadata, FLOWS, filters.label)
    if filters.source_id is not None:
        sets += await _few(ctx, "source", filters.source_id)
    if filters.profile_id is not None:
        sets += await _few(ctx, "profile", filters.profile_id)
    if filters.collected_by:
        sets.append(await _collected_by(ctx, filters.collected_by))
    return common(sets)


async def _few(ctx: Context, order: str, value: str) -> list[frozenset[str]]:
    """The ids of the flows at `value` of a sort order, if they are few."""
    columns = FLOWS.orders[order]
    scan = Scan(table=FLOWS, order=order, prefix=(value,), limit=FEW + 1, columns=columns)
    ids = (await ctx.metadata.page(scan))["flow_id"].to_pylist()
    return [frozenset(ids)] if len(ids) <= FEW else []


async def _collected_by(ctx: Context, collectors: tuple[str, ...]) -> frozenset[str]:
    columns = (*COLLECTIONS.key, "member_flow_id")
    prefixes: list[Key] = [(collector,) for collector in sorted(set(collectors))]
    edges = await all_per_key(ctx.metadata, Scan(table=COLLECTIONS, columns=columns), prefixes)
    return frozenset(str(edge["member_flow_id"]) for edge in edges)
