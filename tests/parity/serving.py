"""Whole servers in this process, spoken to over HTTP but without a socket."""

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx

from tams_graphql.app import create_app
from tests.support.engines import settings_on

ADDRESS = "http://127.0.0.1:8000"


class Client:
    """Requests to one server; it works while one is under way, as does its background."""

    def __init__(self, http: httpx.AsyncClient, runner: asyncio.Runner) -> None:
        self._http = http
        self._runner = runner

    def request(self, method: str, path: str, **more: Any) -> httpx.Response:
        """One request and its whole answer."""
        return self._runner.run(self._http.request(method, path, **more))

    def wait_until(self, condition: Callable[[], bool]) -> None:
        """Let the background of all servers work until it has done something."""
        deadline = time.monotonic() + 60
        while not condition():
            assert time.monotonic() < deadline, "it was never done"
            self._runner.run(asyncio.sleep(0.002))


@contextmanager
def serving(*folders: Path, **settings: Any) -> Iterator[list[Client]]:
    """A server on each of these data folders."""
    with asyncio.Runner() as runner:
        stack = AsyncExitStack()
        try:
            yield [Client(runner.run(_opened(stack, one, settings)), runner) for one in folders]
        finally:
            runner.run(stack.aclose())


async def _opened(stack: AsyncExitStack, folder: Path, settings: Any) -> httpx.AsyncClient:
    app = create_app(settings_on(folder, **settings))
    await stack.enter_async_context(app.router.lifespan_context(app))
    transport = httpx.ASGITransport(app)
    return await stack.enter_async_context(httpx.AsyncClient(transport=transport, base_url=ADDRESS))
