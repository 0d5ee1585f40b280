"""Telling the subscribers of one process what comes to the event log.

1. One task reads the log: at once after a commit of this process (`wake`), and every
   `poll_seconds` for those of others.
2. A subscriber first catches up, at its own pace, from the log or, if it lacks no more than the
   hub remembers, from there. When it is where the hub is, it is
   attached, and from then on the hub queues for it what it wants.
3. A queue is bounded. Whoever lets it fill up is cut off, and told how far it came: from there it
   can go on. So no subscriber costs the others memory or time.
"""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from tams_graphql.events.event import Event
from tams_graphql.events.log import Batch, EventLog
from tams_graphql.events.position import START, Position, later_of
from tams_graphql.model.errors import CursorTooOld, Stopping, TooSlow, Unavailable

POLL_SECONDS = 0.25
QUEUE_LENGTH = 1_000
"""How many events may wait for one subscriber."""
READS_AT_ONCE = 8
"""How many subscribers may read the log at the same time: each holds what it reads in memory."""

REMEMBERED = 1_000
"""How many events the hub remembers: who was away for a moment has nothing read for it."""

_log = logging.getLogger(__name__)


class Wanted(Protocol):
    """Which events a subscriber wants."""

    @property
    def flow_ids(self) -> frozenset[str] | None:
        """Of flows' events, only those of these flows; ``None``: of any."""

    def matches(self, event: Event) -> bool:
        """Whether it wants `event`."""


@dataclass(frozen=True, slots=True)
class Told:
    """An event, and the position from which one would go on after it."""

    event: Event
    position: Position


class Subscription:
    """What one subscriber is told: iterate over it. Made by `Hub.subscribe`."""

    def __init__(self, hub: "Hub", wanted: Wanted, after: Position, capacity: int) -> None:
        self.wanted = wanted
        self._hub = hub
        self._capacity = capacity
        self._seen = self._told = after
        self._attached = False
        self._waiting: deque[Told] = deque()
        self._news = asyncio.Event()
        self._end: Callable[[str], Exception] | None = None

    @property
    def position(self) -> Position:
        """Where one would go on who has done with everything that was told.

        It moves on with the log, also where there is nothing for this subscriber.
        """
        if self._waiting:
            return self._told
        return later_of(self._seen, self._hub.reached) if self._attached else self._seen

    def __aiter__(self) -> "Subscription":
        return self

    async def __anext__(self) -> Told:
        """The next event.

        Raises:
            TooSlow, Stopping: there will be no more.
            CursorTooOld: it reads so slowly that retention has overtaken it.
            Unavailable: the log can't be read; try again.
        """
        while not self._waiting:
            if self._end is not None:
                raise self._end(await self._hub.log.cursor(self.position))
            if self._attached:
                self._news.clear()
                await self._news.wait()
            else:
                await self._catch_up()
        told = self._waiting.popleft()
        self._told = told.position
        return told

    def offer(self, told: Told) -> None:
        """The hub's: something new, unless the subscriber knows it already."""
        event = told.event
        if event.sequence <= self._seen.get(event.lane, 0) or not self.wanted.matches(event):
            return
        if len(self._waiting) >= self._capacity:
            self.end(partial(TooSlow, f"more than {self._capacity} events waited"))
            return
        # A client's cursor may be ahead of this process's hub in other lanes.
        after = later_of(told.position, self._seen)
        if not self._waiting:
            # Whoever is cut off need not go back to when there last was something for it.
            self._told = {**after, event.lane: event.sequence - 1}
        self._waiting.append(Told(event, after))
        self._news.set()

    def end(self, reason: Callable[[str], Exception]) -> None:
        """The hub's: tell nothing more; what waits is dropped, the subscriber can read it anew.

        Args:
            reason: makes the error from the cursor after which it can do so.
        """
        self._seen, self._attached = self.position, False
        self._waiting.clear()
        self._end = reason
        self._hub.detach(self)
        self._news.set()

    async def _catch_up(self) -> None:
        await self._hub.started()
        upto = self._hub.reached
        if not _is_ahead(upto, self._seen):
            self._attached = True
            self._hub.attach(self)
            return
        self._told = self._seen
        remembered = self._hub.since(self._seen)
        if remembered is not None:
            wanted = (told for told in remembered if self.wanted.matches(told.event))
            self._waiting += (Told(one.event, later_of(one.position, self._seen)) for one in wanted)
            self._seen = later_of(upto, self._seen)
            return
        # Many come at once when a connection is lost that many share.
        async with self._hub.catching_up:
            flow_ids = self.wanted.flow_ids or None
            batch = await self._hub.log.read(self._seen, upto, flow_ids=flow_ids)
        position = self._seen
        for event in batch.events:
            position = {**position, event.lane: event.sequence}
            if self.wanted.matches(event):
                self._waiting.append(Told(event, position))
        self._seen = batch.position


class Hub:
    """One for each process.

    Args:
        log: what to read.
        poll_seconds: how long a commit of another process may go unnoticed.
        queue_length: how many events may wait for a subscriber.
    """

    def __init__(
        self,
        log: EventLog,
        *,
        poll_seconds: float = POLL_SECONDS,
        queue_length: int = QUEUE_LENGTH,
    ) -> None:
        self.log = log
        self.catching_up = asyncio.Semaphore(READS_AT_ONCE)
        self._queue_length = queue_length
        self._poll_seconds = poll_seconds
        self._position: Position = START
        self._remembered: deque[Told] = deque()
        self._forgotten: Position = START
        self._started = asyncio.Event()
        self._woken = asyncio.Event()
        self._stopping = False
        self._by_flow: dict[str, set[Subscription]] = {}
        self._others: set[Subscription] = set()
        self._open: set[Subscription] = set()

    def wake(self) -> None:
        """There is something new in the log."""
        self._woken.set()

    @property
    def reached(self) -> Position:
        """How far the hub has read the log."""
        return self._position

    def since(self, position: Position) -> Sequence[Told] | None:
        """What the hub has told after `position`; ``None``: it does not remember all of that."""
        if _is_ahead(self._forgotten, position):
            return None
        every = self._remembered
        return [told for told in every if told.event.sequence > position.get(told.event.lane, 0)]

    async def started(self) -> None:
        """Wait until the hub knows where the log is."""
        await self._started.wait()

    @asynccontextmanager
    async def subscribe(
        self, wanted: Wanted, after: Position | None = None, capacity: int | None = None
    ) -> AsyncIterator[Subscription]:
        """A subscription to what `wanted` matches.

        Args:
            wanted: which events.
            after: the position to go on from (`EventLog.resume`); ``None``: only what comes now.
            capacity: how many events may wait for it, if not as many as for others.
        """
        begin = await self.log.heads() if after is None else after
        subscription = Subscription(self, wanted, begin, capacity or self._queue_length)
        self._open.add(subscription)
        if self._stopping:
            subscription.end(_STOPPING)
        try:
            yield subscription
        finally:
            self._open.discard(subscription)
            self.detach(subscription)

    async def run(self) -> None:
        """Read the log until cancelled."""
        try:
            await self._begin()
            while True:
                # Cleared before reading: a commit during the read is read in the next round.
                self._woken.clear()
                try:
                    await self._round()
                except Exception:  # noqa: BLE001 - the edge of this task
                    # Nobody else is told, and subscribers wait for the next round.
                    _log.exception("the hub failed to read the event log")
                with suppress(TimeoutError):
                    async with asyncio.timeout(self._poll_seconds):
                        await self._woken.wait()
        finally:
            self.stop()

    def stop(self) -> None:
        """Tell all subscribers that the server stops."""
        self._stopping = True
        self._started.set()
        for one in self._open:
            one.end(_STOPPING)

    def attach(self, subscription: Subscription) -> None:
        """The subscription's: it has caught up."""
        for place in self._places(subscription):
            place.add(subscription)

    def detach(self, subscription: Subscription) -> None:
        """The subscription's: it wants nothing more."""
        flow_ids = subscription.wanted.flow_ids or ()
        for place in self._places(subscription):
            place.discard(subscription)
        for flow_id in flow_ids:
            if not self._by_flow[flow_id]:
                del self._by_flow[flow_id]

    def _places(self, subscription: Subscription) -> list[set[Subscription]]:
        flow_ids = subscription.wanted.flow_ids
        if not flow_ids:
            return [self._others]
        return [self._by_flow.setdefault(flow_id, set()) for flow_id in flow_ids]

    def _every(self) -> Iterable[Subscription]:
        return set().union(self._others, *self._by_flow.values())

    async def _begin(self) -> None:
        while True:
            try:
                self._forgotten = self._position = await self.log.heads()
            except Unavailable as error:
                _log.info("the event log can't be read yet: %s", error)
            except Exception:  # noqa: BLE001 - the edge of this task
                # Without the hub nobody would ever be told anything.
                _log.exception("the hub failed to read the event log")
            else:
                self._started.set()
                return
            await asyncio.sleep(self._poll_seconds)

    async def _round(self) -> None:
        try:
            heads = await self.log.heads()
            while _is_ahead(heads, self._position):
                self._tell(await self.log.read(self._position, heads))
        except Unavailable as error:
            _log.info("the event log will be read again: %s", error)
        except CursorTooOld as error:
            # This process slept for longer than events are kept; so did its subscribers.
            _log.warning("events were deleted before they were read")
            oldest = error.oldest
            for one in self._every():
                one.end(lambda _: CursorTooOld(oldest))
            self._forgotten = self._position = await self.log.floors()
            self._remembered.clear()

    def _tell(self, batch: Batch) -> None:
        for event in batch.events:
            self._position = {**self._position, event.lane: event.sequence}
            told = Told(event, self._position)
            self._remember(told)
            for one in self._concerned(event):
                one.offer(told)
        self._position = batch.position

    def _remember(self, told: Told) -> None:
        if len(self._remembered) == REMEMBERED:
            self._forgotten = self._remembered.popleft().position
        self._remembered.append(told)

    def _concerned(self, event: Event) -> list[Subscription]:
        if event.flow_id is None:
            return list(self._every())
        return [*self._others, *self._by_flow.get(event.flow_id, ())]


_STOPPING = partial(Stopping, "the server stops")


def _is_ahead(one: Position, other: Position) -> bool:
    return any(sequence > other.get(lane, 0) for lane, sequence in one.items())
