"""Collecting what a command wants done, table by table, before it becomes `Changes`."""

from typing import TypeVar

from tams_graphql.metadata.engine import Changes, Key, Row
from tams_graphql.metadata.tables import Table

T = TypeVar("T")


class Edits:
    """Rows to insert, update and delete; the rules of a noun add to it, one after the other."""

    def __init__(self) -> None:
        self._insert: dict[Table, list[Row]] = {}
        self._update: dict[Table, list[Row]] = {}
        self._delete: dict[Table, list[Key]] = {}
        self._events: list[Row] = []

    def insert(self, table: Table, *rows: Row) -> None:
        """Add full rows."""
        self._insert.setdefault(table, []).extend(rows)

    def update(self, table: Table, *rows: Row) -> None:
        """Change columns of rows named by their key columns."""
        self._update.setdefault(table, []).extend(rows)

    def delete(self, table: Table, *keys: Key) -> None:
        """Remove rows by primary key."""
        self._delete.setdefault(table, []).extend(keys)

    def announce(self, *events: Row) -> None:
        """Add to the event log (`Changes.events`)."""
        self._events.extend(events)

    def changes(self, answer: T) -> Changes[T]:
        """Everything collected, with what the command answers."""
        return Changes(
            answer=answer,
            insert=self._insert,
            update=self._update,
            delete=self._delete,
            events=self._events,
        )
