"""How flows make sources come and go."""

import uuid
from collections.abc import Mapping
from typing import Any

from tams_graphql.metadata import engine, tables
from tams_graphql.metadata.edits import Edits
from tams_graphql.metadata.engine import View
from tams_graphql.model.errors import InvalidInput
from tams_graphql.model.records import Flow, Source
from tams_graphql.resolvers.row_values import edit_tags
from tams_graphql.resolvers.source_rows import source_from_row, source_row


def join_source(view: View, edits: Edits, flow: Flow, now_us: int) -> Source | None:
    """Count `flow` among the flows of its source, which comes with its first one.

    The command relies on the source and on its creation.

    Returns:
        The source, if it is new.

    Raises:
        InvalidInput: the source is of another format (spec 8.2, `PUT /flows/{flowId}`).
    """
    found = view.get(tables.SOURCES, [(flow.source_id,)]).to_pylist()
    if not found:
        source = _new_source(flow, now_us)
        edits.insert(tables.SOURCES, source_row(source))
        return source
    check_format(flow, found[0])
    count = found[0]["flow_count"] + 1
    edits.update(tables.SOURCES, {"source_id": flow.source_id, "flow_count": count})
    return None


def leave_source(view: View, edits: Edits, source_id: str) -> Source | None:
    """Take one flow off a source, which goes with its last one. The command relies on it.

    Returns:
        The source, if it goes.
    """
    for row in view.get(tables.SOURCES, [(source_id,)]).to_pylist():
        if row["flow_count"] > 1:
            count = row["flow_count"] - 1
            edits.update(tables.SOURCES, {"source_id": source_id, "flow_count": count})
            return None
        # Its last event comes before the first one of the next source of this id.
        view.rely_on(engine.creation("source", source_id))
        source = source_from_row(row)
        edits.delete(tables.SOURCES, (source_id,))
        edit_tags(edits, "source", source_id, source.tags, {})
        return source
    return None


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


def _new_source(flow: Flow, now_us: int) -> Source:
    return Source(
        id=flow.source_id,
        incarnation=str(uuid.uuid4()),
        format=flow.format,
        label=None,
        description=None,
        created_by=flow.created_by,
        updated_by=flow.updated_by,
        created_us=now_us,
        updated_us=now_us,
        tags={},
    )
