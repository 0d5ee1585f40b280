"""Work that goes on after the request that began it has been answered."""

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

COPIES_AT_ONCE = 4
"""How many copies one process makes at a time; each holds a part of its object in memory."""

_log = logging.getLogger(__name__)


class Background:
    """What one process does beside answering; one for its lifetime.

    `slots` are taken by whoever copies; `discarding` has the backends that delete bytes now.
    """

    def __init__(self) -> None:
        self.discarding: set[str] = set()
        self.slots = asyncio.Semaphore(COPIES_AT_ONCE)
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Begin `work`, whose failure is logged."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    async def close(self) -> None:
        """Cancel what still runs, and wait until it has ended."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("background work failed", exc_info=error)
