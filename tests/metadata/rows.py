"""Full rows with plain values, to be varied by the tests. A flow's timeline has the flow's id."""

from typing import Any

from tams_graphql.metadata import tables
from tams_graphql.metadata.engine import Changes, MetadataEngine
from tams_graphql.metadata.tables import Table

SECOND = 1_000_000_000


def source_row(source_id: str, **changed: Any) -> dict[str, Any]:
    row = dict.fromkeys(tables.SOURCES.columns) | {
        "source_id": source_id,
        "incarnation": f"first {source_id}",
        "format": "urn:x-nmos:format:video",
        "label_order": "b",
        "tags_json": "{}",
        "version": 0,
        "created_us": 1,
        "updated_us": 1,
        "flow_count": 1,
    }
    return row | changed


def flow_row(flow_id: str, **changed: Any) -> dict[str, Any]:
    row = dict.fromkeys(tables.FLOWS.columns) | {
        "flow_id": flow_id,
        "timeline_id": flow_id,
        "incarnation": f"first {flow_id}",
        "source_id": "source",
        "format": "urn:x-nmos:format:video",
        "label_order": "b",
        "metadata_version": "1",
        "tags_json": "{}",
        "version": 0,
        "created_us": 1,
        "metadata_updated_us": 1,
        "segment_count": 0,
        "covered_ns": 0,
    }
    return row | changed


def segment_row(flow_id: str, start_ns: int, end_ns: int, **changed: Any) -> dict[str, Any]:
    row = dict.fromkeys(tables.SEGMENTS.columns) | {
        "timeline_id": flow_id,
        "flow_id": flow_id,
        "incarnation": f"first {flow_id}",
        "object_id": f"{flow_id}/{start_ns}",
        "instances_json": "[]",
        "start_ns": start_ns,
        "end_ns": end_ns,
        "bounds": 0,
        "object_start_ns": 0,
        "object_end_ns": end_ns - start_ns,
        "object_bounds": 0,
        "created_us": 1,
    }
    return row | changed


def object_row(object_id: str, **changed: Any) -> dict[str, Any]:
    row = dict.fromkeys(tables.OBJECTS.columns) | {
        "object_id": object_id,
        "incarnation": f"first {object_id}",
        "state": "registered",
        "instances_json": "[]",
        "version": 0,
        "created_us": 1,
    }
    return row | changed


def reference_row(object_id: str, flow_id: str, segment_count: int = 1) -> dict[str, Any]:
    return {
        "object_id": object_id,
        "timeline_id": flow_id,
        "flow_id": flow_id,
        "segment_count": segment_count,
    }


def event_row(event_id: str, **changed: Any) -> dict[str, Any]:
    """An event as a command gives it: the engine finds its place."""
    row = {
        "event_id": event_id,
        "event_type": "flows/updated",
        "flow_id": None,
        "source_id": "source",
        "actor": None,
        "payload_json": "{}",
        "occurred_us": 1,
        "part_count": 0,
    }
    return row | changed


async def stored(engine: MetadataEngine, table: Table, *rows: dict[str, Any]) -> None:
    """Insert `rows` in one commit."""
    await engine.commit(lambda view: Changes(answer=None, insert={table: rows}), [])
