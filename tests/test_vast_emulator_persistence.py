"""The VAST emulator's directory: commits outlive the process, and nothing else does."""

from pathlib import Path

import pyarrow as pa

from .support.vast import cluster_of, needs_vastdb
from .vast_emulator.running import BUCKET, emulator

pytestmark = needs_vastdb

COLUMNS = pa.schema([("k", pa.int64()), ("tags", pa.list_(pa.string()))])


def rows(*ks: int) -> pa.Table:
    return pa.table({"k": list(ks), "tags": [[f"t{k}"] for k in ks]}, COLUMNS)


def test_commits_outlive_a_kill_and_open_transactions_do_not(tmp_path: Path) -> None:
    with emulator("--data", str(tmp_path)) as running:
        cluster = cluster_of(running)
        with cluster.session.transaction() as tx:
            schema = tx.bucket(BUCKET).create_schema("s")
            schema.create_table("t", COLUMNS, sorting_key=["k"]).insert(rows(1, 2, 3))
        with cluster.session.transaction() as tx:
            table = cluster.table(tx)
            table.delete(table.select(predicate=table["k"] == 2, internal_row_id=True).read_all())
        cluster.table(cluster.begin()).insert(rows(99))
        running.kill()
    with emulator("--data", str(tmp_path)) as running:
        cluster = cluster_of(running)
        assert cluster.rows() == [{"k": 1, "tags": ["t1"]}, {"k": 3, "tags": ["t3"]}]
        assert [one.name for one in cluster.metadata.sorted_columns] == ["k"]


def test_a_torn_last_record_is_dropped_and_row_ids_go_on(tmp_path: Path) -> None:
    with emulator("--data", str(tmp_path)) as running:
        cluster = cluster_of(running)
        with cluster.session.transaction() as tx:
            tx.bucket(BUCKET).create_schema("s").create_table("t", COLUMNS).insert(rows(1))
        with cluster.session.transaction() as tx:
            cluster.table(tx).insert(rows(2))
        running.kill()
    journal = tmp_path / "journal"
    journal.write_bytes(journal.read_bytes()[:-5])
    for _ in range(2):
        with emulator("--data", str(tmp_path)) as running:
            cluster = cluster_of(running)
            assert [row["k"] for row in cluster.rows()] == [1]
            transaction = cluster.begin()
            assert cluster.table(transaction).insert(rows(5)).to_pylist() == [1]
            transaction.rollback()
