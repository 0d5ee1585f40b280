"""What commands that share a transaction read for all of them, and see of each other."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

import pytest

from tams_graphql.metadata.engine import Changes, MetadataEngine, Row, Scan, View, flow
from tams_graphql.metadata.tables import COLLECTIONS, FLOWS
from tams_graphql.metadata.vast.cluster import Target
from tests.metadata.rows import flow_row, stored
from tests.metadata.vast.conftest import Open
from tests.vast_emulator.running import Running

NAMES = [f"flow {n}" for n in range(6)]


def source_of(flow_id: str) -> str:
    return f"source of {flow_id}"


def edge(member: str, position: int = 0) -> Row:
    return {
        "collector_flow_id": "whole",
        "position": position,
        "member_flow_id": member,
        "collector_source_id": source_of("whole"),
        "member_source_id": source_of(member),
        "role": None,
    }


@pytest.fixture
async def engine(target: Target, open_engine: Open) -> MetadataEngine:
    engine = await open_engine(target)
    await stored(engine, FLOWS, *(flow_row(name, source_id=source_of(name)) for name in NAMES))
    await stored(engine, COLLECTIONS, edge(NAMES[1], 1), edge(NAMES[2], 2))
    return engine


def collectors(view: View, flow_id: str) -> list[str]:
    scan = Scan(table=COLLECTIONS, order="member_source", prefix=(source_of(flow_id),))
    found: list[str] = view.page(scan)["collector_flow_id"].to_pylist()
    return found


async def together(
    engine: MetadataEngine, commands: list[Callable[[View], Changes[Any]]]
) -> list[Any]:
    """Their answers, run in this order in one transaction."""

    def slow(view: View) -> Changes[None]:
        time.sleep(0.3)
        return Changes(answer=None)

    first = asyncio.ensure_future(engine.commit(slow, []))
    await asyncio.sleep(0.1)
    every = [flow(name) for name in NAMES]
    answers = await asyncio.gather(*(engine.commit(one, every) for one in commands))
    await first
    return answers


async def test_who_collects_them_is_one_query_for_all_commands(
    vast: Running, engine: MetadataEngine
) -> None:
    def asks(name: str) -> Callable[[View], Changes[Any]]:
        return lambda view: Changes(answer=collectors(view, name))

    vast.take_queries()
    answers = await together(engine, [asks(name) for name in NAMES])
    assert answers == [[], ["whole"], ["whole"], [], [], []]
    assert vast.take_queries()[COLLECTIONS.name] == 1


async def test_commands_see_what_those_before_them_did_to_what_was_read(
    engine: MetadataEngine,
) -> None:
    def adds(view: View) -> Changes[Any]:
        return Changes(answer=collectors(view, NAMES[0]), insert={COLLECTIONS: [edge(NAMES[0])]})

    def asks(view: View) -> Changes[Any]:
        return Changes(answer=[len(collectors(view, name)) for name in NAMES[:4]])

    def deletes(view: View) -> Changes[Any]:
        return Changes(answer=[], delete={COLLECTIONS: [("whole", 0), ("whole", 1)]})

    def moves(view: View) -> Changes[Any]:
        row: Row = {"collector_flow_id": "whole", "position": 2}
        row = {**row, "member_source_id": source_of(NAMES[3])}
        return Changes(answer=[], update={COLLECTIONS: [row]})

    answers = await together(engine, [asks, adds, asks, deletes, asks, moves, asks])
    assert answers == [[0, 1, 1, 0], [], [1, 1, 1, 0], [], [0, 0, 1, 0], [], [0, 0, 0, 1]]
    assert await engine.count(Scan(table=COLLECTIONS)) == 1
