"""The deletion of a very long flow: answered at once, light for others, whole after a crash."""

import asyncio
import time
from pathlib import Path

import httpx
import pytest
import rich

from tams_graphql.metadata.engine import Scan
from tams_graphql.metadata.tables import (
    DISCARDED_MEDIA,
    INSTANCES,
    OBJECTS,
    REFERENCES,
    SEGMENTS,
    Table,
)
from tests.robustness.event_campaign import read_log
from tests.robustness.long_deletion import POLL_SECONDS, others, prepare, progress, watch
from tests.support.engines import open_engine
from tests.support.processes import free_port, start_tams

COUNT = 1_000_000


def _counts(data: Path, *tables: Table) -> list[int]:
    async def work() -> list[int]:
        engine = await open_engine(data)
        try:
            return [await engine.count(Scan(table=table)) for table in tables]
        finally:
            await engine.close()

    return asyncio.run(work())


def _wait_until(url: str, count: int) -> None:
    """Until so many segments are gone."""
    last, since = -1, time.monotonic()
    while last < count:
        status, gone = progress(url)
        if gone > last:
            last, since = gone, time.monotonic()
        assert status != "ERROR"
        assert time.monotonic() < since + 60, f"stuck at {gone}"
        time.sleep(POLL_SECONDS)


@pytest.mark.soak
def test_a_flow_of_a_million_segments_goes_without_a_rest(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, port = tmp_path / "data", free_port()
    flow_id, other = prepare(data, COUNT)
    server = start_tams(data, port)
    warm = watch(server.url, other, 2)
    before = watch(server.url, other, 10)
    begun = time.perf_counter()
    answer = httpx.delete(f"{server.url}/flows/{flow_id}", timeout=60)
    answered = time.perf_counter() - begun
    assert answer.status_code == 202
    assert httpx.get(f"{server.url}/flows/{flow_id}").status_code == 404
    with others(server.url, other) as during:
        _wait_until(server.url, COUNT // 2)
    half = time.perf_counter() - begun
    server.kill()
    left = _counts(data, SEGMENTS)[0]
    kept = 10 + sum(len(asked.registrations.samples) for asked in (warm, before, during))
    assert kept < left < COUNT, "that was not in the middle"
    server = start_tams(data, port)
    _wait_until(server.url, COUNT)
    assert progress(server.url) == ("DONE", COUNT)
    with capsys.disabled():
        rich.print(
            f"\n{COUNT:,} segments: 202 after {answered * 1000:.0f} ms, half gone in {half:.0f} s"
        )
        rich.print(f"before: {before}\nduring: {during}")
    deadline = time.monotonic() + 120
    while _counts(data, DISCARDED_MEDIA) != [0]:
        assert time.monotonic() < deadline, "bytes are left that nobody deletes"
        time.sleep(0.5)
    server.stop()
    assert _counts(data, SEGMENTS, REFERENCES, OBJECTS, INSTANCES) == [kept, kept, kept, 0]
    assert [path for path in (data / "media").rglob("*") if path.is_file()] == []
    told = [event.type.value for event in read_log(data) if event.type.value.endswith("deleted")]
    assert told == ["flows/deleted", "sources/deleted"]
