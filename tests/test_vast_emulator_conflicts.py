"""Which concurrent changes the VAST emulator refuses, under each of its semantics.

The answers are seen through the unmodified SDK; each test pins what the doctor's probes must be
able to tell apart.
"""

import threading
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pyarrow as pa
import pytest

from .support.vast import Cluster, cluster_of, needs_vastdb
from .vast_emulator.running import emulator

pytestmark = needs_vastdb

SEMANTICS = ["updater", "committer", "cell", "table", "read-committed", "none"]
COLUMNS = pa.schema([("k", pa.int64()), ("a", pa.int64()), ("b", pa.int64())])


@pytest.fixture(scope="module", params=SEMANTICS)
def cluster(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    with emulator("--conflicts", request.param, "--lock-wait", "0.1") as running:
        cluster = cluster_of(running)
        cluster.semantics = request.param
        with cluster.session.transaction() as tx:
            tx.bucket("vastdb").create_schema("s").create_table("t", COLUMNS)
        yield cluster


@pytest.fixture(autouse=True)
def two_rows(cluster: Cluster) -> None:
    """Row 0 and row 1, all zero."""
    with cluster.session.transaction() as tx:
        table = cluster.table(tx)
        old = table.select(columns=[], internal_row_id=True).read_all()
        if old.num_rows:
            table.delete(old)
    with cluster.session.transaction() as tx:
        cluster.table(tx).insert(pa.table({"k": [0, 1], "a": [0, 0], "b": [0, 0]}, COLUMNS))


def put(cluster: Cluster, tx: Any, k: int, **values: int) -> None:
    """Update a row by its key, as an application would; no such row is no error."""
    table = cluster.table(tx)
    found = table.select(columns=[], predicate=table["k"] == k, internal_row_id=True).read_all()
    columns = {name: pa.array([value] * len(found), pa.int64()) for name, value in values.items()}
    table.update(pa.table({"$row_id": found["$row_id"], **columns}))


def remove(cluster: Cluster, tx: Any, k: int) -> None:
    table = cluster.table(tx)
    table.delete(
        table.select(columns=[], predicate=table["k"] == k, internal_row_id=True).read_all()
    )


def outcome(cluster: Cluster, first: Any, second: Any) -> str:
    """Two transactions begin; `first` changes and commits between `second`'s two attempts.

    Returns where the second one was refused: `while-open`, `after-commit`, `at-commit` or `never`.
    """
    from vastdb.errors import Conflict

    where = "never"
    tx1, tx2 = cluster.begin(), cluster.begin()
    first(tx1)
    try:
        second(tx2)
    except Conflict:
        where = "while-open"
    tx1.commit()
    if where == "while-open":
        try:
            second(tx2)
        except Conflict:
            tx2.rollback()
            return "after-commit"
    try:
        tx2.commit()
    except Conflict:
        return "at-commit"
    return where


def test_two_updates_of_one_column_of_one_row(cluster: Cluster) -> None:
    found = outcome(
        cluster, lambda tx: put(cluster, tx, 0, a=1), lambda tx: put(cluster, tx, 0, a=2)
    )
    assert (
        found
        == {
            "updater": "after-commit",
            "committer": "at-commit",
            "cell": "after-commit",
            "table": "after-commit",
            "read-committed": "while-open",
            "none": "never",
        }[cluster.semantics]
    )
    refused = found in {"after-commit", "at-commit"}
    assert cluster.rows()[0]["a"] == (1 if refused else 2)


def test_two_updates_of_different_columns_of_one_row(cluster: Cluster) -> None:
    found = outcome(
        cluster, lambda tx: put(cluster, tx, 0, a=1), lambda tx: put(cluster, tx, 0, b=2)
    )
    assert (
        found
        == {
            "updater": "after-commit",
            "committer": "at-commit",
            "cell": "never",
            "table": "after-commit",
            "read-committed": "while-open",
            "none": "never",
        }[cluster.semantics]
    )
    if found in {"never", "while-open"}:
        assert cluster.rows()[0] == {"k": 0, "a": 1, "b": 2}


def test_different_rows_conflict_only_where_tables_do(cluster: Cluster) -> None:
    found = outcome(
        cluster, lambda tx: put(cluster, tx, 0, a=1), lambda tx: put(cluster, tx, 1, a=2)
    )
    assert found == ("after-commit" if cluster.semantics == "table" else "never")


def test_inserts_conflict_only_where_tables_do(cluster: Cluster) -> None:
    def insert(tx: Any) -> None:
        cluster.table(tx).insert(pa.table({"k": [7], "a": [0], "b": [0]}, COLUMNS))

    found = outcome(cluster, insert, insert)
    assert found == ("after-commit" if cluster.semantics == "table" else "never")
    assert len(cluster.rows()) == (3 if cluster.semantics == "table" else 4)


def test_update_against_delete(cluster: Cluster) -> None:
    found = outcome(cluster, lambda tx: remove(cluster, tx, 0), lambda tx: put(cluster, tx, 0, b=2))
    refused = {"updater", "cell", "table"}
    if cluster.semantics in refused:
        assert found == "after-commit"
    if cluster.semantics == "committer":
        assert found == "at-commit"
    assert [row["k"] for row in cluster.rows()] == [1]


def test_a_snapshot_does_not_move_but_read_committed_does(cluster: Cluster) -> None:
    tx2 = cluster.begin()
    with cluster.session.transaction() as tx1:
        put(cluster, tx1, 0, a=5)
    seen = [row["a"] for row in cluster.rows(tx2)]
    tx2.rollback()
    assert seen == ([5, 0] if cluster.semantics == "read-committed" else [0, 0])


def test_a_rollback_gives_the_row_free(cluster: Cluster) -> None:
    tx1, tx2 = cluster.begin(), cluster.begin()
    put(cluster, tx1, 0, a=1)
    tx1.rollback()
    put(cluster, tx2, 0, a=2)
    tx2.commit()
    assert cluster.rows()[0]["a"] == 2


def test_a_transaction_sees_its_own_changes_only(cluster: Cluster) -> None:
    tx1, tx2 = cluster.begin(), cluster.begin()
    put(cluster, tx1, 0, a=1)
    put(cluster, tx1, 0, a=3)
    mine, theirs = cluster.rows(tx1), cluster.rows(tx2)
    tx1.rollback()
    tx2.rollback()
    assert (mine[0]["a"], theirs[0]["a"]) == (3, 0)


def test_renaming_one_column_twice_conflicts_everywhere(cluster: Cluster) -> None:
    from vastdb.errors import Conflict

    with ExitStack() as stack:
        tx1, tx2 = cluster.begin(), cluster.begin()
        stack.callback(tx1.rollback)
        stack.callback(tx2.rollback)
        cluster.plain_table(tx1).rename_column("b", "c")
        with pytest.raises(Conflict):
            cluster.plain_table(tx2).rename_column("b", "d")


def test_increments_of_four_writers(cluster: Cluster) -> None:
    """Read, add one, write, and again after a conflict: exact wherever updates conflict."""
    from vastdb.errors import Conflict

    def increment() -> None:
        for _ in range(10):
            while True:
                try:
                    with cluster.session.transaction() as tx:
                        table = cluster.table(tx)
                        put(cluster, tx, 0, b=1)
                        row = table.select(predicate=table["k"] == 0).read_all().to_pylist()[0]
                        put(cluster, tx, 0, a=row["a"] + 1)
                    break
                except Conflict:
                    continue

    threads = [threading.Thread(target=increment) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    total = cluster.rows()[0]["a"]
    assert total < 40 if cluster.semantics == "none" else total == 40
