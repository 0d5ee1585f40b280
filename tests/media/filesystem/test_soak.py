"""Pins that a body of 2 GiB passes through the server in constant memory, both ways."""

import hashlib
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import psutil
import pytest

from tams_graphql.media.store import new_key
from tests.media.filesystem.site import MP2T, Site

SIZE = 2 << 30
BLOCK = 1 << 20
LIMIT = 100 << 20
SERVER = """
import pathlib, sys, time, uvicorn
from tests.media.filesystem.site import Site
site = Site(pathlib.Path(sys.argv[1]), max_bytes=4 << 30)
site.clock.now = time.time()
uvicorn.run(site.app, port=0, access_log=False)
"""


class Body:
    """`SIZE` bytes made as they are asked for; no two blocks of it are alike."""

    def __init__(self) -> None:
        self.sha256 = hashlib.sha256()
        self._noise = os.urandom(BLOCK - 8)

    def __iter__(self) -> Iterator[bytes]:
        for number in range(SIZE // BLOCK):
            block = number.to_bytes(8, "big") + self._noise
            self.sha256.update(block)
            yield block


class Memory:
    """The most memory that a process held, in bytes of RSS."""

    def __init__(self, pid: int) -> None:
        self._process = psutil.Process(pid)
        self._done = threading.Event()
        self.peak = self.now()

    def now(self) -> int:
        return self._process.memory_info().rss

    @contextmanager
    def watched(self) -> Iterator[None]:
        watcher = threading.Thread(target=self._watch)
        watcher.start()
        try:
            yield
        finally:
            self._done.set()
            watcher.join()

    def _watch(self) -> None:
        while not self._done.wait(0.02):
            self.peak = max(self.peak, self.now())


@contextmanager
def server(root: Path) -> Iterator[tuple[str, int]]:
    """The base URL and process id of a server of its own."""
    command = [sys.executable, "-c", SERVER, str(root)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr
        for line in process.stderr:
            if started := re.search(r"running on (http://\S+)", line):
                break
        assert started
        try:
            yield started[1], process.pid
        finally:
            process.terminate()
            process.stderr.read()


@pytest.mark.soak
def test_two_gibibytes_in_constant_memory(
    tmp_path: Path, record_testsuite_property: Callable[[str, object], None]
) -> None:
    with server(tmp_path) as (base_url, pid), httpx.Client(timeout=600) as client:
        site = Site(tmp_path, base_url=base_url)
        site.clock.now = time.time()
        small, key, body = new_key(), new_key(), Body()
        headers = {"content-type": MP2T}
        client.put(site.put_url(small), content=b"x" * BLOCK, headers=headers).raise_for_status()
        client.get(site.get_url(small)).raise_for_status()
        memory = Memory(pid)
        before = memory.now()
        with memory.watched():
            put = client.put(site.put_url(key), content=iter(body), headers=headers)
            assert put.status_code == 200
            received = hashlib.sha256()
            with client.stream("GET", site.get_url(key)) as response:
                for piece in response.iter_raw():
                    received.update(piece)
        site.store.close()
    added = memory.peak - before
    record_testsuite_property(
        "2 GiB through the server: RSS added, MiB", round(added / (1 << 20), 1)
    )
    assert put.headers["etag"] == f'"{body.sha256.hexdigest()}"'
    assert received.hexdigest() == body.sha256.hexdigest()
    assert added < LIMIT
