"""An application on an event loop of its own, callable from any thread or loop.

Schemathesis calls an ASGI application from a fresh loop for each request; the index keeps to one.
"""

import asyncio
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import httpx
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tests.rest_compat.conftest import opened

T = TypeVar("T")


class Bridge:
    """Forwards whole requests to `app` on its loop."""

    def __init__(self, app: ASGIApp, loop: asyncio.AbstractEventLoop) -> None:
        self.app = app
        self._loop = loop

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        body, more = b"", True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        there = asyncio.run_coroutine_threadsafe(self._run(scope, body), self._loop)
        for message in await asyncio.wrap_future(there):
            await send(message)

    async def _run(self, scope: Scope, body: bytes) -> list[Message]:
        messages: list[Message] = []

        async def receive() -> Message:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Message) -> None:
            messages.append(message)

        await self.app(scope, receive, send)
        return messages

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run `work` on the application's loop."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(60)

    def client(self) -> httpx.AsyncClient:
        """A client to use within `run`."""
        return httpx.AsyncClient(transport=httpx.ASGITransport(self.app), base_url="http://host")


@contextmanager
def bridged(folder: Path) -> Iterator[Bridge]:
    """A `Bridge` to an application on an index of its own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    def run(work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, loop).result(60)

    opening = opened(folder)
    app, _ = run(opening.__aenter__())
    try:
        yield Bridge(app, loop)
    finally:
        run(opening.__aexit__(None, None, None))
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()
