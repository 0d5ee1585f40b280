"""Two processes on one VAST index: what must not both happen, under each conflict semantics."""

import asyncio

import pytest

from tams_graphql.media.store import MediaStores
from tams_graphql.metadata import tables
from tams_graphql.metadata.engine import Scan
from tams_graphql.metadata.vast.engine import VastEngine
from tams_graphql.resolvers.context import Context, Service
from tams_graphql.resolvers.flows import put_flow
from tests.metadata.races import is_sound, last_reference, two_creations, two_registrations
from tests.metadata.rows import flow_row, stored
from tests.metadata.vast.conftest import Open
from tests.resolvers.conftest import uuid4, video
from tests.support.vast import fresh_target
from tests.vast_emulator.running import Running

ROUNDS = 6

Pair = tuple[VastEngine, VastEngine]


@pytest.fixture
async def pair(semantics: Running, open_engine: Open) -> Pair:
    target = fresh_target(semantics)
    return await open_engine(target), await open_engine(target)


async def test_of_two_creations_of_one_id_one_wins(pair: Pair) -> None:
    one, other = pair
    outcomes = [await two_creations(one, f"source {n}", other) for n in range(ROUNDS)]
    assert {len(incarnations) for incarnations in outcomes} == {1}


async def test_of_two_overlapping_registrations_one_wins(pair: Pair) -> None:
    one, other = pair
    await stored(one, tables.FLOWS, *(flow_row(f"flow {n}") for n in range(ROUNDS)))
    outcomes = [await two_registrations(one, f"flow {n}", other) for n in range(ROUNDS)]
    assert set(outcomes) == {1}


async def test_no_segment_is_left_on_a_deleted_object(pair: Pair) -> None:
    one, other = pair
    outcomes = [await last_reference(one, f"object {n}", other) for n in range(ROUNDS)]
    assert [outcome for outcome in outcomes if not is_sound(outcome)] == []


async def test_two_puts_of_one_new_flow_make_one_row(pair: Pair) -> None:
    for n in range(ROUNDS):
        body = video(uuid4(n), uuid4(100 + n))
        puts = await asyncio.gather(
            *(put_flow(_request(engine), body["id"], body) for engine in pair)
        )
        assert sorted(put.created for put in puts) == [False, True]
    assert await pair[0].count(Scan(table=tables.FLOWS)) == ROUNDS
    assert await pair[1].count(Scan(table=tables.SOURCES)) == ROUNDS


async def test_two_flows_that_bring_one_new_source_make_one_row(pair: Pair) -> None:
    for n in range(ROUNDS):
        bodies = [video(uuid4(1_000 + 2 * n + which), uuid4(100 + n)) for which in (0, 1)]
        await asyncio.gather(
            *(put_flow(_request(e), b["id"], b) for e, b in zip(pair, bodies, strict=True))
        )
    sources = await pair[0].page(Scan(table=tables.SOURCES, columns=("source_id", "flow_count")))
    assert sources["source_id"].to_pylist() == sorted(uuid4(100 + n) for n in range(ROUNDS))
    assert sources["flow_count"].to_pylist() == [2] * ROUNDS


def _request(engine: VastEngine) -> Context:
    return Context(metadata=engine, stores=MediaStores({}), service=Service(name="test"))
