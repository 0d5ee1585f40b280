"""Whether each assumption of the design holds, by what its probe saw. Asks nobody."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from enum import Enum
from types import MappingProxyType
from typing import Any, Final

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
    Untested,
    Visibility,
)
from tams_graphql.metadata.vast.semantics.titles import ASSUMPTIONS, TITLES

_SLOWER = 2.0
_JITTER_MS = 5.0
_LOUD: Final = frozenset(Ending) - {Ending.BOTH_STORED, Ending.UNANSWERED}


class Status(Enum):
    """What is known of an assumption."""

    HOLDS = "holds"
    FAILS = "does not hold"
    UNTESTED = "could not be tested"


@dataclass(frozen=True, slots=True)
class Finding:
    """One probe: what the design assumes, whether that holds, and what was seen."""

    number: int
    title: str
    assumption: str
    status: Status
    seen: str


Judged = tuple[Status, str]


def findings(seen: Observations) -> tuple[Finding, ...]:
    """One for each of the 13 probes, in their order."""
    observed = [getattr(seen, field.name) for field in fields(seen)]
    return tuple(
        Finding(number, TITLES[number], ASSUMPTIONS[number], *_judged(one))
        for number, one in enumerate(observed, start=1)
    )


def _judged(observed: Any) -> Judged:
    if isinstance(observed, Untested):
        return Status.UNTESTED, observed.why
    return _JUDGES[type(observed)](observed)


def _holds(condition: bool) -> Status:
    return Status.HOLDS if condition else Status.FAILS


def _loud(*duels: Duel) -> Status:
    """Whether in no duel both were stored without noticing each other."""
    if any(duel.silent for duel in duels):
        return Status.FAILS
    return _holds(True) if all(one.ending in _LOUD for one in duels) else Status.UNTESTED


def _told(**duels: object) -> str:
    """What happened in each, those of the same ending together."""
    by_ending: dict[str, list[str]] = {}
    for name, duel in duels.items():
        by_ending.setdefault(str(duel), []).append(name.replace("_", " "))
    return "; ".join(f"{', '.join(names)}: {ending}" for ending, names in by_ending.items())


def _same_cell(seen: SameCell) -> Judged:
    told = _told(while_the_first_is_open=seen.while_open, after_its_commit=seen.after_commit)
    if seen.while_open.ending is Ending.WAITED_THEN_STORED and seen.after_commit.silent:
        # Nobody's snapshot is older than the lock, if reads are fresh: probe 5 tells.
        return Status.HOLDS, told
    return _loud(seen.while_open, seen.after_commit), told


def _other_columns(seen: OtherColumns) -> Judged:
    told = _told(
        two_columns=seen.while_open,
        two_columns_after_commit=seen.after_commit,
        the_same_value=seen.same_value,
    )
    return _loud(seen.same_value), told


def _deletes(seen: Deletes) -> Judged:
    told = _told(
        delete_then_update=seen.delete_then_update,
        update_then_delete=seen.update_then_delete,
        two_deletes=seen.delete_twice,
        update_of_a_row_long_gone=seen.gone,
    )
    return _loud(seen.delete_then_update, seen.update_then_delete, seen.delete_twice), told


def _apart(seen: Apart) -> Judged:
    duels = {
        "adjacent_rows": seen.adjacent,
        "rows_70,000_apart": seen.far_apart,
        "two_inserts": seen.two_inserts,
        "insert_and_update": seen.insert_and_update,
    }
    return _holds(all(duel.silent for duel in duels.values())), _told(**duels)


def _snapshots(seen: Snapshots) -> Judged:
    if seen.rereads_move:
        return Status.FAILS, "what it had read shows later commits when it is read again"
    if seen.torn:
        return Status.FAILS, "it saw half of another transaction"
    if seen.first_read_is_fresh:
        return Status.HOLDS, "its snapshot is taken when it first reads, and stays so"
    return Status.HOLDS, "its snapshot is taken when it begins, and stays so"


def _visibility(seen: Visibility) -> Judged:
    told = f"{seen.unseen} of {seen.rounds} commits were not seen through {seen.nodes} node(s)"
    if seen.unseen:
        return Status.FAILS, told
    if seen.nodes == 1:
        return Status.UNTESTED, f"{told}: give the endpoints of two nodes or more"
    return Status.HOLDS, told


def _commits(seen: CommitReplies) -> Judged:
    told = _told(
        a_second_commit=seen.twice,
        after_a_rollback=seen.after_rollback,
        of_an_unknown_transaction=seen.unknown,
    )
    return _holds(not seen.after_rollback.done and not seen.unknown.done), told


def _abandoned(seen: AbandonedWriter) -> Judged:
    if seen.freed:
        return Status.HOLDS, f"free after {seen.seconds:.1f} s"
    return Status.UNTESTED, f"still held after {seen.seconds:.1f} s"


def _two_updates(seen: TwoUpdates) -> Judged:
    told = f"the second was {seen.second}; read inside: {seen.seen_inside}, stored: {seen.stored}"
    return _holds(seen.second.done and (seen.seen_inside, seen.stored) == (2, 2)), told


def _sorted_rows(seen: SortedRows) -> Judged:
    told = (
        f"{seen.ids_changed} of {seen.rows} row ids changed, {seen.conflicts} of {seen.updates}"
        f" updates were refused; an update of the key was {seen.key_update}"
    )
    if seen.ids_changed or seen.conflicts:
        return Status.FAILS, f"{told}: look row ids up in each transaction"
    if seen.sorted_after is None:
        return Status.UNTESTED, f"{told}; it was not sorted before the probe gave up"
    return Status.HOLDS, f"{told}; sorted after {seen.sorted_after:.1f} s"


def _chosen_row_ids(seen: ChosenRowIds) -> Judged:
    told = _told(
        a_chosen_one=seen.accepted,
        the_same_again=seen.duplicate,
        at_the_same_time=seen.both_at_once,
    )
    if not seen.accepted.done:
        return Status.UNTESTED, told
    return _holds(not seen.duplicate.done and not seen.both_at_once.silent), told


def _races(seen: Races) -> Judged:
    told = (
        f"{seen.acknowledged} increments by {seen.writers} writers made {seen.counted};"
        f" {seen.taken_twice} of {seen.slots} slots had two winners; {seen.conflicts} reruns"
    )
    if not seen.exact or seen.taken_twice:
        return Status.FAILS, told
    if seen.not_taken or not seen.run:
        return Status.UNTESTED, f"{told}; {seen.not_taken} slots were not taken in time"
    return Status.HOLDS, told


def _hot_row(seen: HotRow) -> Judged:
    told = (
        f"{seen.first_ms:.1f} ms an update at first, {seen.last_ms:.1f} ms in the end"
        f" ({seen.updates} updates in {seen.seconds:.0f} s)"
    )
    return _holds(seen.last_ms <= _SLOWER * seen.first_ms + _JITTER_MS), told


_JUDGES: Final[Mapping[type, Callable[[Any], Judged]]] = MappingProxyType(
    {
        SameCell: _same_cell,
        OtherColumns: _other_columns,
        Deletes: _deletes,
        Apart: _apart,
        Snapshots: _snapshots,
        Visibility: _visibility,
        CommitReplies: _commits,
        AbandonedWriter: _abandoned,
        TwoUpdates: _two_updates,
        SortedRows: _sorted_rows,
        ChosenRowIds: _chosen_row_ids,
        Races: _races,
        HotRow: _hot_row,
    }
)
