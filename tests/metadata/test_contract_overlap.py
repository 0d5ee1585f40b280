"""Reads of the segments that share an instant with a range, against a naive oracle."""

import itertools
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tams_graphql.metadata import tables
from tams_graphql.metadata.engine import Key, MetadataEngine, Scan
from tests.metadata.rows import segment_row, stored

SEGMENTS = tables.SEGMENTS
LOWEST, HIGHEST = -(2**63), 2**63 - 1
FLOW_NUMBERS = itertools.count()

bound = st.none() | st.integers(-5, 45) | st.sampled_from([LOWEST, HIGHEST, -(2**63) - 1, 2**63])


@st.composite
def disjoint(draw: st.DrawFn) -> list[tuple[int, int]]:
    """Up to eight intervals in order, some touching, some with gaps; now and then extreme."""
    edges = sorted(draw(st.sets(st.integers(0, 40), max_size=10)))
    if draw(st.booleans()):
        edges = [LOWEST, *edges, HIGHEST]
    pairs = list(itertools.pairwise(edges))
    return [pair for pair in pairs if draw(st.integers(0, 3))]


def overlapping(
    intervals: list[tuple[int, int]], start: int | None, end: int | None
) -> list[tuple[int, int]]:
    """Said once more, apart from any engine."""
    low = LOWEST - 1 if start is None else start
    high = HIGHEST + 1 if end is None else end
    return [(a, b) for a, b in intervals if low < high and max(a, low) < min(b, high)]


async def walked(engine: MetadataEngine, scan: dict[str, Any]) -> list[tuple[int, int]]:
    """All pages of the scan, joined."""
    found: list[tuple[int, int]] = []
    after: Key | None = None
    while True:
        page = await engine.page(Scan(**scan, after=after, columns=("start_ns", "end_ns")))
        if not page.num_rows:
            return found
        found += [(row["start_ns"], row["end_ns"]) for row in page.to_pylist()]
        after = (found[-1][0],)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(intervals=disjoint(), window=st.tuples(bound, bound), limit=st.integers(1, 4))
async def test_pages_forwards_and_backwards_join_to_what_overlaps(
    engine: MetadataEngine,
    intervals: list[tuple[int, int]],
    window: tuple[int | None, int | None],
    limit: int,
) -> None:
    flow_id = f"flow {next(FLOW_NUMBERS)}"
    neighbour = f"{flow_id} b"
    rows = [segment_row(flow_id, a, b, object_end_ns=0) for a, b in intervals]
    rows.append(segment_row(neighbour, 0, 50))
    await stored(engine, SEGMENTS, *rows)
    expected = overlapping(intervals, *window)
    scan: dict[str, Any] = {"table": SEGMENTS, "prefix": (flow_id,), "overlapping": window}
    assert await walked(engine, {**scan, "limit": limit}) == expected
    assert await walked(engine, {**scan, "limit": limit, "reverse": True}) == expected[::-1]
    assert await walked(engine, {**scan, "limit": 100}) == expected
    assert await engine.count(Scan(**scan)) == len(expected)


@pytest.mark.parametrize(
    ("window", "expected"),
    [
        ((0, 1), [0]),
        ((5, 20), []),
        ((4, 21), [0, 20]),
        ((-15, 0), []),
        ((-16, 1), [-20, 0]),
        ((7, 7), []),
        ((2, 2), []),
        ((21, 3), []),
        ((None, -19), [-20]),
        ((24, None), [20]),
        ((25, None), []),
        ((None, None), [-20, 0, 20]),
    ],
)
async def test_ranges_are_half_open(
    two_cameras: MetadataEngine, window: tuple[int | None, int | None], expected: list[int]
) -> None:
    scan = Scan(table=SEGMENTS, prefix=("right",), overlapping=window)
    assert (await two_cameras.page(scan)).column("start_ns").to_pylist() == expected


@pytest.mark.parametrize("after", [-100, -20, -18, 0, 3, 20, 100])
async def test_a_cursor_need_not_be_a_row_of_the_range(
    two_cameras: MetadataEngine, after: int
) -> None:
    scan: dict[str, Any] = {
        "table": SEGMENTS, "prefix": ("right",), "overlapping": (3, 21), "after": (after,)
    }  # fmt: skip
    forwards = (await two_cameras.page(Scan(**scan))).column("start_ns").to_pylist()
    backwards = (await two_cameras.page(Scan(**scan, reverse=True))).column("start_ns").to_pylist()
    assert forwards == [start for start in (0, 20) if start > after]
    assert backwards == [start for start in (20, 0) if start < after]
