"""Answer `GET ?data`: pages of rows, split among readers, in the SDK's framing.

1. The row groups are dealt out in turns: `per_sub` groups to each sub-split of each split.
2. Every sub-split that isn't finished gives its next page: rows from its start id on that the
   filter selects, at most `limit` of them.
3. A page is sent leaf by leaf; each leaf is one IPC stream of one column. Every IPC message has a
   prefix: sub-split number (u32), id of the next row to read (u64), which is all ones of 48 bits
   when the sub-split is finished.
4. A marker ends the response.
"""

import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from random import Random

import numpy as np
import pyarrow as pa
from pyarrow import types

from .catalog import Table
from .columns import EXTERNAL_ROW_ID, ROW_ID
from .filtering import select
from .refusals import bad_request
from .relation import Query
from .rowgroups import Ids, RowGroup

FINISHED = (1 << 48) - 1
_COMPLETED = struct.pack("<I", 0xFFFFFFFE)
_END_OF_STREAM = bytes.fromhex("ffffffff00000000")
_ESTIMATE = 0xFFFFFFFC
_PREFIX = struct.Struct("<IQ")


@dataclass(frozen=True)
class Window:
    """Which part of the table a request asks for."""

    split: int
    splits: int
    per_sub: int
    subs: int
    starts: Mapping[int, int]
    limit: int | None

    def numbers(self, table: Table, sub: int) -> list[int]:
        """The row groups of one sub-split."""
        mine = self.split * self.subs + sub
        shares = self.splits * self.subs
        return [one for one in sorted(table.groups) if (one // self.per_sub) % shares == mine]


def read_window(headers: Mapping[str, str]) -> Window:
    """From the request's headers.

    Raises:
        Refused: 400, they are malformed.
    """
    try:
        split, splits, per_sub = map(int, headers["tabular-split"].split(","))
        subs = int(headers["tabular-num-of-subsplits"])
        pairs = [
            headers.get(f"tabular-start-row-id-{sub}", f"{sub},0").split(",") for sub in range(subs)
        ]
        starts = {int(sub): int(start) for sub, start in pairs}
        limit = int(headers.get("tabular-limit-rows", "0")) or None
        priority = int(headers.get("tabular-schedule-id", "0"))
    except (KeyError, ValueError) as error:
        raise bad_request("A header of the query is missing or malformed") from error
    if priority < 0 or min(splits, per_sub, subs) < 1:
        raise bad_request("InvalidArgument: priority or split")
    return Window(split, splits, per_sub, subs, starts, limit)


@dataclass(frozen=True)
class Page:
    """Rows of one sub-split: which positions of which groups, and where to go on."""

    parts: Sequence[tuple[RowGroup, Ids]]
    next_row: int

    @property
    def num_rows(self) -> int:
        return sum(len(at) for _, at in self.parts)


def _page(table: Table, query: Query, window: Window, sub: int) -> Page:
    start, left = window.starts[sub], window.limit
    parts: list[tuple[RowGroup, Ids]] = []
    for number in window.numbers(table, sub):
        group = table.groups[number]
        if not len(group.ids) or group.ids[-1] < start:
            continue
        at = np.flatnonzero(select(query.where, group))
        at = at[group.ids[at] >= start]
        if left is not None and len(at) > left:
            if left:
                parts.append((group, at[:left]))
            last_group, last = parts[-1]
            return Page(parts, int(last_group.ids[last[-1]]) + 1)
        if len(at):
            parts.append((group, at))
        left = None if left is None else left - len(at)
    return Page(parts, FINISHED)


def _ids_as(ids: Ids, kind: pa.DataType) -> pa.Array:
    array = pa.array(ids)
    return (
        array.cast(pa.decimal128(19, 0)).cast(kind) if types.is_decimal(kind) else array.cast(kind)
    )


def _values(page: Page, field: pa.Field, order: Ids | None) -> pa.Array:
    if field.name in {ROW_ID, EXTERNAL_ROW_ID}:
        ids = [group.ids[at] for group, at in page.parts]
        column = _ids_as(np.concatenate([np.zeros(0, np.int64), *ids]), field.type)
    else:
        chunks = [
            chunk
            for group, at in page.parts
            for chunk in (
                group.columns[field.name]
                if len(at) == len(group.ids)
                else group.columns[field.name].take(pa.array(at))
            ).chunks
        ]
        column = pa.chunked_array(chunks, type=field.type).combine_chunks()
    if order is not None:
        return column.take(pa.array(order))
    return column.take(pa.array(np.arange(len(column)))) if column.offset else column


def _prune(array: pa.Array, path: tuple[int, ...]) -> pa.Array:
    """Only one leaf of a nested array, with all its ancestors; maps become lists of structs."""
    kind, buffers, length = array.type, array.buffers(), len(array)
    if not path or types.is_fixed_size_list(kind):
        return array
    if types.is_struct(kind):
        child = _prune(array.field(path[0]), path[1:])
        pruned = pa.struct([kind.field(path[0]).with_type(child.type)])
        return pa.Array.from_buffers(pruned, length, buffers[:1], children=[child])
    if types.is_map(kind):
        key = path[1] == 0
        inner = _prune(array.keys if key else array.items, path[2:])
        name = pa.field("key" if key else "value", inner.type)
        child = pa.StructArray.from_arrays([inner], fields=[name])
    else:
        child = _prune(array.values, path[1:])
    pruned = pa.list_(pa.field("item", child.type))
    return pa.Array.from_buffers(pruned, length, buffers[:2], children=[child])


def _stream(batch: pa.RecordBatch, prefix: bytes) -> Iterator[bytes]:
    yield prefix
    yield batch.schema.serialize().to_pybytes()
    if batch.num_rows:
        yield prefix
        yield batch.serialize().to_pybytes()
    yield prefix
    yield _END_OF_STREAM


def _rows_only(count: int) -> pa.RecordBatch:
    return pa.record_batch([pa.nulls(count)], names=["n"]).select([])


def _batches(page: Page, query: Query, random: Random | None) -> Iterator[pa.RecordBatch]:
    if not query.leaves:
        yield _rows_only(page.num_rows)
    order = None
    if random is not None:
        order = np.array(random.sample(range(page.num_rows), page.num_rows), dtype=np.int64)
    fields = {field.name: field for field in query.fields}
    columns: dict[str, pa.Array] = {}
    for leaf in query.leaves:
        if leaf.column not in columns:
            columns = {leaf.column: _values(page, fields[leaf.column], order)}
        array = _prune(columns[leaf.column], leaf.path)
        yield pa.record_batch([array], names=[leaf.column])


def answer(table: Table, query: Query, window: Window, random: Random | None = None) -> bytes:
    """The whole response.

    Args:
        table: as the transaction sees it.
        query: what is wanted of it.
        window: the part of it that this reader reads now.
        random: shuffles the rows within each page; None keeps the order of row ids.
    """
    frames: list[bytes] = []
    if window.split == _ESTIMATE:
        groups = sum(bool(len(group.ids)) for group in table.groups.values())
        frames += _stream(_rows_only(groups), _PREFIX.pack(0, FINISHED))
        return b"".join([*frames, _COMPLETED])
    for sub, start in window.starts.items():
        if start >= FINISHED:
            continue
        page = _page(table, query, window, sub)
        prefix = _PREFIX.pack(sub, page.next_row)
        for batch in _batches(page, query, random):
            frames += _stream(batch, prefix)
    return b"".join([*frames, _COMPLETED])
