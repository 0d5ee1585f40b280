"""Pins where there is media and where there is none, in one go and page by page."""

import itertools

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tams_graphql.timeline import (
    MAX_NS,
    MIN_NS,
    NEVER,
    CoverageBuilder,
    TimeRange,
    coverage,
    gaps,
    gaps_between,
    union,
)

Runs = list[tuple[int, int]]

STARTS, ENDS = [0, 10, 25, 40], [10, 20, 30, 50]


@st.composite
def disjoint_runs(draw: st.DrawFn) -> Runs:
    """Segments as a flow may hold them: in order, disjoint, some contiguous, some empty."""
    steps = st.tuples(st.integers(0, 4), st.integers(0, 4))
    runs, position = [], draw(st.integers(-20, 5))
    for hole, length in draw(st.lists(steps, max_size=8)):
        runs.append((position + hole, position + hole + length))
        position += hole + length
    return runs


def columns(runs: Runs) -> tuple[pa.Int64Array, pa.Int64Array]:
    starts, ends = [start for start, _ in runs], [end for _, end in runs]
    return pa.array(starts, pa.int64()), pa.array(ends, pa.int64())


def instants(runs: Runs) -> set[int]:
    return {ns for start, end in runs for ns in range(start, end)}


@pytest.mark.parametrize(
    ("min_gap_ns", "runs"),
    [
        (0, [(0, 20), (25, 30), (40, 50)]),
        (5, [(0, 20), (25, 30), (40, 50)]),
        (6, [(0, 30), (40, 50)]),
        (10, [(0, 30), (40, 50)]),
        (11, [(0, 50)]),
    ],
)
def test_coverage_merges_what_is_contiguous_or_nearly_so(min_gap_ns: int, runs: Runs) -> None:
    assert coverage(STARTS, ENDS, min_gap_ns) == runs


@pytest.mark.parametrize(
    ("window", "min_duration_ns", "holes"),
    [
        ((0, 50), 0, [(20, 25), (30, 40)]),
        ((-5, 60), 0, [(-5, 0), (20, 25), (30, 40), (50, 60)]),
        ((-5, 60), 6, [(30, 40), (50, 60)]),
        ((0, 50), 5, [(20, 25), (30, 40)]),
        ((22, 35), 0, [(22, 25), (30, 35)]),
        ((22, 35), 4, [(30, 35)]),
        ((26, 29), 0, []),
        ((31, 39), 0, [(31, 39)]),
        ((60, 70), 0, [(60, 70)]),
        ((-9, -4), 0, [(-9, -4)]),
        ((50, 50), 0, []),
        ((70, 60), 0, []),
    ],
)
def test_gaps_are_the_holes_in_the_window(
    window: tuple[int, int], min_duration_ns: int, holes: Runs
) -> None:
    assert gaps(STARTS, ENDS, *window, min_duration_ns) == holes


def test_no_segments_cover_nothing_and_leave_the_whole_window() -> None:
    assert coverage([], []) == []
    assert gaps([], [], 0, 10) == [(0, 10)]
    assert gaps([], [], 0, 10, 11) == []
    assert CoverageBuilder().finish() == []


def test_empty_segments_cover_nothing() -> None:
    assert coverage([5, 10, 12], [5, 12, 12]) == [(10, 12)]
    assert coverage([5], [5]) == []


def test_arrow_columns_of_any_chunking_will_do() -> None:
    starts = pa.chunked_array([[0], [], [10, 25], [40]], pa.int64())
    ends = pa.chunked_array([[10, 20], [30, 50]], pa.int64())
    assert coverage(starts, ends) == [(0, 20), (25, 30), (40, 50)]
    assert coverage(starts.slice(1, 2), ends.slice(1, 2)) == [(10, 20), (25, 30)]
    assert coverage(pa.array(STARTS).slice(2), pa.array(ENDS).slice(2)) == [(25, 30), (40, 50)]
    nothing = pa.chunked_array([], pa.int64())
    assert coverage(nothing, nothing) == []


def test_the_widest_hole_does_not_overflow() -> None:
    starts, ends = [MIN_NS, MAX_NS - 1], [MIN_NS + 1, MAX_NS]
    apart = [(MIN_NS, MIN_NS + 1), (MAX_NS - 1, MAX_NS)]
    assert coverage(starts, ends) == apart
    assert coverage(starts, ends, 2**64 - 3) == apart
    assert coverage(starts, ends, 2**64 - 2) == [(MIN_NS, MAX_NS)]
    assert coverage(starts, ends, 2**70) == [(MIN_NS, MAX_NS)]
    assert gaps(starts, ends, MIN_NS, MAX_NS) == [(MIN_NS + 1, MAX_NS - 1)]


@pytest.mark.parametrize(
    ("starts", "ends"),
    [
        ([0, 5], [6, 10]),
        ([10, 0], [20, 5]),
        ([5], [4]),
        ([0, 1], [1]),
    ],
)
def test_columns_that_are_no_flow_are_refused(starts: list[int], ends: list[int]) -> None:
    with pytest.raises(ValueError, match=r"overlap or are out of order|differ in length"):
        coverage(starts, ends)


def test_builder_gives_out_runs_once_they_are_complete() -> None:
    builder = CoverageBuilder(min_gap_ns=3)
    assert builder.add([0, 10], [10, 20]) == []
    assert builder.add([], []) == []
    assert builder.add([22, 30], [25, 40]) == [(0, 25)]
    assert builder.add([43], [50]) == [(30, 40)]
    assert builder.finish() == [(43, 50)]
    assert builder.finish() == []


def test_builder_refuses_an_overlapping_batch_and_keeps_what_it_had() -> None:
    builder = CoverageBuilder()
    builder.add([0], [10])
    with pytest.raises(ValueError, match="between batches"):
        builder.add([9], [12])
    assert builder.add([10], [11]) == []
    assert builder.finish() == [(0, 11)]


def test_a_million_segments_become_one_run() -> None:
    starts = pa.array(range(0, 10_000_000, 10), pa.int64())
    builder = CoverageBuilder()
    for offset in range(0, 1_000_000, 5_000):
        page = starts.slice(offset, 5_000)
        ends = pa.array(range(offset * 10 + 10, offset * 10 + 50_010, 10), pa.int64())
        assert builder.add(page, ends) == []
    assert builder.finish() == [(0, 10_000_000)]


@pytest.mark.parametrize(
    ("ranges", "merged"),
    [
        ([], []),
        (["()"], []),
        (["[0:0_1:0)", "[1:0_2:0)"], ["[0:0_2:0)"]),
        (["[1:0_2:0]", "[0:0_1:0)"], ["[0:0_2:0]"]),
        (["(0:0_3:0]", "[1:0_2:0)"], ["(0:0_3:0]"]),
        (["[0:0_1:0)", "(1:0_2:0)"], ["[0:0_1:0)", "(1:0_2:0)"]),
        (["[0:0_1:0]", "(1:0_2:0)"], ["[0:0_2:0)"]),
        (["[5:0_", "[0:0_1:0)", "_-1:0]"], ["_-1:0]", "[0:0_1:0)", "[5:0_"]),
        (["[0:0_", "_1:0)"], ["_"]),
        (["_", "[0:0_1:0)"], ["_"]),
        (["[0:0_", "[1:0_2:0)"], ["[0:0_"]),
        (["[3:0]", "[3:0]"], ["[3:0]"]),
    ],
)
def test_union_merges_what_touches(ranges: list[str], merged: list[str]) -> None:
    assert [str(each) for each in union(map(TimeRange.parse, ranges))] == merged


@given(disjoint_runs(), st.integers(0, 6))
def test_coverage_and_gaps_share_out_the_window(runs: Runs, shortest: int) -> None:
    starts, ends = columns(runs)
    covered = coverage(starts, ends, shortest)
    if covered:
        window = covered[0][0], covered[-1][1]
        holes = gaps(starts, ends, *window, shortest)
        assert instants(covered) & instants(holes) == set()
        assert instants(covered) | instants(holes) == set(range(*window))
        assert all(end - start >= max(shortest, 1) for start, end in holes)


@given(disjoint_runs(), st.integers(-25, 60), st.integers(-5, 60))
def test_gaps_are_the_instants_of_the_window_without_media(
    runs: Runs, start: int, length: int
) -> None:
    holes = gaps(*columns(runs), start, start + length)
    assert instants(holes) == set(range(start, start + length)) - instants(runs)
    assert all(end < start for (_, end), (start, _) in itertools.pairwise(holes))


@given(disjoint_runs())
def test_coverage_is_the_instants_of_the_segments_in_the_fewest_runs(runs: Runs) -> None:
    covered = coverage(*columns(runs))
    assert instants(covered) == instants(runs)
    assert all(start < end for start, end in covered)
    assert all(end < start for (_, end), (start, _) in itertools.pairwise(covered))


@given(disjoint_runs(), st.lists(st.integers(0, 8), max_size=4), st.integers(0, 6))
def test_paging_changes_neither_coverage_nor_gaps(
    runs: Runs, cuts: list[int], shortest: int
) -> None:
    builder, covered = CoverageBuilder(shortest), []
    edges = [0, *sorted(cuts), len(runs)]
    for begin, stop in itertools.pairwise(edges):
        covered += builder.add(*columns(runs[begin:stop]))
    covered += builder.finish()
    starts, ends = columns(runs)
    assert covered == coverage(starts, ends, shortest)
    paged_holes = gaps_between(covered, -30, 90, shortest)
    assert list(paged_holes) == gaps(starts, ends, -30, 90, shortest)


@given(st.lists(st.tuples(st.integers(-20, 20), st.integers(0, 9), st.integers(0, 3))))
def test_union_holds_the_same_instants_in_the_fewest_ranges(
    parts: list[tuple[int, int, int]],
) -> None:
    ranges = [TimeRange(start, start + length, bounds) for start, length, bounds in parts]
    merged = [(each.start_ns or 0, each.end_ns or 0) for each in union(ranges)]
    assert instants(merged) == instants([(start, start + length) for start, length, _ in parts])
    assert all(end < start for (_, end), (start, _) in itertools.pairwise(merged))
    assert NEVER not in union(ranges)
