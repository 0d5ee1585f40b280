"""Cut a client's connection without an answer, which ASGI itself has no way to do."""

import asyncio

from starlette.types import Receive, Scope
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

_transports: dict[tuple[str, int], asyncio.Transport] = {}


class TrackedProtocol(HttpToolsProtocol):
    """uvicorn's protocol that remembers each client's transport."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if self.client is not None:
            _transports[self.client] = transport

    def connection_lost(self, exc: Exception | None) -> None:
        if self.client is not None:
            _transports.pop(self.client, None)
        super().connection_lost(exc)


async def cut(scope: Scope, receive: Receive) -> None:
    """Reset the connection that a request came over, and wait until uvicorn knows."""
    transport = _transports.get(tuple(scope["client"]))
    if transport is not None:
        transport.abort()
        while (await receive())["type"] != "http.disconnect":
            pass
