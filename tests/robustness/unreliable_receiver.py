"""A webhook's receiver that fails every third request and is away for a while."""

import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import orjson

from tests.support.processes import free_port

FAILS = 0.3


@dataclass
class Unreliable:
    """What it took, in order: the `webhook-id` and the body of each request answered 200."""

    port: int
    taken: list[tuple[str, Any]] = field(default_factory=list)
    refused: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/events"

    @property
    def ids(self) -> set[str]:
        return {webhook_id for webhook_id, _ in self.taken}

    @contextmanager
    def here(self) -> Iterator[None]:
        """It answers for the length of a block; otherwise nobody listens."""
        server = ThreadingHTTPServer(("127.0.0.1", self.port), _handler(self))
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            server.server_close()
            thread.join()


def unreliable() -> Unreliable:
    """A receiver with an address of its own, which is not there yet."""
    return Unreliable(free_port())


def wait_for(receiver: Unreliable, ids: set[str], seconds: float) -> None:
    """Until it has taken all of `ids`; whoever makes no progress for so long is stuck."""
    last, since = -1, time.monotonic()
    while not ids <= receiver.ids:
        left = len(ids - receiver.ids)
        if left != last:
            last, since = left, time.monotonic()
        assert time.monotonic() < since + seconds, f"{left} events never arrived"
        time.sleep(0.1)


def _handler(receiver: Unreliable) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            fails = random.random() < FAILS
            if fails:
                receiver.refused += 1
            else:
                receiver.taken.append((self.headers["webhook-id"], orjson.loads(body)))
            self.send_response(500 if fails else 200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Be quiet."""

    return Handler
