"""Timestamps: the spec's ``seconds:nanoseconds`` strings and integer nanoseconds."""

import re
from collections.abc import Iterable
from typing import Final

NANOSECONDS: Final = 1_000_000_000
"""Nanoseconds in one second."""

MIN_NS: Final = -(2**63)
"""The earliest instant the store can hold, in nanoseconds (a signed 64-bit column)."""

MAX_NS: Final = 2**63 - 1
"""The latest instant the store can hold, in nanoseconds."""

TIMESTAMP_PATTERN: Final = r"-?(?:0|[1-9][0-9]*):(?:0|[1-9][0-9]{0,8})"
"""The pattern of spec 8.2 ``schemas/timestamp.json``, without its anchors."""

_TIMESTAMP: Final = re.compile(TIMESTAMP_PATTERN)
_LONGEST_NUMBER: Final = 4_000
_QUOTED: Final = 64


class TimelineError(ValueError):
    """A timestamp or timerange that cannot be accepted.

    Attributes:
        rule: stable, machine-readable name of the rule that was broken.
        message: what is wrong and what would be right, for the person who wrote it.
    """

    def __init__(self, rule: str, message: str) -> None:
        super().__init__(message)
        self.rule = rule
        self.message = message


def parse_timestamp(text: str) -> int:
    """Read a timestamp of the form ``{sign?}{seconds}:{nanoseconds}``.

    The sign belongs to the whole value: ``-0:5`` is five nanoseconds before zero
    (spec 8.2, ``schemas/timestamp.json``).

    Returns:
        Nanoseconds, within `MIN_NS` and `MAX_NS`.

    Raises:
        TimelineError: rule ``timestamp.malformed`` or ``timestamp.out_of_range``.
    """
    if _TIMESTAMP.fullmatch(text) is None:
        raise TimelineError(
            "timestamp.malformed",
            f"{quoted(text)} is not a timestamp; write seconds:nanoseconds, e.g. 1694429247:0",
        )
    ns = unlimited_timestamp(text)
    if not MIN_NS <= ns <= MAX_NS:
        raise out_of_range(text)
    return ns


def format_timestamp(ns: int) -> str:
    """Write nanoseconds as a timestamp; the inverse of `parse_timestamp`."""
    seconds, rest = divmod(abs(ns), NANOSECONDS)
    return f"{'-' if ns < 0 else ''}{seconds}:{rest}"


def format_timestamps(column: Iterable[int | None]) -> list[str | None]:
    """`format_timestamp` over a column, without a call for the common case; nulls stay."""
    return [
        None
        if ns is None
        else f"{ns // NANOSECONDS}:{ns % NANOSECONDS}"
        if ns >= 0
        else format_timestamp(ns)
        for ns in column
    ]


def unlimited_timestamp(text: str) -> int:
    """Nanoseconds of a timestamp already known to match the pattern, whatever their size."""
    seconds, nanoseconds = text.removeprefix("-").split(":")
    # Python refuses to convert numbers of more than 4300 digits, and the pattern has no limit.
    whole = int(seconds) if len(seconds) <= _LONGEST_NUMBER else 10**_LONGEST_NUMBER
    ns = whole * NANOSECONDS + int(nanoseconds)
    return -ns if text.startswith("-") else ns


def out_of_range(text: str) -> TimelineError:
    """The refusal of a text that names an instant beyond `MIN_NS` and `MAX_NS`."""
    return TimelineError(
        "timestamp.out_of_range",
        f"{quoted(text)} is beyond what can be stored: timestamps lie between "
        f"{format_timestamp(MIN_NS)} and {format_timestamp(MAX_NS)}",
    )


def quoted(text: str) -> str:
    """The text as a quotation for a message, cut short when it is long."""
    return repr(text if len(text) <= _QUOTED else f"{text[:_QUOTED]}…")
