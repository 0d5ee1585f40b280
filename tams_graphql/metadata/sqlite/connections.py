"""How a connection to the index file is opened, and what SQLite's errors mean to us."""

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from tams_graphql.model.errors import Unavailable

CACHED_STATEMENTS = 512

C = TypeVar("C", bound=sqlite3.Connection)

# 32 MiB of page cache for each connection and 1 GiB of the file mapped; the write-ahead log is
# copied back every 40 MiB, because at the default of 4 MiB bulk registrations spend more time
# in checkpoints than in inserts. A writer that has nothing else to do copies more often.
_SHARED_PRAGMAS = ("cache_size = -32768", "mmap_size = 1073741824", "temp_store = MEMORY")
_WRITER_PRAGMAS = (
    "synchronous = FULL",
    "wal_autocheckpoint = 10000",
    "journal_size_limit = 67108864",
)

# For how long a transaction keeps its processor: a registration is done before, a bulk or a batch
# of a deletion takes many turns.
TURN_SECONDS = 0.001
_give_way = getattr(os, "sched_yield", lambda: None)

_STORE_TROUBLE = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_INTERRUPT,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_NOTADB,
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_PROTOCOL,
        sqlite3.SQLITE_READONLY,
    }
)


def open_writer(path: Path, busy_budget: float) -> "WritingConnection":
    """A connection that may write, in WAL mode, durable at every commit.

    Args:
        path: the index file; it is created if it does not exist.
        busy_budget: how many seconds to wait for another process's transaction.

    Raises:
        sqlite3.Error: the file can't be opened or is no SQLite file.
    """
    connection = _connect(path, "rwc", busy_budget, WritingConnection)
    try:
        _enter_wal_mode(connection, busy_budget)
        for pragma in _WRITER_PRAGMAS:
            connection.execute(f"PRAGMA {pragma}")
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def open_reader(path: Path, busy_budget: float) -> sqlite3.Connection:
    """A connection that can't write, for one reader thread at a time."""
    connection = _connect(path, "ro", busy_budget, sqlite3.Connection)
    connection.execute("PRAGMA query_only = ON")
    return connection


def _connect(path: Path, mode: str, busy_budget: float, kind: type[C]) -> C:
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode={mode}",
        uri=True,
        timeout=busy_budget,
        isolation_level=None,
        check_same_thread=False,
        factory=kind,
        cached_statements=CACHED_STATEMENTS,
    )
    try:
        for pragma in _SHARED_PRAGMAS:
            connection.execute(f"PRAGMA {pragma}")
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def _enter_wal_mode(connection: sqlite3.Connection, busy_budget: float) -> None:
    # The switch needs the file for itself and does not use the busy timeout, so two processes
    # that open a new file together have to take turns here.
    deadline = time.monotonic() + busy_budget
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if not is_store_trouble(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            return


class WritingConnection(sqlite3.Connection):
    """Between two statements, lets those run who wait for this processor (ADR 0014)."""

    _turn_ends = float("inf")

    def begin(self) -> None:
        """Begin a transaction, and a turn on the processor."""
        self.execute("BEGIN IMMEDIATE")
        self._turn_ends = time.monotonic() + TURN_SECONDS

    def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:
        """See `sqlite3.Connection.execute`."""
        cursor = super().execute(sql, parameters)
        if time.monotonic() > self._turn_ends:
            _give_way()
            self._turn_ends = time.monotonic() + TURN_SECONDS
        return cursor


def is_store_trouble(error: sqlite3.Error) -> bool:
    """Whether the file, the disk or another process is to blame, rather than our statement."""
    code = getattr(error, "sqlite_errorcode", None)
    return code is not None and code & 0xFF in _STORE_TROUBLE


def told(error: sqlite3.Error) -> Exception:
    """What a caller of the engine gets to see instead of `error`."""
    if is_store_trouble(error):
        return Unavailable(f"the metadata store is not available: {error}; try again")
    if isinstance(error, sqlite3.IntegrityError):
        return RuntimeError(f"a command broke a constraint of the metadata tables: {error}")
    return RuntimeError(f"the metadata engine made a bad statement: {error}")


@contextmanager
def errors_told() -> Iterator[None]:
    """Lets no raw SQLite error through (see `told`)."""
    try:
        yield
    except sqlite3.Error as error:
        raise told(error) from error
