"""Many writers, two server processes, one flow: each slot of the timeline has one winner."""

import asyncio
import itertools
from collections import Counter
from pathlib import Path
from typing import Any

import httpx
import pytest

from tams_graphql.timeline import TimeRange
from tests.robustness.stories import create_flow, external_segment, stored_segments
from tests.support.processes import tams

WRITERS = 32


async def race(urls: tuple[str, str], flow_id: str, slots: int) -> list[tuple[str, int, int]]:
    """Every writer posts its own object to every slot; (object, slot, status) of each post."""
    answers: list[tuple[str, int, int]] = []

    async def writer(number: int) -> None:
        async with httpx.AsyncClient(base_url=urls[number % 2], timeout=120) as client:
            for slot in range(slots):
                object_id = f"writer-{number}/slot-{slot}"
                post = external_segment(object_id, slot)
                response = await client.post(f"/flows/{flow_id}/segments", json=post)
                answers.append((object_id, slot, response.status_code))

    await asyncio.gather(*(writer(number) for number in range(WRITERS)))
    return answers


def assert_one_winner_each(
    answers: list[tuple[str, int, int]], stored: list[dict[str, Any]], slots: int
) -> None:
    """Of all writers of a slot one was told 201, and its segment is there; nothing overlaps."""
    assert Counter(status for *_, status in answers) == {201: slots, 400: slots * (WRITERS - 1)}
    winners = {slot: object_id for object_id, slot, status in answers if status == 201}
    assert [s["object_id"] for s in stored] == [winners[slot] for slot in range(slots)]
    ranges = [TimeRange.parse(s["timerange"]) for s in stored]
    assert not any(a.overlaps(b) for a, b in itertools.pairwise(ranges))


@pytest.mark.parametrize(
    "slots", [pytest.param(20, id="short"), pytest.param(313, id="long", marks=pytest.mark.soak)]
)
def test_each_slot_has_exactly_one_winner(tmp_path: Path, slots: int) -> None:
    data = tmp_path / "data"
    with tams(data) as one, tams(data) as other:
        flow_id = create_flow(one.url)
        answers = asyncio.run(race((one.url, other.url), flow_id, slots))
        stored = stored_segments(other.url, flow_id)
    assert_one_winner_each(answers, stored, slots)
