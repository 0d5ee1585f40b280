"""The body of a PUT of a Flow, as strict as spec 8.2 `flow-put.json`.

Objects that the schema leaves open keep the properties it does not name; at the top level
such properties are ignored.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, TypeAlias

from pydantic import Field

from tams_graphql.model.container_mapping import ContainerMapping
from tams_graphql.model.errors import InvalidInput, Problem
from tams_graphql.model.essence import OneOfStrings
from tams_graphql.model.identifiers import UUID_PATTERN, UUIDText
from tams_graphql.model.records import CollectionItem, Tags
from tams_graphql.model.tags import TagsField
from tams_graphql.model.technical import (
    AudioTechnicalBody,
    DataTechnicalBody,
    ImageTechnicalBody,
    MultiTechnicalBody,
    VideoTechnicalBody,
    technical_part,
)
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
ProfileLink: TypeAlias = Annotated[str, Field(pattern=f"{UUID_PATTERN}|^$")]
"""The profile that a flow is made from; empty for none."""


class CollectionItemBody(Body):
    """One member of a flow collection."""

    id: UUIDText
    role: Omittable[str] = None
    container_mapping: Omittable[ContainerMapping] = None


class FlowBody(Body):
    """What flows of all formats have in common; the last five are the server's and ignored."""

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
    flow_collection: Omittable[list[CollectionItemBody]] = None
    profile_id: Omittable[ProfileLink] = None
    created: Omittable[str] = None
    metadata_updated: Omittable[str] = None
    segments_updated: Omittable[str] = None
    timerange: Omittable[TimeRangeText] = None
    collected_by: Omittable[list[UUIDText]] = None


class VideoFlowBody(VideoTechnicalBody, FlowBody):
    """`flow-video.json`."""


class AudioFlowBody(AudioTechnicalBody, FlowBody):
    """`flow-audio.json`."""


class ImageFlowBody(ImageTechnicalBody, FlowBody):
    """`flow-image.json`."""


class DataFlowBody(DataTechnicalBody, FlowBody):
    """`flow-data.json`."""


class MultiFlowBody(MultiTechnicalBody, FlowBody):
    """`flow-multi.json`."""


class ProfileFlowBody(FlowBody):
    """A flow that takes its technical metadata from a profile (`flow-put.json`)."""

    profile_id: UUIDText


AnyFlowBody: TypeAlias = (
    VideoFlowBody | AudioFlowBody | ImageFlowBody | DataFlowBody | MultiFlowBody
)


class _FormatOnly(Body):
    format: OneOfStrings[ContentFormat]


_BODIES: Mapping[ContentFormat, type[AnyFlowBody]] = {
    ContentFormat.VIDEO: VideoFlowBody,
    ContentFormat.AUDIO: AudioFlowBody,
    ContentFormat.IMAGE: ImageFlowBody,
    ContentFormat.DATA: DataFlowBody,
    ContentFormat.MULTI: MultiFlowBody,
}
_COLLECTION = strict(list[CollectionItemBody])
_LINK = strict(ProfileLink)


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
    profile_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowInput:
    """A PUT of a Flow: its content, and what the client says about who and which version.

    A flow made from a profile has the profile's technical metadata in its content. `unlinks`:
    the client says that it is made from none.
    """

    id: str
    content: FlowContent
    created_by: str | None
    updated_by: str | None
    metadata_version: str | None
    unlinks: bool = False


def flow_input(body: Any, profiles: Mapping[str, Mapping[str, Any]] | None = None) -> FlowInput:
    """A JSON body as a `FlowInput`.

    Args:
        body: the parsed JSON.
        profiles: the technical metadata (spec 8.2, ``flow_metadata``) of each profile that the
            body may name, by id; any other one does not exist.

    Raises:
        InvalidInput: every problem with it, among them a profile that does not exist, and
            technical metadata beside a profile (spec 8.2, `PUT /flows/{flowId}`).
    """
    body = canonical(body)
    profile_id = named_profile(body)
    if profile_id is not None:
        body = _with_profile(body, profile_id, profiles or {})
    found = validated(_body_model(body), body)
    return FlowInput(
        id=found.id,
        content=_content(found, body, profile_id),
        created_by=found.created_by,
        updated_by=found.updated_by,
        metadata_version=found.metadata_version,
        unlinks=found.profile_id == "",
    )


def named_profile(body: Any) -> str | None:
    """The id of the profile that a JSON body names, if it does; ``""`` names none.

    Raises:
        InvalidInput: what it has there is neither a UUID nor empty.
    """
    if not isinstance(body, Mapping) or "profile_id" not in body:
        return None
    validated_value(_LINK, body["profile_id"], "profile_id")
    return body["profile_id"] or None


def flow_collection(value: Any, field: str = "flow_collection") -> tuple[CollectionItem, ...]:
    """A JSON list as spec 8.2 `flow-collection.json`.

    Raises:
        InvalidInput: every problem with it.
    """
    validated_value(_COLLECTION, value, field)
    return tuple(collection_item(item) for item in canonical(value, field))


def _body_model(body: Any) -> type[AnyFlowBody]:
    return _BODIES[validated(_FormatOnly, body).format]


def _content(found: AnyFlowBody, body: Mapping[str, Any], profile_id: str | None) -> FlowContent:
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
        profile_id=profile_id,
    )


def collection_item(value: Mapping[str, Any]) -> CollectionItem:
    """One valid item of spec 8.2 `flow-collection.json`."""
    return CollectionItem(
        id=value["id"],
        role=value.get("role"),
        container_mapping=value.get("container_mapping"),
    )


def _with_profile(
    body: Mapping[str, Any], profile_id: str, profiles: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    """`body` with the technical metadata of the profile that it names."""
    overridden = [
        Problem(name, "profile.override", "can't be given together with profile_id")
        for name in technical_part(body)
    ]
    if overridden:
        raise InvalidInput.of(overridden)
    if profile_id not in profiles:
        raise InvalidInput("profile_id", "profile.unknown", f"profile {profile_id} does not exist")
    return {**body, **profiles[profile_id]}
