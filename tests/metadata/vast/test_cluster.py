"""Several nodes of a cluster: who does not answer is passed over, and secrets stay unseen."""

import time
from collections.abc import Iterator
from dataclasses import replace

import pytest

from tams_graphql.metadata import tables
from tams_graphql.metadata.engine import Scan
from tams_graphql.metadata.vast.cluster import Cluster, Target
from tams_graphql.metadata.vast.faults import Busy, Unreachable
from tests.metadata.rows import flow_row, stored
from tests.metadata.vast.conftest import Open
from tests.support.processes import free_port
from tests.support.vast import fresh_target
from tests.vast_emulator.running import Running, emulator

BEGIN = {"methods": ["POST"], "commands": ["transaction"]}


@pytest.fixture(scope="module")
def two_nodes() -> Iterator[Running]:
    with emulator("--shuffle", nodes=2) as running:
        yield running


def nowhere() -> str:
    return f"http://127.0.0.1:{free_port()}"


async def test_a_node_that_is_down_is_passed_over(target: Target, open_engine: Open) -> None:
    engine = await open_engine(replace(target, endpoints=(nowhere(), *target.endpoints)))
    await stored(engine, tables.FLOWS, flow_row("flow"))
    counts = {await engine.count(Scan(table=tables.FLOWS)) for _ in range(6)}
    assert counts == {1}


async def test_what_one_node_commits_the_other_shows(two_nodes: Running, open_engine: Open) -> None:
    target = replace(fresh_target(two_nodes), endpoints=tuple(two_nodes.urls))
    engine = await open_engine(target)
    for number in range(1, 7):
        await stored(engine, tables.FLOWS, flow_row(f"flow {number}"))
        assert await engine.count(Scan(table=tables.FLOWS)) == number


def test_transactions_take_turns(two_nodes: Running) -> None:
    target = replace(fresh_target(two_nodes), endpoints=tuple(two_nodes.urls))
    cluster = Cluster(target)
    used = []
    for _ in range(4):
        with cluster.reading() as transaction:
            used.append(transaction.endpoint)
    assert used == [*two_nodes.urls, *two_nodes.urls]


def test_a_dropped_connection_is_tried_again(vast: Running, target: Target) -> None:
    cluster = Cluster(target)
    cluster.begin().rollback()
    vast.set_faults({"action": "drop-before", "times": 1, **BEGIN})
    cluster.begin().rollback()
    assert vast.open_transactions() == 0


def test_overload_of_every_node_is_told_as_such(vast: Running, target: Target) -> None:
    cluster = Cluster(target)
    cluster.begin().rollback()
    vast.set_faults({"action": "unavailable", **BEGIN})
    try:
        with pytest.raises(Busy, match=r"overloaded.*try again"):
            cluster.begin()
    finally:
        vast.set_faults()
    cluster.begin().rollback()


def test_nobody_there_is_told_at_once(target: Target) -> None:
    cluster = Cluster(replace(target, endpoints=(nowhere(), nowhere())))
    began = time.monotonic()
    with pytest.raises(Unreachable, match="does not answer; try again"):
        cluster.begin()
    assert time.monotonic() - began < target.timeout


def test_certificates_are_checked_as_the_settings_say(target: Target) -> None:
    transaction = Cluster(replace(target, verify="/etc/ssl/studio.pem")).begin()
    assert transaction.session.api._ssl_verify == "/etc/ssl/studio.pem"
    transaction.rollback()


def test_secrets_are_not_shown(target: Target) -> None:
    shown = repr(replace(target, secret_key="very-secret"))
    assert "very-secret" not in shown
