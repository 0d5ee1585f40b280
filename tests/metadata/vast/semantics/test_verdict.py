"""Pins what an operator is told: each assumption's state, and what to do."""

from dataclasses import fields, replace
from typing import Any

import pytest

pytest.importorskip("vastdb", reason="vastdb is not installed (pip install 'tams-graphql[vast]')")

from tams_graphql.metadata.vast.semantics.classify import Semantics
from tams_graphql.metadata.vast.semantics.findings import Status, findings
from tams_graphql.metadata.vast.semantics.observations import (
    AbandonedWriter,
    Apart,
    ChosenRowIds,
    CommitReplies,
    Deletes,
    HotRow,
    Observations,
    OtherColumns,
    SameCell,
    Snapshots,
    SortedRows,
    TwoUpdates,
    Untested,
    Visibility,
)
from tams_graphql.metadata.vast.semantics.verdict import verdict
from tests.metadata.vast.semantics.seen import (
    AT_ONCE,
    CONFLICT,
    DONE,
    FIRST_UPDATER,
    LOST,
    MOVING,
    NO_ANSWER,
    OF_EACH,
    OTHERWISE,
    RACES,
    REFUSED,
    STORED,
    WAITED_STORED,
    but,
)

HOLDS, FAILS, UNTESTED = Status.HOLDS, Status.FAILS, Status.UNTESTED


def test_all_holds_where_the_first_updater_wins() -> None:
    found = findings(FIRST_UPDATER)
    assert [one.number for one in found] == list(range(1, 14))
    assert {one.status for one in found} == {HOLDS}


@pytest.mark.parametrize(
    ("number", "observed", "status", "seen"),
    [
        (1, SameCell(STORED, STORED), FAILS, "while the first is open, after its commit: both"),
        (1, SameCell(AT_ONCE, STORED), FAILS, "after its commit: both were stored"),
        (1, SameCell(WAITED_STORED, STORED), HOLDS, "waited for the first, then both were stored"),
        (1, SameCell(NO_ANSWER, AT_ONCE), UNTESTED, "no answer"),
        (2, OtherColumns(STORED, STORED, AT_ONCE), HOLDS, "the same value: the second was refused"),
        (2, OtherColumns(AT_ONCE, AT_ONCE, STORED), FAILS, "the same value: both were stored"),
        (3, Deletes(AT_ONCE, STORED, AT_ONCE, DONE), FAILS, "update then delete: both were stored"),
        (3, Deletes(OTHERWISE, AT_ONCE, AT_ONCE, REFUSED), HOLDS, "501 NotImplemented"),
        (4, Apart(STORED, AT_ONCE, STORED, STORED), FAILS, "rows 70,000 apart: the second was"),
        (5, MOVING, FAILS, "shows later commits when it is read again"),
        (5, Snapshots(True, False, True), FAILS, "half of another transaction"),
        (5, Snapshots(True, False, False), HOLDS, "when it first reads"),
        (6, Visibility(2, 1000, 1), FAILS, "1 of 1000 commits were not seen through 2 node(s)"),
        (6, Visibility(1, 50, 0), UNTESTED, "give the endpoints of two nodes or more"),
        (7, CommitReplies(DONE, LOST, LOST), HOLDS, "a second commit: done"),
        (7, CommitReplies(LOST, DONE, LOST), FAILS, "after a rollback: done"),
        (7, CommitReplies(LOST, LOST, DONE), FAILS, "of an unknown transaction: done"),
        (8, AbandonedWriter(freed=False, seconds=120.0), UNTESTED, "still held after 120.0 s"),
        (8, AbandonedWriter(freed=True, seconds=61.04), HOLDS, "free after 61.0 s"),
        (9, TwoUpdates(CONFLICT, 1, 1), FAILS, "the second was refused as a conflict"),
        (9, TwoUpdates(DONE, 1, 2), FAILS, "read inside: 1, stored: 2"),
        (10, SortedRows(9, 1.0, 9, 5, 0, REFUSED), FAILS, "9 of 9 row ids changed"),
        (10, SortedRows(9, 1.0, 0, 5, 1, REFUSED), FAILS, "1 of 5 updates were refused"),
        (10, SortedRows(9, None, 0, 5, 0, REFUSED), UNTESTED, "not sorted before the probe gave"),
        (11, ChosenRowIds(DONE, DONE, AT_ONCE), FAILS, "the same again: done"),
        (11, ChosenRowIds(DONE, CONFLICT, STORED), FAILS, "at the same time: both were stored"),
        (11, ChosenRowIds(REFUSED, REFUSED, OTHERWISE), UNTESTED, "400 InvalidArgument"),
        (12, replace(RACES, counted=1599), FAILS, "by 8 writers made 1599"),
        (12, replace(RACES, taken_twice=2), FAILS, "2 of 200 slots had two winners"),
        (12, replace(RACES, not_taken=2), UNTESTED, "2 slots were not taken in time"),
        (12, replace(RACES, acknowledged=0, counted=0), UNTESTED, "0 increments by 8 writers"),
        (13, HotRow(6000, 60.0, 8.0, 21.1), FAILS, "8.0 ms an update at first, 21.1 ms in the end"),
        (13, HotRow(6000, 60.0, 8.0, 20.9), HOLDS, "(6000 updates in 60 s)"),
    ],
)
def test_the_state_of_one_assumption(
    number: int, observed: object, status: Status, seen: str
) -> None:
    name = fields(Observations)[number - 1].name
    found = findings(but(**{name: observed}))
    assert found[number - 1].status is status
    assert seen in found[number - 1].seen
    assert {one.status for one in found if one.number != number} == {HOLDS}


def test_why_a_probe_could_not_be_played_is_told() -> None:
    everything = {field.name: Untested("503 ServiceUnavailable") for field in fields(Observations)}
    nothing = Observations(**everything)  # type: ignore[arg-type]
    assert {(one.status, one.seen) for one in findings(nothing)} == {
        (UNTESTED, "503 ServiceUnavailable")
    }
    assert verdict(nothing).semantics is Semantics.UNKNOWN


@pytest.mark.parametrize(
    ("semantics", "safe"),
    [
        (Semantics.FIRST_UPDATER_WINS, "Any number of writer processes is safe"),
        (Semantics.FIRST_COMMITTER_WINS, "Any number of writer processes is safe"),
        (Semantics.CONFLICTS_PER_CELL, "Any number of writer processes is safe"),
        (Semantics.CONFLICTS_PER_TABLE, "is safe, but they take turns"),
        (Semantics.READ_COMMITTED, "Any number of writer processes is safe"),
        (Semantics.NO_CONFLICTS, "Only one writer process is safe"),
    ],
)
def test_what_an_operator_is_told(semantics: Semantics, safe: str) -> None:
    told = verdict(OF_EACH[semantics]).sentences
    assert len(told) == 3
    assert told[0] == f"This cluster shows {semantics.value}."
    assert safe in told[2]


@pytest.mark.parametrize(
    ("other", "told"),
    [
        (
            {"races": replace(RACES, taken_twice=2)},
            "But 2 of 200 slots had two winners: run",
        ),
        ({"apart": Untested("503")}, "A probe that it would be told by could not be run"),
        ({"same_cell": SameCell(STORED, AT_ONCE)}, "Only one writer process can be called safe"),
        ({"abandoned": Untested("503")}, "Not tested to the end: probe 8."),
        (
            {"abandoned": Untested("503"), "visibility": Visibility(1, 50, 0)},
            "Not tested to the end: probes 6, 8.",
        ),
    ],
)
def test_what_an_operator_is_told_beside_that(other: dict[str, Any], told: str) -> None:
    assert told in " ".join(verdict(but(**other)).sentences)
