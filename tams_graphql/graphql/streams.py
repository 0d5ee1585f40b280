"""The connections of one process over which events are told, and how they end.

1. Each registers while it is open.
2. When the server is to stop, its hub ends every subscription with an error that has the cursor to
   go on from; then `stop` lets the connections close themselves, and waits for them.
3. Whoever does not read what it is sent is not waited for longer than that.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager


class Streams:
    """What is open, and what the operator configured about it.

    Args:
        keep_alive: seconds between signs of life, for the proxies on the way.
        init_seconds: how long a WebSocket may take for its `connection_init`.
        most_operations: how many operations may run on one WebSocket.
    """

    def __init__(
        self, *, keep_alive: float = 12, init_seconds: float = 10, most_operations: int = 100
    ) -> None:
        self.keep_alive = keep_alive
        self.init_seconds = init_seconds
        self.most_operations = most_operations
        self.stopping = asyncio.Event()
        self._count = 0
        self._none = asyncio.Event()
        self._none.set()

    @contextmanager
    def opened(self) -> Iterator[None]:
        """While a connection is open."""
        self._count += 1
        self._none.clear()
        try:
            yield
        finally:
            self._count -= 1
            if not self._count:
                self._none.set()

    async def stop(self, seconds: float) -> None:
        """Let all connections close, and wait at most so long for them."""
        self.stopping.set()
        try:
            async with asyncio.timeout(seconds):
                await self._none.wait()
        except TimeoutError:
            return
