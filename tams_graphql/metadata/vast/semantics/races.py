"""Probes 12 and 13: writers as the engine's are, all at once; and one row that never rests."""

import random
import statistics
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from vastdb.table_metadata import TableMetadata

from tams_graphql.metadata.vast.cluster import Cluster
from tams_graphql.metadata.vast.faults import RowConflict, TransactionLost, Unreachable
from tams_graphql.metadata.vast.semantics.observations import HotRow, Races
from tams_graphql.metadata.vast.semantics.scratch import Scratch
from tams_graphql.metadata.vast.semantics.sizes import Sizes
from tams_graphql.metadata.vast.semantics.writers import Row, Writer

_PAUSE = 0.01
_LONGEST_PAUSE = 0.32


@dataclass(slots=True)
class _Racer:
    """One writer with sessions of its own, as another process would have them."""

    scratch: Scratch
    cluster: Cluster
    lock: Row
    deadline: float
    acknowledged: int = 0
    in_doubt: int = 0
    conflicts: int = 0

    def locked(self, act: Callable[[Writer], object]) -> bool:
        """Lock first, then read and write, and all of it again if that fails.

        Returns:
            Whether it was done before the deadline.
        """
        longest_pause = _PAUSE
        while time.monotonic() < self.deadline:
            try:
                self._try(act)
            except (RowConflict, TransactionLost, Unreachable):
                self.conflicts += 1
                time.sleep(random.uniform(0, longest_pause))  # noqa: S311
                longest_pause = min(2 * longest_pause, _LONGEST_PAUSE)
            else:
                return True
        return False

    def _try(self, act: Callable[[Writer], object]) -> None:
        with self.scratch.writer(self.cluster) as writer:
            writer.update(self.lock, b=random.getrandbits(32))
            act(writer)
            try:
                writer.commit()
            except Unreachable:
                self.in_doubt += 1
            else:
                self.acknowledged += 1


def races(scratch: Scratch, table: TableMetadata, sizes: Sizes) -> Races:
    """Probe 12: increments of one counter, then slots of which each has one winner."""
    counter, lock = scratch.rows(table, 2)
    slots = scratch.create("slots")
    counting = _all_at_once(scratch, counter, sizes, lambda racer: _count(racer, counter, sizes))
    claiming = _all_at_once(scratch, lock, sizes, lambda racer: _claim(racer, slots, sizes))
    with scratch.writer() as reader:
        winners = Counter(row["k"] for row in reader.read(slots))
        return Races(
            writers=sizes.writers,
            acknowledged=sum(racer.acknowledged for racer in counting),
            in_doubt=sum(racer.in_doubt for racer in counting),
            counted=reader.value(counter) or 0,
            conflicts=sum(racer.conflicts for racer in counting + claiming),
            slots=sizes.slots,
            taken_twice=sum(count > 1 for count in winners.values()),
            not_taken=sizes.slots - len(winners),
        )


def _all_at_once(
    scratch: Scratch, lock: Row, sizes: Sizes, run: Callable[[_Racer], None]
) -> list[_Racer]:
    deadline = time.monotonic() + sizes.racing_seconds
    racers = [
        _Racer(scratch, scratch.another_session(), lock, deadline) for _ in range(sizes.writers)
    ]
    start = threading.Barrier(sizes.writers)

    def enter(racer: _Racer) -> None:
        start.wait()
        run(racer)

    with ThreadPoolExecutor(sizes.writers) as pool:
        try:
            for outcome in [pool.submit(enter, racer) for racer in racers]:
                outcome.result()
        finally:
            # Whoever interrupts one need not wait for the others.
            for racer in racers:
                racer.deadline = 0.0
    return racers


def _count(racer: _Racer, counter: Row, sizes: Sizes) -> None:
    def increment(writer: Writer) -> None:
        writer.update(counter, a=(writer.value(counter) or 0) + 1)

    for _ in range(sizes.increments):
        racer.locked(increment)


def _claim(racer: _Racer, slots: TableMetadata, sizes: Sizes) -> None:
    def claim(writer: Writer, slot: int) -> None:
        if not writer.read(slots, slot):
            writer.insert(slots, k=[slot], a=[0], b=[0])

    for slot in range(sizes.slots):
        racer.locked(lambda writer, slot=slot: claim(writer, slot))  # type: ignore[misc]


def hot_row(scratch: Scratch, table: TableMetadata, sizes: Sizes) -> HotRow:
    """Probe 13: update one row without a pause; medians of the first and the last tenth."""
    row = scratch.row(table)
    took: list[float] = []
    began = time.monotonic()
    while not took or time.monotonic() < began + sizes.hot_seconds:
        start = time.monotonic()
        with scratch.writer() as writer:
            writer.update(row, a=len(took))
            writer.commit()
        took.append(1000 * (time.monotonic() - start))
    tenth = max(1, len(took) // 10)
    first, last = statistics.median(took[:tenth]), statistics.median(took[-tenth:])
    return HotRow(len(took), time.monotonic() - began, first, last)
