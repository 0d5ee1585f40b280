"""The process's HTTP server."""

import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from socket import socket

import uvicorn

_STARTUP_FAILURE = 3


class HttpServer(uvicorn.Server):
    """uvicorn, but for what comes before it closes connections.

    Args:
        config: uvicorn's.
        before_closing: awaited when it is to stop; streams that would never end are ended here.
    """

    def __init__(
        self, config: uvicorn.Config, before_closing: Callable[[], Awaitable[None]]
    ) -> None:
        super().__init__(config)
        self._before_closing = before_closing

    async def shutdown(self, sockets: list[socket] | None = None) -> None:
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
