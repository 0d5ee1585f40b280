"""The write-ahead log goes back into the file beside the writer, not in one of its commits."""

import asyncio
import sqlite3
from pathlib import Path

from tams_graphql.metadata import tables
from tams_graphql.metadata.engine import Changes, Scan
from tams_graphql.metadata.sqlite import SQLiteEngine
from tams_graphql.metadata.sqlite.checkpoints import ROWS, Checkpoints
from tests.metadata.rows import flow_row


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


async def copied(index_file: Path, count: int) -> None:
    """Wait until so many flows are in the file."""
    for _ in range(2_000):
        if in_the_file(index_file) == count:
            return
        await asyncio.sleep(0.01)
    raise AssertionError(in_the_file(index_file))


async def add(engine: SQLiteEngine, first: int, count: int) -> None:
    rows = [flow_row(f"{n:06d}") for n in range(first, first + count)]
    await engine.commit(lambda _: Changes(answer=None, insert={tables.FLOWS: rows}), [])


async def test_enough_changes_go_back_while_the_engine_is_open(
    engine: SQLiteEngine, index_file: Path
) -> None:
    await add(engine, 0, ROWS)
    await copied(index_file, ROWS)
    # Again, and while somebody reads.
    reading = asyncio.create_task(engine.count(Scan(table=tables.FLOWS)))
    await add(engine, ROWS, ROWS)
    await copied(index_file, 2 * ROWS)
    assert await reading in (ROWS, 2 * ROWS)
    assert await engine.count(Scan(table=tables.FLOWS)) == 2 * ROWS


async def test_few_changes_are_left_in_the_log(index_file: Path) -> None:
    engine = await SQLiteEngine.open(index_file)
    await add(engine, 0, 1)
    before = in_the_file(index_file)
    await add(engine, 1, 10)
    await asyncio.sleep(0.1)
    assert in_the_file(index_file) == before
    await engine.close()
    assert in_the_file(index_file) == 11


async def test_a_file_that_somebody_locks_is_left_for_later(
    engine: SQLiteEngine, index_file: Path
) -> None:
    await add(engine, 0, 1)
    other = sqlite3.connect(index_file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    checkpoints = Checkpoints(index_file)
    checkpoints.changed(ROWS)
    await asyncio.to_thread(checkpoints.close)
    other.execute("ROLLBACK")
    other.close()
    await add(engine, 1, 1)
    assert await engine.count(Scan(table=tables.FLOWS)) == 2
