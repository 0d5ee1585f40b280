"""What the probes saw, as plain values."""

from dataclasses import dataclass
from enum import Enum

from tams_graphql.metadata.vast.semantics.replies import Reply


class Ending(Enum):
    """How two transactions that overlap in time ended; the first one always goes first."""

    BOTH_STORED = "both were stored"
    REFUSED_AT_ONCE = "the second was refused at once"
    REFUSED_AT_COMMIT = "the second was refused when it committed"
    WAITED_THEN_STORED = "the second waited for the first, then both were stored"
    WAITED_THEN_REFUSED = "the second waited for the first and was refused then"
    FIRST_REFUSED = "the first was refused when it committed"
    REFUSED_OTHERWISE = "the second was refused, but not as a conflict"
    UNANSWERED = "the second got no answer"


@dataclass(frozen=True, slots=True)
class Duel:
    """Two overlapping transactions; `words` are the cluster's, if it refused otherwise."""

    ending: Ending
    words: str = ""

    @property
    def silent(self) -> bool:
        """Whether both were stored and neither noticed the other."""
        return self.ending is Ending.BOTH_STORED

    def __str__(self) -> str:
        return f"{self.ending.value} ({self.words})" if self.words else self.ending.value


@dataclass(frozen=True, slots=True)
class Untested:
    """A probe that could not be played to its end, and why."""

    why: str


@dataclass(frozen=True, slots=True)
class SameCell:
    """Probe 1: both update one column of one row.

    Attributes:
        while_open: the second updates before the first commits.
        after_commit: the second, which began earlier, updates after the first committed.
    """

    while_open: Duel
    after_commit: Duel


@dataclass(frozen=True, slots=True)
class OtherColumns:
    """Probe 2: two columns of one row; and an update that changes no value."""

    while_open: Duel
    after_commit: Duel
    same_value: Duel


@dataclass(frozen=True, slots=True)
class Deletes:
    """Probe 3: updates against deletes; and an update of a row long gone."""

    delete_then_update: Duel
    update_then_delete: Duel
    delete_twice: Duel
    gone: Reply


@dataclass(frozen=True, slots=True)
class Apart:
    """Probe 4: what is apart and must not conflict."""

    adjacent: Duel
    far_apart: Duel
    two_inserts: Duel
    insert_and_update: Duel


@dataclass(frozen=True, slots=True)
class Snapshots:
    """Probe 5: whether a transaction sees what is committed after it began.

    Attributes:
        first_read_is_fresh: its first read of a table shows later commits.
        rereads_move: what it had read already shows later commits.
        torn: it saw one of two rows of a single commit as it was before, the other as after.
    """

    first_read_is_fresh: bool
    rereads_move: bool
    torn: bool


@dataclass(frozen=True, slots=True)
class Visibility:
    """Probe 6: commits through one node that a transaction begun on the next did not see."""

    nodes: int
    rounds: int
    unseen: int


@dataclass(frozen=True, slots=True)
class CommitReplies:
    """Probe 7: commits of transactions that are not open."""

    twice: Reply
    after_rollback: Reply
    unknown: Reply


@dataclass(frozen=True, slots=True)
class AbandonedWriter:
    """Probe 8: whether, and after how many seconds, another could change an abandoned row."""

    freed: bool
    seconds: float


@dataclass(frozen=True, slots=True)
class TwoUpdates:
    """Probe 9: 1, then 2 is written to one row in one transaction."""

    second: Reply
    seen_inside: int | None
    stored: int | None


@dataclass(frozen=True, slots=True)
class SortedRows:
    """Probe 10: a sorted table while it is sorted.

    Attributes:
        sorted_after: seconds; ``None`` if it was not by the time the probe gave up.
        ids_changed: how many rows had another row id in the end.
        updates: how many updates of another column, by a single writer, were tried.
        conflicts: how many of those were refused as conflicts.
        key_update: what an update of a key column is answered.
    """

    rows: int
    sorted_after: float | None
    ids_changed: int
    updates: int
    conflicts: int
    key_update: Reply


@dataclass(frozen=True, slots=True)
class ChosenRowIds:
    """Probe 11: row ids chosen by the application."""

    accepted: Reply
    duplicate: Reply
    both_at_once: Duel


@dataclass(frozen=True, slots=True)
class Races:
    """Probe 12: writers that lock, read, write and rerun on conflict.

    Attributes:
        acknowledged: increments whose commit was confirmed.
        in_doubt: increments whose commit was not answered.
        counted: what the counter says in the end.
        conflicts: reruns.
        slots: how many were raced for.
        taken_twice: slots with more than one winner.
        not_taken: slots without a winner.
    """

    writers: int
    acknowledged: int
    in_doubt: int
    counted: int
    conflicts: int
    slots: int
    taken_twice: int
    not_taken: int

    @property
    def run(self) -> bool:
        """Whether there was a race at all before its time was over."""
        return self.acknowledged > 0 and self.not_taken < self.slots

    @property
    def exact(self) -> bool:
        """Whether the counter is right."""
        return self.acknowledged <= self.counted <= self.acknowledged + self.in_doubt


@dataclass(frozen=True, slots=True)
class HotRow:
    """Probe 13: milliseconds per update of one row, at first and in the end (medians)."""

    updates: int
    seconds: float
    first_ms: float
    last_ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Observations:
    """All 13, in their order."""

    same_cell: SameCell | Untested
    other_columns: OtherColumns | Untested
    deletes: Deletes | Untested
    apart: Apart | Untested
    snapshots: Snapshots | Untested
    visibility: Visibility | Untested
    commits: CommitReplies | Untested
    abandoned: AbandonedWriter | Untested
    two_updates: TwoUpdates | Untested
    sorted_rows: SortedRows | Untested
    chosen_row_ids: ChosenRowIds | Untested
    races: Races | Untested
    hot_row: HotRow | Untested
