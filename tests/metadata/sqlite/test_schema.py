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


VERSION_1_ROWS = """
INSERT INTO discarded_media (storage_id, storage_key, discarded_us) VALUES ('a', 'b', 3);
INSERT INTO flows (flow_id, incarnation, source_id, format, label_order, metadata_version,
    tags_json, version, created_us, metadata_updated_us, segment_count, covered_ns)
    SELECT value, 'first', 's', 'urn:x-nmos:format:video', 'b', '1', '{}', 0, 1, 1, 2, 4
    FROM json_each('["left", "right"]');
INSERT INTO objects (object_id, incarnation, state, instances_json, version, created_us) VALUES
    ('used', 'first', 'registered',
     '[{"storage_id":"disk","key":"k"},{"url":"https://e.org/o","label":"l"}]', 0, 5),
    ('waiting', 'first', 'allocated', '[]', 0, 7);
INSERT INTO segments (flow_id, start_ns, incarnation, object_id, instances_json, end_ns, bounds,
    object_start_ns, object_end_ns, object_bounds, created_us)
    SELECT flow_id, start.value, 'first', 'used', '[]', start.value + 2, 0, 0, 2, 0, 1
    FROM flows, json_each('[0, 2]') AS start;
INSERT INTO object_references (object_id, flow_id, segment_count)
    SELECT 'used', flow_id, 2 FROM flows;
"""


def definitions(connection: sqlite3.Connection) -> set[str]:
    return {sql for (sql,) in connection.execute("SELECT sql FROM sqlite_master") if sql}


async def test_a_file_of_version_1_becomes_what_a_new_one_is_and_keeps_its_rows(
    connection: sqlite3.Connection, index_file: Path
) -> None:
    connection.executescript(VERSION_1.read_text())
    connection.executescript(VERSION_1_ROWS)
    engine = await SQLiteEngine.open(index_file)
    kept = (await engine.page(Scan(table=tables.DISCARDED_MEDIA))).to_pylist()
    assert kept == [{"storage_id": "a", "storage_key": "b", "discarded_us": 3}]
    found = (await engine.page(Scan(table=tables.FLOWS))).to_pylist()
    timelines = {row["flow_id"]: row["timeline_id"] for row in found}
    assert len(set(timelines.values())) == len(timelines) == 2
    for flow, timeline in timelines.items():
        scan = Scan(table=tables.SEGMENTS, prefix=(timeline,), columns=("flow_id", "end_ns"))
        page = (await engine.page(scan)).to_pylist()
        assert page == [{"flow_id": flow, "end_ns": 2}, {"flow_id": flow, "end_ns": 4}]
        reference = await engine.get(tables.REFERENCES, [("used", timeline)], ("segment_count",))
        assert reference["segment_count"].to_pylist() == [2]
    instances = (await engine.page(Scan(table=tables.INSTANCES))).to_pylist()
    assert [tuple(row.values()) for row in instances] == [("disk", "k", "used", "first", 5)]
    waiting = await engine.page(Scan(table=tables.OBJECTS, order="allocated"))
    assert waiting.select(["object_id", "allocated_us"]).to_pylist() == [
        {"object_id": "waiting", "allocated_us": 7}
    ]
    await engine.close()
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
    assert columns(connection, "guards") == [*tables.GUARDS.columns]


async def test_a_newer_file_is_refused_and_left_as_it_is(
    connection: sqlite3.Connection, index_file: Path
) -> None:
    schema.prepare(connection)
    connection.execute(f"PRAGMA user_version = {tables.SCHEMA_VERSION + 1}")
    with pytest.raises(SchemaError, match=r"schema version 5, .* knows up to 4"):
        await SQLiteEngine.open(index_file)
    assert version(connection) == tables.SCHEMA_VERSION + 1


async def test_another_programs_file_is_refused(
    connection: sqlite3.Connection, index_file: Path
) -> None:
    connection.execute("CREATE TABLE recipes (name TEXT)")
    with pytest.raises(SchemaError, match="another program"):
        await SQLiteEngine.open(index_file)
    assert columns(connection, "guards") == []
