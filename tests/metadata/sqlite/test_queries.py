"""Every read seeks along the key or an index, without a sort, over a bounded number of rows."""

import itertools
import sqlite3
from collections.abc import Iterator
from typing import Any

import pytest

from tams_graphql.metadata import tables
from tams_graphql.metadata.engine import Between, Changes, Key, OneOf, Scan, flow
from tams_graphql.metadata.sqlite import queries, schema
from tams_graphql.metadata.sqlite.changes import apply, bump
from tams_graphql.metadata.sqlite.connections import open_writer
from tams_graphql.metadata.sqlite.reading import Reading
from tests.metadata.rows import segment_row

SEGMENTS = tables.SEGMENTS
ROWS = 20_000


@pytest.fixture(scope="module")
def long_flow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[sqlite3.Connection]:
    """20,000 segments of 10 ns in one flow."""
    connection = open_writer(tmp_path_factory.mktemp("long") / "index.db", 1.0)
    schema.prepare(connection)
    rows = [segment_row("long", n * 10, n * 10 + 10) for n in range(ROWS)]
    connection.execute("BEGIN")
    apply(connection, Changes(answer=None, insert={SEGMENTS: rows}))
    connection.execute("COMMIT")
    yield connection
    connection.close()


def plan(connection: sqlite3.Connection, sql: str, parameters: Any) -> list[str]:
    steps = connection.execute(f"EXPLAIN QUERY PLAN {sql}", parameters)
    return [step[3] for step in steps]


def page_plan(connection: sqlite3.Connection, scan: Scan) -> list[str]:
    query = queries.page(scan)
    return plan(connection, query.sql, query.bound(scan.prefix))


def steps_of(connection: sqlite3.Connection, scan: Scan) -> int:
    """How many hundreds of virtual machine instructions a read takes: it grows with the rows."""
    ticks = itertools.count()
    connection.set_progress_handler(lambda: next(ticks) and 0, 100)
    try:
        Reading(connection).page(scan)
    finally:
        connection.set_progress_handler(None, 0)
    return next(ticks)


def walks_no_table(steps: list[str]) -> bool:
    tables_walked = {f"SCAN {table.name}" for table in tables.TABLES}
    return not any(
        "TEMP B-TREE" in step or " ".join(step.split()[:2]) in tables_walked for step in steps
    )


@pytest.mark.parametrize("reverse", [False, True], ids=["forwards", "backwards"])
@pytest.mark.parametrize("after", [None, (5,), (50_000,)])
def test_an_overlap_read_seeks_along_the_clustered_key(
    long_flow: sqlite3.Connection, *, reverse: bool, after: tuple[int] | None
) -> None:
    scan = Scan(
        table=SEGMENTS, prefix=("long",), overlapping=(45, 90_000), after=after, reverse=reverse
    )
    steps = page_plan(long_flow, scan)
    seeks = [step for step in steps if step.startswith("SEARCH")]
    assert seeks
    assert all(
        "flow_segments USING PRIMARY KEY (timeline_id=? AND start_ns" in step for step in seeks
    )
    assert walks_no_table(steps)


def test_a_point_read_seeks_along_the_clustered_key(long_flow: sqlite3.Connection) -> None:
    sql = queries.points(SEGMENTS, None, 2)
    steps = plan(long_flow, sql, ("long", 1, "long", 2))
    assert "SEARCH flow_segments USING PRIMARY KEY (timeline_id=? AND start_ns=?)" in steps
    assert walks_no_table(steps)


@pytest.mark.parametrize("table", tables.TABLES, ids=lambda table: table.name)
@pytest.mark.parametrize("reverse", [False, True], ids=["forwards", "backwards"])
def test_every_order_is_walked_without_a_sort(
    long_flow: sqlite3.Connection, table: tables.Table, *, reverse: bool
) -> None:
    for name in ("key", *table.orders):
        order = table.order(name)
        other = next((column for column in table.columns if column not in order), order[-1])
        for length in range(len(order)):
            scan = Scan(
                table=table,
                order=name,
                prefix=("x",) * length,
                after=("x",) * (len(order) - length),
                reverse=reverse,
                where=(OneOf(other, ("x", "y")), Between(order[-1], "x", "y")),
            )
            steps = page_plan(long_flow, scan)
            used = "PRIMARY KEY" if name == "key" else f"INDEX {table.name}_by_{name}"
            assert any(f"SEARCH {table.name} USING {used}" in step for step in steps), steps
            assert walks_no_table(steps), steps


def test_first_per_key_seeks_for_each_prefix(long_flow: sqlite3.Connection) -> None:
    scan = Scan(table=SEGMENTS, overlapping=(45, 90_000), reverse=True)
    query = queries.each(scan, 1, 2)
    steps = plan(long_flow, query.sql, query.bound(("long", "other")))
    assert any(
        "SEARCH flow_segments USING PRIMARY KEY (timeline_id=? AND start" in step for step in steps
    )
    assert walks_no_table(steps)


@pytest.mark.parametrize(
    "scan",
    [
        Scan(table=SEGMENTS, prefix=("long",), overlapping=(100_005, 100_025)),
        Scan(table=SEGMENTS, prefix=("long",), overlapping=(100_005, 100_025), reverse=True),
        Scan(table=SEGMENTS, prefix=("long",), overlapping=(100_005, None), limit=3),
        Scan(table=SEGMENTS, prefix=("long",), overlapping=(None, 100_025), limit=3, reverse=True),
        Scan(table=SEGMENTS, prefix=("long",), overlapping=(5, None), after=(100_000,), limit=3),
        Scan(
            table=SEGMENTS,
            prefix=("long",),
            overlapping=(5, 190_000),
            after=(100_000,),
            limit=3,
            reverse=True,
        ),
        Scan(
            table=SEGMENTS,
            prefix=("long",),
            where=(Between("start_ns", 5, 190_000),),
            after=(100_000,),
            limit=3,
        ),
        Scan(
            table=SEGMENTS,
            prefix=("long",),
            where=(Between("start_ns", 5, 190_000),),
            after=(100_000,),
            limit=3,
            reverse=True,
        ),
    ],
)
def test_three_rows_cost_the_same_wherever_they_are(
    long_flow: sqlite3.Connection, scan: Scan
) -> None:
    assert Reading(long_flow).page(scan).num_rows == 3
    assert steps_of(long_flow, scan) <= 10


def test_a_read_of_many_keys_is_one_statement_and_one_row(long_flow: sqlite3.Connection) -> None:
    statements: list[str] = []
    long_flow.set_trace_callback(statements.append)
    reading = Reading(long_flow)
    keys: list[Key] = [("long", n * 10) for n in range(200)]
    assert reading.get(SEGMENTS, keys).num_rows == 200
    assert reading.first_per_key(Scan(table=SEGMENTS, limit=1), keys).num_rows == 200
    long_flow.set_trace_callback(None)
    selects = [statement for statement in statements if statement.startswith("SELECT")]
    assert len(selects) == 2
    assert [len(long_flow.execute(select).fetchall()) for select in selects] == [1, 1]


def test_writes_seek_their_rows(long_flow: sqlite3.Connection) -> None:
    statements: list[str] = []
    long_flow.execute("BEGIN")
    long_flow.set_trace_callback(statements.append)
    changes = Changes(
        answer=None,
        delete={SEGMENTS: [("long", 10), ("long", 20)]},
        update={SEGMENTS: [{"timeline_id": "long", "start_ns": n, "bounds": 1} for n in (30, 40)]},
    )
    bump(long_flow, [flow("long"), flow("other")])
    apply(long_flow, changes)
    long_flow.set_trace_callback(None)
    long_flow.execute("ROLLBACK")
    assert len(statements) == 3
    for statement in statements:
        steps = plan(long_flow, statement, ())
        assert any(step.startswith("SEARCH ") and "PRIMARY KEY" in step for step in steps), steps
        assert walks_no_table(steps), steps
