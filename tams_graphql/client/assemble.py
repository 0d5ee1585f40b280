"""Segments of one or more flows into one playable file, exact to the picture.

1. Read the packet times of every object and choose the runs to copy (`layout.runs`).
2. Lay each track out on a clock of its own: one tick is a whole part of a picture, or one
   audio sample, so that rounding in MPEG-TS objects is undone.
3. Copy the packets, unchanged, into an MP4 file, interleaved by decode time.
4. Write edit lists that hide what is only needed to decode and place the rest in time.

Where a timeline is an edit, pictures off the grid of the frame rate are placed to half a tick
(under 50 µs), and sound goes on exactly in the file; FFmpeg, though, begins every edit of sound
but the first with a whole packet, so up to one packet (21 ms of AAC) early.

The file's zero is the first wanted picture if it comes within a picture of the wanted start,
else the first presented sample of any track. A track with nothing to present is left out.

MPEG-TS and Matroska have no edit lists. They are copied into as well where every picture of
the runs is presented; other cuts are refused, as is a change of coding inside the range: nothing
is ever re-encoded.
"""

import heapq
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import av

from tams_graphql.client.editlist import Edit, write_edit_lists
from tams_graphql.client.errors import MediaError
from tams_graphql.client.formats import format_of, has_edit_lists
from tams_graphql.client.layout import Placed, Run, TimedSegment, runs
from tams_graphql.client.packets import (
    AUDIO,
    VIDEO,
    Track,
    codec_name,
    decode_times,
    nearest,
    open_input,
    packets_of,
    read_tracks,
)
from tams_graphql.timeline import NANOSECONDS, TimeRange

_FINEST: Final = 10_000
_COARSEST: Final = 2**31 - 1
_DEFAULT_TIMESCALE: Final = 90_000


@dataclass(frozen=True, slots=True)
class SegmentMedia:
    """A segment and its object's bytes.

    Attributes:
        timerange: what it presents on the flow's timeline, in nanoseconds.
        ts_offset_ns: added to timestamps in the object.
        media: the object, after its initialisation object if it has one; a path or the bytes.
    """

    timerange: TimeRange
    ts_offset_ns: int
    media: Path | bytes


@dataclass(frozen=True, slots=True)
class TrackMedia:
    """One flow's part of an export.

    Attributes:
        kind: ``"video"`` or ``"audio"``.
        segments: in time order, from one with a key frame at or before the wanted start.
        frame_rate: pictures per second; ``None`` if it varies or is not known.
        stream: which of the object's streams of this kind, counted from 0.
        required: whether objects without such a stream are an error; if not, the track is left
            out when the first object has none.
    """

    kind: str
    segments: Sequence[SegmentMedia]
    frame_rate: Fraction | None = None
    stream: int = 0
    required: bool = True


@dataclass(frozen=True, slots=True)
class Assembly:
    """What was written.

    Attributes:
        path: the file.
        start_ns: the instant of the timeline that is the file's zero.
        end_ns: end of the last presented sample on the timeline.
        tracks: number of tracks in the file.
    """

    path: Path
    start_ns: int
    end_ns: int
    tracks: int


@dataclass(frozen=True, slots=True)
class _Copy:
    """A packet in the file: its origin and its times in ticks of the track."""

    segment: int
    index: int
    pts: int
    dts: int
    duration: int


@dataclass(slots=True)
class _Plan:
    """One track of the file."""

    media: TrackMedia
    timed: list[TimedSegment]
    runs: list[Run]
    timescale: int
    copies: list[_Copy] = field(default_factory=list)
    entries: list[int] = field(default_factory=list)
    """Per run, the media time (ticks) of its first presented instant."""


def assemble(tracks: Sequence[TrackMedia], wanted: TimeRange, output: Path) -> Assembly:
    """Write the wanted timerange of some flows into one file.

    Args:
        tracks: the flows' segments; see `TrackMedia` for how many.
        wanted: the timerange, in nanoseconds; open ends reach as far as the segments do.
        output: the file to write; ``.mp4``, ``.m4v``, ``.m4a``, ``.mov``, ``.ts`` or ``.mkv``.

    Raises:
        MediaError: nothing to present, media that cannot be read or copied, a suffix that is
            none of these, or a cut that the format cannot express.
    """
    format_of(output)
    plans = [plan for plan in (_planned(track, wanted) for track in tracks) if plan is not None]
    if not plans:
        raise MediaError(f"no media in {wanted}")
    zero = _zero(plans, wanted)
    if has_edit_lists(output):
        for plan in plans:
            _lay_out(plan, zero)
        movie = _movie_timescale(plans)
        _copy(plans, output, {"movie_timescale": str(movie), "use_editlist": "0"})
        write_edit_lists(output, [_edits(plan, zero, movie) for plan in plans])
    else:
        for plan in plans:
            _lay_out_plainly(plan, zero, output)
        _copy(plans, output, {})
    end = max(run.end_ns for plan in plans for run in plan.runs)
    return Assembly(output, zero, end, len(plans))


def _planned(media: TrackMedia, wanted: TimeRange) -> _Plan | None:
    if not media.required:
        kinds = {track.kind for item in media.segments[:1] for track in read_tracks(item.media)}
        if media.kind not in kinds:
            return None
    timed = [
        TimedSegment(number, item.timerange, item.ts_offset_ns, _stream_of(media, item))
        for number, item in enumerate(media.segments)
    ]
    chosen = runs(timed, wanted, media.frame_rate)
    return _Plan(media, timed, chosen, _timescale(media, timed)) if chosen else None


def _stream_of(media: TrackMedia, item: SegmentMedia) -> Track:
    found = [track for track in read_tracks(item.media) if track.kind == media.kind]
    if media.stream >= len(found):
        raise MediaError(f"the object at {item.timerange} has no {media.kind} stream")
    return found[media.stream]


def _timescale(media: TrackMedia, timed: Sequence[TimedSegment]) -> int:
    """Ticks per second on which every sample of the track has a whole number."""
    if media.kind == AUDIO:
        return timed[0].track.sample_rate or _DEFAULT_TIMESCALE
    scale = timed[0].track.time_base.denominator
    if media.frame_rate is not None:
        scale = media.frame_rate.numerator
    while scale < _FINEST:
        scale *= 2
    return scale


def _zero(plans: Sequence[_Plan], wanted: TimeRange) -> int:
    pictures = [plan for plan in plans if plan.media.kind == VIDEO]
    earliest = min(plan.runs[0].start_ns for plan in plans)
    if not pictures:
        return earliest
    first = min((plan.runs[0] for plan in pictures), key=lambda run: run.start_ns)
    asked = earliest if wanted.start_ns is None else wanted.start_ns
    late = first.start_ns - max(asked, earliest)
    return first.start_ns if late <= _picture_ns(first) else earliest


def _picture_ns(run: Run) -> int:
    return max(packet.duration_ns for packet in run.packets)


def _lay_out(plan: _Plan, zero: int) -> None:
    """Give every packet its times and every run its entry, in ticks from 0.

    FFmpeg starts an edit's clock at the decode time of its first presented packet in decode
    order, and corrects for the first edit only. So that later edits need no correction, each
    presents its first picture the same lead after that decode time. It also knows empty edits
    only at the start: where the timeline has a gap, the edit before it lasts until the next.
    """
    ends = [*(run.start_ns for run in plan.runs[1:]), plan.runs[-1].end_ns]
    clocks = [_clock(run, end, plan) for run, end in zip(plan.runs, ends, strict=True)]
    longest = max(clock.lead for clock in clocks)
    reached = 0
    for run, clock in zip(plan.runs, clocks, strict=True):
        earlier = longest - clock.lead
        base = reached + earlier - clock.dts[0]
        plan.copies += [
            _Copy(packet.segment, packet.index, base + at, base - earlier + due, duration)
            for packet, at, due, duration in zip(
                run.packets, clock.pts, clock.dts, clock.durations, strict=True
            )
        ]
        origin = min(packet.at_ns for packet in run.packets)
        start = max(run.start_ns, zero) if run is plan.runs[0] else run.start_ns
        plan.entries.append(base + _ticks(start - origin, plan))
        reached = base + clock.end


@dataclass(frozen=True, slots=True)
class _Clock:
    """The times of a run's packets in ticks from its earliest presentation."""

    pts: list[int]
    dts: list[int]
    durations: list[int]
    end: int
    """After all packets and after the edit."""
    lead: int
    """From the decode time of the first presented packet to the first presentation."""


def _clock(run: Run, edit_end_ns: int, plan: _Plan) -> _Clock:
    origin = min(packet.at_ns for packet in run.packets)
    # Hidden pictures after the run stay hidden in a gap after it.
    gap = edit_end_ns - run.end_ns
    places = [at.at_ns - origin + gap * (at.at_ns >= run.end_ns) for at in run.packets]
    pts = [_ticks(place, plan) for place in places]
    if plan.media.kind == AUDIO:
        pts = _joined(pts, run.packets, plan.timescale)
    dts = decode_times(pts)
    shown = [n for n, at in enumerate(run.packets) if run.start_ns <= at.at_ns < run.end_ns]
    lead = min(pts[n] for n in shown) - dts[shown[0]] if plan.media.kind == VIDEO else 0
    durations = [_ticks(packet.duration_ns, plan) for packet in run.packets]
    end = max(max(pts) + max(1, *durations), _ticks(edit_end_ns - origin, plan) + 1)
    return _Clock(pts, dts, durations, end, lead)


def _lay_out_plainly(plan: _Plan, zero: int, output: Path) -> None:
    """The same for a format without edit lists: sound starts and ends with whole packets."""
    if plan.media.kind == VIDEO and any(run.hides_pictures for run in plan.runs):
        raise MediaError(
            f"a {output.suffix} file cannot hide the pictures that this cut needs to decode; "
            "write .mp4, or cut at the borders of segments"
        )
    packets = [packet for run in plan.runs for packet in run.shown]
    pts = [_ticks(packet.at_ns - zero, plan) for packet in packets]
    plan.copies = [
        _Copy(packet.segment, packet.index, at, due, _ticks(packet.duration_ns, plan))
        for packet, at, due in zip(packets, pts, decode_times(pts), strict=True)
    ]


def _ticks(span_ns: int, plan: _Plan) -> int:
    rate = plan.media.frame_rate
    if rate is not None:
        # A picture of a fixed rate lasts a whole number of ticks, whatever its rounding says.
        count = nearest(Fraction(span_ns, NANOSECONDS) * rate)
        ideal = Fraction(count) / rate
        if abs(ideal - Fraction(span_ns, NANOSECONDS)) * plan.timescale < Fraction(1, 2):
            return nearest(ideal * plan.timescale)
    return nearest(Fraction(span_ns * plan.timescale, NANOSECONDS))


def _joined(ticks: Sequence[int], packets: Sequence[Placed], rate: int) -> list[int]:
    """Audio packets one sample apart, or overlapping by one, were rounded: let them meet."""
    met: list[int] = []
    end = ticks[0]
    for tick, packet in zip(ticks, packets, strict=True):
        met.append(end if abs(tick - end) <= 1 else tick)
        end = met[-1] + nearest(Fraction(packet.duration_ns * rate, NANOSECONDS))
    return met


def _movie_timescale(plans: Sequence[_Plan]) -> int:
    exact = math.lcm(*(plan.timescale for plan in plans))
    return exact if exact <= _COARSEST else max(plan.timescale for plan in plans)


def _edits(plan: _Plan, zero: int, movie: int) -> list[Edit]:
    """The edit list of a track; borders are rounded, lengths follow, so nothing drifts."""
    ends = [*(run.start_ns for run in plan.runs[1:]), plan.runs[-1].end_ns]
    first = nearest(Fraction((max(plan.runs[0].start_ns, zero) - zero) * movie, NANOSECONDS))
    borders = [first, *(nearest(Fraction((end - zero) * movie, NANOSECONDS)) for end in ends)]
    edits = [Edit(first, None)] if first else []
    for (start, end), entry in zip(pairwise(borders), plan.entries, strict=True):
        edits.append(Edit(end - start, entry))
    return edits


def _copy(plans: Sequence[_Plan], output: Path, options: dict[str, str]) -> None:
    fmt = format_of(output)
    options = {**options, "avoid_negative_ts": "disabled"} if fmt in {"mp4", "mov"} else options
    try:
        with av.open(str(output), "w", format=fmt, options=options) as out:
            sources = [_Source(plan) for plan in plans]
            for source in sources:
                source.open_output(out)
            for _, _, packet in heapq.merge(
                *(source.packets(number) for number, source in enumerate(sources)),
                key=lambda item: item[:2],
            ):
                out.mux_one(packet)
    except (av.FFmpegError, ValueError) as error:
        raise MediaError(f"cannot write {output.name}: {error}") from error


class _Source:
    """Feeds one track of the output from its objects, each opened once, in order."""

    def __init__(self, plan: _Plan) -> None:
        self._plan = plan
        self._stream: Any = None
        self._parameters: tuple[object, ...] = ()

    def open_output(self, out: Any) -> None:
        """Add the output stream, like the stream of the first object that is used."""
        first = self._plan.copies[0].segment
        with open_input(self._plan.media.segments[first].media) as container:
            template: Any = container.streams[self._plan.timed[first].track.index]
            self._parameters = _parameters(template, container.format.name)
            self._stream = out.add_stream_from_template(template)
        self._stream.time_base = Fraction(1, self._plan.timescale)

    def packets(self, number: int) -> Iterator[tuple[Fraction, int, Any]]:
        """Packets with decode time (seconds) and track number, in decode order."""
        base = Fraction(1, self._plan.timescale)
        for copies in self._by_object():
            yield from (
                (copy.dts * base, number, self._timed(packet, copy, base))
                for copy, packet in self._read(copies)
            )

    def _by_object(self) -> Iterator[list[_Copy]]:
        group: list[_Copy] = []
        for copy in self._plan.copies:
            if group and (copy.segment != group[-1].segment or copy.index <= group[-1].index):
                yield group
                group = []
            group.append(copy)
        yield group

    def _read(self, copies: Sequence[_Copy]) -> Iterator[tuple[_Copy, Any]]:
        segment = copies[0].segment
        index = self._plan.timed[segment].track.index
        with open_input(self._plan.media.segments[segment].media) as container:
            if _parameters(container.streams[index], container.format.name) != self._parameters:
                raise MediaError(
                    f"the coding changes at {self._plan.timed[segment].timerange}; "
                    "export the ranges before and after it into files of their own"
                )
            wanted = iter(copies)
            copy = next(wanted, None)
            for position, packet in enumerate(packets_of(container, index)):
                if copy is None:
                    return
                if position == copy.index:
                    yield copy, packet
                    copy = next(wanted, None)

    def _timed(self, packet: Any, copy: _Copy, base: Fraction) -> Any:
        packet.stream = self._stream
        packet.time_base = base
        packet.pts, packet.dts, packet.duration = copy.pts, copy.dts, copy.duration
        return packet


def _parameters(stream: Any, fmt: str) -> tuple[object, ...]:
    """What has to stay the same for one decoder; MPEG-TS repeats the rest in the stream."""
    codec = stream.codec_context
    shape = (codec.width, codec.height) if stream.type == VIDEO else (stream.sample_rate,)
    extra = None if fmt == "mpegts" else codec.extradata
    return (codec_name(stream), *shape, extra)
