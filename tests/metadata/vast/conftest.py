"""Emulators with each of the conflict semantics, and several engines on one index."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import pytest

from tams_graphql.metadata.vast.cluster import Target
from tams_graphql.metadata.vast.engine import VastEngine
from tests.support.vast import fresh_target
from tests.vast_emulator.running import Running, emulator

SAFE = ["updater", "committer", "cell", "table", "read-committed"]

Open = Callable[..., Awaitable[VastEngine]]


@pytest.fixture(scope="module", params=SAFE)
def semantics(request: pytest.FixtureRequest) -> Iterator[Running]:
    """An emulator for each semantics under which any number of processes may write."""
    with emulator("--conflicts", request.param, "--lock-wait", "2") as running:
        yield running


@pytest.fixture
def target(vast: Running) -> Target:
    """An index of its own in the shared emulator."""
    target: Target = fresh_target(vast)
    return target


@pytest.fixture
async def open_engine() -> AsyncIterator[Open]:
    """Opens engines as processes of their own would, and closes them in the end."""
    opened: list[VastEngine] = []

    async def open_one(target: Target, **options: Any) -> VastEngine:
        opened.append(await VastEngine.open(target, threads=2, **options))
        return opened[-1]

    yield open_one
    for engine in opened:
        await engine.close()
