"""One query over many sources, flows and segments: reads do not grow with the sources."""

import asyncio
import uuid
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pytest

from tams_graphql.metadata import tables
from tams_graphql.metadata.engine import Changes, Key, MetadataEngine, Row, Scan
from tams_graphql.metadata.tables import Table
from tams_graphql.resolvers.context import Context
from tams_graphql.resolvers.flows import put_flow
from tests.graphql.conftest import Api
from tests.graphql.test_columnar import segment
from tests.resolvers.conftest import video

QUERY = """
query Nested($sources: Int!) {
  sources(first: $sources) {
    nodes {
      label
      flows(first: 3) {
        nodes {
          flowId
          source { sourceId }
          segments(first: 20, timerange: "[0:0_1000:0)") {
            nodes { objectId timerange getUrls { url } }
          }
        }
      }
    }
  }
}
"""
FLOWS_OF_EACH = 3


class CountingEngine:
    """Counts the reads that pass through, and the rows that they fetch."""

    def __init__(self, engine: MetadataEngine) -> None:
        self._engine = engine
        self.reads: list[tuple[str, str, int]] = []

    async def get(
        self, table: Table, keys: Sequence[Key], columns: tuple[str, ...] | None = None
    ) -> pa.Table:
        return self._counted("get", table, await self._engine.get(table, keys, columns))

    async def page(self, scan: Scan) -> pa.Table:
        return self._counted("page", scan.table, await self._engine.page(scan))

    async def first_per_key(self, scan: Scan, prefixes: Sequence[Key]) -> pa.Table:
        rows = await self._engine.first_per_key(scan, prefixes)
        return self._counted("first_per_key", scan.table, rows)

    def _counted(self, kind: str, table: Table, rows: pa.Table) -> pa.Table:
        self.reads.append((kind, table.name, rows.num_rows))
        return rows

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)


async def fill(ctx: Context, sources: int, segments: int) -> None:
    flows = {
        str(uuid.UUID(int=1000 * source + flow, version=4)): str(uuid.UUID(int=source, version=4))
        for source in range(1, sources + 1)
        for flow in range(FLOWS_OF_EACH)
    }
    timelines: dict[str, str] = {}

    async def put(flow_id: str) -> None:
        made = await put_flow(ctx, flow_id, video(flow_id, flows[flow_id]))
        timelines[flow_id] = made.flow.timeline_id

    # One flow of each source first: the others of a new source would contend for it.
    for some in (list(flows)[::FLOWS_OF_EACH], list(flows)):
        await asyncio.gather(*map(put, some))
    for flow_id in flows:
        named = {"flow_id": flow_id, "timeline_id": timelines[flow_id]}
        rows: list[Row] = [
            segment(index, **named, object_id=f"{flow_id} {index}") for index in range(segments)
        ]
        changes = Changes(answer=None, insert={tables.SEGMENTS: rows})
        await ctx.metadata.commit(lambda _, changes=changes: changes, [])


async def check(engine: MetadataEngine, sources: int, segments: int) -> None:
    counting = CountingEngine(engine)
    api = Api(counting)  # type: ignore[arg-type]
    await fill(api.context(), sources, segments)
    reads = {}
    for asked in (1, sources):
        counting.reads.clear()
        data = await api.data(QUERY, sources=asked)
        assert len(data["sources"]["nodes"]) == asked
        flows = [one for source in data["sources"]["nodes"] for one in source["flows"]["nodes"]]
        assert len(flows) == FLOWS_OF_EACH * asked
        assert {len(flow["segments"]["nodes"]) for flow in flows} == {20}
        for flow in flows:
            starts = [one["timerange"] for one in flow["segments"]["nodes"]]
            assert starts == [f"[{2 * i}:0_{2 * i + 2}:0)" for i in range(20)]
        returned = asked * (1 + FLOWS_OF_EACH * (1 + 1 + 20))
        assert sum(rows for _, _, rows in counting.reads) <= 3 * returned
        reads[asked] = sorted((kind, table) for kind, table, _ in counting.reads)
    await api.http.aclose()
    assert reads[sources] == reads[1]
    assert reads[1] == [
        ("first_per_key", "flow_segments"),
        ("first_per_key", "flows"),
        ("get", "sources"),
        ("page", "sources"),
    ]


async def test_reads_do_not_grow_with_the_number_of_sources(engine: MetadataEngine) -> None:
    await check(engine, sources=50, segments=60)


async def test_collectors_are_read_together(engine: MetadataEngine) -> None:
    counting = CountingEngine(engine)
    api = Api(counting)  # type: ignore[arg-type]
    camera = await api.video_flow()
    for _ in range(5):
        members = [{"flowId": camera["flowId"]}]
        await api.video_flow(essence={"multi": {}}, flowCollection=members)
    counting.reads.clear()
    data = await api.data(
        """query Q($flow: UUID!, $source: UUID!) {
             flow(flowId: $flow) { collectedBy { flowId } }
             source(sourceId: $source) { collectedBy { sourceId } } }""",
        flow=camera["flowId"],
        source=camera["sourceId"],
    )
    await api.http.aclose()
    assert len(data["flow"]["collectedBy"]) == len(data["source"]["collectedBy"]) == 5
    rows = [rows for kind, table, rows in counting.reads if (kind, table) == ("get", "flows")]
    assert sorted(rows) == [1, 5]
    rows = [rows for kind, table, rows in counting.reads if (kind, table) == ("get", "sources")]
    assert sorted(rows) == [1, 5]


@pytest.mark.soak
async def test_nor_with_10000_segments_in_each_flow(engine: MetadataEngine) -> None:
    await check(engine, sources=50, segments=10_000)
