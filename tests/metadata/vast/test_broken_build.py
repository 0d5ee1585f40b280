"""Without the conflict rows the races of `test_races` are lost: they can tell the difference.

Not so where tables conflict as a whole: there, one writer at a time gets through anyway. Where
nothing conflicts, a second writer does not even start (`test_lanes`).
"""

from collections.abc import Iterator

import pytest

from tams_graphql.metadata import tables
from tams_graphql.metadata.vast.engine import VastEngine
from tests.metadata.races import is_sound, last_reference, two_creations, two_registrations
from tests.metadata.rows import flow_row, stored
from tests.metadata.vast.conftest import SAFE, Open
from tests.support.vast import fresh_target
from tests.vast_emulator.running import Running, emulator

MOST_ROUNDS = 60

Pair = tuple[VastEngine, VastEngine]


@pytest.fixture(scope="module", params=sorted({*SAFE} - {"table"}))
def semantics(request: pytest.FixtureRequest) -> Iterator[Running]:
    with emulator("--conflicts", request.param, "--lock-wait", "2") as running:
        yield running


@pytest.fixture
async def broken(semantics: Running, open_engine: Open) -> Pair:
    target = fresh_target(semantics)
    one = await open_engine(target, conflict_rows=False)
    return one, await open_engine(target, conflict_rows=False)


async def test_creations_are_duplicated(broken: Pair) -> None:
    one, other = broken
    for n in range(MOST_ROUNDS):
        if len(await two_creations(one, f"source {n}", other)) == 2:
            return
    pytest.fail("two creations of one id never both came to be")


async def test_segments_overlap(broken: Pair) -> None:
    one, other = broken
    await stored(one, tables.FLOWS, *(flow_row(f"flow {n}") for n in range(MOST_ROUNDS)))
    for n in range(MOST_ROUNDS):
        if await two_registrations(one, f"flow {n}", other) == 2:
            return
    pytest.fail("two overlapping segments never both came to be")


async def test_segments_are_left_on_deleted_objects(broken: Pair) -> None:
    one, other = broken
    for n in range(MOST_ROUNDS):
        if not is_sound(await last_reference(one, f"object {n}", other)):
            return
    pytest.fail("no segment was ever left on a deleted object")
