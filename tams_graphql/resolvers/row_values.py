"""Values as the columns of the index keep them: JSON text, label order, tag rows."""

from collections.abc import Mapping
from typing import Any

import orjson

from tams_graphql.metadata import tables
from tams_graphql.metadata.edits import Edits
from tams_graphql.metadata.engine import Key
from tams_graphql.model.records import Tags


def json_text(value: Any) -> str:
    """`value` as the text of a column ``*_json``; equal values give equal text."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()


def label_order(label: str | None) -> str:
    """What places a resource among others by label (`metadata.tables`)."""
    return "b" if label is None else f"a{label}"


def edit_tags(edits: Edits, kind: str, resource_id: str, before: Tags, after: Tags) -> None:
    """Bring the tag index in line with a resource whose tags change; `kind` as in TAGS."""
    old, new = _tag_keys(kind, resource_id, before), _tag_keys(kind, resource_id, after)
    edits.delete(tables.TAGS, *sorted(old - new, key=str))
    columns = tables.TAGS.key
    edits.insert(
        tables.TAGS, *(dict(zip(columns, key, strict=True)) for key in sorted(new - old, key=str))
    )


def _tag_keys(kind: str, resource_id: str, tags: Mapping[str, str | list[str]]) -> set[Key]:
    return {
        (kind, name, value, resource_id)
        for name, given in tags.items()
        for value in ([given] if isinstance(given, str) else given or [""])
    }
