"""Where each packet of an export goes: pure arithmetic between segments and a file.

Segments of a track that continue each other form a *chain*: no gap between them, and no samples
in their objects beside those they present. From each chain that the wanted timerange touches,
one *run* of packets is taken: from the key frame (or, for sound, a moment) before the range,
to the last packet in decode order that the range presents. What a run holds beyond the range is
needed to decode and is hidden by the file's edit list.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from tams_graphql.client.errors import MediaError, NoKeyFrameError
from tams_graphql.client.packets import AUDIO, VIDEO, Track, nanoseconds, nearest
from tams_graphql.timeline import NANOSECONDS, TimeRange

# One tick of an MPEG-TS object's clock and the rounding to nanoseconds.
_TICK_NS: Final = NANOSECONDS // 90_000 + 2
# Overlapping transforms and bit reservoirs reach back this far at most (MP3: 9 packets).
_AUDIO_PREROLL_NS: Final = NANOSECONDS // 4


@dataclass(frozen=True, slots=True)
class TimedSegment:
    """A segment and the packet times of one stream of its object.

    Attributes:
        number: its place among the segments of the track.
        timerange: bounded, in nanoseconds of the flow's timeline.
        ts_offset_ns: added to object timestamps.
        track: packet times of the object's stream.
    """

    number: int
    timerange: TimeRange
    ts_offset_ns: int
    track: Track

    @property
    def start_ns(self) -> int:
        """First nanosecond of the segment."""
        return _bounded(self.timerange)[0]

    @property
    def end_ns(self) -> int:
        """First nanosecond after the segment."""
        return _bounded(self.timerange)[1]


@dataclass(frozen=True, slots=True)
class Placed:
    """A packet: the segment and index that it has, and its place on the flow's timeline."""

    segment: int
    index: int
    at_ns: int
    duration_ns: int
    key: bool


@dataclass(frozen=True, slots=True)
class Run:
    """Packets to copy, in decode order, and the part of them that is presented.

    Attributes:
        packets: what to copy.
        start_ns: first presented instant of the flow's timeline.
        end_ns: first instant after the presented part.
    """

    packets: Sequence[Placed]
    start_ns: int
    end_ns: int

    @property
    def shown(self) -> list[Placed]:
        """The packets that lie in the presented part, wholly or with a piece."""
        return [
            packet
            for packet in self.packets
            if packet.at_ns + packet.duration_ns > self.start_ns and packet.at_ns < self.end_ns
        ]

    @property
    def hides_pictures(self) -> bool:
        """Whether any packet lies wholly outside the presented part."""
        return len(self.shown) < len(self.packets)


def runs(
    segments: Sequence[TimedSegment], wanted: TimeRange, rate: Fraction | None = None
) -> list[Run]:
    """The runs of one track that present exactly the wanted timerange.

    Args:
        segments: in time order, with enough before the range to decode its first picture.
        wanted: the range; open ends reach as far as the segments do.
        rate: pictures per second, to undo the rounding of MPEG-TS; ``None`` if it varies.

    Raises:
        NoKeyFrameError: the first wanted picture has no key frame before it.
    """
    slack = _slack(segments, rate)
    found: list[Run] = []
    for chain in _chains(segments, rate):
        run = (
            _picture_run(chain, wanted, slack) if chain.kind == VIDEO else _sound_run(chain, wanted)
        )
        if run is not None:
            found.append(run)
    return found


def _slack(segments: Sequence[TimedSegment], rate: Fraction | None) -> int:
    """How many nanoseconds before its true time a picture may seem to be."""
    if rate is not None:
        # Pictures that are not a whole number of nanoseconds apart were rounded twice.
        return 0 if (NANOSECONDS / rate).denominator == 1 else 1
    ticking = any(segment.track.time_base == Fraction(1, 90_000) for segment in segments)
    return _TICK_NS if ticking else 1


@dataclass(slots=True)
class _Chain:
    kind: str
    packets: list[Placed]
    start_ns: int
    end_ns: int


def _chains(segments: Sequence[TimedSegment], rate: Fraction | None) -> Iterator[_Chain]:
    chain: _Chain | None = None
    for segment in segments:
        placed = _placed(segment, rate)
        before, after = _spills(segment, placed)
        if chain is not None and segment.start_ns == chain.end_ns and not before:
            chain.packets += placed
            chain.end_ns = segment.end_ns
        else:
            if chain is not None:
                yield chain
            chain = _Chain(segment.track.kind, placed, segment.start_ns, segment.end_ns)
        if after:
            yield chain
            chain = None
    if chain is not None:
        yield chain


def _placed(segment: TimedSegment, rate: Fraction | None) -> list[Placed]:
    track = segment.track
    exact = [segment.ts_offset_ns + pts * track.time_base * NANOSECONDS for pts in track.pts]
    instants = [round(at) for at in exact]
    if rate is not None and track.kind == VIDEO:
        instants = [_on_grid(at, segment.start_ns, rate) for at in instants]
    if track.kind == AUDIO and track.sample_rate:
        instants = _on_samples(instants, segment)
    return [
        Placed(segment.number, index, at, nanoseconds(duration * track.time_base), bool(key))
        for index, (at, duration, key) in enumerate(
            zip(instants, track.duration, track.key, strict=True)
        )
    ]


def _on_grid(at_ns: int, start_ns: int, rate: Fraction) -> int:
    """The instant of the nearest picture of a fixed rate, if the object's clock meant that."""
    count = nearest(Fraction(at_ns - start_ns, NANOSECONDS) * rate)
    ideal = start_ns + nanoseconds(count / rate)
    return ideal if abs(ideal - at_ns) <= _TICK_NS else at_ns


def _on_samples(instants: Sequence[int], segment: TimedSegment) -> list[int]:
    """The same instants with the rounding of an object's clock undone.

    Packets follow each other without a gap of less than a tick; the one that begins the
    segment begins exactly with it.
    """
    track, rate = segment.track, segment.track.sample_rate
    samples = [nearest(duration * track.time_base * rate) for duration in track.duration]
    anchor = next((n for n, at in enumerate(instants) if at >= segment.start_ns - _TICK_NS), 0)
    near = abs(instants[anchor] - segment.start_ns) <= _TICK_NS
    exact = list(instants)
    exact[anchor] = segment.start_ns if near else instants[anchor]
    for order, step in ((range(anchor + 1, len(exact)), 1), (range(anchor - 1, -1, -1), -1)):
        base, count = exact[anchor], 0
        for n in order:
            count += samples[n - 1] if step > 0 else samples[n]
            ideal = base + step * nanoseconds(Fraction(count, rate))
            if abs(ideal - exact[n]) > _TICK_NS:
                base, count = exact[n], 0
            else:
                exact[n] = ideal
    return exact


def _spills(segment: TimedSegment, placed: Sequence[Placed]) -> tuple[bool, bool]:
    """Whether the object holds samples before the segment's start, and after its end."""
    start, end = segment.start_ns, segment.end_ns
    before = any(packet.at_ns < start - _TICK_NS for packet in placed)
    if segment.track.kind == AUDIO:
        last = max(packet.at_ns + packet.duration_ns for packet in placed)
        return before, last > end + _TICK_NS
    return before, any(packet.at_ns >= end - 1 for packet in placed)


def _picture_run(chain: _Chain, wanted: TimeRange, slack: int) -> Run | None:
    start, end = _within(chain, wanted)
    shown = [
        n
        for n, packet in enumerate(chain.packets)
        if start <= packet.at_ns + slack and packet.at_ns + slack < end
    ]
    if not shown:
        return None
    first_ns = min(chain.packets[n].at_ns for n in shown)
    entry = next(
        (
            n
            for n in range(shown[0], -1, -1)
            if chain.packets[n].key and chain.packets[n].at_ns <= first_ns
        ),
        None,
    )
    if entry is None:
        raise NoKeyFrameError(
            f"no key frame at or before {first_ns} ns: the range cannot be decoded"
        )
    return Run(chain.packets[entry : shown[-1] + 1], first_ns, end)


def _sound_run(chain: _Chain, wanted: TimeRange) -> Run | None:
    start, end = _within(chain, wanted)
    heard = [
        n
        for n, packet in enumerate(chain.packets)
        if packet.at_ns < end and packet.at_ns + packet.duration_ns > start
    ]
    if not heard or end <= start:
        return None
    entry = heard[0]
    while entry and chain.packets[entry - 1].at_ns >= start - _AUDIO_PREROLL_NS:
        entry -= 1
    first_ns = max(start, chain.packets[heard[0]].at_ns)
    return Run(chain.packets[entry : heard[-1] + 1], first_ns, end)


def _within(chain: _Chain, wanted: TimeRange) -> tuple[int, int]:
    start = chain.start_ns if wanted.start_ns is None else max(wanted.start_ns, chain.start_ns)
    end = chain.end_ns if wanted.end_ns is None else min(wanted.end_ns, chain.end_ns)
    return start, end


def _bounded(timerange: TimeRange) -> tuple[int, int]:
    if timerange.start_ns is None or timerange.end_ns is None:
        raise MediaError(f"a segment needs both ends, {timerange} has not")
    return timerange.start_ns, timerange.end_ns
