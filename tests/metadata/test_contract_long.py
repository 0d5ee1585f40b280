"""Contract of reads of several long partitions at once: the first rows of each, none skipped.

On VAST such reads share queries by guessing how far a page reaches; no guess may show.
"""

from itertools import product

import pytest

from tams_graphql.metadata import tables
from tams_graphql.metadata.engine import MetadataEngine, Scan
from tests.metadata.naive import rows_of
from tests.metadata.rows import SECOND, flow_row, segment_row, stored

HOUR = 3600 * SECOND
SPACINGS = {"video": SECOND, "dense": SECOND // 25, "still": 60 * SECOND, "clip": SECOND}


def starts(flow_id: str) -> list[int]:
    """Each flow has another shape."""
    spacing = SPACINGS.get(flow_id, SECOND)
    even = [spacing * n for n in range(1_100)]
    match flow_id:
        case "clip":
            return even[:7]
        case "two takes":
            return [start if n < 12 else start + 10 * HOUR for n, start in enumerate(even)]
        case "another day":
            return [start + 1_000 * HOUR for start in even]
        case "busy at first":
            return [n * (SECOND // 100) if n < 1_000 else n * SECOND for n in range(1_100)]
    return even


FLOWS = [*SPACINGS, "two takes", "another day", "busy at first"]
WINDOWS = [None, (5 * SECOND, None), (3 * SECOND + 1, 9 * SECOND), (None, 1_000 * HOUR + SECOND)]


@pytest.fixture
async def archive(engine: MetadataEngine) -> MetadataEngine:
    """Seven flows of 1,100 segments each (one: seven), and rows that sum them up."""
    for flow_id in FLOWS:
        all_starts = starts(flow_id)
        rows = [segment_row(flow_id, start, start + 5) for start in all_starts]
        await stored(engine, tables.SEGMENTS, *rows)
        rollup = {
            "segment_count": len(rows),
            "start_ns": all_starts[0],
            "end_ns": all_starts[-1] + 5,
        }
        await stored(engine, tables.FLOWS, flow_row(flow_id, **rollup))
    return engine


@pytest.mark.parametrize("known", [False, True], ids=["unknown", "known"])
async def test_each_partition_gives_its_first_rows(archive: MetadataEngine, known: bool) -> None:
    keys = [(flow_id,) for flow_id in FLOWS]
    if known:
        await archive.get(tables.FLOWS, keys)
    every = {
        flow_id: [segment_row(flow_id, start, start + 5) for start in starts(flow_id)]
        for flow_id in FLOWS
    }
    for window, reverse, after in product(WINDOWS, [False, True], [None, (6 * SECOND,)]):
        scan = Scan(
            table=tables.SEGMENTS,
            overlapping=window,
            reverse=reverse,
            after=after,
            limit=20,
            columns=("object_id",),
        )
        found = await archive.first_per_key(scan, keys[::-1])
        expected = [
            row["object_id"]
            for flow_id in FLOWS[::-1]
            for row in rows_of(_within(scan, flow_id), every[flow_id])
        ]
        assert found["object_id"].to_pylist() == expected, (window, reverse, after)


def _within(scan: Scan, flow_id: str) -> Scan:
    return Scan(
        table=scan.table,
        prefix=(flow_id,),
        overlapping=scan.overlapping,
        reverse=scan.reverse,
        after=scan.after,
        limit=scan.limit,
    )
