"""Reading the log: nothing skipped, nothing twice, each flow in its order, from any cursor.

The engine of these stories has four lanes whose clocks are minutes apart, and commits that take
their time: what comes later in the log may be dated earlier. Readers that go by time alone, and
a log without clocks in its rows, are shown to fail the same checks.
"""

import asyncio
import random
from collections.abc import Collection, Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tams_graphql.events import log as events_log
from tams_graphql.events.event import Event
from tams_graphql.events.log import EventLog
from tams_graphql.events.position import START, Position, decode_position, encode_position
from tams_graphql.metadata.engine import Changes, MetadataEngine, Scan, View, creation, flow
from tams_graphql.metadata.event_tables import EVENT_FLOORS, EVENT_PARTS, EVENTS
from tams_graphql.metadata.tables import FLOWS
from tams_graphql.model.errors import CursorTooOld, InvalidInput
from tests.metadata.rows import event_row, flow_row, stored
from tests.metadata.vast_shaped import VastShapedEngine
from tests.support.engines import open_engine

FLOW_IDS = ["flow 0", "flow 1", "flow 2"]
ROUNDS = 8


async def change(engine: MetadataEngine, flow_id: str, name: str, count: int = 1) -> None:
    def command(view: View) -> Changes[None]:
        events = [event_row(f"{name}.{n}", flow_id=flow_id) for n in range(count)]
        row = {"flow_id": flow_id, "label": name}
        return Changes(answer=None, update={FLOWS: [row]}, events=events)

    await engine.commit(command, [flow(flow_id)])


async def written(engine: MetadataEngine, seed: int) -> None:
    """Several clients change several flows, some at the same time."""
    chance = random.Random(seed)
    await stored(engine, FLOWS, *map(flow_row, FLOW_IDS))

    async def follow(flow_id: str) -> None:
        for n in range(ROUNDS):
            await asyncio.sleep(chance.uniform(0, 0.002))
            await change(engine, flow_id, f"{n}", chance.randint(1, 3))

    await asyncio.gather(*map(follow, FLOW_IDS))


def problems(events: Sequence[Event], whole: Sequence[Event]) -> set[str]:
    """What is wrong with what a reader saw, given everything there is."""
    found = set()
    seen = [event.id + (event.flow_id or "") for event in events]
    if len(seen) != len(set(seen)):
        found.add("twice")
    if set(seen) != {event.id + (event.flow_id or "") for event in whole}:
        found.add("skipped")
    for flow_id in FLOW_IDS:
        mine = [event.id for event in events if event.flow_id == flow_id]
        if mine != sorted(mine, key=lambda name: tuple(map(int, name.split(".")))):
            found.add("disordered")
    return found


class Reader:
    """Polls as a hub does, until told that nobody writes any more and nothing is left."""

    def __init__(self, log: EventLog, limit: int, flow_ids: Collection[str] | None = None) -> None:
        self.events: list[Event] = []
        self.position: Position = START
        self.done = False
        self._log = log
        self._limit = limit
        self._flow_ids = flow_ids

    async def run(self) -> None:
        while not self.done or await self._poll():
            await self._poll()
            await asyncio.sleep(0)

    async def _poll(self) -> bool:
        heads = await self._log.heads()
        batch = await self._log.read(self.position, heads, self._limit, self._flow_ids)
        moved = batch.position != self.position
        self.events += batch.events
        self.position = batch.position
        return moved


async def _read_while_written(engine: MetadataEngine, seed: int, *readers: Reader) -> None:
    running = [asyncio.create_task(reader.run()) for reader in readers]
    await written(engine, seed)
    for reader in readers:
        reader.done = True
    await asyncio.gather(*running)


async def whole_log(engine: MetadataEngine) -> list[Event]:
    log = EventLog(engine)
    return list((await log.read(START, await log.heads(), 10_000)).events)


@given(seed=st.integers(0, 2**32), limits=st.tuples(st.integers(1, 5), st.integers(1, 50)))
@settings(max_examples=25, deadline=None)
def test_readers_see_everything_once_and_flows_in_order(seed: int, limits: tuple[int, int]) -> None:
    async def story() -> None:
        engine = VastShapedEngine(seed=seed)
        log = EventLog(engine)
        readers = [Reader(log, limit) for limit in limits]
        await _read_while_written(engine, seed, *readers)
        whole = await whole_log(engine)
        for reader in readers:
            assert problems(reader.events, whole) == set()
            assert reader.position == await log.heads()

    asyncio.run(story())


@given(seed=st.integers(0, 2**32), limit=st.integers(1, 9), count=st.integers(0, 2))
@settings(max_examples=25, deadline=None)
def test_readers_of_some_flows_see_those_and_what_is_of_none(
    seed: int, limit: int, count: int
) -> None:
    async def story() -> None:
        engine, flow_ids = VastShapedEngine(seed=seed), FLOW_IDS[:count]
        log = EventLog(engine)
        reader = Reader(log, limit, flow_ids)
        await _read_while_written(engine, seed, reader)
        of_source = Changes(answer=None, events=[event_row("0.0", flow_id=None)])
        await engine.commit(lambda view: of_source, [])
        await reader.run()
        wanted = [one for one in await whole_log(engine) if one.flow_id in {*flow_ids, None}]
        assert problems(reader.events, wanted) == set()
        assert reader.position == await log.heads()

    asyncio.run(story())


async def test_a_reader_of_one_flow_passes_over_the_others_bit_by_bit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events_log, "PASSED_AT_ONCE", 7)
    engine = await open_engine(tmp_path)
    await stored(engine, FLOWS, *map(flow_row, FLOW_IDS))
    for n in range(20):
        await change(engine, FLOW_IDS[n % 10 == 0], str(n))
    log, position, batches = EventLog(engine), START, []
    heads = await log.heads()
    while position != heads:
        batch = await log.read(position, heads, 500, [FLOW_IDS[1]])
        batches.append([event.id for event in batch.events])
        position = batch.position
    await engine.close()
    assert [one for batch in batches for one in batch] == ["0.0", "10.0"]
    assert len(batches) > 1


@given(seed=st.integers(0, 2**32))
@settings(max_examples=25, deadline=None)
def test_one_goes_on_from_any_cursor(seed: int) -> None:
    async def story() -> None:
        # How commits interleave is not Hypothesis's to repeat, so it must not draw from it either.
        engine, chance = VastShapedEngine(seed=seed), random.Random(seed)
        log, events, cursor = EventLog(engine), list[Event](), None
        await written(engine, seed)
        heads = await log.heads()
        while True:
            position = START if cursor is None else await log.resume(cursor, "after")
            batch = await log.read(position, heads, chance.randint(1, 9))
            if not batch.events:
                break
            taken = batch.events[: chance.randint(1, len(batch.events))]
            events += taken
            for event in taken:
                position = {**position, event.lane: event.sequence}
            cursor = await log.cursor(position)
        assert problems(events, await whole_log(engine)) == set()

    asyncio.run(story())


class ByTime(Reader):
    """The deliberately broken reader, whose cursor is a time."""

    async def _poll(self) -> bool:
        latest = max((event.hlc for event in self.events), default=0)
        everything = await self._log.read(START, await self._log.heads(), 10_000)
        new = [event for event in everything.events if event.hlc > latest]
        self.events += new
        return bool(new)


def test_a_cursor_that_is_a_time_would_be_noticed() -> None:
    async def story(seed: int) -> set[str]:
        engine = VastShapedEngine(seed=seed)
        reader = ByTime(EventLog(engine), 0)
        await _read_while_written(engine, seed, reader)
        return problems(reader.events, await whole_log(engine))

    assert any("skipped" in asyncio.run(story(seed)) for seed in range(5))


def test_a_log_that_goes_by_clocks_alone_would_be_noticed() -> None:
    async def story(seed: int) -> set[str]:
        engine = VastShapedEngine(seed=seed, row_clocks=False)
        await written(engine, seed)
        whole = await whole_log(engine)
        return problems(whole, whole)

    assert any("disordered" in asyncio.run(story(seed)) for seed in range(5))


async def test_what_retention_has_deleted_is_not_passed_over_in_silence() -> None:
    engine = VastShapedEngine()
    log = EventLog(engine)
    await stored(engine, FLOWS, flow_row("flow 0"))
    for n in range(12):
        await change(engine, "flow 0", str(n))
    start = await log.cursor(START)
    lane, head = next(iter((await log.heads()).items()))

    def forget(view: View) -> Changes[None]:
        floor = {"lane": lane, "sequence": 1}
        return Changes(answer=None, delete={EVENTS: [(lane, 1)]}, update={EVENT_FLOORS: [floor]})

    await engine.commit(forget, [creation("event_floors", str(lane))])
    with pytest.raises(CursorTooOld) as refusal:
        await log.resume(start, "after")
    assert decode_position(await log.identity(), refusal.value.oldest, "after") == {lane: 1}
    for flow_ids in (None, ["flow 0"], ["flow 1"]):
        with pytest.raises(CursorTooOld):
            await log.read(START, await log.heads(), flow_ids=flow_ids)
    oldest = await log.resume(refusal.value.oldest, "after")
    assert len((await log.read(oldest, await log.heads())).events) == 11
    assert head >= 1


@pytest.mark.parametrize(
    ("cursor", "rule"),
    [
        ("", "cursor.malformed"),
        ("é", "cursor.malformed"),
        ("bm9uZQ", "cursor.malformed"),
        (encode_position("another", {}), "cursor.foreign"),
        (encode_position("shaped", {0: 1}), "cursor.ahead"),
        (encode_position("shaped", {77: 1}), "cursor.ahead"),
        (encode_position("shaped", {-1: 1}), "cursor.malformed"),
        (encode_position("shaped", {0: -1}), "cursor.malformed"),
    ],
)
async def test_what_is_no_cursor_of_this_log_is_refused(cursor: str, rule: str) -> None:
    log = EventLog(VastShapedEngine())
    with pytest.raises(InvalidInput) as refusal:
        await log.resume(cursor, "after")
    assert [problem.rule for problem in refusal.value.problems] == [rule]


async def test_a_cursor_of_many_lanes_does_not_make_positions_large() -> None:
    log = EventLog(VastShapedEngine())
    cursor = encode_position("shaped", dict.fromkeys(range(1_000), 0))
    assert await log.resume(cursor, "after") == START


@given(st.dictionaries(st.integers(0, 63), st.integers(0, 2**63 - 1)))
def test_cursors_say_what_they_were_given(position: dict[int, int]) -> None:
    assert decode_position("log", encode_position("log", position), "after") == position


async def test_a_large_event_is_read_with_all_its_parts() -> None:
    engine = VastShapedEngine()
    rows = [
        {"event_id": "large", "part": n, "payload_json": text}
        for n, text in enumerate(['{"a": "', "b" * 50, '"}'])
    ]
    event = event_row("large", payload_json=None, part_count=3)
    changes = Changes(answer=None, insert={EVENT_PARTS: rows}, events=[event, event_row("small")])
    await engine.commit(lambda view: changes, [])
    large, small = await whole_log(engine)
    assert (large.payload, small.payload) == ({"a": "b" * 50}, {})


async def test_large_events_are_read_a_few_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """None of them is passed over, even one that is too large by itself."""
    monkeypatch.setattr(events_log, "PARTS_AT_ONCE", 3)
    engine, counts = VastShapedEngine(), [2, 1, 0, 1, 9, 0, 3]
    for n, count in enumerate(counts):
        texts = ["{}", *[""] * count][:count]
        parts = [{"event_id": f"{n}", "part": m, "payload_json": t} for m, t in enumerate(texts)]
        payload = "{}" if count == 0 else None
        event = event_row(f"{n}", payload_json=payload, part_count=count)
        changes = Changes(answer=None, insert={EVENT_PARTS: parts}, events=[event])
        await engine.commit(lambda view, changes=changes: changes, [flow("flow 0")])
    log, position, sizes = EventLog(engine), START, []
    heads = await log.heads()
    while position != heads:
        batch = await log.read(position, heads)
        sizes.append(sum(counts[int(event.id)] for event in batch.events))
        position = batch.position
    assert (sum(sizes), max(sizes)) == (16, 9)
    assert all(size <= 3 for size in sizes if size != 9)


async def test_a_poll_that_finds_nothing_is_one_read() -> None:
    engine, reads = VastShapedEngine(), list[Scan]()
    page = engine.page

    async def counted(scan: Scan) -> object:
        reads.append(scan)
        return await page(scan)

    engine.page = counted  # type: ignore[method-assign, assignment]
    log = EventLog(engine)
    heads = await log.heads()
    assert (await log.read(heads, heads)).events == []
    assert len(reads) == 1
