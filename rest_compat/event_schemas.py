"""JSON Schemas of what webhooks are sent (spec 8.2, `webhooks`), for the published contracts."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from rest_compat.schemas import COMPONENTS, Schema, array, ref
from tams_graphql.model.vocabulary import EventType

_COMPONENT: Final = "#/components/schemas/"
_TOLD: Final[Mapping[EventType, tuple[str, Mapping[str, Schema]]]] = {
    EventType.FLOWS_CREATED: ("A Flow was created.", {"flow": ref("flow-get")}),
    EventType.FLOWS_UPDATED: ("The metadata of a Flow changed.", {"flow": ref("flow-get")}),
    EventType.FLOWS_DELETED: ("A Flow was deleted.", {"flow_id": ref("uuid")}),
    EventType.FLOWS_SEGMENTS_ADDED: (
        "Segments were added to a Flow; a hundred at most in one event.",
        {"flow_id": ref("uuid"), "segments": array(ref("flow-segment"))},
    ),
    EventType.FLOWS_SEGMENTS_DELETED: (
        "Segments of a Flow were deleted; the timerange begins and ends with one of them.",
        {"flow_id": ref("uuid"), "timerange": ref("timerange")},
    ),
    EventType.SOURCES_CREATED: ("A Source came with its first Flow.", {"source": ref("source")}),
    EventType.SOURCES_UPDATED: ("The metadata of a Source changed.", {"source": ref("source")}),
    EventType.SOURCES_DELETED: (
        "A Source went with its last Flow.",
        {"source_id": ref("uuid")},
    ),
}


def event_schema(what: EventType) -> Schema:
    """The body of an event, with references into `schemas.COMPONENTS`."""
    description, content = _TOLD[what]
    told = {"type": "object", "required": list(content), "properties": dict(content)}
    return {
        "type": "object",
        "description": description,
        "required": ["event_timestamp", "event_type", "event"],
        "properties": {
            "event_timestamp": {"type": "string", "format": "date-time"},
            "event_type": {"const": what.value},
            "event": told,
        },
    }


def events_document() -> dict[str, Any]:
    """One JSON Schema for all of them, which needs no other document."""
    bodies = {what.value.replace("/", "-"): event_schema(what) for what in EventType}
    used: dict[str, Schema] = {}
    for schema in bodies.values():
        _collect(schema, used)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "tams-graphql: events as webhooks are sent them, in the newest shape",
        "oneOf": [{"$ref": f"#/$defs/{name}"} for name in bodies],
        "$defs": _local({**bodies, **dict(sorted(used.items()))}),
    }


def _collect(schema: Any, used: dict[str, Schema]) -> None:
    """Add what `schema` refers to, and what that refers to."""
    for name in _references(schema):
        if name not in used:
            used[name] = COMPONENTS[name]
            _collect(used[name], used)


def _references(schema: Any) -> Iterator[str]:
    if isinstance(schema, Mapping):
        for key, value in schema.items():
            if key == "$ref" and isinstance(value, str):
                yield value.removeprefix(_COMPONENT)
            else:
                yield from _references(value)
    elif isinstance(schema, list):
        for one in schema:
            yield from _references(one)


def _local(schema: Any) -> Any:
    if isinstance(schema, Mapping):
        return {key: _local(value) for key, value in schema.items()}
    if isinstance(schema, list):
        return [_local(one) for one in schema]
    return re.sub(f"^{_COMPONENT}", "#/$defs/", schema) if isinstance(schema, str) else schema
