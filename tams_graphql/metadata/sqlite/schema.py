"""The tables as SQLite keeps them: DDL made from `metadata.tables`, and the migrations.

1. A new file gets every table at `tables.SCHEMA_VERSION` and the guard rows.
2. An older file is taken step by step, each step in the transaction that all of them share.
3. A newer file, or one that is not ours, is refused and left untouched.
"""

import sqlite3
from collections.abc import Iterator, Mapping

import pyarrow as pa

from tams_graphql.metadata import tables
from tams_graphql.metadata.sqlite.migrations import MIGRATIONS, Migration, begin_log
from tams_graphql.metadata.tables import SchemaError, Table

APPLICATION_ID = int.from_bytes(b"TAMS")


def prepare(
    connection: sqlite3.Connection,
    version: int = tables.SCHEMA_VERSION,
    migrations: Mapping[int, Migration] = MIGRATIONS,
) -> None:
    """Make the file of `connection` a current index, in one transaction.

    Raises:
        SchemaError: the file is newer than `version`, or is no index.
        sqlite3.Error: the file can't be read or written; nothing was changed.
    """
    if _number(connection, "PRAGMA user_version") == version:
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        _bring_to(connection, version, migrations)
        connection.execute(f"PRAGMA user_version = {version}")
        connection.execute("COMMIT")
    except BaseException:
        connection.rollback()
        raise


def _bring_to(
    connection: sqlite3.Connection, version: int, migrations: Mapping[int, Migration]
) -> None:
    found = _number(connection, "PRAGMA user_version")
    if found > version:
        raise SchemaError(
            f"the index has schema version {found}, this program knows up to {version};"
            " run the newer program or restore an older copy of the file"
        )
    if found == 0:
        _create(connection)
    for step in range(found or version, version):
        migrations[step](connection)


def _create(connection: sqlite3.Connection) -> None:
    if _number(connection, "SELECT count(*) FROM sqlite_master"):
        raise SchemaError("the file is an SQLite database of another program")
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    for table in tables.TABLES:
        for statement in definition(table):
            connection.execute(statement)
    connection.executemany(
        "INSERT INTO guards (guard_id, version) VALUES (?, 0)",
        [(f"{number:04d}",) for number in range(tables.GUARD_COUNT)],
    )
    begin_log(connection)


def definition(table: Table) -> Iterator[str]:
    """The statements that create `table`, clustered on its key, and an index for each order."""
    # The key first: SQLite before 3.42 otherwise mistakes the columns of such a table for one
    # another in `PRAGMA integrity_check`, and tells of nulls where there are none.
    others = (name for name in table.columns if name not in table.key)
    columns = ", ".join(_column(table.schema.field(name)) for name in (*table.key, *others))
    yield (
        f"CREATE TABLE {table.name} ({columns}, PRIMARY KEY ({', '.join(table.key)}))"
        " STRICT, WITHOUT ROWID"
    )
    for name, order in table.orders.items():
        nullable = [column for column in order if table.schema.field(column).nullable]
        partial = " AND ".join(f"{column} IS NOT NULL" for column in nullable)
        yield (
            f"CREATE INDEX {table.name}_by_{name} ON {table.name} ({', '.join(order)})"
            + (f" WHERE {partial}" if partial else "")
        )


def _column(field: pa.Field) -> str:
    kind = "TEXT" if pa.types.is_string(field.type) else "INTEGER"
    return f"{field.name} {kind}" + ("" if field.nullable else " NOT NULL")


def _number(connection: sqlite3.Connection, statement: str) -> int:
    return int(connection.execute(statement).fetchone()[0])
