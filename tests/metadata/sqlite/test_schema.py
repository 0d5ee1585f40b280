"""The schema version: created, migrated step by step, refused when newer or not ours."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from tams_graphql.metadata import tables
from tams_graphql.metadata.engine import Scan
from tams_graphql.metadata.sqlite import SQLiteEngine, schema
from tams_graphql.metadata.tables import SchemaError

VERSION_1 = Path(__file__).parent / "version_1.sql"
"""The definitions (and one guard row) of a file that the program of schema version 1 made."""


@pytest.fixture
def connection(index_file: Path) -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(index_file, isolation_level=None)
    yield connection
    connection.close()


def version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def columns(connection: sqlite3.Connection, table: str) -> list[str]:
    return [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]


def test_a_new_file_has_every_table_and_says_whose_it_is(connection: sqlite3.Connection) -> None:
    schema.prepare(connection)
    assert version(connection) == tables.SCHEMA_VERSION
    assert connection.execute("PRAGMA application_id").fetchone()[0] == 0x54414D53
    for table in tables.TABLES:
        others = [name for name in table.columns if name not in table.key]
        assert columns(connection, table.name) == [*table.key, *others]
        indexes = {row[1] for row in connection.execute(f"PRAGMA index_list({table.name})")}
        assert {f"{table.name}_by_{order}" for order in table.orders} <= indexes


def test_sqlites_own_check_finds_nothing_wrong_with_any_table(
    connection: sqlite3.Connection,
) -> None:
    schema.prepare(connection)
    for table in tables.TABLES:
        needed = [field.name for field in table.schema if not field.nullable]
        places = ", ".join("?" * len(needed))
        # A digit is as good a text as a number.
        connection.execute(
            f"INSERT INTO {table.name} ({', '.join(needed)}) VALUES ({places})", ["7"] * len(needed)
        )
    assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def test_there_is_a_migration_from_every_older_version() -> None:
    assert set(schema.MIGRATIONS) == set(range(1, tables.SCHEMA_VERSION))


def definitions(connection: sqlite3.Connection) -> set[str]:
    return {sql for (sql,) in connection.execute("SELECT sql FROM sqlite_master") if sql}


async def test_a_file_of_version_1_becomes_what_a_new_one_is_and_keeps_its_rows(
    connection: sqlite3.Connection, index_file: Path
) -> None:
    connection.executescript(VERSION_1.read_text())
    connection.execute(
        "INSERT INTO discarded_media (storage_id, storage_key, discarded_us) VALUES ('a', 'b', 3)"
    )
    engine = await SQLiteEngine.open(index_file)
    kept = (await engine.page(Scan(table=tables.DISCARDED_MEDIA))).to_pylist()
    copies = await engine.page(Scan(table=tables.COPIES))
    await engine.close()
    assert kept == [{"storage_id": "a", "storage_key": "b", "discarded_us": 3}]
    assert copies.num_rows == 0
    assert version(connection) == tables.SCHEMA_VERSION
    new = sqlite3.connect(":memory:", isolation_level=None)
    schema.prepare(new)
    assert definitions(connection) == definitions(new)
    new.close()


def test_older_files_are_migrated_step_by_step(connection: sqlite3.Connection) -> None:
    schema.prepare(connection, 1, {})
    steps = []

    def to_two(migrated: sqlite3.Connection) -> None:
        steps.append(2)
        migrated.execute("ALTER TABLE guards ADD COLUMN colour TEXT")

    def to_three(migrated: sqlite3.Connection) -> None:
        steps.append(3)
        migrated.execute("UPDATE guards SET colour = 'red'")

    migrations = {1: to_two, 2: to_three}
    schema.prepare(connection, 3, migrations)
    schema.prepare(connection, 3, migrations)
    assert steps == [2, 3]
    assert version(connection) == 3
    red = connection.execute("SELECT count(*) FROM guards WHERE colour = 'red'").fetchone()
    assert red == (tables.GUARD_COUNT,)


def test_a_migration_that_fails_leaves_the_old_version(connection: sqlite3.Connection) -> None:
    schema.prepare(connection, 1, {})

    def works(migrated: sqlite3.Connection) -> None:
        migrated.execute("ALTER TABLE guards ADD COLUMN colour TEXT")

    def fails(migrated: sqlite3.Connection) -> None:
        migrated.execute("DROP TABLE no_such_table")

    with pytest.raises(sqlite3.OperationalError, match="no_such_table"):
        schema.prepare(connection, 3, {1: works, 2: fails})
    assert version(connection) == 1
    assert columns(connection, "guards") == ["guard_id", "version"]


async def test_a_newer_file_is_refused_and_left_as_it_is(
    connection: sqlite3.Connection, index_file: Path
) -> None:
    schema.prepare(connection)
    connection.execute(f"PRAGMA user_version = {tables.SCHEMA_VERSION + 1}")
    with pytest.raises(SchemaError, match=r"schema version 3, .* knows up to 2"):
        await SQLiteEngine.open(index_file)
    assert version(connection) == tables.SCHEMA_VERSION + 1


async def test_another_programs_file_is_refused(
    connection: sqlite3.Connection, index_file: Path
) -> None:
    connection.execute("CREATE TABLE recipes (name TEXT)")
    with pytest.raises(SchemaError, match="another program"):
        await SQLiteEngine.open(index_file)
    assert columns(connection, "guards") == []
