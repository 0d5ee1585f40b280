"""A media file into flow segments, without re-encoding.

1. Read the times of all packets (`packets.read_tracks`).
2. Plan the cuts (`plan`): video at closed key frames, audio between packets and where the video
   is cut, so that the segments of a track are disjoint and contiguous in presentation time.
3. Copy the packets of each cut into an object of its own (`objects`) and read it back to
   measure what its timestamps became.

Time. A packet's place on the timeline is exact: ``origin + (pts * time_base - zero)`` as a
fraction, then rounded to the nearest nanosecond; ``zero`` is the file's first picture, or its
first sound if it has no picture. Neighbouring segments share that one rounded instant.
Objects keep the file's own clock, moved so that ``zero`` is `OBJECT_EPOCH`; players can join
them without discontinuity.

Rounding. An MPEG-TS object counts 90 kHz ticks in 33 bits. At 25 or 30000/1001 frames, or for
48 kHz audio in packets of 1024 samples, ticks are exact; elsewhere (24000/1001 frames, 44.1 kHz)
a packet is stored at the nearest tick, at most 5.6 µs off. ``ts_offset`` is measured from the
first presented sample as a reader finds it in the object, so that sample is exact again on
the timeline, and any other of the object within one tick (11.1 µs). Fragmented MP4 keeps the
file's own time base and is exact.
"""

import io
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import av
from av.bitstream import BitStreamFilterContext

from tams_graphql.client.errors import MediaError
from tams_graphql.client.packets import (
    VIDEO,
    Track,
    closed_points,
    codec_name,
    nanoseconds,
    nearest,
    open_input,
    packets_of,
)
from tams_graphql.timeline import TimeRange

DEFAULT_SEGMENT_S: Final = Fraction(4)
"""Target duration of a segment in seconds."""

OBJECT_EPOCH: Final = Fraction(10)
"""The file's zero inside objects, in seconds: room for decode times before it."""


class Container(StrEnum):
    """How objects are wrapped."""

    TS = "ts"
    FMP4 = "fmp4"

    @property
    def has_init(self) -> bool:
        """Whether objects need an initialisation object to be read."""
        return self is Container.FMP4


@dataclass(frozen=True, slots=True)
class Cut:
    """A planned segment: packets ``[first, stop)`` of a track, in decode order.

    Attributes:
        first: index of its first packet.
        stop: index after its last packet.
        timerange: its presented samples on the flow's timeline.
    """

    first: int
    stop: int
    timerange: TimeRange


@dataclass(frozen=True, slots=True)
class MediaObject:
    """A segment's object, ready to be uploaded and registered.

    Attributes:
        cut: the segment.
        data: the object's bytes.
        init: the initialisation object's bytes (equal for a whole track), or ``None``.
        ts_offset_ns: segment timestamp less object timestamp, in nanoseconds.
        object_timerange: what the object itself covers, on its own clock.
        last_duration_ns: from the last sample to the end of the segment.
        key_frame_count: key frames in the object.
    """

    cut: Cut
    data: bytes
    init: bytes | None
    ts_offset_ns: int
    object_timerange: TimeRange
    last_duration_ns: int
    key_frame_count: int


def zero_of(tracks: Sequence[Track]) -> Fraction:
    """The instant of the file that becomes the origin of its timeline, in seconds."""
    starts = [track.start for track in tracks if track.kind == VIDEO]
    return min(starts or [track.start for track in tracks])


def plan(
    track: Track,
    *,
    zero: Fraction,
    origin_ns: int = 0,
    seconds: Fraction = DEFAULT_SEGMENT_S,
    targets: Sequence[Fraction] | None = None,
) -> list[Cut]:
    """Plan the segments of a track.

    Args:
        track: packet times.
        zero: see `zero_of`.
        origin_ns: where `zero` is on the flow's timeline, in nanoseconds.
        seconds: target duration; a segment lasts longer where no closed key frame comes in time.
        targets: instants of the file (seconds) to cut at or just after, instead of `seconds`.

    Returns:
        Contiguous segments that together hold every packet.
    """
    chosen = _chosen_points(track, seconds, targets)
    borders = [track.start, *(track.pts[index] * track.time_base for index in chosen[1:])]
    instants = [origin_ns + nanoseconds(at - zero) for at in [*borders, track.end]]
    return [
        Cut(first, stop, TimeRange(start, end))
        for (first, stop), (start, end) in zip(
            pairwise([*chosen, len(track.pts)]), pairwise(instants), strict=True
        )
    ]


def cut_times(track: Track, cuts: Sequence[Cut]) -> list[Fraction]:
    """The instants of the file at which a track is cut, in seconds: targets for other tracks."""
    return [track.pts[cut.first] * track.time_base for cut in cuts[1:]]


def _chosen_points(
    track: Track, seconds: Fraction, targets: Sequence[Fraction] | None
) -> list[int]:
    points = closed_points(track)
    # A cut before the first presented sample would be a segment without any.
    points = [0, *(i for i in points[1:] if track.pts[i] * track.time_base > track.start)]
    times = [track.pts[index] * track.time_base for index in points]
    chosen = [0]
    if targets is not None:
        for target in targets:
            place = bisect_left(times, target, lo=1)
            if place < len(points) and points[place] > chosen[-1]:
                chosen.append(points[place])
        return chosen
    due = track.start + seconds
    for index, at in zip(points[1:], times[1:], strict=True):
        # Half a tick of mercy: 4 s at 30000/1001 frames are never reached exactly.
        if at >= due - track.time_base / 2:
            chosen.append(index)
            due = at + seconds
    return chosen


def objects(
    path: Path,
    track: Track,
    cuts: Sequence[Cut],
    *,
    container: Container,
    zero: Fraction,
    wanted: Sequence[bool] | None = None,
) -> Iterator[MediaObject]:
    """Copy the packets of a track into one object per cut, reading the file once.

    Args:
        path: the file that `track` and `cuts` were made from.
        track: packet times.
        cuts: the plan.
        container: how to wrap the objects.
        zero: as given to `plan`.
        wanted: per cut, whether its object is needed; all are if ``None``.

    Raises:
        MediaError: the container cannot hold this codec, or the file changed meanwhile.
    """
    shift = nearest((OBJECT_EPOCH - zero) / track.time_base)
    with open_input(path) as source:
        codec = codec_name(source.streams[track.index])
        packets = packets_of(source, track.index)
        for number, cut in enumerate(cuts):
            mine = [packet for _, packet in zip(range(cut.first, cut.stop), packets, strict=False)]
            if len(mine) != cut.stop - cut.first:
                raise MediaError(f"{path.name} changed while it was read")
            if wanted is None or wanted[number]:
                data = _wrapped(
                    source.streams[track.index],
                    track,
                    mine,
                    first=cut.first,
                    container=container,
                    shift=shift,
                )
                item, init = _separated(data, container)
                if _codec_of((init or b"") + item) != codec:
                    raise MediaError(f"{container.value} objects cannot hold {codec}")
                yield _measured(track, cut, item, init)


def _wrapped(
    template: Any,
    track: Track,
    packets: Sequence["av.Packet[Any]"],
    *,
    first: int,
    container: Container,
    shift: int,
) -> bytes:
    """Mux packets into an object of their own, on the object clock."""
    buffer = io.BytesIO()
    fmt, options = _MUXERS[container]
    try:
        with av.open(buffer, "w", format=fmt, options=dict(options)) as out:
            stream = out.add_stream_from_template(template)
            stream.time_base = track.time_base
            adapted = _adapted(template, container)
            for index, packet in enumerate(packets, start=first):
                packet.time_base = track.time_base
                packet.pts = track.pts[index] + shift
                packet.dts = track.dts[index] + shift
                packet.duration = track.duration[index]
                for ready in [packet] if adapted is None else adapted.filter(packet):
                    ready.stream = stream
                    out.mux_one(ready)
    except (av.FFmpegError, ValueError) as error:
        codec = codec_name(template)
        raise MediaError(f"{container.value} objects cannot hold {codec}: {error}") from error
    return buffer.getvalue()


def _adapted(template: Any, container: Container) -> BitStreamFilterContext | None:
    """The filter that makes a stream's packets fit for objects that are decoded alone.

    MPEG-TS: the muxer repeats parameter sets at IDR pictures only, and an object may begin with
    another kind of key frame. Fragmented MP4: AAC without headers of its own.
    """
    name = codec_name(template)
    extradata = template.codec_context.extradata or b""
    chain = None
    if container is Container.TS and extradata[:1] == b"\x01" and name in _ANNEX_B:
        chain = f"{_ANNEX_B[name]},dump_extra=freq=keyframe"
    if container is Container.FMP4 and name == "aac" and not extradata:
        chain = "aac_adtstoasc"
    return None if chain is None else BitStreamFilterContext(chain, template)


_ANNEX_B: Final = {"h264": "h264_mp4toannexb", "hevc": "hevc_mp4toannexb"}

# Times must reach the object as they are: no muxer may shift or interleave them.
_MUXERS: Final[dict[Container, tuple[str, dict[str, str]]]] = {
    Container.TS: (
        "mpegts",
        {"mpegts_copyts": "1", "avoid_negative_ts": "disabled", "pes_payload_size": "0"},
    ),
    Container.FMP4: (
        "mp4",
        {
            "movflags": "delay_moov+default_base_moof+frag_discont+frag_custom+skip_trailer",
            "use_editlist": "0",
            "avoid_negative_ts": "disabled",
        },
    ),
}


def _separated(data: bytes, container: Container) -> tuple[bytes, bytes | None]:
    """The media and the initialisation part of what was muxed."""
    if not container.has_init:
        return data, None
    position = 0
    while data[position + 4 : position + 8] != b"moof":
        size = int.from_bytes(data[position : position + 4], "big")
        if not 8 <= size < len(data) - position:
            raise MediaError("the MP4 muxer wrote no fragment")
        position += size
    return data[position:], data[:position]


def _codec_of(data: bytes) -> str | None:
    """As a reader sees it: a muxer may store what no reader knows again."""
    with open_input(data) as container:
        return codec_name(container.streams[0])


def _measured(track: Track, cut: Cut, data: bytes, init: bytes | None) -> MediaObject:
    """Read an object back: only a reader's view of its times makes ``ts_offset`` right."""
    with open_input((init or b"") + data) as container:
        found = list(packets_of(container, 0))
        base = container.streams[0].time_base
    if base is None or len(found) != cut.stop - cut.first:
        raise MediaError("the container does not keep the packets of this codec apart")
    start_ns, end_ns = cut.timerange.start_ns, cut.timerange.end_ns
    if start_ns is None or end_ns is None:
        raise MediaError("a segment needs both ends")
    anchor = _first_presented(track, cut)
    pts = found[anchor - cut.first].pts
    if pts is None:
        raise MediaError("the container does not keep presentation times")
    # A first packet that begins before the segment (priming) is that much earlier.
    into = max(Fraction(0), track.start - track.pts[anchor] * track.time_base)
    ts_offset = start_ns - nanoseconds(pts * base + into)
    last = max(range(cut.first, cut.stop), key=track.pts.__getitem__)
    after = track.end if cut.stop == len(track.pts) else track.pts[cut.stop] * track.time_base
    return MediaObject(
        cut=cut,
        data=data,
        init=init,
        ts_offset_ns=ts_offset,
        object_timerange=TimeRange(start_ns - ts_offset, end_ns - ts_offset),
        last_duration_ns=nanoseconds(after - track.pts[last] * track.time_base),
        key_frame_count=sum(track.key[cut.first : cut.stop]),
    )


def _first_presented(track: Track, cut: Cut) -> int:
    """Index of the packet that holds the first presented sample of a cut."""
    start = track.start
    shown = [
        index
        for index in range(cut.first, cut.stop)
        if (track.pts[index] + track.duration[index]) * track.time_base > start
        and not track.hidden[index]
    ]
    return min(shown, key=track.pts.__getitem__)
