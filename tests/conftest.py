"""Settings that all tests share: Hypothesis profiles, the `--soak` switch, one VAST emulator."""

import os
from collections.abc import Iterator
from importlib.util import find_spec

import pytest
from hypothesis import settings

from tests.vast_emulator.running import Running, emulator

settings.register_profile("default", max_examples=100, deadline=None)
settings.register_profile("slow", max_examples=100_000, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--soak", action="store_true", help="run the tests marked soak, too")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--soak"):
        return
    soaking = [item for item in items if item.get_closest_marker("soak")]
    config.hook.pytest_deselected(items=soaking)
    items[:] = [item for item in items if item not in soaking]


@pytest.fixture(scope="session")
def vast() -> Iterator[Running]:
    """A VAST emulator that all tests of a process share, each with a schema of its own."""
    if find_spec("vastdb") is None:
        pytest.skip("vastdb is not installed (pip install 'tams-graphql[vast]')")
    with emulator("--shuffle") as running:
        yield running
