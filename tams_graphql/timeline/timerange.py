"""Timeranges: the spec's strings, and half-open ranges of integer nanoseconds.

A timerange is compared and computed with as ``[start_ns, end_ns)``; how it was written
(`Bounds`) travels along so that a client gets back the text it sent.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntFlag
from typing import ClassVar, Final

from tams_graphql.timeline.timestamp import (
    MAX_NS,
    MIN_NS,
    NANOSECONDS,
    TIMESTAMP_PATTERN,
    TimelineError,
    format_timestamp,
    out_of_range,
    quoted,
    unlimited_timestamp,
)

# Markers and timestamps as in spec 8.2, schemas/timerange.json.
_TIMERANGE: Final = re.compile(
    rf"(?P<opening>[\[(])?(?P<start>{TIMESTAMP_PATTERN})?"
    rf"(?P<separator>_(?P<end>{TIMESTAMP_PATTERN})?)?(?P<closing>[\])])?"
)
# A date, a duration or an interval's slash: nothing of the kind occurs in a TAMS timerange.
_ISO_8601: Final = re.compile(r"/|[0-9]{4}-[0-9]{2}|[0-9]{8}T|[0-9]T[0-9]|^[\[(]?P[0-9T]")


class Bounds(IntFlag):
    """How the ends of a timerange were written; the value 0 is the form ``[a_b)``."""

    HALF_OPEN = 0
    START_EXCLUSIVE = 1
    END_INCLUSIVE = 2


_HALF_OPEN: Final = 0
_START_EXCLUSIVE: Final = int(Bounds.START_EXCLUSIVE)
_END_INCLUSIVE: Final = int(Bounds.END_INCLUSIVE)


@dataclass(frozen=True, slots=True, eq=False)
class TimeRange:
    """A range of nanoseconds on a media timeline (spec 8.2, ``schemas/timerange.json``).

    Two timeranges are equal when they hold the same instants, however they were written; all
    empty ones are equal to `NEVER`.

    Attributes:
        start_ns: first nanosecond in the range; ``None`` if it has no beginning.
        end_ns: first nanosecond after the range; ``None`` if it has no end.
        bounds: how it was written (`Bounds`); no part of its value.

    Raises:
        TimelineError: rule ``timerange.reversed``, on construction, if it ends before it starts.
    """

    start_ns: int | None
    end_ns: int | None
    bounds: int = _HALF_OPEN

    ETERNITY: ClassVar["TimeRange"]
    NEVER: ClassVar["TimeRange"]

    def __post_init__(self) -> None:
        if self.start_ns is not None and self.end_ns is not None and self.end_ns < self.start_ns:
            raise _reversed(format_timerange(self.start_ns, self.end_ns, _HALF_OPEN))

    @classmethod
    def parse(cls, text: str, *, clamp: bool = False) -> "TimeRange":
        """Read a timerange as a client wrote it.

        Missing markers at a given end are read as inclusive; markers at an open end mean
        nothing and are dropped.

        Args:
            text: the timerange.
            clamp: move ends beyond `MIN_NS` and `MAX_NS` to those limits (for a filter)
                instead of refusing them (for what would be stored).

        Raises:
            TimelineError: rule ``timerange.malformed``, ``timerange.iso8601``,
                ``timerange.instant`` (an instant with an exclusive marker),
                ``timerange.reversed`` or ``timestamp.out_of_range``.
        """
        found = _TIMERANGE.fullmatch(text)
        if found is None:
            raise _malformed(text)
        if found["start"] is None and found["end"] is None:
            return _without_timestamps(found, text)
        return _with_timestamps(found, text, clamp=clamp)

    @classmethod
    def instant(cls, ns: int) -> "TimeRange":
        """The range that holds the one nanosecond `ns`, written ``[t]``."""
        return cls(ns, ns + 1, _END_INCLUSIVE)

    def __str__(self) -> str:
        return format_timerange(self.start_ns, self.end_ns, self.bounds)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, TimeRange):
            return NotImplemented
        return _value(self) == _value(other)

    def __hash__(self) -> int:
        return hash(_value(self))

    @property
    def is_empty(self) -> bool:
        """Whether it holds no instant at all."""
        return self.start_ns is not None and self.start_ns == self.end_ns

    @property
    def is_bounded(self) -> bool:
        """Whether it has both a beginning and an end."""
        return self.start_ns is not None and self.end_ns is not None

    @property
    def duration_ns(self) -> int | None:
        """Its length in nanoseconds; ``None`` if either end is open."""
        if self.start_ns is None or self.end_ns is None:
            return None
        return self.end_ns - self.start_ns

    def overlaps(self, other: "TimeRange") -> bool:
        """Whether at least one instant lies in both."""
        return not self.intersection(other).is_empty

    def contains(self, other: "TimeRange") -> bool:
        """Whether every instant of `other` lies in this range; always so if it is empty."""
        return self.intersection(other) == other

    def contains_ns(self, ns: int) -> bool:
        """Whether the instant `ns` lies in this range."""
        return (self.start_ns is None or self.start_ns <= ns) and (
            self.end_ns is None or ns < self.end_ns
        )

    def intersection(self, other: "TimeRange") -> "TimeRange":
        """The instants in both; each end is written as in the range that it comes from."""
        first = other if _later_start(other.start_ns, self.start_ns) else self
        last = other if _earlier_end(other.end_ns, self.end_ns) else self
        start, end = first.start_ns, last.end_ns
        if start is not None and end is not None and end <= start:
            return NEVER
        return TimeRange(
            start, end, (first.bounds & _START_EXCLUSIVE) | (last.bounds & _END_INCLUSIVE)
        )

    def shifted(self, offset_ns: int) -> "TimeRange":
        """The same range `offset_ns` nanoseconds later (earlier if negative).

        The result may lie beyond `MIN_NS` and `MAX_NS`; see `clamped`. An empty
        range becomes `NEVER`.
        """
        if self.is_empty:
            return NEVER
        return TimeRange(
            None if self.start_ns is None else self.start_ns + offset_ns,
            None if self.end_ns is None else self.end_ns + offset_ns,
            self.bounds,
        )

    def clamped(self) -> "TimeRange":
        """This range without what lies beyond `MIN_NS` and `MAX_NS`; open ends stay open."""
        start, end, bounds = self.start_ns, self.end_ns, self.bounds
        if start is not None and not MIN_NS < start <= MAX_NS:
            start, bounds = min(max(start, MIN_NS), MAX_NS), bounds & ~_START_EXCLUSIVE
        if end is not None and not MIN_NS < end <= MAX_NS:
            end, bounds = min(max(end, MIN_NS), MAX_NS), bounds & ~_END_INCLUSIVE
        return NEVER if start is not None and start == end else TimeRange(start, end, bounds)


ETERNITY: Final = TimeRange(None, None)
"""The entire timeline, written ``_``."""

# No text reads as an empty range with an inclusive end, which leaves it to mean "()".
NEVER: Final = TimeRange(0, 0, _END_INCLUSIVE)
"""No instant at all, written ``()``."""

TimeRange.ETERNITY = ETERNITY
TimeRange.NEVER = NEVER


def format_timerange(start_ns: int | None, end_ns: int | None, bounds: int) -> str:
    """Write a timerange from its columns, without an object per row.

    The inverse of `TimeRange.parse`, in nanoseconds and `Bounds`: instants take their short
    form ``[t]``, open ends no marker.
    """
    inclusive_end = bounds & _END_INCLUSIVE
    if inclusive_end and start_ns is not None and start_ns == end_ns:
        return "()"
    if bounds == _END_INCLUSIVE and start_ns is not None and start_ns + 1 == end_ns:
        return f"[{format_timestamp(start_ns)}]"
    start = end = ""
    if start_ns is not None:
        exclusive = bounds & _START_EXCLUSIVE
        start = (
            f"({format_timestamp(start_ns - 1)}" if exclusive else f"[{format_timestamp(start_ns)}"
        )
    if end_ns is not None:
        end = (
            f"{format_timestamp(end_ns - 1)}]" if inclusive_end else f"{format_timestamp(end_ns)})"
        )
    return f"{start}_{end}"


def format_timeranges(
    starts: Iterable[int], ends: Iterable[int], bounds: Iterable[int]
) -> list[str]:
    """`format_timerange` over bounded columns, without a call for the common ``[a_b)``."""
    return [
        f"[{start // NANOSECONDS}:{start % NANOSECONDS}_{end // NANOSECONDS}:{end % NANOSECONDS})"
        if start >= 0 and not how
        else format_timerange(start, end, how)
        for start, end, how in zip(starts, ends, bounds, strict=True)
    ]


def _value(timerange: TimeRange) -> tuple[int | None, int | None]:
    return (0, 0) if timerange.is_empty else (timerange.start_ns, timerange.end_ns)


def _later_start(one: int | None, other: int | None) -> bool:
    return one is not None and (other is None or one > other)


def _earlier_end(one: int | None, other: int | None) -> bool:
    return one is not None and (other is None or one < other)


def _without_timestamps(found: re.Match[str], text: str) -> TimeRange:
    if found["separator"] is not None:
        return ETERNITY
    if text != "()":
        raise _malformed(text)
    return NEVER


def _with_timestamps(found: re.Match[str], text: str, *, clamp: bool) -> TimeRange:
    start = None if found["start"] is None else unlimited_timestamp(found["start"])
    end = None if found["end"] is None else unlimited_timestamp(found["end"])
    single = found["separator"] is None
    if single:
        end = start
    exclusive, inclusive = found["opening"] == "(", found["closing"] != ")"
    if start is not None and end is not None:
        if end < start:
            raise _reversed(text)
        # [t_t) is the empty window that half-open arithmetic produces; the spec leaves no
        # meaning to any other exclusive marker on an instant.
        if end == start and (exclusive or (single and not inclusive)):
            raise _exclusive_instant(text)
    start_ns, start_bit = _limited(start, exclusive, text, clamp=clamp)
    end_ns, end_bit = _limited(end, inclusive, text, clamp=clamp)
    return TimeRange(start_ns, end_ns, start_bit * _START_EXCLUSIVE | end_bit * _END_INCLUSIVE)


def _limited(ns: int | None, after: bool, text: str, *, clamp: bool) -> tuple[int | None, bool]:
    """One end as a half-open limit: `ns`, or the nanosecond `after` it; and if it stayed so.

    A clamped end no longer is what the client wrote, so its marker is dropped.
    """
    if ns is None:
        return None, False
    if ns >= MIN_NS and ns + after <= MAX_NS:
        return ns + after, after
    if not clamp:
        raise out_of_range(text)
    return max(MIN_NS, min(ns, MAX_NS)), False


def _malformed(text: str) -> TimelineError:
    if _ISO_8601.search(text):
        return TimelineError(
            "timerange.iso8601",
            f"{quoted(text)} looks like ISO 8601; write TAI seconds:nanoseconds, e.g. "
            "[1694429247:0_1694429257:0) for ten seconds from 2023-09-11T10:46:50Z",
        )
    return TimelineError(
        "timerange.malformed",
        f"{quoted(text)} is not a timerange; write e.g. [0:0_10:0), [0:0], 5:0_ or _",
    )


def _reversed(text: str) -> TimelineError:
    return TimelineError("timerange.reversed", f"{quoted(text)} ends before it starts")


def _exclusive_instant(text: str) -> TimelineError:
    return TimelineError(
        "timerange.instant",
        f"{quoted(text)} is an instant with an exclusive marker; write [t] for the instant t "
        "and () for no time at all",
    )
