"""kill -9 while flows change: every change that was made has exactly one event, in order.

A webhook's receiver, which fails a third of all requests and is away for a while, gets every event
at least once, in the order of its flow, and duplicates under the same `webhook-id`.
"""

import asyncio
import random
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import httpx
import pytest

from tams_graphql.events.event import Event
from tests.robustness.event_campaign import Story, change_until_gone, check, read_log
from tests.robustness.stories import create_flow
from tests.robustness.unreliable_receiver import Unreliable, unreliable, wait_for
from tests.support.processes import TamsProcess, free_port, start_tams

FLOWS = 8
SETTINGS = {
    "webhook_networks": '["127.0.0.0/8"]',
    "webhook_retry_seconds": str([0.05, 0.05, 0.1, 0.2] + [0.5] * 400),
}
EVERY = ["flows/created", "flows/updated", "flows/segments_added", "sources/created"]


def _killed_after(server: TamsProcess, seconds: float) -> None:
    def kill() -> None:
        time.sleep(seconds)
        server.kill()

    threading.Thread(target=kill, daemon=True).start()


async def _all_at_once(url: str, stories: list[Story], last: int) -> None:
    await asyncio.gather(*(change_until_gone(url, story, last) for story in stories))


def _campaign(data: Path, port: int, changes: int, kills: int) -> tuple[TamsProcess, list[Story]]:
    """Changes and kills in turn; the server that lived to see the end, and what was done."""
    server = start_tams(data, port, **SETTINGS)
    stories = [Story(create_flow(server.url)) for _ in range(FLOWS)]
    # Not all of them before the first kill.
    rounds = [changes * (n + 1) // FLOWS // (kills + 1) for n in range(kills + 1)]
    for last in rounds[:-1]:
        _killed_after(server, random.uniform(0.3, 1.2))
        asyncio.run(_all_at_once(server.url, stories, last))
        server.process.wait()
        server = start_tams(data, port, **SETTINGS)
    asyncio.run(_all_at_once(server.url, stories, rounds[-1]))
    return server, stories


def _register(server_url: str, receiver: Unreliable) -> None:
    body = {"url": receiver.url, "events": EVERY}
    answer = httpx.post(f"{server_url}/service/webhooks", json=body)
    assert answer.status_code == 201, answer.text


@pytest.mark.parametrize(
    ("changes", "kills", "away"),
    [(160, 1, 0.5), pytest.param(10_000, 20, 60.0, marks=pytest.mark.soak)],
)
def test_every_event_is_logged_once_and_arrives(
    tmp_path: Path, changes: int, kills: int, away: float
) -> None:
    data, port, receiver = tmp_path / "data", free_port(), unreliable()
    first = start_tams(data, port, **SETTINGS)
    _register(first.url, receiver)
    first.kill()
    with receiver.here():
        server, stories = _campaign(data, port, changes, kills)
    time.sleep(away)
    with receiver.here():
        # A reader beside the server: the log of SQLite is open to several processes.
        events = read_log(data)
        wait_for(receiver, {event.id for event in events}, 90)
    server.kill()
    assert sum(len(story.labels) + len(story.segments) for story in stories) >= changes * 0.9
    check(stories, events)
    _check_arrivals(receiver, events, stories)
    assert receiver.refused


def _check_arrivals(
    receiver: Unreliable, events: Sequence[Event], stories: Sequence[Story]
) -> None:
    assert receiver.ids == {event.id for event in events}
    first: dict[str, object] = {}
    for webhook_id, body in receiver.taken:
        assert first.setdefault(webhook_id, body) == body, "a duplicate tells something else"
    flow_of = {event.id: event.flow_id for event in events}
    for story in stories:
        logged = [event.id for event in events if event.flow_id == story.flow_id]
        arrived = [webhook_id for webhook_id in first if flow_of[webhook_id] == story.flow_id]
        assert arrived == logged, "a flow's events came out of order"
