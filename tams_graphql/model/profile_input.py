"""The body of a POST of a Profile, as strict as spec 8.2 `profile.json`."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from tams_graphql.model.identifiers import UUIDText
from tams_graphql.model.records import Tags
from tams_graphql.model.tags import TagsField
from tams_graphql.model.technical import (
    AudioTechnicalBody,
    DataTechnicalBody,
    ImageTechnicalBody,
    VideoTechnicalBody,
    technical_part,
)
from tams_graphql.model.validation import Body, Omittable, canonical, validated
from tams_graphql.model.vocabulary import ContentFormat

TechnicalOfProfile: TypeAlias = (
    VideoTechnicalBody | AudioTechnicalBody | ImageTechnicalBody | DataTechnicalBody
)
"""A profile may be of any format but multi."""

_BODIES: Mapping[ContentFormat, type[TechnicalOfProfile]] = {
    ContentFormat.VIDEO: VideoTechnicalBody,
    ContentFormat.AUDIO: AudioTechnicalBody,
    ContentFormat.IMAGE: ImageTechnicalBody,
    ContentFormat.DATA: DataTechnicalBody,
}


class _FormatOnly(Body):
    format: Literal[
        "urn:x-nmos:format:video",
        "urn:x-nmos:format:audio",
        "urn:x-tam:format:image",
        "urn:x-nmos:format:data",
    ]


class ProfileBody(Body):
    """A profile, but for the details of its format; ``created`` is the server's and ignored."""

    id: UUIDText
    label: Omittable[str] = None
    description: Omittable[str] = None
    created_by: Omittable[str] = None
    created: Omittable[str] = None
    tags: Omittable[TagsField] = None
    flow_metadata: _FormatOnly


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileInput:
    """A POST of a Profile; `flow_metadata` holds technical metadata and nothing else."""

    id: str
    label: str | None
    description: str | None
    created_by: str | None
    tags: Tags
    flow_metadata: Mapping[str, Any]


def profile_input(body: Any) -> ProfileInput:
    """A JSON body as a `ProfileInput`.

    Raises:
        InvalidInput: every problem with it.
    """
    body = canonical(body)
    found = validated(ProfileBody, body)
    technical = body["flow_metadata"]
    validated(_BODIES[ContentFormat(found.flow_metadata.format)], technical, "flow_metadata")
    return ProfileInput(
        id=found.id,
        label=found.label,
        description=found.description,
        created_by=found.created_by,
        tags=found.tags or {},
        flow_metadata=technical_part(technical),
    )
