"""Receivers of webhooks on loopback that behave as told, and the way to them."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import httpcore

from tams_graphql.events.http_sender import HttpSender, Limits, tls_context
from tams_graphql.events.sending import Outcome, Post

PUBLIC = "93.184.215.14"
"""Stands for any address on the public internet; the connector leads it to loopback."""

Behaviour = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

_TLS = tls_context()

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


@dataclass
class Receiver:
    port: int = 0
    connections: int = 0
    requests: list[bytes] = field(default_factory=list)
    seen: asyncio.Event = field(default_factory=asyncio.Event)


@asynccontextmanager
async def receiving(
    behaviour: Behaviour | bytes = OK, tls: ssl.SSLContext | None = None, greeting: bytes = b""
) -> AsyncIterator[Receiver]:
    """A receiver that answers each request with these bytes, or does as `behaviour` does.

    Some say something first: `greeting`.
    """
    receiver, busy = Receiver(), set[asyncio.Task[None]]()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        receiver.connections += 1
        writer.write(greeting)
        try:
            while request := await _request(reader):
                receiver.requests.append(request)
                receiver.seen.set()
                if not isinstance(behaviour, bytes):
                    await behaviour(reader, writer)
                    return
                writer.write(behaviour)
                await writer.drain()
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.close()
            writer.transport.abort()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(serve(reader, writer))
        busy.add(task)
        task.add_done_callback(busy.discard)

    server = await asyncio.start_server(accept, "127.0.0.1", 0, ssl=tls)
    receiver.port = server.sockets[0].getsockname()[1]
    try:
        yield receiver
    finally:
        server.close()
        for task in busy:
            task.cancel()
        await asyncio.gather(*busy)
        await asyncio.sleep(0.01)


def writes(*parts: bytes, every: float = 0.0, again: bool = False) -> Behaviour:
    """A receiver that writes `parts`, the last again and again, then closes or falls silent."""

    async def behave(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for part in parts:
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(every)
        while again:
            writer.write(parts[-1])
            await writer.drain()
            await asyncio.sleep(every)

    return behave


async def _request(reader: asyncio.StreamReader) -> bytes:
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        line = await reader.readline()
        if not line:
            return b""
        head += line
    length = next(
        int(line.partition(b":")[2])
        for line in head.splitlines()
        if line.startswith(b"content-length:")
    )
    return head + await reader.readexactly(length)


class Connector(httpcore.AsyncNetworkBackend):
    """Leads addresses that are known to ports of loopback, and remembers what was asked for."""

    def __init__(self, routes: Mapping[str, int] | None = None) -> None:
        self.routes = dict(routes or {})
        self.attempts: list[tuple[str, int]] = []

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        self.attempts.append((host, port))
        if host not in self.routes:
            await self.lost(timeout or 0)
            raise httpcore.ConnectError("no route")
        real = httpcore.AnyIOBackend()
        return await real.connect_tcp("127.0.0.1", self.routes[host], timeout)

    async def lost(self, seconds: float) -> None:
        """What happens to who goes where no route leads."""


class Names:
    """A resolver that knows these names, and how often it was asked. Lists are used up in turn."""

    def __init__(self, **answers: list[list[str]]) -> None:
        self.answers = {name.replace("_", "."): answer for name, answer in answers.items()}
        self.asked: list[str] = []

    async def __call__(self, host: str) -> list[str]:
        self.asked.append(host)
        answers = self.answers.get(host)
        if not answers:
            raise OSError("unknown name")
        return answers.pop(0) if len(answers) > 1 else answers[0]


def post(url: str, body: bytes = b"{}", **headers: str) -> Post:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Post(url=url, body=body, headers=named)


async def sent(
    url: str,
    connector: Connector,
    names: Names | None = None,
    *,
    ports: Iterable[int] = (80, 443),
    tls: ssl.SSLContext | None = None,
) -> Outcome:
    """What comes of one attempt."""
    sender = HttpSender(
        ports=frozenset(ports),
        limits=Limits(connect_s=0.3, total_s=0.6),
        tls=tls or _TLS,
        resolver=names or Names(),
        connector=connector,
    )
    try:
        return await sender.send(post(url))
    finally:
        await sender.close()
