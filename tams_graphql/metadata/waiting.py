"""Commands that wait for a transaction, in the order in which they came.

Those of the background come after all others, but not for ever: after `PATIENCE` transactions of
others, or `PATIENCE_SECONDS` and one of them, it is their turn.
"""

import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from operator import attrgetter
from typing import Any, TypeVar

from tams_graphql.metadata.engine import Aggregate, Command
from tams_graphql.model.errors import Unavailable

PATIENCE = 8
PATIENCE_SECONDS = 0.5

T = TypeVar("T")


def in_order(aggregates: Iterable[Aggregate]) -> list[Aggregate]:
    """Each aggregate once, in the order in which all writers lock."""
    # A bulk names 10,000; comparing them one by one in Python would hold up the event loop.
    return sorted(set(aggregates), key=attrgetter("kind", "identifier"))


class Waiting:
    """A command, what it relies on, and who waits for its answer."""

    __slots__ = (
        "aggregates", "answer", "arrived", "attempts", "command", "failure", "future", "started",
    )  # fmt: skip

    def __init__(self, command: Command[Any], relies_on: Iterable[Aggregate]) -> None:
        self.command = command
        self.aggregates = in_order(relies_on)
        self.future: Future[Any] = Future()
        self.answer: Any = None
        self.failure: BaseException | None = None
        self.arrived = time.monotonic()
        self.started = 0.0
        self.attempts = 0

    def settle(self) -> None:
        """Tell who waits how it ended."""
        if isinstance(self.failure, StopIteration):
            # No future takes that one, and its caller would wait for ever.
            failure = RuntimeError("a command raised StopIteration")
            failure.__cause__, self.failure = self.failure, failure
        if self.failure is None:
            self.future.set_result(self.answer)
        else:
            self.future.set_exception(self.failure)


class CommandQueue:
    """Filled from any thread, emptied by the one that writes."""

    def __init__(self) -> None:
        self._waiting: deque[Waiting] = deque()
        self._background: deque[Waiting] = deque()
        self._passed_over = 0
        self._arrived = threading.Condition()
        self._closing = False

    def submit(
        self, command: Command[T], relies_on: Iterable[Aggregate], *, background: bool = False
    ) -> "Future[T]":
        """The answer of `command`, once its changes are durable.

        Cancelling the future before the command starts drops it; later it has no effect.

        Raises:
            Unavailable: the queue is closed.
        """
        waiting = Waiting(command, relies_on)
        with self._arrived:
            if self._closing:
                raise Unavailable("the metadata store is closed")
            (self._background if background else self._waiting).append(waiting)
            self._arrived.notify()
        return waiting.future

    def close(self) -> None:
        """Take no more; what waits is still served."""
        with self._arrived:
            self._closing = True
            self._arrived.notify()

    @property
    def finished(self) -> bool:
        """Whether nothing waits and nothing will."""
        return self._closing and self.idle

    def wait(self, seconds: float | None = None) -> Waiting | None:
        """The first command of a transaction, once there is one.

        Returns:
            ``None`` if none came within `seconds`, or nobody waits for those that did any more, or
            the queue is finished.
        """
        with self._arrived:
            self._arrived.wait_for(self._ready, seconds)
        if self._background_is_due() or (waiting := self.next()) is None:
            return self._from_background()
        self._passed_over += bool(self._background)
        return waiting

    def next(self) -> Waiting | None:
        """A command that may join: the one that waits longest, but none of the background."""
        return _first(self._waiting)

    def all(self, arrived_by: float = float("inf")) -> Iterator[Waiting]:
        """The commands that wait and arrived by then (monotonic time)."""
        for queue in (self._waiting, self._background):
            while (waiting := _first(queue, arrived_by)) is not None:
                yield waiting

    @property
    def idle(self) -> bool:
        """Whether nothing waits."""
        return not self._waiting and not self._background

    def _background_is_due(self) -> bool:
        if not self._background or not self._passed_over:
            return False
        waited = time.monotonic() - self._background[0].arrived
        return self._passed_over >= PATIENCE or waited > PATIENCE_SECONDS

    def _ready(self) -> bool:
        return bool(self._waiting or self._background or self._closing)

    def _from_background(self) -> Waiting | None:
        self._passed_over = 0
        return _first(self._background)


def _first(queue: deque[Waiting], arrived_by: float = float("inf")) -> Waiting | None:
    """Take the first of `queue` that arrived by then and that nobody has cancelled."""
    while queue and queue[0].arrived <= arrived_by:
        waiting = queue.popleft()
        if waiting.future.set_running_or_notify_cancel():
            return waiting
    return None
