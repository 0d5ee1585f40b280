"""`VastEngine`: the metadata port over tables in VAST DB."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import pyarrow as pa

from tams_graphql.metadata.engine import Aggregate, Command, Key, Scan
from tams_graphql.metadata.tables import GUARDS, Table
from tams_graphql.metadata.vast import schema
from tams_graphql.metadata.vast.catalogue import PROBES, Catalogue
from tams_graphql.metadata.vast.cluster import Cluster, Target, Transaction
from tams_graphql.metadata.vast.density import Densities
from tams_graphql.metadata.vast.faults import TransactionLost, Unreachable
from tams_graphql.metadata.vast.lanes import Lane
from tams_graphql.metadata.vast.reading import Reading
from tams_graphql.metadata.vast.selecting import select_in
from tams_graphql.metadata.vast.semantics.row_conflicts import row_conflicts_hold
from tams_graphql.metadata.vast.writer import Clock, Writer, now_us
from tams_graphql.model.errors import Unavailable

T = TypeVar("T")

_PATIENCE = 2.0
"""How many times the timeout of one request a read may take, waiting for its turn included."""


class VastEngine:
    """A `MetadataEngine` for any number of processes on one VAST cluster.

    Each read is a transaction of its own, in a thread; commands share transactions (`Writer`).
    """

    # A commit costs its round trips, however many rows it has.
    background_rows = 500

    def __init__(
        self,
        cluster: Cluster,
        catalogue: Catalogue,
        lane: Lane,
        *,
        threads: int = 16,
        conflict_rows: bool = True,
        clock: Clock = now_us,
    ) -> None:
        self._cluster = cluster
        self._catalogue = catalogue
        self._densities = Densities()
        self._writer = Writer(
            cluster, catalogue, lane, self._densities, conflict_rows=conflict_rows, clock=clock
        )
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="tams-vast-read")
        self._closed = False

    @classmethod
    async def open(
        cls,
        target: Target,
        *,
        threads: int = 16,
        conflict_rows: bool = True,
        clock: Clock = now_us,
    ) -> "VastEngine":
        """Open the index at `target`; create or migrate it first where needed.

        Args:
            target: where it is.
            threads: how many reads may run at the same time.
            conflict_rows: ``False`` leaves out the locking that keeps writers apart; tests show
                with it that they would notice.
            clock: microseconds since the Unix epoch, by which events are dated.

        Raises:
            SchemaError: the index is newer than this program, or none of ours.
            Unavailable: the cluster does not answer, or supports one writing process only and
                has one (`Lane`).
        """
        cluster, catalogue, lane = await asyncio.to_thread(_opened, target)
        return cls(
            cluster, catalogue, lane, threads=threads, conflict_rows=conflict_rows, clock=clock
        )

    async def get(
        self, table: Table, keys: Sequence[Key], columns: tuple[str, ...] | None = None
    ) -> pa.Table:
        """See `MetadataEngine.get`."""
        return await self._read(lambda reading: reading.get(table, keys, columns))

    async def page(self, scan: Scan) -> pa.Table:
        """See `MetadataEngine.page`."""
        return await self._read(lambda reading: reading.page(scan))

    async def first_per_key(self, scan: Scan, prefixes: Sequence[Key]) -> pa.Table:
        """See `MetadataEngine.first_per_key`."""
        return await self._read(lambda reading: reading.first_per_key(scan, prefixes))

    async def count(self, scan: Scan) -> int:
        """See `MetadataEngine.count`."""
        return await self._read(lambda reading: reading.count(scan))

    async def commit(
        self, command: Command[T], relies_on: Iterable[Aggregate], *, background: bool = False
    ) -> T:
        """See `MetadataEngine.commit`; a command runs in the writer's thread, perhaps again.

        A caller that is cancelled while its command runs does not undo it.
        """
        submitted = self._writer.submit(command, relies_on, background=background)
        return await asyncio.wrap_future(submitted)

    async def check(self) -> None:
        """See `MetadataEngine.check`: read one row that is always there."""
        await self.get(GUARDS, [("0000",)])

    async def close(self) -> None:
        """Finish the commits and reads in flight and give the lane back."""
        self._closed = True
        await asyncio.to_thread(self._pool.shutdown)
        await asyncio.to_thread(self._writer.close)

    async def _read(self, read: Callable[[Reading], T]) -> T:
        if self._closed:
            raise Unavailable("the metadata store is closed")
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(_PATIENCE * self._cluster.target.timeout):
                return await loop.run_in_executor(self._pool, self._retried, read)
        except TimeoutError as error:
            raise Unreachable("the metadata store (VAST DB) is too slow; try again") from error

    def _retried(self, read: Callable[[Reading], T]) -> T:
        with self._cluster.reading() as transaction:
            try:
                return read(self._reading(transaction))
            except (TransactionLost, Unreachable):
                pass
        with self._cluster.reading() as transaction:
            return read(self._reading(transaction))

    def _reading(self, transaction: Transaction) -> Reading:
        return Reading(select_in(transaction, self._catalogue), self._densities)


def _opened(target: Target) -> tuple[Cluster, Catalogue, Lane]:
    cluster = Cluster(target)
    catalogue = schema.prepare(cluster)
    if row_conflicts_hold(cluster, catalogue[PROBES]):
        return cluster, catalogue, Lane(cluster, catalogue)
    lane = Lane(cluster, catalogue, only=0)
    lane.claim()
    return cluster, catalogue, lane
