"""A flow of very many segments that share a thousand objects; what its deletion costs others."""

import statistics
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from tests.bench.registrations import Registrations
from tests.bench.seed import repeat_segments
from tests.robustness.stories import create_flow, external_segment
from tests.support.processes import tams

SHARED_OBJECTS = 1000
POLL_SECONDS = 0.2
PAUSE_SECONDS = 0.005
PROGRESS = "{ deletionRequests(first: 1) { nodes { status deletedCount } } }"


@dataclass
class Latencies:
    """How long requests took, in milliseconds."""

    samples: list[float] = field(default_factory=list)

    @property
    def median(self) -> float:
        """Of all samples."""
        return statistics.median(self.samples)

    @property
    def p99(self) -> float:
        """What one in a hundred took at least."""
        return statistics.quantiles(self.samples, n=100)[98]

    def __str__(self) -> str:
        return f"{len(self.samples)} times, median {self.median:.1f} ms, p99 {self.p99:.1f} ms"


@dataclass
class Others:
    """What requests took that have nothing to do with a deletion."""

    reads: Latencies = field(default_factory=Latencies)
    registrations: Latencies = field(default_factory=Latencies)

    def __str__(self) -> str:
        return f"reads {self.reads}; registrations {self.registrations}"


def prepare(data: Path, count: int) -> tuple[str, str]:
    """A flow of `count` segments that share objects with bytes, and one of ten; their ids."""
    with tams(data) as server, httpx.Client(base_url=server.url, timeout=60) as client:
        flow_id, other = create_flow(server.url), create_flow(server.url)
        ids = [str(uuid.uuid4()) for _ in range(SHARED_OBJECTS)]
        storage = client.post(f"/flows/{flow_id}/storage", json={"object_ids": ids})
        for one in storage.raise_for_status().json()["media_objects"]:
            put = one["put_url"]
            headers = {"content-type": put["content-type"]}
            client.put(put["url"], content=b"bytes", headers=headers).raise_for_status()
        slots = range(SHARED_OBJECTS)
        posts = [
            {"object_id": ids[n], "timerange": f"[{n}:0_{n + 1}:0)", "ts_offset": f"{n}:0"}
            for n in slots
        ]
        assert client.post(f"/flows/{flow_id}/segments", json=posts).status_code == 201
        kept = [external_segment(f"kept-{slot}", slot) for slot in range(10)]
        assert client.post(f"/flows/{other}/segments", json=kept).status_code == 201
    repeat_segments(data, flow_id, count)
    return flow_id, other


def progress(url: str) -> tuple[str, int]:
    """The status of the latest deletion, if there is one, and how many segments are gone."""
    answer = httpx.post(f"{url}/graphql", json={"query": PROGRESS}, timeout=60).json()
    for one in answer["data"]["deletionRequests"]["nodes"]:
        return one["status"], int(one["deletedCount"])
    return "NONE", 0


def watch(url: str, flow_id: str, seconds: float) -> Others:
    """What light requests take, while somebody asks for the progress."""
    over = time.monotonic() + seconds
    with others(url, flow_id) as asked:
        while time.monotonic() < over:
            progress(url)
            time.sleep(POLL_SECONDS)
    return asked


@contextmanager
def others(url: str, flow_id: str) -> Iterator[Others]:
    """Somebody reads `flow_id` and somebody registers elsewhere, for the length of a block.

    Each asks one request after the other; the server lives as long.
    """
    asked, over = Others(), threading.Event()

    def repeat(work: Callable[[httpx.Client], Callable[[], None]], taken: Latencies) -> None:
        with httpx.Client(base_url=url, timeout=60) as client:
            ask = work(client)
            while not over.is_set():
                begun = time.perf_counter()
                ask()
                taken.samples.append((time.perf_counter() - begun) * 1000)
                time.sleep(PAUSE_SECONDS)

    def read(client: httpx.Client) -> Callable[[], None]:
        def ask() -> None:
            answer = client.get(f"/flows/{flow_id}/segments").raise_for_status()
            assert len(answer.json()) == 10

        return ask

    def register(client: httpx.Client) -> Callable[[], None]:
        registrations = Registrations(client)
        return lambda: registrations.register(1)

    works = ((read, asked.reads), (register, asked.registrations))
    threads = [threading.Thread(target=repeat, args=work) for work in works]
    for thread in threads:
        thread.start()
    try:
        yield asked
    finally:
        over.set()
        for thread in threads:
            thread.join()
