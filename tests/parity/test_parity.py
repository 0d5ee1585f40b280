"""REST and GraphQL do the same on every engine, and it is what the specification says."""

import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase

from tests.parity.graphql import Graphql
from tests.parity.machine import STEPS, Stores
from tests.parity.rest import Rest
from tests.parity.running import live_through, without_bounds
from tests.parity.serving import serving
from tests.support.engines import on_vast

EVERY_DELETION_LATER = {"async_delete_segments": 0, "deletion_grace": 0}


@pytest.fixture(params=[pytest.param("sqlite", marks=pytest.mark.embedded), "vast"])
def engine(request: pytest.FixtureRequest) -> Iterator[str]:
    """Where both stores keep their index, whatever `--engine` says of the other tests."""
    chosen: str = request.param
    vast = request.getfixturevalue("vast") if chosen == "vast" else None
    with nullcontext() if vast is None else on_vast(vast):
        yield chosen


@contextmanager
def two_stores(folder: Path, **settings: Any) -> Iterator[Stores]:
    """One that is used by REST, and one that is used by GraphQL."""
    with serving(folder / "rest", folder / "graphql", **settings) as (rest, graphql):
        yield {"REST": Rest(rest), "GraphQL": Graphql(graphql)}


def histories(
    folder: Path,
    *,
    number: int,
    steps: int,
    phases: Sequence[Phase] = tuple(Phase),
    **settings: Any,
) -> Counter[str]:
    """Live through `number` histories; what was done how often."""
    folders = (folder / str(one) for one in count())
    return live_through(
        lambda: two_stores(next(folders), **settings),
        number=number,
        steps=steps,
        phases=phases,
        later=bool(settings),
    )


def test_short_histories(tmp_path: Path, engine: str) -> None:
    done = histories(tmp_path, number={"sqlite": 6, "vast": 1}[engine], steps=20)
    assert done[STEPS] >= 20


@pytest.mark.soak
@pytest.mark.parametrize(
    "settings",
    [pytest.param({}, id="at_once"), pytest.param(EVERY_DELETION_LATER, id="deletions_later")],
)
def test_a_history_of_1000_steps(tmp_path: Path, engine: str, settings: dict[str, Any]) -> None:
    """Whether deletions are done with their answer or go on after it."""
    done: Counter[str] = Counter()
    long: dict[str, Any] = {"number": 1, "steps": 1000, "phases": [Phase.generate]}
    # Now and then Hypothesis ends a history early.
    while done[STEPS] < 1000:
        with without_bounds():
            done += histories(tmp_path / str(done[STEPS]), **long, **settings)
    sys.stdout.write(f"{engine}: {done}\n")
