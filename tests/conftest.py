"""What all tests share: Hypothesis profiles, `--soak`, `--engine`, one VAST emulator."""

import os
from collections.abc import Iterator
from contextlib import nullcontext
from importlib.util import find_spec

import pytest
from hypothesis import settings

from tests.support.engines import on_vast
from tests.vast_emulator.running import Running, emulator

settings.register_profile("default", max_examples=100, deadline=None)
settings.register_profile("slow", max_examples=100_000, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--soak", action="store_true", help="run the tests marked soak, too")
    parser.addoption(
        "--engine",
        choices=["sqlite", "vast"],
        default="sqlite",
        help="where the suites keep their index; tests marked embedded run on sqlite only",
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    unwanted = set() if config.getoption("--soak") else {"soak"}
    if config.getoption("--engine") != "sqlite":
        unwanted.add("embedded")
    left_out = [item for item in items if any(map(item.get_closest_marker, unwanted))]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in left_out]


@pytest.fixture(scope="session")
def vast() -> Iterator[Running]:
    """A VAST emulator that all tests of a process share, each with a schema of its own."""
    if find_spec("vastdb") is None:
        pytest.skip("vastdb is not installed (pip install 'tams-graphql[vast]')")
    with emulator("--shuffle") as running:
        yield running


@pytest.fixture(scope="session", autouse=True)
def engine_under_test(request: pytest.FixtureRequest) -> Iterator[str]:
    """The name that `--engine` gave; see `tests.support.engines`."""
    chosen: str = request.config.getoption("--engine")
    running = request.getfixturevalue("vast") if chosen == "vast" else None
    with nullcontext() if running is None else on_vast(running):
        yield chosen
