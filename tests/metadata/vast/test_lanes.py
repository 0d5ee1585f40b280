"""Lanes: commits whose answer is lost, lanes that are lost, and the one writer there may be."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tams_graphql.metadata import tables
from tams_graphql.metadata.engine import Scan
from tams_graphql.metadata.event_tables import LANES
from tams_graphql.metadata.vast import lanes
from tams_graphql.metadata.vast.catalogue import LANE_COUNT, catalogue_of, with_row_ids
from tams_graphql.metadata.vast.cluster import Cluster, Target
from tams_graphql.metadata.vast.faults import TransactionLost
from tams_graphql.metadata.vast.lanes import Lane, LaneTaken
from tams_graphql.metadata.vast.queries import ROW_ID, Query
from tams_graphql.metadata.vast.schema import prepare
from tams_graphql.metadata.vast.selecting import select_in
from tests.metadata.rows import flow_row, stored
from tests.metadata.test_contract_commit import counted_up, read_flow
from tests.metadata.vast.conftest import Open
from tests.support.processes import start_tams, tams
from tests.support.vast import fresh_target, vast_settings
from tests.vast_emulator.running import Running, emulator

COMMIT = {"methods": ["PUT"], "commands": ["transaction"]}


def rows(target: Target) -> list[dict[str, Any]]:
    """The lanes that somebody owns."""
    with Cluster(target).reading() as transaction:
        query = Query(table=LANES, columns=LANES.columns)
        found = select_in(transaction, catalogue_of(target))(query).rows.to_pylist()
    assert len(found) == LANE_COUNT
    return [row for row in found if row["owner"] is not None]


def given_to_another(target: Target) -> None:
    """What another process does to a lane whose lease has ended: it takes it, and writes."""
    catalogue = catalogue_of(target)
    transaction = Cluster(target).begin()
    query = Query(table=LANES, columns=LANES.columns, row_ids=True)
    found = select_in(transaction, catalogue)(query).rows
    mine = next(n for n, owner in enumerate(found["owner"].to_pylist()) if owner is not None)
    row = found.slice(mine, 1)
    epoch = row["epoch"][0].as_py() + 1
    changed = {"owner": ["another"], "epoch": [epoch], "commit_id": ["its first"]}
    table = transaction.sdk.table_from_metadata(catalogue[LANES])
    table.update(with_row_ids(LANES, row[ROW_ID], changed))
    transaction.commit()


@pytest.fixture
def disturbed(vast: Running) -> Iterator[Running]:
    yield vast
    vast.set_faults()


@pytest.mark.parametrize("action", ["drop-before", "drop-after", "conflict"])
async def test_a_commit_counts_once_whatever_becomes_of_it(
    disturbed: Running, target: Target, open_engine: Open, action: str
) -> None:
    engine = await open_engine(target)
    await stored(engine, tables.FLOWS, flow_row("flow"))
    for _ in range(3):
        disturbed.set_faults({"action": action, "times": 1, **COMMIT})
        await counted_up(engine, "flow")
    row = await read_flow(engine, "flow")
    assert (row["segment_count"], row["version"]) == (3, 3)
    assert await engine.count(Scan(table=tables.FLOWS)) == 1


async def test_a_commit_that_is_answered_with_silence_twice_counts_once(
    disturbed: Running, target: Target, open_engine: Open
) -> None:
    engine = await open_engine(target)
    await stored(engine, tables.FLOWS, flow_row("flow"))
    for first in ("drop-before", "drop-after"):
        rules = [{"action": action, "times": 1, **COMMIT} for action in (first, "drop-before")]
        disturbed.set_faults(rules[0], rules[1] | {"skip": 1})
        await counted_up(engine, "flow")
    assert (await read_flow(engine, "flow"))["segment_count"] == 2


async def test_a_lane_is_given_back_in_the_end(target: Target, open_engine: Open) -> None:
    engine = await open_engine(target)
    await stored(engine, tables.FLOWS, flow_row("flow"))
    (mine,) = rows(target)
    assert mine["epoch"] == 1
    assert mine["commit_id"] is not None
    await engine.close()
    assert rows(target) == []


async def test_who_has_lost_a_lane_takes_another(target: Target, open_engine: Open) -> None:
    engine = await open_engine(target)
    await stored(engine, tables.FLOWS, flow_row("flow"))
    given_to_another(target)
    await counted_up(engine, "flow")
    assert (await read_flow(engine, "flow"))["segment_count"] == 1
    owners = [row["owner"] for row in rows(target)]
    assert len(owners) == 2
    assert "another" in owners


@pytest.fixture(scope="module")
def careless() -> Iterator[Running]:
    with emulator("--conflicts", "none") as running:
        yield running


class TestWithoutRowConflicts:
    """On a cluster that lets two updates of one row both come to be, one process may write."""

    @pytest.fixture(autouse=True)
    def hurried(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(lanes, "SETTLED_SECONDS", 0.05)

    async def test_a_second_process_refuses_to_start(
        self, careless: Running, open_engine: Open
    ) -> None:
        target = fresh_target(careless)
        engine = await open_engine(target)
        with pytest.raises(LaneTaken, match="only one process may write"):
            await open_engine(target)
        await stored(engine, tables.FLOWS, flow_row("flow"))
        await engine.close()
        successor = await open_engine(target)
        assert await successor.count(Scan(table=tables.FLOWS)) == 1

    async def test_the_lease_of_a_process_that_crashed_ends(
        self, careless: Running, open_engine: Open, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        cluster = Cluster(fresh_target(careless))
        crashed = Lane(cluster, prepare(cluster), only=0)
        with monkeypatch.context() as brief:
            brief.setattr(lanes, "LEASE_SECONDS", -1.0)
            crashed.claim()
        successor = await open_engine(cluster.target)
        await stored(successor, tables.FLOWS, flow_row("flow"))
        transaction = cluster.begin()
        with pytest.raises(TransactionLost):
            crashed.lock(transaction)
        transaction.rollback()
        with pytest.raises(LaneTaken):
            crashed.require()

    def test_a_second_server_says_why_it_refuses(
        self, careless: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for name, value in vast_settings(careless, "served").items():
            monkeypatch.setenv(name, value)
        with tams(tmp_path / "one"), pytest.raises(RuntimeError) as refusal:
            start_tams(tmp_path / "other")
        assert "only one process may write, and another one does" in str(refusal.value)
        assert "Traceback" not in str(refusal.value)
