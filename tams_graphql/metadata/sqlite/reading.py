"""The reads of the port on one connection, shared by readers and the write transaction."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pyarrow as pa

from tams_graphql.metadata.engine import Key, Scan
from tams_graphql.metadata.sqlite import queries
from tams_graphql.metadata.sqlite.arrow import from_columns, from_groups, schema_of
from tams_graphql.metadata.sqlite.batches import padded
from tams_graphql.metadata.sqlite.connections import errors_told
from tams_graphql.metadata.tables import Table


class Reading:
    """Each method is one read of one snapshot, of the open transaction's if there is one.

    Raises, from every method:
        Unavailable: the file can't be read now.
        ValueError: the scan is none that the port offers.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def get(
        self, table: Table, keys: Sequence[Key], columns: tuple[str, ...] | None = None
    ) -> pa.Table:
        """See `View.get`."""
        schema = schema_of(table, columns)
        parts = []
        with errors_told(), self._one_snapshot():
            for size, values in padded(list(dict.fromkeys(keys))):
                found = self._connection.execute(queries.points(table, columns, size), values)
                parts.append(from_columns(found.fetchone(), schema))
        return pa.concat_tables(parts) if parts else schema.empty_table()

    def page(self, scan: Scan) -> pa.Table:
        """See `View.page`."""
        query = queries.page(scan)
        with errors_told():
            found = self._connection.execute(query.sql, query.bound(scan.prefix))
            texts = found.fetchone()
        return from_columns(texts, schema_of(scan.table, scan.columns))

    def first_per_key(self, scan: Scan, prefixes: Sequence[Key]) -> pa.Table:
        """See `View.first_per_key`."""
        unique = list(dict.fromkeys(prefixes))
        if not unique:
            return schema_of(scan.table, scan.columns).empty_table()
        texts = []
        with errors_told(), self._one_snapshot():
            for size, values in padded(unique):
                query = queries.each(scan, len(unique[0]), size)
                found = self._connection.execute(query.sql, query.bound(values))
                texts.append(found.fetchone()[0])
        return from_groups(texts, schema_of(scan.table, scan.columns))

    def count(self, scan: Scan) -> int:
        """See `View.count`."""
        query = queries.count(scan)
        with errors_told():
            found = self._connection.execute(query.sql, query.bound(scan.prefix))
            return int(found.fetchone()[0])

    @contextmanager
    def _one_snapshot(self) -> Iterator[None]:
        if self._connection.in_transaction:
            yield
            return
        self._connection.execute("BEGIN")
        try:
            yield
        finally:
            self._connection.rollback()
