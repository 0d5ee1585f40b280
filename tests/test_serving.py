"""The HTTP server: who does not read does not stay."""

import asyncio
import socket
import sys
import threading
import time

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send

from tams_graphql.serving import HttpServer

HEADS = {
    "http": b"GET / HTTP/1.1\r\nhost: x\r\n\r\n",
    "websocket": b"GET / HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n"
    b"sec-websocket-version: 13\r\nsec-websocket-key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n\r\n",
}


class Endless:
    """An application that says more and more, until nobody is there any more."""

    def __init__(self) -> None:
        self.sent = 0
        self.gone = threading.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        assert scope["type"] in HEADS
        await receive()
        talking = asyncio.create_task(self._talk(scope["type"], send))
        while (await receive())["type"] not in {"http.disconnect", "websocket.disconnect"}:
            pass
        self.gone.set()
        talking.cancel()

    async def _talk(self, kind: str, send: Send) -> None:
        if kind == "http":
            await send({"type": "http.response.start", "status": 200, "headers": []})
        else:
            await send({"type": "websocket.accept"})
        while True:
            if kind == "http":
                await send({"type": "http.response.body", "body": bytes(10_000), "more_body": True})
            else:
                await send({"type": "websocket.send", "bytes": bytes(10_000)})
            self.sent += 10_000


async def _nothing() -> None:
    """There are no streams to end."""


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel has no TCP_USER_TIMEOUT")
@pytest.mark.parametrize("kind", list(HEADS))
def test_a_client_that_does_not_read_is_dropped_and_costs_nothing_before(kind: str) -> None:
    app = Endless()
    config = uvicorn.Config(app, lifespan="off", log_level="critical", access_log=False)
    server = HttpServer(config, _nothing, unread_seconds=0.5)
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.socket() as client:
        thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
        thread.start()
        while not server.started:
            time.sleep(0.01)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect(listener.getsockname())
        client.sendall(HEADS[kind])
        assert app.gone.wait(30), "it is still waited for"
        assert 0 < app.sent < 20_000_000
        server.should_exit = True
        thread.join(10)
    assert not thread.is_alive()
