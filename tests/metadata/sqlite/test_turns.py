"""One process at a time writes to an index file, or copies its log back."""

import asyncio
import sqlite3
import threading
import time
from pathlib import Path

import pytest

from tams_graphql.metadata import tables
from tams_graphql.metadata.engine import Changes, Scan
from tams_graphql.metadata.sqlite import SQLiteEngine, writer
from tams_graphql.metadata.sqlite.turns import Turns
from tams_graphql.model.errors import Unavailable
from tests.metadata.rows import flow_row, stored

FLOWS = Scan(table=tables.FLOWS)


def in_the_file(index_file: Path) -> int:
    """How many flows the index file has without its log."""
    connection = sqlite3.connect(f"{index_file.absolute().as_uri()}?immutable=1", uri=True)
    try:
        found: int = connection.execute("SELECT count(*) FROM flows").fetchone()[0]
    except sqlite3.DatabaseError:
        # Half of a copy can look like anything.
        found = -1
    finally:
        connection.close()
    return found


async def add(engine: SQLiteEngine, first: int, count: int) -> None:
    rows = [flow_row(f"{n:06d}") for n in range(first, first + count)]
    await engine.commit(lambda _: Changes(answer=None, insert={tables.FLOWS: rows}), [])


def test_a_turn_is_had_by_one_at_a_time(tmp_path: Path) -> None:
    inside, most = 0, 0

    def work() -> None:
        nonlocal inside, most
        turns = Turns(tmp_path / "index.db", 20.0)
        for _ in range(20):
            with turns.taken():
                inside += 1
                most = max(most, inside)
                time.sleep(0.0005)
                inside -= 1
        turns.close()

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 1


def test_a_turn_can_be_asked_for_without_waiting(tmp_path: Path) -> None:
    mine, others = (Turns(tmp_path / "index.db", 60.0) for _ in range(2))
    with mine.taken():
        begun = time.monotonic()
        with pytest.raises(Unavailable), others.taken(at_once=True):
            raise AssertionError("two have the turn")
        assert time.monotonic() < begun + 30
    with others.taken(at_once=True):
        pass
    mine.close()
    others.close()


async def test_whoever_waits_too_long_is_told_and_changes_nothing(index_file: Path) -> None:
    engine = await SQLiteEngine.open(index_file, busy_budget=0.1)
    other = Turns(index_file, 0.0)
    with other.taken():
        with pytest.raises(Unavailable, match="another process writes to it; try again"):
            await stored(engine, tables.FLOWS, flow_row("refused"))
        with pytest.raises(Unavailable, match="another process writes"):
            await SQLiteEngine.open(index_file, busy_budget=0.05)
        assert await engine.count(FLOWS) == 0
    await stored(engine, tables.FLOWS, flow_row("taken"))
    assert await engine.count(FLOWS) == 1
    await engine.close()
    other.close()


async def test_an_idle_writer_copies_the_log_back(engine: SQLiteEngine, index_file: Path) -> None:
    for part in range(1, 4):
        await add(engine, part * writer.COPIED_BACK_AFTER, writer.COPIED_BACK_AFTER)
        for _ in range(2_000):
            if in_the_file(index_file) == part * writer.COPIED_BACK_AFTER:
                break
            await asyncio.sleep(0.01)
        assert in_the_file(index_file) == part * writer.COPIED_BACK_AFTER


async def test_the_log_is_not_copied_back_in_somebody_elses_turn(
    index_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "COPIED_BACK_AFTER", 10**9)
    engine = await SQLiteEngine.open(index_file, busy_budget=0.05)
    await add(engine, 0, 10)
    before, other = in_the_file(index_file), Turns(index_file, 5.0)
    with other.taken():
        engine._writer._copy_back("PASSIVE")
        assert in_the_file(index_file) == before
    engine._writer._copy_back("PASSIVE")
    assert in_the_file(index_file) == 10
    await engine.close()
    other.close()
