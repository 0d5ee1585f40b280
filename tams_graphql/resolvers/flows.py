"""Flows: metadata, properties, tags and collections."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeVar

import pyarrow as pa

from tams_graphql.metadata import engine, tables
from tams_graphql.metadata.edits import Edits
from tams_graphql.metadata.engine import Changes, Command, Key, Scan, View
from tams_graphql.model.errors import NotFound
from tams_graphql.model.flow_input import FlowInput, flow_input
from tams_graphql.model.identifiers import known_form
from tams_graphql.model.records import DeletionRequest, Flow, Tags, TagValue
from tams_graphql.model.tags import tag_value
from tams_graphql.resolvers.authorise import Action, authorise
from tams_graphql.resolvers.collections import load_flow_collected_by
from tams_graphql.resolvers.context import Context
from tams_graphql.resolvers.deletions import is_long, request_deletion
from tams_graphql.resolvers.discard import discard_in_passing
from tams_graphql.resolvers.filters import FlowFilter
from tams_graphql.resolvers.flow_changes import (
    create_flow,
    existing_flow,
    relied_on,
    remove_flow,
    remove_timeline,
    replace_flow,
    revise_flow,
    stored_flow,
    with_values,
    writable_flow,
)
from tams_graphql.resolvers.flow_listing import flow_listing
from tams_graphql.resolvers.flow_rows import flows_from_table
from tams_graphql.resolvers.listing import count_all, list_page, page_of
from tams_graphql.resolvers.paging import Page, PageRequest
from tams_graphql.resolvers.profiles import named_profiles
from tams_graphql.resolvers.properties import (
    FLOW_PROPERTIES,
    checked_tags,
    property_value,
    with_tag,
    with_tags,
)
from tams_graphql.resolvers.reading import Found
from tams_graphql.resolvers.stamp import Stamp
from tams_graphql.resolvers.timelines import remember_timelines, timelines_of
from tams_graphql.timeline import ETERNITY, NEVER, Bounds, TimeRange

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class PutFlow:
    """The flow after a PUT, and whether the PUT created it."""

    flow: Flow
    created: bool


async def get_flow(ctx: Context, flow_id: str) -> Flow:
    """One Flow, through the request's dataloader.

    Raises:
        NotFound: no such flow.
    """
    authorise(ctx, Action.READ, "flow", flow_id)
    known_form("flow", flow_id)
    flow = await ctx.loaders.load("flow", partial(_load_flows, ctx), flow_id)
    if flow is None:
        raise NotFound("flow", flow_id)
    return flow


async def list_flows(ctx: Context, filters: FlowFilter, page: PageRequest) -> Page[Flow]:
    """A page of Flows; `created` and `metadata_updated` put the most recent first (spec 8.2)."""
    authorise(ctx, Action.READ, "flow")
    found = await list_page(ctx.metadata, await flow_listing(ctx, filters), page)
    remember_timelines(ctx, found.items)
    return found


async def count_flows(ctx: Context, filters: FlowFilter) -> int:
    """How many Flows match; costs a scan."""
    authorise(ctx, Action.READ, "flow")
    return await count_all(ctx.metadata, await flow_listing(ctx, filters))


async def flows_of_source(ctx: Context, source_id: str, limit: int) -> Page[Flow]:
    """The first page of a Source's Flows; one read for all sources of a tick.

    Items, order and cursors are those of `list_flows` with ``FlowFilter(source_id=source_id)``,
    so that a client can go on from here with `list_flows`.
    """
    authorise(ctx, Action.READ, "flow")
    kind = ("flows of source", limit)
    return await ctx.loaders.load(kind, partial(_load_flows_of_sources, ctx, limit), source_id)


async def flow_collected_by(ctx: Context, flow_id: str) -> tuple[str, ...]:
    """Ids of the Flows that collect this one. Batched."""
    authorise(ctx, Action.READ, "flow", flow_id)
    batch = partial(load_flow_collected_by, ctx.loaders)
    return await ctx.loaders.load("flow collected by", batch, flow_id)


async def put_flow(
    ctx: Context,
    flow_id: str,
    body: Mapping[str, Any],
    *,
    restore: Callable[[Mapping[str, Any], Flow], Mapping[str, Any]] | None = None,
) -> PutFlow:
    """Create or replace a Flow from the JSON body of spec 8.2 `flow-put.json`.

    An equal body changes nothing. The source comes with its first flow.

    Args:
        ctx: the request.
        flow_id: which Flow.
        body: the JSON body.
        restore: the body to read instead of `body` if this Flow is replaced: with what the
            client can't see of it (DECISIONS, versions). Pure; it may be called again.

    Raises:
        NotFound: the body's id differs from `flow_id`, or `flow_id` is malformed.
        InvalidInput: the body breaks the schema or a rule; every problem is named. Among the
            rules: a profile must exist, and allows of no technical metadata beside it.
        Forbidden: the flow is read-only.
    """
    authorise(ctx, Action.WRITE, "flow", flow_id)
    known_form("flow", flow_id)
    profiles = await named_profiles(ctx, body)
    # Whether the body is a valid one depends on what is stored, if that fills it up.
    known = _named_flow(flow_id, body, profiles) if restore is None else None
    stamp = Stamp.of(ctx)

    def command(view: View) -> Changes[PutFlow]:
        edits = Edits()
        current = stored_flow(view, flow_id)
        whole = body if restore is None or current is None else restore(body, current)
        given = known or _named_flow(flow_id, whole, profiles)
        if known is None:
            view.rely_on(*relied_on(given))
        if current is None:
            return edits.changes(PutFlow(create_flow(view, edits, given, stamp), created=True))
        flow = replace_flow(view, edits, current, given, stamp)
        return edits.changes(PutFlow(flow, created=False))

    this = [engine.flow(flow_id), engine.creation("flow", flow_id)]
    return await _commit(ctx, command, this if known is None else relied_on(known))


def _named_flow(
    flow_id: str, body: Mapping[str, Any], profiles: Mapping[str, Mapping[str, Any]]
) -> FlowInput:
    given = flow_input(body, profiles)
    if given.id != flow_id:
        raise NotFound("flow", flow_id)
    return given


async def set_flow_property(
    ctx: Context,
    flow_id: str,
    name: str,
    value: Any | None,
    *,
    restore: Callable[[Any, Flow], Any] | None = None,
    cuts_profile: bool = False,
) -> Flow:
    """Set one property, ``None`` removes it.

    Args:
        ctx: the request.
        flow_id: which Flow.
        name: ``label``, ``description``, ``read_only``, ``max_bit_rate``, ``avg_bit_rate`` or
            ``flow_collection`` (a JSON list as spec 8.2 `flow-collection.json`).
        value: the value.
        restore: the value to set instead, as `put_flow`.
        cuts_profile: the client knows no profiles: another ``avg_bit_rate`` than the profile's
            cuts the link, as a PUT of the whole Flow by such a client.

    Raises:
        NotFound, InvalidInput, Forbidden: as `put_flow`; ``read_only`` can always be set.
    """
    checked = property_value(FLOW_PROPERTIES, name, value)

    def change(flow: Flow) -> Flow:
        given = checked
        if restore is not None:
            given = property_value(FLOW_PROPERTIES, name, restore(value, flow))
        return with_values(flow, {name: given}, cuts_profile=cuts_profile)

    return await _revise(ctx, flow_id, change, always=name == "read_only")


async def set_flow_tag(
    ctx: Context,
    flow_id: str,
    name: str,
    value: TagValue | None,
    *,
    restore: Callable[[Any, str, Tags], TagValue] | None = None,
) -> Flow:
    """Set one tag; ``None`` removes it. `restore`: the value to set instead, as `put_flow`.

    Raises:
        NotFound, InvalidInput, Forbidden.
    """
    if value is not None:
        value = tag_value(name, value)

    def change(flow: Flow) -> Flow:
        given = value if restore is None else restore(value, name, flow.tags)
        return replace(flow, tags=with_tag(flow.tags, name, given))

    return await _revise(ctx, flow_id, change)


async def update_flow(
    ctx: Context,
    flow_id: str,
    properties: Mapping[str, Any | None],
    tags: Mapping[str, TagValue | None],
) -> Flow:
    """Set several properties and tags, all or none; ``None`` removes.

    Args:
        ctx: the request.
        flow_id: which Flow.
        properties: by name, as `set_flow_property`.
        tags: by name, as `set_flow_tag`.

    Raises:
        NotFound, InvalidInput, Forbidden: as `set_flow_property` and `set_flow_tag`.
    """
    values = {
        name: property_value(FLOW_PROPERTIES, name, value) for name, value in properties.items()
    }
    changes = checked_tags(tags)
    return await _revise(
        ctx,
        flow_id,
        lambda flow: replace(with_values(flow, values), tags=with_tags(flow.tags, changes)),
        always=set(values) == {"read_only"} and not tags,
    )


async def delete_flow(ctx: Context, flow_id: str) -> DeletionRequest | None:
    """Delete a Flow with its segments; objects nobody references any more go with their bytes.

    The flow and its segments are gone from every read at once. What is left to do for a flow
    of many segments is done by the deletion request that is returned.

    Raises:
        NotFound, Forbidden.
    """
    authorise(ctx, Action.DELETE, "flow", flow_id)
    known_form("flow", flow_id)
    stamp = Stamp.of(ctx)

    def command(view: View) -> Changes[DeletionRequest | None]:
        edits = Edits()
        flow = writable_flow(view, flow_id)
        request = None
        if is_long(ctx, flow.segment_count):
            request = request_deletion(
                ctx, edits, flow, flow.timerange, stamp, delete_flow=True, orphaned=True
            )
        else:
            remove_timeline(view, edits, flow, stamp)
        remove_flow(view, edits, flow, stamp)
        return edits.changes(request)

    request = await _commit(ctx, command, [engine.flow(flow_id)])
    if request is None:
        await discard_in_passing(ctx)
    return request


async def flow_timerange(ctx: Context, flow_id: str, within: TimeRange | None) -> TimeRange:
    """What the segments span that overlap `within`; whole segments count (spec 8.2)."""
    flow = await get_flow(ctx, flow_id)
    if within is None or within == ETERNITY or flow.segment_count == 0:
        return flow.timerange
    if within.is_empty:
        return NEVER
    kind = ("flow timerange", within)
    return await ctx.loaders.load(kind, partial(_load_timeranges, ctx, within), flow_id)


async def _load_flows(ctx: Context, flow_ids: Sequence[str]) -> list[Flow | None]:
    rows = await ctx.metadata.get(tables.FLOWS, [(flow_id,) for flow_id in flow_ids])
    found = {flow.id: flow for flow in flows_from_table(rows)}
    remember_timelines(ctx, found.values())
    return [found.get(flow_id) for flow_id in flow_ids]


async def _load_flows_of_sources(
    ctx: Context, limit: int, source_ids: Sequence[str]
) -> list[Page[Flow]]:
    # The order "source" is that of the listing by creation, within one source.
    listing = await flow_listing(ctx, FlowFilter())
    scan = Scan(table=tables.FLOWS, order="source", limit=limit + 1, reverse=listing.descending)
    rows = await ctx.metadata.first_per_key(scan, [(source_id,) for source_id in source_ids])
    found: dict[str, list[Found]] = {source_id: [] for source_id in source_ids}
    for row in rows.to_pylist():
        found[row["source_id"]].append(row)
    pages = [page_of(listing, found[source_id], limit) for source_id in source_ids]
    remember_timelines(ctx, (flow for page in pages for flow in page.items))
    return pages


async def _load_timeranges(
    ctx: Context, within: TimeRange, flow_ids: Sequence[str]
) -> list[TimeRange]:
    scan = Scan(
        table=tables.SEGMENTS,
        overlapping=(within.start_ns, within.end_ns),
        limit=1,
        columns=("flow_id", "start_ns", "end_ns", "bounds"),
    )
    timelines = await timelines_of(ctx, flow_ids)
    prefixes: list[Key] = [(timeline_id,) for timeline_id in timelines.values()]
    first = _by_flow(await ctx.metadata.first_per_key(scan, prefixes))
    last = _by_flow(await ctx.metadata.first_per_key(replace(scan, reverse=True), prefixes))
    return [
        _spanned(first[flow_id], last[flow_id]) if flow_id in first and flow_id in last else NEVER
        for flow_id in flow_ids
    ]


def _by_flow(rows: pa.Table) -> dict[str, Mapping[str, Any]]:
    return {row["flow_id"]: row for row in rows.to_pylist()}


def _spanned(first: Mapping[str, Any], last: Mapping[str, Any]) -> TimeRange:
    bounds = (first["bounds"] & Bounds.START_EXCLUSIVE) | (last["bounds"] & Bounds.END_INCLUSIVE)
    return TimeRange(first["start_ns"], last["end_ns"], bounds)


async def _revise(
    ctx: Context, flow_id: str, change: Callable[[Flow], Flow], *, always: bool = False
) -> Flow:
    """Change the metadata of a flow; `always`: even if it is read-only."""
    authorise(ctx, Action.WRITE, "flow", flow_id)
    known_form("flow", flow_id)
    stamp = Stamp.of(ctx)

    def command(view: View) -> Changes[Flow]:
        edits = Edits()
        flow = existing_flow(view, flow_id) if always else writable_flow(view, flow_id)
        return edits.changes(revise_flow(view, edits, flow, change, stamp))

    return await _commit(ctx, command, [engine.flow(flow_id)])


async def _commit(ctx: Context, command: Command[T], relies_on: Iterable[engine.Aggregate]) -> T:
    answer = await ctx.metadata.commit(command, relies_on)
    ctx.loaders.forget()
    return answer
