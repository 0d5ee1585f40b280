"""`SQLiteEngine`: the metadata port over one SQLite file."""

import asyncio
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TypeVar

import pyarrow as pa

from tams_graphql.metadata.engine import Aggregate, Command, Key, Scan
from tams_graphql.metadata.sqlite import schema
from tams_graphql.metadata.sqlite.arrow import schema_of
from tams_graphql.metadata.sqlite.connections import errors_told, open_writer
from tams_graphql.metadata.sqlite.readers import Readers
from tams_graphql.metadata.sqlite.turns import Turns
from tams_graphql.metadata.sqlite.writer import Writer
from tams_graphql.metadata.tables import GUARDS, Table

T = TypeVar("T")


class SQLiteEngine:
    """The embedded `MetadataEngine`. Several processes may open one file.

    Reads run beside the writer, in threads; a commit returns once it is on disk.
    """

    # Others wait for the whole commit, about 6 ms (ADR 0014).
    background_rows = 64

    def __init__(self, writer: Writer, readers: Readers) -> None:
        self._writer = writer
        self._readers = readers

    @classmethod
    async def open(
        cls, path: Path, *, readers: int = 4, busy_budget: float = 10.0
    ) -> "SQLiteEngine":
        """Open the index at `path`; create or migrate it first where needed.

        Args:
            path: the index file; its folder must exist.
            readers: how many reads may run at the same time.
            busy_budget: for how many seconds a transaction waits for other processes.

        Raises:
            SchemaError: the file is newer than this program, or not an index.
            Unavailable: the file can't be opened, or other processes keep it locked.
        """
        writer = await asyncio.to_thread(_writer, path, busy_budget)
        return cls(writer, Readers(path, readers, busy_budget))

    async def get(
        self, table: Table, keys: Sequence[Key], columns: tuple[str, ...] | None = None
    ) -> pa.Table:
        """See `MetadataEngine.get`."""
        if not keys:
            return schema_of(table, columns).empty_table()
        return await self._readers.run(lambda reading: reading.get(table, keys, columns))

    async def page(self, scan: Scan) -> pa.Table:
        """See `MetadataEngine.page`."""
        return await self._readers.run(lambda reading: reading.page(scan))

    async def first_per_key(self, scan: Scan, prefixes: Sequence[Key]) -> pa.Table:
        """See `MetadataEngine.first_per_key`."""
        if not prefixes:
            return schema_of(scan.table, scan.columns).empty_table()
        return await self._readers.run(lambda reading: reading.first_per_key(scan, prefixes))

    async def count(self, scan: Scan) -> int:
        """See `MetadataEngine.count`."""
        return await self._readers.run(lambda reading: reading.count(scan))

    async def commit(
        self, command: Command[T], relies_on: Iterable[Aggregate], *, background: bool = False
    ) -> T:
        """See `MetadataEngine.commit`; a command runs once, in the writer's thread.

        A caller that is cancelled while its command runs does not undo it.
        """
        submitted = self._writer.submit(command, relies_on, background=background)
        return await asyncio.wrap_future(submitted)

    async def check(self) -> None:
        """See `MetadataEngine.check`: read one row that is always there."""
        self._writer.require_file()
        await self.get(GUARDS, [("0000",)])

    async def close(self) -> None:
        """Finish the commits and reads in flight, copy the log back, close the file."""
        await self._readers.close()
        await asyncio.to_thread(self._writer.close)


def _writer(path: Path, busy_budget: float) -> Writer:
    turns = Turns(path, busy_budget)
    try:
        with errors_told(), turns.taken():
            connection = open_writer(path, busy_budget)
            try:
                schema.prepare(connection)
            except BaseException:
                connection.close()
                raise
    except BaseException:
        turns.close()
        raise
    return Writer(connection, path, turns)
