"""Where there is media and where there is none: arithmetic over columns of segments.

Segments stay in Arrow columns; only the resulting runs become Python tuples. A *run* is a
half-open ``(start_ns, end_ns)`` of contiguous media.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final, TypeAlias

import pyarrow as pa
import pyarrow.compute as pc

from tams_graphql.timeline.timerange import Bounds, TimeRange

Run: TypeAlias = tuple[int, int]
"""Contiguous nanoseconds, half-open: (start_ns, end_ns)."""

Column: TypeAlias = pa.Int64Array | pa.ChunkedArray | Sequence[int]
"""int64 nanoseconds without nulls."""

_WIDEST_GAP: Final = 2**64 - 1


def union(ranges: Iterable[TimeRange]) -> list[TimeRange]:
    """The instants in any of the ranges, as few ranges as possible, in order of start.

    The ranges may overlap and come in any order; empty ones vanish. An end that comes from one
    of the ranges is written as it was written there.
    """
    merged: list[TimeRange] = []
    for following in sorted((each for each in ranges if not each.is_empty), key=_start_order):
        if merged and _touches(merged[-1], following):
            merged[-1] = _joined(merged[-1], following)
        else:
            merged.append(following)
    return merged


def coverage(starts: Column, ends: Column, min_gap_ns: int = 0) -> list[Run]:
    """The runs of contiguous media of a flow's segments.

    Args:
        starts: first nanosecond of each segment, ascending; int64, shape (n,).
        ends: first nanosecond after each segment, same shape; segments are disjoint.
        min_gap_ns: holes shorter than this, in nanoseconds, do not end a run.

    Raises:
        ValueError: the columns differ in length, or segments overlap or are out of order.
    """
    first, last = _int64(starts), _int64(ends)
    _check_order(first, last)
    occupied = pc.less(first, last)
    if not _all(occupied):
        first, last = first.filter(occupied), last.filter(occupied)
    if len(first) == 0:
        return []
    # Sorted int64 values differ by less than 2**64: the wrapped difference is exact as uint64.
    holes = pc.subtract(first.slice(1), last.slice(0, len(last) - 1)).view(pa.uint64())
    wide = pc.greater_equal(holes, pa.scalar(_shortest_break(min_gap_ns), pa.uint64()))
    run_starts = pa.concat_arrays([first.slice(0, 1), first.slice(1).filter(wide)])
    run_ends = pa.concat_arrays(
        [last.slice(0, len(last) - 1).filter(wide), last.slice(len(last) - 1)]
    )
    return list(zip(run_starts.to_pylist(), run_ends.to_pylist(), strict=True))


def gaps(
    starts: Column, ends: Column, start_ns: int, end_ns: int, min_duration_ns: int = 0
) -> list[Run]:
    """The holes between a flow's segments within a window.

    With ``min_gap_ns == min_duration_ns`` and a window that begins and ends on media, `coverage`
    and `gaps` share the window out between them. A hole that the window cuts is measured
    after the cut.

    Args:
        starts: first nanosecond of each segment, ascending; int64, shape (n,).
        ends: first nanosecond after each segment, same shape; segments are disjoint. Those
            outside the window do no harm.
        start_ns: first nanosecond of the window.
        end_ns: first nanosecond after the window.
        min_duration_ns: holes shorter than this, in nanoseconds, are left out.

    Raises:
        ValueError: as for `coverage`.
    """
    return list(gaps_between(coverage(starts, ends), start_ns, end_ns, min_duration_ns))


def gaps_between(
    runs: Iterable[Run], start_ns: int, end_ns: int, min_duration_ns: int = 0
) -> Iterator[Run]:
    """The holes between runs that arrive in order, as from a `CoverageBuilder`; see `gaps`."""
    shortest = max(min_duration_ns, 1)
    covered_to = start_ns
    for run_start, run_end in runs:
        hole_end = min(run_start, end_ns)
        if hole_end - covered_to >= shortest:
            yield covered_to, hole_end
        covered_to = max(covered_to, run_end)
    if end_ns - covered_to >= shortest:
        yield covered_to, end_ns


class CoverageBuilder:
    """`coverage` over batches of segments that arrive in order of start.

    It holds only the run that is still open, so a flow can be read page by page::

        builder = CoverageBuilder()
        for page in pages:
            yield from builder.add(page["start_ns"], page["end_ns"])
        yield from builder.finish()
    """

    def __init__(self, min_gap_ns: int = 0) -> None:
        """Start without media; holes shorter than `min_gap_ns` do not end a run."""
        self._min_gap_ns = min_gap_ns
        self._open: Run | None = None

    def add(self, starts: Column, ends: Column) -> list[Run]:
        """Take the next batch and return the runs that it shows to be complete.

        Args:
            starts: as for `coverage`; none lies before the end of the last batch.
            ends: as for `coverage`.

        Raises:
            ValueError: as for `coverage`, or the batch overlaps an earlier one; the batch is
                not taken.
        """
        runs = coverage(starts, ends, self._min_gap_ns)
        if not runs:
            return []
        if self._open is not None:
            runs = self._continued(self._open, runs)
        self._open = runs.pop()
        return runs

    def finish(self) -> list[Run]:
        """Return the last run, if there is one, and start anew."""
        last, self._open = self._open, None
        return [] if last is None else [last]

    def _continued(self, unfinished: Run, runs: list[Run]) -> list[Run]:
        hole = runs[0][0] - unfinished[1]
        if hole < 0:
            raise ValueError("segments overlap or are out of order between batches")
        if hole >= _shortest_break(self._min_gap_ns):
            return [unfinished, *runs]
        return [(unfinished[0], runs[0][1]), *runs[1:]]


def _shortest_break(min_gap_ns: int) -> int:
    return min(max(min_gap_ns, 1), _WIDEST_GAP)


def _int64(column: Column) -> pa.Int64Array:
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    return column if isinstance(column, pa.Array) else pa.array(column, pa.int64())


def _check_order(starts: pa.Int64Array, ends: pa.Int64Array) -> None:
    if len(starts) != len(ends):
        raise ValueError("starts and ends differ in length")
    following, preceding = starts.slice(1), ends.slice(0, max(len(ends) - 1, 0))
    if not (_all(pc.less_equal(starts, ends)) and _all(pc.less_equal(preceding, following))):
        raise ValueError("segments overlap or are out of order")


def _all(flags: pa.BooleanArray) -> bool:
    return bool(pc.all(flags, min_count=0).as_py())


def _start_order(timerange: TimeRange) -> tuple[bool, int]:
    return timerange.start_ns is not None, timerange.start_ns or 0


def _touches(earlier: TimeRange, later: TimeRange) -> bool:
    return earlier.end_ns is None or later.start_ns is None or later.start_ns <= earlier.end_ns


def _joined(earlier: TimeRange, later: TimeRange) -> TimeRange:
    longer = earlier if _ends_last(earlier, later) else later
    bounds = earlier.bounds & Bounds.START_EXCLUSIVE | longer.bounds & Bounds.END_INCLUSIVE
    return TimeRange(earlier.start_ns, longer.end_ns, bounds)


def _ends_last(one: TimeRange, other: TimeRange) -> bool:
    return one.end_ns is None or (other.end_ns is not None and one.end_ns >= other.end_ns)
