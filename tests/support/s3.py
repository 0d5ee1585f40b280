"""An S3 server (moto, over HTTP) that can be taken away, be made to hang, and come back."""

import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qs

import boto3
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import BaseWSGIServer, make_server

from tests.support.processes import free_port

ACCESS_KEY, SECRET_KEY = "studio", "studio-secret"
Environ = dict[str, Any]


class S3Server:
    """On one port for its lifetime; what it stores outlives `stop`.

    Requests for which `holds` is true wait, unanswered and unread, until `let_go`; `uploaded`
    has the numbers of the parts that were answered.
    """

    def __init__(self) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.holds: Callable[[Environ], bool] = lambda _: False
        self.holding = threading.Event()
        self.uploaded: list[int] = []
        self._free = threading.Event()
        self._cut = False
        self._moto = DomainDispatcherApplication(create_backend_app)
        self._server: BaseWSGIServer | None = None

    def start(self) -> None:
        """Answer."""
        self._server = make_server("127.0.0.1", self.port, self, threaded=True)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        """Refuse connections."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def let_go(self, *, cut: bool = False) -> None:
        """Hold nothing any more; what was held is answered, or `cut` off."""
        self.holds = lambda _: False
        self._cut = cut
        self._free.set()

    def client(self) -> Any:
        """A boto3 client of our own."""
        return boto3.client(
            "s3",
            endpoint_url=self.url,
            region_name="us-east-1",
            aws_access_key_id=ACCESS_KEY,
            aws_secret_access_key=SECRET_KEY,
        )

    def __call__(self, environ: Environ, start: Callable[..., Any]) -> Iterable[bytes]:
        if self.holds(environ):
            self.holding.set()
            self._free.wait()
            if self._cut:
                environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
                raise ConnectionAbortedError
        answer: Iterable[bytes] = self._moto(environ, start)
        number = part_number(environ)
        if number is not None:
            self.uploaded.append(number)
        return answer


def part_number(environ: Environ) -> int | None:
    """Which part of a multipart upload a request brings."""
    number = parse_qs(environ["QUERY_STRING"]).get("partNumber")
    return int(number[0]) if number and environ["REQUEST_METHOD"] == "PUT" else None


@contextmanager
def s3_server() -> Iterator[S3Server]:
    """A server for the length of a block."""
    server = S3Server()
    server.start()
    try:
        yield server
    finally:
        server.let_go(cut=True)
        server.stop()
