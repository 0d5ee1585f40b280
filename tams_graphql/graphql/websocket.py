"""GraphQL over WebSockets: the protocol `graphql-transport-ws`, by Strawberry's handler.

1. what is no message of the protocol closes the socket with 4400, whatever it is instead;
2. each operation has a context of its own, as each HTTP request has;
3. operations that are refused are told so with typed errors, and the socket stays open;
4. pings keep the connection alive;
5. when the server stops, the operations end first, and then the socket is closed with 1012.

Sending waits while the socket is full. A client that does not read costs one message for each of
its operations, and their queues in the hub.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import suppress
from typing import Any, cast

import orjson
import structlog
from graphql import GraphQLError
from starlette.websockets import WebSocketState
from strawberry.asgi import ASGIWebSocketAdapter
from strawberry.http.exceptions import (
    NonJsonMessageReceived,
    NonTextMessageReceived,
    WebSocketDisconnected,
)
from strawberry.subscriptions.protocols.graphql_transport_ws.handlers import (
    BaseGraphQLTransportWSHandler,
    Operation,
)
from strawberry.subscriptions.protocols.graphql_transport_ws.types import Message, SubscribeMessage

from tams_graphql.graphql.context import OperationContext, limit_exceeded
from tams_graphql.graphql.streams import Streams

MESSAGE_BYTES = 8 * 1024 * 1024
"""The longest message that a client may send, unless the router says otherwise."""

_SERVICE_RESTART = 1012
_TOO_BIG = 1009
_PARTING_SECONDS = 0.1
_LONGEST_REASON = 123
_LONGEST_ID = 256

log = structlog.get_logger(__name__)


class Socket(ASGIWebSocketAdapter):
    """Messages in and out."""

    most_bytes = MESSAGE_BYTES

    async def iter_json(
        self,
        *,
        ignore_parsing_errors: bool = False,  # noqa: ARG002 - of the protocol that we don't speak
    ) -> AsyncGenerator[object, None]:
        """What the client says.

        Raises:
            NonTextMessageReceived, NonJsonMessageReceived: it is not of the protocol.
        """
        while self.ws.application_state is not WebSocketState.DISCONNECTED:
            message = await self.ws.receive()
            if message["type"] == "websocket.disconnect":
                return
            text = message.get("text")
            if text is None:
                raise NonTextMessageReceived
            if len(text) > self.most_bytes:
                await self.close(_TOO_BIG, f"a message exceeds {self.most_bytes} characters")
                return
            try:
                yield orjson.loads(text)
            except orjson.JSONDecodeError as error:
                raise NonJsonMessageReceived from error

    async def send_json(self, message: Any) -> None:
        """Tell the client, or wait until it has read some of what it was told.

        Raises:
            WebSocketDisconnected: nobody is there any more.
        """
        if self.ws.application_state is WebSocketState.DISCONNECTED:
            raise WebSocketDisconnected
        await super().send_json(message)

    async def close(self, code: int, reason: str) -> None:
        """Close, if it is open."""
        if self.ws.application_state is not WebSocketState.DISCONNECTED:
            short = reason.encode()[:_LONGEST_REASON].decode(errors="ignore")
            await super().close(code, short)


class Connection(BaseGraphQLTransportWSHandler[OperationContext, None]):
    """One client, and its operations."""

    streams: Streams

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        # Unlike `operations`, it has those that still say that they are complete.
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def context(self) -> OperationContext:
        """That of one operation: nothing that was read for another is remembered."""
        return self._context.renewed()

    @context.setter
    def context(self, given: OperationContext) -> None:
        self._context = given

    async def handle(self) -> None:
        """Serve until the client or the server goes."""
        with self.streams.opened():
            beside = [asyncio.create_task(work) for work in (self._ping(), self._stop())]
            try:
                await super().handle()
            finally:
                for task in beside:
                    task.cancel()
                await asyncio.gather(*beside, return_exceptions=True)

    async def _ping(self) -> None:
        with suppress(WebSocketDisconnected):
            while True:
                await asyncio.sleep(self.streams.keep_alive)
                if self.connection_acknowledged:
                    await self.send_message({"type": "ping"})

    async def _stop(self) -> None:
        await self.streams.stopping.wait()
        if self._tasks:
            await asyncio.wait(self._tasks)
            # Clients take for broken off what was complete in the instant of the closing.
            await asyncio.sleep(_PARTING_SECONDS)
        with suppress(WebSocketDisconnected):
            await self.websocket.close(_SERVICE_RESTART, "the server stops")

    async def handle_message(self, message: Message) -> None:
        """Check the form of what came, and act on it."""
        if _is_message(message):
            await super().handle_message(message)
        else:
            await self.handle_invalid_message("not a message of graphql-transport-ws")

    async def handle_subscribe(self, message: SubscribeMessage) -> None:
        """Start an operation, unless too many run."""
        count, most = len(self.operations), self.streams.most_operations
        if self.connection_acknowledged and message["id"] not in self.operations and count >= most:
            error = limit_exceeded("operations", count + 1, most)
            await self.send_message(
                {"id": message["id"], "type": "error", "payload": [error.formatted]}
            )
            return
        await super().handle_subscribe(message)

    async def run_operation(self, operation: Operation[OperationContext, None]) -> None:
        """Until its last message is sent."""
        task = cast("asyncio.Task[None]", asyncio.current_task())
        self._tasks.add(task)
        try:
            await super().run_operation(operation)
        finally:
            self._tasks.discard(task)

    async def handle_task_exception(self, error: Exception) -> None:
        """Log what went wrong, if it is more than a client that has gone."""
        if not isinstance(error, WebSocketDisconnected):
            log.error("an operation failed", exc_info=error)

    @staticmethod
    def _get_pre_execution_close_reason(error: GraphQLError) -> str | None:
        # A typed error on the operation's own id tells more than a closed socket.
        del error
        return None


def _is_message(message: Any) -> bool:
    if not isinstance(message, dict) or not isinstance(message.get("type"), str):
        return False
    if message["type"] in {"subscribe", "complete"} and not _is_id(message.get("id")):
        return False
    return message["type"] != "subscribe" or _is_request(message.get("payload"))


def _is_id(value: Any) -> bool:
    return isinstance(value, str) and 0 < len(value) <= _LONGEST_ID


def _is_request(payload: Any) -> bool:
    return (
        isinstance(payload, dict)
        and isinstance(payload.get("query"), str)
        and payload["query"] != ""
        and isinstance(payload.get("variables"), dict | None)
        and isinstance(payload.get("operationName"), str | None)
    )


def connection_class(streams: Streams) -> type[Connection]:
    """The handler of one router's sockets."""
    return cast("type[Connection]", type("Connection", (Connection,), {"streams": streams}))


def socket_class(most_bytes: int) -> type[Socket]:
    """The sockets of one router.

    Args:
        most_bytes: how long a client's message may be.
    """
    return cast("type[Socket]", type("Socket", (Socket,), {"most_bytes": most_bytes}))
