"""From observations to the kind of conflicts, and to how many writers are safe. Asks nobody."""

from enum import Enum
from typing import Final

from tams_graphql.metadata.vast.semantics.observations import (
    Duel,
    Ending,
    Observations,
    Snapshots,
    Untested,
)

AT_OPERATION: Final = frozenset({Ending.REFUSED_AT_ONCE, Ending.WAITED_THEN_REFUSED})
REFUSED: Final = AT_OPERATION | {Ending.REFUSED_AT_COMMIT}


class Semantics(Enum):
    """What a cluster does with concurrent changes."""

    FIRST_UPDATER_WINS = "snapshots, and the first to update a row wins"
    FIRST_COMMITTER_WINS = "snapshots, and the first to commit a changed row wins"
    CONFLICTS_PER_CELL = "snapshots, and conflicts for each cell"
    CONFLICTS_PER_TABLE = "snapshots, and conflicts for whole tables"
    READ_COMMITTED = "read committed, with row locks"
    NO_CONFLICTS = "no conflicts: the last writer wins"
    UNKNOWN = "nothing that is known"


SERIALISING: Final = frozenset(Semantics) - {Semantics.NO_CONFLICTS, Semantics.UNKNOWN}
"""Under these, writers that lock first and then read lose nothing."""


def semantics_of(seen: Observations) -> Semantics:
    """The one kind of conflicts that explains what was seen; `UNKNOWN` if none does."""
    same, other, apart, snapshots = (
        seen.same_cell, seen.other_columns, seen.apart, seen.snapshots,
    )  # fmt: skip
    if (
        isinstance(same, Untested)
        or isinstance(other, Untested)
        or isinstance(apart, Untested)
        or isinstance(snapshots, Untested)
    ):
        return Semantics.UNKNOWN
    if same.while_open.silent and same.after_commit.silent:
        return Semantics.NO_CONFLICTS
    if _waits_and_reads_afresh(same.while_open, same.after_commit, snapshots):
        return Semantics.READ_COMMITTED
    if not _refused(same.while_open, same.after_commit) or _moves(snapshots):
        return Semantics.UNKNOWN
    return _of_snapshots(
        same.while_open,
        columns=(other.while_open, other.after_commit),
        rows=(apart.adjacent, apart.far_apart),
    )


def _of_snapshots(cell: Duel, columns: tuple[Duel, Duel], rows: tuple[Duel, Duel]) -> Semantics:
    if _refused(*rows):
        return Semantics.CONFLICTS_PER_TABLE if _refused(*columns) else Semantics.UNKNOWN
    if not _silent(*rows):
        return Semantics.UNKNOWN
    if _silent(*columns):
        return Semantics.CONFLICTS_PER_CELL
    if not _refused(*columns):
        return Semantics.UNKNOWN
    if cell.ending is Ending.REFUSED_AT_COMMIT:
        return Semantics.FIRST_COMMITTER_WINS
    return Semantics.FIRST_UPDATER_WINS


def _waits_and_reads_afresh(while_open: Duel, after_commit: Duel, snapshots: Snapshots) -> bool:
    # Who loses patience while waiting for a lock is refused.
    locks = AT_OPERATION | {Ending.WAITED_THEN_STORED}
    return while_open.ending in locks and after_commit.silent and snapshots.rereads_move


def _moves(snapshots: Snapshots) -> bool:
    return snapshots.rereads_move or snapshots.torn


def _refused(*duels: Duel) -> bool:
    return all(duel.ending in REFUSED for duel in duels)


def _silent(*duels: Duel) -> bool:
    return all(duel.silent for duel in duels)


def many_writers_safe(seen: Observations) -> bool:
    """Whether several writer processes lose nothing: by their conflicts, and by trial."""
    return semantics_of(seen) in SERIALISING and not objections(seen)


def objections(seen: Observations) -> list[str]:
    """What speaks against several writers, apart from the kind of conflicts; empty if nothing."""
    found = []
    races, visibility, commits = seen.races, seen.visibility, seen.commits
    if isinstance(races, Untested) or not races.run:
        found.append("the race of several writers could not be run")
    else:
        if not races.exact:
            found.append(f"{races.acknowledged} increments made a counter {races.counted}")
        if races.taken_twice:
            found.append(f"{races.taken_twice} of {races.slots} slots had two winners")
    if not isinstance(visibility, Untested) and visibility.unseen:
        found.append(f"{visibility.unseen} of {visibility.rounds} commits were seen too late")
    if not isinstance(commits, Untested) and (commits.after_rollback.done or commits.unknown.done):
        found.append("a commit was confirmed that was none")
    return found
