"""Flows as rows of `metadata.tables.FLOWS`, both ways, with the rows that depend on them."""

from collections.abc import Mapping
from typing import Any

import orjson
import pyarrow as pa

from tams_graphql.metadata.engine import Row
from tams_graphql.model.flow_input import collection_item
from tams_graphql.model.records import CollectionItem, Flow
from tams_graphql.model.vocabulary import ContentFormat, FlowStatus
from tams_graphql.resolvers.row_values import json_text, label_order
from tams_graphql.timeline import NEVER, TimeRange

_FIRST_VERSION = 0
_PLAIN = (
    "timeline_id",
    "incarnation",
    "source_id",
    "codec",
    "container",
    "label",
    "description",
    "created_by",
    "updated_by",
    "metadata_version",
    "profile_id",
    "generation",
    "max_bit_rate",
    "avg_bit_rate",
    "read_only",
    "created_us",
    "metadata_updated_us",
    "segments_updated_us",
    "segment_count",
    "covered_ns",
)


def flow_from_row(row: Mapping[str, Any]) -> Flow:
    """A full row of FLOWS as a record."""
    technical = orjson.loads(row["technical_json"] or "{}")
    return Flow(
        id=row["flow_id"],
        format=ContentFormat(row["format"]),
        status=FlowStatus(row["status"]) if row["status"] is not None else None,
        segment_duration=technical.get("segment_duration"),
        container_mapping=technical.get("container_mapping"),
        essence_parameters=_loaded(row["essence_json"]),
        flow_collection=collection_from_json(row["collection_json"]),
        tags=orjson.loads(row["tags_json"]),
        timerange=_spanned(row),
        **{name: row[name] for name in _PLAIN},
    )


def flows_from_table(rows: pa.Table) -> list[Flow]:
    """Full rows of FLOWS as records, in their order."""
    return [flow_from_row(row) for row in rows.to_pylist()]


def flow_row(flow: Flow) -> dict[str, Any]:
    """The full row of a new flow."""
    return {
        "flow_id": flow.id,
        "version": _FIRST_VERSION,
        **metadata_columns(flow),
        **rollup_columns(flow),
        "timeline_id": flow.timeline_id,
        "incarnation": flow.incarnation,
        "created_us": flow.created_us,
    }


def metadata_columns(flow: Flow) -> dict[str, Any]:
    """The columns that a change of metadata may touch; neither keys nor the rollup."""
    essence = flow.essence_parameters or {}
    return {
        "source_id": flow.source_id,
        "format": flow.format.value,
        "codec": flow.codec,
        "container": flow.container,
        "label": flow.label,
        "label_order": label_order(flow.label),
        "description": flow.description,
        "status": None if flow.status is None else flow.status.value,
        "created_by": flow.created_by,
        "updated_by": flow.updated_by,
        "metadata_version": flow.metadata_version,
        "metadata_updated_us": flow.metadata_updated_us,
        "profile_id": flow.profile_id,
        "generation": flow.generation,
        "max_bit_rate": flow.max_bit_rate,
        "avg_bit_rate": flow.avg_bit_rate,
        "read_only": flow.read_only,
        "frame_width": essence.get("frame_width"),
        "frame_height": essence.get("frame_height"),
        "init_segments": essence.get("init_segments"),
        "tags_json": json_text(flow.tags),
        "essence_json": _dumped(flow.essence_parameters),
        "collection_json": _collection_json(flow.flow_collection),
        "technical_json": _technical_json(flow),
    }


def rollup_columns(flow: Flow) -> dict[str, Any]:
    """The columns that a change of segments touches."""
    empty = flow.segment_count == 0
    return {
        "segments_updated_us": flow.segments_updated_us,
        "segment_count": flow.segment_count,
        "covered_ns": flow.covered_ns,
        "start_ns": None if empty else flow.timerange.start_ns,
        "end_ns": None if empty else flow.timerange.end_ns,
        "bounds": None if empty else int(flow.timerange.bounds),
    }


def changed_columns(before: Flow, after: Flow) -> Row | None:
    """The update that turns the metadata of `before` into that of `after`, if they differ."""
    old, new = metadata_columns(before), metadata_columns(after)
    changes = {name: value for name, value in new.items() if old[name] != value}
    return {"flow_id": after.id, **changes} if changes else None


def collection_rows(flow: Flow, source_of: Mapping[str, str]) -> list[Row]:
    """The edges of `flow` to its members; `source_of` gives each member's source id."""
    return [
        {
            "collector_flow_id": flow.id,
            "member_flow_id": item.id,
            "collector_source_id": flow.source_id,
            "member_source_id": source_of[item.id],
            "role": item.role,
            "position": position,
        }
        for position, item in enumerate(flow.flow_collection or ())
    ]


def _spanned(row: Mapping[str, Any]) -> TimeRange:
    if row["start_ns"] is None:
        return NEVER
    return TimeRange(row["start_ns"], row["end_ns"], row["bounds"])


def _collection_json(items: tuple[CollectionItem, ...] | None) -> str | None:
    if items is None:
        return None
    named = [
        {"id": item.id, "role": item.role, "container_mapping": item.container_mapping}
        for item in items
    ]
    return json_text([{k: v for k, v in item.items() if v is not None} for item in named])


def collection_from_json(text: str | None) -> tuple[CollectionItem, ...] | None:
    """The members in a column ``collection_json``; ``None`` if the property is not set."""
    return None if text is None else tuple(collection_item(v) for v in orjson.loads(text))


def _technical_json(flow: Flow) -> str | None:
    given = {
        "container_mapping": flow.container_mapping,
        "segment_duration": flow.segment_duration,
    }
    return _dumped({k: v for k, v in given.items() if v is not None} or None)


def _dumped(value: Mapping[str, Any] | None) -> str | None:
    return None if value is None else json_text(value)


def _loaded(text: str | None) -> dict[str, Any] | None:
    return None if text is None else orjson.loads(text)
