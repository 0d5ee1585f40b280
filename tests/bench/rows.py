"""Very many flows and sources, and a flow of very many segments, for `depth`."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx

from tams_graphql.metadata import tables
from tams_graphql.metadata.edits import Edits
from tams_graphql.metadata.engine import Changes, View
from tams_graphql.metadata.sqlite.engine import SQLiteEngine
from tams_graphql.model.vocabulary import ContentFormat
from tams_graphql.resolvers.row_values import json_text, label_order
from tests.bench.seed import BATCH, FLOW_1M, seed_segments
from tests.metadata.rows import flow_row, source_row
from tests.robustness.stories import video_flow
from tests.support.processes import tams

ROWS = 1_000_000
SEGMENTS = 1_000_000
FEW = 500
"""How many resources have the tag ``crew=few``; half of all have ``crew=many``."""

_STEPS = (700_001, 300_007, 900_001)
"""Prime to `ROWS`: each scatters the rows of one order all over the table."""


def seed(data: Path) -> None:
    """Make an index in `data`: `ROWS` flows, each with a source, and a flow of `SEGMENTS`."""
    with tams(data) as server, httpx.Client(base_url=server.url, timeout=60) as client:
        client.put(f"/flows/{FLOW_1M}", json=video_flow(FLOW_1M)).raise_for_status()
    seed_segments(data, {FLOW_1M: SEGMENTS})
    asyncio.run(_seed_resources(data))


async def _seed_resources(data: Path) -> None:
    engine = await SQLiteEngine.open(data / "index.sqlite")
    for start in range(0, ROWS, BATCH):
        numbers = range(start, min(start + BATCH, ROWS))

        def command(_: View, numbers: range = numbers) -> Changes[None]:
            edits = Edits()
            for number in numbers:
                _insert(edits, number)
            return edits.changes(None)

        await engine.commit(command, [])
    await engine.close()


def _insert(edits: Edits, number: int) -> None:
    source_id, flow_id = _id(2, number), _id(3, number)
    crew = _crew(number)
    edits.insert(tables.SOURCES, source_row(source_id, **_facts(number, crew, "updated_us")))
    flow = flow_row(flow_id, source_id=source_id, **_facts(number, crew, "metadata_updated_us"))
    edits.insert(tables.FLOWS, flow)
    edits.insert(tables.TAGS, *_tags(crew, source=source_id, flow=flow_id))


def _id(kind: int, number: int) -> str:
    return f"{kind}0000000-0000-4000-8000-{number:012}"


def _crew(number: int) -> str | None:
    if number % (ROWS // FEW) == 0:
        return "few"
    return "many" if number % 2 else None


def _facts(number: int, crew: str | None, updated: str) -> dict[str, Any]:
    created_us, updated_us, name = ((number * step) % ROWS for step in _STEPS)
    label = f"camera {name:07}" if number % 2 else None
    return {
        "format": (ContentFormat.VIDEO if number % 3 else ContentFormat.AUDIO).value,
        "label": label,
        "label_order": label_order(label),
        "tags_json": json_text({} if crew is None else {"crew": crew}),
        "created_us": created_us,
        updated: updated_us,
    }


def _tags(crew: str | None, **ids: str) -> Iterator[dict[str, Any]]:
    if crew is not None:
        for kind, identifier in ids.items():
            yield {"kind": kind, "name": "crew", "value": crew, "resource_id": identifier}
