"""What was sent to webhooks can be looked at and sent again, and is forgotten with its events."""

from typing import Any

import pytest

from tams_graphql.metadata import engine as port
from tams_graphql.metadata.engine import Changes, View
from tams_graphql.metadata.event_tables import WEBHOOK_QUEUES
from tams_graphql.metadata.tables import WEBHOOKS
from tams_graphql.model.errors import EventGone, InvalidInput, NotFound
from tams_graphql.model.records import Delivery, DeliveryStatus, Webhook
from tams_graphql.resolvers import webhooks
from tams_graphql.resolvers.deliveries import (
    count_deliveries,
    get_delivery,
    list_deliveries,
    redeliver,
    trim_deliveries,
    try_webhook,
    waiting_of,
)
from tams_graphql.resolvers.delivery_rows import MAX_ATTEMPTS
from tams_graphql.resolvers.event_retention import forget_events
from tams_graphql.resolvers.paging import PageRequest
from tams_graphql.resolvers.webhook_secrets import rotate_secret
from tests.resolvers.conftest import uuid4
from tests.resolvers.webhook_fixtures import clock, other, server
from tests.resolvers.webhook_stories import (
    MovableClock,
    Process,
    change,
    deliveries_of,
    flow,
    queue_of,
    receiver,
    registered,
    secret_of,
    webhook_of,
)

__all__ = ["clock", "other", "server"]


async def deliveries(
    process: Process, webhook: Webhook, status: DeliveryStatus | None = None, **page: Any
) -> list[Delivery]:
    request = PageRequest(**page)
    return list((await list_deliveries(process.context(), webhook.id, request, status)).items)


async def test_the_latest_event_comes_first_in_pages_of_one_status(server: Process) -> None:
    async with receiver("200", "200", "410") as hook:
        webhook = await registered(server, hook, events=["flows/created", "flows/updated"])
        for number in range(3):
            await flow(server, 1, label=str(number))
        await server.until(lambda: len(hook.arrivals) == 3)
        await server.idle()
        found = await deliveries(server, webhook)
        assert [one.event_id for one in found] == list(reversed(hook.ids))
        assert [one.event_type for one in found] == [
            *("flows/updated", "flows/updated", "flows/created")
        ]
        assert [one.status for one in found] == ["failed", "delivered", "delivered"]
        first = await list_deliveries(server.context(), webhook.id, PageRequest(limit=2))
        assert (list(first.items), first.has_more) == (found[:2], True)
        rest = await deliveries(server, webhook, after=first.next_cursor)
        assert rest == found[2:]
        assert await deliveries(server, webhook, reverse=True) == found[::-1]
        assert await deliveries(server, webhook, DeliveryStatus.FAILED) == found[:1]
        ctx = server.context()
        assert await count_deliveries(ctx, webhook.id) == 3
        assert await count_deliveries(ctx, webhook.id, DeliveryStatus.DELIVERED) == 2
        with pytest.raises(InvalidInput):
            await deliveries(server, webhook, after="nonsense")


async def test_a_delivery_is_repeated_with_the_same_id_and_written_down(server: Process) -> None:
    async with receiver("200", "500", "200") as hook:
        webhook = await registered(server, hook, events=["flows/created"])
        await flow(server, 1)
        await server.until(lambda: len(hook.arrivals) == 1)
        await server.idle()
        await change(server, webhook, status="disabled")
        (delivery,) = await deliveries(server, webhook)
        again, attempt = await redeliver(server.context(), delivery.id)
        assert (attempt.status_code, attempt.reason) == (500, "it answered 500")
        assert again.status == "delivered"
        again, attempt = await redeliver(server.context(), delivery.id)
        assert attempt.reason is None
        assert [one.status_code for one in again.attempts] == [200, 500, 200]
        assert again == await get_delivery(server.context(), delivery.id)
        assert hook.ids == [hook.ids[0]] * 3
        assert hook.arrivals[2].body == hook.arrivals[0].body
        assert (await webhook_of(server, webhook)).status == "disabled"


async def test_what_failed_is_delivered_once_a_repetition_was_taken(server: Process) -> None:
    async with receiver("410", "500", "200") as hook:
        webhook = await registered(server, hook, events=["flows/created"])
        await flow(server, 1)
        await server.until(lambda: len(hook.arrivals) == 1)
        await server.idle()
        (delivery,) = await deliveries(server, webhook)
        statuses = []
        for _ in range(2):
            again, _ = await redeliver(server.context(), delivery.id)
            statuses.append(again.status.value)
        assert statuses == ["failed", "delivered"]
        assert (await webhook_of(server, webhook)).status == "error"


async def test_only_the_last_attempts_are_kept(server: Process) -> None:
    async with receiver() as hook:
        webhook = await registered(server, hook, events=["flows/created"])
        await flow(server, 1)
        await server.until(lambda: len(hook.arrivals) == 1)
        await server.idle()
        (delivery,) = await deliveries(server, webhook)
        hook.answers = ["500"] * MAX_ATTEMPTS
        for _ in range(MAX_ATTEMPTS):
            await redeliver(server.context(), delivery.id)
        ((_, attempts),) = await deliveries_of(server, webhook)
        assert attempts == [500] * MAX_ATTEMPTS


async def test_what_is_not_there_can_not_be_repeated(server: Process, clock: MovableClock) -> None:
    async with receiver() as hook:
        webhook = await registered(server, hook, events=["flows/created"])
        await flow(server, 1)
        await server.until(lambda: len(hook.arrivals) == 1)
        await server.idle()
        (delivery,) = await deliveries(server, webhook)
        unknown = (
            *("", "nonsense", f"{uuid4(1)}.1.{uuid4(2)}", f"{uuid4(1)}.-1.{uuid4(2)}"),
            *(f"{uuid4(1)}.{10**30}.{uuid4(2)}", f"{uuid4(1)}.²2.{uuid4(2)}"),
        )
        for delivery_id in unknown:
            with pytest.raises(NotFound):
                await redeliver(server.context(), delivery_id)
        clock.advance(server.context().service.event_retention + 24 * 3600)
        await forget_events(server.context())
        with pytest.raises(EventGone):
            await redeliver(server.context(), delivery.id)
        assert len(hook.arrivals) == 1


async def test_a_trial_is_sent_whatever_the_webhook_is_like_and_leaves_no_trace(
    server: Process,
) -> None:
    async with receiver("200", "404") as hook:
        webhook = await registered(server, hook, events=[], status="disabled")
        before = await queue_of(server, webhook)
        assert (await try_webhook(server.context(), webhook.id)).reason is None
        failed = await try_webhook(server.context(), webhook.id)
        assert (failed.status_code, failed.reason) == (404, "it answered 404")
        assert hook.types == ["webhooks/test"] * 2
        assert len(set(hook.ids)) == 2
        hook.arrivals[0].verify(await secret_of(server, webhook))
        assert await queue_of(server, webhook) == before
        assert await deliveries(server, webhook) == []
        with pytest.raises(NotFound):
            await try_webhook(server.context(), uuid4(9))


async def test_one_whose_events_were_forgotten_says_so_and_goes_on(
    server: Process, clock: MovableClock
) -> None:
    async with receiver("410") as hook:
        webhook = await registered(server, hook, events=["flows/created"])
        await flow(server, 1)
        await server.until(lambda: len(hook.arrivals) == 1)
        await server.idle()
        await flow(server, 2)
        await server.idle()
        clock.advance(server.context().service.event_retention + 24 * 3600)
        await forget_events(server.context())
        server.forget()
        await change(server, webhook, status="created")
        await server.idle()
        await flow(server, 3)
        await server.until(lambda: len(hook.arrivals) == 2)
        await server.idle()
        assert hook.arrivals[1].body["event"]["flow"]["id"] == uuid4(3)
        found = {one.status.value: one for one in await deliveries(server, webhook)}
        assert found.keys() == {"failed", "skipped", "delivered"}
        skipped = found["skipped"]
        assert (skipped.event_id, skipped.event_type) == (None, None)
        assert "deleted before they could be sent" in str(skipped.attempts[0].reason)
        with pytest.raises(EventGone):
            await redeliver(server.context(), skipped.id)


async def test_deliveries_are_forgotten_when_their_events_are(
    server: Process, clock: MovableClock
) -> None:
    async with receiver() as hook:
        webhook = await registered(server, hook, events=["flows/created"])
        await flow(server, 1)
        await server.until(lambda: len(hook.arrivals) == 1)
        await server.idle()
        clock.advance(server.context().service.event_retention - 60)
        await flow(server, 2)
        await server.until(lambda: len(hook.arrivals) == 2)
        await server.idle()
        await trim_deliveries(server.context())
        assert len(await deliveries(server, webhook)) == 2
        clock.advance(120)
        await trim_deliveries(server.context())
        assert [one.event_id for one in await deliveries(server, webhook)] == hook.ids[1:]


async def test_it_says_how_long_it_waits(server: Process, clock: MovableClock) -> None:
    async with receiver("500") as hook:
        webhook = await registered(server, hook, events=["flows/created"])
        assert (await waiting_of(server.context(), webhook.id)).failures == 0
        await flow(server, 1)
        await server.until(lambda: len(hook.arrivals) == 1)
        await server.idle()
        waiting = await waiting_of(server.context(), webhook.id)
        assert waiting.failures == 1
        assert waiting.next_attempt_us == (await queue_of(server, webhook))["due_us"]
        clock.advance(2)
        await server.until(lambda: len(hook.arrivals) == 2)
        await server.idle()
        waiting = await waiting_of(server.context(), webhook.id)
        assert (waiting.failures, waiting.next_attempt_us) == (0, None)


async def test_a_new_secret_signs_what_is_sent_next(server: Process) -> None:
    async with receiver() as hook:
        webhook = await registered(server, hook, events=["flows/created"])
        before = await secret_of(server, webhook)
        await flow(server, 1)
        await server.until(lambda: len(hook.arrivals) == 1)
        await rotate_secret(server.context(), webhook.id)
        after = await secret_of(server, webhook)
        await flow(server, 2)
        await server.until(lambda: len(hook.arrivals) == 2)
        assert before != after
        hook.arrivals[0].verify(before)
        hook.arrivals[1].verify(after)
        with pytest.raises(NotFound):
            await rotate_secret(server.context(), uuid4(9))


async def test_a_webhook_of_an_older_index_gets_a_secret_with_its_first_event(
    server: Process,
) -> None:
    async with receiver() as hook:
        webhook = await registered(server, hook, events=["flows/created"])

        def as_migrated(_: View) -> Changes[None]:
            old = {"webhook_id": webhook.id, "signing_secret_encrypted": None}
            queue = {"webhook_id": webhook.id, "position": "", "due_us": 0}
            return Changes(answer=None, update={WEBHOOKS: [old], WEBHOOK_QUEUES: [queue]})

        await server.context().metadata.commit(as_migrated, [port.webhook(webhook.id)])
        await flow(server, 1)
        await server.until(lambda: len(hook.arrivals) == 1)
        hook.arrivals[0].verify(await secret_of(server, webhook))


async def test_a_key_that_can_not_be_read_is_told_and_nothing_is_sent(server: Process) -> None:
    async with receiver() as hook:
        given = {"api_key_name": "X-Key", "api_key_value": "secret"}
        webhook = await registered(server, hook, events=["flows/created"], **given)
        stranger = await registered(server, hook, events=[], **given)
        sealed = stranger.sealed_key

        def swap(_: View) -> Changes[None]:
            row = {"webhook_id": webhook.id, "api_key_encrypted": sealed}
            return Changes(answer=None, update={WEBHOOKS: [row]})

        await server.context().metadata.commit(swap, [port.webhook(webhook.id)])
        await flow(server, 1)
        await server.idle()
        assert await deliveries_of(server, webhook) == [
            ("retrying", ["its key or its secret can't be read: renew them"])
        ]
        assert hook.arrivals == []


async def test_an_old_client_that_asks_again_starts_what_failed(server: Process) -> None:
    unseen = frozenset({"id", "status", "error", "tags", "include_object_timerange"})
    async with receiver("410") as hook:
        body = {"url": hook.url, "events": ["flows/created"]}
        posted = await webhooks.upsert_webhook(server.context(), body, "7.0", unseen)
        assert posted is not None
        await flow(server, 1)
        await server.until(lambda: len(hook.arrivals) == 1)
        await server.idle()
        assert (await webhook_of(server, posted)).status == "error"
        await webhooks.upsert_webhook(server.context(), body, "7.0", unseen)
        await server.until(lambda: len(hook.arrivals) == 2)
        assert hook.ids[0] == hook.ids[1]
