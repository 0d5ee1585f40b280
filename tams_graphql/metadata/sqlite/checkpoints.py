"""Copying the write-ahead log back beside the writer, so that its commits seldom have to.

SQLite copies back in the commit that makes the log too long, and everybody who writes waits for
that, tens of milliseconds. A connection of its own can do most of it at any time. What is left
when the log is too long is little, and done by the writer: only then is the log begun anew.
"""

import contextlib
import sqlite3
import threading
from pathlib import Path

from tams_graphql.metadata.sqlite.connections import open_checkpointer

ROWS = 1_000
"""After how many changed rows the log is copied back."""


class Checkpoints:
    """A thread that copies the log back whenever enough has changed.

    `rows`: how many the writer has changed so far (`sqlite3.Connection.total_changes`).
    """

    def __init__(self, path: Path, rows: int = 0) -> None:
        self._connection = open_checkpointer(path)
        self._done = rows
        self._due = threading.Event()
        self._closing = False
        self._thread = threading.Thread(
            target=self._run, name="tams-sqlite-checkpoint", daemon=True
        )
        self._thread.start()

    def changed(self, rows: int) -> None:
        """Tell how many rows the writer has changed so far. Called by it alone."""
        if rows - self._done >= ROWS:
            self._done = rows
            self._due.set()

    def close(self) -> None:
        """Finish the copy in progress. Blocks."""
        self._closing = True
        self._due.set()
        self._thread.join()
        self._connection.close()

    def _run(self) -> None:
        while True:
            self._due.wait()
            self._due.clear()
            if self._closing:
                return
            # What can't be copied now is as durable where it is; the writer tells of real trouble.
            with contextlib.suppress(sqlite3.Error):
                self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
