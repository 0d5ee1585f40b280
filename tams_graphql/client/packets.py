"""Packets of a media stream: their times, exactly, and where a stream can be cut."""

import io
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import av
from av.container import InputContainer

from tams_graphql.client.errors import MediaError
from tams_graphql.timeline import NANOSECONDS

VIDEO: Final = "video"
AUDIO: Final = "audio"

_PRIMING: Final = "skip_samples"


def nanoseconds(seconds: Fraction) -> int:
    """The nearest nanosecond to an exact time; halves go to the even neighbour."""
    return round(seconds * NANOSECONDS)


def nearest(value: Fraction) -> int:
    """The nearest integer; halves go to the even neighbour."""
    return round(value)


@dataclass(slots=True)
class Track:
    """One audio or video stream of a file and the times of its packets, in decode order.

    Attributes:
        index: the stream's index in its file.
        kind: ``VIDEO`` or ``AUDIO``.
        time_base: seconds per tick of the arrays below.
        pts: presentation timestamps in ticks.
        dts: decode timestamps in ticks; strictly increasing and never after `pts`.
        duration: durations in ticks.
        size: sizes in bytes.
        key: 1 for a key frame, else 0.
        hidden: 1 for a packet that is only decoded (an edit list hides it), else 0.
        priming: audio samples at the start that are decoded but not presented.
        sample_rate: audio samples per second; 0 for video.
    """

    index: int
    kind: str
    time_base: Fraction
    sample_rate: int = 0
    pts: "array[int]" = field(default_factory=lambda: array("q"))
    dts: "array[int]" = field(default_factory=lambda: array("q"))
    duration: "array[int]" = field(default_factory=lambda: array("q"))
    size: "array[int]" = field(default_factory=lambda: array("q"))
    key: bytearray = field(default_factory=bytearray)
    hidden: bytearray = field(default_factory=bytearray)
    priming: int = 0

    @property
    def start(self) -> Fraction:
        """When the first presented sample is due, in seconds of the file."""
        if self.kind == AUDIO:
            primed = Fraction(self.priming, self.sample_rate) if self.sample_rate else Fraction(0)
            return min(self.pts) * self.time_base + primed
        shown = (pts for pts, hidden in zip(self.pts, self.hidden, strict=True) if not hidden)
        return min(shown) * self.time_base

    @property
    def end(self) -> Fraction:
        """When the last presented sample ends, in seconds of the file."""
        ends = (
            pts + duration
            for pts, duration, hidden in zip(self.pts, self.duration, self.hidden, strict=True)
            if not hidden
        )
        return max(ends) * self.time_base


def open_input(media: Path | bytes) -> InputContainer:
    """Open a file, or the bytes of an object, for demuxing; close it after use.

    Raises:
        MediaError: not a media file that the bundled FFmpeg can read.
    """
    source: Any = io.BytesIO(media) if isinstance(media, bytes) else str(media)
    try:
        container: InputContainer = av.open(source)
    except (av.FFmpegError, OSError) as error:
        name = "object" if isinstance(media, bytes) else media.name
        raise MediaError(f"cannot read {name}: {error}") from error
    return container


def codec_name(stream: Any) -> str | None:
    """FFmpeg's name of a stream's coding; ``None`` if it does not know it."""
    codec = stream.codec_context
    return None if codec is None else str(codec.codec.canonical_name)


def packets_of(container: InputContainer, index: int) -> Iterator["av.Packet[Any]"]:
    """The packets of one stream in decode order, without the empty one that ends it.

    Raises:
        MediaError: the file breaks off or is damaged.
    """
    try:
        for packet in container.demux(container.streams[index]):
            if packet.size:
                yield packet
    except av.FFmpegError as error:
        raise MediaError(f"damaged media: {error}") from error


def read_tracks(media: Path | bytes) -> list[Track]:
    """Read the packet times of all audio and video streams of a file, without decoding.

    Raises:
        MediaError: unreadable, no audio or video, or packets without presentation times.
    """
    name = "the object" if isinstance(media, bytes) else media.name
    with open_input(media) as container:
        tracks = {
            stream.index: Track(
                stream.index,
                stream.type,
                _time_base(stream),
                getattr(stream, "sample_rate", 0),
            )
            for stream in container.streams
            if stream.type in {VIDEO, AUDIO} and not _is_cover(stream)
        }
        if not tracks:
            raise MediaError(f"{name} holds neither audio nor video")
        try:
            for packet in container.demux([container.streams[index] for index in tracks]):
                if packet.size:
                    _note(tracks[packet.stream_index], packet)
        except av.FFmpegError as error:
            raise MediaError(f"{name} is damaged: {error}") from error
    return [_completed(track) for track in tracks.values() if track.pts]


def decode_times(pts: Sequence[int]) -> list[int]:
    """Decode timestamps for distinct presentation timestamps in decode order.

    The earliest legal ones of the form "sorted presentation times, less a constant delay":
    strictly increasing and never after the presentation time.
    """
    ordered = sorted(pts)
    delay = max((due - own for due, own in zip(ordered, pts, strict=True)), default=0)
    return [due - delay for due in ordered]


def closed_points(track: Track) -> list[int]:
    """Indexes of the packets at which the stream can be cut without touching a picture.

    For video these are the key frames before which everything is presented earlier and after
    which nothing is: a key frame with leading pictures (an open group of pictures) is none.
    Every audio packet is one. Index 0 is always in the list.
    """
    if track.kind == AUDIO:
        return list(range(len(track.pts)))
    points: list[int] = []
    lowest_later = _running_minimum(track.pts)
    highest = None
    for index, pts in enumerate(track.pts):
        clean = (highest is None or highest < pts) and lowest_later[index] == pts
        if index == 0 or (track.key[index] and clean):
            points.append(index)
        highest = pts if highest is None else max(highest, pts)
    return points


def _running_minimum(values: "array[int]") -> "array[int]":
    """For each position the lowest value from there to the end."""
    lowest = array("q", values)
    for index in range(len(lowest) - 2, -1, -1):
        lowest[index] = min(lowest[index], lowest[index + 1])
    return lowest


def _note(track: Track, packet: "av.Packet[Any]") -> None:
    if packet.pts is None:
        raise MediaError(
            f"stream {track.index} has packets without presentation time; "
            "remux the file into MP4 or Matroska first"
        )
    if not track.pts and track.kind == AUDIO and packet.has_sidedata(_PRIMING):
        track.priming = int.from_bytes(bytes(packet.get_sidedata(_PRIMING))[:4], "little")
    track.pts.append(packet.pts)
    track.dts.append(packet.pts if packet.dts is None else packet.dts)
    track.duration.append(packet.duration or 0)
    track.size.append(packet.size)
    track.key.append(packet.is_keyframe)
    track.hidden.append(packet.is_discard)


def _completed(track: Track) -> Track:
    """Fill in what some containers leave out: durations, and decode times that add up."""
    if not all(track.duration):
        _fill_durations(track)
    late = any(dts > pts for dts, pts in zip(track.dts, track.pts, strict=True))
    if late or any(b <= a for a, b in zip(track.dts, track.dts[1:], strict=False)):
        track.dts = array("q", decode_times(track.pts))
    if len(set(track.pts)) != len(track.pts):
        raise MediaError(f"stream {track.index} has two packets at one presentation time")
    return track


def _fill_durations(track: Track) -> None:
    """A packet without a duration lasts until the next one is presented, the last like it."""
    order = sorted(range(len(track.pts)), key=track.pts.__getitem__)
    step = 0
    for here, after in zip(order, [*order[1:], order[-1]], strict=True):
        step = track.pts[after] - track.pts[here] or step
        track.duration[here] = track.duration[here] or step


def _time_base(stream: Any) -> Fraction:
    base: Fraction | None = stream.time_base
    if base is None:
        raise MediaError(f"stream {stream.index} has no time base")
    return base


def _is_cover(stream: Any) -> bool:
    """Still pictures that illustrate a sound file are no video."""
    return bool(stream.type == VIDEO and "attached_pic" in str(stream.disposition))
