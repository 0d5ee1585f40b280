"""The scalars: the spec's strings at the edge, integers and value types inside.

`UUID`, `URL` and `MimeType` are strings that were checked once; `Timestamp` is integer
nanoseconds, `DateTime` integer microseconds since the Unix epoch (UTC). Columns of segments
arrive already written as the spec's strings, which serialisers pass on.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, NewType, TypeVar

import strawberry
from graphql import GraphQLError
from strawberry.types.scalar import ScalarDefinition

from tams_graphql.model.errors import InvalidInput
from tams_graphql.model.identifiers import MIME_PATTERN
from tams_graphql.timeline import TimelineError, TimeRange, format_timestamp, parse_timestamp

T = TypeVar("T")

UUID = NewType("UUID", str)
URL = NewType("URL", str)
MimeType = NewType("MimeType", str)
Timestamp = NewType("Timestamp", int)
DateTime = NewType("DateTime", int)
Int64 = NewType("Int64", int)

ZERO = Timestamp(0)

_SPEC = "https://bbc.github.io/tams/main/index.html#/schemas/"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[1-5][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
_MIME_TYPE = re.compile(MIME_PATTERN)
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:\S+")
_INTEGER = re.compile(r"-?[0-9]{1,19}")
_SHOWN = 64


def refused(scalar: str, rule: str, message: str) -> GraphQLError:
    """The refusal of a value that is no `scalar`; the executor adds where it stood."""
    return GraphQLError(f"{scalar}: {message}", extensions={"code": "INVALID_INPUT", "rule": rule})


def _matching(scalar: str, pattern: re.Pattern[str], example: str) -> Callable[[Any], str]:
    def parse(value: Any) -> str:
        if isinstance(value, str) and pattern.fullmatch(value):
            return value
        raise refused(
            scalar, f"{scalar.lower()}.malformed", f"{shown(value)} is not one; e.g. {example}"
        )

    return parse


def shown(value: object) -> str:
    """The value as a quotation for a message, cut short when it is long."""
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


@dataclass(frozen=True, slots=True, eq=False)
class _Clamped(TimeRange):
    """Reached beyond what can be stored: a filter takes what is left of it (DECISIONS).

    Written as it came, so that what would be stored is refused where it is read again.
    """

    text: str = ""

    def __str__(self) -> str:
        return self.text


def parse_timerange(value: Any) -> TimeRange:
    """Read a timerange argument."""
    text = _text("TimeRange", value)
    clamped = _on_timeline("TimeRange", lambda: TimeRange.parse(text, clamp=True))
    try:
        return TimeRange.parse(text)
    except TimelineError:
        return _Clamped(clamped.start_ns, clamped.end_ns, clamped.bounds, text)


def storable(field: str, timerange: TimeRange) -> TimeRange:
    """A timerange that is no filter.

    Raises:
        InvalidInput: it reaches beyond what can be stored.
    """
    try:
        return TimeRange.parse(str(timerange))
    except TimelineError as error:
        raise InvalidInput(field, error.rule, error.message) from error


def parse_timestamp_scalar(value: Any) -> int:
    """Read a timestamp argument into nanoseconds."""
    text = _text("Timestamp", value)
    return _on_timeline("Timestamp", lambda: parse_timestamp(text))


def _on_timeline(scalar: str, parse: Callable[[], T]) -> T:
    try:
        return parse()
    except TimelineError as error:
        raise refused(scalar, error.rule, error.message) from error


def _text(scalar: str, value: Any) -> str:
    if isinstance(value, str):
        return value
    raise refused(scalar, f"{scalar.lower()}.malformed", f"{shown(value)} is not a string")


def format_date_time(us: int) -> str:
    """Microseconds since the Unix epoch as RFC 3339 in UTC."""
    return (_EPOCH + timedelta(microseconds=us)).isoformat().replace("+00:00", "Z")


def _parse_date_time(value: Any) -> int:
    try:
        moment = datetime.fromisoformat(_text("DateTime", value))
    except ValueError as error:
        raise refused("DateTime", "datetime.malformed", str(error)) from error
    if moment.tzinfo is None:
        raise refused("DateTime", "datetime.zone", "a time zone is required, e.g. a final Z")
    return (moment - _EPOCH) // timedelta(microseconds=1)


def _parse_int64(value: Any) -> int:
    if type(value) is str and _INTEGER.fullmatch(value):
        value = int(value)
    if type(value) is int and -(2**63) <= value < 2**63:
        return value
    raise refused("Int64", "int64.malformed", f"{shown(value)} is not a 64-bit integer")


def _write_timestamp(value: int | str) -> str:
    return value if isinstance(value, str) else format_timestamp(value)


SCALARS: Mapping[object, ScalarDefinition] = {
    UUID: strawberry.scalar(
        name="UUID",
        description="A UUID in lower case, as the TAMS specification writes it.",
        specified_by_url=f"{_SPEC}uuid",
        serialize=str,
        parse_value=_matching("UUID", _UUID, "2aa143ac-0ab7-4d75-bc32-5c00c13d186f"),
    ),
    URL: strawberry.scalar(
        name="URL",
        description="An absolute URL (RFC 3986).",
        specified_by_url="https://www.rfc-editor.org/rfc/rfc3986",
        serialize=str,
        parse_value=_matching("URL", _URL, "https://example.com/media.ts"),
    ),
    MimeType: strawberry.scalar(
        name="MimeType",
        description="A media type such as `video/mp2t`.",
        specified_by_url=f"{_SPEC}flow-technical",
        serialize=str,
        parse_value=_matching("MimeType", _MIME_TYPE, "video/mp2t"),
    ),
    Timestamp: strawberry.scalar(
        name="Timestamp",
        description=(
            "An instant or a span on a media timeline, `seconds:nanoseconds`,"
            ' e.g. `"1694429247:40000000"`.'
        ),
        specified_by_url=f"{_SPEC}timestamp",
        serialize=_write_timestamp,
        parse_value=parse_timestamp_scalar,
    ),
    TimeRange: strawberry.scalar(
        name="TimeRange",
        description=(
            'A range on a media timeline, e.g. `"[0:0_10:0)"` for ten seconds from zero,'
            ' `"5:0_"` from five seconds on, `"_"` for all time, `"()"` for none.'
        ),
        specified_by_url=f"{_SPEC}timerange",
        serialize=str,
        parse_value=parse_timerange,
    ),
    DateTime: strawberry.scalar(
        name="DateTime",
        description="A date and time of day with time zone (RFC 3339).",
        specified_by_url="https://www.rfc-editor.org/rfc/rfc3339",
        serialize=format_date_time,
        parse_value=_parse_date_time,
    ),
    Int64: strawberry.scalar(
        name="Int64",
        description=(
            "A signed 64-bit integer, written as a string because JSON numbers lose digits"
            " beyond 2^53. As input also a number."
        ),
        specified_by_url="https://spec.graphql.org/October2021/#sec-Int",
        serialize=str,
        parse_value=_parse_int64,
    ),
}
