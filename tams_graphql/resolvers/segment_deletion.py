"""Deleting a flow's segments: at once if they are few, else by a deletion request."""

import uuid
from dataclasses import dataclass

import pyarrow as pa

from tams_graphql.metadata.edits import Edits
from tams_graphql.metadata.engine import Changes, OneOf, Scan, View, flow
from tams_graphql.metadata.tables import FLOWS, SEGMENTS
from tams_graphql.model.identifiers import known_form
from tams_graphql.model.records import DeletionRequest, Flow
from tams_graphql.resolvers.announcing import Announcer
from tams_graphql.resolvers.authorise import Action, authorise
from tams_graphql.resolvers.context import Context
from tams_graphql.resolvers.covered import covered_rows
from tams_graphql.resolvers.deletions import is_long, later_than, request_deletion
from tams_graphql.resolvers.discard import discard_in_passing
from tams_graphql.resolvers.flow_changes import writable_flow
from tams_graphql.resolvers.listing import check_text
from tams_graphql.resolvers.removal import REMOVAL_COLUMNS, remove_segments
from tams_graphql.resolvers.rollup import EXTENT_COLUMNS, emptied, shrink
from tams_graphql.resolvers.stamp import Stamp
from tams_graphql.timeline import ETERNITY, TimeRange


@dataclass(frozen=True, slots=True)
class Deletion:
    """What a deletion did: `count` segments are gone, the rest goes by `request`."""

    count: int
    request: DeletionRequest | None = None


async def delete_segments(
    ctx: Context,
    flow_id: str,
    *,
    timerange: TimeRange | None = None,
    object_id: str | None = None,
) -> Deletion:
    """Delete segments completely covered by `timerange` (spec 8.2).

    Objects that nothing refers to any more go with them, and their bytes. Of many segments:
    all that a flow has are gone from every read at once, some of them go little by little.

    Raises:
        NotFound, Forbidden.
    """
    authorise(ctx, Action.DELETE, "flow", flow_id)
    known_form("flow", flow_id)
    check_text("object_id", object_id or "")
    covered = (timerange or ETERNITY).clamped()
    stamp = Stamp.of(ctx)

    def command(view: View) -> Changes[Deletion]:
        target = writable_flow(view, flow_id)
        edits = Edits()
        if covered.is_empty:
            return edits.changes(Deletion(0))
        whole = object_id is None and _covers(covered, target.timerange)
        if whole and is_long(ctx, target.segment_count):
            return edits.changes(_all_later(ctx, view, edits, target, stamp))
        found = view.page(_deletable(ctx, target.timeline_id, covered, object_id))
        if is_long(ctx, found.num_rows):
            span = target.timerange if timerange is None else covered
            request = request_deletion(ctx, edits, target, span, stamp, object_id=object_id)
            return edits.changes(Deletion(0, request))
        doomed = covered_rows(found, covered)
        return edits.changes(_now(view, edits, target, doomed, stamp, dense=object_id is None))

    answer = await ctx.metadata.commit(command, [flow(flow_id)])
    ctx.loaders.forget()
    if answer.count and answer.request is None:
        await discard_in_passing(ctx)
    return answer


def _covers(covered: TimeRange, extent: TimeRange) -> bool:
    return extent.is_empty or covered.contains(extent)


def _all_later(ctx: Context, view: View, edits: Edits, target: Flow, stamp: Stamp) -> Deletion:
    """The flow gets a new timeline; the old one is nobody's."""
    request = request_deletion(ctx, edits, target, target.timerange, stamp, orphaned=True)
    edits.update(FLOWS, emptied(target, later_than(target, stamp.now_us), str(uuid.uuid4())))
    if target.segment_count:
        Announcer(view, edits, stamp).emptied(target, target.timerange)
    return Deletion(target.segment_count, request)


def _now(
    view: View, edits: Edits, target: Flow, doomed: pa.Table, stamp: Stamp, *, dense: bool
) -> Deletion:
    if doomed.num_rows:
        remove_segments(view, edits, target.timeline_id, doomed, stamp.now_us)
        shrink(view, edits, target, doomed, later_than(target, stamp.now_us))
        Announcer(view, edits, stamp).removal(target, doomed, dense=dense)
    return Deletion(doomed.num_rows)


def _deletable(ctx: Context, timeline_id: str, covered: TimeRange, object_id: str | None) -> Scan:
    return Scan(
        table=SEGMENTS,
        prefix=(timeline_id,),
        overlapping=(covered.start_ns, covered.end_ns),
        limit=ctx.service.async_delete_segments + 1,
        where=() if object_id is None else (OneOf("object_id", (object_id,)),),
        columns=tuple(dict.fromkeys((*EXTENT_COLUMNS, *REMOVAL_COLUMNS))),
    )
