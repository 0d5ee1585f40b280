"""Reads in threads: a bounded pool, in which each thread owns one read-only connection."""

import asyncio
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from tams_graphql.metadata.sqlite.connections import errors_told, open_reader
from tams_graphql.metadata.sqlite.reading import Reading
from tams_graphql.model.errors import Unavailable

T = TypeVar("T")


class Readers:
    """At most `threads` reads at a time; the event loop only waits."""

    def __init__(self, path: Path, threads: int, busy_budget: float) -> None:
        self._path = path
        self._busy_budget = busy_budget
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="tams-sqlite-read")
        self._own = threading.local()
        self._opened: list[sqlite3.Connection] = []
        self._closed = False

    async def run(self, read: Callable[[Reading], T]) -> T:
        """What `read` makes of a connection.

        Raises:
            Unavailable: the file can't be read, or the engine is closed.
        """
        if self._closed:
            raise Unavailable("the metadata store is closed")
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._pool, self._with_own_connection, read)

    async def close(self) -> None:
        """Let reads in flight finish, then let go of the file."""
        self._closed = True
        await asyncio.to_thread(self._pool.shutdown)
        while self._opened:
            self._opened.pop().close()

    def _with_own_connection(self, read: Callable[[Reading], T]) -> T:
        reading: Reading | None = getattr(self._own, "reading", None)
        if reading is None:
            with errors_told():
                connection = open_reader(self._path, self._busy_budget)
            self._opened.append(connection)
            reading = self._own.reading = Reading(connection)
        return read(reading)
