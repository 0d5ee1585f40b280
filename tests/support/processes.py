"""Real `tams serve` processes for tests that need more than one, or need to kill one."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from tests.support.engines import environment_on


def free_port() -> int:
    """A loopback port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class TamsProcess:
    """A running server process; `url` is its base address."""

    process: subprocess.Popen[bytes]
    url: str

    def kill(self) -> None:
        """Kill it as a power cut would, and wait until it is gone."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self) -> int:
        """Ask it to finish; returns its exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=30)


def start_tams(data: Path, port: int | None = None, **settings: str) -> TamsProcess:
    """Start `tams serve` on `data` and return once it answers."""
    port = port or free_port()
    given = {f"TAMS_{name.upper()}": value for name, value in settings.items()}
    environment = {**environment_on(data), **os.environ, **given}
    log = (data.parent / f"server-{port}.log").open("ab")
    with log:
        process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "tams_graphql",
                "serve",
                "--data",
                str(data),
                "--port",
                str(port),
            ],
            env=environment,
            stderr=log,
            stdout=log,
        )
    server = TamsProcess(process, f"http://127.0.0.1:{port}")
    _wait_until_healthy(server, Path(log.name))
    return server


def _wait_until_healthy(server: TamsProcess, log: Path) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        if server.process.poll() is not None:
            break
        try:
            if httpx.get(f"{server.url}/health", timeout=2).status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.05)
    server.process.kill()
    raise RuntimeError(f"the server did not come up:\n{log.read_text()[-4000:]}")


@contextmanager
def tams(data: Path, **settings: str) -> Iterator[TamsProcess]:
    """A server process for the length of a block."""
    server = start_tams(data, **settings)
    try:
        yield server
    finally:
        if server.process.poll() is None:
            server.kill()
