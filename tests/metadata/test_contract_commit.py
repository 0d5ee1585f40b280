"""Commits that every metadata engine makes alike: all or nothing, each for itself, no races."""

import asyncio
import contextlib
from typing import Any

import pytest

from tams_graphql.metadata import tables
from tams_graphql.metadata.engine import (
    Changes,
    MetadataEngine,
    Scan,
    View,
    creation,
    flow,
    media_object,
    source,
)
from tams_graphql.model.errors import NotFound
from tests.metadata.races import is_sound, last_reference, two_creations, two_registrations
from tests.metadata.rows import flow_row, object_row, segment_row, source_row, stored
from tests.metadata.vast_shaped import VastShapedEngine

FLOWS, SEGMENTS, SOURCES = tables.FLOWS, tables.SEGMENTS, tables.SOURCES


async def read_flow(engine: MetadataEngine, flow_id: str) -> dict[str, Any]:
    found: list[dict[str, Any]] = (await engine.get(FLOWS, [(flow_id,)])).to_pylist()
    assert len(found) == 1
    return found[0]


async def counted_up(engine: MetadataEngine, flow_id: str, *, background: bool = False) -> None:
    """One more segment, as a read and a write of what was read."""

    def command(view: View) -> Changes[None]:
        count = view.get(FLOWS, [(flow_id,)]).column("segment_count")[0].as_py()
        row = {"flow_id": flow_id, "segment_count": count + 1}
        return Changes(answer=None, update={FLOWS: [row]})

    await engine.commit(command, [flow(flow_id)], background=background)


async def test_deletes_updates_and_inserts_are_applied_together(engine: MetadataEngine) -> None:
    await stored(engine, FLOWS, flow_row("flow", label="old", codec="video/h264"))
    await stored(engine, SEGMENTS, segment_row("flow", 0, 10), segment_row("flow", 10, 20))
    answer = await engine.commit(
        lambda view: Changes(
            answer="done",
            delete={SEGMENTS: [("flow", 0), ("flow", 999)]},
            update={
                FLOWS: [
                    {"flow_id": "flow", "label": None, "segment_count": 2},
                    {"flow_id": "no such flow", "label": "x", "label_order": "ax"},
                ]
            },
            insert={SEGMENTS: [segment_row("flow", 0, 5, object_id="again")]},
        ),
        [flow("flow")],
    )
    assert answer == "done"
    row = await read_flow(engine, "flow")
    assert (row["label"], row["codec"], row["segment_count"]) == (None, "video/h264", 2)
    found = await engine.page(Scan(table=SEGMENTS, columns=("start_ns", "end_ns", "object_id")))
    assert [tuple(row.values()) for row in found.to_pylist()] == [
        (0, 5, "again"),
        (10, 20, "flow/10"),
    ]
    assert await engine.count(Scan(table=FLOWS)) == 1


async def test_an_update_moves_a_row_in_the_other_orders(labelled_sources: MetadataEngine) -> None:
    change = {"source_id": "zoe", "label": "Zoo", "label_order": "aZoo"}
    await labelled_sources.commit(
        lambda view: Changes(answer=None, update={SOURCES: [change]}), [source("zoe")]
    )
    scan = Scan(table=SOURCES, order="label", columns=("source_id",))
    found = (await labelled_sources.page(scan)).column("source_id").to_pylist()
    assert found == ["émile", "anna", "bert", "zoe", "nobody"]


async def test_hundreds_of_rows_change_in_one_command(engine: MetadataEngine) -> None:
    await stored(engine, SEGMENTS, *(segment_row("flow", n, n + 1) for n in range(777)))
    await engine.commit(
        lambda view: Changes(
            answer=None,
            delete={SEGMENTS: [("flow", n) for n in range(0, 777, 2)]},
            update={
                SEGMENTS: [
                    {"timeline_id": "flow", "start_ns": n, "sample_count": -n}
                    for n in range(1, 777, 2)
                ]
            },
        ),
        [],
    )
    found = await engine.page(Scan(table=SEGMENTS, limit=1_000))
    assert found.column("start_ns").to_pylist() == list(range(1, 777, 2))
    assert found.column("sample_count").to_pylist() == [-n for n in range(1, 777, 2)]


async def test_versions_count_up_before_the_command_reads(engine: MetadataEngine) -> None:
    await stored(engine, FLOWS, flow_row("flow"), flow_row("other"))
    await stored(engine, SOURCES, source_row("source"))
    await stored(engine, tables.OBJECTS, object_row("object"))
    guard = creation("flow", "new")
    aggregates = [guard, flow("flow"), source("source"), media_object("object"), flow("missing")]
    seen = await engine.commit(
        lambda view: Changes(answer=view.get(FLOWS, [("flow",)]).column("version")[0].as_py()),
        aggregates,
    )
    assert seen == 1
    for table, key, version in (
        (FLOWS, "flow", 1),
        (FLOWS, "other", 0),
        (SOURCES, "source", 1),
        (tables.OBJECTS, "object", 1),
        (tables.GUARDS, guard.identifier, 1),
    ):
        found = await engine.get(table, [(key,)], ("version",))
        assert found.column("version").to_pylist() == [version]
    assert await engine.count(Scan(table=FLOWS)) == 2


async def test_a_command_may_come_to_rely_on_more(engine: MetadataEngine) -> None:
    await stored(engine, FLOWS, flow_row("flow"), flow_row("member"))

    def command(view: View) -> Changes[int]:
        view.rely_on(flow("member"), flow("missing"))
        return Changes(answer=view.get(FLOWS, [("member",)]).column("version")[0].as_py())

    assert await engine.commit(command, [flow("flow")]) == 1
    assert (await read_flow(engine, "flow"))["version"] == 1
    assert (await read_flow(engine, "member"))["version"] == 1


async def test_a_command_that_raises_changes_nothing(engine: MetadataEngine) -> None:
    await stored(engine, FLOWS, flow_row("flow"))

    def command(view: View) -> Changes[None]:
        view.rely_on(flow("flow"))
        raise NotFound("flow", "member")

    with pytest.raises(NotFound, match="member"):
        await engine.commit(command, [flow("flow")])
    assert (await read_flow(engine, "flow"))["version"] == 0


async def test_one_bad_command_never_fails_its_neighbours(engine: MetadataEngine) -> None:
    def numbered(number: int) -> Any:
        def command(view: View) -> Changes[int]:
            if number % 3 == 0:
                raise NotFound("flow", str(number))
            return Changes(answer=number, insert={SEGMENTS: [segment_row("f", number, number + 1)]})

        return engine.commit(command, [])

    answers = await asyncio.gather(*map(numbered, range(60)), return_exceptions=True)
    for number, answer in enumerate(answers):
        if number % 3 == 0:
            assert isinstance(answer, NotFound)
            assert answer.identifier == str(number)
        else:
            assert answer == number
    found = await engine.page(Scan(table=SEGMENTS))
    assert found.column("start_ns").to_pylist() == [n for n in range(60) if n % 3]


async def test_concurrent_increments_are_exact(engine: MetadataEngine) -> None:
    await stored(engine, FLOWS, flow_row("one"), flow_row("two"))

    async def writer(flow_id: str, background: bool) -> None:
        for _ in range(15):
            await counted_up(engine, flow_id, background=background)

    flows = ("one", "two")
    await asyncio.gather(*(writer(flow_id, n < 2) for flow_id in flows for n in range(5)))
    for flow_id in ("one", "two"):
        row = await read_flow(engine, flow_id)
        assert (row["segment_count"], row["version"]) == (75, 75)


async def test_a_reader_never_sees_half_a_commit(engine: MetadataEngine) -> None:
    await stored(engine, FLOWS, flow_row("left"), flow_row("right"))
    done = asyncio.Event()

    def command(number: int) -> Any:
        rows = [{"flow_id": name, "segment_count": number} for name in ("left", "right")]
        return lambda view: Changes(answer=None, update={FLOWS: rows})

    async def write() -> None:
        for number in range(100):
            await engine.commit(command(number), [flow("left"), flow("right")])
        done.set()

    async def read() -> set[int]:
        seen = set()
        while not done.is_set():
            found = await engine.get(FLOWS, [("left",), ("right",)], ("segment_count",))
            left, right = found.column("segment_count").to_pylist()
            assert left == right
            seen.add(left)
        return seen

    _, seen = await asyncio.gather(write(), read())
    assert len(seen) > 1


async def test_a_cancelled_caller_leaves_the_engine_whole(engine: MetadataEngine) -> None:
    await stored(engine, FLOWS, flow_row("flow"))
    tasks = [asyncio.create_task(counted_up(engine, "flow")) for _ in range(30)]
    await asyncio.sleep(0.002)
    for task in tasks[::2]:
        task.cancel()
    for task in tasks:
        with contextlib.suppress(asyncio.CancelledError):
            await task
    await counted_up(engine, "flow")
    assert 16 <= (await read_flow(engine, "flow"))["segment_count"] <= 31


ROUNDS = 40


async def test_of_two_creations_of_one_id_one_wins(engine: MetadataEngine) -> None:
    outcomes = [await two_creations(engine, f"source {n}") for n in range(ROUNDS)]
    assert {len(incarnations) for incarnations in outcomes} == {1}


async def test_of_two_overlapping_registrations_one_wins(engine: MetadataEngine) -> None:
    await stored(engine, FLOWS, *(flow_row(f"flow {n}") for n in range(ROUNDS)))
    outcomes = [await two_registrations(engine, f"flow {n}") for n in range(ROUNDS)]
    assert set(outcomes) == {1}


async def test_no_segment_is_left_on_a_deleted_object(engine: MetadataEngine) -> None:
    outcomes = [await last_reference(engine, f"object {n}") for n in range(ROUNDS)]
    assert [outcome for outcome in outcomes if not is_sound(outcome)] == []


async def test_many_writers_of_one_new_id(engine: MetadataEngine) -> None:
    await asyncio.gather(*(two_creations(engine, "source") for _ in range(25)))
    assert (await engine.get(SOURCES, [("source",)])).num_rows == 1


class TestTheBrokenBuild:
    """Without the conflict rows the same scenarios break: they can tell the difference."""

    @pytest.fixture
    def broken(self) -> VastShapedEngine:
        return VastShapedEngine(conflict_rows=False)

    async def test_creations_are_duplicated(self, broken: VastShapedEngine) -> None:
        outcomes = [await two_creations(broken, f"source {n}") for n in range(ROUNDS)]
        assert 2 in {len(incarnations) for incarnations in outcomes}

    async def test_segments_overlap(self, broken: VastShapedEngine) -> None:
        await stored(broken, FLOWS, *(flow_row(f"flow {n}") for n in range(ROUNDS)))
        outcomes = [await two_registrations(broken, f"flow {n}") for n in range(ROUNDS)]
        assert 2 in outcomes

    async def test_segments_are_left_on_deleted_objects(self, broken: VastShapedEngine) -> None:
        outcomes = [await last_reference(broken, f"object {n}") for n in range(ROUNDS)]
        assert any(
            outcome["segments"] == 1 and not outcome["object exists"] for outcome in outcomes
        )
