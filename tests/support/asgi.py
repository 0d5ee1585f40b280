"""Clients of an ASGI application in this process, for what takes longer than one answer.

`httpx.ASGITransport` gives an answer when it is complete. These give each part of it when it was
sent, and an application waits with the next part until the client takes it, as on a full socket.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import orjson
from starlette.types import ASGIApp, Message

PATIENCE = 10
"""Seconds that a test waits for what must come."""


async def soon(awaitable: Any) -> Any:
    """What comes, or the failure that it did not."""
    async with asyncio.timeout(PATIENCE):
        return await awaitable


class _Wire:
    """Both directions of one connection."""

    def __init__(self) -> None:
        self.to_app: asyncio.Queue[Message] = asyncio.Queue()
        self.from_app: asyncio.Queue[Message] = asyncio.Queue(maxsize=1)

    async def receive(self) -> Message:
        return await self.to_app.get()

    async def send(self, message: Message) -> None:
        await self.from_app.put(message)


def _scope(kind: str, path: str, headers: Mapping[str, str], **more: Any) -> dict[str, Any]:
    path, _, query = path.partition("?")
    return {
        "type": kind,
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": query.encode(),
        "headers": [
            (name.lower().encode(), value.encode())
            for name, value in {"host": "tams.test", **headers}.items()
        ],
        "server": ("tams.test", 80),
        "client": ("127.0.0.1", 5),
        "state": {},
        **more,
    }


@asynccontextmanager
async def _running(app: ASGIApp, scope: dict[str, Any], wire: _Wire, bye: Message) -> Any:
    serving = asyncio.create_task(app(scope, wire.receive, wire.send))  # type: ignore[arg-type]
    try:
        yield serving
    finally:
        wire.to_app.put_nowait(bye)
        async with asyncio.timeout(PATIENCE):
            while not serving.done():
                while not wire.from_app.empty():
                    wire.from_app.get_nowait()
                await asyncio.sleep(0.001)
        if serving.exception() is not None and not isinstance(serving.exception(), OSError):
            await serving


class WebSocketClient:
    """One that speaks `graphql-transport-ws`, message by message."""

    def __init__(self, wire: _Wire) -> None:
        self._wire = wire
        self.accepted: Message = {}

    async def say(self, **message: Any) -> None:
        await self.send_text(orjson.dumps(message).decode())

    async def send_text(self, text: str) -> None:
        await self._wire.to_app.put({"type": "websocket.receive", "text": text})

    async def send_bytes(self, data: bytes) -> None:
        await self._wire.to_app.put({"type": "websocket.receive", "bytes": data})

    async def heard(self) -> dict[str, Any]:
        """The next message that is no ping."""
        while True:
            message: Message = await soon(self._wire.from_app.get())
            assert message["type"] == "websocket.send", message
            told: dict[str, Any] = orjson.loads(message["text"])
            if told["type"] != "ping":
                return told

    async def pinged(self) -> None:
        message: Message = await soon(self._wire.from_app.get())
        assert orjson.loads(message["text"]) == {"type": "ping"}

    async def closed(self) -> tuple[int, str]:
        """Code and reason."""
        message: Message = await soon(self._wire.from_app.get())
        assert message["type"] == "websocket.close", message
        return message["code"], message["reason"]

    async def init(self) -> None:
        await self.say(type="connection_init")
        assert await self.heard() == {"type": "connection_ack"}

    async def subscribe(self, id: str, query: str, **variables: Any) -> None:  # noqa: A002
        payload = {"query": query, "variables": variables}
        await self.say(type="subscribe", id=id, payload=payload)


@asynccontextmanager
async def websocket(
    app: ASGIApp, path: str, *, protocol: str = "graphql-transport-ws", **headers: str
) -> AsyncIterator[WebSocketClient]:
    """A WebSocket to `app`, accepted or not."""
    wire = _Wire()
    scope = _scope("websocket", path, headers, scheme="ws", subprotocols=[protocol])
    async with _running(app, scope, wire, {"type": "websocket.disconnect", "code": 1001}):
        wire.to_app.put_nowait({"type": "websocket.connect"})
        client = WebSocketClient(wire)
        client.accepted = await soon(wire.from_app.get())
        yield client


class EventSource:
    """The answer to one request, event by event."""

    def __init__(self, wire: _Wire, head: Message) -> None:
        self._wire = wire
        self._rest = ""
        self.status: int = head["status"]
        self.headers = {name.decode(): value.decode() for name, value in head["headers"]}
        self.ended = False

    async def event(self) -> tuple[str, Any]:
        """Name and data of the next event."""
        while True:
            text = await self._block()
            if text.startswith(":"):
                continue
            lines = dict(line.split(": ", 1) for line in text.split("\r\n"))
            data = lines["data"]
            return lines["event"], orjson.loads(data) if data else None

    async def comment(self) -> str:
        """The text of a comment, which must be next."""
        text = await self._block()
        assert text.startswith(": "), text
        return text.removeprefix(": ")

    async def next(self) -> dict[str, Any]:
        """The data of an event ``next``."""
        name, data = await self.event()
        assert name == "next", (name, data)
        result: dict[str, Any] = data
        return result

    async def end(self) -> None:
        """Nothing more than ``complete`` comes."""
        assert await self.event() == ("complete", None)
        while not self.ended:
            assert await self._more() == ""

    async def _block(self) -> str:
        while "\r\n\r\n" not in self._rest:
            assert not self.ended, "the stream has ended"
            self._rest += await self._more()
        block, _, self._rest = self._rest.partition("\r\n\r\n")
        return block

    async def _more(self) -> str:
        message: Message = await soon(self._wire.from_app.get())
        self.ended = not message.get("more_body", False)
        return str(message.get("body", b"").decode())


@asynccontextmanager
async def event_source(
    app: ASGIApp, path: str, body: Mapping[str, Any] | None = None, **headers: str
) -> AsyncIterator[EventSource]:
    """The answer of `app` as it comes: a POST of `body`, or a GET."""
    wire = _Wire()
    given = {"accept": "text/event-stream", "content-type": "application/json", **headers}
    scope = _scope("http", path, given, scheme="http", method="POST" if body else "GET")
    async with _running(app, scope, wire, {"type": "http.disconnect"}):
        sent = b"" if body is None else orjson.dumps(body)
        wire.to_app.put_nowait({"type": "http.request", "body": sent, "more_body": False})
        yield EventSource(wire, await soon(wire.from_app.get()))
