"""What the VAST emulator does when told to misbehave, as the unmodified SDK sees it."""

import os
import signal
import time
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pytest

from .support.vast import Cluster, cluster_of, needs_vastdb
from .vast_emulator.running import ACCESS_KEY, SECRET_KEY, emulator

pytestmark = needs_vastdb

COLUMNS = pa.schema([("k", pa.int64()), ("name", pa.string())])
COMMIT = {"methods": ["PUT"], "commands": ["transaction"], "times": 1}


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with emulator("--seed", "1") as running:
        yield with_table(cluster_of(running))


@pytest.fixture(scope="module")
def impatient() -> Iterator[Cluster]:
    """Rolls transactions back that were idle for half a second."""
    with emulator("--idle-timeout", "0.5") as running:
        yield with_table(cluster_of(running))


def with_table(cluster: Cluster) -> Cluster:
    with cluster.session.transaction() as tx:
        tx.bucket("vastdb").create_schema("s").create_table("t", COLUMNS)
    return cluster


@pytest.fixture(autouse=True)
def no_faults_left(cluster: Cluster) -> Iterator[None]:
    yield
    cluster.running.set_faults()


def insert(cluster: Cluster, tx: Any, k: int) -> None:
    cluster.table(tx).insert(pa.table({"k": [k], "name": ["x"]}, COLUMNS))


def keys(cluster: Cluster) -> list[int]:
    return [row["k"] for row in cluster.rows()]


def test_a_commit_dropped_before_it_happened(cluster: Cluster) -> None:
    from vastdb.errors import ConnectionError as Dropped

    cluster.running.set_faults({"action": "drop-before", **COMMIT})
    with pytest.raises(Dropped) as caught, cluster.session.transaction() as tx:
        insert(cluster, tx, 1)
    assert not caught.value.may_retry
    assert 1 not in keys(cluster)


def test_a_commit_dropped_after_it_happened(cluster: Cluster) -> None:
    from vastdb.errors import ConnectionError as Dropped

    cluster.running.set_faults({"action": "drop-after", **COMMIT})
    with pytest.raises(Dropped), cluster.session.transaction() as tx:
        insert(cluster, tx, 2)
    assert 2 in keys(cluster)


def test_repeating_a_commit_tells_that_it_is_over(cluster: Cluster) -> None:
    from vastdb.errors import NotFound

    open_transaction = cluster.begin()
    insert(cluster, open_transaction, 3)
    open_transaction.commit()
    with pytest.raises(NotFound):
        cluster.session.api.commit_transaction(open_transaction.txid)


def test_an_injected_conflict_of_a_commit_rolls_it_back(cluster: Cluster) -> None:
    from vastdb.errors import Conflict

    cluster.running.set_faults({"action": "conflict", **COMMIT})
    with pytest.raises(Conflict), cluster.session.transaction() as tx:
        insert(cluster, tx, 4)
    assert 4 not in keys(cluster)


def test_slow_down_is_retried_by_the_sdk_and_then_succeeds(cluster: Cluster) -> None:
    before = cluster.running.faults_struck().get("slow-down", 0)
    rule = {"action": "slow-down", "methods": ["POST"], "commands": ["rows"], "times": 2}
    cluster.running.set_faults(rule)
    with cluster.session.transaction() as tx:
        insert(cluster, tx, 5)
    assert keys(cluster).count(5) == 1
    assert cluster.running.faults_struck()["slow-down"] == before + 2


def test_unavailable_is_not_retried(cluster: Cluster) -> None:
    from vastdb.errors import ServiceUnavailable, Slowdown

    cluster.running.set_faults({"action": "unavailable", "commands": ["rows"], "times": 1})
    with pytest.raises(ServiceUnavailable) as caught, cluster.session.transaction() as tx:
        insert(cluster, tx, 6)
    assert not isinstance(caught.value, Slowdown)


def test_latency_is_added(cluster: Cluster) -> None:
    cluster.running.set_faults({"action": "latency", "seconds": 0.2, "commands": ["data"]})
    with cluster.session.transaction() as tx:
        table = cluster.table(tx)
        began = time.monotonic()
        table.select().read_all()
        assert time.monotonic() - began >= 0.2


def test_an_idle_transaction_expires_and_frees_its_rows(impatient: Cluster) -> None:
    from vastdb.errors import NotFound

    with impatient.session.transaction() as tx:
        insert(impatient, tx, 7)
    abandoned = impatient.begin()
    table = impatient.table(abandoned)
    row = table.select(columns=[], predicate=table["k"] == 7, internal_row_id=True).read_all()
    table.update(row.append_column("name", pa.array(["old"])))
    time.sleep(0.7)
    with impatient.session.transaction() as tx:
        impatient.table(tx).update(row.append_column("name", pa.array(["new"])))
    with pytest.raises(NotFound):
        abandoned.commit()
    assert [one["name"] for one in impatient.rows() if one["k"] == 7] == ["new"]
    assert impatient.running.open_transactions() == 0


def test_a_keep_alive_keeps_a_transaction(impatient: Cluster) -> None:
    transaction = impatient.begin()
    insert(impatient, transaction, 8)
    for _ in range(4):
        time.sleep(0.2)
        impatient.session.api.get_transaction(transaction.txid)
    transaction.commit()
    assert 8 in keys(impatient)


def test_a_wrong_secret_is_refused() -> None:
    import vastdb

    with emulator() as running:
        with pytest.raises(vastdb.errors.Forbidden):
            vastdb.connect(endpoint=running.url, access=ACCESS_KEY, secret="wrong")
        vastdb.connect(endpoint=running.url, access=ACCESS_KEY, secret=SECRET_KEY)


def test_requests_are_counted(cluster: Cluster) -> None:
    cluster.rows()
    cluster.running.take_requests()
    cluster.running.take_queries()
    cluster.rows()
    counts = cluster.running.take_requests()
    assert (counts["POST transaction"], counts["GET data"], counts["PUT transaction"]) == (1, 1, 1)
    assert cluster.running.take_queries() == {"t": 1}
    assert cluster.running.take_queries() == {}


def test_a_stopped_emulator_runs_into_the_timeout() -> None:
    import requests

    with emulator() as running:
        cluster = cluster_of(running)
        cluster.session.api.timeout = 0.3
        os.kill(running.process.pid, signal.SIGSTOP)
        try:
            with pytest.raises(requests.exceptions.Timeout):
                cluster.begin()
        finally:
            os.kill(running.process.pid, signal.SIGCONT)
