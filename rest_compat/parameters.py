"""Query parameters: what each is called, what it may be, and how its text is read.

A route declares the parameters that it takes; all are read before its handler runs, and the
published contract lists the same objects. A parameter that nobody declared is ignored, except
by DELETE: a misspelt filter there would delete everything.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Generic, TypeVar, cast
from urllib.parse import parse_qsl

from tams_graphql.model.errors import InvalidInput, Problem
from tams_graphql.model.identifiers import required_uuid
from tams_graphql.resolvers.filters import TagFilter
from tams_graphql.timeline import ETERNITY, MAX_NS, MIN_NS, TimelineError, TimeRange

T = TypeVar("T")
E = TypeVar("E", bound=StrEnum)
Pairs = Sequence[tuple[str, str]]
MAX_FIELDS = 1000
AUTHENTICATION = "access_token"
"""The query parameter of the spec's ``url_token_auth``: welcome everywhere."""

_INTEGER = re.compile(r"-?[0-9]+")
_MIME_TYPE = re.compile(r"[^\s/]+/[^\s/]+")


@dataclass(frozen=True, slots=True, eq=False)
class Parameter(Generic[T]):
    """One query parameter: `parse` reads its text (given its name, for errors)."""

    name: str
    description: str
    schema: Mapping[str, Any]
    parse: Callable[[str, str], T]
    default: T

    @property
    def names(self) -> tuple[str, ...]:
        """How it is written in a URL."""
        return (self.name,)

    def read(self, pairs: Pairs) -> T:
        """Its value among all of a query's.

        Raises:
            InvalidInput: given twice, or not what it may be.
        """
        texts = [text for name, text in pairs if name == self.name]
        if not texts:
            return self.default
        return self.parse(self.name, only(self.name, texts))


class TagParameter(Parameter[tuple[TagFilter, ...]]):
    """The pair ``{prefix}.{name}`` and ``{prefix}_exists.{name}``, once per tag name.

    Commas always separate values, percent-encoded or not: clients' libraries encode them.
    """

    def __init__(self, prefix: str, what: str) -> None:
        super().__init__(
            name=prefix,
            description=f"{what} whose tag {{name}} has one of these comma-separated values.",
            schema={"type": "string"},
            parse=lambda _field, _text: (),
            default=(),
        )

    @property
    def names(self) -> tuple[str, ...]:
        """How they are written in a URL."""
        return (f"{self.name}.{{name}}", f"{self.name}_exists.{{name}}")

    def read(self, pairs: Pairs) -> tuple[TagFilter, ...]:
        """All the filters with this prefix.

        Raises:
            InvalidInput: no tag name, one filter given twice, or no value of its kind.
        """
        found: dict[str, list[str]] = {}
        for name, text in pairs:
            if name.startswith((f"{self.name}.", f"{self.name}_exists.")):
                found.setdefault(name, []).append(text)
        return tuple(self._filter(field, only(field, texts)) for field, texts in found.items())

    def _filter(self, field: str, text: str) -> TagFilter:
        kind, _, name = field.partition(".")
        if not name:
            raise InvalidInput(field, "tag.unnamed", f"a tag's name belongs after {kind}.")
        if kind == self.name:
            return self.valued(field, name, text)
        return TagFilter(name, exists=boolean(field, text))

    def valued(self, field: str, name: str, text: str) -> TagFilter:
        """What ``field=text`` asks of the tag `name`."""
        return TagFilter(name, any_of=comma_separated(field, text) or ("",))


class Query:
    """The values of a request's declared parameters; defaults for those its version lacks."""

    def __init__(
        self, values: Mapping[str, Any], pairs: Pairs, lacking: frozenset[str] = frozenset()
    ) -> None:
        self._values = values
        self._lacking = lacking
        self.pairs = pairs

    @classmethod
    def read(
        cls,
        query_string: bytes,
        declared: Sequence[Parameter[Any]],
        lacking: Sequence[Parameter[Any]] = (),
        *,
        closed: bool = False,
    ) -> "Query":
        """Read every declared parameter.

        Args:
            query_string: as it stands in the URL.
            declared: the parameters.
            lacking: those that the version of the request does not know: not read.
            closed: whether any other parameter is refused.

        Raises:
            InvalidInput: some of them are wrong; all are named.
        """
        pairs = _pairs(query_string)
        values: dict[str, Any] = {parameter.name: parameter.default for parameter in lacking}
        problems = _undeclared(pairs, declared) if closed else []
        for parameter in declared:
            try:
                values[parameter.name] = parameter.read(pairs)
            except InvalidInput as error:
                problems.extend(error.problems)
        if problems:
            raise InvalidInput.of(problems)
        return cls(values, pairs, frozenset(parameter.name for parameter in lacking))

    def knows(self, parameter: Parameter[Any]) -> bool:
        """Whether the version of the request has this parameter."""
        return parameter.name not in self._lacking

    def __getitem__(self, parameter: Parameter[T]) -> T:
        return cast("T", self._values[parameter.name])


def _undeclared(pairs: Pairs, declared: Sequence[Parameter[Any]]) -> list[Problem]:
    known = {AUTHENTICATION, *(parameter.name for parameter in declared)}
    return [
        Problem(name, "unknown", "is no parameter of this method")
        for name, _ in pairs
        if name not in known
    ]


def _pairs(query_string: bytes) -> Pairs:
    try:
        return parse_qsl(
            query_string.decode(),
            keep_blank_values=True,
            errors="strict",
            max_num_fields=MAX_FIELDS,
        )
    except ValueError as error:
        raise InvalidInput("query", "query.malformed", f"malformed query: {error}") from error


def only(field: str, texts: Sequence[str]) -> str:
    """The one text given for `field`."""
    if len(texts) > 1:
        raise InvalidInput(field, "repeated", "may be given once")
    return texts[0]


def text(_field: str, value: str) -> str:
    """Any text."""
    return value


def boolean(field: str, value: str) -> bool:
    """``true`` or ``false``, nothing else."""
    if value not in {"true", "false"}:
        raise InvalidInput(field, "boolean", f"must be true or false, not {_quoted(value)}")
    return value == "true"


def integer(field: str, value: str) -> int:
    """An integer of 64 bits."""
    if not _INTEGER.fullmatch(value) or not value.isascii():
        raise InvalidInput(field, "integer", f"must be an integer, not {_quoted(value)}")
    if len(value) > 20 or not MIN_NS <= int(value) <= MAX_NS:
        raise InvalidInput(field, "integer.out_of_range", "does not fit in 64 bits")
    return int(value)


def positive(field: str, value: str) -> int:
    """An integer of at least 1; those beyond 64 bits come as the largest."""
    if not _INTEGER.fullmatch(value) or not value.isascii():
        raise InvalidInput(field, "integer", f"must be an integer, not {_quoted(value)}")
    digits = value.lstrip("-").lstrip("0")
    if value.startswith("-") or not digits:
        raise InvalidInput(field, "minimum", f"must be at least 1, not {_quoted(value)}")
    return MAX_NS if len(digits) > 18 else int(digits)


def uuids(field: str, value: str) -> tuple[str, ...]:
    """Comma-separated UUIDs; none for an empty text."""
    return tuple(required_uuid(field, part) for part in value.split(",")) if value else ()


def mime_type(field: str, value: str) -> str:
    """A MIME type without parameters."""
    if not _MIME_TYPE.fullmatch(value):
        raise InvalidInput(field, "mime_type", f"must be type/subtype, not {_quoted(value)}")
    return value


def comma_separated(field: str, value: str) -> tuple[str, ...]:
    """Comma-separated texts; none for an empty one."""
    parts = tuple(value.split(",")) if value else ()
    if "" in parts:
        raise InvalidInput(field, "list.empty_item", "has an empty item between its commas")
    return parts


def timerange(field: str, value: str) -> TimeRange | None:
    """A timerange for a filter: clamped to what can be stored; ``None`` for all of time."""
    try:
        parsed = TimeRange.parse(value, clamp=True)
    except TimelineError as error:
        raise InvalidInput(field, error.rule, error.message) from error
    return None if parsed == ETERNITY else parsed


def one_of(kind: type[E]) -> Callable[[str, str], E]:
    """A reader of one of an enumeration's values."""

    def parse(field: str, value: str) -> E:
        try:
            return kind(value)
        except ValueError:
            names = ", ".join(kind)
            message = f"must be one of {names}, not {_quoted(value)}"
            raise InvalidInput(field, "enum", message) from None

    return parse


def _quoted(value: str) -> str:
    return repr(value if len(value) <= 64 else f"{value[:64]}…")


FLAG: Mapping[str, Any] = {"type": "boolean"}
REVERSE_ORDER = Parameter(
    "reverse_order", "Travel the order backwards.", {"type": "boolean", "default": False},
    boolean, False,
)  # fmt: skip
PAGE: Parameter[str | None] = Parameter(
    "page", "The `X-Paging-NextKey` of the page before.", {"type": "string"}, text, None
)
LIMIT: Parameter[int | None] = Parameter(
    "limit", "Most items of a page; too large a number is reduced, as `X-Paging-Limit` shows.",
    {"type": "integer", "minimum": 1}, positive, None,
)  # fmt: skip
PAGING: tuple[Parameter[Any], ...] = (PAGE, LIMIT)
