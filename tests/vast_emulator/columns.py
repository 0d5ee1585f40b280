"""Which Arrow types VAST stores, and how its column numbers map to nested Arrow fields."""

from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa
from pyarrow import types

from .refusals import Refused, bad_request

ROW_ID = "$row_id"
EXTERNAL_ROW_ID = "vastdb_rowid"
"""A declared int64 column of this name is virtual: it reads as the row id."""

_MAX_LIST_SIZE = 1 << 20
_FLAT = (
    types.is_boolean, types.is_integer, types.is_floating, types.is_string, types.is_binary,
    types.is_fixed_size_binary, types.is_decimal128, types.is_date32, types.is_time,
    types.is_timestamp,
)  # fmt: skip
_VECTOR_ITEMS = (
    types.is_integer, types.is_floating, types.is_decimal128, types.is_date32, types.is_time,
    types.is_timestamp,
)  # fmt: skip


def _unsupported(field: pa.Field) -> Refused:
    return bad_request(
        f"Column {field.name} has unsupported type {field.type}", "TabularUnsupportedColumnType"
    )


def _check_vector(field: pa.Field) -> None:
    kind = field.type
    if kind.list_size == 0:
        raise bad_request(f"{field.name}: list size 0", "TabularInvalidColumnTypeParam")
    item = kind.value_field
    if item.nullable or not any(known(item.type) for known in _VECTOR_ITEMS):
        raise _unsupported(field)
    if kind.list_size > _MAX_LIST_SIZE:
        raise _unsupported(field)


def check_supported(field: pa.Field) -> None:
    """Refuse a column that VAST can't store.

    Raises:
        Refused: 400 `TabularUnsupportedColumnType` or `TabularInvalidColumnTypeParam`.
    """
    kind = field.type
    if types.is_fixed_size_list(kind):
        _check_vector(field)
    elif types.is_struct(kind):
        for inner in kind:
            check_supported(inner)
    elif types.is_list(kind):
        check_supported(kind.value_field)
    elif types.is_map(kind):
        check_supported(kind.key_field)
        check_supported(kind.item_field)
    elif not any(known(kind) for known in _FLAT):
        raise _unsupported(field)


@dataclass(frozen=True)
class Leaf:
    """A scalar column at the end of a path of inner ones.

    `path` has one step a level: a struct's field number, 0 for a list's item, and for maps
    0 for the entries and then 0 for the key or 1 for the value.
    """

    column: str
    path: tuple[int, ...]


def _children(kind: pa.DataType) -> list[pa.DataType]:
    if types.is_struct(kind):
        return [inner.type for inner in kind]
    if types.is_list(kind) or types.is_fixed_size_list(kind):
        return [kind.value_type]
    if types.is_map(kind):
        return [pa.struct([kind.key_field, kind.item_field])]
    return []


def _nodes(column: str, kind: pa.DataType, path: tuple[int, ...]) -> Iterator[tuple[Leaf, bool]]:
    children = _children(kind)
    yield Leaf(column, path), not children
    for number, child in enumerate(children):
        yield from _nodes(column, child, (*path, number))


def number_nodes(fields: list[pa.Field]) -> list[tuple[Leaf, bool]]:
    """All nodes depth-first, as VAST numbers them, each with whether it is a leaf."""
    return [node for field in fields for node in _nodes(field.name, field.type, ())]
