"""Applying what a command wants done, and counting versions up, inside its savepoint."""

import sqlite3
import time
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Any

from tams_graphql.metadata.engine import Aggregate, Changes, Key, Row
from tams_graphql.metadata.event_tables import EVENTS
from tams_graphql.metadata.sqlite.batches import exact, padded, places
from tams_graphql.metadata.tables import Table

_MOST_DELETED = 64
"""How many rows one statement deletes: each costs a search in every index of its table."""


def bump(connection: sqlite3.Connection, aggregates: Iterable[Aggregate]) -> None:
    """Count up the version of each aggregate that exists."""
    for table, alike in groupby(aggregates, key=lambda aggregate: aggregate.table):
        for size, keys in padded([(aggregate.identifier,) for aggregate in alike]):
            connection.execute(
                f"UPDATE {table.name} SET version = version + 1"  # noqa: S608 names of ours
                f" WHERE {table.key[0]} IN ({', '.join('?' * size)})",
                keys,
            )


def apply(connection: sqlite3.Connection, changes: Changes[Any]) -> int:
    """Delete, then update, then insert, then log events; how many rows were named.

    Raises:
        RuntimeError: a row has columns that it may not have.
        sqlite3.IntegrityError: a key is taken, or a required column is missing.
    """
    rows = 0
    for table, keys in changes.delete.items():
        rows += _delete(connection, table, keys)
    for table, updated in changes.update.items():
        rows += _update(connection, table, updated)
    for table, inserted in changes.insert.items():
        rows += _insert(connection, table, inserted)
    return rows + _log(connection, changes.events)


def _delete(connection: sqlite3.Connection, table: Table, keys: Sequence[Key]) -> int:
    # SQLite walks the whole table for a list of key tuples, but not for a list of values of one
    # column: the one that varies most, with all others fixed.
    many = max(range(len(table.key)), key=lambda n: len({key[n] for key in keys}))
    groups: dict[Key, list[Key]] = {}
    for key in keys:
        groups.setdefault((*key[:many], *key[many + 1 :]), []).append((key[many],))
    fixed = "".join(f"{name} = ? AND " for n, name in enumerate(table.key) if n != many)
    for rest, varying in groups.items():
        for size, values in padded(varying, _MOST_DELETED):
            connection.execute(
                f"DELETE FROM {table.name} WHERE {fixed}{table.key[many]}"  # noqa: S608 names
                f" IN ({', '.join('?' * size)})",
                (*rest, *values),
            )
    return len(keys)


def _update(connection: sqlite3.Connection, table: Table, rows: Sequence[Row]) -> int:
    for columns, alike in groupby(rows, key=tuple):
        _check(table, columns, forbidden={"version"})
        changed = [column for column in columns if column not in table.key]
        order = (*table.key, *changed)
        same = (f"{table.name}.{name} = new.column{n}" for n, name in enumerate(table.key, 1))
        assigned = (f"{name} = new.column{n}" for n, name in enumerate(changed, len(table.key) + 1))
        head = f"UPDATE {table.name} SET {', '.join(assigned)} FROM (VALUES "  # noqa: S608
        tail = f") AS new WHERE {' AND '.join(same)}"
        for size, values in padded([[row[name] for name in order] for row in alike]):
            connection.execute(head + places(size, len(order)) + tail, values)
    return len(rows)


def _insert(connection: sqlite3.Connection, table: Table, rows: Sequence[Row]) -> int:
    for columns in {tuple(row) for row in rows}:
        _check(table, columns, forbidden=set())
    head = f"INSERT INTO {table.name} ({', '.join(table.columns)}) VALUES "  # noqa: S608
    for size, values in exact([[row.get(name) for name in table.columns] for row in rows]):
        connection.execute(head + places(size, len(table.columns)), values)
    return len(rows)


def _log(connection: sqlite3.Connection, events: Sequence[Row]) -> int:
    """Append to the one lane; whoever writes has it to himself (`BEGIN IMMEDIATE`)."""
    if not events:
        return 0
    count = len(events)
    sequence, hlc = connection.execute(
        "UPDATE lanes SET sequence = sequence + ?, hlc = max(hlc, ?) + ? WHERE lane = 0"
        " RETURNING sequence, hlc",
        (count, time.time_ns() // 1000, count),
    ).fetchone()
    places = ({"lane": 0, "sequence": sequence - n, "hlc": hlc - n} for n in range(count)[::-1])
    return _insert(connection, EVENTS, [{**e, **p} for e, p in zip(events, places, strict=True)])


def _check(table: Table, columns: Iterable[str], forbidden: set[str]) -> None:
    if wrong := {name for name in columns if name not in table.columns} | (
        forbidden & set(columns)
    ):
        raise RuntimeError(f"a command may not write {sorted(wrong)} of {table.name}")
