"""Events of several processes on one VAST index: once each, in order, whatever their clocks say."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pyarrow as pa
import pytest

from tams_graphql.events.log import EventLog
from tams_graphql.metadata import tables
from tams_graphql.metadata.engine import Changes
from tams_graphql.metadata.tables import FLOWS
from tams_graphql.metadata.vast.cluster import Target, Transaction
from tams_graphql.metadata.vast.lanes import Lane
from tams_graphql.model.errors import Unavailable
from tests.metadata.rows import event_row, flow_row, stored
from tests.metadata.test_contract_events import change, heads, logged
from tests.metadata.vast.conftest import Open
from tests.metadata.vast.test_lanes import COMMIT, given_to_another
from tests.support.vast import fresh_target
from tests.vast_emulator.running import Running

MINUTES = 60_000_000


def late_by(microseconds: int) -> int:
    return time.time_ns() // 1000 - microseconds


@pytest.fixture
def disturbed(vast: Running) -> Iterator[Running]:
    yield vast
    vast.set_faults()


async def test_the_order_of_a_flow_is_that_of_its_changes_not_of_clocks(
    semantics: Running, open_engine: Open
) -> None:
    target = fresh_target(semantics)
    ahead = await open_engine(target, clock=lambda: late_by(-5 * MINUTES))
    late = await open_engine(target, clock=lambda: late_by(5 * MINUTES))
    await stored(ahead, FLOWS, flow_row("flow"), flow_row("other"))
    for n in range(4):
        await change(ahead, "flow", f"{n} ahead")
        await change(late, "flow", f"{n} late")
    await asyncio.gather(*(change(one, "other", f"{one}") for one in (ahead, late)))
    events = await logged(late)
    events.sort(key=lambda event: (event["hlc"], event["lane"], event["sequence"]))
    mine = [event["event_id"] for event in events if event["flow_id"] == "flow"]
    assert mine == [f"{n} {who}" for n in range(4) for who in ("ahead", "late")]
    assert sorted((await heads(late)).values()) == [5, 5]


@pytest.mark.parametrize("action", ["drop-before", "drop-after", "conflict"])
async def test_an_event_is_logged_once_whatever_becomes_of_the_commit(
    disturbed: Running, target: Target, open_engine: Open, action: str
) -> None:
    engine = await open_engine(target)
    await stored(engine, FLOWS, flow_row("flow"))
    for n in range(3):
        disturbed.set_faults({"action": action, "times": 1, **COMMIT})
        await change(engine, "flow", f"{n}a", f"{n}b")
    events = await logged(engine)
    assert [event["event_id"] for event in events] == ["0a", "0b", "1a", "1b", "2a", "2b"]
    assert [event["sequence"] for event in events] == [1, 2, 3, 4, 5, 6]


async def _taken_over_while_in_doubt(
    disturbed: Running, target: Target, open_engine: Open, monkeypatch: pytest.MonkeyPatch
) -> list[str]:
    """A commit came to be unnoticed, and then somebody else took the lane."""
    engine = await open_engine(target)
    await stored(engine, FLOWS, flow_row("flow"))
    asked = Lane.committed

    def after_takeover(lane: Lane, commit_id: str) -> bool:
        given_to_another(target)
        monkeypatch.setattr(Lane, "committed", asked)
        return asked(lane, commit_id)

    monkeypatch.setattr(Lane, "committed", after_takeover)
    rules = [{"action": "drop-after", "times": 1, **COMMIT}]
    disturbed.set_faults(*rules, {"action": "drop-before", "times": 1, "skip": 1, **COMMIT})
    with suppress(Unavailable):  # nobody knows, and the caller is told so
        await change(engine, "flow", "once")
    return [event["event_id"] for event in await logged(engine)]


async def test_who_has_lost_its_lane_does_not_log_twice(
    disturbed: Running, target: Target, open_engine: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = await _taken_over_while_in_doubt(disturbed, target, open_engine, monkeypatch)
    assert names == ["once"]


async def test_without_the_fence_an_event_is_logged_twice(
    disturbed: Running, target: Target, open_engine: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The deliberately broken build, so that the test above is known to notice."""
    monkeypatch.setattr(Lane, "_owned", lambda lane, found: found.num_rows == 1)
    names = await _taken_over_while_in_doubt(disturbed, target, open_engine, monkeypatch)
    assert names == ["once", "once"]


async def test_an_index_of_version_1_gets_an_empty_log(target: Target, open_engine: Open) -> None:
    from tests.metadata.vast.test_schema import made_by_version_1

    made_by_version_1(target, {"flows": [flow_row("flow")]})
    engine = await open_engine(target)
    await change(engine, "flow", "first")
    (event,) = await logged(engine)
    assert (event["sequence"], event["event_id"]) == (1, "first")
    assert (await engine.get(tables.FLOWS, [("flow",)], ("hlc",)))["hlc"][0].as_py() == event["hlc"]


@pytest.mark.parametrize("kind", ["at once", "between reading the lane and locking it"])
async def test_who_takes_a_lane_over_is_never_written_beside(
    semantics: Running, open_engine: Open, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """Sequences have neither gaps nor twins, even where reads are of the latest commit."""
    target = fresh_target(semantics)
    engine = await open_engine(target)
    await stored(engine, FLOWS, flow_row("flow"))
    await change(engine, "flow", "before")
    written = Lane._write

    def after_takeover(lane: Lane, transaction: Transaction, row: pa.Table, **changed: Any) -> None:
        monkeypatch.setattr(Lane, "_write", written)
        given_to_another(target)
        written(lane, transaction, row, **changed)

    if kind == "at once":
        given_to_another(target)
    else:
        monkeypatch.setattr(Lane, "_write", after_takeover)
    await change(engine, "flow", "after")
    events = await logged(engine)
    lanes = [event["lane"] for event in events]
    assert sorted(event["event_id"] for event in events) == ["after", "before"]
    assert len(set(lanes)) == 2


async def test_a_page_of_a_long_log_is_one_query(
    vast: Running, target: Target, open_engine: Open
) -> None:
    """Sequences have no gaps, so where a page ends is known before it is read."""
    engine = await open_engine(target)
    events = [event_row(f"{n}", flow_id="flow") for n in range(3_000)]
    await engine.commit(lambda view: Changes(answer=None, events=events), [])
    log = EventLog(engine)
    heads = await log.heads()
    (lane,) = heads
    for after in (0, 1_000, 2_900):
        vast.take_queries()
        batch = await log.read({lane: after}, heads, 500)
        assert vast.take_queries() == {"events": 1}
        first = [event.id for event in batch.events[:2]]
        assert (first, len(batch.events)) == ([f"{after}", f"{after + 1}"], min(500, 3_000 - after))
