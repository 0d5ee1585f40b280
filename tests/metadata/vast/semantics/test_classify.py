"""Pins which observations mean which kind of conflicts, and when several writers are safe."""

from dataclasses import replace

import pytest

pytest.importorskip("vastdb", reason="vastdb is not installed (pip install 'tams-graphql[vast]')")

from tams_graphql.metadata.vast.semantics.classify import (
    Semantics,
    many_writers_safe,
    objections,
    semantics_of,
)
from tams_graphql.metadata.vast.semantics.observations import (
    Apart,
    CommitReplies,
    Observations,
    OtherColumns,
    SameCell,
    Snapshots,
    Untested,
    Visibility,
)
from tests.metadata.vast.semantics.seen import (
    AT_COMMIT,
    AT_ONCE,
    DONE,
    FIRST_REFUSED,
    FIRST_UPDATER,
    LOST,
    MOVING,
    NO_ANSWER,
    OF_EACH,
    OTHERWISE,
    RACES,
    STORED,
    WAITED_REFUSED,
    WAITED_STORED,
    but,
)

HALF_FRESH = Snapshots(first_read_is_fresh=True, rereads_move=False, torn=False)
COMMITTER = OF_EACH[Semantics.FIRST_COMMITTER_WINS]
LOCKS = OF_EACH[Semantics.READ_COMMITTED]
NONE = OF_EACH[Semantics.NO_CONFLICTS]


@pytest.mark.parametrize("semantics", OF_EACH)
def test_the_plainest_example_of_each_kind(semantics: Semantics) -> None:
    seen = OF_EACH[semantics]
    assert semantics_of(seen) is semantics
    assert many_writers_safe(seen) is (semantics is not Semantics.NO_CONFLICTS)


@pytest.mark.parametrize(
    ("seen", "semantics"),
    [
        pytest.param(
            but(same_cell=SameCell(WAITED_REFUSED, AT_ONCE)),
            Semantics.FIRST_UPDATER_WINS,
            id="waiting, then refused",
        ),
        pytest.param(
            but(same_cell=SameCell(AT_ONCE, AT_COMMIT)),
            Semantics.FIRST_UPDATER_WINS,
            id="locks, and a check at commit",
        ),
        pytest.param(
            but(COMMITTER, same_cell=SameCell(AT_COMMIT, AT_ONCE)),
            Semantics.FIRST_COMMITTER_WINS,
            id="a check at commit, and of what is known to be stale",
        ),
        pytest.param(
            but(snapshots=HALF_FRESH),
            Semantics.FIRST_UPDATER_WINS,
            id="a snapshot taken by the first read",
        ),
        pytest.param(
            but(LOCKS, same_cell=SameCell(AT_ONCE, STORED)),
            Semantics.READ_COMMITTED,
            id="locks that nobody waits for",
        ),
        pytest.param(
            but(LOCKS, same_cell=SameCell(WAITED_REFUSED, STORED)),
            Semantics.READ_COMMITTED,
            id="locks waited for too long",
        ),
        pytest.param(
            but(NONE, snapshots=MOVING), Semantics.NO_CONFLICTS, id="fresh reads without locks"
        ),
        pytest.param(
            but(apart=Apart(AT_COMMIT, AT_COMMIT, STORED, STORED)),
            Semantics.CONFLICTS_PER_TABLE,
            id="updates of a table conflict, inserts don't",
        ),
    ],
)
def test_variants_of_a_kind(seen: Observations, semantics: Semantics) -> None:
    assert semantics_of(seen) is semantics


@pytest.mark.parametrize(
    "seen",
    [
        pytest.param(but(same_cell=SameCell(AT_ONCE, STORED)), id="locks over old snapshots"),
        pytest.param(but(same_cell=SameCell(WAITED_STORED, STORED)), id="waits over old snapshots"),
        pytest.param(but(same_cell=SameCell(STORED, AT_ONCE)), id="only stale ones are refused"),
        pytest.param(but(same_cell=SameCell(WAITED_STORED, AT_ONCE)), id="waits, then overwrites"),
        pytest.param(but(same_cell=SameCell(FIRST_REFUSED, AT_ONCE)), id="the last updater wins"),
        pytest.param(but(same_cell=SameCell(NO_ANSWER, AT_ONCE)), id="no answer"),
        pytest.param(but(snapshots=MOVING), id="refused, but reads move"),
        pytest.param(
            but(snapshots=Snapshots(first_read_is_fresh=True, rereads_move=False, torn=True)),
            id="half of another transaction",
        ),
        pytest.param(but(apart=Apart(AT_ONCE, STORED, STORED, STORED)), id="blocks of rows"),
        pytest.param(but(apart=Apart(STORED, OTHERWISE, STORED, STORED)), id="an odd refusal"),
        pytest.param(
            but(other_columns=OtherColumns(STORED, AT_ONCE, AT_ONCE)), id="columns now and then"
        ),
        pytest.param(
            but(
                apart=Apart(AT_ONCE, AT_ONCE, STORED, STORED),
                other_columns=OtherColumns(STORED, STORED, AT_ONCE),
            ),
            id="tables, but not columns",
        ),
        *(
            pytest.param(but(**{name: Untested("503")}), id=f"{name} untested")
            for name in ("same_cell", "other_columns", "apart", "snapshots")
        ),
    ],
)
def test_what_fits_nothing_is_unknown_and_not_safe(seen: Observations) -> None:
    assert semantics_of(seen) is Semantics.UNKNOWN
    assert not many_writers_safe(seen)


@pytest.mark.parametrize(
    ("other", "objection"),
    [
        ({"races": replace(RACES, counted=1599)}, "1600 increments made a counter 1599"),
        ({"races": replace(RACES, counted=1601)}, "1600 increments made a counter 1601"),
        ({"races": replace(RACES, taken_twice=1)}, "1 of 200 slots had two winners"),
        (
            {"races": replace(RACES, acknowledged=0, counted=0)},
            "the race of several writers could not be run",
        ),
        ({"races": replace(RACES, not_taken=200)}, "the race of several writers could not be run"),
        ({"races": Untested("503")}, "the race of several writers could not be run"),
        ({"visibility": Visibility(2, 1000, unseen=3)}, "3 of 1000 commits were seen too late"),
        ({"commits": CommitReplies(LOST, DONE, LOST)}, "a commit was confirmed that was none"),
        ({"commits": CommitReplies(LOST, LOST, DONE)}, "a commit was confirmed that was none"),
    ],
)
def test_a_trial_that_fails_outweighs_the_kind(other: dict[str, object], objection: str) -> None:
    seen = but(**other)
    assert semantics_of(seen) is Semantics.FIRST_UPDATER_WINS
    assert objections(seen) == [objection]
    assert not many_writers_safe(seen)


@pytest.mark.parametrize(
    "other",
    [
        {"races": replace(RACES, in_doubt=2, counted=1601)},
        {"visibility": Visibility(1, 50, unseen=0)},
        {"visibility": Untested("503")},
        {"commits": CommitReplies(DONE, LOST, LOST)},
        {"abandoned": Untested("503"), "sorted_rows": Untested("503")},
    ],
)
def test_what_speaks_against_nobody(other: dict[str, object]) -> None:
    assert objections(but(**other)) == []
    assert many_writers_safe(but(FIRST_UPDATER, **other))
