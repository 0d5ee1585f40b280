"""Interval arithmetic over a flow's segments: coverage, gaps, and editing by reference."""

from collections.abc import AsyncIterator, Mapping, Sequence
from functools import partial
from typing import Any

from tams_graphql.metadata.edits import Edits
from tams_graphql.metadata.engine import Changes, Key, Scan, View, flow
from tams_graphql.metadata.tables import FLOWS, SEGMENTS
from tams_graphql.model.errors import InvalidInput, NotFound
from tams_graphql.model.flow_input import flow_input
from tams_graphql.model.identifiers import known_form
from tams_graphql.model.records import Flow
from tams_graphql.resolvers.authorise import Action, authorise
from tams_graphql.resolvers.composition import Clip, compose
from tams_graphql.resolvers.context import Context
from tams_graphql.resolvers.flow_changes import relied_on
from tams_graphql.resolvers.profiles import named_profiles
from tams_graphql.resolvers.stamp import Stamp
from tams_graphql.resolvers.timelines import timeline_of
from tams_graphql.timeline import ETERNITY, CoverageBuilder, TimeRange, gaps_between

__all__ = ["Clip", "compose_flow", "coverage", "gaps"]

_FIRST_PAGE = 1000
_PAGE = 10_000


async def coverage(
    ctx: Context, flow_id: str, timerange: TimeRange | None, min_gap_ns: int, limit: int
) -> list[TimeRange]:
    """Contiguous ranges of content; holes shorter than `min_gap_ns` are bridged.

    Args:
        ctx: the request.
        flow_id: the flow; an unknown one has no content.
        timerange: the window that the result is cut to; ``None`` for everything.
        min_gap_ns: in nanoseconds.
        limit: at most this many ranges, from the start.
    """
    authorise(ctx, Action.READ, "flow", flow_id)
    known_form("flow", flow_id)
    window = (timerange or ETERNITY).clamped()
    runs = await _runs(ctx, flow_id, window, min_gap_ns, limit)
    return [TimeRange(*run).intersection(window) for run in runs]


async def gaps(
    ctx: Context, flow_id: str, timerange: TimeRange | None, min_duration_ns: int, limit: int
) -> list[TimeRange]:
    """Holes within `timerange` (default: what the flow spans) of at least `min_duration_ns`.

    An open end of `timerange` is where the flow begins or ends. `limit`: at most this many,
    from the start.
    """
    authorise(ctx, Action.READ, "flow", flow_id)
    known_form("flow", flow_id)
    window = await _bounded(ctx, flow_id, (timerange or ETERNITY).clamped())
    if window is None:
        return []
    # One run more than gaps: the last gap found is then never one that the limit made.
    runs = await _runs(ctx, flow_id, TimeRange(*window), min_duration_ns, limit + 1)
    found = list(gaps_between(runs, *window, min_duration_ns))
    return [TimeRange(*hole) for hole in found[:limit]]


async def compose_flow(
    ctx: Context,
    flow_id: str,
    body: Mapping[str, Any],
    clips: Sequence[Clip],
    start_ns: int,
) -> Flow:
    """A new flow that plays `clips` one after the other from `start_ns`, by reference.

    No bytes are copied: its segments use the objects of the clips' segments, cut to the clip,
    with `ts_offset` computed (spec 8.2, re-use of Media Objects). All clips' flows must have
    the new flow's format, codec and container. Flow and segments come in one commit.

    Raises:
        NotFound: a clip's flow does not exist, or the body's id differs from `flow_id`.
        InvalidInput: as `put_flow`; the new flow exists already; a clip is empty or has no
            segment; formats differ.
        TooLarge: the clips have more segments than `composition.MAX_COMPOSED_SEGMENTS`.
    """
    authorise(ctx, Action.WRITE, "flow", flow_id)
    known_form("flow", flow_id)
    given = flow_input(body, await named_profiles(ctx, body))
    if given.id != flow_id:
        raise NotFound("flow", flow_id)
    if not clips:
        raise InvalidInput("clips", "required", "a composition needs at least one clip")
    for clip in clips:
        authorise(ctx, Action.READ, "flow", clip.flow_id)
        known_form("flow", clip.flow_id)
    stamp = Stamp.of(ctx)

    def command(view: View) -> Changes[Flow]:
        edits = Edits()
        return edits.changes(compose(view, edits, given, clips, start_ns=start_ns, stamp=stamp))

    relies_on = [*relied_on(given), *(flow(clip.flow_id) for clip in clips)]
    composed = await ctx.metadata.commit(command, relies_on)
    ctx.loaders.forget()
    return composed


async def _runs(
    ctx: Context, flow_id: str, window: TimeRange, min_gap_ns: int, limit: int
) -> list[tuple[int, int]]:
    """The first `limit` runs of segments that overlap `window`, uncut."""
    runs: list[tuple[int, int]] = []
    builder = CoverageBuilder(min_gap_ns)
    async for page in _pages(ctx, flow_id, window):
        runs += builder.add(page["start_ns"], page["end_ns"])
        if len(runs) >= limit:
            return runs[:limit]
    return (runs + builder.finish())[:limit]


async def _pages(ctx: Context, flow_id: str, window: TimeRange) -> AsyncIterator[Any]:
    after: Key | None = None
    limit = _FIRST_PAGE
    timeline_id = None if window.is_empty else await timeline_of(ctx, flow_id)
    more = timeline_id is not None
    while more:
        scan = Scan(
            table=SEGMENTS,
            prefix=(timeline_id,),
            overlapping=(window.start_ns, window.end_ns),
            after=after,
            limit=limit,
            columns=("start_ns", "end_ns"),
        )
        page = await ctx.metadata.page(scan)
        yield page
        more = page.num_rows == limit
        after, limit = (page["start_ns"][-1].as_py(),) if more else None, _PAGE


async def _bounded(ctx: Context, flow_id: str, window: TimeRange) -> tuple[int, int] | None:
    start, end = window.start_ns, window.end_ns
    if start is None or end is None:
        load = partial(_load_extents, ctx)
        first, last = await ctx.loaders.load("extent of segments", load, flow_id)
        start = first if start is None else start
        end = last if end is None else end
    return None if start is None or end is None or end <= start else (start, end)


async def _load_extents(
    ctx: Context, flow_ids: Sequence[str]
) -> list[tuple[int | None, int | None]]:
    keys = [(flow_id,) for flow_id in flow_ids]
    rows = await ctx.metadata.get(FLOWS, keys, ("flow_id", "start_ns", "end_ns"))
    found = {row["flow_id"]: (row["start_ns"], row["end_ns"]) for row in rows.to_pylist()}
    return [found.get(flow_id, (None, None)) for flow_id in flow_ids]
