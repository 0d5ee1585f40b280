"""Transfers at the same time, within bounds."""

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any, Protocol, TypeVar

Result = TypeVar("Result")


class Progress(Protocol):
    """Told how far a transfer has come."""

    def __call__(self, done: int, total: int, what: str) -> None:
        """Take note.

        Args:
            done: segments finished so far, those of earlier runs included.
            total: segments in all.
            what: what is being transferred, e.g. ``"video"``.
        """


def silent(done: int, total: int, what: str) -> None:
    """Ignore progress."""


async def gathered(limit: int, work: Sequence[Coroutine[Any, Any, Result]]) -> list[Result]:
    """Run coroutines, at most `limit` at a time; the first failure cancels the others.

    Returns:
        Their results, in the order given.
    """
    room = asyncio.Semaphore(limit)

    async def one(coroutine: Coroutine[Any, Any, Result]) -> Result:
        async with room:
            return await coroutine

    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one(coroutine)) for coroutine in work]
    except ExceptionGroup as failures:
        raise failures.exceptions[0] from failures
    finally:
        for coroutine in work:
            coroutine.close()
    return [task.result() for task in tasks]
