"""What a flow's row tells about its segments, kept in the commands that change them."""

from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from tams_graphql.metadata.edits import Edits
from tams_graphql.metadata.engine import Key, Row, Scan, View
from tams_graphql.metadata.tables import FLOWS, SEGMENTS
from tams_graphql.model.records import Flow
from tams_graphql.timeline import NEVER, Bounds, TimeRange

EXTENT_COLUMNS = ("start_ns", "end_ns", "bounds")
"""The columns of SEGMENTS that the rollup is made of."""

_PROBES = (1, 32, 1024)
"""How many segments are looked at from an end until one stays; the last is repeated."""


def union_of(first: Row, last: Row) -> TimeRange:
    """What `first` to `last` span, written as they are at its ends."""
    bounds = (_int(first["bounds"]) & Bounds.START_EXCLUSIVE) | (
        _int(last["bounds"]) & Bounds.END_INCLUSIVE
    )
    return TimeRange(_int(first["start_ns"]), _int(last["end_ns"]), int(bounds))


def grown(flow: Flow, added: Sequence[Row], now_us: int) -> Row:
    """The update of a flow's row for new segments; `added` is not empty."""
    ends = [*_extent(flow), *added]
    first = min(ends, key=lambda row: _int(row["start_ns"]))
    last = max(ends, key=lambda row: _int(row["end_ns"]))
    duration = sum(_int(row["end_ns"]) - _int(row["start_ns"]) for row in added)
    return _columns(
        flow.id,
        count=flow.segment_count + len(added),
        covered_ns=flow.covered_ns + duration,
        extent=union_of(first, last),
        now_us=now_us,
    )


def shrink(view: View, edits: Edits, flow: Flow, removed: pa.Table, now_us: int) -> None:
    """Add the update of a flow's row for the segments `removed` (`EXTENT_COLUMNS`; not empty)."""
    starts, ends = removed["start_ns"].to_pylist(), removed["end_ns"].to_pylist()
    count = flow.segment_count - len(starts)
    extent = NEVER
    if count:
        gone = frozenset(starts)
        first = _first_left(view, flow.timeline_id, gone, reverse=False)
        extent = union_of(first, _first_left(view, flow.timeline_id, gone, reverse=True))
    covered_ns = flow.covered_ns - (sum(ends) - sum(starts))
    edits.update(
        FLOWS, _columns(flow.id, count=count, covered_ns=covered_ns, extent=extent, now_us=now_us)
    )


def emptied(flow: Flow, now_us: int, timeline_id: str) -> Row:
    """The update of a flow's row that gives it a timeline without segments."""
    columns = _columns(flow.id, count=0, covered_ns=0, extent=NEVER, now_us=now_us)
    return {**columns, "timeline_id": timeline_id}


def _first_left(view: View, timeline_id: str, gone: frozenset[int], *, reverse: bool) -> Row:
    """The segment nearest to one end of the timeline that is not `gone`; there is one."""
    after: Key | None = None
    probe = 0
    while True:
        limit = _PROBES[min(probe, len(_PROBES) - 1)]
        scan = Scan(
            table=SEGMENTS,
            prefix=(timeline_id,),
            after=after,
            limit=limit,
            reverse=reverse,
            columns=EXTENT_COLUMNS,
        )
        rows: list[dict[str, Any]] = view.page(scan).to_pylist()
        for row in rows:
            if row["start_ns"] not in gone:
                return row
        after, probe = (rows[-1]["start_ns"],), probe + 1


def _columns(flow_id: str, *, count: int, covered_ns: int, extent: TimeRange, now_us: int) -> Row:
    empty = count == 0
    return {
        "flow_id": flow_id,
        "segment_count": count,
        "covered_ns": covered_ns,
        "start_ns": None if empty else extent.start_ns,
        "end_ns": None if empty else extent.end_ns,
        "bounds": None if empty else int(extent.bounds),
        "segments_updated_us": now_us,
    }


def _extent(flow: Flow) -> list[Row]:
    span = flow.timerange
    if flow.segment_count == 0:
        return []
    return [{"start_ns": span.start_ns, "end_ns": span.end_ns, "bounds": int(span.bounds)}]


def _int(value: object) -> int:
    """A column that is never null, as what it is."""
    assert isinstance(value, int)  # noqa: S101 - narrows the type of a cell
    return value
