"""How many queries reads of long flows cost: as many for few flows as for many."""

import pytest

from tams_graphql.metadata import tables
from tams_graphql.metadata.engine import Key, MetadataEngine, Scan
from tams_graphql.metadata.vast.cluster import Target
from tests.metadata.rows import SECOND, flow_row, segment_row, stored
from tests.metadata.vast.conftest import Open
from tests.vast_emulator.running import Running

COUNT = 1_500
KEYS: list[Key] = [(f"camera {number}",) for number in range(12)]
PAGE = Scan(table=tables.SEGMENTS, limit=20)


async def fill(engine: MetadataEngine) -> None:
    """Twelve cameras of one second a segment, that began one after the other."""
    for number, (flow_id,) in enumerate(KEYS):
        first = number
        rows = [
            segment_row(flow_id, n * SECOND, (n + 1) * SECOND) for n in range(first, first + COUNT)
        ]
        await stored(engine, tables.SEGMENTS, *rows)
        extent = {"start_ns": first * SECOND, "end_ns": (first + COUNT) * SECOND}
        flow = flow_row(flow_id, segment_count=COUNT, **extent)
        await stored(engine, tables.FLOWS, flow)


@pytest.mark.parametrize("reverse", [False, True])
async def test_flows_whose_rows_were_read_are_one_query(
    vast: Running, target: Target, open_engine: Open, reverse: bool
) -> None:
    engine = await open_engine(target)
    await fill(engine)
    scan = Scan(table=tables.SEGMENTS, limit=20, reverse=reverse)
    found = await engine.get(tables.FLOWS, KEYS)
    assert found.num_rows == len(KEYS)
    vast.take_queries()
    for keys in (KEYS[:1], KEYS[:4], KEYS):
        page = await engine.first_per_key(scan, keys)
        assert page.num_rows == 20 * len(keys)
        assert vast.take_queries() == {tables.SEGMENTS.name: 1}


async def test_flows_never_heard_of_are_two_and_one_about_them(
    vast: Running, target: Target, open_engine: Open
) -> None:
    writing = await open_engine(target)
    await fill(writing)
    for keys in (KEYS[:6], KEYS):
        engine = await open_engine(target)
        vast.take_queries()
        page = await engine.first_per_key(PAGE, keys)
        assert page.num_rows == 20 * len(keys)
        assert vast.take_queries() == {tables.SEGMENTS.name: 2, "flows": 1}


@pytest.mark.parametrize("window", [None, (100 * SECOND, None), (100 * SECOND, 110 * SECOND)])
async def test_a_page_of_a_flow_whose_row_was_read_is_one_query(
    vast: Running, target: Target, open_engine: Open, window: tuple[int, int | None] | None
) -> None:
    engine = await open_engine(target)
    await fill(engine)
    await engine.get(tables.FLOWS, KEYS[:1])
    vast.take_queries()
    scan = Scan(table=tables.SEGMENTS, prefix=KEYS[0], overlapping=window, limit=20)
    page = await engine.page(scan)
    assert page.num_rows == (10 if window and window[1] else 20)
    assert vast.take_queries() == {tables.SEGMENTS.name: 1}
    while page.num_rows == 20:
        after = (page["start_ns"][-1].as_py(),)
        page = await engine.page(Scan(table=tables.SEGMENTS, prefix=KEYS[0], after=after, limit=20))
        assert vast.take_queries() == {tables.SEGMENTS.name: 1}
