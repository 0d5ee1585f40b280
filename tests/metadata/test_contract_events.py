"""The event log of every engine: an event exists if and only if its change does, in its place."""

import asyncio
from typing import Any

import pytest

from tams_graphql.metadata import tables
from tams_graphql.metadata.engine import Changes, MetadataEngine, Row, Scan, View, creation, flow
from tams_graphql.metadata.event_tables import EVENT_FLOORS, EVENTS, LANES
from tams_graphql.metadata.tables import FLOWS
from tams_graphql.model.errors import NotFound
from tests.metadata.rows import event_row, flow_row, stored


async def logged(engine: MetadataEngine) -> list[dict[str, Any]]:
    """The whole log, lane by lane."""
    found: list[dict[str, Any]] = (await engine.page(Scan(table=EVENTS, limit=10_000))).to_pylist()
    return found


async def change(engine: MetadataEngine, flow_id: str, *names: str) -> None:
    """One change of a flow that logs an event for each of `names`."""

    def command(view: View) -> Changes[None]:
        row: Row = {"flow_id": flow_id, "label": names[-1]}
        events = [event_row(name, flow_id=flow_id) for name in names]
        return Changes(answer=None, update={FLOWS: [row]}, events=events)

    await engine.commit(command, [flow(flow_id)])


async def heads(engine: MetadataEngine) -> dict[int, int]:
    found = await engine.page(Scan(table=LANES, limit=100, columns=("lane", "sequence")))
    pairs = zip(found["lane"].to_pylist(), found["sequence"].to_pylist(), strict=True)
    return {lane: sequence for lane, sequence in pairs if sequence}


async def test_events_are_logged_in_the_order_that_the_command_gives(
    engine: MetadataEngine,
) -> None:
    await stored(engine, FLOWS, flow_row("flow"))
    await change(engine, "flow", "one", "two", "three")
    events = await logged(engine)
    assert [event["event_id"] for event in events] == ["one", "two", "three"]
    assert [event["sequence"] for event in events] == [1, 2, 3]
    assert len({event["lane"] for event in events}) == 1
    assert events[0]["hlc"] < events[1]["hlc"] < events[2]["hlc"]
    assert await heads(engine) == {events[0]["lane"]: 3}


async def test_a_command_that_fails_logs_nothing(engine: MetadataEngine) -> None:
    await stored(engine, FLOWS, flow_row("flow"))
    before = await engine.get(FLOWS, [("flow",)])

    def fails(view: View) -> Changes[None]:
        raise NotFound("flow", "flow")

    def impossible(view: View) -> Changes[None]:
        broken = flow_row("broken", no_such_column=1)
        events = [event_row("never", flow_id="flow")]
        return Changes(answer=None, insert={FLOWS: [broken]}, events=events)

    for command in (fails, impossible):
        with pytest.raises((NotFound, RuntimeError, AssertionError)):
            await engine.commit(command, [])
    assert await logged(engine) == []
    assert await heads(engine) == {}
    assert (await engine.get(FLOWS, [("flow",)])) == before


async def test_sequences_have_no_gaps_and_flows_have_their_order(engine: MetadataEngine) -> None:
    flows = [f"flow {n}" for n in range(5)]
    await stored(engine, FLOWS, *map(flow_row, flows))

    async def follow(flow_id: str) -> None:
        for n in range(6):
            await change(engine, flow_id, f"{flow_id}/{n}a", f"{flow_id}/{n}b")

    await asyncio.gather(*map(follow, flows))
    events = await logged(engine)
    assert len(events) == len({event["event_id"] for event in events}) == 60
    lanes: dict[int, list[int]] = {}
    for event in events:
        lanes.setdefault(event["lane"], []).append(event["sequence"])
    assert lanes == {lane: [*range(1, head + 1)] for lane, head in (await heads(engine)).items()}
    events.sort(key=lambda event: (event["hlc"], event["lane"], event["sequence"]))
    for flow_id in flows:
        names = [event["event_id"] for event in events if event["flow_id"] == flow_id]
        assert names == [f"{flow_id}/{n}{half}" for n in range(6) for half in "ab"]


async def test_a_flow_that_comes_again_comes_after_the_one_that_went(
    engine: MetadataEngine,
) -> None:
    """Whatever the clock of the process says that makes it."""
    names = []
    for n in range(8):
        names += [f"created {n}", f"changed {n}", f"deleted {n}"]
        await _created(engine, names[-3])
        await change(engine, "flow", names[-2])
        await _deleted(engine, names[-1])
    events = await logged(engine)
    events.sort(key=lambda event: (event["hlc"], event["lane"], event["sequence"]))
    assert [event["event_id"] for event in events] == names


async def _created(engine: MetadataEngine, name: str) -> None:
    events = [event_row(name, flow_id="flow")]
    await engine.commit(
        lambda view: Changes(answer=None, insert={FLOWS: [flow_row("flow")]}, events=events),
        [flow("flow"), creation("flow", "flow")],
    )


async def _deleted(engine: MetadataEngine, name: str) -> None:
    def command(view: View) -> Changes[None]:
        view.rely_on(creation("flow", "flow"))
        events = [event_row(name, flow_id="flow")]
        return Changes(answer=None, delete={FLOWS: [("flow",)]}, events=events)

    await engine.commit(command, [flow("flow")])


async def test_every_log_has_an_identity_and_floors(engine: MetadataEngine) -> None:
    floors = (await engine.page(Scan(table=EVENT_FLOORS, limit=100))).to_pylist()
    lanes = (await engine.page(Scan(table=LANES, limit=100))).to_pylist()
    assert [row["lane"] for row in floors] == [row["lane"] for row in lanes]
    assert {row["sequence"] for row in floors} == {0}
    assert len({row["log_id"] for row in floors}) == 1


async def test_commits_without_events_leave_the_lanes_alone(engine: MetadataEngine) -> None:
    await stored(engine, FLOWS, flow_row("flow"))
    await stored(
        engine, tables.DISCARDED_MEDIA, {"storage_id": "a", "storage_key": "b", "discarded_us": 1}
    )
    assert await heads(engine) == {}
    assert (await engine.get(FLOWS, [("flow",)], ("hlc",)))["hlc"].to_pylist() == [None]
