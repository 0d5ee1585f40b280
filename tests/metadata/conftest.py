"""All engines, and a few stories told through their port."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tams_graphql.metadata import tables
from tams_graphql.metadata.engine import MetadataEngine
from tams_graphql.metadata.sqlite import SQLiteEngine
from tests.metadata.rows import SECOND, segment_row, source_row, stored
from tests.metadata.vast_shaped import VastShapedEngine
from tests.support.vast import opened


@pytest.fixture(params=["sqlite", "vast_shaped", "vast"])
async def engine(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[MetadataEngine]:
    engine: MetadataEngine
    if request.param == "sqlite":
        engine = await SQLiteEngine.open(tmp_path / "index.db", readers=2)
    elif request.param == "vast_shaped":
        engine = VastShapedEngine()
    else:
        engine = await opened(request.getfixturevalue("vast"))
    yield engine
    await engine.close()


@pytest.fixture
async def two_cameras(engine: MetadataEngine) -> MetadataEngine:
    """``left`` has ten seconds in one-second segments, ``right`` three with gaps between them."""
    left = [
        segment_row("left", second * SECOND, (second + 1) * SECOND, sample_count=second % 3)
        for second in range(10)
    ]
    right = [segment_row("right", start, start + 5) for start in (-20, 0, 20)]
    await stored(engine, tables.SEGMENTS, *left, *right)
    return engine


@pytest.fixture
async def labelled_sources(engine: MetadataEngine) -> MetadataEngine:
    """Five sources; ``anna`` and ``bert`` share a label, ``nobody`` has none."""
    rows = [
        source_row("zoe", label="Arena", label_order="aArena", created_us=5),
        source_row("anna", label="Studio", label_order="aStudio", created_us=3),
        source_row("bert", label="Studio", label_order="aStudio", created_us=3),
        source_row("nobody", label_order="b", created_us=1),
        source_row("émile", label="", label_order="a", created_us=9),
    ]
    await stored(engine, tables.SOURCES, *rows)
    return engine
