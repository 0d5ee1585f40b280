"""The question of the engine's start: does the store notice two updates of one row?"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pyarrow as pa
import pytest

pytest.importorskip("vastdb", reason="vastdb is not installed (pip install 'tams-graphql[vast]')")

from vastdb.table_metadata import TableMetadata, TableRef, TableType

from tams_graphql.metadata.vast.cluster import Cluster
from tams_graphql.metadata.vast.semantics.classify import Semantics
from tams_graphql.metadata.vast.semantics.row_conflicts import row_conflicts_hold
from tams_graphql.metadata.vast.semantics.writers import writing
from tams_graphql.model.errors import Unavailable
from tests.metadata.vast.semantics.clusters import target_of
from tests.vast_emulator.running import BUCKET, Running

COLUMNS = pa.schema(
    [
        pa.field("probe_id", pa.string(), nullable=False),
        pa.field("version", pa.int64(), nullable=False),
    ]
)
PROBES = TableMetadata(TableRef(BUCKET, "tams", "probes"), COLUMNS, TableType.Regular)


def create_probes(running: Running) -> Cluster:
    cluster = Cluster(target_of(running))
    with writing(cluster) as writer:
        schema = writer.transaction.sdk.bucket(BUCKET).create_schema("tams")
        schema.create_table("probes", COLUMNS)
        writer.commit()
    return cluster


@pytest.fixture(scope="module")
def cluster(running: Running) -> Cluster:
    return create_probes(running)


@pytest.fixture
def updater(one_updater: Running) -> Iterator[Cluster]:
    cluster = create_probes(one_updater)
    yield cluster
    one_updater.set_faults()
    with writing(cluster) as writer:
        schema = writer.transaction.sdk.bucket(BUCKET).schema("tams")
        schema.table("probes").drop()
        schema.drop()
        writer.commit()


def rows_left(cluster: Cluster) -> int:
    with writing(cluster) as reader:
        return len(reader.read(PROBES))


def test_every_kind_but_one_notices(cluster: Cluster, semantics: Semantics) -> None:
    assert row_conflicts_hold(cluster, PROBES) is (semantics is not Semantics.NO_CONFLICTS)
    assert rows_left(cluster) == 0


@pytest.mark.parametrize("option", ["table", "none"], indirect=True, scope="module")
def test_several_processes_may_ask_at_once(
    running: Running, cluster: Cluster, semantics: Semantics
) -> None:
    others = [Cluster(target_of(running)) for _ in range(3)]
    with ThreadPoolExecutor(3) as pool:
        answers = list(pool.map(lambda one: row_conflicts_hold(one, PROBES), others))
    assert answers == [semantics is not Semantics.NO_CONFLICTS] * 3
    assert rows_left(cluster) == 0


def test_it_costs_a_dozen_requests(one_updater: Running, updater: Cluster) -> None:
    one_updater.take_requests()
    assert row_conflicts_hold(updater, PROBES)
    assert one_updater.take_requests() == {
        "POST transaction": 4,
        "POST rows": 1,
        "PUT rows": 2,
        "PUT transaction": 3,
        "DELETE transaction": 1,
        "DELETE rows": 1,
    }


def test_a_cluster_that_refuses_is_no_answer(one_updater: Running, updater: Cluster) -> None:
    one_updater.set_faults(
        {"action": "unavailable", "methods": ["PUT"], "commands": ["rows"], "skip": 1}
    )
    with pytest.raises(Unavailable, match="503"):
        row_conflicts_hold(updater, PROBES)
    assert rows_left(updater) == 0


def test_a_cluster_that_refuses_everything_as_a_conflict_is_no_answer(
    one_updater: Running, updater: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = "tams_graphql.metadata.vast.semantics.row_conflicts"
    monkeypatch.setattr(f"{module}._PAUSE", 0.0)
    one_updater.set_faults({"action": "conflict", "methods": ["POST"], "commands": ["rows"]})
    with pytest.raises(Unavailable, match="refuses all changes as conflicts"):
        row_conflicts_hold(updater, PROBES)
