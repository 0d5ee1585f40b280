"""kill -9 during deletions: whoever comes next goes on; nothing is left and nothing goes twice."""

import asyncio
import random
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tams_graphql.metadata.engine import MetadataEngine, Scan
from tams_graphql.metadata.tables import (
    DISCARDED_MEDIA,
    INSTANCES,
    OBJECTS,
    REFERENCES,
    SEGMENTS,
    Table,
)
from tams_graphql.timeline import TimeRange
from tests.robustness.event_campaign import read_log
from tests.robustness.stories import create_flow
from tests.support.engines import open_engine
from tests.support.processes import TamsProcess, free_port, start_tams

OBJECTS_IN_ALL = 60
LONG = 4000
KEPT = 10
"""How many segments a deletion within a timerange leaves."""
QUERY = "{ deletionRequests { nodes { flowId status timerangeRemaining deletedCount } } }"


def _upload(client: httpx.Client, flow_id: str) -> list[str]:
    """Objects with bytes; their ids."""
    ids = [str(uuid.uuid4()) for _ in range(OBJECTS_IN_ALL)]
    answer = client.post(f"/flows/{flow_id}/storage", json={"object_ids": ids}).raise_for_status()
    for one in answer.json()["media_objects"]:
        put = one["put_url"]
        headers = {**put.get("headers", {}), "content-type": put["content-type"]}
        httpx.put(put["url"], content=b"bytes", headers=headers).raise_for_status()
    return ids


def _register(client: httpx.Client, flow_id: str, objects: list[str], count: int) -> None:
    """Segments of a second each, which use the objects in turn."""
    posts = [
        {
            "object_id": objects[slot % len(objects)],
            "timerange": f"[{slot}:0_{slot + 1}:0)",
            "ts_offset": f"{slot}:0",
        }
        for slot in range(count)
    ]
    answer = client.post(f"/flows/{flow_id}/segments", json=posts, timeout=60)
    assert answer.status_code == 201, answer.text[:1000]


def _requests(server: TamsProcess) -> list[dict[str, Any]]:
    answer = httpx.post(f"{server.url}/graphql", json={"query": QUERY}, timeout=30).json()
    nodes: list[dict[str, Any]] = answer["data"]["deletionRequests"]["nodes"]
    return nodes


def _looks(server: TamsProcess) -> Iterator[list[dict[str, Any]]]:
    """What is told of the deletions, again and again."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        yield _requests(server)
        time.sleep(0.01)
    raise AssertionError(f"the deletions did not end: {_requests(server)}")


def _deleted(requests: list[dict[str, Any]]) -> int:
    return sum(int(one["deletedCount"]) for one in requests)


def _are_done(requests: list[dict[str, Any]]) -> bool:
    return all(one["status"] == "DONE" for one in requests)


async def _rows(engine: MetadataEngine, table: Table) -> list[dict[str, Any]]:
    found = await engine.page(Scan(table=table, limit=20_000))
    return found.to_pylist()


def _stored(data: Path, *tables: Table) -> list[list[dict[str, Any]]]:
    """All rows of some tables."""

    async def work() -> list[list[dict[str, Any]]]:
        engine = await open_engine(data)
        try:
            return [await _rows(engine, table) for table in tables]
        finally:
            await engine.close()

    return asyncio.run(work())


def _files(data: Path) -> int:
    return sum(path.is_file() for path in (data / "media").rglob("*"))


@pytest.mark.parametrize("kills", [2, pytest.param(20, marks=pytest.mark.soak)])
def test_deletions_go_on_after_a_crash(tmp_path: Path, kills: int) -> None:
    data, port = tmp_path / "data", free_port()
    settings = {"async_delete_segments": "0", "deletion_grace": "0"}
    server = start_tams(data, port, **settings)
    whole, part, other = (create_flow(server.url) for _ in range(3))
    with httpx.Client(base_url=server.url, timeout=60) as client:
        ids = _upload(client, whole)
        _register(client, whole, ids, LONG)
        _register(client, part, ids[20:], LONG)
        _register(client, other, ids[:2], 2)
        assert _files(data) == OBJECTS_IN_ALL
        within = {"timerange": f"[0:0_{LONG - KEPT}:0)"}
        assert client.delete(f"/flows/{whole}").status_code == 202
        assert client.delete(f"/flows/{part}/segments", params=within).status_code == 202

    seen = 0
    for number in range(kills):
        for requests in _looks(server):
            if _deleted(requests) > seen or _are_done(requests):
                break
        time.sleep(random.uniform(0, 0.05))
        server.kill()
        seen = _deleted(requests)
        if not number:
            left = len(_stored(data, SEGMENTS)[0])
            assert KEPT + 2 < left < 2 * LONG + 2, "that was not in the middle"
        server = start_tams(data, port, **settings)
    for requests in _looks(server):
        if _are_done(requests):
            break
    told = {(one["flowId"], one["timerangeRemaining"], one["deletedCount"]) for one in requests}
    assert told == {(whole, "()", str(LONG)), (part, "()", str(LONG - KEPT))}
    flow = httpx.get(f"{server.url}/flows/{part}", params={"include_timerange": "true"}).json()
    assert flow["timerange"] == f"[{LONG - KEPT}:0_{LONG}:0)"
    _wait_until_no_byte_is_left_to_delete(data)
    server.stop()

    kept_by_part = {ids[20:][slot % 40] for slot in range(LONG - KEPT, LONG)}
    references = {(part, one, 1) for one in kept_by_part} | {(other, one, 1) for one in ids[:2]}
    kept = kept_by_part | set(ids[:2])
    segments, refs, objects, instances = _stored(data, SEGMENTS, REFERENCES, OBJECTS, INSTANCES)
    assert sorted(row["flow_id"] for row in segments) == sorted([part] * KEPT + [other] * 2)
    found = [(row["flow_id"], row["object_id"], row["segment_count"]) for row in refs]
    assert sorted(found) == sorted(references)
    assert {row["object_id"] for row in objects} == kept
    assert {row["object_id"] for row in instances} == kept
    assert _files(data) == len(kept)
    _check_events(data, whole, part)


def _check_events(data: Path, whole: str, part: str) -> None:
    """Each deletion was told once: of the flow as one, of the segments piece by piece."""
    events = [event for event in read_log(data) if event.type.value.endswith("deleted")]
    gone = [event for event in events if event.flow_id != part]
    assert [event.type.value for event in gone] == ["flows/deleted", "sources/deleted"]
    assert gone[0].flow_id == whole
    pieces = [
        TimeRange.parse(event.payload["timerange"]) for event in events if event.flow_id == part
    ]
    at = 0
    for piece in pieces:
        assert piece.start_ns == at
        at = piece.end_ns or 0
    assert at == (LONG - KEPT) * 1_000_000_000


def _wait_until_no_byte_is_left_to_delete(data: Path) -> None:
    """The bytes go after the rows, and what notes them last."""
    deadline = time.monotonic() + 60
    while _stored(data, DISCARDED_MEDIA) != [[]]:
        assert time.monotonic() < deadline, "bytes are left that nobody deletes"
        time.sleep(0.1)
