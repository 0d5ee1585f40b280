"""What the five formats say about their essence (spec 8.2, `flow-video.json` and siblings)."""

from typing import Annotated, Literal, Self, TypeAlias, TypeVar

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from tams_graphql.model.validation import Body, ClosedBody, Omittable, Positive
from tams_graphql.model.vocabulary import (
    Colorspace,
    ComponentType,
    InterlaceMode,
    TransferCharacteristic,
)

E = TypeVar("E")

OneOfStrings: TypeAlias = Annotated[E, Field(strict=False)]
"""A vocabulary of strings: strict reading would ask for the Python enumeration itself."""


class AspectRatio(Body):
    """A ratio of two positive integers, both given."""

    numerator: Positive
    denominator: Positive


class Rational(Body):
    """A positive rational; the denominator is 1 if left out."""

    numerator: Positive
    denominator: Omittable[Positive] = None


class UncompressedVideo(Body):
    """How uncompressed pictures are packed."""

    unc_type: Literal[
        "planar", "YUYV", "UYVY", "AYUV", "v210", "v216", "RGB", "RGBx", "xRGB", "BGRx", "xBGR",
        "RGBA", "ARGB", "BGRA", "ABGR", "alpha",
    ]  # fmt: skip


class AvcParameters(Body):
    """The three bytes of an AVC codec string."""

    profile: int
    level: int
    flags: int


class VideoEssence(ClosedBody):
    """Frame size and, unless the rate is variable, frame rate; pixels; codec details."""

    frame_width: Positive
    frame_height: Positive
    bit_depth: Omittable[Positive] = None
    interlace_mode: Omittable[OneOfStrings[InterlaceMode]] = None
    colorspace: Omittable[OneOfStrings[Colorspace]] = None
    transfer_characteristic: Omittable[OneOfStrings[TransferCharacteristic]] = None
    aspect_ratio: Omittable[AspectRatio] = None
    pixel_aspect_ratio: Omittable[AspectRatio] = None
    component_type: Omittable[OneOfStrings[ComponentType]] = None
    horiz_chroma_subs: Omittable[Positive] = None
    vert_chroma_subs: Omittable[Positive] = None
    unc_parameters: Omittable[UncompressedVideo] = None
    avc_parameters: Omittable[AvcParameters] = None
    frame_rate: Omittable[Rational] = None
    vfr: Omittable[bool] = None
    init_segments: Omittable[bool] = None

    @model_validator(mode="after")
    def _rate_is_fixed_or_variable(self) -> Self:
        about = {"field": "frame_rate"}
        if self.vfr and self.frame_rate is not None:
            raise PydanticCustomError("forbidden", "must not be set when vfr is true", about)
        if not self.vfr and self.frame_rate is None:
            raise PydanticCustomError(
                "required", "is required unless vfr is true (a variable frame rate)", about
            )
        return self


class AudioCodecParameters(Body):
    """Details of coded audio."""

    coded_frame_size: Omittable[int] = None
    mp4_oti: Omittable[int] = None


class UncompressedAudio(Body):
    """How uncompressed channels are laid out."""

    unc_type: Literal["interleaved", "planar", "pairs"]


class AudioEssence(ClosedBody):
    """Sample rate in samples per second, and channels."""

    sample_rate: Positive
    channels: Positive
    bit_depth: Omittable[Positive] = None
    codec_parameters: Omittable[AudioCodecParameters] = None
    unc_parameters: Omittable[UncompressedAudio] = None
    init_segments: Omittable[bool] = None


class ImageEssence(ClosedBody):
    """The size of a still image in pixels."""

    frame_width: Positive
    frame_height: Positive
    aspect_ratio: Omittable[AspectRatio] = None


class DataEssence(ClosedBody):
    """What kind of data."""

    data_type: Omittable[str] = None
    init_segments: Omittable[bool] = None


class MultiEssence(ClosedBody):
    """Several essences in one flow."""

    init_segments: Omittable[bool] = None
