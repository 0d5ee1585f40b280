"""What the VAST engine costs through the real SDK, against the emulator.

The emulator is one Python process: its own share is in all arms, so the ratios are too small
rather than too big.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tams_graphql.metadata import tables
from tams_graphql.metadata.engine import Changes, Command, Scan, View, flow
from tams_graphql.metadata.vast.cluster import Cluster, Target
from tams_graphql.metadata.vast.density import Densities
from tams_graphql.metadata.vast.engine import VastEngine
from tams_graphql.metadata.vast.reading import Reading
from tams_graphql.metadata.vast.schema import prepare
from tams_graphql.metadata.vast.selecting import select_in
from tests.bench.harness import Arm, Comparison
from tests.metadata.rows import flow_row, segment_row, stored
from tests.support.vast import fresh_target
from tests.vast_emulator.running import emulator

ROWS = 1_000
WRITERS = 32


@contextmanager
def vast_comparisons() -> Iterator[list[Comparison]]:
    """Comparisons that live as long as the block."""
    loop = asyncio.new_event_loop()
    with emulator() as running:
        target = fresh_target(running)
        engine = loop.run_until_complete(VastEngine.open(target))
        loop.run_until_complete(_seed(engine))
        try:
            yield [_reads(target), _commits(engine, loop), _bulk(engine, loop)]
        finally:
            loop.run_until_complete(engine.close())
            loop.close()


async def _seed(engine: VastEngine) -> None:
    await stored(engine, tables.FLOWS, *(flow_row(f"flow {n}") for n in range(WRITERS)))
    rows = [segment_row("read", n, n + 1) for n in range(ROWS)]
    await stored(engine, tables.SEGMENTS, *rows)


def _reads(target: Target) -> Comparison:
    cluster = Cluster(target)
    catalogue = prepare(cluster)
    scan = Scan(table=tables.SEGMENTS, prefix=_partition("read"), limit=100)

    def read(*, fast: bool) -> None:
        with cluster.reading() as transaction:
            select = select_in(transaction, catalogue, fast=fast)
            assert Reading(select, Densities()).page(scan).num_rows == 100

    arms = [
        Arm("the SDK's request on a kept connection", lambda: read(fast=True)),
        Arm("the SDK's select", lambda: read(fast=False)),
    ]
    return Comparison("What does reading 100 segments from VAST cost?", "read", arms)


def _commits(engine: VastEngine, loop: asyncio.AbstractEventLoop) -> Comparison:
    async def together() -> None:
        await asyncio.gather(*(_count_up(engine, n) for n in range(WRITERS)))

    async def alone() -> None:
        await _count_up(engine, 0)

    arms = [
        Arm(f"{WRITERS} at once", lambda: loop.run_until_complete(together()), per=WRITERS),
        Arm("one at a time", lambda: loop.run_until_complete(alone())),
    ]
    return Comparison("What does a commit to VAST cost?", "command", arms, rounds=15)


async def _count_up(engine: VastEngine, number: int) -> None:
    flow_id = f"flow {number}"

    def command(view: View) -> Changes[None]:
        count = view.get(tables.FLOWS, [(flow_id,)])["segment_count"][0].as_py()
        row = {"flow_id": flow_id, "segment_count": count + 1}
        return Changes(answer=None, update={tables.FLOWS: [row]})

    await engine.commit(command, [flow(flow_id)])


def _bulk(engine: VastEngine, loop: asyncio.AbstractEventLoop) -> Comparison:
    numbers = iter(range(10**9))

    def insert(count: int) -> None:
        rows = [segment_row("bulk", n, n + 1) for n, _ in zip(numbers, range(count), strict=False)]
        command: Command[None] = lambda _: Changes(answer=None, insert={tables.SEGMENTS: rows})  # noqa: E731
        loop.run_until_complete(engine.commit(command, []))

    arms = [
        Arm("1,000 in one command", lambda: insert(1_000), per=1_000),
        Arm("1 in one command", lambda: insert(1)),
    ]
    return Comparison("What does storing a segment row in VAST cost?", "row", arms, rounds=15)


def _partition(flow_id: str) -> tuple[Any, ...]:
    """The prefix of the key of `segment_row(flow_id, …)`."""
    return tuple(segment_row(flow_id, 0, 1)[name] for name in tables.SEGMENTS.key[:1])
