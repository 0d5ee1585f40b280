"""Read the query of a `GET ?data` request.

1. The body is a FlatBuffer `Relation` that holds a `Source`: a filter, a schema, a projection.
2. The schema names the top-level columns that the query touches; their types are the table's own,
   so only the names are read.
3. Projection and filter refer to nodes of these columns, numbered depth-first.
4. The filter is `and(or(leaf, ...), ...)`; a leaf compares one node with literals, and may be a
   nested `and` (between, startswith).
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
from flatbuffers import number_types as numbers  # type: ignore[import-untyped]

from .catalog import Table
from .columns import Leaf, number_nodes
from .flatbuffer import View
from .refusals import bad_request

_SOURCE = 9
_LITERAL, _FIELD_REF, _CALL = 1, 2, 3
_FIXED_WIDTH = {
    1: numbers.BoolFlags, 2: numbers.Int8Flags, 3: numbers.Int16Flags, 4: numbers.Int32Flags,
    5: numbers.Int64Flags, 6: numbers.Uint8Flags, 7: numbers.Uint16Flags, 8: numbers.Uint32Flags,
    9: numbers.Uint64Flags, 10: numbers.Int64Flags, 11: numbers.Int64Flags, 12: numbers.Int64Flags,
    16: numbers.Uint16Flags, 17: numbers.Float32Flags, 18: numbers.Float64Flags,
}  # fmt: skip
_DECIMAL, _HALF, _LIST, _STRING, _BINARY = 15, 16, 19, 22, 23


@dataclass(frozen=True)
class Call:
    """A function of a leaf column and raw literals, or of other calls (`and`, `or`)."""

    name: str
    leaf: Leaf | None
    literals: tuple[Any, ...]
    calls: tuple["Call", ...]


@dataclass(frozen=True)
class Query:
    """What to send back, and of which rows."""

    fields: Sequence[pa.Field]
    leaves: Sequence[Leaf]
    where: Call


def _literal(view: View) -> Any:
    kind, impl = view.number(0, numbers.Uint8Flags), view.table(1)
    if impl is None:
        raise bad_request("A literal has no value")
    if kind == _LIST:
        return [_literal(one) for one in impl.tables(0)]
    if kind in {_STRING, _BINARY}:
        return impl.octets(0)
    if kind == _DECIMAL:
        return int.from_bytes(impl.octets(0), "little", signed=True)
    if kind not in _FIXED_WIDTH:
        raise bad_request(f"Literals of kind {kind} are unknown")
    value = impl.number(0, _FIXED_WIDTH[kind])
    return struct.unpack("<e", struct.pack("<H", value))[0] if kind == _HALF else value


def _position(reference: View | None) -> int:
    index = reference.table(1) if reference is not None else None
    if index is None:
        raise bad_request("A column reference has no position")
    return int(index.number(0, numbers.Uint32Flags))


def _call(expression: View, nodes: Sequence[tuple[Leaf, bool]]) -> Call:
    impl = expression.table(1)
    if impl is None or expression.number(0, numbers.Uint8Flags) != _CALL:
        raise bad_request("A filter is made of function calls")
    leaf, literals, calls = None, [], []
    for argument in impl.tables(1):
        kind, inner = argument.number(0, numbers.Uint8Flags), argument.table(1)
        if kind == _FIELD_REF:
            at = _position(inner)
            if at >= len(nodes) or not nodes[at][1]:
                raise bad_request(f"The filter's column {at} is no leaf")
            leaf = nodes[at][0]
        elif kind == _LITERAL and inner is not None:
            literals.append(_literal(inner))
        else:
            calls.append(_call(argument, nodes))
    return Call(impl.text(0), leaf, tuple(literals), tuple(calls))


def read_query(body: bytes, table: Table) -> Query:
    """Decode a request for this table.

    Raises:
        Refused: 400, it isn't understood; 404, a column does not exist.
    """
    try:
        relation = View.root(body)
        source = relation.table(1)
        if source is None or relation.number(0, numbers.Uint8Flags) != _SOURCE:
            raise bad_request("The query has no source")
        schema, where = source.table(3), source.table(2)
        if schema is None or where is None:
            raise bad_request("The query has no schema or no filter")
        fields = [table.field(one.text(0)) for one in schema.tables(1)]
        nodes = number_nodes(fields)
        wanted = [int(one.number(0, numbers.Uint32Flags)) for one in source.tables(4)]
        if any(at >= len(nodes) or not nodes[at][1] for at in wanted):
            raise bad_request("The projection has a column that is no leaf")
        return Query(fields, [nodes[at][0] for at in wanted], _call(where, nodes))
    except (struct.error, IndexError, UnicodeDecodeError) as error:
        raise bad_request("The query is malformed") from error
