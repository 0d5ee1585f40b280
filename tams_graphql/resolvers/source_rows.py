"""Sources as rows of `metadata.tables.SOURCES`, and how flows make them come and go."""

import uuid
from collections.abc import Mapping
from typing import Any

import orjson

from tams_graphql.metadata import tables
from tams_graphql.metadata.edits import Edits
from tams_graphql.metadata.engine import Row, View
from tams_graphql.model.errors import InvalidInput
from tams_graphql.model.records import Flow, Source
from tams_graphql.model.vocabulary import ContentFormat
from tams_graphql.resolvers.row_values import edit_tags, json_text, label_order


def source_from_row(row: Mapping[str, Any]) -> Source:
    """A full row of SOURCES as a record."""
    return Source(
        id=row["source_id"],
        incarnation=row["incarnation"],
        format=ContentFormat(row["format"]),
        label=row["label"],
        description=row["description"],
        created_by=row["created_by"],
        updated_by=row["updated_by"],
        created_us=row["created_us"],
        updated_us=row["updated_us"],
        tags=orjson.loads(row["tags_json"]),
    )


def metadata_columns(source: Source) -> dict[str, Any]:
    """The columns that a change of metadata may touch."""
    return {
        "label": source.label,
        "label_order": label_order(source.label),
        "description": source.description,
        "updated_by": source.updated_by,
        "updated_us": source.updated_us,
        "tags_json": json_text(source.tags),
    }


def changed_columns(before: Source, after: Source) -> Row | None:
    """The update that turns `before` into `after`, if they differ."""
    old, new = metadata_columns(before), metadata_columns(after)
    changes = {name: value for name, value in new.items() if old[name] != value}
    return {"source_id": after.id, **changes} if changes else None


def join_source(view: View, edits: Edits, flow: Flow, now_us: int) -> None:
    """Count `flow` among the flows of its source, which comes with its first one.

    The command relies on the source and on its creation.

    Raises:
        InvalidInput: the source is of another format (spec 8.2, `PUT /flows/{flowId}`).
    """
    found = view.get(tables.SOURCES, [(flow.source_id,)]).to_pylist()
    if not found:
        edits.insert(tables.SOURCES, _new_source_row(flow, now_us))
        return
    check_format(flow, found[0])
    count = found[0]["flow_count"] + 1
    edits.update(tables.SOURCES, {"source_id": flow.source_id, "flow_count": count})


def leave_source(view: View, edits: Edits, source_id: str) -> None:
    """Take one flow off a source, which goes with its last one. The command relies on it."""
    found = view.get(tables.SOURCES, [(source_id,)]).to_pylist()
    for row in found:
        if row["flow_count"] > 1:
            count = row["flow_count"] - 1
            edits.update(tables.SOURCES, {"source_id": source_id, "flow_count": count})
        else:
            edits.delete(tables.SOURCES, (source_id,))
            edit_tags(edits, "source", source_id, source_from_row(row).tags, {})


def check_format(flow: Flow, source: Mapping[str, Any]) -> None:
    """Refuse a flow whose format differs from that of its source's row.

    Raises:
        InvalidInput: rule ``source.format``.
    """
    if source["format"] != flow.format.value:
        raise InvalidInput(
            "format",
            "source.format",
            f"source {flow.source_id} is of format {source['format']}",
        )


def _new_source_row(flow: Flow, now_us: int) -> Row:
    return {
        "source_id": flow.source_id,
        "incarnation": str(uuid.uuid4()),
        "format": flow.format.value,
        "label": None,
        "label_order": label_order(None),
        "description": None,
        "created_by": flow.created_by,
        "updated_by": flow.updated_by,
        "tags_json": json_text({}),
        "version": 0,
        "created_us": now_us,
        "updated_us": now_us,
        "flow_count": 1,
    }
