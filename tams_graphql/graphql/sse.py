"""GraphQL over Server-Sent Events, each operation on a connection of its own.

As the `graphql-sse` protocol has it ("distinct connections mode"): an event ``next`` for each
result, at last one ``complete``; comments keep the connection alive. Whatever is a GraphQL request
is answered so, refused operations, too.

The next event is made when the one before was taken from us, and sending waits while the socket
is full: a client that does not read costs one event here, and its queue in the hub.
"""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any, cast

import orjson
from starlette.responses import StreamingResponse
from starlette.types import Send
from strawberry.http.streaming import SSETransport, merge_stream_with_heartbeat

from tams_graphql.graphql.streams import Streams

EVENT_STREAM = "text/event-stream"


class EventStream(StreamingResponse):
    """The results of one operation.

    Args:
        results: as JSON shows them; closed when the client goes.
        streams: where it is registered while it is open.
    """

    def __init__(self, results: AsyncGenerator[dict[str, Any], None], streams: Streams) -> None:
        transport = SSETransport(streams.keep_alive)

        async def events() -> AsyncGenerator[str, None]:
            async with aclosing(results):
                async for result in results:
                    yield transport.encode_next(cast("Any", result), _json)
            yield transport.encode_complete()

        self._streams = streams
        self._parts = merge_stream_with_heartbeat(
            events,
            lambda: transport.heartbeat_message(_json),
            streams.keep_alive,
            # So that proxies, too, pass the head of the response on at once.
            send_initial_heartbeat=True,
        )()
        super().__init__(self._parts, headers={**transport.headers, "vary": "accept"})

    async def stream_response(self, send: Send) -> None:
        """Until the operation has ended, or the client has gone."""
        with self._streams.opened():
            async with aclosing(self._parts):
                await super().stream_response(send)


def _json(value: object) -> str:
    return orjson.dumps(value).decode()
