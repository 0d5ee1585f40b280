"""A transaction that works in rows of numbers, through the SDK as it is."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa
from vastdb import errors
from vastdb.config import QueryConfig
from vastdb.table_metadata import TableMetadata, TableType
from vastdb.transaction import TransactionNotActiveError

from tams_graphql.metadata.vast.cluster import Cluster, Transaction
from tams_graphql.metadata.vast.faults import TransactionLost, errors_told
from tams_graphql.model.errors import Unavailable

_ROW_ID: Final = "$row_id"


@contextmanager
def sdk_told() -> Iterator[None]:
    """As `errors_told`; also for what the SDK refuses without asking the cluster."""
    try:
        with errors_told():
            yield
    except TransactionNotActiveError as error:
        raise TransactionLost("it was ended meanwhile") from error
    except (errors.Missing, errors.Exists, errors.NotSupported, errors.InvalidArgument) as error:
        raise Unavailable(f"the VAST SDK refused: {error}") from error


@dataclass(frozen=True, slots=True)
class Row:
    """A row: the value of its `k`, and its row id."""

    table: TableMetadata
    key: int
    row_id: int


class Writer:
    """An open transaction; see `writing`."""

    def __init__(self, cluster: Cluster) -> None:
        self.transaction: Transaction = cluster.begin()
        self._open = True

    def insert(self, table: TableMetadata, **columns: Sequence[Any]) -> list[int]:
        """Insert rows, by column; their row ids."""
        given = pa.table(columns, schema=_fields(table, columns))
        with sdk_told():
            ids: list[int] = [int(one) for one in self._table(table).insert(given).to_pylist()]
        return ids

    def update(self, row: Row, **values: int) -> None:
        """Set some columns of a row."""
        schema = _fields(row.table, values).insert(0, _row_id_field(row.table))
        columns = {name: [value] for name, value in values.items()}
        changed = pa.table({_ROW_ID: [row.row_id], **columns}, schema=schema)
        with sdk_told():
            self._table(row.table).update(changed)

    def delete(self, row: Row) -> None:
        """Delete a row."""
        schema = pa.schema([_row_id_field(row.table)])
        with sdk_told():
            self._table(row.table).delete(pa.table({_ROW_ID: [row.row_id]}, schema=schema))

    def read(self, table: TableMetadata, key: int | None = None) -> list[dict[str, Any]]:
        """The rows of a key, or all; ``$row_id`` is among the columns."""
        inside = self._table(table)
        endpoint = self.transaction.endpoint
        one_request = QueryConfig(num_splits=1, num_sub_splits=1, data_endpoints=[endpoint])
        with sdk_told():
            found = inside.select(
                predicate=None if key is None else inside["k"] == key,
                config=one_request,
                internal_row_id=True,
            ).read_all()
        rows: list[dict[str, Any]] = found.to_pylist()
        return rows

    def value(self, row: Row, column: str = "a") -> int | None:
        """What a column of a row holds; ``None`` if the row is gone."""
        found = self.read(row.table, row.key)
        return None if not found else found[0][column]

    def commit(self) -> None:
        """Make everything durable; see `Transaction.commit` for what it raises."""
        self.transaction.commit()
        self._open = False

    def rollback(self) -> None:
        """Undo everything, if it has not ended."""
        if self._open:
            self._open = False
            self.transaction.rollback()

    def _table(self, metadata: TableMetadata) -> Any:
        return self.transaction.sdk.table_from_metadata(metadata)


def _fields(table: TableMetadata, columns: Mapping[str, Any]) -> pa.Schema:
    return pa.schema([table.arrow_schema.field(name) for name in columns])


def _row_id_field(table: TableMetadata) -> pa.Field:
    regular = table.table_type is TableType.Regular
    return pa.field(_ROW_ID, pa.uint64() if regular else pa.decimal128(38, 0))


@contextmanager
def writing(cluster: Cluster) -> Iterator[Writer]:
    """A new transaction, rolled back unless it is ended before."""
    writer = Writer(cluster)
    try:
        yield writer
    finally:
        writer.rollback()


Act = Callable[[Writer], object]
"""What one does in a transaction."""


def setting(row: Row, **values: int) -> Act:
    """Updates a row."""
    return lambda writer: writer.update(row, **values)


def deleting(row: Row) -> Act:
    """Deletes a row."""
    return lambda writer: writer.delete(row)
