"""kill -9 during ingest: what was acknowledged is there; a bulk is there whole or not at all."""

import asyncio
import random
import threading
import time
from pathlib import Path

import httpx
import pytest

from tests.robustness.stories import create_flow, external_segment, stored_segments
from tests.support.processes import TamsProcess, free_port, start_tams

BULK = 10


async def _ingest(url: str, flow_id: str, first: int, acknowledged: set[int]) -> int:
    """Post bulks from slot `first` on until the server goes away; returns the next slot."""
    slot = first
    async with httpx.AsyncClient(base_url=url, timeout=10) as client:
        while True:
            slots = range(slot, slot + BULK)
            posts = [external_segment(f"object-{s}", s) for s in slots]
            slot += BULK
            try:
                response = await client.post(f"/flows/{flow_id}/segments", json=posts)
            except httpx.TransportError:
                return slot
            assert response.status_code == 201, response.text
            acknowledged.update(slots)


def _kill_later(server: TamsProcess, seconds: float) -> None:
    def kill() -> None:
        time.sleep(seconds)
        server.kill()

    threading.Thread(target=kill, daemon=True).start()


@pytest.mark.parametrize("kills", [2, pytest.param(20, marks=pytest.mark.soak)])
def test_no_acknowledged_segment_is_lost(tmp_path: Path, kills: int) -> None:
    data, port = tmp_path / "data", free_port()
    server = start_tams(data, port)
    flow_id = create_flow(server.url)
    acknowledged: set[int] = set()
    slot = 0
    for _ in range(kills):
        _kill_later(server, random.uniform(0.2, 0.8))
        slot = asyncio.run(_ingest(server.url, flow_id, slot, acknowledged))
        server.process.wait()
        server = start_tams(data, port)
    stored = {int(s["object_id"].split("-")[1]) for s in stored_segments(server.url, flow_id)}
    server.kill()

    assert acknowledged, "the campaign never got to write"
    assert acknowledged <= stored
    bulks = {s // BULK for s in stored}
    assert stored == {s for bulk in bulks for s in range(bulk * BULK, (bulk + 1) * BULK)}
