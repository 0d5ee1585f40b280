"""The technical metadata of flows and of profiles (spec 8.2, `flow-technical.json`).

One body for each format; what they hold is what a flow takes over from its profile. What
uncompressed media needs is said in words only there (``bit_depth``, ``unc_type``, the chroma
sub-sampling), in all versions.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final, Literal, Self, TypeAlias

from pydantic import model_validator

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
from tams_graphql.model.validation import Body, NotNegative, Omittable, refuse

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


_RAW_VIDEO: Final = "video/raw"
_RAW_AUDIO: Final = {"audio/x-raw-int": frozenset[int](), "audio/x-raw-float": frozenset({32, 64})}
"""The codecs of uncompressed audio, and what their bit depth is limited to."""
_YUV: Final = frozenset({"YUYV", "UYVY", "AYUV", "v210", "v216"})

_Problems: TypeAlias = Iterator[tuple[str, str, str]]


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

    @model_validator(mode="after")
    def _raw_video_can_be_read(self) -> Self:
        refuse("flow-video", _raw_video_problems(self.codec, self.essence_parameters))
        return self


class AudioTechnicalBody(TechnicalBody):
    """`flow-audio.json`."""

    format: Literal["urn:x-nmos:format:audio"]
    codec: MimeText
    essence_parameters: AudioEssence

    @model_validator(mode="after")
    def _raw_audio_can_be_read(self) -> Self:
        refuse("flow-audio", _raw_audio_problems(self.codec, self.essence_parameters))
        return self


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


def _raw_video_problems(codec: str, essence: VideoEssence) -> _Problems:
    if codec == _RAW_VIDEO:
        yield from _missing(codec, essence, "bit_depth", "unc_parameters")
    packing = essence.unc_parameters
    if packing is not None and packing.unc_type in _YUV:
        yield from _missing(packing.unc_type, essence, "horiz_chroma_subs", "vert_chroma_subs")


def _raw_audio_problems(codec: str, essence: AudioEssence) -> _Problems:
    if codec not in _RAW_AUDIO:
        return
    yield from _missing(codec, essence, "bit_depth", "unc_parameters")
    depths = _RAW_AUDIO[codec]
    if depths and essence.bit_depth is not None and essence.bit_depth not in depths:
        allowed = " or ".join(map(str, sorted(depths)))
        yield "essence_parameters.bit_depth", "enum", f"must be {allowed} for {codec}"


def _missing(what: str, essence: VideoEssence | AudioEssence, *names: str) -> _Problems:
    for name in names:
        if getattr(essence, name) is None:
            yield f"essence_parameters.{name}", "required", f"is required for {what}"
