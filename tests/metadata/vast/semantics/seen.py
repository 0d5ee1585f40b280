"""Observations as clusters of each kind would give them."""

from dataclasses import replace
from typing import Any

from tams_graphql.metadata.vast.semantics.classify import Semantics
from tams_graphql.metadata.vast.semantics.observations import (
    AbandonedWriter,
    Apart,
    ChosenRowIds,
    CommitReplies,
    Deletes,
    Duel,
    Ending,
    HotRow,
    Observations,
    OtherColumns,
    Races,
    SameCell,
    Snapshots,
    SortedRows,
    TwoUpdates,
    Visibility,
)
from tams_graphql.metadata.vast.semantics.replies import Kind, Reply

STORED = Duel(Ending.BOTH_STORED)
AT_ONCE = Duel(Ending.REFUSED_AT_ONCE)
AT_COMMIT = Duel(Ending.REFUSED_AT_COMMIT)
WAITED_STORED = Duel(Ending.WAITED_THEN_STORED)
WAITED_REFUSED = Duel(Ending.WAITED_THEN_REFUSED)
FIRST_REFUSED = Duel(Ending.FIRST_REFUSED)
NO_ANSWER = Duel(Ending.UNANSWERED)
OTHERWISE = Duel(Ending.REFUSED_OTHERWISE, "501 NotImplemented")

DONE, CONFLICT, LOST = Reply(Kind.DONE), Reply(Kind.CONFLICT), Reply(Kind.LOST)
REFUSED = Reply(Kind.REFUSED, "400 InvalidArgument")

STEADY = Snapshots(first_read_is_fresh=False, rereads_move=False, torn=False)
MOVING = Snapshots(first_read_is_fresh=True, rereads_move=True, torn=True)

RACES = Races(
    writers=8,
    acknowledged=1600,
    in_doubt=0,
    counted=1600,
    conflicts=99,
    slots=200,
    taken_twice=0,
    not_taken=0,
)
"""All went well."""

FIRST_UPDATER = Observations(
    same_cell=SameCell(AT_ONCE, AT_ONCE),
    other_columns=OtherColumns(AT_ONCE, AT_ONCE, AT_ONCE),
    deletes=Deletes(AT_ONCE, AT_ONCE, AT_ONCE, gone=REFUSED),
    apart=Apart(STORED, STORED, STORED, STORED),
    snapshots=STEADY,
    visibility=Visibility(nodes=2, rounds=1000, unseen=0),
    commits=CommitReplies(LOST, LOST, LOST),
    abandoned=AbandonedWriter(freed=True, seconds=61.0),
    two_updates=TwoUpdates(DONE, 2, 2),
    sorted_rows=SortedRows(100, 3.0, ids_changed=0, updates=50, conflicts=0, key_update=REFUSED),
    chosen_row_ids=ChosenRowIds(DONE, CONFLICT, AT_ONCE),
    races=RACES,
    hot_row=HotRow(updates=6000, seconds=60.0, first_ms=8.0, last_ms=9.0),
)


def but(base: Observations = FIRST_UPDATER, **other: Any) -> Observations:
    """As `base`, with some observations replaced."""
    return replace(base, **other)


OF_EACH: dict[Semantics, Observations] = {
    Semantics.FIRST_UPDATER_WINS: FIRST_UPDATER,
    Semantics.FIRST_COMMITTER_WINS: but(
        same_cell=SameCell(AT_COMMIT, AT_COMMIT),
        other_columns=OtherColumns(AT_COMMIT, AT_COMMIT, AT_COMMIT),
    ),
    Semantics.CONFLICTS_PER_CELL: but(other_columns=OtherColumns(STORED, STORED, AT_ONCE)),
    Semantics.CONFLICTS_PER_TABLE: but(apart=Apart(AT_ONCE, AT_ONCE, AT_ONCE, AT_ONCE)),
    Semantics.READ_COMMITTED: but(
        same_cell=SameCell(WAITED_STORED, STORED),
        other_columns=OtherColumns(WAITED_STORED, STORED, WAITED_STORED),
        snapshots=MOVING,
    ),
    Semantics.NO_CONFLICTS: but(
        same_cell=SameCell(STORED, STORED), other_columns=OtherColumns(STORED, STORED, STORED)
    ),
}
"""The plainest example of each kind."""
