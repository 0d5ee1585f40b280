"""One write transaction: lock, let the commands read, write, commit.

1. Lock: count up the `version` of every row that a command relies on, before anything is read
   that a decision rests on (INVARIANTS: safe even where reads are of the latest commit).
2. Commands run one after the other over an `Overlay`.
3. Their events get their places in the lane, and a clock later than that of every row that they
   are about; those rows keep it (INVARIANTS, event order).
4. Write: for each table one delete, one update for each set of columns, inserts of up to 4 MiB.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from tams_graphql.metadata import tables
from tams_graphql.metadata.engine import Aggregate, Changes, Key, Row
from tams_graphql.metadata.event_tables import EVENTS
from tams_graphql.metadata.tables import Table
from tams_graphql.metadata.vast.catalogue import Catalogue, with_row_ids
from tams_graphql.metadata.vast.cluster import Transaction
from tams_graphql.metadata.vast.density import Densities
from tams_graphql.metadata.vast.faults import errors_told
from tams_graphql.metadata.vast.lanes import Lock
from tams_graphql.metadata.vast.overlay import Overlay, Touched
from tams_graphql.metadata.vast.queries import ROW_ID, Query
from tams_graphql.metadata.vast.reading import Reading
from tams_graphql.metadata.vast.selecting import chunks, select_in
from tams_graphql.metadata.vast.walking import known, same_keys
from tams_graphql.metadata.waiting import in_order

_MOST_BYTES = 4 * 1024**2
"""Of one insert; the protocol's limit is 5 MiB, its framing included."""


_ALONG: Mapping[Table, Table | None] = {
    tables.FLOWS: None,
    tables.OBJECTS: tables.REFERENCES,
    tables.SOURCES: None,
}
"""The tables whose locked rows commands go on to read, and what else of theirs they do: all in
one query for all commands."""


class WriteView(Reading):
    """What commands see: the snapshot, and what those before them want changed."""

    def __init__(
        self, transaction: Transaction, catalogue: Catalogue, densities: Densities
    ) -> None:
        self._transaction = transaction
        self._catalogue = catalogue
        self._stored = select_in(transaction, catalogue)
        self._overlay = Overlay(self._stored)
        self._locked: set[Aggregate] = set()
        self._relied: set[Aggregate] = set()
        self._clocks: set[Aggregate] = set()
        self._events: list[Row] = []
        super().__init__(self._overlay.select, densities)

    def get(
        self, table: Table, keys: Sequence[Key], columns: tuple[str, ...] | None = None
    ) -> pa.Table:
        """See `View.get`."""
        wanted = known(table, columns)
        schema = pa.schema([table.schema.field(name) for name in wanted])
        return pa.Table.from_pylist(self._overlay.get(table, keys), schema=schema)

    def rely_on(self, *aggregates: Aggregate) -> None:
        """See `View.rely_on`: what a command has not read yet can be locked as late as now."""
        self._relied.update(aggregates)
        if more := set(aggregates) - self._locked:
            # Where reads are of the latest commit, what was read before is older than the lock.
            self._overlay.forget()
            self.lock(Counter(more))

    def lock(self, aggregates: Counter[Aggregate]) -> None:
        """Count up the version of each aggregate that exists, by as many as rely on it.

        Then, and not before all of them are locked, read the rows that commands will ask for.

        Raises:
            RowConflict: another transaction has one of them.
        """
        self._locked.update(aggregates)
        locked: dict[Table, list[str]] = {}
        for table, alike in groupby(in_order(aggregates), key=lambda one: one.table):
            times = {one.identifier: aggregates[one] for one in alike}
            locked[table] = list(times)
            for some in chunks(locked[table]):
                self._count_up(table, {identifier: times[identifier] for identifier in some})
        for table, identifiers in locked.items():
            self._read_along(table, identifiers)

    def start(self, aggregates: Iterable[Aggregate]) -> None:
        """Begin with a command that relies on `aggregates`, which are locked."""
        self._relied = set(aggregates)

    def accept(self, changes: Changes[Any]) -> int:
        """Take in what the command wants done; see `Overlay.accept`."""
        rows = self._overlay.accept(changes)
        if changes.events:
            self._events += changes.events
            self._clocks |= {one for one in self._relied if "hlc" in one.table.columns}
        return rows + len(changes.events)

    def log(self, lane: Lock, now_us: int) -> tuple[int, int] | None:
        """Give the events of all commands their places in `lane`; `now_us` by our clock.

        Returns:
            Sequence and clock of the last one; ``None`` if there are none.
        """
        if not self._events:
            return None
        keys: dict[Table, list[Key]] = {}
        for one in self._clocks:
            keys.setdefault(one.table, []).append((one.identifier,))
        stored = [self._overlay.stored_values(table, some, "hlc") for table, some in keys.items()]
        heard = [hlc for values in stored for hlc in values if isinstance(hlc, int)]
        hlc = max(now_us, lane.hlc, *heard)
        placed = [
            {**event, "lane": lane.number, "sequence": lane.sequence + n, "hlc": hlc + n}
            for n, event in enumerate(self._events, 1)
        ]
        last = hlc + len(placed)
        clocks = {
            table: [{table.key[0]: key[0], "hlc": last} for key in some]
            for table, some in keys.items()
        }
        self._overlay.accept(Changes(answer=None, insert={EVENTS: placed}, update=clocks))
        return lane.sequence + len(placed), last

    def write(self) -> None:
        """Send everything accepted to the cluster, within the transaction."""
        for table, touched in self._overlay.touched():
            with errors_told():
                write(
                    self._transaction.sdk.table_from_metadata(self._catalogue[table]),
                    table,
                    touched,
                )

    def _count_up(self, table: Table, times: dict[str, int]) -> None:
        name = table.key[0]
        keys = tuple((identifier,) for identifier in times)
        found = self._stored(
            Query(
                table=table,
                columns=(name, "version"),
                conditions=same_keys(table.key, keys),
                row_ids=True,
            )
        ).rows
        if found.num_rows:
            by = pa.array([times[one] for one in found[name].to_pylist()], pa.int64())
            versions = pc.add(found["version"], by)
            with errors_told():
                self._transaction.sdk.table_from_metadata(self._catalogue[table]).update(
                    with_row_ids(table, found[ROW_ID], {"version": versions})
                )
        for identifier, by_times in times.items():
            self._overlay.counted_up(table, (identifier,), by_times)

    def _read_along(self, table: Table, identifiers: list[str]) -> None:
        if table not in _ALONG:
            return
        rows = self._overlay.get(table, [(identifier,) for identifier in identifiers])
        if table is tables.FLOWS and len(rows) > 1:
            # Each event of a flow tells who collects it; several commands ask in one query.
            sources = dict.fromkeys(row["source_id"] for row in rows)
            self._overlay.read_alike(tables.COLLECTIONS, "member_source_id", list(sources))
        if (along := _ALONG[table]) is not None:
            self._overlay.read_partitions(along, identifiers)


def write(stored: Any, table: Table, touched: Sequence[Touched]) -> None:
    """Apply `touched` to `stored`, the SDK's table in a transaction.

    Raises:
        Exception: whatever the SDK raises; see `faults.errors_told`.
    """
    surplus = [row_id for one in touched for row_id in one.row_ids[one.row is not None :]]
    if surplus:
        stored.delete(with_row_ids(table, surplus, {}))
    for names, alike in _by_columns(touched):
        values = {name: [one.row[name] for one in alike if one.row] for name in names}
        stored.update(with_row_ids(table, [one.row_ids[0] for one in alike], values))
    inserted = [one.row for one in touched if one.row is not None and not one.row_ids]
    for batch in insertable(pa.Table.from_pylist(inserted, schema=table.schema)):
        stored.insert(batch)


def _by_columns(touched: Sequence[Touched]) -> Iterator[tuple[list[str], list[Touched]]]:
    groups: dict[frozenset[str], list[Touched]] = {}
    for one in touched:
        if one.row is not None and one.row_ids and one.changed:
            groups.setdefault(frozenset(one.changed), []).append(one)
    for names, alike in groups.items():
        yield sorted(names), alike


def insertable(rows: pa.Table) -> Iterator[pa.Table]:
    """`rows` in parts that one insert can take; large rows may stand beside small ones."""
    if rows.num_rows > 1 and rows.nbytes > _MOST_BYTES:
        half = rows.num_rows // 2
        yield from insertable(rows.slice(0, half))
        yield from insertable(rows.slice(half))
    elif rows.num_rows:
        yield rows
