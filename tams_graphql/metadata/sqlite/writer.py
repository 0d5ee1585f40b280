"""The one writer: a thread that gives each transaction as many commands as are waiting.

1. The thread takes a command (see `CommandQueue`), waits for its turn among all processes, and
   begins an immediate transaction.
2. Every command runs in a savepoint: versions first, then its reads, then its changes. What it
   raises is its own answer and undoes its savepoint only.
3. Commands that arrived meanwhile join, up to `MAX_COMMANDS` or `MAX_ROWS`.
4. The transaction commits; only then is anyone answered. If it can't begin or commit, nobody's
   changes exist and everybody is told `Unavailable`.
5. When nobody waits, the thread copies the write-ahead log back, so that commits seldom have to.
"""

import contextlib
import sqlite3
import threading
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import TypeVar

from tams_graphql.metadata.engine import Aggregate, Command
from tams_graphql.metadata.sqlite.changes import apply, bump
from tams_graphql.metadata.sqlite.connections import WritingConnection, errors_told, told
from tams_graphql.metadata.sqlite.reading import Reading
from tams_graphql.metadata.sqlite.turns import Turns
from tams_graphql.metadata.waiting import CommandQueue, Waiting, in_order
from tams_graphql.model.errors import Unavailable

MAX_COMMANDS = 64
MAX_ROWS = 20_000
COPIED_BACK_AFTER = 250
"""How many rows are changed before the log is worth copying back, which then takes 4 ms."""

T = TypeVar("T")


def _identity(path: Path) -> tuple[int, int] | None:
    """Which file has the name now; ``None``: none has."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


class WriteView(Reading):
    """The snapshot that a command sees, with the changes of its predecessors in it."""

    def rely_on(self, *aggregates: Aggregate) -> None:
        """See `View.rely_on`; nobody else writes meanwhile, so no re-run is needed."""
        with errors_told():
            bump(self._connection, in_order(aggregates))


class _Undone(Exception):
    """The transaction no longer exists; nothing of it will."""


class Writer:
    """Owns the writing connection. Safe to call from any thread."""

    def __init__(self, connection: WritingConnection, path: Path, turns: Turns) -> None:
        self._connection = connection
        self._path = path
        self._file = _identity(path)
        self._turns = turns
        self._view = WriteView(connection)
        self._uncopied = 0
        self._queue = CommandQueue()
        self._thread = threading.Thread(target=self._run, name="tams-sqlite-write", daemon=True)
        self._thread.start()

    def submit(
        self, command: Command[T], relies_on: Iterable[Aggregate], *, background: bool = False
    ) -> "Future[T]":
        """See `CommandQueue.submit`."""
        return self._queue.submit(command, relies_on, background=background)

    def require_file(self) -> None:
        """Refuse to write where nothing would be found again.

        SQLite goes on writing to a file that has lost its name: acknowledged, then gone.

        Raises:
            Unavailable: another file, or none, has the name now.
        """
        if _identity(self._path) != self._file:
            raise Unavailable("the index file was moved, deleted or replaced; restart the server")

    def close(self) -> None:
        """Commit what waits, copy the write-ahead log back, close the file. Blocks."""
        self._queue.close()
        self._thread.join()

    def _run(self) -> None:
        while not self._queue.finished:
            if (first := self._queue.wait()) is not None:
                self._transaction(first)
            if self._uncopied >= COPIED_BACK_AFTER and self._queue.idle:
                self._copy_back("PASSIVE")
        self._copy_back("TRUNCATE")
        self._connection.close()
        self._turns.close()

    def _transaction(self, first: Waiting) -> None:
        batch = [first]
        try:
            with self._turn(batch):
                self._fill(batch)
                self._connection.execute("COMMIT")
        except (sqlite3.Error, Unavailable, _Undone) as error:
            self._give_up(batch, error)
        for waiting in batch:
            waiting.settle()

    @contextlib.contextmanager
    def _turn(self, batch: list[Waiting]) -> Iterator[None]:
        began = time.monotonic()
        with contextlib.ExitStack() as turn:
            try:
                turn.enter_context(self._turns.taken())
                self._connection.begin()
                self.require_file()
            except (sqlite3.Error, Unavailable):
                # Whoever has waited through the whole budget is told now, not after one more each.
                batch.extend(self._queue.all(arrived_by=began))
                raise
            yield

    def _copy_back(self, how: str) -> None:
        self._uncopied = 0
        # A log that can't be copied back now is as durable where it is.
        with contextlib.suppress(sqlite3.Error, Unavailable), self._turns.taken(at_once=True):
            self._connection.execute(f"PRAGMA wal_checkpoint({how})")

    def _fill(self, batch: list[Waiting]) -> None:
        rows = self._perform(batch[0])
        while len(batch) < MAX_COMMANDS and rows < MAX_ROWS:
            waiting = self._queue.next()
            if waiting is None:
                break
            batch.append(waiting)
            rows += self._perform(waiting)
        self._uncopied += rows

    def _perform(self, waiting: Waiting) -> int:
        self._connection.execute("SAVEPOINT command")
        try:
            bump(self._connection, waiting.aggregates)
            changes = waiting.command(self._view)
            rows = apply(self._connection, changes)
        except Exception as error:  # noqa: BLE001 whatever a command raises is its caller's
            self._undo(waiting, error)
            return 0
        self._connection.execute("RELEASE command")
        waiting.answer = changes.answer
        return rows

    def _undo(self, waiting: Waiting, error: Exception) -> None:
        waiting.failure = told(error) if isinstance(error, sqlite3.Error) else error
        if not self._connection.in_transaction:
            raise _Undone from error
        self._connection.execute("ROLLBACK TO command")
        self._connection.execute("RELEASE command")

    def _give_up(self, batch: list[Waiting], error: Exception) -> None:
        cause = error.__cause__ if isinstance(error, _Undone) else error
        for waiting in batch:
            waiting.failure = waiting.failure or Unavailable(
                f"the metadata store could not commit: {cause}; nothing was changed, try again"
            )
        with contextlib.suppress(sqlite3.Error):
            self._connection.rollback()
