"""A schema of the probes' own, made at the start and dropped in the end."""

import itertools
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Any, Final

import pyarrow as pa
from vastdb.table_metadata import TableMetadata, TableRef, TableType

from tams_graphql.metadata.vast.cluster import Cluster, Target
from tams_graphql.metadata.vast.faults import RowConflict, TransactionLost
from tams_graphql.metadata.vast.semantics.writers import Row, Writer, sdk_told, writing
from tams_graphql.model.errors import Unavailable

NUMBERS: Final = pa.schema([("k", pa.int64()), ("a", pa.int64()), ("b", pa.int64())])
_DROP_TRIES = 6


class Scratch:
    """The schema, and the keys not used in it yet."""

    def __init__(self, cluster: Cluster, schema: str) -> None:
        self.cluster = cluster
        self.schema = schema
        self._keys = itertools.count(1)

    def create(self, name: str, columns: pa.Schema = NUMBERS, **how: Any) -> TableMetadata:
        """A new, empty table; `how` is given to the SDK's `create_table`."""
        target = self.cluster.target
        with self.writer() as writer, sdk_told():
            inside = writer.transaction.sdk.bucket(target.bucket).schema(self.schema)
            inside.create_table(name, columns, **how)
            writer.commit()
        kind = TableType.Elysium if how.get("sorting_key") else TableType.Regular
        return TableMetadata(TableRef(target.bucket, self.schema, name), columns, kind)

    @contextmanager
    def writer(self, cluster: Cluster | None = None) -> Iterator[Writer]:
        """A transaction, on `cluster` if another than the usual one is meant."""
        with writing(cluster or self.cluster) as writer:
            yield writer

    def rows(self, table: TableMetadata, count: int = 1) -> list[Row]:
        """New rows with keys of their own and 0 in the other columns, committed."""
        keys = list(itertools.islice(self._keys, count))
        with self.writer() as writer:
            ids = writer.insert(table, k=keys, a=[0] * count, b=[0] * count)
            writer.commit()
        return [Row(table, key, row_id) for key, row_id in zip(keys, ids, strict=True)]

    def row(self, table: TableMetadata) -> Row:
        """One new row."""
        return self.rows(table)[0]

    def node(self, endpoint: str) -> Cluster:
        """A session of its own with one node."""
        return Cluster(replace(self.cluster.target, endpoints=(endpoint,)))

    def another_session(self) -> Cluster:
        """Sessions as another process would have them."""
        return Cluster(self.cluster.target)


@contextmanager
def scratch_schema(target: Target) -> Iterator[Scratch]:
    """A schema of a name that nobody else has, dropped with all its tables in the end.

    Raises:
        Unavailable: it can't be made, or not be dropped; which one is left is told.
    """
    scratch = Scratch(Cluster(target), f"{target.schema}_semantics_{secrets.token_hex(4)}")
    try:
        _make(scratch)
    except Unavailable:
        # It may be there nevertheless, if only the answer was lost.
        with suppress(*_FAILURES):
            _drop_once(scratch)
        raise
    try:
        yield scratch
    finally:
        _drop(scratch)


_FAILURES: Final = (Unavailable, RowConflict, TransactionLost)


def _make(scratch: Scratch) -> None:
    with scratch.writer() as writer, sdk_told():
        bucket = writer.transaction.sdk.bucket(scratch.cluster.target.bucket)
        bucket.create_schema(scratch.schema)
        writer.commit()


def _drop(scratch: Scratch) -> None:
    failure: Exception | None = None
    for attempt in range(_DROP_TRIES):
        try:
            _drop_once(scratch)
        except _FAILURES as error:
            failure = error
            time.sleep(0.1 * 2**attempt)
        else:
            return
    raise Unavailable(f"schema {scratch.schema} of the probes is left: {failure}") from failure


def _drop_once(scratch: Scratch) -> None:
    with scratch.writer() as writer, sdk_told():
        bucket = writer.transaction.sdk.bucket(scratch.cluster.target.bucket)
        schema = bucket.schema(scratch.schema, fail_if_missing=False)
        if schema is None:
            return
        for table in schema.tables():
            table.drop()
        schema.drop()
        writer.commit()
