"""The fixtures of webhooks' stories: a clock that can be put forward, and server processes."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tams_graphql.metadata.engine import MetadataEngine
from tams_graphql.resolvers.context import Context
from tests.metadata.vast_shaped import VastShapedEngine
from tests.resolvers.webhook_stories import MovableClock, Process
from tests.support.engines import open_engine


@pytest.fixture
def clock() -> MovableClock:
    return MovableClock()


@pytest.fixture
async def server(ctx: Context, engine: MetadataEngine) -> AsyncIterator[Process]:
    process = Process(ctx, engine)
    yield process
    await process.stop()


@pytest.fixture
async def other(ctx: Context, engine: MetadataEngine, tmp_path: Path) -> AsyncIterator[Process]:
    """A second process on the same index."""
    shared = isinstance(engine, VastShapedEngine)
    second = engine if shared else await open_engine(tmp_path)
    process = Process(ctx, second)
    yield process
    await process.stop()
    if not shared:
        await second.close()
