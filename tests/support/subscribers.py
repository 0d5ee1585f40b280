"""Very many subscribers on few connections, and what each of them heard.

1. A `Subscriber` keeps what it heard and its cursor, whatever becomes of its connection.
2. `over_socket` runs those that share one WebSocket, `over_sse` one on a request of its own; both
   go on from the cursors.
3. They return when the server has ended everything or has gone, and can be cancelled before.
"""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import httpx
import orjson
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

ADDED = """subscription Added($flowId: UUID!, $after: String) {
  segmentsAdded(flowId: $flowId, after: $after) { cursor eventId flowId segments { timerange } }
}"""
OF_FLOW = """subscription OfFlow($flowId: UUID!, $after: String) {
  events(after: $after, filter: {flowIds: [$flowId], types: [FLOWS_SEGMENTS_ADDED]}) {
    ... on SegmentsAdded { cursor eventId flowId segments { timerange } }
  }
}"""
EVERYTHING = """subscription Everything($after: String) {
  events(after: $after) {
    ... on LoggedEvent { cursor eventId sourceId }
    ... on FlowEvent { flowId }
    ... on SegmentsAdded { segments { timerange } }
    ... on FlowUpdated { flow { label } }
  }
}"""
PROTOCOL = Subprotocol("graphql-transport-ws")


@dataclass(frozen=True, slots=True)
class Heard:
    """An event that came: of which flow, and its new label, or the timerange of its new segment."""

    event_id: str
    flow_id: str | None
    told: str | None


@dataclass(eq=False)
class Subscriber:
    """Who follows one flow, or everything."""

    query: str
    after: str
    flow_id: str | None = None
    heard: list[Heard] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)
    """The codes of the errors that ended its subscriptions."""
    on_event: Callable[[Heard], None] | None = None

    @property
    def request(self) -> dict[str, Any]:
        """What it asks for: what comes after what it has heard."""
        variables = {"after": self.after, "flowId": self.flow_id}
        asked = {name: value for name, value in variables.items() if value is not None}
        return {"query": self.query, "variables": asked}

    def hear(self, payload: Mapping[str, Any]) -> None:
        """A result of its subscription."""
        if "errors" in payload:
            extensions = payload["errors"][0]["extensions"]
            self.ended.append(extensions["code"])
            self.after = extensions.get("cursor", self.after)
            return
        (event,) = payload["data"].values()
        told = event["flow"]["label"] if "flow" in event else None
        for added in event.get("segments", ()):
            told = added["timerange"]
        self.after = event["cursor"]
        heard = Heard(event["eventId"], event.get("flowId"), told)
        self.heard.append(heard)
        if self.on_event is not None:
            self.on_event(heard)


def cursor_now(url: str) -> str:
    """After everything that has happened so far."""
    answer = httpx.post(f"{url}/graphql", json={"query": "{ eventLog { cursor } }"}).json()
    return str(answer["data"]["eventLog"]["cursor"])


async def open_socket(url: str, **options: Any) -> ClientConnection:
    """A WebSocket that has said hello; `options` are those of `connect`."""
    address = urlsplit(url)._replace(scheme="ws", path="/graphql").geturl()
    client = await connect(address, subprotocols=[PROTOCOL], ping_interval=None, **options)
    await client.send('{"type": "connection_init"}')
    assert orjson.loads(await client.recv())["type"] == "connection_ack"
    return client


async def over_socket(url: str, subscribers: Sequence[Subscriber]) -> None:
    """All of these on one WebSocket; when it is cancelled, it goes without a word."""
    client = await open_socket(url)
    try:
        for number, one in enumerate(subscribers):
            message = {"type": "subscribe", "id": str(number), "payload": one.request}
            await client.send(orjson.dumps(message).decode())
        await _listen(client, subscribers)
    except ConnectionClosed:
        return
    finally:
        client.transport.abort()


async def _listen(client: ClientConnection, subscribers: Sequence[Subscriber]) -> None:
    running = len(subscribers)
    while running:
        message = orjson.loads(await client.recv())
        match message["type"]:
            case "next":
                subscribers[int(message["id"])].hear(message["payload"])
            case "ping":
                await client.send('{"type": "pong"}')
            case "complete":
                running -= 1
            case _:
                raise AssertionError(message)


async def over_sse(url: str, subscriber: Subscriber) -> None:
    """One subscription, on a request of its own."""
    limits = httpx.Timeout(60)
    asks = {"accept": "text/event-stream"}
    async with (
        httpx.AsyncClient(timeout=limits) as client,
        client.stream("POST", f"{url}/graphql", json=subscriber.request, headers=asks) as answer,
    ):
        assert answer.status_code == 200
        name = ""
        async for line in answer.aiter_lines():
            kind, _, value = line.partition(": ")
            if kind == "event":
                name = value
            elif kind == "data" and name == "next":
                subscriber.hear(orjson.loads(value))


async def until(done: Callable[[], bool], progress: Callable[[], int], seconds: float) -> None:
    """Wait until it is done; who makes no progress for so long is stuck."""
    clock = asyncio.get_running_loop().time
    last, since = -1, clock()
    while not done():
        if progress() != last:
            last, since = progress(), clock()
        assert clock() < since + seconds, f"stuck at {last}"
        await asyncio.sleep(0.02)


_SEGMENTS = " ".join(
    f"s{n}: segments {{ objectId timerange getUrls {{ url }} }}" for n in range(25)
)
_MUCH = f"""subscription Much($after: String) {{
  events(after: $after) {{ ... on SegmentsAdded {{ {_SEGMENTS} }} }}
}}"""


@asynccontextmanager
async def asleep(url: str, after: str) -> AsyncIterator[int]:
    """Somebody follows everything, much of it, and reads nothing; the port it does so from."""
    address = urlsplit(url)
    door = socket.socket()
    # The less the kernel takes for it, the sooner the server notices.
    door.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    door.connect((address.hostname, address.port))
    client = await open_socket(url, sock=door, compression=None, max_queue=1)
    payload = {"query": _MUCH, "variables": {"after": after}}
    await client.send(orjson.dumps({"type": "subscribe", "id": "1", "payload": payload}).decode())
    try:
        yield int(door.getsockname()[1])
    finally:
        client.transport.abort()
