"""What one server of a store changes is told by the others, once and in order."""

import asyncio
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import httpx
import pytest

from tests.robustness.stories import create_flow, external_segment
from tests.support.engines import on_vast
from tests.support.processes import TamsProcess, tams
from tests.support.subscribers import EVERYTHING, Subscriber, cursor_now, over_socket, until
from tests.support.vast import needs_vastdb

ENGINES = [
    pytest.param("embedded", marks=pytest.mark.embedded),
    pytest.param("vast", marks=needs_vastdb),
]
CHANGES = 12
STUCK_SECONDS = 30


@pytest.fixture(params=ENGINES)
def pair(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[list[TamsProcess]]:
    """Two servers of one store."""
    elsewhere = request.param == "vast"
    index = on_vast(request.getfixturevalue("vast")) if elsewhere else nullcontext()
    with index, tams(tmp_path / "data") as one, tams(tmp_path / "data") as other:
        yield [one, other]


async def change(url: str, flow_id: str, number: int) -> str:
    """Change number so and so of a flow; what will be told of it."""
    async with httpx.AsyncClient(base_url=f"{url}/flows/{flow_id}", timeout=30) as flow:
        if number % 3:
            answer = await flow.put("/label", json=f"label {number}")
            told = f"label {number}"
        else:
            answer = await flow.post(
                "/segments", json=external_segment(f"{flow_id}/{number}", number)
            )
            told = f"[{number}:0_{number + 1}:0)"
    answer.raise_for_status()
    return told


async def test_what_either_changes_is_told_by_both(pair: list[TamsProcess]) -> None:
    urls = [server.url for server in pair]
    listeners = [Subscriber(EVERYTHING, cursor_now(urls[0])) for _ in urls]
    tasks = [
        asyncio.ensure_future(over_socket(url, [one]))
        for url, one in zip(urls, listeners, strict=True)
    ]
    flow_id = await asyncio.to_thread(create_flow, urls[1])
    expected = [await change(urls[n % 2], flow_id, n) for n in range(CHANGES)]
    # The creation of the flow and of its source come first.
    heard = lambda: min(len(one.heard) for one in listeners)  # noqa: E731
    await until(lambda: heard() >= CHANGES + 2, heard, STUCK_SECONDS)
    # Whatever came twice would be there after some more rounds of the hubs.
    await asyncio.sleep(1)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)

    for one in listeners:
        of_flow = [event.told for event in one.heard if event.flow_id == flow_id]
        assert of_flow == [None, *expected]
        assert len(one.heard) == CHANGES + 2
    ids = [sorted(event.event_id for event in one.heard) for one in listeners]
    assert ids[0] == ids[1]
    assert len(set(ids[0])) == CHANGES + 2
