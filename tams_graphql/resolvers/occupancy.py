"""What is on a stretch of a flow's timeline: the stored segments, and those just accepted."""

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from tams_graphql.metadata.engine import Scan, View
from tams_graphql.metadata.tables import SEGMENTS
from tams_graphql.timeline import TimeRange

Segment: TypeAlias = Mapping[str, Any]

_READ_AT_ONCE = 4096


class Occupancy:
    """Segments by start; they never overlap, so their ends are in the same order."""

    def __init__(self, view: View, timeline_id: str, timeranges: Sequence[TimeRange]) -> None:
        """Read the stored segments that overlap any of `timeranges`, and perhaps more."""
        self._starts: list[int] = []
        self._segments: list[Segment] = []
        ordered = sorted((one.start_ns or 0, one.end_ns or 0) for one in timeranges)
        for segment in _overlapping(view, timeline_id, ordered):
            self.add(segment)

    def add(self, segment: Segment) -> None:
        """Put a segment in its place; one already there is passed over."""
        place = bisect_left(self._starts, segment["start_ns"])
        if self._starts[place : place + 1] != [segment["start_ns"]]:
            self._starts.insert(place, segment["start_ns"])
            self._segments.insert(place, segment)

    def first_in(self, timerange: TimeRange) -> Segment | None:
        """The first segment that overlaps `timerange`, which is bounded."""
        start, end = timerange.start_ns or 0, timerange.end_ns or 0
        place = bisect_right(self._starts, start)
        if place and self._segments[place - 1]["end_ns"] > start:
            return self._segments[place - 1]
        if place < len(self._starts) and self._starts[place] < end:
            return self._segments[place]
        return None


def _overlapping(
    view: View, timeline_id: str, ranges: Sequence[tuple[int, int]]
) -> list[dict[str, Any]]:
    """Stored segments around sorted `ranges`: one read, more only where many lie between them."""
    if not ranges:
        return []
    span = (ranges[0][0], max(end for _, end in ranges))
    scan = Scan(table=SEGMENTS, prefix=(timeline_id,), overlapping=span, limit=_READ_AT_ONCE)
    found = view.page(scan)
    if found.num_rows < _READ_AT_ONCE or len(ranges) == 1:
        rows: list[dict[str, Any]] = found.to_pylist()
        return rows
    half = len(ranges) // 2
    return _overlapping(view, timeline_id, ranges[:half]) + _overlapping(
        view, timeline_id, ranges[half:]
    )
