"""Technical parameters of Flows, as input: one type per format (spec 8.2, `flow-*.json`).

Values are checked by the same rules as REST bodies, in the resolvers.
"""

from typing import Any

import strawberry

from tams_graphql.graphql import enums as _enums
from tams_graphql.graphql.json_shapes import write_json
from tams_graphql.model.vocabulary import (
    Colorspace,
    ComponentType,
    ContentFormat,
    InterlaceMode,
    TransferCharacteristic,
)

del _enums


@strawberry.input(description="A fraction of two positive integers.")
class RationalInput:
    """`numerator` / `denominator`; a denominator left out is 1."""

    numerator: int
    denominator: int | None = None


@strawberry.input
class AvcParametersInput:
    """The bytes of an AVC / H.264 codec string."""

    profile: int
    level: int
    flags: int


@strawberry.input
class UncompressedParametersInput:
    """How uncompressed essence is packed."""

    unc_type: str


@strawberry.input
class VideoEssenceParametersInput:
    """Spec 8.2, `flow-video.json`."""

    frame_width: int = strawberry.field(description="Pixels.")
    frame_height: int = strawberry.field(description="Pixels.")
    frame_rate: RationalInput | None = strawberry.field(
        default=None, description="Frames per second; absent if `vfr`."
    )
    vfr: bool | None = strawberry.field(
        default=None, description="Whether the frame rate is variable."
    )
    bit_depth: int | None = None
    interlace_mode: InterlaceMode | None = None
    colorspace: Colorspace | None = None
    transfer_characteristic: TransferCharacteristic | None = None
    aspect_ratio: RationalInput | None = strawberry.field(
        default=None, description="Of the picture as displayed."
    )
    pixel_aspect_ratio: RationalInput | None = None
    component_type: ComponentType | None = None
    horiz_chroma_subs: int | None = None
    vert_chroma_subs: int | None = None
    unc_parameters: UncompressedParametersInput | None = None
    avc_parameters: AvcParametersInput | None = None
    init_segments: bool | None = strawberry.field(
        default=None, description="Whether its Media Objects need initialisation objects."
    )


@strawberry.input
class AudioCodecParametersInput:
    """Spec 8.2, `flow-audio.json`, `codec_parameters`."""

    coded_frame_size: int | None = None
    mp4_oti: int | None = None


@strawberry.input
class AudioEssenceParametersInput:
    """Spec 8.2, `flow-audio.json`."""

    sample_rate: int = strawberry.field(description="Samples per second.")
    channels: int
    bit_depth: int | None = None
    codec_parameters: AudioCodecParametersInput | None = None
    unc_parameters: UncompressedParametersInput | None = None
    init_segments: bool | None = None


@strawberry.input
class ImageEssenceParametersInput:
    """Spec 8.2, `flow-image.json`."""

    frame_width: int = strawberry.field(description="Pixels.")
    frame_height: int = strawberry.field(description="Pixels.")
    aspect_ratio: RationalInput | None = None


@strawberry.input
class DataEssenceParametersInput:
    """Spec 8.2, `flow-data.json`."""

    data_type: str | None = None
    init_segments: bool | None = None


@strawberry.input
class MultiEssenceParametersInput:
    """Spec 8.2, `flow-multi.json`."""

    init_segments: bool | None = None


@strawberry.input
class AudioTrackMappingInput:
    """Channels of a container's audio track."""

    channel_numbers: list[int] | None = None
    channel_range: str | None = None


@strawberry.input
class Mp2tsMappingInput:
    """The elementary stream in an MPEG-2 transport stream."""

    pid: int | None = None


@strawberry.input
class MxfMappingInput:
    """The track in an MXF package."""

    package_uid: str | None = None
    track_id: int | None = None


@strawberry.input
class IsobmffMappingInput:
    """The track in an MP4 or MOV file."""

    track_id: int | None = None


@strawberry.input(description="Where a Flow's essence is within a container.")
class ContainerMappingInput:
    """Spec 8.2, `container-mapping.json`."""

    track_index: int | None = None
    format_track_index: int | None = None
    audio_track: AudioTrackMappingInput | None = None
    mp2ts_container: Mp2tsMappingInput | None = None
    mxf_container: MxfMappingInput | None = None
    isobmff_container: IsobmffMappingInput | None = None


@strawberry.input(one_of=True, description="The technical parameters; the key is the format.")
class EssenceInput:
    """Exactly one format."""

    video: strawberry.Maybe[VideoEssenceParametersInput]
    audio: strawberry.Maybe[AudioEssenceParametersInput]
    image: strawberry.Maybe[ImageEssenceParametersInput]
    data: strawberry.Maybe[DataEssenceParametersInput]
    multi: strawberry.Maybe[MultiEssenceParametersInput]


def essence_json(given: EssenceInput) -> dict[str, Any]:
    """``format`` and ``essence_parameters`` as the spec's JSON has them."""
    for name in ContentFormat.__members__:
        chosen = getattr(given, name.lower())
        if chosen is not None:
            parameters = write_json(chosen.value)
            told = {"essence_parameters": parameters} if parameters or name != "MULTI" else {}
            return {"format": ContentFormat[name].value, **told}
    return {}
