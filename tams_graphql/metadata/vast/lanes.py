"""The lane of a writing process: a row that each of its transactions updates.

A fresh ``commit_id`` in it tells, after a commit whose answer was lost, whether that commit came
to be. ``epoch`` counts the owners of a lane: who finds another one there has lost it, because
its lease ended while the process was idle, and takes a new one (INVARIANTS, ADR 0009).
"""

import random
import time
import uuid
from contextlib import suppress
from dataclasses import dataclass

import pyarrow as pa

from tams_graphql.metadata.engine import OneOf
from tams_graphql.metadata.event_tables import LANES
from tams_graphql.metadata.vast.catalogue import Catalogue, with_row_ids
from tams_graphql.metadata.vast.cluster import Cluster, Transaction
from tams_graphql.metadata.vast.faults import RowConflict, TransactionLost, errors_told
from tams_graphql.metadata.vast.queries import ROW_ID, Query
from tams_graphql.metadata.vast.selecting import select_in
from tams_graphql.model.errors import Unavailable

LEASE_SECONDS = 30.0
SETTLED_SECONDS = 1.0
"""How long the only writer waits for another one's claim, made at the same moment, to show."""

_TRIES = 50

_ALL_TAKEN = "all lanes of the metadata store (VAST DB) are taken: too many writing processes"
_NOBODY_KNOWS = (
    "the metadata store (VAST DB) can't say any more whether this change was made; look whether"
    " it is there before you try again"
)
_ONLY_ONE = (
    "this VAST cluster does not tell concurrent writers of one row apart (see `tams doctor"
    " --vast-semantics`), so that only one process may write, and another one does; stop it, or"
    f" wait {LEASE_SECONDS:.0f} s if it has crashed"
)


class LaneTaken(Unavailable):
    """Another process owns the lane that this one must have."""


class LaneLost(Unavailable):
    """Another process took the lane while the outcome of a commit was in doubt."""


@dataclass(frozen=True, slots=True)
class Lock:
    """What a transaction found and wrote in its lane.

    `mine`: the commit id that it wrote; `before`: the one that was there. `sequence` and `hlc`
    are those of the last event of the lane `number`.
    """

    mine: str
    before: str | None
    number: int
    sequence: int
    hlc: int


class Lane:
    """This process's lane; leased at the first write, given back at the end.

    Args:
        cluster: where the lanes are.
        catalogue: the tables.
        only: the lane to take, whoever else there is; ``None``: any that is free.
    """

    def __init__(self, cluster: Cluster, catalogue: Catalogue, only: int | None = None) -> None:
        self._cluster = cluster
        self._catalogue = catalogue
        self._only = only
        self._owner = uuid.uuid4().hex
        self._number: int | None = None
        self._epoch = 0
        self._written = 0.0

    def lock(self, transaction: Transaction, *, in_doubt: bool = False) -> Lock:
        """Update the lane's row in `transaction`.

        Args:
            transaction: one of this process's writes.
            in_doubt: whether the commit id that was there before matters. Where reads are of the
                latest commit, it can only be trusted once the row is ours.

        Raises:
            TransactionLost: the lane has to be leased anew; begin again.
        """
        found = self._rows(transaction, self._number)
        if in_doubt and found.num_rows:
            self._write(transaction, found)
            found = self._rows(transaction, self._number)
        if self._number is None or not self._owned(found):
            self._number = None
            raise TransactionLost("no lane is leased")
        mine = uuid.uuid4().hex
        self._write(transaction, found, commit_id=mine)
        row = found.to_pylist()[0]
        return Lock(
            mine,
            before=row["commit_id"],
            number=row["lane"],
            sequence=row["sequence"] or 0,
            hlc=row["hlc"] or 0,
        )

    def advance(self, transaction: Transaction, sequence: int, hlc: int) -> None:
        """Name the last event of the lane, in a transaction that has its `lock`.

        Raises:
            TransactionLost: somebody took the lane just before it was locked, which shows as late
                as here where reads are of the latest commit.
        """
        found = self._rows(transaction, self._number)
        if not self._owned(found):
            raise TransactionLost("the lane has another owner")
        self._write(transaction, found, sequence=sequence, hlc=hlc)

    def committed(self, commit_id: str) -> bool:
        """Whether the transaction of `commit_id` is the last of this lane that came to be.

        Raises:
            LaneLost: nobody can say any more.
            Unavailable: the cluster does not answer.
        """
        with self._cluster.reading() as transaction:
            found = self._rows(transaction, self._number)
        if not self._owned(found):
            raise LaneLost(_NOBODY_KNOWS)
        return found["commit_id"].to_pylist() == [commit_id]  # type: ignore[no-any-return]  # Arrow

    def lease(self) -> None:
        """Have a lane: keep the one that is ours, for longer, or take a free one.

        Raises:
            LaneTaken: the only one that this process may have is another's.
            Unavailable: none is free, or the cluster does not answer.
        """
        if not self._cluster.committed(self._take, tries=_TRIES, pauses=(0.001, 0.02)):
            raise Unavailable("the metadata store (VAST DB) gave no lane to write in; try again")

    def require(self) -> None:
        """Have a lane that nobody may take for a while; raises as `lease` does."""
        if self._number is None or time.monotonic() > self._written + LEASE_SECONDS / 2:
            self.lease()

    def claim(self) -> None:
        """Lease the only lane, and make sure that nobody did so at the same moment.

        Raises, besides what `lease` does:
            LaneTaken: somebody did.
        """
        self.lease()
        time.sleep(SETTLED_SECONDS)
        with self._cluster.reading() as transaction:
            if not self._owned(self._rows(transaction, self._number)):
                raise LaneTaken(_ONLY_ONE)

    @property
    def renew_after(self) -> float | None:
        """After how many idle seconds to `renew`; ``None``: a lane lost is soon replaced."""
        return None if self._only is None else LEASE_SECONDS / 3

    def renew(self) -> None:
        """Keep the lane, if there is one, and the cluster answers."""
        if self._number is not None:
            with suppress(Unavailable):
                self.lease()

    def release(self) -> None:
        """Let another process have the lane at once; without an answer its lease just ends."""
        if self._number is None:
            return
        with (
            suppress(Unavailable, RowConflict, TransactionLost),
            self._cluster.writing() as transaction,
        ):
            found = self._rows(transaction, self._number)
            if self._owned(found):
                self._write(transaction, found, owner=None, lease_until_us=0)
        self._number = None

    def _take(self, transaction: Transaction) -> None:
        found = self._rows(transaction, self._only)
        owners, leases = found["owner"].to_pylist(), found["lease_until_us"].to_pylist()
        mine = [n for n, owner in enumerate(owners) if owner == self._owner]
        free = [n for n, until in enumerate(leases) if until < _now_us()]
        if not mine and not free:
            raise LaneTaken(_ONLY_ONE if self._only is not None else _ALL_TAKEN)
        row = found.slice(mine[0] if mine else random.choice(free), 1)  # noqa: S311 no secret
        self._number = row["lane"][0].as_py()
        self._epoch = row["epoch"][0].as_py() + (0 if mine else 1)
        self._write(transaction, row, owner=self._owner, epoch=self._epoch)

    def _owned(self, found: pa.Table) -> bool:
        return bool(
            found.num_rows == 1
            and found["owner"][0].as_py() == self._owner
            and found["epoch"][0].as_py() == self._epoch
        )

    def _rows(self, transaction: Transaction, number: int | None) -> pa.Table:
        conditions = () if number is None else (OneOf("lane", (number,)),)
        query = Query(table=LANES, columns=LANES.columns, conditions=conditions, row_ids=True)
        return select_in(transaction, self._catalogue)(query).rows

    def _write(self, transaction: Transaction, row: pa.Table, **changed: str | int | None) -> None:
        changed.setdefault("lease_until_us", _now_us() + int(LEASE_SECONDS * 1_000_000))
        rows = with_row_ids(LANES, row[ROW_ID], {name: [value] for name, value in changed.items()})
        self._written = time.monotonic()
        with errors_told():
            transaction.sdk.table_from_metadata(self._catalogue[LANES]).update(rows)


def _now_us() -> int:
    return time.time_ns() // 1_000
