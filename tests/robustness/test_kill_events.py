"""kill -9 while flows change: every change that was made has exactly one event, in order."""

import asyncio
import random
import threading
import time
from pathlib import Path

import pytest

from tests.robustness.event_campaign import Story, change_until_gone, check, read_log
from tests.robustness.stories import create_flow, stored_segments
from tests.support.processes import TamsProcess, free_port, start_tams

FLOWS = 8


def _killed_after(server: TamsProcess, seconds: float) -> None:
    def kill() -> None:
        time.sleep(seconds)
        server.kill()

    threading.Thread(target=kill, daemon=True).start()


async def _all_at_once(url: str, stories: list[Story], last: int) -> None:
    await asyncio.gather(*(change_until_gone(url, story, last) for story in stories))


@pytest.mark.parametrize(
    ("changes", "kills"), [(300, 2), pytest.param(10_000, 20, marks=pytest.mark.soak)]
)
def test_no_event_is_lost_or_told_twice(tmp_path: Path, changes: int, kills: int) -> None:
    data, port = tmp_path / "data", free_port()
    server = start_tams(data, port)
    stories = [Story(create_flow(server.url)) for _ in range(FLOWS)]
    each = changes // FLOWS
    for _ in range(kills):
        if all(story.next > each for story in stories):
            each += changes // FLOWS // kills
        _killed_after(server, random.uniform(0.3, 1.2))
        asyncio.run(_all_at_once(server.url, stories, each))
        server.process.wait()
        server = start_tams(data, port)
    asyncio.run(_all_at_once(server.url, stories, each))
    told = {story.flow_id: stored_segments(server.url, story.flow_id) for story in stories}
    server.kill()
    events = read_log(data)
    check(stories, events)
    assert sum(len(story.labels) for story in stories) >= changes * 0.9
    for story in stories:
        starts = {int(segment["timerange"][1:].split(":")[0]) for segment in told[story.flow_id]}
        assert starts >= story.segments
