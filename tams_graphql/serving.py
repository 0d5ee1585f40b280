"""The process's HTTP server."""

import os
import socket
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress

import uvicorn

UNREAD_SECONDS = 60
"""How long a client may read nothing of what it is sent, or not be there at all."""

_STARTUP_FAILURE = 3


class HttpServer(uvicorn.Server):
    """uvicorn, but for what comes before it closes connections.

    Args:
        config: uvicorn's.
        before_closing: awaited when it is to stop; streams that would never end are ended here.
        unread_seconds: after which the kernel drops a connection whose other end takes nothing,
            where it can (Linux).
    """

    def __init__(
        self,
        config: uvicorn.Config,
        before_closing: Callable[[], Awaitable[None]],
        *,
        unread_seconds: float = UNREAD_SECONDS,
    ) -> None:
        super().__init__(config)
        self._before_closing = before_closing
        self._unread_seconds = unread_seconds

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start to listen."""
        await super().startup(sockets)
        for server in self.servers:
            for listener in server.sockets:
                _limit_unread(listener.fileno(), self._unread_seconds)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop listening, end the streams, then all the rest."""
        for server in self.servers:
            server.close()
        await self._before_closing()
        await super().shutdown(sockets)


def serve_until_stopped(
    config: uvicorn.Config, before_closing: Callable[[], Awaitable[None]]
) -> None:
    """Serve until a signal says otherwise, as `uvicorn.run` does.

    Raises:
        SystemExit: the server could not start.
    """
    server = HttpServer(config, before_closing)
    with suppress(KeyboardInterrupt):
        server.run()
    if not server.started:
        sys.exit(_STARTUP_FAILURE)


def _limit_unread(listener: int, seconds: float) -> None:
    """Let the connections that a listening socket accepts inherit the limit.

    Nothing else ends those of clients that hold a connection open and don't read: what was sent
    waits, and closing waits for that.
    """
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        with socket.socket(fileno=os.dup(listener)) as same:
            same.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, round(seconds * 1000))
