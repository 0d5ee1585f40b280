"""The technical metadata of flows and of profiles (spec 8.2, `flow-technical.json`).

One body for each format; what they hold is what a flow takes over from its profile.
"""

from collections.abc import Mapping
from typing import Any, Final, Literal

from tams_graphql.model.container_mapping import ContainerMapping
from tams_graphql.model.essence import (
    AudioEssence,
    DataEssence,
    ImageEssence,
    MultiEssence,
    Rational,
    VideoEssence,
)
from tams_graphql.model.identifiers import MimeText
from tams_graphql.model.validation import Body, NotNegative, Omittable

TECHNICAL: Final = (
    "format",
    "codec",
    "container",
    "avg_bit_rate",
    "segment_duration",
    "container_mapping",
    "essence_parameters",
)
"""The names of the technical metadata, in bodies and in records alike."""


class TechnicalBody(Body):
    """What all formats have in common."""

    codec: Omittable[MimeText] = None
    container: Omittable[MimeText] = None
    avg_bit_rate: Omittable[NotNegative] = None
    segment_duration: Omittable[Rational] = None
    container_mapping: Omittable[ContainerMapping] = None


class VideoTechnicalBody(TechnicalBody):
    """`flow-video.json`."""

    format: Literal["urn:x-nmos:format:video"]
    codec: MimeText
    essence_parameters: VideoEssence


class AudioTechnicalBody(TechnicalBody):
    """`flow-audio.json`."""

    format: Literal["urn:x-nmos:format:audio"]
    codec: MimeText
    essence_parameters: AudioEssence


class ImageTechnicalBody(TechnicalBody):
    """`flow-image.json`."""

    format: Literal["urn:x-tam:format:image"]
    codec: MimeText
    essence_parameters: ImageEssence


class DataTechnicalBody(TechnicalBody):
    """`flow-data.json`."""

    format: Literal["urn:x-nmos:format:data"]
    codec: MimeText
    essence_parameters: DataEssence


class MultiTechnicalBody(TechnicalBody):
    """`flow-multi.json`."""

    format: Literal["urn:x-nmos:format:multi"]
    essence_parameters: Omittable[MultiEssence] = None


def technical_part(body: Mapping[str, Any]) -> dict[str, Any]:
    """The technical metadata in `body`."""
    return {name: body[name] for name in TECHNICAL if name in body}
