"""A campaign of changes against servers that are killed, and what the event log must say of it.

Each flow has one client, which counts: change number n sets the label to n, every third one also
registers a segment at second n. What was acknowledged has happened; the change that was
under way at a kill may have happened or not.
"""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from tams_graphql.events.event import Event
from tams_graphql.events.log import EventLog
from tams_graphql.events.position import START
from tams_graphql.model.vocabulary import EventType
from tests.robustness.stories import external_segment
from tests.support.engines import open_engine

SECOND = 1_000_000_000


@dataclass
class Story:
    """What became of the changes of one flow."""

    flow_id: str
    next: int = 1
    labels: set[int] = field(default_factory=set)
    segments: set[int] = field(default_factory=set)


async def change_until_gone(url: str, story: Story, last: int) -> None:
    """Go on with the changes of a flow, up to number `last`, until the server goes away."""
    async with httpx.AsyncClient(base_url=url, timeout=30) as client:
        while story.next <= last:
            number = story.next
            story.next += 1
            try:
                await _change(client, story, number)
            except httpx.TransportError:
                return


async def _change(client: httpx.AsyncClient, story: Story, number: int) -> None:
    path = f"/flows/{story.flow_id}"
    answer = await client.put(f"{path}/label", json=str(number))
    assert answer.status_code == 204, answer.text
    story.labels.add(number)
    if number % 3 == 0:
        segment = external_segment(f"{story.flow_id}/{number}", number)
        answer = await client.post(f"{path}/segments", json=segment)
        assert answer.status_code == 201, answer.text
        story.segments.add(number)


def read_log(data: Path) -> list[Event]:
    """All events of an index that no server uses."""

    async def read() -> list[Event]:
        engine = await open_engine(data)
        log, events, position = EventLog(engine), list[Event](), START
        heads = await log.heads()
        while True:
            batch = await log.read(position, heads)
            events += batch.events
            position = batch.position
            if not batch.events:
                await engine.close()
                return events

    return asyncio.run(read())


def check(stories: Sequence[Story], events: Sequence[Event]) -> None:
    """Every change that was made has exactly one event, in the order of its flow."""
    assert len({event.id for event in events}) == len(events)
    created = [event.flow_id for event in events if event.type is EventType.FLOWS_CREATED]
    assert sorted(created, key=str) == sorted(story.flow_id for story in stories)
    for story in stories:
        mine = [event for event in events if event.flow_id == story.flow_id]
        labels = [
            int(event.payload["flow"]["label"])
            for event in mine
            if event.type is EventType.FLOWS_UPDATED
        ]
        assert labels == sorted(set(labels)), "an update came twice, or out of order"
        _complete(story.labels, set(labels), story)
        starts = Counter(
            start // SECOND
            for event in mine
            if event.type is EventType.FLOWS_SEGMENTS_ADDED
            for start in event.payload["segments"]["start_ns"]
        )
        assert set(starts.values()) <= {1}, "a segment was told twice"
        _complete(story.segments, set(starts), story)


def _complete(acknowledged: set[int], told: set[int], story: Story) -> None:
    assert acknowledged <= told, "an acknowledged change has no event"
    # What was under way at a kill is at most one change for each time.
    assert told <= set(range(1, story.next)), "an event of a change that nobody asked for"
