"""The one question of the engine's start: is it safe that others write at the same time?

1. Insert a row that nobody else knows.
2. Two transactions begin and update it; both commit.
3. If one of them is refused, or has to wait, the store guards rows.
4. Delete the row.
"""

import random
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from typing import Final, TypeVar

from vastdb.table_metadata import TableMetadata

from tams_graphql.metadata.vast.cluster import Cluster
from tams_graphql.metadata.vast.faults import RowConflict, TransactionLost
from tams_graphql.metadata.vast.semantics.duels import Ring
from tams_graphql.metadata.vast.semantics.observations import Duel, Ending
from tams_graphql.metadata.vast.semantics.writers import Row, deleting, setting, writing
from tams_graphql.model.errors import Unavailable

_TRIES: Final = 20
_PAUSE: Final = 0.2
_LEAST_PATIENCE: Final = 1.0
_SLOWER_THAN_FREE: Final = 10.0
"""What takes so many times as long as what nobody hinders is waiting for a lock."""

Answer = TypeVar("Answer")


def row_conflicts_hold(cluster: Cluster, metadata: TableMetadata) -> bool:
    """Whether the store detects or serialises two concurrent updates of one row.

    A dozen requests; any number of processes may ask at once. The row that it works with is
    deleted in the end.

    Args:
        cluster: where the index is.
        metadata: of an unsorted table with the columns ``probe_id`` (string) and ``version``
            (int64), neither of them nullable, that serves nothing else.

    Raises:
        Unavailable: the cluster does not answer, or refuses for other reasons than conflicts.
    """
    began = time.monotonic()
    row = _persistently(lambda: _inserted(cluster, metadata))
    patience = max(_LEAST_PATIENCE, _SLOWER_THAN_FREE * (time.monotonic() - began))
    ring = Ring(cluster, patience)
    try:
        return _persistently(lambda: _hindered(ring, row))
    finally:
        with suppress(Unavailable):
            _persistently(lambda: _deleted(cluster, row))


def _persistently(play: Callable[[], Answer]) -> Answer:
    # Where whole tables conflict, other processes that ask the same are in the way.
    for _ in range(_TRIES):
        with suppress(RowConflict, TransactionLost):
            return play()
        time.sleep(random.uniform(0, _PAUSE))  # noqa: S311
    raise Unavailable("the metadata store (VAST DB) refuses all changes as conflicts")


def _inserted(cluster: Cluster, metadata: TableMetadata) -> Row:
    with writing(cluster) as writer:
        (row_id,) = writer.insert(metadata, probe_id=[str(uuid.uuid4())], version=[0])
        writer.commit()
    return Row(metadata, key=0, row_id=row_id)


def _hindered(ring: Ring, row: Row) -> bool:
    duel = _played(ring, row)
    if duel.ending is Ending.WAITED_THEN_STORED:
        # A cluster may stall for once; a lock is there again.
        duel = _played(ring, row)
    return not duel.silent


def _played(ring: Ring, row: Row) -> Duel:
    duel = ring.duel(None, setting(row, version=1), setting(row, version=2))
    if duel.ending in {Ending.REFUSED_OTHERWISE, Ending.UNANSWERED}:
        raise Unavailable(duel.words)
    return duel


def _deleted(cluster: Cluster, row: Row) -> None:
    with writing(cluster) as writer:
        deleting(row)(writer)
        writer.commit()
