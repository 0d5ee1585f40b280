"""Webhooks get their events: each in order, at least once, whatever receivers and processes do."""

import logging
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from tams_graphql.metadata.engine import MetadataEngine
from tams_graphql.model.errors import MediaStoreError
from tams_graphql.resolvers import webhooks
from tams_graphql.resolvers.context import Context
from tams_graphql.resolvers.flows import delete_flow, put_flow
from tams_graphql.resolvers.segment_deletion import delete_segments
from tams_graphql.resolvers.segments import register_segments
from tests.resolvers.conftest import multi, uuid4
from tests.resolvers.segment_stories import allocated, post, recorded
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


async def test_events_arrive_in_order_each_once_and_signed(server: Process) -> None:
    async with receiver() as hook:
        await flow(server, 1, label="before the webhook")
        webhook = await registered(server, hook, api_key_name="X-Key", api_key_value="s3cret")
        flow_id = await flow(server, 2)
        await recorded(server.context(), "[0:0_1:0)", "[1:0_2:0)", flow_id=flow_id)
        await delete_segments(server.context(), flow_id)
        await flow(server, 2, label="renamed")
        await delete_flow(server.context(), flow_id)
        await server.until(lambda: len(hook.arrivals) >= 7)
        await server.idle()
        assert hook.types == [
            *("sources/created", "flows/created", "flows/segments_added"),
            *("flows/segments_deleted", "flows/updated", "flows/deleted", "sources/deleted"),
        ]
        assert len(set(hook.ids)) == 7
        secret = await secret_of(server, webhook)
        for arrival in hook.arrivals:
            arrival.verify(secret)
            assert arrival.headers["x-key"] == "s3cret"
            assert arrival.headers["content-type"] == "application/json"
            assert arrival.headers["user-agent"] == "tams-graphql/0"
        assert (await webhook_of(server, webhook)).status == "started"
        assert await deliveries_of(server, webhook) == [("delivered", [200])] * 7


__all__ = ["clock", "other", "server"]

FILTERS: list[tuple[dict[str, Any], list[str]]] = [
    ({"events": ["flows/updated"]}, ["U1"]),
    ({"flow_ids": [uuid4(2)]}, ["S1", "S2", "F2", "S3"]),
    ({"source_ids": [uuid4(101)]}, ["S1", "F1", "U1"]),
    ({"flow_collected_by_ids": [uuid4(3)]}, ["S1", "S2", "S3", "U1"]),
    ({"flow_collected_by_ids": []}, ["S1", "F1", "S2", "F2", "S3", "F3"]),
    ({"source_collected_by_ids": [uuid4(103)]}, ["U1"]),
    ({"source_collected_by_ids": [], "flow_ids": []}, ["S1", "S2", "S3"]),
]


@pytest.mark.parametrize(("filters", "expected"), FILTERS)
async def test_only_what_its_filters_let_through_arrives(
    server: Process, filters: dict[str, Any], expected: list[str]
) -> None:
    async with receiver() as hook, receiver() as last:
        await registered(server, hook, **filters)
        await flow(server, 1)
        await flow(server, 2)
        collector = multi(uuid4(3), uuid4(103), uuid4(1))
        await put_flow(server.context(), uuid4(3), collector)
        await flow(server, 1, label="renamed")
        await registered(server, last)
        await flow(server, 4)
        await server.until(lambda: len(last.arrivals) == 2)
        await server.idle()

        def name(body: Any) -> str:
            about = body["event"].get("flow") or body["event"]["source"]
            kind = {"sources/created": "S", "flows/created": "F", "flows/updated": "U"}
            return kind[body["event_type"]] + str(int(about["id"][-3:], 16) % 100)

        # Engines with several lanes have no order between flows.
        arrived = sorted(name(one.body) for one in hook.arrivals)
        assert [one for one in arrived if not one.endswith("4")] == sorted(expected)


async def test_a_disabled_webhook_rests_and_goes_on_with_what_happens_then(
    server: Process,
) -> None:
    async with receiver() as hook:
        webhook = await registered(server, hook, events=["flows/created"], status="disabled")
        await flow(server, 1)
        await server.idle()
        assert (await queue_of(server, webhook))["due_us"] is None
        await change(server, webhook, status="created")
        await flow(server, 2)
        await server.until(lambda: len(hook.arrivals) == 1)
        await change(server, webhook, status="disabled")
        await flow(server, 3)
        await server.idle()
        assert (await webhook_of(server, webhook)).status == "disabled"
        await change(server, webhook, status="created")
        await flow(server, 4)
        await server.until(lambda: len(hook.arrivals) == 2)
        await server.idle()
        told = [one.body["event"]["flow"]["id"] for one in hook.arrivals]
        assert told == [uuid4(2), uuid4(4)]


async def test_what_is_not_taken_is_sent_again_by_the_schedule(
    server: Process, clock: MovableClock
) -> None:
    async with receiver("500", "302", "200") as hook:
        webhook = await registered(server, hook, events=["flows/created", "flows/updated"])
        await flow(server, 1)
        await flow(server, 1, label="renamed")
        for number, wait_s in ((1, 1), (2, 5)):
            await server.until(lambda number=number: len(hook.arrivals) == number)  # type: ignore[misc]
            await server.idle()
            queue = await queue_of(server, webhook)
            waits_us = queue["due_us"] - clock()
            assert 0.5 * wait_s * 1e6 < waits_us < 1.2 * wait_s * 1e6
            assert (queue["owner"], queue["failed_attempts"]) == (None, number)
            assert len(hook.arrivals) == number
            clock.advance(waits_us / 1e6)
        await server.until(lambda: len(hook.arrivals) == 4)
        await server.idle()
        assert hook.ids[:3] == [hook.ids[0]] * 3
        assert await deliveries_of(server, webhook) == [
            ("delivered", [500, 302, 200]),
            ("delivered", [200]),
        ]
        queue = await queue_of(server, webhook)
        assert (queue["failed_attempts"], queue["failing_event_id"]) == (0, None)


async def test_a_receiver_that_asks_for_it_is_left_alone_for_longer(
    server: Process, clock: MovableClock
) -> None:
    async with receiver("503\nretry-after: 3600") as hook:
        webhook = await registered(server, hook, events=["flows/created"])
        await flow(server, 1)
        await server.until(lambda: len(hook.arrivals) == 1)
        await server.idle()
        waits_us = (await queue_of(server, webhook))["due_us"] - clock()
        assert 3590 * 1_000_000 < waits_us <= 3600 * 1_000_000
        clock.advance(3600)
        await server.until(lambda: len(hook.arrivals) == 2)


async def test_gone_is_the_end_until_the_webhook_is_enabled_again(server: Process) -> None:
    async with receiver("410") as hook:
        webhook = await registered(server, hook, events=["flows/created", "flows/updated"])
        await flow(server, 1)
        await flow(server, 1, label="renamed")
        await server.until(lambda: len(hook.arrivals) == 1)
        await server.idle()
        failed = await webhook_of(server, webhook)
        assert failed.status == "error"
        assert failed.error is not None
        assert (failed.error.type, failed.error.summary) == (
            "GONE",
            "it answered 410: it wants no more events",
        )
        assert await deliveries_of(server, webhook) == [("failed", [410])]
        await change(server, webhook, status="created")
        await server.until(lambda: len(hook.arrivals) == 3)
        await server.idle()
        assert hook.ids[0] == hook.ids[1] != hook.ids[2]
        assert await deliveries_of(server, webhook) == [
            ("delivered", [410, 200]),
            ("delivered", [200]),
        ]
        assert (await webhook_of(server, webhook)).error is None


async def test_after_the_last_retry_it_says_why_it_gave_up(
    ctx: Context, engine: MetadataEngine
) -> None:
    server = Process(ctx, engine, webhook_retry_seconds=(0.001, 0.001))
    async with receiver("500", "501", "502") as hook:
        webhook = await registered(server, hook, events=["flows/created"])
        await flow(server, 1)
        await server.until(lambda: len(hook.arrivals) == 3)
        await server.idle()
        failed = await webhook_of(server, webhook)
        assert (failed.status, len(set(hook.ids))) == ("error", 1)
        assert failed.error is not None
        assert failed.error.type == "NOT_DELIVERED"
        summary = "an event was sent 3 times and not taken; the last time: it answered 502"
        assert failed.error.summary == summary
        assert await deliveries_of(server, webhook) == [("failed", [500, 501, 502])]
    await server.stop()


async def test_an_address_that_is_refused_when_it_is_connected_to_says_so(
    server: Process,
) -> None:
    async with receiver() as hook:
        webhook = await registered(server, hook, events=["flows/created"])
        server.forbid_loopback()
        await flow(server, 1)
        await server.idle()
        ((status, (reason,)),) = await deliveries_of(server, webhook)
        assert status == "retrying"
        assert "127.0.0.1 is not on the public internet" in reason
        assert hook.arrivals == []


async def test_a_slow_receiver_delays_no_other(server: Process) -> None:
    async with receiver() as slow, receiver() as quick:
        slow.open.clear()
        for hook in (slow, quick):
            await registered(server, hook, events=["flows/created", "flows/updated"])
        for number in range(30):
            await flow(server, 1, label=str(number))
        await server.until(lambda: len(quick.arrivals) == 30)
        assert len(slow.arrivals) == 1
        slow.open.set()
        await server.until(lambda: len(slow.arrivals) == 30)
        assert slow.ids == quick.ids


async def test_one_that_falls_behind_the_hub_reads_the_log_by_itself(server: Process) -> None:
    async with receiver() as hook:
        webhook = await registered(server, hook, events=["flows/created", "flows/updated"])
        hook.open.clear()
        await server.idle()
        owner = (await queue_of(server, webhook))["owner"]
        for number in range(130):
            await flow(server, 1, label=str(number))
        await server.idle()
        hook.open.set()
        await server.until(lambda: len(hook.arrivals) >= 130)
        labels = [one.body["event"]["flow"]["label"] for one in hook.arrivals]
        assert labels == [str(number) for number in range(130)]
        assert (await queue_of(server, webhook))["owner"] == owner


async def test_changes_apply_to_what_is_sent_next(server: Process) -> None:
    async with receiver() as first, receiver() as second:
        webhook = await registered(server, first, events=["flows/created"])
        await flow(server, 1)
        await server.until(lambda: len(first.arrivals) == 1)
        await change(server, webhook, url=second.url)
        await flow(server, 2)
        await server.until(lambda: len(second.arrivals) == 1)
        await server.idle()
        # The hub has passed the event before the process can have noticed that it is wanted now.
        await change(server, webhook, events=["flows/deleted"])
        await delete_flow(server.context(), uuid4(1))
        heads = await server.hub.log.heads()
        await server.until(lambda: server.hub.reached == heads, turn=False)
        await server.until(lambda: len(second.arrivals) == 2)
        await flow(server, 3)
        await server.idle()
        assert (first.types, second.types) == (
            ["flows/created"],
            ["flows/created", "flows/deleted"],
        )
        assert (await webhook_of(server, webhook)).status == "started"


async def test_a_url_that_is_mended_is_tried_at_once(server: Process) -> None:
    async with receiver("500\nretry-after: 80000") as broken, receiver() as mended:
        webhook = await registered(server, broken, events=["flows/created"])
        await flow(server, 1)
        await server.until(lambda: len(broken.arrivals) == 1)
        await server.idle()
        await change(server, webhook, url=mended.url)
        await server.until(lambda: len(mended.arrivals) == 1)
        assert mended.ids == broken.ids


async def test_a_failure_of_what_its_owner_has_just_mended_is_no_reason_to_give_up(
    server: Process,
) -> None:
    async with receiver("410") as broken, receiver() as mended:
        webhook = await registered(server, broken, events=["flows/created"])
        broken.open.clear()
        await flow(server, 1)
        await server.until(lambda: len(broken.arrivals) == 1)
        await change(server, webhook, url=mended.url)
        broken.open.set()
        await server.until(lambda: len(mended.arrivals) == 1)
        await server.idle()
        assert (await webhook_of(server, webhook)).status == "started"
        assert mended.ids == broken.ids


async def test_what_changes_nothing_and_what_is_refused_is_not_told(server: Process) -> None:
    async with receiver() as hook:
        await flow(server, 1)
        await registered(server, hook)
        await flow(server, 1)
        with pytest.raises(MediaStoreError):
            await flow(server, 1, codec=7)
        await allocated(server.context(), "a", "b")
        posts = [post("a", "[0:0_1:0)"), post("b", "[0:0_1:0)"), post("unknown", "[5:0_6:0)")]
        done = await register_segments(server.context(), uuid4(1), posts)
        assert [one.index for one in done.failed] == [1, 2]
        refused = await register_segments(server.context(), uuid4(1), posts[1:])
        assert len(refused.failed) == 2
        again = await register_segments(server.context(), uuid4(1), posts[:1])
        assert again.failed == ()
        await server.until(lambda: bool(hook.arrivals))
        await server.idle()
        assert hook.types == ["flows/segments_added"]
        (segment,) = hook.arrivals[0].body["event"]["segments"]
        assert (segment["object_id"], segment["timerange"]) == ("a", "[0:0_1:0)")


async def test_a_removed_webhook_leaves_nothing_behind(
    server: Process, dump: Callable[[], Awaitable[Any]]
) -> None:
    async with receiver() as hook:
        webhook = await registered(server, hook)
        await flow(server, 1)
        await server.until(lambda: len(hook.arrivals) == 2)
        await server.idle()
        await webhooks.delete_webhook(server.context(), webhook.id)
        await flow(server, 2)
        await server.idle()
        assert len(hook.arrivals) == 2
        assert webhook.id not in str({**await dump(), "events": None})
        assert len(server.dispatch.serving) == 0


async def test_secrets_are_in_no_log_and_no_row(
    server: Process, dump: Callable[[], Awaitable[Any]], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    key = "Bearer 21238dksdjqwpqscj9"
    async with receiver("500", "200") as hook:
        webhook = await registered(server, hook, api_key_name="Authorization", api_key_value=key)
        secret = await secret_of(server, webhook)
        await flow(server, 1)
        await server.until(lambda: len(hook.arrivals) == 1)
        await server.idle()
        assert hook.arrivals[0].headers["authorization"] == key
        seen = f"{await dump()}{caplog.text}{webhook!r}{server.dispatch.serving!r}"
        for hidden in (key, secret, secret.removeprefix("whsec_")):
            assert hidden not in seen
