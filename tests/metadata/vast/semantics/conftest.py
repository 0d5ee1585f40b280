"""Emulators of each kind of conflicts, each shared by all tests of a file."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.vast_emulator.running import Running, emulator

# What imports the SDK is imported where it is needed: without it tests skip, but are collected.


@pytest.fixture(
    scope="module", params=["updater", "committer", "cell", "table", "read-committed", "none"]
)
def option(request: pytest.FixtureRequest) -> str:
    """A kind of conflicts, as the emulator calls it."""
    name: str = request.param
    return name


@pytest.fixture(scope="module")
def semantics(option: str) -> Any:
    """The same kind, as the doctor should call it."""
    from tests.metadata.vast.semantics.clusters import KINDS

    return KINDS[option]


@pytest.fixture(scope="module")
def running(option: str) -> Iterator[Running]:
    """Two nodes of a database of that kind; nobody there gives up waiting for a row."""
    with emulator("--conflicts", option, "--lock-wait", "60", nodes=2) as one:
        yield one


@pytest.fixture(scope="module")
def one_updater() -> Iterator[Running]:
    """A single node on which the first updater wins."""
    with emulator() as one:
        yield one
