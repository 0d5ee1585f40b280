"""An in-memory metadata engine that is as hostile as VAST DB (INVARIANTS).

1. Results come in a shuffled order; the engine sorts and limits on its own side.
2. Nothing is unique: two inserts of one key make two rows.
3. A transaction sees the snapshot at its begin plus its own changes. Updating or deleting a row
   that somebody else holds, or has changed since that snapshot, raises a conflict there and then.
4. A commit locks first: it counts up the versions of what the command relies on, in sorted
   order, then lets the command read, then applies its changes; a conflict re-runs all of it
   after a pause with jitter, within a budget.
5. Events are logged in one of several lanes, as if each belonged to a process of its own, whose
   clock is minutes off.
6. Between any two of these steps other tasks get their turn.

With ``conflict_rows=False`` step 4 leaves the counting out, with ``row_clocks=False`` step 5 goes
by the clocks alone: deliberately broken builds.
"""

import asyncio
import random
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import pyarrow as pa

from tams_graphql.metadata import tables
from tams_graphql.metadata.engine import Aggregate, Changes, Command, Key, Row, Scan
from tams_graphql.metadata.event_tables import EVENT_FLOORS, EVENTS, LANES
from tams_graphql.metadata.tables import Table
from tams_graphql.model.errors import Unavailable
from tests.metadata import naive
from tests.metadata.naive import StoredRow

T = TypeVar("T")
RowId = tuple[Table, int]

LANE_COUNT = 4
_MOST_SKEW_US = 300_000_000


class _RowConflictError(Exception):
    """Another transaction holds or has changed the row."""


class _ReliesOnMore(BaseException):  # so that no command swallows it
    """The command turned out to rely on rows that were not locked before its reads."""

    def __init__(self, aggregates: Iterable[Aggregate]) -> None:
        self.aggregates = frozenset(aggregates)


@dataclass(eq=False, slots=True)
class _StoredVersions:
    """One row: every committed state with its commit number, oldest first."""

    history: list[tuple[int, StoredRow | None]] = field(default_factory=list)
    holder: "_Transaction | None" = None

    def at(self, snapshot: int) -> StoredRow | None:
        for number, row in reversed(self.history):
            if number <= snapshot:
                return row
        return None


class _Database:
    """Rows by table and row id; commits are numbered."""

    def __init__(self) -> None:
        self.commits = 0
        self.rows: dict[Table, dict[int, _StoredVersions]] = {t: {} for t in tables.TABLES}
        self._next_row_id = 0

    def store(self, table: Table, row: StoredRow) -> None:
        self._next_row_id += 1
        self.rows[table][self._next_row_id] = _StoredVersions([(self.commits, row)])


class _Transaction:
    """A snapshot, and changes that nobody else sees before `commit`."""

    def __init__(self, database: _Database, chance: random.Random) -> None:
        self._database = database
        self._chance = chance
        self._snapshot = database.commits
        self._written: dict[RowId, StoredRow | None] = {}
        self._inserted: list[tuple[Table, StoredRow]] = []

    def select(self, table: Table) -> list[tuple[int | None, StoredRow]]:
        """All rows with their row ids, shuffled; own inserts have no row id yet."""
        found: list[tuple[int | None, StoredRow]] = [
            (None, row) for inserted, row in self._inserted if inserted is table
        ]
        for row_id, versions in self._database.rows[table].items():
            row = self._written.get((table, row_id), versions.at(self._snapshot))
            if row is not None:
                found.append((row_id, row))
        self._chance.shuffle(found)
        return found

    def write(self, table: Table, row_id: int, row: StoredRow | None) -> None:
        """Update, or delete with ``None``. The first to write a row wins."""
        versions = self._database.rows[table][row_id]
        if versions.holder not in (None, self) or versions.history[-1][0] > self._snapshot:
            raise _RowConflictError
        versions.holder = self
        self._written[table, row_id] = row

    def insert(self, table: Table, row: StoredRow) -> None:
        self._inserted.append((table, row))

    def commit(self) -> None:
        self._database.commits += 1
        for (table, row_id), row in self._written.items():
            self._database.rows[table][row_id].history.append((self._database.commits, row))
        for table, row in self._inserted:
            self._database.store(table, row)
        self.end()

    def end(self) -> None:
        """Let go of the rows held; without `commit` nothing has happened."""
        for table, row_id in self._written:
            versions = self._database.rows[table][row_id]
            versions.holder = None if versions.holder is self else versions.holder


class _View:
    """The port's reads within one transaction."""

    def __init__(self, transaction: _Transaction, locked: frozenset[Aggregate] | None) -> None:
        self._transaction = transaction
        self._locked = locked

    def get(
        self, table: Table, keys: Sequence[Key], columns: tuple[str, ...] | None = None
    ) -> pa.Table:
        wanted = set(keys)
        found = [row for _, row in self._transaction.select(table) if _key(table, row) in wanted]
        return naive.to_table(table, columns, found)

    def page(self, scan: Scan) -> pa.Table:
        return naive.to_table(scan.table, scan.columns, self._rows(scan))

    def first_per_key(self, scan: Scan, prefixes: Sequence[Key]) -> pa.Table:
        scans = [replace(scan, prefix=prefix) for prefix in dict.fromkeys(prefixes)]
        rows = [row for each in scans for row in self._rows(each)]
        return naive.to_table(scan.table, scan.columns, rows)

    def count(self, scan: Scan) -> int:
        return len(self._rows(replace(scan, limit=2**62)))

    def rely_on(self, *aggregates: Aggregate) -> None:
        if self._locked is not None and not self._locked.issuperset(aggregates):
            raise _ReliesOnMore(aggregates)

    def _rows(self, scan: Scan) -> list[StoredRow]:
        return naive.rows_of(scan, (row for _, row in self._transaction.select(scan.table)))


class VastShapedEngine:
    """See the module. `seed` decides shuffles, pauses and turns; `attempts` is the budget."""

    background_rows = 500

    def __init__(
        self,
        *,
        conflict_rows: bool = True,
        row_clocks: bool = True,
        seed: int = 0,
        attempts: int = 500,
    ) -> None:
        self._conflict_rows = conflict_rows
        self._row_clocks = row_clocks
        self._attempts = attempts
        self._chance = random.Random(seed)
        self._database = _Database()
        for number in range(tables.GUARD_COUNT):
            guard = {"guard_id": f"{number:04d}", "version": 0, "hlc": None}
            self._database.store(tables.GUARDS, guard)
        self._skews = [
            self._chance.randint(-_MOST_SKEW_US, _MOST_SKEW_US) for _ in range(LANE_COUNT)
        ]
        for lane in range(LANE_COUNT):
            free = {"lane": lane, "epoch": 0, "lease_until_us": 0, "sequence": 0, "hlc": 0}
            self._database.store(LANES, _full_row(LANES, free))
            floor = {"lane": lane, "log_id": "shaped", "version": 0, "sequence": 0}
            self._database.store(EVENT_FLOORS, floor)

    async def get(
        self, table: Table, keys: Sequence[Key], columns: tuple[str, ...] | None = None
    ) -> pa.Table:
        return (await self._snapshot()).get(table, keys, columns)

    async def page(self, scan: Scan) -> pa.Table:
        return (await self._snapshot()).page(scan)

    async def first_per_key(self, scan: Scan, prefixes: Sequence[Key]) -> pa.Table:
        return (await self._snapshot()).first_per_key(scan, prefixes)

    async def count(self, scan: Scan) -> int:
        return (await self._snapshot()).count(scan)

    async def commit(
        self, command: Command[T], relies_on: Iterable[Aggregate], *, background: bool = False
    ) -> T:
        aggregates = frozenset(relies_on)
        for attempt in range(self._attempts):
            try:
                return await self._attempt(command, aggregates)
            except _ReliesOnMore as more:
                aggregates |= more.aggregates
            except _RowConflictError:
                await asyncio.sleep(self._chance.uniform(0, 0.0005 * min(attempt + 1, 20)))
        raise Unavailable("too many concurrent writers; try again")

    async def check(self) -> None:
        """Memory can always be read."""

    async def close(self) -> None:
        """Nothing is held."""

    async def _snapshot(self) -> _View:
        await self._others_turn()
        return _View(_Transaction(self._database, self._chance), None)

    async def _others_turn(self) -> None:
        for _ in range(self._chance.randrange(4)):
            await asyncio.sleep(0)

    async def _attempt(self, command: Command[T], aggregates: frozenset[Aggregate]) -> T:
        transaction = _Transaction(self._database, self._chance)
        try:
            await self._others_turn()
            for aggregate in sorted(aggregates) if self._conflict_rows else ():
                _bump(transaction, aggregate)
                await self._others_turn()
            changes = command(_View(transaction, aggregates))
            heard = max(
                (row["hlc"] or 0 for *_, row in _clocks(transaction, aggregates)), default=0
            )
            for apply in _operations(changes):
                await self._others_turn()
                apply.run(transaction)
            await self._others_turn()
            if changes.events:
                self._log(transaction, aggregates, changes.events, heard)
                await self._others_turn()
            transaction.commit()
        finally:
            transaction.end()
        return changes.answer

    def _log(
        self,
        transaction: _Transaction,
        aggregates: Iterable[Aggregate],
        events: Sequence[Row],
        heard: int,
    ) -> None:
        number = self._chance.randrange(LANE_COUNT)
        lanes = transaction.select(LANES)
        row_id, lane = next(found for found in lanes if found[1]["lane"] == number)
        now_us = time.time_ns() // 1000 + self._skews[number]
        hlc = max(now_us, lane["hlc"], heard if self._row_clocks else 0)
        for n, event in enumerate(events, 1):
            place = {"lane": number, "sequence": lane["sequence"] + n, "hlc": hlc + n}
            transaction.insert(EVENTS, _full_row(EVENTS, {**event, **place}))
        last = {"sequence": lane["sequence"] + len(events), "hlc": hlc + len(events)}
        assert row_id is not None
        transaction.write(LANES, row_id, {**lane, **last})
        for table, place_of, row in [*_clocks(transaction, aggregates)]:
            if place_of is None:
                row["hlc"] = last["hlc"]
            else:
                transaction.write(table, place_of, {**row, "hlc": last["hlc"]})


@dataclass(frozen=True, slots=True)
class _Operation:
    """One row of a command's changes."""

    kind: str
    table: Table
    value: Any

    def run(self, transaction: _Transaction) -> None:
        if self.kind == "insert":
            transaction.insert(self.table, _full_row(self.table, self.value))
            return
        deleted = self.kind == "delete"
        key = self.value if deleted else _key(self.table, self.value)
        for row_id, row in transaction.select(self.table):
            if row_id is not None and _key(self.table, row) == key:
                transaction.write(self.table, row_id, None if deleted else {**row, **self.value})


def _operations(changes: Changes[Any]) -> Iterator[_Operation]:
    for kind in ("delete", "update", "insert"):
        for table, values in getattr(changes, kind).items():
            for value in values:
                assert kind != "update" or "version" not in value, "versions are the engine's"
                yield _Operation(kind, table, value)


def _full_row(table: Table, row: Mapping[str, Any]) -> StoredRow:
    unknown = set(row) - set(table.columns)
    missing = {f.name for f in table.schema if not f.nullable and row.get(f.name) is None}
    assert not unknown | missing, f"{table.name}: wrong or missing {sorted(unknown | missing)}"
    return {name: row.get(name) for name in table.columns}


def _bump(transaction: _Transaction, aggregate: Aggregate) -> None:
    table = aggregate.table
    for row_id, row in transaction.select(table):
        if row_id is not None and row[table.key[0]] == aggregate.identifier:
            transaction.write(table, row_id, {**row, "version": row["version"] + 1})


def _clocks(
    transaction: _Transaction, aggregates: Iterable[Aggregate]
) -> Iterator[tuple[Table, int | None, StoredRow]]:
    """The rows of `aggregates` that keep the clock of their last event."""
    for aggregate in aggregates:
        table = aggregate.table
        for row_id, row in transaction.select(table) if "hlc" in table.columns else ():
            if row[table.key[0]] == aggregate.identifier:
                yield table, row_id, row


def _key(table: Table, row: Mapping[str, Any]) -> Key:
    return tuple(row[name] for name in table.key)
