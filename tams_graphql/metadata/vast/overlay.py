"""What a transaction is about to change, laid over what it reads.

Commands that share a transaction see each other's changes, although nothing is sent before all
have had their say: so thousands of rows go out in one insert, and a command that fails leaves
no trace. A query's answer loses the stored rows that were touched and gains the touched ones
that match, whatever was asked.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from tams_graphql.metadata.columns import column_values
from tams_graphql.metadata.engine import Changes, Key, OneOf, Row, Scalar
from tams_graphql.metadata.tables import Table
from tams_graphql.metadata.vast.grouping import keep_keys
from tams_graphql.metadata.vast.queries import ROW_ID, Answer, Query, Select, matches
from tams_graphql.metadata.vast.selecting import chunks
from tams_graphql.metadata.vast.walking import same_keys

_MOST_READ_ALONG = 5_000

Stored = list[tuple[dict[str, Scalar], Any]]
"""The rows stored under one key, with their row ids: one, none, or two if ever it was raced."""


@dataclass(slots=True)
class Touched:
    """A row as it will be (`row`; ``None``: gone), and how to get there.

    `row_ids`: where it is stored; none: it is new. `changed`: the columns to be written.
    """

    row: dict[str, Scalar] | None
    row_ids: tuple[Any, ...] = ()
    changed: set[str] = field(default_factory=set)


class Overlay:
    """Rows read and touched in one transaction; `select` sees them as if they were stored."""

    def __init__(self, select: Select) -> None:
        self._stored = select
        self._touched: dict[Table, dict[Scalar, dict[Key, Touched]]] = {}
        self._known: dict[Table, dict[Key, Stored]] = {}
        self._whole: dict[Table, set[Scalar]] = {}
        self._seen: dict[Table, list[pa.Table]] = {}
        self._places: dict[Table, dict[Key, tuple[Any, ...]]] = {}
        self._alike: dict[tuple[Table, str], dict[Scalar, pa.Table]] = {}

    def select(self, query: Query) -> Answer:
        """The answer to `query` as if all changes accepted so far were stored."""
        touched = self._touched.get(query.table)
        if not query.columns and not touched:
            return self._stored(query)
        names = tuple(dict.fromkeys((*query.columns, *query.table.key)))
        cap = query.cap
        if cap is not None and touched:
            # A sample must not consist of rows that are gone.
            cap += sum(len(rows) for rows in touched.values())
        stored = replace(query, columns=names, row_ids=True, cap=cap)
        answer = self._read_already(stored) or self._stored(stored)
        located = answer.rows.select([*query.table.key, ROW_ID])
        self._seen.setdefault(query.table, []).append(located)
        rows = answer.rows.select(names)
        if touched:
            rows = pa.concat_tables([self._untouched(query, rows), self._matching(query, names)])
        return Answer(rows.select(query.columns), answer.complete)

    def get(self, table: Table, keys: Iterable[Key]) -> list[dict[str, Scalar]]:
        """Whole rows by primary key; what was read once is not asked for again."""
        wanted = list(dict.fromkeys(keys))
        self._learn(table, [key for key in wanted if self._find(table, key) is None])
        rows: list[dict[str, Scalar]] = []
        for key in wanted:
            touched = self._find(table, key)
            if touched is None:
                rows += [row for row, _ in self._known[table][key]]
            elif touched.row is not None:
                rows.append(touched.row)
        return rows

    def stored_values(self, table: Table, keys: Iterable[Key], name: str) -> list[Scalar]:
        """A column of the rows with these primary keys, as it is stored, of those that are."""
        wanted = list(dict.fromkeys(keys))
        self._learn(table, wanted)
        return [row[name] for key in wanted for row, _ in self._known[table][key]]

    def forget(self) -> None:
        """Read rows again when next they are asked for, but for those touched."""
        self._known.clear()
        self._whole.clear()
        self._alike.clear()

    def read_partitions(self, table: Table, firsts: Sequence[Scalar]) -> None:
        """Read all rows whose key begins with one of `firsts`, so that gets need no query."""
        for some in chunks(firsts):
            query = Query(
                table=table,
                columns=table.columns,
                conditions=(OneOf(table.key[0], some),),
                cap=_MOST_READ_ALONG,
                row_ids=True,
            )
            answer = self._stored(query)
            if answer.complete:
                self._remember(table, answer.rows)
                self._whole.setdefault(table, set()).update(some)

    def read_alike(self, table: Table, column: str, values: Sequence[Scalar]) -> None:
        """Read all rows whose `column` is one of `values`: who asks for one of these needs none."""
        for some in chunks(values):
            query = Query(
                table=table,
                columns=table.columns,
                conditions=(OneOf(column, some),),
                cap=_MOST_READ_ALONG,
                row_ids=True,
            )
            answer = self._stored(query)
            if answer.complete:
                alike = self._alike.setdefault((table, column), {})
                for value in some:
                    alike[value] = answer.rows.filter(pc.equal(answer.rows[column], value))

    def counted_up(self, table: Table, key: Key, by: int) -> None:
        """Let a touched row show the version that locking gave, or will have given, it."""
        touched = self._find(table, key)
        if touched is not None and touched.row is not None:
            touched.row["version"] = touched.row["version"] + by  # type: ignore[operator]  # a number

    def accept(self, changes: Changes[Any]) -> int:
        """Take in what a command wants done; how many rows that are.

        Raises:
            RuntimeError: a row has columns that it may not have, or lacks some; nothing is taken.
        """
        check(changes)
        # All that can fail comes before the first change.
        located = {table: self._locate(table, keys) for table, keys in changes.delete.items()}
        for table, rows in changes.update.items():
            keys = [key_of(table, row) for row in rows]
            self._learn(table, [key for key in keys if self._find(table, key) is None])
        for table, deleted in changes.delete.items():
            self._delete(table, deleted, located[table])
        for table, rows in changes.update.items():
            self._update(table, rows)
        for table, rows in changes.insert.items():
            self._insert(table, rows)
        every = (*changes.delete.values(), *changes.update.values(), *changes.insert.values())
        return sum(map(len, every))

    def touched(self) -> Iterator[tuple[Table, list[Touched]]]:
        """Everything to be written, by table."""
        for table, partitions in self._touched.items():
            yield table, [one for rows in partitions.values() for one in rows.values()]

    def _read_already(self, query: Query) -> Answer | None:
        """What `read_alike` has read of it; ``None``: nothing that would answer it."""
        for condition in query.conditions:
            alike = self._alike.get((query.table, condition.column))
            if not alike or not isinstance(condition, OneOf) or not condition.values:
                continue
            if all(value in alike for value in condition.values):
                rows = pa.concat_tables([alike[value] for value in condition.values])
                kept = [matches(row, query.conditions) for row in rows.to_pylist()]
                found = rows.filter(pa.array(kept, pa.bool_()))
                return Answer(found.select([*query.columns, ROW_ID]))
        return None

    def _delete(
        self, table: Table, keys: Sequence[Key], located: Mapping[Key, tuple[Any, ...]]
    ) -> None:
        for key in keys:
            touched = self._find(table, key)
            if touched is None and key in located:
                self._touch(table, key, Touched(None, located[key]))
            elif touched is not None and touched.row_ids:
                touched.row = None
            elif touched is not None:
                del self._touched[table][key[0]][key]

    def _update(self, table: Table, rows: Sequence[Row]) -> None:
        for row in rows:
            key = key_of(table, row)
            touched = self._find(table, key)
            if touched is None and (stored := self._known[table][key]):
                row_ids = tuple(row_id for _, row_id in stored)
                touched = Touched(dict(stored[0][0]), row_ids)
                self._touch(table, key, touched)
            if touched is not None and touched.row is not None:
                touched.row |= row
                touched.changed |= set(row) - set(table.key)

    def _insert(self, table: Table, rows: Sequence[Row]) -> None:
        for row in rows:
            key, whole = key_of(table, row), {name: row.get(name) for name in table.columns}
            touched = self._find(table, key)
            if touched is None:
                self._touch(table, key, Touched(whole))
            else:
                # Deleted in this transaction: what is stored becomes what is new.
                touched.row, touched.changed = whole, set(table.columns) - set(table.key)

    def _find(self, table: Table, key: Key) -> Touched | None:
        return self._touched.get(table, {}).get(key[0], {}).get(key)

    def _touch(self, table: Table, key: Key, touched: Touched) -> None:
        self._touched.setdefault(table, {}).setdefault(key[0], {})[key] = touched

    def _learn(self, table: Table, keys: Iterable[Key]) -> None:
        known, whole = self._known.setdefault(table, {}), self._whole.get(table, ())
        unknown = [key for key in dict.fromkeys(keys) if key not in known]
        known.update({key: [] for key in unknown})
        for some in chunks([key for key in unknown if key[0] not in whole]):
            self._remember(table, self._by_key(table, table.columns, some))

    def _remember(self, table: Table, rows: pa.Table) -> None:
        found: dict[Key, Stored] = {}
        for row in rows.to_pylist():
            row_id = row.pop(ROW_ID)
            found.setdefault(key_of(table, row), []).append((row, row_id))
        self._known.setdefault(table, {}).update(found)

    def _locate(self, table: Table, keys: Sequence[Key]) -> dict[Key, tuple[Any, ...]]:
        known, places = self._known.get(table, {}), self._places.setdefault(table, {})
        while seen := self._seen.get(table):
            _add_places(places, table, seen.pop())
        for key in keys:
            if key in known:
                places[key] = tuple(row_id for _, row_id in known[key])
        unknown = [k for k in keys if k not in places and self._find(table, k) is None]
        for some in chunks(unknown):
            _add_places(places, table, self._by_key(table, table.key, some))
        return {key: places[key] for key in keys if places.get(key)}

    def _by_key(self, table: Table, names: tuple[str, ...], keys: tuple[Key, ...]) -> pa.Table:
        conditions = same_keys(table.key, keys)
        query = Query(table=table, columns=names, conditions=conditions, row_ids=True)
        return keep_keys(self._stored(query).rows, table.key, keys)

    def _untouched(self, query: Query, rows: pa.Table) -> pa.Table:
        keys = zip(*(column_values(rows[name]) for name in query.table.key), strict=True)
        return rows.filter(
            pa.array([self._find(query.table, key) is None for key in keys], pa.bool_())
        )

    def _matching(self, query: Query, names: tuple[str, ...]) -> pa.Table:
        found = [row for row in self._candidates(query) if matches(row, query.conditions)]
        schema = pa.schema([query.table.schema.field(name) for name in names])
        return pa.Table.from_pylist(found, schema=schema)

    def _candidates(self, query: Query) -> Iterator[dict[str, Scalar]]:
        partitions = self._touched.get(query.table, {})
        first = query.table.key[0]
        chosen: Iterable[Scalar] = partitions
        for condition in query.conditions:
            if isinstance(condition, OneOf) and condition.column == first:
                chosen = [value for value in condition.values if value in partitions]
        for value in chosen:
            yield from (one.row for one in partitions[value].values() if one.row is not None)


def key_of(table: Table, row: Row) -> Key:
    """The primary key of `row`."""
    return tuple(row[name] for name in table.key)


def _add_places(places: dict[Key, tuple[Any, ...]], table: Table, located: pa.Table) -> None:
    columns = [column_values(located[name]) for name in (*table.key, ROW_ID)]
    for *values, row_id in zip(*columns, strict=True):
        key = tuple(values)
        others = places.get(key, ())
        places[key] = others if row_id in others else (*others, row_id)


def check(changes: Changes[Any]) -> None:
    """Refuse rows that are none of their table's.

    Raises:
        RuntimeError: a column is unknown, missing, or the engine's own.
        ValueError: a value is none of its column's type (`pa.ArrowInvalid`, `UnicodeError`).
        TypeError: likewise.
        OverflowError: a number does not fit 64 bits.
    """
    for table, keys in changes.delete.items():
        _typed(table, [dict(zip(table.key, key, strict=True)) for key in keys])
    for table, rows in changes.update.items():
        for names in {tuple(row) for row in rows}:
            _refuse(table, set(names) - set(table.columns) | set(names) & {"version"})
            _refuse(table, set(table.key) - set(names))
        _typed(table, rows)
    for table, rows in changes.insert.items():
        needed = {each.name for each in table.schema if not each.nullable}
        for row in rows:
            _refuse(table, row.keys() - set(table.columns))
            _refuse(table, {name for name in needed if row.get(name) is None})
        _typed(table, rows)


def _typed(table: Table, rows: Sequence[Row]) -> None:
    for column in table.schema:
        pa.array([row.get(column.name) for row in rows], column.type)


def _refuse(table: Table, wrong: set[str]) -> None:
    if wrong:
        raise RuntimeError(
            f"a command may not write, or leave out, {sorted(wrong)} of {table.name}"
        )
