"""The hub under any interleaving: each subscriber hears each event once, and flows in order.

Commits go to four lanes with clocks that are minutes apart. Clients come and go, read more or less,
and go on from the cursor that they have, at one of two servers, of which one lags behind; some are
cut off, as their queue is short.
"""

import asyncio
import itertools
from collections.abc import Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tams_graphql.events.hub import Hub
from tams_graphql.events.log import EventLog
from tams_graphql.events.waking import WakingEngine
from tams_graphql.media.store import MediaStores
from tams_graphql.metadata.engine import MetadataEngine
from tams_graphql.model.errors import TooSlow
from tams_graphql.resolvers.context import Context, Service
from tams_graphql.resolvers.events import EventFilter, Heard, event_cursors, event_flow, subscribe
from tams_graphql.resolvers.flows import put_flow
from tests.metadata.vast_shaped import LANE_COUNT, VastShapedEngine
from tests.resolvers.conftest import fresh, uuid4, video

FLOWS = [uuid4(number) for number in range(3)]
PATIENCE = 20


def wants(*flows: int) -> EventFilter:
    return EventFilter(flow_ids=frozenset(FLOWS[number] for number in flows))


FILTERS = [EventFilter(), wants(0), wants(1, 2), EventFilter(source_ids=frozenset({uuid4(102)}))]


@dataclass
class Client:
    """Somebody who follows, and what they have heard."""

    wanted: EventFilter
    visits: Sequence[tuple[int, int]]
    cursor: str
    heard: list[Heard] = field(default_factory=list)
    cut_off: int = 0

    async def follow(self, servers: Sequence[Context], enough: asyncio.Event) -> None:
        """In visits of so many events each, with so many pauses between them; then for good.

        Each visit is to the next server.
        """
        visits = itertools.chain(self.visits, itertools.repeat((10_000, 0)))
        for ctx, (most, pauses) in zip(itertools.cycle(servers), visits, strict=False):
            await self._visit(fresh_of(ctx), most, pauses, enough)

    async def _visit(self, ctx: Context, most: int, pauses: int, enough: asyncio.Event) -> None:
        async with aclosing(subscribe(ctx, self.wanted, self.cursor)) as events:
            for _ in range(most):
                try:
                    one = await anext(events)
                except TooSlow as end:
                    self.cut_off += 1
                    self.cursor = end.cursor
                    return
                self.heard.append(one)
                self.cursor = one.cursor
                enough.set()
                for _ in range(pauses):
                    await asyncio.sleep(0)


def fresh_of(ctx: Context) -> Context:
    again = fresh(ctx)
    again.hub = ctx.hub
    return again


async def history(engine: MetadataEngine) -> list[Any]:
    """All events, as the log has them."""
    log = EventLog(engine)
    position: Mapping[int, int] = {}
    found: list[Any] = []
    heads = await log.heads()
    while position != heads:
        batch = await log.read(position, heads)
        found += batch.events
        position = batch.position
    return found


def server(engine: MetadataEngine, poll_seconds: float, queue_length: int) -> Context:
    """One process. The commits of the test are made through one, and wake its hub alone."""
    hub = Hub(EventLog(engine), poll_seconds=poll_seconds, queue_length=queue_length)
    return Context(
        metadata=WakingEngine(engine, hub.wake),
        stores=MediaStores({}),
        service=Service(name="test"),
        hub=hub,
    )


async def campaign(
    writers: Sequence[Sequence[tuple[int, int]]],
    plans: Sequence[tuple[int, Sequence[tuple[int, int]]]],
    queue_length: int,
    seed: int,
) -> int:
    engine = VastShapedEngine(seed=seed)
    servers = [server(engine, poll_seconds, queue_length) for poll_seconds in (0.001, 0.02)]
    ctx = servers[0]
    oldest, _ = await event_cursors(ctx)
    enough = asyncio.Event()
    clients = [Client(FILTERS[which], visits, oldest) for which, visits in plans]

    async def write(number: int, changes: Sequence[tuple[int, int]]) -> None:
        for change, (flow, pauses) in enumerate(changes):
            for _ in range(pauses):
                await asyncio.sleep(0)
            body = video(FLOWS[flow], uuid4(100 + flow), label=f"{number}.{change}")
            await put_flow(fresh(ctx), FLOWS[flow], body)

    running = [asyncio.create_task(one.hub.run()) for one in servers if one.hub]
    following = [asyncio.create_task(client.follow(servers, enough)) for client in clients]
    try:
        async with asyncio.timeout(PATIENCE):
            await asyncio.gather(*(write(*one) for one in enumerate(writers)))
            events = await history(engine)
            for client in clients:
                expected = [one for one in events if client.wanted.matches(one)]
                while len(client.heard) < len(expected):
                    enough.clear()
                    await enough.wait()
                check(client, expected)
    finally:
        for task in (*running, *following):
            task.cancel()
        ends = await asyncio.gather(*running, *following, return_exceptions=True)
    assert {type(end) for end in ends} == {asyncio.CancelledError}
    return sum(client.cut_off for client in clients)


def check(client: Client, expected: list[Any]) -> None:
    heard = [one.event for one in client.heard]
    assert sorted(one.id for one in heard) == sorted(one.id for one in expected)
    for flow_id in FLOWS:
        assert labels(heard, flow_id) == labels(expected, flow_id)


def labels(events: Sequence[Any], flow_id: str) -> list[str | None]:
    return [event_flow(one).label for one in events if one.flow_id == flow_id]


CHANGES = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 8)), min_size=1, max_size=6)
VISITS = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 20)), max_size=5)


@settings(max_examples=40)
@given(
    writers=st.lists(CHANGES, min_size=1, max_size=4),
    plans=st.lists(st.tuples(st.integers(0, 3), VISITS), min_size=1, max_size=3),
    queue_length=st.sampled_from([1, 2, 1_000]),
    seed=st.integers(0, 1_000_000),
)
def test_each_event_once_and_each_flow_in_order(
    writers: Any, plans: Any, queue_length: int, seed: int
) -> None:
    asyncio.run(campaign(writers, plans, queue_length, seed))


def test_whoever_is_cut_off_again_and_again_misses_nothing() -> None:
    slow = [(1_000, 200)] * 50
    writers = [[(flow, 3)] * 12 for flow in range(3)]

    assert asyncio.run(campaign(writers, [(0, slow), (1, slow)], 1, 7)) > 0


async def test_events_of_several_lanes_are_told() -> None:
    """Or the others here would prove little."""
    engine = VastShapedEngine()
    ctx = Context(metadata=engine, stores=MediaStores({}), service=Service(name="test"))
    for number in range(20):
        body = video(FLOWS[0], uuid4(100), label=str(number))
        await put_flow(fresh(ctx), FLOWS[0], body)

    assert len({one.lane for one in await history(engine)}) == LANE_COUNT


async def test_nothing_is_kept_of_subscribers_that_went() -> None:
    engine = VastShapedEngine()
    hub = Hub(EventLog(engine), poll_seconds=0.001)
    running = asyncio.create_task(hub.run())
    await hub.started()
    async with hub.subscribe(wants(0, 1)) as one, hub.subscribe(EventFilter()) as other:
        reading = [asyncio.ensure_future(anext(each)) for each in (one, other)]
        await asyncio.sleep(0.02)
        assert (set(hub._by_flow), hub._others) == ({FLOWS[0], FLOWS[1]}, {other})
        for task in reading:
            task.cancel()
        await asyncio.gather(*reading, return_exceptions=True)

    assert (hub._by_flow, hub._others, hub._open) == ({}, set(), set())
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


async def test_a_cursor_never_goes_back_at_a_server_that_lags_behind() -> None:
    """Events that come later may be older by their clocks than what the client knows already."""
    for seed in range(20):
        engine = VastShapedEngine(seed=seed)
        ctx = Context(metadata=engine, stores=MediaStores({}), service=Service(name="test"))
        hub = Hub(EventLog(engine), poll_seconds=60)
        running = asyncio.create_task(hub.run())
        await hub.started()
        await put_flow(ctx, FLOWS[0], video(FLOWS[0], uuid4(100)))
        known = await hub.log.heads()
        async with hub.subscribe(EventFilter(), known) as subscription:
            reading = asyncio.ensure_future(anext(subscription))
            await asyncio.sleep(0.01)
            for number in (1, 2):
                await put_flow(fresh(ctx), FLOWS[number], video(FLOWS[number], uuid4(101)))
            hub.wake()
            told = [await reading, *[await anext(subscription) for _ in range(2)]]
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

        assert {one.event.flow_id for one in told} == {None, FLOWS[1], FLOWS[2]}
        for one in told:
            assert all(one.position.get(lane, 0) >= known[lane] for lane in known)
