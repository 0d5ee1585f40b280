"""Very many subscribers hear everything once and in order, wherever and however often they listen.

Each of them follows a flow of its own, ten follow everything, while segments are registered, a
hundred a second. `Recording` knows what was stored: every history must be equal to that.
"""

import asyncio
import random
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import httpx
import psutil
import pytest
import rich

from tests.robustness.stories import external_segment, video_flow
from tests.support.processes import TamsProcess, tams
from tests.support.subscribers import (
    ADDED,
    EVERYTHING,
    OF_FLOW,
    Subscriber,
    asleep,
    cursor_now,
    over_socket,
    over_sse,
    until,
)

RATE = 100
FOLLOW_EVERYTHING = 10
ON_A_SOCKET = 100
"""As many as a server allows unless told otherwise."""
EVERY_SO_MANY_OVER_SSE = 50
STUCK_SECONDS = 60
GROWTH = 48 * 2**20
"""By how much a server may grow, in bytes, between a tenth and the end of a minute's load.

60,000 deliveries: whatever is kept of each, a queue's entry with its event and cursor is more than
1,000 bytes. What may grow: caches of parsed documents, SQLite's pages, and the allocators' waste.
"""

Listening = Callable[[], Awaitable[None]]
Way = Callable[[Listening], Awaitable[None]]


@dataclass
class Recording:
    """Flows that grow, and by how many segments they did."""

    url: str
    counts: dict[str, int] = field(default_factory=dict)

    @property
    def total(self) -> int:
        return sum(self.counts.values())

    def ranges(self, flow_id: str) -> list[str]:
        """The timeranges of a flow's segments in the order in which they were registered."""
        return [f"[{n}:0_{n + 1}:0)" for n in range(self.counts[flow_id])]

    async def begin(self, flows: int) -> None:
        async with httpx.AsyncClient(base_url=self.url, timeout=60) as client:
            for body in (video_flow() for _ in range(flows)):
                (await client.put(f"/flows/{body['id']}", json=body)).raise_for_status()
                self.counts[body["id"]] = 0

    async def grow(self, seconds: float, writers: int = 5) -> None:
        """`RATE` segments a second for so long; a slow server takes longer."""
        clock = asyncio.get_running_loop().time
        begun, flow_ids = clock(), list(self.counts)

        async def write(client: httpx.AsyncClient, mine: Sequence[str]) -> None:
            for n in range(round(seconds * RATE / writers)):
                await asyncio.sleep(begun + n * writers / RATE - clock())
                await self._register(client, random.choice(mine))

        async with httpx.AsyncClient(base_url=self.url, timeout=60) as client:
            shares = [flow_ids[n::writers] for n in range(writers)]
            await asyncio.gather(*(write(client, mine) for mine in shares))

    async def _register(self, client: httpx.AsyncClient, flow_id: str) -> None:
        number = self.counts[flow_id]
        segment = external_segment(f"{flow_id}/{number}", number)
        answer = await client.post(f"/flows/{flow_id}/segments", json=segment)
        assert answer.status_code == 201, answer.text
        self.counts[flow_id] += 1


class Audience:
    """One subscriber for each flow of a recording, and some for all of them."""

    def __init__(self, recording: Recording) -> None:
        after = cursor_now(recording.url)
        self.recording = recording
        queries = [ADDED, OF_FLOW]
        self.own = [Subscriber(queries[n % 2], after, f) for n, f in enumerate(recording.counts)]
        self.all = [Subscriber(EVERYTHING, after) for _ in range(FOLLOW_EVERYTHING)]
        self._later = EVERY_SO_MANY_OVER_SSE - 1

    def connections(self) -> Iterator[Listening]:
        """What it takes to listen: many on few WebSockets, some over SSE."""
        url, half = self.recording.url, FOLLOW_EVERYTHING // 2
        sse = [*self.own[self._later :: EVERY_SO_MANY_OVER_SSE], *self.all[half:]]
        chosen = set(sse)
        rest = [one for one in self.own if one not in chosen]
        share = min(ON_A_SOCKET, len(rest) // 3)
        sockets = [rest[n : n + share] for n in range(0, len(rest), share)]
        for sharing in (*sockets, self.all[:half]):
            yield lambda sharing=sharing: over_socket(url, sharing)
        for alone in sse:
            yield lambda alone=alone: over_sse(url, alone)

    @asynccontextmanager
    async def listening(self, way: Way) -> AsyncIterator[None]:
        """While the block runs, and then until everybody has heard everything."""
        tasks = [asyncio.ensure_future(way(one)) for one in self.connections()]
        try:
            yield
            await until(self._done, self._progress, STUCK_SECONDS)
        finally:
            for task in tasks:
                task.cancel()
            outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        assert {type(one) for one in outcomes} == {asyncio.CancelledError}

    def _done(self) -> bool:
        total = self.recording.total
        heard = sum(len(one.heard) for one in self.own)
        return heard >= total and all(len(one.heard) >= total for one in self.all)

    def _progress(self) -> int:
        return sum(len(one.heard) for one in (*self.own, *self.all))

    def check(self) -> None:
        """Nothing was missed, nothing came twice, and all tell the same of each flow."""
        ids: dict[str, list[str]] = {}
        for one in self.own:
            assert one.flow_id is not None
            assert {heard.flow_id for heard in one.heard} <= {one.flow_id}
            assert [heard.told for heard in one.heard] == self.recording.ranges(one.flow_id)
            ids[one.flow_id] = [heard.event_id for heard in one.heard]
        assert len({event_id for each in ids.values() for event_id in each}) == self.recording.total
        for one in self.all:
            assert _histories(one) == {flow_id: each for flow_id, each in ids.items() if each}


def _histories(subscriber: Subscriber) -> dict[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    for heard in subscriber.heard:
        found[str(heard.flow_id)].append(heard.event_id)
    return found


async def steadily(listen: Listening) -> None:
    """Stay connected."""
    await listen()
    pytest.fail("the server ended a connection")


async def restlessly(longest: float, listen: Listening) -> None:
    """Break off at random, without a word, and come back with the cursors."""
    while True:
        try:
            async with asyncio.timeout(random.uniform(0.2, longest)):
                await listen()
        except TimeoutError:
            continue
        pytest.fail("the server ended a connection")


def is_connected(server: TamsProcess, port: int) -> bool:
    """Whether a server has a connection with this port of ours."""
    connections = psutil.Process(server.process.pid).net_connections("tcp")
    return any(one.raddr and one.raddr.port == port for one in connections)


SIZES = pytest.mark.parametrize(
    ("flows", "seconds"),
    [(30, 3), pytest.param(1000, 60, marks=pytest.mark.soak)],
    ids=["few", "a-thousand"],
)


@SIZES
async def test_everybody_hears_everything_once_beside_one_who_does_not_read(
    tmp_path: Path, flows: int, seconds: float, capsys: pytest.CaptureFixture[str]
) -> None:
    with tams(tmp_path / "data") as server:
        recording = Recording(server.url)
        await recording.begin(flows)
        audience, memory = Audience(recording), psutil.Process(server.process.pid).memory_info
        async with asleep(server.url, cursor_now(server.url)) as port:
            async with audience.listening(steadily):
                await recording.grow(seconds * 0.1)
                warm = memory().rss
                await recording.grow(seconds * 0.9)
            grown = memory().rss - warm
            if seconds >= 60:
                gone = lambda: not is_connected(server, port)  # noqa: E731
                await until(gone, lambda: 0, STUCK_SECONDS)
    with capsys.disabled():
        rich.print(f"\n{flows} flows: {warm / 2**20:.0f} MiB, then {grown / 2**20:+.0f} MiB")
    audience.check()
    assert not [one.ended for one in (*audience.own, *audience.all) if one.ended]
    assert grown < GROWTH


@SIZES
async def test_who_breaks_off_and_comes_back_hears_the_same(
    tmp_path: Path, flows: int, seconds: float
) -> None:
    with tams(tmp_path / "data") as server:
        recording = Recording(server.url)
        await recording.begin(flows)
        audience = Audience(recording)
        async with audience.listening(partial(restlessly, max(4, seconds / 5))):
            await recording.grow(seconds)
    audience.check()
