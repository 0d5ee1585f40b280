"""Processes that share webhooks: one crashes, one stops, one is too slow; nothing is lost."""

import asyncio

from tams_graphql.resolvers.webhook_progress import LEASE_US
from tests.resolvers.webhook_fixtures import clock, other, server
from tests.resolvers.webhook_stories import (
    MovableClock,
    Process,
    deliveries_of,
    flow,
    queue_of,
    receiver,
    registered,
)

__all__ = ["clock", "other", "server"]


async def test_after_a_crash_the_same_event_comes_with_the_same_id(
    server: Process, other: Process, clock: MovableClock
) -> None:
    async with receiver() as hook:
        webhook = await registered(server, hook, events=["flows/created"])
        await server.round()
        await flow(server, 1)
        await server.until(lambda: server.has_sent(webhook), turn=False)
        await server.kill()
        assert await deliveries_of(other, webhook) == []
        await other.idle()
        assert len(hook.arrivals) == 1
        clock.advance(LEASE_US / 1e6)
        await other.until(lambda: len(hook.arrivals) == 2)
        await other.idle()
        assert hook.ids[0] == hook.ids[1]
        assert await deliveries_of(other, webhook) == [("delivered", [200])]


async def test_two_processes_share_and_one_that_stops_lets_go_at_once(
    server: Process, other: Process, clock: MovableClock
) -> None:
    async with receiver() as hook:
        webhooks = [await registered(server, hook, events=["flows/created"]) for _ in range(12)]
        for process in (server, other):
            await process.round()
        assert [len(one.dispatch.serving) for one in (server, other)] == [8, 4]
        await flow(server, 1)
        await server.until(lambda: len(hook.arrivals) == 12, other)
        await server.stop()
        queues = [await queue_of(other, one) for one in webhooks]
        free = [one for one in queues if one["owner"] is None and one["due_us"] <= clock()]
        assert len(free) == 8
        await flow(other, 2)
        await other.until(lambda: len(hook.arrivals) == 24)
        await other.idle()
        assert len(other.dispatch.serving) == 12
        assert sorted(map(hook.ids.count, set(hook.ids))) == [12, 12]


async def test_what_is_being_sent_when_a_process_stops_is_not_sent_again(
    server: Process, other: Process
) -> None:
    async with receiver() as hook:
        webhook = await registered(server, hook, events=["flows/created", "flows/updated"])
        hook.open.clear()
        await flow(server, 1)
        await flow(server, 1, label="renamed")
        await server.until(lambda: len(hook.arrivals) == 1)
        stopping = asyncio.ensure_future(server.stop())
        await asyncio.sleep(0.05)
        assert not stopping.done()
        hook.open.set()
        await stopping
        assert await deliveries_of(other, webhook) == [("delivered", [200])]
        await other.until(lambda: len(hook.arrivals) == 2)
        await other.idle()
        assert hook.types == ["flows/created", "flows/updated"]


async def test_who_is_no_longer_the_owner_sends_nothing(
    server: Process, other: Process, clock: MovableClock
) -> None:
    async with receiver() as hook:
        await registered(server, hook, events=["flows/created"])
        await server.round()
        clock.advance(LEASE_US / 1e6 + 1)
        await other.round()
        await flow(server, 1)
        await other.until(lambda: len(hook.arrivals) == 1)
        await server.idle()
        await other.idle()
        assert (len(hook.arrivals), len(server.dispatch.serving)) == (1, 0)


async def test_a_quiet_webhook_keeps_up_with_the_log(server: Process, clock: MovableClock) -> None:
    async with receiver() as hook:
        webhook = await registered(server, hook, events=["sources/deleted"])
        await flow(server, 1)
        await server.idle()
        clock.advance(LEASE_US / 2e6)
        await server.idle()
        queue = await queue_of(server, webhook)
        log = server.hub.log
        assert queue["position"] == await log.cursor(await log.heads())
        assert queue["due_us"] > clock() + LEASE_US / 2
        assert hook.arrivals == []
