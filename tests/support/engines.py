"""The metadata engine that the suites run on: `--engine sqlite` (the default) or `--engine vast`.

Whoever opens an index or starts a server asks here, naming the data folder. SQLite keeps the
index in that folder; on VAST each folder has a schema of its own in the emulator of the test
process, so that on both engines one folder is one index, also after a restart and for a second
process.
"""

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tams_graphql.backends import open_index
from tams_graphql.metadata.engine import MetadataEngine
from tams_graphql.settings import Settings
from tests.support.vast import vast_settings
from tests.vast_emulator.running import Running

_emulators: list[Running] = []
"""The emulators in use, innermost last; none: SQLite."""


@contextmanager
def on_vast(running: Running) -> Iterator[None]:
    """Until it ends, every index is in `running`, also those of processes that are started."""
    with pytest.MonkeyPatch.context() as environment:
        for name, value in vast_settings(running).items():
            if not name.startswith("TAMS_"):
                environment.setenv(name, value)
        _emulators.append(running)
        try:
            yield
        finally:
            _emulators.pop()


def environment_on(data: Path) -> dict[str, str]:
    """The variables that choose the index of a data folder; none of them for SQLite."""
    if not _emulators:
        return {}
    schema = "of_" + hashlib.sha256(str(data.resolve()).encode()).hexdigest()[:32]
    return vast_settings(_emulators[-1], schema)


def settings_on(data: Path, **given: Any) -> Settings:
    """The settings of a server with its data in a folder."""
    chosen = environment_on(data).get("TAMS_VAST")
    return Settings(data=data, **({"vast": json.loads(chosen)} if chosen else {}), **given)


async def open_engine(folder: Path) -> MetadataEngine:
    """The index of a folder, made if need be."""
    return await open_index(settings_on(folder))
