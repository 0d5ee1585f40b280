"""Immutable blocks of rows: 65,536 consecutive row ids each, stored by column.

Every change gives a new block, so that transactions can go on reading the old one.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

ROWS_PER_GROUP = 65_536
_MAX_CHUNKS = 16

Ids = npt.NDArray[np.int64]
Columns = Mapping[str, pa.ChunkedArray]


def group_of(row_id: int) -> int:
    """The number of the block that a row id belongs to."""
    return row_id // ROWS_PER_GROUP


def _compact(column: pa.ChunkedArray) -> pa.ChunkedArray:
    if column.num_chunks <= _MAX_CHUNKS:
        return column
    return pa.chunked_array([column.combine_chunks()], type=column.type)


@dataclass(frozen=True, eq=False)
class RowGroup:
    """Rows in ascending order of their ids; the columns are as long as `ids`."""

    ids: Ids
    columns: Columns

    def find(self, wanted: Ids) -> tuple[Ids, npt.NDArray[np.bool_]]:
        """The positions of row ids, and which of them exist at all."""
        if not len(self.ids):
            return np.zeros(len(wanted), np.int64), np.zeros(len(wanted), bool)
        at = np.minimum(np.searchsorted(self.ids, wanted), len(self.ids) - 1)
        return at.astype(np.int64), self.ids[at] == wanted

    def append(self, ids: Ids, columns: Columns) -> "RowGroup":
        """Add rows; if ids arrive out of order, they are put in order."""
        joined = {
            name: _compact(pa.chunked_array([*old.chunks, *columns[name].chunks], type=old.type))
            for name, old in self.columns.items()
        }
        everything = np.concatenate([self.ids, ids])
        if len(self.ids) and len(ids) and ids[0] < self.ids[-1]:
            order = np.argsort(everything, kind="stable")
            everything = everything[order]
            joined = {name: column.take(pa.array(order)) for name, column in joined.items()}
        return RowGroup(everything, joined)

    def replace(self, ids: Ids, columns: Columns) -> "RowGroup":
        """Give existing rows new values in some columns; unknown row ids are left out."""
        at, known = self.find(ids)
        source = np.arange(len(self.ids))
        source[at[known]] = len(self.ids) + np.flatnonzero(known)
        take = pa.array(source)
        changed = {
            name: pa.chunked_array([*self.columns[name].chunks, *new.chunks], type=new.type)
            .combine_chunks()
            .take(take)
            for name, new in columns.items()
        }
        as_chunks = {name: pa.chunked_array([new]) for name, new in changed.items()}
        return RowGroup(self.ids, {**self.columns, **as_chunks})

    def remove(self, ids: Ids) -> "RowGroup":
        """Drop rows; unknown row ids are left out."""
        keep = ~np.isin(self.ids, ids)
        at = pa.array(np.flatnonzero(keep))
        return RowGroup(
            self.ids[keep], {name: column.take(at) for name, column in self.columns.items()}
        )

    def size_in_bytes(self) -> int:
        """Roughly, without padding."""
        return int(sum(column.nbytes for column in self.columns.values()))


def empty_group(fields: Mapping[str, pa.DataType]) -> RowGroup:
    """A block without rows."""
    columns = {name: pa.chunked_array([], type=kind) for name, kind in fields.items()}
    return RowGroup(np.zeros(0, np.int64), columns)
