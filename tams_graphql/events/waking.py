"""A metadata engine whose commits wake the hub of this process."""

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

import pyarrow as pa

from tams_graphql.metadata.engine import (
    Aggregate,
    Changes,
    Command,
    Key,
    MetadataEngine,
    Scan,
    View,
)
from tams_graphql.metadata.table import Table

T = TypeVar("T")


class WakingEngine:
    """`engine` itself, but for `wake`, which is called after each commit that logged events."""

    def __init__(self, engine: MetadataEngine, wake: Callable[[], None]) -> None:
        self._engine = engine
        self._wake = wake

    @property
    def background_rows(self) -> int:
        """See `MetadataEngine.background_rows`."""
        return self._engine.background_rows

    async def get(
        self, table: Table, keys: Sequence[Key], columns: tuple[str, ...] | None = None
    ) -> pa.Table:
        """See `MetadataEngine.get`."""
        return await self._engine.get(table, keys, columns)

    async def page(self, scan: Scan) -> pa.Table:
        """See `MetadataEngine.page`."""
        return await self._engine.page(scan)

    async def first_per_key(self, scan: Scan, prefixes: Sequence[Key]) -> pa.Table:
        """See `MetadataEngine.first_per_key`."""
        return await self._engine.first_per_key(scan, prefixes)

    async def count(self, scan: Scan) -> int:
        """See `MetadataEngine.count`."""
        return await self._engine.count(scan)

    async def commit(
        self, command: Command[T], relies_on: Iterable[Aggregate], *, background: bool = False
    ) -> T:
        """See `MetadataEngine.commit`."""
        logged = False

        def watched(view: View) -> Changes[T]:
            nonlocal logged
            changes = command(view)
            logged = bool(changes.events)
            return changes

        answer = await self._engine.commit(watched, relies_on, background=background)
        if logged:
            self._wake()
        return answer

    async def check(self) -> None:
        """See `MetadataEngine.check`."""
        await self._engine.check()

    async def close(self) -> None:
        """See `MetadataEngine.close`."""
        await self._engine.close()
