"""Changes of rows, by row id: insert, update and delete."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa

from .catalog import Catalog, Table, same_type
from .columns import EXTERNAL_ROW_ID, ROW_ID
from .refusals import Refused, bad_request, conflict, missing
from .rowgroups import ROWS_PER_GROUP, Columns, Ids


def _by_group(ids: Ids) -> Iterator[tuple[int, Ids]]:
    """Group numbers, each with the positions of its row ids."""
    numbers = ids // ROWS_PER_GROUP
    for number in np.unique(numbers):
        yield int(number), np.flatnonzero(numbers == number)


def _pick(column: pa.ChunkedArray, at: Ids) -> pa.ChunkedArray:
    if len(at) == len(column):
        return column
    if len(at) and at[-1] - at[0] + 1 == len(at):
        return column.slice(at[0], len(at))
    return column.take(pa.array(at))


def check_columns(table: Table, schema: pa.Schema) -> None:
    """Refuse a batch whose types or nullability differ from the table's; nothing is cast.

    Raises:
        Refused: 400 `TabularMismatchColumnType`, or 404 for an unknown column.
    """
    for sent in schema:
        if sent.name == ROW_ID:
            continue
        if not same_type(sent, table.field(sent.name)):
            message = f"Column {sent.name} is {table.field(sent.name)}, not {sent}"
            raise bad_request(message, "TabularMismatchColumnType")


@dataclass(frozen=True, eq=False)
class InsertRows:
    """`POST ?rows`: the columns that aren't sent become null."""

    handle: int
    ids: Ids
    columns: Columns
    external: bool = False

    def _full(self, table: Table, at: Ids) -> Columns:
        return {
            name: _pick(self.columns[name], at)
            if name in self.columns
            else pa.chunked_array([pa.nulls(len(at), kind)])
            for name, kind in table.stored.items()
        }

    def apply(self, catalog: Catalog) -> Catalog:
        table = catalog.table(self.handle)
        unknown = set(self.columns) - set(table.stored)
        if unknown:
            raise missing("TabularNoSuchColumn", f"There are no columns {sorted(unknown)}")
        groups = dict(table.groups)
        for number, at in _by_group(self.ids):
            group = table.group(number)
            if self.external and group.find(self.ids[at])[1].any():
                raise conflict("A row of this id exists")
            groups[number] = group.append(self.ids[at], self._full(table, at))
        changed = replace(
            table,
            groups=groups,
            inserted=table.inserted + len(self.ids),
            external_row_ids=table.external_row_ids or self.external,
        )
        return catalog.with_table(self.handle, changed)


@dataclass(frozen=True, eq=False)
class UpdateRows:
    """`PUT ?rows`: new values for some columns; rows that are gone are left out."""

    handle: int
    ids: Ids
    columns: Columns

    def apply(self, catalog: Catalog) -> Catalog:
        table = catalog.table(self.handle)
        unknown = set(self.columns) - set(table.stored)
        if unknown:
            raise missing("TabularNoSuchColumn", f"There are no columns {sorted(unknown)}")
        groups = dict(table.groups)
        for number, at in _by_group(self.ids):
            part = {name: _pick(column, at) for name, column in self.columns.items()}
            groups[number] = table.group(number).replace(self.ids[at], part)
        return catalog.with_table(self.handle, replace(table, groups=groups))


@dataclass(frozen=True, eq=False)
class DeleteRows:
    """`DELETE ?rows`: rows that are gone are left out."""

    handle: int
    ids: Ids

    def apply(self, catalog: Catalog) -> Catalog:
        table = catalog.table(self.handle)
        groups = dict(table.groups)
        for number, at in _by_group(self.ids):
            groups[number] = table.group(number).remove(self.ids[at])
        return catalog.with_table(self.handle, replace(table, groups=groups))


def unknown_rows(table: Table, ids: Ids) -> Refused | None:
    """The refusal of row ids that the table does not have, if there are any."""
    found = [table.group(number).find(ids[at])[1].all() for number, at in _by_group(ids)]
    return None if all(found) else missing("TabularNoSuchRow", "There is no row of this id")


def read_ids(column: pa.Array) -> Ids:
    """Row ids as sent: uint64, decimal or int64.

    Raises:
        Refused: 400, one is null, or they are not strictly ascending.
    """
    if column.null_count:
        raise bad_request("A row id is null")
    if pa.types.is_decimal(column.type):
        column = column.cast(pa.int64())
    ids: Ids = column.to_numpy(zero_copy_only=False).astype(np.int64)
    if len(ids) > 1 and not (np.diff(ids) > 0).all():
        raise bad_request("Found duplicate row ids or not in ascending order")
    return ids


def column_data(batch: pa.RecordBatch) -> Columns:
    """The batch's columns that hold data."""
    return {
        name: pa.chunked_array([batch.column(at)])
        for at, name in enumerate(batch.schema.names)
        if name not in {ROW_ID, EXTERNAL_ROW_ID}
    }
