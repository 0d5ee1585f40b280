"""Where a flow's essence is within a container (spec 8.2, `container-mapping.json`)."""

from typing import Annotated

from pydantic import Field

from tams_graphql.model.validation import Body, NotNegative, Omittable

_HEX8 = "[0-9a-fA-F]{8}"
_HEX4 = "[0-9a-fA-F]{4}"
_PACKAGE_UID = (
    rf"^urn:smpte:umid:{_HEX8}(.{_HEX8}){{7}}$"
    rf"|^urn:uuid:{_HEX8}-{_HEX4}-{_HEX4}-{_HEX4}-[0-9a-fA-F]{{12}}$"
)


class AudioTrack(Body):
    """Which channels of the container's track, by number or as an inclusive range."""

    channel_numbers: Omittable[Annotated[list[NotNegative], Field(min_length=1)]] = None
    channel_range: Omittable[Annotated[str, Field(pattern="^[0-9]+_[0-9]+$")]] = None


class TransportStream(Body):
    """Mapping to MPEG-2 Transport Streams."""

    pid: Omittable[int] = None


class Mxf(Body):
    """Mapping to MXF packages."""

    package_uid: Omittable[Annotated[str, Field(pattern=_PACKAGE_UID)]] = None
    track_id: Omittable[int] = None


class Isobmff(Body):
    """Mapping to MP4, MOV and their family."""

    track_id: Omittable[int] = None


class ContainerMapping(Body):
    """A track of a container."""

    track_index: Omittable[NotNegative] = None
    format_track_index: Omittable[NotNegative] = None
    audio_track: Omittable[AudioTrack] = None
    mp2ts_container: Omittable[TransportStream] = None
    mxf_container: Omittable[Mxf] = None
    isobmff_container: Omittable[Isobmff] = None
