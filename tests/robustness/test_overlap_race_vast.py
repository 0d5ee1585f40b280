"""The overlap race of two server processes whose index is in VAST DB, undisturbed and not."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.robustness.stories import create_flow, stored_segments
from tests.robustness.test_overlap_race import assert_one_winner_each, race
from tests.support.processes import tams
from tests.support.vast import needs_vastdb, vast_settings
from tests.vast_emulator.running import Running, emulator

FAULTS = ("--conflict-rate", "0.05", "--drop-before-commit", "0.01", "--drop-after-commit", "0.01")

pytestmark = needs_vastdb


@pytest.fixture(params=[(), FAULTS], ids=["undisturbed", "faults"])
def cluster(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Running]:
    with emulator(*request.param, "--seed", "1") as running:
        for name, value in vast_settings(running).items():
            monkeypatch.setenv(name, value)
        yield running


@pytest.mark.parametrize(
    "slots", [pytest.param(4, id="short"), pytest.param(32, id="long", marks=pytest.mark.soak)]
)
def test_each_slot_has_exactly_one_winner(cluster: Running, tmp_path: Path, slots: int) -> None:
    with tams(tmp_path / "one") as one, tams(tmp_path / "other") as other:
        flow_id = create_flow(one.url)
        answers = asyncio.run(race((one.url, other.url), flow_id, slots))
        stored = stored_segments(other.url, flow_id)
    assert_one_winner_each(answers, stored, slots)
    assert cluster.open_transactions() == 0
