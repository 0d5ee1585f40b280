"""The spec's JSON objects to and from Strawberry types whose fields have the same names."""

import dataclasses
import types
import typing
from collections.abc import Mapping
from enum import Enum
from functools import cache
from typing import Any, TypeVar, cast

import strawberry

from tams_graphql.timeline import TimeRange

T = TypeVar("T")


def read_json(kind: type[T], data: Mapping[str, Any] | None) -> T | None:
    """An object type from stored JSON; what is absent becomes ``None``."""
    if data is None:
        return None
    values: dict[str, Any] = {}
    for name, nested, enum in _fields(cast("Any", kind)):
        value = data.get(name)
        if value is not None and nested is not None:
            value = read_json(nested, value)
        elif value is not None and enum is not None:
            value = enum(value)
        values[name] = value
    return kind(**values)


@cache
def _fields(kind: Any) -> list[tuple[str, Any, type[Enum] | None]]:
    hints = typing.get_type_hints(kind)
    found = []
    for field in (one for one in dataclasses.fields(kind) if one.init):
        plain = _without_none(hints[field.name])
        nested = plain if dataclasses.is_dataclass(plain) else None
        enum = plain if isinstance(plain, type) and issubclass(plain, Enum) else None
        found.append((field.name, nested, enum))
    return found


def _without_none(hint: Any) -> Any:
    if isinstance(hint, types.UnionType) or typing.get_origin(hint) is typing.Union:
        return next(part for part in typing.get_args(hint) if part is not type(None))
    return hint


def write_json(value: Any) -> Any:
    """An input object as the spec's JSON: what was left out or null is absent."""
    if isinstance(value, Enum | strawberry.Some):
        return write_json(value.value)
    if isinstance(value, TimeRange):
        return str(value)
    if isinstance(value, list):
        return [write_json(item) for item in value]
    if not dataclasses.is_dataclass(value):
        return value
    fields = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    return {
        name: write_json(part)
        for name, part in fields.items()
        if part is not None and part is not strawberry.UNSET
    }
