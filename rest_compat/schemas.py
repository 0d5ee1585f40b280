"""JSON Schemas of what travels, for the published contract.

Bodies that the model validates with pydantic are described by those very models; the rest is
written here. ``COMPONENTS`` is what `ref` points into.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from pydantic import TypeAdapter

from tams_graphql.model.flow_input import AnyFlowBody, CollectionItemBody, ProfileFlowBody
from tams_graphql.model.identifiers import MIME_PATTERN, UUID_PATTERN
from tams_graphql.model.profile_input import TechnicalOfProfile
from tams_graphql.model.vocabulary import ContentFormat, EventType, FlowStatus, WebhookStatus
from tams_graphql.timeline.timestamp import TIMESTAMP_PATTERN

Schema = Mapping[str, Any]
_COMPONENTS = "#/components/schemas/"
_TEXT: Schema = {"type": "string"}
_COUNT: Schema = {"type": "integer", "minimum": 0}
_FLAG: Schema = {"type": "boolean"}
_DATE_TIME: Schema = {"type": "string", "format": "date-time"}
_BRACES = "{model}"


def ref(name: str) -> Schema:
    """A reference to one of `COMPONENTS`."""
    return {"$ref": _COMPONENTS + name}


def array(items: Schema) -> Schema:
    """A list of `items`."""
    return {"type": "array", "items": items}


def _object(required: str, **properties: Schema) -> Schema:
    """An object with these properties; `required` lists some, separated by spaces."""
    return {"type": "object", "required": required.split(), "properties": properties}


def _vocabulary(kind: type[StrEnum]) -> Schema:
    return {"type": "string", "enum": list(kind)}


def _text(pattern: str, description: str, example: str) -> Schema:
    return {
        "type": "string",
        "pattern": pattern,
        "description": description,
        "examples": [example],
    }


_STORAGE = {
    "store_type": {"const": "http_object_store"},
    "provider": _TEXT,
    "region": _TEXT,
    "availability_zone": _TEXT,
    "store_product": _TEXT,
    "tags": ref("tags"),
}
_MANAGED = {
    "created": _DATE_TIME,
    "metadata_updated": _DATE_TIME,
    "segments_updated": _DATE_TIME,
    "timerange": ref("timerange"),
    "collected_by": array(ref("uuid")),
}
_BASIC: dict[str, Schema] = {
    "uuid": _text(UUID_PATTERN, "A lower-case UUID.", "4f79cfd1-c057-47f4-8e4d-1b126ca7bf34"),
    "mime-type": _text(MIME_PATTERN, "A MIME type without parameters.", "video/mp2t"),
    "timestamp": _text(f"^{TIMESTAMP_PATTERN}$", "Seconds and nanoseconds of TAI.", "1694429247:0"),
    "timerange": _text(
        rf"^(\[|\()?({TIMESTAMP_PATTERN})?(_({TIMESTAMP_PATTERN})?)?(\]|\))?$",
        "A range of time: [ and ] include their end, ( and ) exclude it; _ is all of time.",
        "[0:0_10:0)",
    ),
    "content-format": _vocabulary(ContentFormat),
    "flow-status": _vocabulary(FlowStatus),
    "tag-value": {"oneOf": [_TEXT, array(_TEXT)]},
    "tags": {"type": "object", "additionalProperties": ref("tag-value")},
    "error": _object(
        "type summary time details",
        type={"type": "string", "description": "Stable name of the kind of error."},
        summary=_TEXT,
        time=_DATE_TIME,
        request_id={"type": "string", "description": "Quote it to the server's operator."},
        details=array(_object("field rule message", field=_TEXT, rule=_TEXT, message=_TEXT)),
    ),
}
_SERVICE: dict[str, Schema] = {
    "service": _object(
        "type api_version min_object_timeout",
        name=_TEXT,
        description=_TEXT,
        type=_TEXT,
        api_version=_TEXT,
        service_version=_TEXT,
        event_stream_mechanisms=array(_object("name", name=_TEXT, docs=_TEXT)),
        min_object_timeout=ref("timestamp"),
        min_presigned_url_timeout=ref("timestamp"),
    ),
    "service-post": {"type": "object", "properties": {"name": _TEXT, "description": _TEXT}},
    "storage-backend": _object(
        "id store_type provider store_product",
        id=ref("uuid"),
        label=_TEXT,
        default_storage=_FLAG,
        **_STORAGE,
    ),
}
_NOUNS: dict[str, Schema] = {
    "deletion-request": _object(
        "id flow_id timerange_to_delete delete_flow status",
        id=ref("uuid"),
        flow_id=ref("uuid"),
        timerange_to_delete=ref("timerange"),
        timerange_remaining=ref("timerange"),
        delete_flow=_FLAG,
        created=_DATE_TIME,
        created_by=_TEXT,
        updated=_DATE_TIME,
        expiry=_DATE_TIME,
        status={"type": "string", "enum": ["created", "started", "done", "error"]},
        error=_object("type summary time", type=_TEXT, summary=_TEXT, time=_DATE_TIME),
    ),
    "source": _object(
        "id format",
        id=ref("uuid"),
        format=ref("content-format"),
        label=_TEXT,
        description=_TEXT,
        created_by=_TEXT,
        updated_by=_TEXT,
        created=_DATE_TIME,
        updated=_DATE_TIME,
        tags=ref("tags"),
        source_collection=array(_object("id", id=ref("uuid"), role=_TEXT)),
        collected_by=array(ref("uuid")),
    ),
    "flow-get": {
        "description": "A Flow as it was PUT, with what the service manages.",
        "allOf": [
            ref("flow-described"),
            {"type": "object", "properties": _MANAGED, "required": ["id", "source_id"]},
        ],
    },
    "flow-collection": array(ref("CollectionItemBody")),
    "profile": _object(
        "id flow_metadata",
        id=ref("uuid"),
        label=_TEXT,
        description=_TEXT,
        created_by=_TEXT,
        created=_DATE_TIME,
        tags=ref("tags"),
        flow_metadata=ref("profile-flow-metadata"),
    ),
}
_WEBHOOK: dict[str, Schema] = {
    "url": {"type": "string", "description": "Where events are POSTed to."},
    "api_key_name": {"type": "string", "description": "The header that the key is sent in."},
    "events": array(_vocabulary(EventType)),
    "flow_ids": array(ref("uuid")),
    "source_ids": array(ref("uuid")),
    "flow_collected_by_ids": {
        **array(ref("uuid")),
        "description": "Of Flows that one of these collects; empty: that none does.",
    },
    "source_collected_by_ids": {
        **array(ref("uuid")),
        "description": "Of Sources that one of these collects; empty: that none does.",
    },
    "accept_get_urls": array(_TEXT),
    "accept_storage_ids": array(ref("uuid")),
    "presigned": _FLAG,
    "verbose_storage": _FLAG,
    "include_object_timerange": _FLAG,
    "tags": ref("tags"),
}
_KEY: Schema = {"type": "string", "writeOnly": True, "description": "Never shown again."}
_CLIENT_STATUS: Schema = {"type": "string", "enum": ["created", "disabled"]}
_WEBHOOKS: dict[str, Schema] = {
    "webhook": _object(
        "id url events status",
        id=ref("uuid"),
        **_WEBHOOK,
        status=_vocabulary(WebhookStatus),
        error=_object("type summary time", type=_TEXT, summary=_TEXT, time=_DATE_TIME),
    ),
    "webhook-post": _object("url events", **_WEBHOOK, api_key_value=_KEY, status=_CLIENT_STATUS),
    "webhook-put": _object(
        "id url events status",
        id=ref("uuid"),
        **_WEBHOOK,
        api_key_value=_KEY,
        status=_CLIENT_STATUS,
    ),
}
_URL: Schema = _object(
    "url",
    url=_TEXT,
    label=_TEXT,
    presigned=_FLAG,
    controlled={"type": "boolean", "description": "Whether this service manages the bytes."},
    storage_id=ref("uuid"),
    **_STORAGE,
)
_UNCONTROLLED: Schema = _object("url label", url=_TEXT, label=_TEXT)
_SEGMENT = {
    "object_id": _TEXT,
    "timerange": ref("timerange"),
    "ts_offset": {
        **ref("timestamp"),
        "description": "Segment time minus object time; 0:0 if left out.",
    },
    "last_duration": ref("timestamp"),
    "object_timerange": ref("timerange"),
    "sample_offset": {**_COUNT, "deprecated": True},
    "sample_count": {**_COUNT, "deprecated": True},
    "key_frame_count": _COUNT,
}
_MEDIA: dict[str, Schema] = {
    "flow-segment": _object(
        "object_id timerange",
        **_SEGMENT,
        get_urls=array(_URL),
        init_object=_object("object_id", object_id=_TEXT, get_urls=array(_URL)),
    ),
    "flow-segment-post": _object(
        "object_id timerange", **_SEGMENT, init_object_id=_TEXT, get_urls=array(_UNCONTROLLED)
    ),
    "flow-segment-bulk-failure": _object(
        "failed_segments",
        failed_segments=array(
            _object("object_id", object_id=_TEXT, timerange=_TEXT, error=ref("error"))
        ),
    ),
    "flow-storage-post": {
        "type": "object",
        "description": "How many objects, or which ids they shall have; not both.",
        "properties": {
            "limit": {"type": "integer", "minimum": 1},
            "object_ids": array(_TEXT),
            "storage_id": ref("uuid"),
            "content_type": {
                **ref("mime-type"),
                "description": "Of initialisation segments; otherwise it is the Flow's container.",
            },
        },
    },
    "flow-storage": _object(
        "media_objects",
        media_objects=array(
            _object(
                "object_id put_url", object_id=_TEXT, put_url=ref("http-request"), presigned=_FLAG
            )
        ),
    ),
    "http-request": {
        "type": "object",
        "required": ["url"],
        "properties": {
            "url": _TEXT,
            "content-type": _TEXT,
            "headers": {"type": "object", "additionalProperties": _TEXT},
        },
    },
    "object": _object(
        "id referenced_by_flows",
        id=_TEXT,
        referenced_by_flows=array(ref("uuid")),
        first_referenced_by_flow=ref("uuid"),
        timerange=ref("timerange"),
        key_frame_count=_COUNT,
        get_urls=array(_URL),
        init_object=_object("id", id=_TEXT, get_urls=array(_URL)),
    ),
    "objects-instances-post": {
        "oneOf": [_object("storage_id", storage_id=ref("uuid")), _UNCONTROLLED]
    },
}


def _without_null(schema: Any) -> Any:
    """Pydantic's ``anyOf [X, null]`` with a default of null says "may be left out": only X."""
    if isinstance(schema, list):
        return [_without_null(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    kept = {k: _without_null(v) for k, v in schema.items() if (k, v) != ("default", None)}
    options = [option for option in kept.get("anyOf", ()) if option != {"type": "null"}]
    if len(options) == 1:
        kept = {**{k: v for k, v in kept.items() if k not in {"anyOf", "title"}}, **options[0]}
    return kept


def _flow_bodies() -> dict[str, Schema]:
    kinds: Any = TypeAdapter(
        tuple[AnyFlowBody, ProfileFlowBody, CollectionItemBody, TechnicalOfProfile]
    )
    schema = _without_null(kinds.json_schema(ref_template=_COMPONENTS + _BRACES))
    flow, from_profile, _, technical = schema["prefixItems"]
    return {
        **schema["$defs"],
        "flow-described": {"oneOf": flow["anyOf"]},
        "flow-put": {"oneOf": [*flow["anyOf"], from_profile]},
        "profile-flow-metadata": {"oneOf": technical["anyOf"]},
    }


COMPONENTS: Mapping[str, Schema] = {
    **_BASIC, **_SERVICE, **_WEBHOOKS, **_NOUNS, **_MEDIA, **_flow_bodies(),
}  # fmt: skip
