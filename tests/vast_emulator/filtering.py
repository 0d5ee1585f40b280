"""Which rows of a block a filter selects, with SQL's rules for nulls.

Literals come raw (days, ticks, unscaled decimals, UTF-8 bytes), so columns are compared raw, too;
that also lets `startswith` compare with an upper bound that is no valid UTF-8.
"""

import operator
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import types

from .columns import EXTERNAL_ROW_ID, ROW_ID, Leaf
from .refusals import bad_request
from .relation import Call
from .rowgroups import RowGroup

Mask = npt.NDArray[np.bool_]

_COMPARE = {
    "equal": (pc.equal, operator.eq),
    "not_equal": (pc.not_equal, operator.ne),
    "less": (pc.less, operator.lt),
    "less_equal": (pc.less_equal, operator.le),
    "greater": (pc.greater, operator.gt),
    "greater_equal": (pc.greater_equal, operator.ge),
}


def _storage(kind: pa.DataType) -> pa.DataType:
    """The type that raw literals of a column compare with."""
    if types.is_date32(kind) or types.is_time32(kind):
        return pa.int32()
    if types.is_timestamp(kind) or types.is_time64(kind):
        return pa.int64()
    if types.is_string(kind):
        return pa.binary()
    return kind


def _raw(column: pa.ChunkedArray) -> pa.ChunkedArray:
    kind = _storage(column.type)
    return column if kind == column.type else column.cast(kind)


def _scalar_value(value: Any, kind: pa.DataType) -> Any:
    if types.is_decimal(kind):
        return Decimal(value).scaleb(-kind.scale)
    return bool(value) if types.is_boolean(kind) else value


def _column(group: RowGroup, leaf: Leaf) -> pa.ChunkedArray:
    if leaf.column in {ROW_ID, EXTERNAL_ROW_ID}:
        return pa.chunked_array([pa.array(group.ids)])
    column = group.columns[leaf.column]
    for step in leaf.path:
        if types.is_struct(column.type):
            column = pc.struct_field(column, [step])
        elif not types.is_fixed_size_list(column.type):
            raise bad_request(f"{leaf.column}: lists and maps can't be filtered")
    return column


def _as_mask(answer: pa.ChunkedArray) -> Mask:
    filled = answer.fill_null(False) if answer.null_count else answer
    return np.asarray(filled.to_numpy(), dtype=bool)


def _compare_vectors(
    column: pa.ChunkedArray, test: Callable[[Any, Any], bool], literal: Sequence[Any]
) -> Mask:
    kind = column.type.value_type
    wanted = [_scalar_value(one, kind) for one in literal]
    items = column.combine_chunks()
    raw = pa.array([], _storage(kind)) if not len(items) else items.flatten().cast(_storage(kind))
    values, size, at = raw.to_pylist(), column.type.list_size, 0
    mask = np.zeros(len(items), bool)
    for row in np.flatnonzero(items.is_valid().to_numpy(zero_copy_only=False)):
        mask[row] = test(values[at : at + size], wanted)
        at += size
    return mask


def _leaf(call: Call, group: RowGroup) -> Mask:
    if call.leaf is None:
        raise bad_request(f"{call.name} needs a column")
    column = _column(group, call.leaf)
    if call.name == "is_null":
        return _as_mask(column.is_null())
    if call.name == "is_valid":
        return _as_mask(column.is_valid())
    literal = call.literals[0]
    if call.name == "match_substring":
        return _as_mask(pc.match_substring(column, literal.decode()))
    if call.name not in _COMPARE:
        raise bad_request(f"There is no function {call.name}")
    compute, test = _COMPARE[call.name]
    if isinstance(literal, list):
        return _compare_vectors(column, test, literal)
    raw = _raw(column)
    return _as_mask(compute(raw, pa.scalar(_scalar_value(literal, raw.type), raw.type)))


def _combine(function: np.ufunc, masks: Sequence[Mask]) -> Mask:
    combined: Mask = function.reduce(masks)
    return combined


def _is_equality(call: Call) -> bool:
    return call.name == "equal" and not isinstance(call.literals[0], list)


def _any(calls: Sequence[Call], group: RowGroup) -> Mask:
    """`or`; many equalities of one column are one look-up."""
    equalities = [call for call in calls if _is_equality(call)]
    if len(equalities) < 2 or len({call.leaf for call in equalities}) > 1:
        return _combine(np.logical_or, [select(call, group) for call in calls])
    leaf = equalities[0].leaf
    assert leaf is not None
    raw = _raw(_column(group, leaf))
    wanted = pa.array([_scalar_value(one.literals[0], raw.type) for one in equalities], raw.type)
    masks = [_as_mask(pc.is_in(raw, wanted, skip_nulls=True))]
    masks += [select(call, group) for call in calls if not _is_equality(call)]
    return _combine(np.logical_or, masks)


def select(call: Call, group: RowGroup) -> Mask:
    """True for each row of the block that the filter selects.

    Raises:
        Refused: 400, the filter isn't one that VAST has.
    """
    if call.name == "or":
        return _any(call.calls, group)
    if call.name == "and":
        masks = [select(one, group) for one in call.calls]
        everything = np.ones(len(group.ids), bool)
        return _combine(np.logical_and, [everything, *masks])
    return _leaf(call, group)
