"""Probes that fail, and clusters that do: what is told, and that nothing stays behind."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

pytest.importorskip("vastdb", reason="vastdb is not installed (pip install 'tams-graphql[vast]')")

from tams_graphql.metadata.vast.cluster import Cluster
from tams_graphql.metadata.vast.semantics.classify import Semantics
from tams_graphql.metadata.vast.semantics.findings import Status
from tams_graphql.metadata.vast.semantics.run import probe_everything
from tams_graphql.metadata.vast.semantics.scratch import Scratch, scratch_schema
from tams_graphql.metadata.vast.semantics.snapshots import visibility
from tams_graphql.metadata.vast.semantics.verdict import verdict
from tams_graphql.metadata.vast.semantics.writers import writing
from tams_graphql.model.errors import Unavailable
from tests.metadata.vast.semantics.clusters import PATIENT, schemas, target_of
from tests.vast_emulator.running import BUCKET, Running, emulator

UPDATES = {"methods": ["PUT"], "commands": ["rows"]}


@pytest.fixture
def emulated(one_updater: Running) -> Iterator[Running]:
    yield one_updater
    one_updater.set_faults()


def test_probes_that_fail_are_told_and_the_others_go_on(emulated: Running) -> None:
    emulated.set_faults({"action": "unavailable", **UPDATES})
    found = verdict(probe_everything(target_of(emulated), PATIENT))
    assert found.semantics is Semantics.UNKNOWN
    assert not found.many_writers_safe
    told = {one.number: (one.status, "503" in one.seen) for one in found.findings}
    untested = {1, 2, 3, 4, 5, 7, 8, 9, 12, 13}
    assert {number for number in told if told[number] == (Status.UNTESTED, True)} == untested
    assert told[11] == (Status.HOLDS, False)
    assert schemas(emulated) == []
    assert emulated.open_transactions() == 0


def test_nothing_is_left_of_a_run_that_is_interrupted(emulated: Running) -> None:
    def interrupt(number: int, title: str) -> None:
        if number == 3:
            assert len(schemas(emulated)) == 1
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        probe_everything(target_of(emulated), PATIENT, interrupt)
    assert schemas(emulated) == []
    assert emulated.open_transactions() == 0


def test_the_probes_schema_is_another_than_the_indexs(emulated: Running) -> None:
    with scratch_schema(target_of(emulated, schema="index")) as scratch:
        scratch.create("rows")
        (name,) = schemas(emulated)
    assert name == scratch.schema
    assert name.startswith("index_semantics_")


def test_dropping_is_tried_again(emulated: Running) -> None:
    with scratch_schema(target_of(emulated)) as scratch:
        scratch.create("rows")
        emulated.set_faults(
            {"action": "unavailable", "methods": ["DELETE"], "commands": ["schema"], "times": 2}
        )
    assert emulated.faults_struck()["unavailable"] >= 2
    assert schemas(emulated) == []


def test_a_schema_that_cannot_be_dropped_is_named(
    emulated: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tams_graphql.metadata.vast.semantics.scratch._DROP_TRIES", 1)
    target = target_of(emulated)
    left = r"schema tams_semantics_[0-9a-f]{8} of the probes is left: .*503"
    with pytest.raises(Unavailable, match=left), scratch_schema(target):
        emulated.set_faults(
            {"action": "unavailable", "methods": ["DELETE"], "commands": ["schema"]}
        )
    emulated.set_faults()
    (name,) = schemas(emulated)
    with writing(Cluster(target)) as writer:
        writer.transaction.sdk.bucket(BUCKET).schema(name).drop()
        writer.commit()


def test_a_schema_whose_making_was_not_confirmed_is_dropped(emulated: Running) -> None:
    emulated.set_faults(
        {"action": "drop-after", "methods": ["PUT"], "commands": ["transaction"], "times": 1}
    )
    with pytest.raises(Unavailable, match="does not answer"), scratch_schema(target_of(emulated)):
        pytest.fail("there is no schema to work in")
    assert schemas(emulated) == []


def test_a_bucket_that_is_not_there_is_told(emulated: Running) -> None:
    target = replace(target_of(emulated), bucket="nowhere")
    with pytest.raises(Unavailable, match="nowhere"):
        probe_everything(target, PATIENT)


def test_one_node_shows_nothing_about_others(emulated: Running) -> None:
    with scratch_schema(target_of(emulated)) as scratch:
        seen = visibility(scratch, PATIENT)
    assert (seen.nodes, seen.rounds, seen.unseen) == (1, PATIENT.rounds_of_one_node, 0)


def test_commits_that_another_node_shows_too_late_are_counted() -> None:
    with emulator("--behind", "1", nodes=2) as running:
        ahead = replace(target_of(running), endpoints=running.urls[:1])
        with scratch_schema(ahead) as scratch:
            everywhere = Scratch(Cluster(target_of(running)), scratch.schema)
            # What the later node lacks is only ever the last commit: not the schema any more.
            scratch.create("another")
            seen = visibility(everywhere, PATIENT)
    rounds = PATIENT.rounds
    assert (seen.nodes, seen.rounds, seen.unseen) == (2, rounds, rounds // 2)
