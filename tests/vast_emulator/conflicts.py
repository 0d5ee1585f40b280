"""Which concurrent changes are refused, under one of six semantics.

What a change relies on being alone with is a claim: a row, a cell, a table, or a name (DDL).

| semantics        | claims | another open transaction has it | committed after my snapshot |
|------------------|--------|---------------------------------|-----------------------------|
| `updater`        | rows   | 409 at once                     | 409 at once                 |
| `committer`      | rows   | goes on                         | 409 at commit               |
| `cell`           | cells  | 409 at once                     | 409 at once                 |
| `table`          | tables | 409 at once (inserts, too)      | 409 at once                 |
| `read-committed` | rows   | waits, then 409                 | goes on, reads are fresh    |
| `none`           | none   | goes on                         | goes on, the last one wins  |

DDL behaves like `updater` under each of them (the SDK's tests show that for column renames).
"""

from collections import deque
from collections.abc import Hashable, Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

import numpy as np

from .catalog import Catalog
from .refusals import conflict
from .rowchanges import DeleteRows, InsertRows, UpdateRows
from .rowgroups import Ids


class Semantics(StrEnum):
    """What the emulated cluster does with concurrent changes."""

    UPDATER = "updater"
    COMMITTER = "committer"
    CELL = "cell"
    TABLE = "table"
    READ_COMMITTED = "read-committed"
    NONE = "none"


class DdlChange(Protocol):
    """A change of names or columns."""

    def claims(self) -> Iterable[Hashable]: ...

    def apply(self, catalog: Catalog) -> Catalog: ...


RowChange = InsertRows | UpdateRows | DeleteRows
Change = DdlChange | RowChange
Claims = set[Hashable]


class Locked(Exception):
    """Another open transaction has the claim; under read committed, one waits for it."""


@dataclass(eq=False)
class Footprint:
    """What one transaction has claimed, and which rows are its own inserts."""

    snapshot: int
    eager: Claims = field(default_factory=set)
    late: Claims = field(default_factory=set)
    inserted: dict[int, list[Ids]] = field(default_factory=dict)

    def foreign(self, handle: int, ids: Ids) -> Ids:
        """The rows that others could see, too."""
        for own in self.inserted.get(handle, []):
            ids = ids[~np.isin(ids, own)]
        return ids


@dataclass(eq=False)
class Conflicts:
    """Who claims what, and which claims were committed since the oldest open snapshot."""

    semantics: Semantics
    _held: dict[Hashable, Footprint] = field(default_factory=dict)
    _committed: deque[tuple[int, Claims]] = field(default_factory=deque)

    def claim(self, mine: Footprint, change: Change, catalog: Catalog) -> None:
        """Note what a change claims, before it is applied.

        Raises:
            Refused: 409, somebody else was first.
            Locked: under read committed, somebody else is at it.
        """
        if not isinstance(change, InsertRows | UpdateRows | DeleteRows):
            self._claim_first(mine, set(change.claims()), stale=True)
            return
        claims = self._row_claims(mine, change, catalog)
        match self.semantics:
            case Semantics.NONE:
                pass
            case Semantics.COMMITTER:
                mine.late |= claims
            case Semantics.READ_COMMITTED:
                if any(self._held.get(one, mine) is not mine for one in claims):
                    raise Locked
                self._claim_first(mine, claims, stale=False)
            case _:
                self._claim_first(mine, claims, stale=True)

    def _row_claims(self, mine: Footprint, change: RowChange, catalog: Catalog) -> Claims:
        handle = change.handle
        if self.semantics is Semantics.TABLE:
            return {("rows", handle)}
        if isinstance(change, InsertRows):
            mine.inserted.setdefault(handle, []).append(change.ids)
            return set()
        rows = mine.foreign(handle, change.ids).tolist()
        if self.semantics is Semantics.CELL:
            stored = catalog.table(handle).stored
            cells = change.columns if isinstance(change, UpdateRows) else stored
            return {("cell", handle, row, name) for row in rows for name in cells}
        return {("row", handle, row) for row in rows}

    def _claim_first(self, mine: Footprint, claims: Claims, *, stale: bool) -> None:
        new = claims - mine.eager
        if any(self._held.get(one, mine) is not mine for one in new):
            raise conflict("Another open transaction changed the same")
        if stale and self._since(mine.snapshot, new):
            raise conflict("It was changed after this transaction began")
        for one in new:
            self._held[one] = mine
        mine.eager |= new

    def _since(self, snapshot: int, claims: Claims) -> bool:
        return bool(claims) and any(
            seq > snapshot and not claims.isdisjoint(theirs) for seq, theirs in self._committed
        )

    def check_commit(self, mine: Footprint) -> None:
        """Refuse a commit if what was claimed late was committed by another meanwhile.

        Raises:
            Refused: 409, under first committer wins.
        """
        if self._since(mine.snapshot, mine.late):
            raise conflict("Another transaction committed a change of the same")

    def release(self, mine: Footprint) -> None:
        """Give up all claims, after commit or rollback."""
        for one in mine.eager:
            self._held.pop(one, None)

    def record(self, mine: Footprint, seq: int, oldest: int) -> None:
        """Remember a commit's claims for those whose snapshot is older than it."""
        self._committed.append((seq, mine.eager | mine.late))
        while self._committed and self._committed[0][0] <= oldest:
            self._committed.popleft()
