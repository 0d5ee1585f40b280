"""A real HTTP server around an ASGI application, for tests where the wire matters."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from starlette.types import ASGIApp


@contextmanager
def running(app: ASGIApp, *, lifespan: str = "auto", timeout: float = 20) -> Iterator[str]:
    """Serve `app` from a thread, on a free loopback port, and give its base URL.

    Args:
        app: any ASGI application.
        lifespan: "on", "off" or "auto", as uvicorn's.
        timeout: seconds for start-up, and for shut-down, after which the test fails.
    """
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            lifespan=lifespan,  # type: ignore[arg-type]  # a Literal there, checked by uvicorn
            log_level="warning",
            access_log=False,
            timeout_graceful_shutdown=5,
        )
    )
    thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
    thread.start()
    try:
        _wait_until_started(server, thread, timeout)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(timeout)
        listener.close()
    assert not thread.is_alive(), "the server did not stop"


def _wait_until_started(server: uvicorn.Server, thread: threading.Thread, timeout: float) -> None:
    deadline = time.monotonic() + timeout
    while not server.started:
        assert thread.is_alive(), "the server ended while starting: see its log above"
        assert time.monotonic() < deadline, "the server did not start"
        time.sleep(0.005)
