"""How names become addresses, off the event loop and beside the threads that the index uses."""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, TypeAlias

Resolver: TypeAlias = Callable[[str], Awaitable[Sequence[str]]]
"""All addresses of a host name, best first. Raises ``OSError`` if it has none."""

_THREADS: Final = 16


class SystemResolver:
    """The operating system's.

    It can take minutes over a name whose servers don't answer, and can't be interrupted: it has
    threads of its own, and a name takes one of them however often it is asked for.
    """

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="webhook-dns")
        self._asked: dict[str, asyncio.Future[list[str]]] = {}

    async def __call__(self, host: str) -> Sequence[str]:
        """As `Resolver`."""
        asked = self._asked.get(host)
        if asked is None:
            loop = asyncio.get_running_loop()
            asked = loop.run_in_executor(self._threads, _addresses, host)
            self._asked[host] = asked
            asked.add_done_callback(lambda _: self._asked.pop(host))
        # Whoever gives up must not take the answer from the others.
        return await asyncio.shield(asked)

    def close(self) -> None:
        """Take no more questions. Answers that are still awaited may come, to nobody."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def _addresses(host: str) -> list[str]:
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except UnicodeError as error:
        raise OSError(f"{host} is no host name") from error
    return list(dict.fromkeys(_text(sockaddr) for *_, sockaddr in found))


def _text(sockaddr: tuple[Any, ...]) -> str:
    """The address; with its scope, if it means something in one network of this machine only."""
    address, scope = str(sockaddr[0]), sockaddr[3] if len(sockaddr) == 4 else 0
    return f"{address}%{scope}" if scope and "%" not in address else address
