"""From where one goes on whom the hub leaves behind, and what does not stop it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import pytest

from tams_graphql.events import hub as events_hub
from tams_graphql.events.event import Event
from tams_graphql.events.hub import Hub, TooSlow
from tams_graphql.events.log import EventLog
from tams_graphql.events.position import START, Position
from tams_graphql.metadata.engine import Changes, Row
from tams_graphql.metadata.event_tables import EVENT_PARTS
from tams_graphql.metadata.tables import FLOWS
from tams_graphql.model.errors import CursorTooOld
from tests.events.test_log import change
from tests.metadata.rows import event_row, flow_row, stored
from tests.metadata.vast_shaped import VastShapedEngine

QUIET, BUSY = "flow 0", "flow 1"


class Of:
    """Wants the events of one flow."""

    def __init__(self, flow_id: str) -> None:
        self.flow_ids = frozenset({flow_id})

    def matches(self, event: Event) -> bool:
        return event.flow_id in self.flow_ids


@pytest.fixture
async def engine() -> VastShapedEngine:
    engine = VastShapedEngine()
    await stored(engine, FLOWS, flow_row(QUIET), flow_row(BUSY))
    return engine


@pytest.fixture
async def hub(engine: VastShapedEngine) -> AsyncIterator[Hub]:
    hub = Hub(EventLog(engine), poll_seconds=0.001)
    running = asyncio.create_task(hub.run())
    yield hub
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running


async def reached(hub: Hub) -> Position:
    """Wait until the hub has read everything there is."""
    heads = await hub.log.heads()
    async with asyncio.timeout(5):
        while hub.reached != heads:  # noqa: ASYNC110 - it tells nobody when
            await asyncio.sleep(0.001)
    return heads


async def test_who_heard_nothing_for_long_is_not_sent_back_there(
    engine: VastShapedEngine, hub: Hub
) -> None:
    """Retention may have deleted by now what was not for it anyway."""
    async with hub.subscribe(Of(QUIET), START, capacity=2) as mine:
        waiting = asyncio.ensure_future(anext(mine))
        for n in range(20):
            await change(engine, BUSY, f"{n}")
        before = await reached(hub)
        assert mine.position == before
        await change(engine, QUIET, "0", 1)
        first = await waiting
        await change(engine, QUIET, "1", 5)
        await reached(hub)
        with pytest.raises(TooSlow):
            await anext(mine)
        rest = await hub.log.read(mine.position, hub.reached)
    assert all(mine.position[lane] >= before[lane] for lane in before)
    assert (first.event.id, [event.id for event in rest.events]) == (
        "0.0",
        ["1.0", "1.1", "1.2", "1.3", "1.4"],
    )


async def test_an_event_of_a_newer_program_holds_nobody_up(
    engine: VastShapedEngine, hub: Hub, caplog: pytest.LogCaptureFixture
) -> None:
    async with hub.subscribe(Of(QUIET)) as mine:
        unknown = [event_row("odd", flow_id=QUIET, event_type="flows/polished")]
        await engine.commit(lambda view: Changes(answer=None, events=unknown), [])
        await change(engine, QUIET, "after")
        async with asyncio.timeout(5):
            told = await anext(mine)
        assert told.event.id == "after.0"
        await reached(hub)
        assert mine.position == hub.reached
    assert "event odd can't be read and is passed over" in caplog.text


async def test_a_hub_that_can_not_begin_tries_again(
    engine: VastShapedEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = EventLog(engine)
    heads, failures = log.heads, iter([OSError("of the engine")])

    async def failing() -> Any:
        for failure in failures:
            raise failure
        return await heads()

    monkeypatch.setattr(log, "heads", failing)
    hub = Hub(log, poll_seconds=0.001)
    running = asyncio.create_task(hub.run())
    async with asyncio.timeout(5):
        await hub.started()
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running


async def test_parts_that_retention_deletes_during_a_read_are_told(
    engine: VastShapedEngine,
) -> None:
    event = event_row("large", payload_json=None, part_count=1)
    part: Row = {"event_id": "large", "part": 0, "payload_json": "{}"}
    changes = Changes(answer=None, insert={EVENT_PARTS: [part]}, events=[event])
    await engine.commit(lambda view: changes, [])
    log, read = EventLog(engine), engine.first_per_key

    async def overtaken(*args: Any) -> Any:
        gone = Changes(answer=None, delete={EVENT_PARTS: [("large", 0)]})
        await engine.commit(lambda view: gone, [])
        return await read(*args)

    engine.first_per_key = overtaken  # type: ignore[method-assign, assignment]
    with pytest.raises(CursorTooOld):
        await log.read(START, await log.heads())


async def test_who_was_away_for_a_moment_has_nothing_read_for_it(
    engine: VastShapedEngine, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The hub remembers its last events: many that come back at once are no burden."""
    await hub.started()
    before = hub.reached
    for n in range(4):
        await change(engine, QUIET, f"{n}")
        await change(engine, BUSY, f"{n}")
    heads, whole = await reached(hub), (await hub.log.read(before, hub.reached)).events
    monkeypatch.setattr(hub.log, "read", None)
    async with hub.subscribe(Of(QUIET), before, capacity=1) as mine:
        told = [await anext(mine) for _ in range(4)]
        mine_of_all = [one.id for one in whole if one.flow_id == QUIET]
        assert [one.event.id for one in told] == mine_of_all
        assert mine.position == heads
    async with hub.subscribe(Of(QUIET), told[1].position) as mine:
        assert [(await anext(mine)).event for _ in range(2)] == [one.event for one in told[2:]]


async def test_what_the_hub_does_not_remember_is_read(
    engine: VastShapedEngine, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events_hub, "REMEMBERED", 3)
    await hub.started()
    before = hub.reached
    for n in range(6):
        await change(engine, QUIET, f"{n}")
        await change(engine, BUSY, f"{n}")
    await reached(hub)
    assert hub.since(before) is None
    async with hub.subscribe(Of(QUIET), before) as mine:
        told = [(await anext(mine)).event.id for _ in range(6)]
    assert told == [f"{n}.0" for n in range(6)]
