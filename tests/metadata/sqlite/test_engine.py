"""Durability, several processes on one file, readers beside the writer, errors told."""

import asyncio
import sqlite3
import sys
import threading
from pathlib import Path

import pytest

from tams_graphql.metadata import tables
from tams_graphql.metadata.engine import Changes, Scan, View, creation, flow
from tams_graphql.metadata.sqlite import SQLiteEngine
from tams_graphql.model.errors import Unavailable
from tests.metadata.rows import flow_row, segment_row, source_row, stored
from tests.metadata.sqlite.counting import counted_up

REPOSITORY = Path(__file__).parents[3]


async def flow_ids(engine: SQLiteEngine) -> list[str]:
    found = await engine.page(Scan(table=tables.FLOWS, columns=("flow_id",)))
    ids: list[str] = found.column("flow_id").to_pylist()
    return ids


async def test_what_was_answered_is_there_after_reopening(index_file: Path) -> None:
    first = await SQLiteEngine.open(index_file)
    await stored(first, tables.FLOWS, flow_row("kept"))
    await first.commit(lambda view: Changes(answer=None), [creation("flow", "kept")])
    await first.close()
    second = await SQLiteEngine.open(index_file)
    assert await flow_ids(second) == ["kept"]
    guards = await second.page(Scan(table=tables.GUARDS, limit=2_000, columns=("version",)))
    assert sorted(guards.column("version").to_pylist()) == [0] * 1_023 + [1]
    await second.close()


async def test_what_was_answered_is_there_without_a_close(
    engine: SQLiteEngine, index_file: Path, tmp_path: Path
) -> None:
    await stored(engine, tables.FLOWS, flow_row("kept"))
    copy = tmp_path / "after the crash.db"
    for suffix in ("", "-wal"):
        copy.with_name(copy.name + suffix).write_bytes(
            index_file.with_name(index_file.name + suffix).read_bytes()
        )
    survivor = await SQLiteEngine.open(copy)
    assert await flow_ids(survivor) == ["kept"]
    await survivor.close()


async def test_closing_drains_what_waits_and_then_refuses(index_file: Path) -> None:
    engine = await SQLiteEngine.open(index_file)
    tasks = [
        asyncio.create_task(stored(engine, tables.FLOWS, flow_row(f"{n:02d}"))) for n in range(50)
    ]
    await asyncio.sleep(0)
    await engine.close()
    await asyncio.gather(*tasks)
    assert not index_file.with_name(index_file.name + "-wal").exists()
    with pytest.raises(Unavailable, match="closed"):
        await stored(engine, tables.FLOWS, flow_row("late"))
    with pytest.raises(Unavailable, match="closed"):
        await flow_ids(engine)
    reopened = await SQLiteEngine.open(index_file)
    assert await flow_ids(reopened) == [f"{n:02d}" for n in range(50)]
    await reopened.close()


async def test_processes_on_one_file_count_exactly(engine: SQLiteEngine, index_file: Path) -> None:
    await stored(engine, tables.FLOWS, flow_row("shared"))
    command = (sys.executable, "-m", "tests.metadata.sqlite.counting", str(index_file), "40")
    others = [await asyncio.create_subprocess_exec(*command, cwd=REPOSITORY) for _ in range(2)]
    for _ in range(40):
        await engine.commit(counted_up, [flow("shared")])
    assert [await other.wait() for other in others] == [0, 0]
    row = (await engine.get(tables.FLOWS, [("shared",)])).to_pylist()[0]
    assert (row["segment_count"], row["version"]) == (120, 120)


async def test_readers_proceed_while_a_write_transaction_is_open(engine: SQLiteEngine) -> None:
    await stored(engine, tables.FLOWS, flow_row("before"))
    entered, leave = threading.Event(), threading.Event()

    def slow(view: View) -> Changes[None]:
        entered.set()
        assert leave.wait(10)
        return Changes(answer=None, insert={tables.FLOWS: [flow_row("meanwhile")]})

    writing = asyncio.create_task(engine.commit(slow, [flow("before")]))
    assert await asyncio.to_thread(entered.wait, 10)
    assert await flow_ids(engine) == ["before"]
    versions = (await engine.get(tables.FLOWS, [("before",)])).column("version").to_pylist()
    assert versions == [0]
    assert not writing.done()
    leave.set()
    await writing
    assert await flow_ids(engine) == ["before", "meanwhile"]


def assert_locked(index_file: Path) -> None:
    """No other process can begin to write: a command's reads stay true until its commit."""
    other = sqlite3.connect(index_file, isolation_level=None, timeout=0)
    with pytest.raises(sqlite3.OperationalError, match="locked"):
        other.execute("BEGIN IMMEDIATE")
    other.close()


async def test_commands_that_wait_share_one_transaction(
    engine: SQLiteEngine, index_file: Path
) -> None:
    entered, leave = threading.Event(), threading.Event()

    def slow(view: View) -> Changes[None]:
        entered.set()
        assert leave.wait(10)
        return Changes(answer=None, insert={tables.FLOWS: [flow_row("first")]})

    def failing(view: View) -> Changes[None]:
        seen = view.page(Scan(table=tables.FLOWS)).column("flow_id").to_pylist()
        return Changes(answer=None, insert={tables.FLOWS: [flow_row("undone"), flow_row(seen[0])]})

    def reading(view: View) -> Changes[list[str]]:
        seen = view.page(Scan(table=tables.FLOWS)).column("flow_id").to_pylist()
        return Changes(answer=seen, insert={tables.FLOWS: [flow_row("third")]})

    first = asyncio.create_task(engine.commit(slow, []))
    assert await asyncio.to_thread(entered.wait, 10)
    assert_locked(index_file)
    second = asyncio.create_task(engine.commit(failing, []))
    third = asyncio.create_task(engine.commit(reading, []))
    await asyncio.sleep(0)
    leave.set()
    await first
    with pytest.raises(RuntimeError, match=r"constraint.*UNIQUE.*flows\.flow_id"):
        await second
    assert await third == ["first"]
    assert await flow_ids(engine) == ["first", "third"]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (Changes(answer=None, insert={tables.FLOWS: [flow_row("x", colour="red")]}), "colour"),
        (Changes(answer=None, insert={tables.FLOWS: [flow_row("x", format=None)]}), "format"),
        (Changes(answer=None, insert={tables.FLOWS: [flow_row("x", created_us="now")]}), "TEXT"),
        (Changes(answer=None, update={tables.FLOWS: [{"flow_id": "x", "version": 7}]}), "version"),
    ],
)
async def test_a_mistake_in_a_command_is_a_clear_error_and_changes_nothing(
    engine: SQLiteEngine, changes: Changes[None], said: str
) -> None:
    with pytest.raises(RuntimeError, match=said):
        await engine.commit(lambda view: changes, [])
    assert await flow_ids(engine) == []


async def test_a_scan_that_the_port_does_not_offer_is_refused(engine: SQLiteEngine) -> None:
    for scan in (
        Scan(table=tables.SEGMENTS, columns=("colour",)),
        Scan(table=tables.SEGMENTS, overlapping=(0, 1)),
        Scan(table=tables.FLOWS, prefix=("flow",), overlapping=(0, 1)),
        Scan(table=tables.SEGMENTS, prefix=("flow",), after=("flow", 1)),
        Scan(table=tables.FLOWS, prefix=("flow", "more")),
    ):
        with pytest.raises(ValueError):
            await engine.page(scan)


async def test_a_file_locked_by_others_is_unavailable_and_then_works_again(
    index_file: Path,
) -> None:
    engine = await SQLiteEngine.open(index_file, busy_budget=0.05)
    other = sqlite3.connect(index_file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    tasks = [stored(engine, tables.FLOWS, flow_row(str(n))) for n in range(20)]
    answers = await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 2)
    assert {type(answer) for answer in answers} == {Unavailable}
    assert "locked" in str(answers[0])
    assert await flow_ids(engine) == []
    other.execute("ROLLBACK")
    other.close()
    await stored(engine, tables.FLOWS, flow_row("now"))
    assert await flow_ids(engine) == ["now"]
    await engine.close()


async def test_a_full_disk_fails_what_does_not_fit_and_nothing_else(
    engine: SQLiteEngine,
) -> None:
    await stored(engine, tables.SOURCES, source_row("kept"))
    engine._writer._connection.execute("PRAGMA max_page_count = 150")
    big = [segment_row("flow", n, n + 1, instances_json="x" * 4_000) for n in range(500)]
    with pytest.raises(Unavailable, match="full"):
        await stored(engine, tables.SEGMENTS, *big)
    assert await engine.count(Scan(table=tables.SEGMENTS)) == 0
    await stored(engine, tables.SEGMENTS, segment_row("flow", 0, 1))
    assert (await engine.get(tables.SOURCES, [("kept",)])).num_rows == 1


async def test_a_damaged_file_is_unavailable(index_file: Path) -> None:
    index_file.write_bytes(b"this is no database " * 1_000)  # noqa: ASYNC240 a test's own file
    with pytest.raises(Unavailable, match="not a database"):
        await SQLiteEngine.open(index_file)


async def test_a_missing_folder_is_unavailable(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="unable to open"):
        await SQLiteEngine.open(tmp_path / "missing" / "index.db")


async def test_an_open_engine_can_be_read(engine: SQLiteEngine) -> None:
    await engine.check()
    await engine.close()
    with pytest.raises(Unavailable):
        await engine.check()


@pytest.mark.parametrize("replaced", [False, True])
async def test_nothing_is_acknowledged_once_the_file_is_gone(
    engine: SQLiteEngine, index_file: Path, replaced: bool
) -> None:
    await stored(engine, tables.FLOWS, flow_row("kept"))
    away = index_file.rename(index_file.with_suffix(".away"))  # noqa: ASYNC240 a test's own file
    if replaced:
        index_file.write_bytes(b"")  # noqa: ASYNC240
    with pytest.raises(Unavailable, match="moved, deleted or replaced; restart the server"):
        await stored(engine, tables.FLOWS, flow_row("lost"))
    with pytest.raises(Unavailable, match="restart the server"):
        await engine.check()
    away.rename(index_file)
    await engine.check()
    await stored(engine, tables.FLOWS, flow_row("back"))
    assert await flow_ids(engine) == ["back", "kept"]
