"""Times of the specification, read the slow and obvious way; nothing of `tams_graphql.timeline`."""

import re
from dataclasses import dataclass

NS = 1_000_000_000
FOREVER = 10**30
_TIME = r"-?(?:0|[1-9][0-9]*):(?:0|[1-9][0-9]{0,8})"
_RANGE = re.compile(rf"([\[(])?({_TIME})?(_)?({_TIME})?([\])])?")


def nanoseconds(text: str) -> int:
    """`seconds:nanoseconds`, the sign being that of both."""
    seconds, fraction = text.lstrip("-").split(":")
    return (-1 if text.startswith("-") else 1) * (int(seconds) * NS + int(fraction))


def written(ns: int) -> str:
    """The other way."""
    return f"{'-' if ns < 0 else ''}{abs(ns) // NS}:{abs(ns) % NS}"


@dataclass(frozen=True)
class Span:
    """The instants from `start` up to, but without, `end`; `closed` as its end was written."""

    start: int
    end: int
    closed: bool = False

    def overlaps(self, other: "Span") -> bool:
        return max(self.start, other.start) < min(self.end, other.end)

    def covers(self, other: "Span") -> bool:
        return self.start <= other.start and other.end <= self.end

    def same_instants(self, other: "Span") -> bool:
        return (self.start, self.end) == (other.start, other.end)

    def earlier_by(self, ns: int) -> "Span":
        return Span(self.start - ns, self.end - ns, self.closed)

    def __str__(self) -> str:
        if self.start >= self.end:
            return "()"
        if not self.closed:
            return f"[{written(self.start)}_{written(self.end)})"
        if self.end - self.start == 1:
            return f"[{written(self.start)}]"
        return f"[{written(self.start)}_{written(self.end - 1)}]"


NOTHING = Span(0, 0)


def span(text: str) -> Span:
    """A timerange of the specification.

    Raises:
        ValueError: it is none, or ends before it begins.
    """
    found = _RANGE.fullmatch(text)
    if found is None:
        raise ValueError(text)
    opening, first, dash, last, closing = found.groups()
    if text == "()":
        return NOTHING
    if dash is None:
        last = first
    start = -FOREVER if first is None else nanoseconds(first) + (opening == "(")
    end = FOREVER if last is None else nanoseconds(last) + (closing != ")")
    if first is not None and last is not None and nanoseconds(first) > nanoseconds(last):
        raise ValueError(text)
    return Span(start, end, closing != ")")


def extent(spans: list[Span]) -> Span:
    """From the first one's start to the last one's end, as those were written."""
    if not spans:
        return NOTHING
    last = max(spans, key=lambda one: one.end)
    return Span(min(one.start for one in spans), last.end, last.closed)


def malformation(text: str) -> list[str]:
    """The kind of refusal that a text earns which is no timerange, wherever it stands."""
    try:
        span(text)
    except ValueError:
        return ["INVALID_INPUT"]
    return []
