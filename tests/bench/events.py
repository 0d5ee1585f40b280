"""How soon changes are told, by the server that made them and by another; what followers cost.

The times of both servers are of the same changes. These come at random times, so that they meet
another server's polling at any point.
"""

import asyncio
import random
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import rich

from tests.bench.followers import following
from tests.bench.harness import Arm, Comparison
from tests.bench.registrations import Registrations
from tests.robustness.long_deletion import Latencies
from tests.robustness.stories import create_flow, external_segment
from tests.support.engines import on_vast
from tests.support.processes import free_port, tams
from tests.support.subscribers import (
    EVERYTHING,
    Heard,
    Subscriber,
    cursor_now,
    over_socket,
    until,
)
from tests.vast_emulator.running import emulator

CHANGES = 250
"""Of each kind: the 99th percentile needs some."""
PAUSE_SECONDS = 0.08
"""Between two changes, on average."""
FOLLOWERS = 10
SINGLES = 20
GOALS = {"SQLite": 400, "VAST (emulator)": 1000}
KINDS = ("label", "segment")


@dataclass
class Telling:
    """Of each change: how long the request took, and when after its start it was told where."""

    request: Latencies = field(default_factory=Latencies)
    here: Latencies = field(default_factory=Latencies)
    elsewhere: Latencies = field(default_factory=Latencies)


@dataclass(frozen=True)
class Tellings:
    """What was measured on one engine, for each kind of change."""

    engine: str
    of_kind: dict[str, Telling]

    def markdown(self) -> Iterator[str]:
        """A table of this result."""
        yield f"### How soon is a change told, with the index in {self.engine}?"
        yield ""
        yield "From the start of the request to the arrival at a subscriber over a WebSocket;"
        yield f"{CHANGES} changes of each kind. Other servers look every 250 ms. The goal for them:"
        yield f"a p99 of at most {GOALS[self.engine]} ms."
        yield ""
        yield "| change | until | median ms | ratio | p99 ms | ratio |"
        yield "|---|---|---|---|---|---|"
        for kind, one in self.of_kind.items():
            arms = {
                "told by the same server": one.here,
                "told by another server": one.elsewhere,
                "the request is answered": one.request,
            }
            for name, arm in arms.items():
                median, p99 = arm.median / one.here.median, arm.p99 / one.here.p99
                numbers = f"{arm.median:.1f} | {median:.2f} | {arm.p99:.1f} | {p99:.2f}"
                yield f"| {kind} | {name} | {numbers} |"
        yield ""


def tellings() -> Sequence[Tellings]:
    """On both engines."""
    with tempfile.TemporaryDirectory() as folder:
        embedded = _telling("SQLite", Path(folder) / "data")
        with emulator() as running, on_vast(running):
            vast = _telling("VAST (emulator)", Path(folder) / "data")
    return embedded, vast


def _telling(engine: str, data: Path) -> Tellings:
    with tams(data) as one, tams(data) as other:
        result = Tellings(engine, asyncio.run(_measured(one.url, other.url)))
    rich.print("\n".join(result.markdown()))
    return result


async def _measured(here: str, elsewhere: str) -> dict[str, Telling]:
    flow_id = await asyncio.to_thread(create_flow, here)
    arrivals = [_Arrivals(url, cursor_now(here)) for url in (here, elsewhere)]
    listening = [asyncio.ensure_future(over_socket(one.url, [one.listener])) for one in arrivals]
    changes = _Changes(here, flow_id)
    # The first ones only warm both servers up.
    await changes.make(10)
    warm = set(changes.begun)
    await changes.make(CHANGES)
    fewest = lambda: min(len(one.times) for one in arrivals)  # noqa: E731
    await until(lambda: fewest() >= len(changes.begun), fewest, 30)
    for task in listening:
        task.cancel()
    await asyncio.gather(*listening, return_exceptions=True)
    result = {kind: Telling() for kind in KINDS}
    for told in changes.begun.keys() - warm:
        changes.add(result[_kind(told)], told, *(one.times[told] for one in arrivals))
    return result


def _kind(told: str) -> str:
    return "segment" if told.startswith("[") else "label"


class _Arrivals:
    """When a subscriber of one server heard what."""

    def __init__(self, url: str, after: str) -> None:
        self.url = url
        self.times: dict[str, float] = {}
        self.listener = Subscriber(EVERYTHING, after, on_event=self._hear)

    def _hear(self, heard: Heard) -> None:
        if heard.told is not None:
            self.times[heard.told] = time.perf_counter()


class _Changes:
    """Labels and segments in turn, and when each was asked for and answered."""

    def __init__(self, url: str, flow_id: str) -> None:
        self._url = url
        self._flow_id = flow_id
        self.begun: dict[str, float] = {}
        self._answered: dict[str, float] = {}

    async def make(self, count: int) -> None:
        """So many of each kind, at random times."""
        begin = len(self.begun)
        async with httpx.AsyncClient(base_url=self._url, timeout=30) as client:
            for number in range(begin, begin + count):
                await self._change(client, "PUT", "label", f"number {number}", f"number {number}")
                segment = external_segment(f"{self._flow_id}/{number}", number)
                await self._change(client, "POST", "segments", segment, segment["timerange"])

    async def _change(
        self, client: httpx.AsyncClient, method: str, path: str, body: object, told: str
    ) -> None:
        await asyncio.sleep(random.expovariate(1 / PAUSE_SECONDS))
        self.begun[told] = time.perf_counter()
        answer = await client.request(method, f"/flows/{self._flow_id}/{path}", json=body)
        self._answered[told] = time.perf_counter()
        answer.raise_for_status()

    def add(self, telling: Telling, told: str, here: float, elsewhere: float) -> None:
        """One change, to the others of its kind."""
        begun = self.begun[told]
        telling.request.samples.append((self._answered[told] - begun) * 1000)
        telling.here.samples.append((here - begun) * 1000)
        telling.elsewhere.samples.append((elsewhere - begun) * 1000)


@contextmanager
def followed_registration() -> Iterator[Comparison]:
    """Single segments on three servers, followed by nobody and by somebody."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))

        def served(name: str) -> tuple[str, Registrations]:
            server = tams(folder / name, webhook_networks='["127.0.0.0/8"]')
            url = stack.enter_context(server).url
            client = stack.enter_context(httpx.Client(base_url=url, timeout=60))
            return url, Registrations(client)

        (_, alone), (url, told), (hooked_url, hooked) = map(served, ("alone", "told", "hooked"))
        port = free_port()
        listeners = stack.enter_context(following("subscribe", url, str(FOLLOWERS)))
        receiver = stack.enter_context(following("receive", str(port)))
        hook = {"url": f"http://127.0.0.1:{port}/", "events": ["flows/segments_added"]}
        httpx.post(f"{hooked_url}/service/webhooks", json=hook).raise_for_status()
        arms = {"nobody": alone, f"{FOLLOWERS} subscribers": told, "a webhook": hooked}
        yield Comparison(
            "What does registering segments one by one cost while somebody follows?",
            "segment",
            [Arm(name, lambda one=one: _singles(one), SINGLES) for name, one in arms.items()],
        )
        # The last of them may still be on their way.
        time.sleep(2)
        assert listeners() == FOLLOWERS * told.next
        assert receiver() == hooked.next


def _singles(segments: Registrations) -> None:
    for _ in range(SINGLES):
        segments.register(1)
