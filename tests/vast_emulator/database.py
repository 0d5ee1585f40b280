"""Transactions over immutable catalogs.

1. `begin` takes the committed catalog as the transaction's snapshot.
2. Every change is first claimed (see `conflicts`), then applied to the transaction's own view,
   and kept in its list of changes.
3. `commit` installs the view if nobody committed since; otherwise the changes are applied again,
   to what is committed by now. What can't be applied any more is a 409, and nothing happened.
4. Rolled back, expired and refused transactions leave nothing but gaps in the row ids.

One thread only: the HTTP server's event loop is what makes each step atomic.
"""

import asyncio
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from .catalog import Catalog
from .conflicts import Change, Conflicts, Footprint, Locked, Semantics
from .journal import Journal
from .refusals import Refused, conflict, missing
from .rowchanges import InsertRows
from .rowgroups import Ids


@dataclass(eq=False)
class Transaction:
    """An open transaction; `view` is what it reads."""

    txid: int
    base: Catalog
    view: Catalog
    footprint: Footprint
    touched: float
    changes: list[Change] = field(default_factory=list)


def replay(catalog: Catalog, changes: Sequence[Change]) -> Catalog:
    """Apply changes in their order."""
    for change in changes:
        catalog = change.apply(catalog)
    return catalog


class Database:
    """All transactions, and what is committed.

    Args:
        semantics: how concurrent changes conflict.
        journal: keeps commits on disk; None to forget everything at the end.
        idle_timeout: seconds after which an unused transaction is rolled back; None for never.
        lock_wait: seconds that read committed waits for another transaction's row.
        behind: commits that a transaction begun on a late node does not see.
    """

    def __init__(
        self,
        semantics: Semantics = Semantics.UPDATER,
        journal: Journal | None = None,
        idle_timeout: float | None = None,
        lock_wait: float = 1.0,
        behind: int = 0,
    ) -> None:
        self.semantics = semantics
        self.idle_timeout = idle_timeout
        self._lock_wait = lock_wait
        self._journal = journal
        self._conflicts = Conflicts(semantics)
        self._open: dict[int, Transaction] = {}
        self._seq = 0
        self._next_txid = int(time.time()) << 20
        self._next_row: dict[int, int] = {}
        self.committed = Catalog()
        if journal is not None:
            self.committed = journal.load()
            self._recover_counters()
        self._next_handle = max(self.committed.tables, default=0)
        self._lately = deque([(self._seq, self.committed)], maxlen=behind + 1)

    def _recover_counters(self) -> None:
        for handle, table in self.committed.tables.items():
            for group in table.groups.values():
                if len(group.ids):
                    self._raise_next_row(handle, int(group.ids[-1]) + 1)

    def _raise_next_row(self, handle: int, at_least: int) -> None:
        self._next_row[handle] = max(self._next_row.get(handle, 0), at_least)

    def new_handle(self) -> int:
        """A number for a new table or projection."""
        self._next_handle += 1
        return self._next_handle

    def new_row_ids(self, handle: int, count: int) -> Ids:
        """Row ids that no other insert gets, whatever becomes of this one."""
        start = self._next_row.get(handle, 0)
        self._raise_next_row(handle, start + count)
        return np.arange(start, start + count, dtype=np.int64)

    def begin(self, *, late: bool = False) -> Transaction:
        """Open a transaction on what is committed now, or, on a late node, was a little ago."""
        self._next_txid += 1
        seq, seen = self._lately[0 if late else -1]
        transaction = Transaction(self._next_txid, seen, seen, Footprint(seq), time.monotonic())
        self._open[transaction.txid] = transaction
        return transaction

    def find(self, txid: int, *, to_end: bool = False) -> Transaction:
        """An open transaction, kept alive by this.

        Args:
            txid: its number.
            to_end: whether it is to end now, so that it needs no view of what is committed.

        Raises:
            Refused: 404, it never existed, has ended or has expired.
        """
        self.expire()
        if txid not in self._open:
            raise missing("NoSuchTransaction", f"There is no open transaction {txid}")
        transaction = self._open[txid]
        transaction.touched = time.monotonic()
        fresh = transaction.base is self.committed
        if self.semantics is Semantics.READ_COMMITTED and not fresh and not to_end:
            self._refresh(transaction)
        return transaction

    def _refresh(self, transaction: Transaction) -> None:
        transaction.view = self._on_committed(transaction)
        transaction.base = self.committed

    def _on_committed(self, transaction: Transaction) -> Catalog:
        if transaction.base is self.committed:
            return transaction.view
        try:
            return replay(self.committed, transaction.changes)
        except Refused as error:
            raise conflict(f"No longer possible: {error.message}") from error

    async def change(self, transaction: Transaction, change: Change) -> None:
        """Make a change that only this transaction sees.

        Raises:
            Refused: 409, or what the change itself is refused with.
        """
        deadline = time.monotonic() + self._lock_wait
        while True:
            try:
                self._conflicts.claim(transaction.footprint, change, transaction.view)
                break
            except Locked:
                if time.monotonic() > deadline:
                    raise conflict("Gave up waiting for another transaction's row") from None
                await asyncio.sleep(0.005)
                transaction = self.find(transaction.txid)
        transaction.view = change.apply(transaction.view)
        transaction.changes.append(change)
        if isinstance(change, InsertRows) and change.external and len(change.ids):
            self._raise_next_row(change.handle, int(change.ids[-1]) + 1)

    def commit(self, transaction: Transaction) -> None:
        """Make a transaction's changes everybody's, or roll it back.

        Raises:
            Refused: 409, and the transaction is gone.
        """
        try:
            self._conflicts.check_commit(transaction.footprint)
            result = self._on_committed(transaction)
        except Refused:
            self.rollback(transaction)
            raise
        self._close(transaction)
        if not transaction.changes:
            return
        if self._journal is not None:
            self._journal.append(transaction.changes)
        self.committed = result
        self._seq += 1
        self._lately.append((self._seq, result))
        snapshots = (one.footprint.snapshot for one in self._open.values())
        oldest = min([self._lately[0][0], *snapshots])
        self._conflicts.record(transaction.footprint, self._seq, oldest)

    def rollback(self, transaction: Transaction) -> None:
        """Forget a transaction."""
        self._close(transaction)

    def _close(self, transaction: Transaction) -> None:
        self._open.pop(transaction.txid, None)
        self._conflicts.release(transaction.footprint)

    def expire(self) -> None:
        """Roll back transactions that nobody has used for too long."""
        if self.idle_timeout is None:
            return
        limit = time.monotonic() - self.idle_timeout
        for transaction in [one for one in self._open.values() if one.touched < limit]:
            self.rollback(transaction)

    def open_transactions(self) -> int:
        """How many are open now."""
        self.expire()
        return len(self._open)
