"""The probes, played against each kind of conflicts that the emulator can show."""

import pytest

pytest.importorskip("vastdb", reason="vastdb is not installed (pip install 'tams-graphql[vast]')")

from tams_graphql.metadata.vast.semantics.classify import Semantics
from tams_graphql.metadata.vast.semantics.findings import Status
from tams_graphql.metadata.vast.semantics.run import probe_everything
from tams_graphql.metadata.vast.semantics.titles import TITLES
from tams_graphql.metadata.vast.semantics.verdict import Verdict, verdict
from tests.metadata.vast.semantics.clusters import schemas, sizes_for, target_of
from tests.vast_emulator.running import Running

FAILING = {
    Semantics.FIRST_UPDATER_WINS: set(),
    Semantics.FIRST_COMMITTER_WINS: set(),
    Semantics.CONFLICTS_PER_CELL: set(),
    Semantics.CONFLICTS_PER_TABLE: {4},
    Semantics.READ_COMMITTED: {5},
    Semantics.NO_CONFLICTS: {1, 2, 3, 12},
}
SPEED = 13
LEAVING_ROWS_FREE = {Semantics.FIRST_COMMITTER_WINS, Semantics.NO_CONFLICTS}


@pytest.fixture(scope="module")
def told() -> list[tuple[int, str]]:
    return []


@pytest.fixture(scope="module")
def found(running: Running, semantics: Semantics, told: list[tuple[int, str]]) -> Verdict:
    told.clear()

    def tell(number: int, title: str) -> None:
        told.append((number, title))

    return verdict(probe_everything(target_of(running), sizes_for(semantics), tell))


def test_each_kind_of_conflicts_is_told_apart(found: Verdict, semantics: Semantics) -> None:
    assert found.semantics is semantics


def test_many_writers_are_safe_unless_there_are_no_conflicts(
    found: Verdict, semantics: Semantics
) -> None:
    assert found.many_writers_safe is (semantics is not Semantics.NO_CONFLICTS)


def test_the_assumptions_that_fail(found: Verdict, semantics: Semantics) -> None:
    failing = {one.number for one in found.findings if one.status is Status.FAILS}
    # How fast this machine is at the moment says nothing about the probes.
    assert failing - {SPEED} == FAILING[semantics]


def test_only_an_abandoned_row_is_not_waited_for(found: Verdict, semantics: Semantics) -> None:
    untested = [one for one in found.findings if one.status is Status.UNTESTED]
    if semantics in LEAVING_ROWS_FREE:
        assert untested == []
    else:
        assert [(one.number, one.seen) for one in untested] == [(8, "still held after 0.2 s")]


def test_progress_is_told_once_for_each_probe(found: Verdict, told: list[tuple[int, str]]) -> None:
    assert told == list(TITLES.items())


def test_nothing_is_left_behind(found: Verdict, running: Running) -> None:
    assert schemas(running) == []
    assert running.open_transactions() == 0
