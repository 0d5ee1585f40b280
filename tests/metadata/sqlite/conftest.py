"""One index file, and an engine over it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tams_graphql.metadata.sqlite import SQLiteEngine


@pytest.fixture
def index_file(tmp_path: Path) -> Path:
    return tmp_path / "index #1?.db"


@pytest.fixture
async def engine(index_file: Path) -> AsyncIterator[SQLiteEngine]:
    engine = await SQLiteEngine.open(index_file, readers=2)
    yield engine
    await engine.close()
