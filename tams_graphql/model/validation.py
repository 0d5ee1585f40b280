"""From a JSON body to a typed model, or to a refusal that names every field and rule.

Models say what a schema of the spec says; this file says how all of them read JSON:

1. `canonical`: what no store could keep is refused; ``1.0`` is the integer 1 (JSON Schema).
2. pydantic, strict: no coercion, no explicit nulls where a property may be left out.
3. pydantic's errors become `Problem`s with a dotted field path and a stable rule name.
"""

import math
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Annotated, Any, Final, TypeAlias, TypeVar

import orjson
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails, InitErrorDetails, PydanticCustomError

from tams_graphql.model.errors import InvalidInput, Problem

MAX_PROPERTY_BYTES: Final = 100_000
"""The size of one property as JSON text: more does not fit a cell of every metadata engine."""
MAX_DEPTH: Final = 32
"""How deep objects and lists may nest."""
_MAX_INTEGER: Final = 2**63 - 1

T = TypeVar("T")
M = TypeVar("M", bound=BaseModel)


class Body(BaseModel):
    """A JSON object; properties that are not declared are fine, and ignored."""

    model_config = ConfigDict(strict=True, frozen=True, extra="ignore")


class ClosedBody(BaseModel):
    """A JSON object without any further properties."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")


def _given(value: Any) -> Any:
    if value is None:
        raise PydanticCustomError("null", "must not be null; leave the property out instead")
    return value


Omittable: TypeAlias = Annotated[T | None, BeforeValidator(_given)]
"""A property that may be left out (then ``None``) but not be null."""
Positive: TypeAlias = Annotated[int, Field(gt=0)]
NotNegative: TypeAlias = Annotated[int, Field(ge=0)]

_RULES: Final = {
    "bool_type": "type",
    "dict_type": "type",
    "enum": "enum",
    "extra_forbidden": "unknown",
    "greater_than": "minimum",
    "greater_than_equal": "minimum",
    "int_type": "type",
    "list_type": "type",
    "literal_error": "enum",
    "missing": "required",
    "model_type": "type",
    "string_pattern_mismatch": "pattern",
    "string_type": "type",
    "too_short": "length",
}
_MESSAGES: Final = {
    "missing": "is required",
    "extra_forbidden": "is not a property of this object",
    "model_type": "must be an object",
    "dict_type": "must be an object",
    "list_type": "must be a list",
    "bool_type": "must be true or false",
    "int_type": "must be an integer",
    "string_type": "must be a string",
}


def refuse(title: str, problems: Iterable[tuple[str, str, str]]) -> None:
    """Refuse, from within a model, what its fields can't refuse one by one.

    Args:
        title: the model's name.
        problems: the dotted path of a field within the model, the rule, and what is wrong.

    Raises:
        ValidationError: there are any; it names them all.
    """
    found = [
        InitErrorDetails(
            type=PydanticCustomError(rule, message),
            loc=tuple(path.split(".")),
            input=None,
        )
        for path, rule, message in problems
    ]
    if found:
        raise ValidationError.from_exception_data(title, found)


def validated(model: type[M], body: Any, field_prefix: str = "") -> M:
    """`body` as `model`.

    Args:
        model: a pydantic model, a `Body` or `ClosedBody`.
        body: parsed JSON.
        field_prefix: where the body is within the request, for the problems' field paths
            (``segments.3``); empty for the whole of it.

    Raises:
        InvalidInput: with every problem, in the order of the model's fields.
    """
    body = canonical(body, field_prefix)
    with _told(field_prefix):
        return model.model_validate(body)


def validated_value(adapter: TypeAdapter[T], value: Any, field: str) -> T:
    """One property's value as the type of `adapter`.

    Raises:
        InvalidInput: with every problem.
    """
    value = canonical({field: value})[field]
    with _told(field):
        return adapter.validate_python(value)


def strict(kind: Any) -> TypeAdapter[Any]:
    """The adapter for a type that is no model, read as strictly as a `Body`."""
    return TypeAdapter(kind, config=ConfigDict(strict=True))


def canonical(body: Any, field_prefix: str = "") -> Any:
    """`body` with integral floats as integers; equal JSON becomes equal Python.

    Raises:
        InvalidInput: it holds what can't be stored: integers beyond 64 bits, numbers that are
            not finite, text that is no Unicode, a property over `MAX_PROPERTY_BYTES`, or
            objects nested beyond `MAX_DEPTH`.
    """
    problems: list[Problem] = []
    value = _canonical(body, field_prefix, 0, problems)
    if not problems:
        problems.extend(_oversized(value, field_prefix))
    if problems:
        raise InvalidInput.of(problems)
    return value


@contextmanager
def _told(field_prefix: str) -> Iterator[None]:
    try:
        yield
    except ValidationError as error:
        problems = [_problem(detail, field_prefix) for detail in error.errors(include_url=False)]
        raise InvalidInput.of(problems) from None


def _problem(detail: ErrorDetails, field_prefix: str) -> Problem:
    location = [str(part) for part in detail["loc"]]
    rule = detail["type"]
    about = detail.get("ctx", {}).get("field")
    path = ".".join([*filter(None, [field_prefix]), *location, *filter(None, [about])])
    message = _MESSAGES.get(rule, detail["msg"])
    return Problem(path or "body", _RULES.get(rule, rule), message)


def _canonical(value: Any, path: str, depth: int, problems: list[Problem]) -> Any:
    if depth > MAX_DEPTH:
        problems.append(Problem(path, "depth", f"is nested more than {MAX_DEPTH} deep"))
        return None
    match value:
        case Mapping():
            for name in value:
                _check_text(name, path, problems)
            return {
                name: _canonical(part, _joined(path, name), depth + 1, problems)
                for name, part in value.items()
            }
        case list():
            return [
                _canonical(part, _joined(path, index), depth + 1, problems)
                for index, part in enumerate(value)
            ]
        case str():
            return _check_text(value, path, problems)
        case int() | float():
            return _check_number(value, path, problems)
    return value


def _joined(path: str, part: str | int) -> str:
    return f"{path}.{part}" if path else str(part)


def _check_text(text: str, path: str, problems: list[Problem]) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        problems.append(Problem(path or "body", "unicode", "holds an unpaired surrogate"))
        return ""
    return text


def _check_number(number: float, path: str, problems: list[Problem]) -> float:
    if isinstance(number, float):
        if not math.isfinite(number):
            problems.append(Problem(path, "number", "is not a finite number"))
            return 0
        if not number.is_integer():
            return number
        number = int(number)
    if not -_MAX_INTEGER - 1 <= number <= _MAX_INTEGER:
        problems.append(Problem(path, "integer.range", "does not fit 64 bits"))
        return 0
    return number


def _oversized(value: Any, field_prefix: str) -> Iterator[Problem]:
    properties = value if isinstance(value, dict) else {"": value}
    for name, part in properties.items():
        if len(orjson.dumps(part)) > MAX_PROPERTY_BYTES:
            field = _joined(field_prefix, name) if name else field_prefix or "body"
            yield Problem(field, "size", f"exceeds {MAX_PROPERTY_BYTES} bytes as JSON")
