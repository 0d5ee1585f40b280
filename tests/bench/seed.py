"""Flows of a known number of segments, written through the engine before a server starts."""

import asyncio
import uuid
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import orjson

from tams_graphql.metadata import tables
from tams_graphql.metadata.edits import Edits
from tams_graphql.metadata.engine import Changes, Key, Row, Scan, View, flow
from tams_graphql.metadata.sqlite.engine import SQLiteEngine
from tests.metadata.rows import SECOND, segment_row

BATCH = 20_000

FLOW_10K = "10000000-0000-4000-8000-000000000004"
FLOW_1M = "10000000-0000-4000-8000-000000000006"


def _segment(flow: Mapping[str, Any], index: int, storage_id: str) -> Row:
    instance = {"storage_id": storage_id, "key": uuid.uuid4().hex}
    return segment_row(
        flow["flow_id"],
        index * SECOND,
        (index + 1) * SECOND,
        timeline_id=flow["timeline_id"],
        incarnation=flow["incarnation"],
        instances_json=orjson.dumps([instance]).decode(),
        key_frame_count=1,
    )


def _batches(count: int) -> Iterator[range]:
    for start in range(0, count, BATCH):
        yield range(start, min(start + BATCH, count))


async def _fill(engine: SQLiteEngine, flow_id: str, count: int, storage_id: str) -> None:
    row = (await engine.get(tables.FLOWS, [(flow_id,)])).to_pylist()[0]
    for batch in _batches(count):

        def command(_: View, batch: range = batch) -> Changes[None]:
            edits = Edits()
            edits.insert(tables.SEGMENTS, *(_segment(row, i, storage_id) for i in batch))
            edits.update(
                tables.FLOWS,
                {
                    "flow_id": flow_id,
                    "segment_count": batch.stop,
                    "start_ns": 0,
                    "end_ns": batch.stop * SECOND,
                    "bounds": 0,
                    "covered_ns": batch.stop * SECOND,
                },
            )
            return edits.changes(None)

        await engine.commit(command, [flow(flow_id)])


def repeat_segments(data: Path, flow_id: str, count: int) -> None:
    """Repeat the one-second segments that a flow has, with their objects, until it has `count`."""

    async def work() -> None:
        engine = await SQLiteEngine.open(data / "index.sqlite")
        for batch in _batches(count):
            await engine.commit(partial(_repeat, flow_id, batch), [flow(flow_id)])
        await engine.close()

    asyncio.run(work())


def _repeat(flow_id: str, batch: range, view: View) -> Changes[None]:
    """The segments of `batch` but for those that are there; the first ones are repeated."""
    edits = Edits()
    row = view.get(tables.FLOWS, [(flow_id,)]).to_pylist()[0]
    objects = tables.REFERENCES
    pattern = tables.SEGMENTS
    first = view.page(Scan(table=pattern, prefix=(row["timeline_id"],), limit=1000)).to_pylist()
    there, repeats = len(first), -(-batch.stop // len(first))
    slots = range(max(batch.start, there), batch.stop)
    edits.insert(pattern, *(_moved(first[slot % there], slot) for slot in slots))
    keys: list[Key] = [(one["object_id"], row["timeline_id"]) for one in first]
    for reference in view.get(objects, keys).to_pylist():
        edits.update(objects, reference | {"segment_count": repeats})
    span = batch.stop * SECOND
    rollup = {"segment_count": batch.stop, "end_ns": span, "covered_ns": span}
    edits.update(tables.FLOWS, {"flow_id": flow_id, **rollup})
    return edits.changes(None)


def _moved(segment: Row, slot: int) -> Row:
    start = slot * SECOND
    return {**segment, "start_ns": start, "end_ns": start + SECOND, "ts_offset_ns": start}


def seed_segments(data: Path, counts: dict[str, int]) -> None:
    """Give each flow in `counts` that many one-second segments; the flows exist already."""
    storage_id = (data / "storage_backend_id").read_text().strip()

    async def work() -> None:
        engine = await SQLiteEngine.open(data / "index.sqlite")
        for flow_id, count in counts.items():
            await _fill(engine, flow_id, count, storage_id)
        await engine.close()

    asyncio.run(work())
