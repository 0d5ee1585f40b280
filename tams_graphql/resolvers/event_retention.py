"""Forgetting events that are older than the operator wants to keep them.

Each lane loses a prefix, and its floor moves up in the same commit: a reader that needed what is
gone is told so, instead of missing it (ADR 0012).
"""

from collections.abc import Mapping, Sequence
from typing import Any

from tams_graphql.metadata.edits import Edits
from tams_graphql.metadata.engine import Between, Changes, Key, Scan, View, creation
from tams_graphql.metadata.event_tables import EVENT_FLOORS, EVENT_PARTS, EVENTS
from tams_graphql.resolvers.context import Context

SKEW_US = 3_600_000_000
"""How far ahead the clocks of other processes may be; more than that is a wrong clock."""

_MOST_LANES = 1_000


async def forget_events(ctx: Context) -> int:
    """Delete the events whose time is over; how many that were.

    Raises:
        Unavailable: the index did not answer; what is left goes the next time.
    """
    before_us = ctx.clock() - ctx.service.event_retention * 1_000_000
    floors = (await ctx.metadata.page(Scan(table=EVENT_FLOORS, limit=_MOST_LANES))).to_pylist()
    forgotten = 0
    for row in floors:
        forgotten += await _forget_of_lane(ctx, row["lane"], row["sequence"], before_us)
    return forgotten


async def _forget_of_lane(ctx: Context, lane: int, floor: int, before_us: int) -> int:
    forgotten = 0
    while old := await _old_ones(ctx, lane, floor, before_us):
        if not await _forget(ctx, lane, floor, old):
            break
        floor, forgotten = old[-1]["sequence"], forgotten + len(old)
    return forgotten


async def _old_ones(ctx: Context, lane: int, floor: int, before_us: int) -> list[dict[str, Any]]:
    limit = ctx.metadata.background_rows
    scan = Scan(
        table=EVENTS,
        prefix=(lane,),
        after=(floor,),
        limit=limit,
        where=(Between("sequence", None, floor + limit + 1),),
        columns=("sequence", "hlc", "occurred_us", "event_id", "part_count"),
    )
    rows = (await ctx.metadata.page(scan)).to_pylist()
    # What comes before an old one in its lane is at least as old.
    old = [n for n, row in enumerate(rows, 1) if _written_us(row, ctx.clock()) < before_us]
    return rows[: old[-1]] if old else []


def _written_us(row: Mapping[str, Any], now_us: int) -> int:
    """When an event was written, also after a wrong clock has moved all others ahead for good."""
    hlc, occurred_us = int(row["hlc"]), int(row["occurred_us"])
    return hlc if hlc <= now_us + SKEW_US else occurred_us


async def _forget(ctx: Context, lane: int, floor: int, old: Sequence[dict[str, Any]]) -> bool:
    """Delete `old`, which come right after `floor`, unless somebody else just did."""

    def command(view: View) -> Changes[bool]:
        if view.get(EVENT_FLOORS, [(lane,)])["sequence"].to_pylist() != [floor]:
            return Changes(answer=False)
        edits = Edits()
        edits.delete(EVENTS, *((lane, row["sequence"]) for row in old))
        edits.delete(EVENT_PARTS, *_parts(old))
        edits.update(EVENT_FLOORS, {"lane": lane, "sequence": old[-1]["sequence"]})
        return edits.changes(True)

    relies_on = [creation("event floor", str(lane))]
    return await ctx.metadata.commit(command, relies_on, background=True)


def _parts(old: Sequence[dict[str, Any]]) -> list[Key]:
    return [(row["event_id"], part) for row in old for part in range(row["part_count"])]
