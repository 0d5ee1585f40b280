"""Technical parameters of Flows, as output: one type per format (spec 8.2, `flow-*.json`)."""

import strawberry

from tams_graphql.graphql import enums as _enums
from tams_graphql.graphql import fields
from tams_graphql.model.vocabulary import (
    Colorspace,
    ComponentType,
    InterlaceMode,
    TransferCharacteristic,
)

del _enums


@strawberry.type(description="A fraction of two positive integers.")
class Rational:
    """`numerator` / `denominator`; a denominator left out is 1."""

    numerator: int
    denominator: int | None = None

    @fields.field(description="The fraction as a number.")
    def value(self) -> float:
        """For display; the integers are exact."""
        return self.numerator / (self.denominator or 1)


@strawberry.type
class AvcParameters:
    """The bytes of an AVC / H.264 codec string."""

    profile: int
    level: int
    flags: int


@strawberry.type
class UncompressedParameters:
    """How uncompressed essence is packed."""

    unc_type: str


@strawberry.type
class VideoEssenceParameters:
    """Spec 8.2, `flow-video.json`."""

    frame_width: int = strawberry.field(description="Pixels.")
    frame_height: int = strawberry.field(description="Pixels.")
    frame_rate: Rational | None = strawberry.field(
        description="Frames per second; absent if `vfr`."
    )
    vfr: bool | None = strawberry.field(description="Whether the frame rate is variable.")
    bit_depth: int | None
    interlace_mode: InterlaceMode | None
    colorspace: Colorspace | None
    transfer_characteristic: TransferCharacteristic | None
    aspect_ratio: Rational | None = strawberry.field(description="Of the picture as displayed.")
    pixel_aspect_ratio: Rational | None
    component_type: ComponentType | None
    horiz_chroma_subs: int | None
    vert_chroma_subs: int | None
    unc_parameters: UncompressedParameters | None
    avc_parameters: AvcParameters | None
    init_segments: bool | None = strawberry.field(
        description="Whether its Media Objects need initialisation objects."
    )


@strawberry.type
class AudioCodecParameters:
    """Spec 8.2, `flow-audio.json`, `codec_parameters`."""

    coded_frame_size: int | None
    mp4_oti: int | None


@strawberry.type
class AudioEssenceParameters:
    """Spec 8.2, `flow-audio.json`."""

    sample_rate: int = strawberry.field(description="Samples per second.")
    channels: int
    bit_depth: int | None
    codec_parameters: AudioCodecParameters | None
    unc_parameters: UncompressedParameters | None
    init_segments: bool | None


@strawberry.type
class ImageEssenceParameters:
    """Spec 8.2, `flow-image.json`."""

    frame_width: int = strawberry.field(description="Pixels.")
    frame_height: int = strawberry.field(description="Pixels.")
    aspect_ratio: Rational | None


@strawberry.type
class DataEssenceParameters:
    """Spec 8.2, `flow-data.json`."""

    data_type: str | None
    init_segments: bool | None


@strawberry.type
class MultiEssenceParameters:
    """Spec 8.2, `flow-multi.json`."""

    init_segments: bool | None


@strawberry.type
class AudioTrackMapping:
    """Channels of a container's audio track."""

    channel_numbers: list[int] | None
    channel_range: str | None


@strawberry.type
class Mp2tsMapping:
    """The elementary stream in an MPEG-2 transport stream."""

    pid: int | None


@strawberry.type
class MxfMapping:
    """The track in an MXF package."""

    package_uid: str | None
    track_id: int | None


@strawberry.type
class IsobmffMapping:
    """The track in an MP4 or MOV file."""

    track_id: int | None


@strawberry.type(description="Where a Flow's essence is within a container.")
class ContainerMapping:
    """Spec 8.2, `container-mapping.json`."""

    track_index: int | None
    format_track_index: int | None
    audio_track: AudioTrackMapping | None
    mp2ts_container: Mp2tsMapping | None
    mxf_container: MxfMapping | None
    isobmff_container: IsobmffMapping | None
