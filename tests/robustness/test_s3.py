"""A bucket that goes away, hangs and comes back under a running server; kill -9 within a copy."""

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.robustness.stories import create_flow
from tests.support.processes import TamsProcess, free_port, start_tams
from tests.support.s3 import ACCESS_KEY, SECRET_KEY, S3Server, part_number, s3_server

HOT = "5b6f6a0c-3c0d-4a8f-9f0e-2f4c1f7f0a01"
PART = 8 << 20
LARGE = bytes(range(256)) * (5 * PART // 256)
Json = dict[str, Any]

COPIES = """query ($id: String!) { object(objectId: $id) {
  copies { state bytesDone bytesTotal error storageBackend { label } } } }"""
READ = """query ($id: UUID!) { flow(flowId: $id) { segments { nodes {
  timerange getUrls { url headUrl label } } } } }"""
ADD = """mutation ($id: String!, $to: UUID!) {
  addObjectInstance(input: {objectId: $id, storageId: $to}) { errors { code } } }"""


class Studio:
    """A server over a folder and the bucket ``hot``, started again on the same data and port."""

    def __init__(self, s3: S3Server, data: Path) -> None:
        self.s3, self.data, self.port = s3, data, free_port()
        self.boto = s3.client()
        # All servers of one test process share what they store.
        self.bucket = f"hot-{s3.port}"
        self.boto.create_bucket(Bucket=self.bucket)
        self.server = self.start()
        self.flow_id = create_flow(self.server.url)

    def start(self) -> TamsProcess:
        hot = {"id": HOT, "label": "hot", "provider": "moto", "bucket": self.bucket}
        backends = [{**hot, "endpoint": self.s3.url, "credentials_env": "STUDIO_"}]
        self.server = start_tams(self.data, self.port, storage_backends=json.dumps(backends))
        return self.server

    def ask(self, method: str, path: str, **more: Any) -> httpx.Response:
        return httpx.request(method, f"{self.server.url}{path}", timeout=60, **more)

    def local(self) -> str:
        backends = self.ask("GET", "/service/storage-backends").json()
        return str(next(one["id"] for one in backends if one["label"] == "local"))

    def store(self, content: bytes, start: int, storage_id: str) -> str:
        """An object of `content`, registered for one second from `start` on; its id."""
        path = f"/flows/{self.flow_id}"
        answer = self.ask("POST", f"{path}/storage", json={"storage_id": storage_id})
        (allocated,) = answer.json()["media_objects"]
        put = allocated["put_url"]
        headers = {"content-type": put["content-type"], **put.get("headers", {})}
        httpx.put(put["url"], content=content, headers=headers, timeout=60).raise_for_status()
        segment = {"object_id": allocated["object_id"], "timerange": f"[{start}:0_{start + 1}:0)"}
        assert self.ask("POST", f"{path}/segments", json=segment).status_code == 201
        return str(allocated["object_id"])

    def copy(self, object_id: str, storage_id: str) -> httpx.Response:
        return self.ask("POST", f"/objects/{object_id}/instances", json={"storage_id": storage_id})

    def graphql(self, query: str, **variables: str) -> Json:
        body = {"query": query, "variables": variables}
        answer: Json = self.ask("POST", "/graphql", json=body).json()
        return answer

    def copies(self, object_id: str) -> list[Json]:
        found: list[Json] = self.graphql(COPIES, id=object_id)["data"]["object"]["copies"]
        return found

    def labels(self, object_id: str) -> list[str]:
        return [one["label"] for one in self.ask("GET", f"/objects/{object_id}").json()["get_urls"]]


@pytest.fixture
def studio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Studio]:
    monkeypatch.setenv("STUDIO_ACCESS_KEY_ID", ACCESS_KEY)
    monkeypatch.setenv("STUDIO_SECRET_ACCESS_KEY", SECRET_KEY)
    with s3_server() as s3:
        studio = Studio(s3, tmp_path / "data")
        yield studio
        studio.server.kill()


def within(seconds: float, happens: Callable[[], object]) -> None:
    """Fail unless it `happens` in time."""
    deadline = time.monotonic() + seconds
    while not happens():
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.1)


def test_a_copy_goes_on_with_the_next_part_after_kill_9(studio: Studio) -> None:
    object_id = studio.store(LARGE, 0, studio.local())
    s3 = studio.s3
    s3.holds = lambda environ: part_number(environ) == 4
    assert studio.copy(object_id, HOT).status_code == 201
    assert s3.holding.wait(30)
    within(10, lambda: studio.copies(object_id)[0]["bytesDone"] == str(3 * PART))
    (copy,) = studio.copies(object_id)
    assert copy == {
        "state": "RUNNING",
        "bytesDone": str(3 * PART),
        "bytesTotal": str(len(LARGE)),
        "error": None,
        "storageBackend": {"label": "hot"},
    }
    assert studio.labels(object_id) == ["local"]
    studio.server.kill()
    s3.let_go(cut=True)
    studio.start()
    assert studio.copy(object_id, HOT).status_code == 201
    within(30, lambda: studio.labels(object_id) == ["local", "hot"])
    assert s3.uploaded == [1, 2, 3, 4, 5]
    (copy,) = studio.copies(object_id)
    assert (copy["state"], copy["bytesDone"]) == ("DONE", str(len(LARGE)))
    url = studio.ask("GET", f"/objects/{object_id}").json()["get_urls"][1]["url"]
    assert httpx.get(url, timeout=60).content == LARGE


def test_a_copy_of_an_object_deleted_while_the_server_was_dead_leaves_no_bytes(
    studio: Studio,
) -> None:
    object_id = studio.store(LARGE, 0, studio.local())
    s3 = studio.s3
    s3.holds = lambda environ: part_number(environ) == 2
    studio.copy(object_id, HOT)
    assert s3.holding.wait(30)
    studio.server.kill()
    s3.let_go(cut=True)
    studio.start()
    assert studio.ask("DELETE", f"/flows/{studio.flow_id}/segments").status_code == 204

    def nothing_is_left() -> bool:
        unfinished = studio.boto.list_multipart_uploads(Bucket=studio.bucket).get("Uploads", ())
        return not unfinished and studio.boto.list_objects_v2(Bucket=studio.bucket)["KeyCount"] == 0

    within(30, nothing_is_left)
    assert [one for one in (studio.data / "media").rglob("*") if one.is_file()] == []


@pytest.mark.parametrize("seconds", [3, pytest.param(60, marks=pytest.mark.soak)])
@pytest.mark.parametrize("how", ["refuses", "hangs"])
def test_an_outage_stops_only_what_needs_the_bucket(studio: Studio, how: str, seconds: int) -> None:
    local, s3 = studio.local(), studio.s3
    small = studio.store(b"frames", 0, HOT)
    other = studio.store(b"more frames", 1, local)
    large = studio.store(LARGE, 2, local)
    s3.holds = lambda environ: part_number(environ) == 3
    studio.copy(large, HOT)
    assert s3.holding.wait(30)
    if how == "hangs":
        s3.holds = lambda _: True
    else:
        s3.let_go(cut=True)
        s3.stop()
    began = time.monotonic()
    while True:
        _metadata_is_served(studio)
        _what_needs_the_bucket_fails_fast(studio, small, other, local)
        if time.monotonic() - began >= seconds:
            break
    deleting = time.monotonic()
    path = f"/flows/{studio.flow_id}/segments"
    answer = studio.ask("DELETE", path, params={"object_id": small})
    assert (answer.status_code, time.monotonic() - deleting < 4) == (204, True)
    s3.let_go()
    if how == "refuses":
        s3.start()
    within(5, lambda: _all_works(studio, other, large))
    within(5, lambda: studio.boto.list_objects_v2(Bucket=studio.bucket)["KeyCount"] == 2)
    assert studio.server.process.poll() is None


def _metadata_is_served(studio: Studio) -> None:
    nodes = studio.graphql(READ, id=studio.flow_id)["data"]["flow"]["segments"]["nodes"]
    assert [one["getUrls"][0]["label"] for one in nodes] == ["hot", "local", "local"]
    listed = studio.ask("GET", f"/flows/{studio.flow_id}/segments").json()
    assert len(listed) == 3
    assert all(one["get_urls"] for one in listed)
    assert create_flow(studio.server.url)
    answer = studio.ask("POST", f"/flows/{studio.flow_id}/storage", json={"storage_id": HOT})
    assert answer.status_code == 201


def _what_needs_the_bucket_fails_fast(studio: Studio, small: str, other: str, local: str) -> None:
    for object_id, storage_id in ((small, local), (other, HOT)):
        began = time.monotonic()
        answer = studio.copy(object_id, storage_id)
        assert (answer.status_code, answer.json()["type"]) == (503, "UNAVAILABLE")
        assert "storage backend hot" in answer.json()["summary"]
        (error,) = studio.graphql(ADD, id=object_id, to=storage_id)["errors"]
        assert error["extensions"]["code"] == "UNAVAILABLE"
        assert "storage backend hot" in error["message"]
        assert time.monotonic() - began < 8, "each of the two within 4 s"
    health = studio.ask("GET", "/health")
    assert health.status_code == 503
    states = health.json()["checks"]
    assert [name for name, state in states.items() if state != "ok"] == ["storage backend hot"]


def _all_works(studio: Studio, other: str, large: str) -> bool:
    if studio.ask("GET", "/health").status_code != 200:
        return False
    if studio.labels(other) != ["local", "hot"] and studio.copy(other, HOT).status_code != 201:
        return False
    return all("hot" in studio.labels(object_id) for object_id in (other, large))
