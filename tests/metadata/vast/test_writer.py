"""The writer: commits in doubt, commands at fault, and a thread that outlives them all."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pytest

from tams_graphql.metadata import tables
from tams_graphql.metadata.engine import Changes, MetadataEngine, Scan, View, flow
from tams_graphql.metadata.vast import writer
from tams_graphql.metadata.vast.cluster import Cluster, Target, Transaction
from tams_graphql.metadata.vast.lanes import Lane
from tams_graphql.metadata.vast.writer import InDoubt
from tams_graphql.metadata.vast.writing import insertable
from tams_graphql.model.errors import Unavailable
from tests.metadata.rows import flow_row, segment_row, stored
from tests.metadata.test_contract_commit import counted_up, read_flow
from tests.metadata.vast.conftest import Open
from tests.vast_emulator.running import Running

COMMIT = {"methods": ["PUT"], "commands": ["transaction"]}
BEGIN = {"methods": ["POST"], "commands": ["transaction"]}
INSERT = {"methods": ["POST"], "commands": ["rows"]}


@pytest.fixture
async def engine(target: Target, open_engine: Open) -> MetadataEngine:
    engine = await open_engine(target)
    await stored(engine, tables.FLOWS, flow_row("flow"), flow_row("other"))
    return engine


@pytest.fixture
def disturbed(vast: Running) -> Iterator[Running]:
    yield vast
    vast.set_faults()


async def count(engine: MetadataEngine, flow_id: str = "flow") -> int:
    return int((await read_flow(engine, flow_id))["segment_count"])


@pytest.mark.parametrize("lost", ["drop-before", "drop-after"])
@pytest.mark.parametrize("trouble", ["drop-before", "unavailable"])
async def test_nobody_runs_again_what_may_have_been_stored(
    disturbed: Running, engine: MetadataEngine, lost: str, trouble: str
) -> None:
    disturbed.set_faults(
        {"action": lost, "times": 1, **COMMIT},
        {"action": "drop-before", "times": 1, "skip": 1, **COMMIT},
        {"action": trouble, "times": 3, "skip": 1, **BEGIN},
    )
    await counted_up(engine, "flow")
    assert await count(engine) == 1


async def test_a_commit_that_is_made_later_than_anybody_looked_counts_once(
    disturbed: Running, engine: MetadataEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked = []

    def too_early(lane: Lane, commit_id: str) -> bool:
        looked.append(commit_id)
        return False

    monkeypatch.setattr(Lane, "committed", too_early)
    disturbed.set_faults({"action": "drop-after", "times": 1, **COMMIT})
    answers = await asyncio.gather(counted_up(engine, "flow"), counted_up(engine, "other"))
    assert answers == [None, None]
    assert len(looked) == 1
    assert (await count(engine), await count(engine, "other")) == (1, 1)


async def test_who_can_not_know_is_told_so(
    disturbed: Running, engine: MetadataEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "DOUBT_SECONDS", 0.2)
    disturbed.set_faults(
        {"action": "drop-after", **COMMIT}, {"action": "unavailable", "skip": 1, **BEGIN}
    )
    with pytest.raises(InDoubt, match="look whether it is there before you try again"):
        await counted_up(engine, "flow")
    disturbed.set_faults()
    assert await count(engine) == 1


async def test_overload_is_told_at_once(disturbed: Running, engine: MetadataEngine) -> None:
    disturbed.set_faults({"action": "unavailable", **INSERT})
    disturbed.take_requests()
    rows = [segment_row("flow", n, n + 1) for n in range(8)]
    answers = await asyncio.gather(
        *(stored(engine, tables.SEGMENTS, row) for row in rows), return_exceptions=True
    )
    assert [type(answer).__mro__[1] for answer in answers] == [Unavailable] * 8
    assert disturbed.take_requests()["POST rows"] <= 8
    disturbed.set_faults()
    assert await engine.count(Scan(table=tables.SEGMENTS)) == 0


@pytest.mark.parametrize("bad", [2**63, "x", "\ud800"])
async def test_a_value_of_another_type_is_its_own_commands_fault(
    engine: MetadataEngine, bad: object
) -> None:
    def command(number: int) -> Any:
        row = segment_row("flow", number, number + 1)
        if number == 2:
            row["object_id" if isinstance(bad, str) and bad != "x" else "end_ns"] = bad

        def run(view: View) -> Changes[int]:
            delete = {tables.FLOWS: [("other",)]} if number == 2 else {}
            return Changes(answer=number, insert={tables.SEGMENTS: [row]}, delete=delete)

        return engine.commit(run, [flow("flow")])

    answers = await asyncio.gather(*map(command, range(5)), return_exceptions=True)
    assert isinstance(answers.pop(2), ValueError | TypeError | OverflowError)
    assert answers == [0, 1, 3, 4]
    found = await engine.page(Scan(table=tables.SEGMENTS))
    assert found["start_ns"].to_pylist() == [0, 1, 3, 4]
    assert await count(engine, "other") == 0


async def test_the_thread_outlives_what_it_does_not_understand(
    engine: MetadataEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as broken:
        broken.setattr(Cluster, "begin", lambda cluster: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            await counted_up(engine, "flow")
    with monkeypatch.context() as broken:
        broken.setattr(Transaction, "commit", lambda transaction: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            await counted_up(engine, "flow")
    await counted_up(engine, "flow")
    assert await count(engine) == 1


async def test_a_command_that_stops_an_iteration_is_answered(engine: MetadataEngine) -> None:
    def command(view: View) -> Changes[None]:
        raise StopIteration

    with pytest.raises(RuntimeError, match="StopIteration"):
        await asyncio.wait_for(engine.commit(command, []), 10)


async def test_thousands_of_rows_go_out_in_few_requests(
    vast: Running, engine: MetadataEngine
) -> None:
    vast.take_requests()
    rows = [segment_row("flow", n, n + 1) for n in range(3_000)]
    await asyncio.gather(
        *(stored(engine, tables.SEGMENTS, *rows[n : n + 100]) for n in range(0, 3_000, 100))
    )
    assert vast.take_requests()["POST rows"] <= 2
    assert await engine.count(Scan(table=tables.SEGMENTS)) == 3_000


@pytest.mark.parametrize("large", [[0, 1], [1, 0]])
def test_no_insert_is_too_large_where_large_rows_stand_beside_small_ones(large: list[int]) -> None:
    texts = ["x" * (90_000 if one else 10) for one in large for _ in range(200)]
    rows = pa.table({"text": texts})
    parts = list(insertable(rows))
    assert pa.concat_tables(parts) == rows
    assert max(part.nbytes for part in parts) <= 4 * 1024**2
    assert [*insertable(rows.slice(0, 0))] == []


async def test_nothing_is_left_open(vast: Running, engine: MetadataEngine) -> None:
    await counted_up(engine, "flow")
    await engine.page(Scan(table=tables.FLOWS))
    assert vast.open_transactions() == 0
