"""What tests of webhooks tell: receivers on loopback, and processes whose rounds a test turns."""

import asyncio
import ipaddress
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import orjson
from standardwebhooks import Webhook as Verifier

from rest_compat.event_bodies import EventBodies
from tams_graphql.events.http_sender import HttpSender, Limits, tls_context
from tams_graphql.events.hub import Hub
from tams_graphql.events.log import EventLog
from tams_graphql.events.waking import WakingEngine
from tams_graphql.metadata.engine import MetadataEngine, Scan
from tams_graphql.metadata.event_tables import WEBHOOK_DELIVERIES, WEBHOOK_QUEUES
from tams_graphql.model.records import Webhook
from tams_graphql.resolvers import webhooks
from tams_graphql.resolvers.context import Context
from tams_graphql.resolvers.delivery_rows import delivery_from_row
from tams_graphql.resolvers.flows import put_flow
from tams_graphql.resolvers.webhook_dispatch import Dispatch
from tams_graphql.resolvers.webhook_secrets import signing_secret
from tests.resolvers.conftest import fresh, uuid4, video

LOOPBACK = (ipaddress.ip_network("127.0.0.0/8"),)
SECONDS = 20.0
"""How long a story waits for what must come."""

EVERY = [
    *("flows/created", "flows/updated", "flows/deleted", "flows/segments_added"),
    *("flows/segments_deleted", "sources/created", "sources/updated", "sources/deleted"),
]
_TLS = tls_context()


class MovableClock:
    """The real one, which a test may put forward."""

    def __init__(self) -> None:
        self.ahead_us = 0

    def __call__(self) -> int:
        return time.time_ns() // 1000 + self.ahead_us

    def advance(self, seconds: float) -> None:
        self.ahead_us += round(seconds * 1_000_000)


@dataclass
class Arrival:
    """One request that a receiver got."""

    headers: dict[str, str]
    raw: bytes

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def body(self) -> Any:
        return orjson.loads(self.raw)

    @property
    def type(self) -> str:
        return str(self.body["event_type"])

    def verify(self, secret: str) -> None:
        """As the library of Standard Webhooks does it."""
        assert Verifier(secret).verify(self.raw, self.headers) == self.body


@dataclass
class Receiver:
    """A webhook's receiver. `answers` are used up in turn, then everything is taken."""

    port: int = 0
    arrivals: list[Arrival] = field(default_factory=list)
    answers: list[str] = field(default_factory=list)
    open: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    @property
    def types(self) -> list[str]:
        return [one.type for one in self.arrivals]

    @property
    def ids(self) -> list[str]:
        return [one.id for one in self.arrivals]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")[1:]
                pairs = (line.partition(": ") for line in head if line)
                headers = {name: value for name, _, value in pairs}
                raw = await reader.readexactly(int(headers["content-length"]))
                self.arrivals.append(Arrival(headers, raw))
                await self.open.wait()
                answer = self.answers.pop(0) if self.answers else "200"
                status, *lines = answer.split("\n")
                told = "".join(f"{line}\r\n" for line in (*lines, "content-length: 0"))
                writer.write(f"HTTP/1.1 {status} X\r\n{told}\r\n".encode())
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.close()
            writer.transport.abort()


@asynccontextmanager
async def receiver(*answers: str) -> AsyncIterator[Receiver]:
    """A receiver that answers so: a status, and lines of header after it."""
    one = Receiver(answers=list(answers))
    one.open.set()
    tasks: set[asyncio.Task[None]] = set()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.add(asyncio.ensure_future(one.serve(reader, writer)))

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    one.port = server.sockets[0].getsockname()[1]
    try:
        yield one
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0.01)


class Process:
    """One server process, as far as it sends events."""

    def __init__(self, ctx: Context, engine: MetadataEngine, **service: Any) -> None:
        self.hub = Hub(EventLog(engine), poll_seconds=0.02)
        sender = HttpSender(networks=LOOPBACK, limits=Limits(total_s=5.0), tls=_TLS)
        chosen = {"webhook_networks": LOOPBACK, **service}
        self._ctx = replace(
            fresh(ctx),
            metadata=WakingEngine(engine, self.hub.wake),
            service=replace(ctx.service, **chosen),
            hub=self.hub,
            sender=sender,
            bodies=EventBodies(),
        )
        self._senders = [sender]
        self.dispatch = Dispatch(self.context)
        self._hub_task = asyncio.ensure_future(self.hub.run())

    def context(self) -> Context:
        """Of the next request."""
        ctx = self._ctx
        return replace(ctx)

    async def round(self) -> None:
        await self.dispatch.round()

    async def until(self, done: Callable[[], bool], *others: "Process", turn: bool = True) -> None:
        """Turn the rounds of these processes until `done`; or only wait."""
        async with asyncio.timeout(SECONDS):
            while not done():
                for one in (self, *others) if turn else ():
                    await one.round()
                await asyncio.sleep(0.005)

    async def idle(self) -> None:
        """Turn a few rounds, in which whatever is to be sent would be."""
        for _ in range(10):
            await self.round()
            await asyncio.sleep(0.01)

    def has_sent(self, webhook: Webhook) -> bool:
        """Whether an event was taken that is not written down."""
        return self.dispatch.serving[webhook.id].has_unwritten

    def forbid_loopback(self) -> None:
        """As if the operator did."""
        self._ctx.sender = HttpSender(tls=_TLS)
        self._senders.append(self._ctx.sender)

    def forget(self) -> None:
        """As a process that has just started: it remembers no events."""
        self.hub._remembered.clear()
        self.hub._forgotten = self.hub.reached

    async def stop(self) -> None:
        """As a server does that is asked to."""
        await self.dispatch.close()
        await self._end()

    async def kill(self) -> None:
        """Nothing is written down, nothing let go."""
        await self.dispatch.stop(*self.dispatch.serving)
        await self._end()

    async def _end(self) -> None:
        self._hub_task.cancel()
        await asyncio.gather(self._hub_task, return_exceptions=True)
        for sender in self._senders:
            await sender.close()


async def registered(process: Process, to: Receiver, **given: Any) -> Webhook:
    body = {"url": to.url, "events": EVERY, **given}
    return await webhooks.register_webhook(process.context(), body)


async def webhook_of(process: Process, webhook: Webhook) -> Webhook:
    return await webhooks.get_webhook(process.context(), webhook.id)


async def secret_of(process: Process, webhook: Webhook) -> str:
    secret = signing_secret(process.context().secrets, await webhook_of(process, webhook))
    assert secret is not None
    return secret


async def queue_of(process: Process, webhook: Webhook) -> dict[str, Any]:
    rows = await process.context().metadata.get(WEBHOOK_QUEUES, [(webhook.id,)])
    (row,) = rows.to_pylist()
    found: dict[str, Any] = row
    return found


async def deliveries_of(process: Process, webhook: Webhook) -> list[tuple[str, list[Any]]]:
    """Status, and status codes or reasons of the attempts, of each delivery; the oldest first."""
    scan = Scan(table=WEBHOOK_DELIVERIES, prefix=(webhook.id,), limit=1000)
    rows = (await process.context().metadata.page(scan)).to_pylist()
    return [
        (one.status.value, [a.status_code or a.reason for a in one.attempts])
        for one in map(delivery_from_row, rows)
    ]


async def flow(process: Process, number: int = 1, **changes: Any) -> str:
    flow_id = uuid4(number)
    given = {"source_id": uuid4(100 + number), **changes}
    await put_flow(process.context(), flow_id, video(flow_id, **given))
    return flow_id


async def change(process: Process, webhook: Webhook, **changes: Any) -> None:
    await webhooks.update_webhook(process.context(), webhook.id, changes)
