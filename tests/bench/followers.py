"""Who follows the events of a server, as a process of its own: so it takes no time of the bench's.

`subscribe URL COUNT`: so many subscriptions to everything on one WebSocket. `receive PORT`: the
receiver of a webhook. Either says when it is there, goes when its standard input ends, and says
then how many events it heard.
"""

import asyncio
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from tests.support.subscribers import EVERYTHING, Subscriber, cursor_now, over_socket

_OK = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"


@contextmanager
def following(*what: str) -> Iterator[Callable[[], int]]:
    """One for the length of a block; what it yields ends it, and tells how many events it heard."""
    command = [sys.executable, "-m", __name__, *what]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "here\n"
        try:
            yield lambda: int(process.communicate()[0])
        finally:
            process.kill()


async def _until_told_to_go(heard: Callable[[], int]) -> None:
    sys.stdout.write("here\n")
    sys.stdout.flush()
    await asyncio.to_thread(sys.stdin.read)
    sys.stdout.write(f"{heard()}\n")


async def subscribe(url: str, count: int) -> None:
    """Follow everything, so many times over."""
    after = cursor_now(url)
    subscribers = [Subscriber(EVERYTHING, after) for _ in range(count)]
    listening = asyncio.ensure_future(over_socket(url, subscribers))
    await _until_told_to_go(lambda: sum(len(one.heard) for one in subscribers))
    listening.cancel()


async def receive(port: int) -> None:
    """Take whatever a webhook tells."""
    taken = 0

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal taken
        with suppress(asyncio.IncompleteReadError, asyncio.CancelledError):
            while head := await reader.readuntil(b"\r\n\r\n"):
                length = head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
                await reader.readexactly(int(length))
                taken += 1
                writer.write(_OK)

    server = await asyncio.start_server(take, "127.0.0.1", port)
    async with server:
        await _until_told_to_go(lambda: taken)


if __name__ == "__main__":
    kind, where, *rest = sys.argv[1:]
    work = subscribe(where, int(rest[0])) if kind == "subscribe" else receive(int(where))
    asyncio.run(work)
