"""Sources as rows of `metadata.tables.SOURCES`, both ways."""

from collections.abc import Mapping
from typing import Any

import orjson

from tams_graphql.metadata.engine import Row
from tams_graphql.model.records import Source
from tams_graphql.model.vocabulary import ContentFormat
from tams_graphql.resolvers.row_values import json_text, label_order


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


def source_row(source: Source) -> dict[str, Any]:
    """The row of a new source, with its first flow."""
    return {
        "source_id": source.id,
        "incarnation": source.incarnation,
        "format": source.format.value,
        "created_by": source.created_by,
        "created_us": source.created_us,
        "version": 0,
        "flow_count": 1,
        **metadata_columns(source),
    }
