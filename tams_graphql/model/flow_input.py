"""The body of a PUT of a Flow, as strict as spec 8.2 `flow-put.json`.

Objects that the schema leaves open keep the properties it does not name; at the top level
such properties are ignored.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import Field

from tams_graphql.model.container_mapping import ContainerMapping
from tams_graphql.model.errors import InvalidInput
from tams_graphql.model.essence import (
    AudioEssence,
    DataEssence,
    ImageEssence,
    MultiEssence,
    OneOfStrings,
    Rational,
    VideoEssence,
)
from tams_graphql.model.identifiers import MimeText, UUIDText, required_uuid
from tams_graphql.model.records import CollectionItem, Tags
from tams_graphql.model.tags import TagsField
from tams_graphql.model.validation import (
    Body,
    NotNegative,
    Omittable,
    canonical,
    strict,
    validated,
    validated_value,
)
from tams_graphql.model.vocabulary import ContentFormat, FlowStatus
from tams_graphql.timeline.timestamp import TIMESTAMP_PATTERN

_TIMERANGE = rf"^[\[(]?(?:{TIMESTAMP_PATTERN})?(?:_(?:{TIMESTAMP_PATTERN})?)?[\])]?$"

TimeRangeText: TypeAlias = Annotated[str, Field(pattern=_TIMERANGE)]


class CollectionItemBody(Body):
    """One member of a flow collection."""

    id: UUIDText
    role: Omittable[str] = None
    container_mapping: Omittable[ContainerMapping] = None


class FlowBody(Body):
    """What flows of all formats have in common; the last seven are the server's and ignored."""

    id: UUIDText
    source_id: UUIDText
    label: Omittable[str] = None
    description: Omittable[str] = None
    created_by: Omittable[str] = None
    updated_by: Omittable[str] = None
    tags: Omittable[TagsField] = None
    metadata_version: Omittable[str] = None
    generation: Omittable[NotNegative] = None
    status: Omittable[OneOfStrings[FlowStatus]] = None
    read_only: Omittable[bool] = None
    max_bit_rate: Omittable[NotNegative] = None
    avg_bit_rate: Omittable[NotNegative] = None
    flow_collection: Omittable[list[CollectionItemBody]] = None
    codec: Omittable[MimeText] = None
    container: Omittable[MimeText] = None
    segment_duration: Omittable[Rational] = None
    container_mapping: Omittable[ContainerMapping] = None
    created: Omittable[str] = None
    metadata_updated: Omittable[str] = None
    segments_updated: Omittable[str] = None
    timerange: Omittable[TimeRangeText] = None
    collected_by: Omittable[list[UUIDText]] = None


class VideoFlowBody(FlowBody):
    """`flow-video.json`."""

    format: Literal["urn:x-nmos:format:video"]
    codec: MimeText
    essence_parameters: VideoEssence


class AudioFlowBody(FlowBody):
    """`flow-audio.json`."""

    format: Literal["urn:x-nmos:format:audio"]
    codec: MimeText
    essence_parameters: AudioEssence


class ImageFlowBody(FlowBody):
    """`flow-image.json`."""

    format: Literal["urn:x-tam:format:image"]
    codec: MimeText
    essence_parameters: ImageEssence


class DataFlowBody(FlowBody):
    """`flow-data.json`."""

    format: Literal["urn:x-nmos:format:data"]
    codec: MimeText
    essence_parameters: DataEssence


class MultiFlowBody(FlowBody):
    """`flow-multi.json`."""

    format: Literal["urn:x-nmos:format:multi"]
    essence_parameters: Omittable[MultiEssence] = None


class _FormatOnly(Body):
    format: OneOfStrings[ContentFormat]


_BODIES: Mapping[ContentFormat, type[FlowBody]] = {
    ContentFormat.VIDEO: VideoFlowBody,
    ContentFormat.AUDIO: AudioFlowBody,
    ContentFormat.IMAGE: ImageFlowBody,
    ContentFormat.DATA: DataFlowBody,
    ContentFormat.MULTI: MultiFlowBody,
}
_COLLECTION = strict(list[CollectionItemBody])


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowContent:
    """What a client says about a Flow with a PUT; ``None`` for what it left out."""

    source_id: str
    format: ContentFormat
    codec: str | None
    container: str | None
    label: str | None
    description: str | None
    status: FlowStatus | None
    generation: int | None
    read_only: bool | None
    max_bit_rate: int | None
    avg_bit_rate: int | None
    segment_duration: Mapping[str, int] | None
    container_mapping: Mapping[str, Any] | None
    essence_parameters: Mapping[str, Any] | None
    flow_collection: tuple[CollectionItem, ...] | None
    tags: Tags


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowInput:
    """A PUT of a Flow: its content, and what the client says about who and which version."""

    id: str
    content: FlowContent
    created_by: str | None
    updated_by: str | None
    metadata_version: str | None


def flow_input(body: Any) -> FlowInput:
    """A JSON body as a `FlowInput`.

    Raises:
        InvalidInput: every problem with it. Profiles are unknown: so is each ``profile_id``.
    """
    body = canonical(body)
    if isinstance(body, dict) and "profile_id" in body:
        _refuse_profile(body["profile_id"])
    found = validated(_body_model(body), body)
    return FlowInput(
        id=found.id,
        content=_content(found, body),
        created_by=found.created_by,
        updated_by=found.updated_by,
        metadata_version=found.metadata_version,
    )


def flow_collection(value: Any, field: str = "flow_collection") -> tuple[CollectionItem, ...]:
    """A JSON list as spec 8.2 `flow-collection.json`.

    Raises:
        InvalidInput: every problem with it.
    """
    validated_value(_COLLECTION, value, field)
    return tuple(collection_item(item) for item in canonical(value, field))


def _body_model(body: Any) -> type[FlowBody]:
    return _BODIES[validated(_FormatOnly, body).format]


def _content(found: FlowBody, body: Mapping[str, Any]) -> FlowContent:
    collection = body.get("flow_collection")
    return FlowContent(
        source_id=found.source_id,
        format=ContentFormat(body["format"]),
        codec=found.codec,
        container=found.container,
        label=found.label,
        description=found.description,
        status=found.status,
        generation=found.generation,
        read_only=found.read_only,
        max_bit_rate=found.max_bit_rate,
        avg_bit_rate=found.avg_bit_rate,
        segment_duration=body.get("segment_duration"),
        container_mapping=body.get("container_mapping"),
        essence_parameters=body.get("essence_parameters"),
        flow_collection=None if collection is None else tuple(map(collection_item, collection)),
        tags=found.tags or {},
    )


def collection_item(value: Mapping[str, Any]) -> CollectionItem:
    """One valid item of spec 8.2 `flow-collection.json`."""
    return CollectionItem(
        id=value["id"],
        role=value.get("role"),
        container_mapping=value.get("container_mapping"),
    )


def _refuse_profile(profile_id: Any) -> None:
    if not isinstance(profile_id, str):
        raise InvalidInput("profile_id", "type", "must be a string")
    required_uuid("profile_id", profile_id)
    raise InvalidInput("profile_id", "profile.unknown", f"profile {profile_id} does not exist")
