"""Pins what the wired application does beyond its two faces: health, metrics, ids, restarts."""

import json
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from tams_graphql.app import create_app
from tests.robustness.stories import create_flow, external_segment, stored_segments, video_flow
from tests.support.engines import settings_on
from tests.support.processes import tams

BASE = "http://127.0.0.1:8000"


@pytest.fixture
async def app(tmp_path: Path) -> AsyncIterator[FastAPI]:
    application = create_app(settings_on(tmp_path / "data"))
    async with application.router.lifespan_context(application):
        yield application


@pytest.fixture
async def client(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=BASE) as client:
        yield client


async def test_health_names_every_store(client: httpx.AsyncClient) -> None:
    response = await client.get("/health")
    assert response.status_code == 200
    assert response.json() == {
        "status": "ok",
        "checks": {"index": "ok", "storage backend local": "ok"},
    }


async def test_health_is_503_when_the_media_folder_is_gone(
    client: httpx.AsyncClient, tmp_path: Path
) -> None:
    (tmp_path / "data" / "media").rename(tmp_path / "unmounted")
    response = await client.get("/health")
    assert response.status_code == 503
    assert response.json()["checks"]["index"] == "ok"
    assert response.json()["checks"]["storage backend local"] != "ok"


async def test_metrics_name_routes_not_identifiers(client: httpx.AsyncClient) -> None:
    flow = video_flow()
    await client.put(f"/flows/{flow['id']}", json=flow)
    text = (await client.get("/metrics")).text
    assert 'handler="/flows/{flowId}"' in text
    assert flow["id"] not in text


async def test_every_answer_carries_a_request_id(client: httpx.AsyncClient) -> None:
    given = await client.get("/nowhere", headers={"x-request-id": "mine-1"})
    assert given.headers["x-request-id"] == "mine-1"
    assert given.json()["request_id"] == "mine-1"
    made = await client.get("/service", headers={"x-request-id": "bad id\x01"})
    assert len(made.headers["x-request-id"]) == 32


async def test_both_faces_see_one_store(client: httpx.AsyncClient) -> None:
    flow = video_flow() | {"label": "through REST"}
    assert (await client.put(f"/flows/{flow['id']}", json=flow)).status_code == 201
    body = {
        "query": "query ($id: UUID!) { flow(flowId: $id) { label source { format } } }",
        "variables": {"id": flow["id"]},
    }
    answer = (await client.post("/graphql", json=body)).json()
    assert answer["data"]["flow"] == {"label": "through REST", "source": {"format": "VIDEO"}}


async def test_pages_of_other_origins_may_upload_but_not_write(client: httpx.AsyncClient) -> None:
    evil = {"origin": "https://evil.example"}
    flow = video_flow()
    refused = await client.put(f"/flows/{flow['id']}", json=flow, headers=evil)
    assert refused.status_code == 403
    assert (await client.get(f"/flows/{flow['id']}")).status_code == 404
    await client.put(f"/flows/{flow['id']}", json=flow)
    storage = await client.post(f"/flows/{flow['id']}/storage", json={"limit": 1})
    put = storage.json()["media_objects"][0]["put_url"]
    headers = evil | {"content-type": put["content-type"]}
    uploaded = await client.put(put["url"], content=b"bytes", headers=headers)
    assert uploaded.status_code == 200
    assert uploaded.headers["access-control-allow-origin"] == "*"


def test_everything_is_there_after_a_restart(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with tams(data) as server:
        flow_id = create_flow(server.url)
        post = [external_segment(f"object-{i}", i) for i in range(3)]
        httpx.post(f"{server.url}/flows/{flow_id}/segments", json=post).raise_for_status()
        server.stop()
    with tams(data) as server:
        stored = stored_segments(server.url, flow_id)
        backend = httpx.get(f"{server.url}/service/storage-backends").json()[0]["id"]
    assert [s["object_id"] for s in stored] == ["object-0", "object-1", "object-2"]
    assert backend == (data / "storage_backend_id").read_text()


@pytest.mark.embedded
def test_a_newer_index_is_refused_and_left_alone(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with tams(data):
        pass
    index = sqlite3.connect(data / "index.sqlite")
    index.execute("PRAGMA user_version = 999")
    index.close()
    with pytest.raises(RuntimeError, match="999"), tams(data):
        pass


def test_logs_are_json_lines_without_query_strings(tmp_path: Path) -> None:
    with tams(tmp_path / "data") as server:
        httpx.get(f"{server.url}/flows?label=secret-label", headers={"x-request-id": "seen"})
        server.stop()
    (log,) = tmp_path.glob("server-*.log")
    lines = [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{")]
    requests = [line for line in lines if line.get("request_id") == "seen"]
    assert [(r["method"], r["path"], r["status"]) for r in requests] == [("GET", "/flows", 200)]
    assert "secret-label" not in log.read_text()


def test_what_is_said_about_the_service_holds_for_every_process(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with tams(data) as one, tams(data) as other:
        assert httpx.post(f"{one.url}/service", json={"name": "Vault"}).json() is None
        told = httpx.post(f"{other.url}/graphql", json={"query": "{ service { name } }"}).json()
        assert told["data"]["service"] == {"name": "Vault"}
        assert httpx.get(f"{other.url}/service").json()["name"] == "Vault"


@pytest.mark.embedded
def test_a_webhooks_key_outlives_the_process_and_is_in_no_file(tmp_path: Path) -> None:
    data, secret = tmp_path / "data", "21238dksdjqwpqscj9"
    body = {"url": "https://hook.example.com", "events": [], "api_key_name": "X-Key"}
    refused = {**body, "api_key_value": f"{secret}\n"}
    with tams(data) as server:
        every = f"{server.url}/service/webhooks"
        assert httpx.post(every, json=refused).status_code == 400
        posted = httpx.post(every, json={**body, "api_key_value": secret}).json()
        server.stop()
    change = {**posted, "events": ["flows/created"]}
    with tams(data) as server:
        changed = httpx.put(f"{server.url}/service/webhooks/{posted['id']}", json=change)
        server.stop()
    assert (changed.status_code, changed.json()) == (201, change)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert {"index.sqlite", "secret_key"} <= {path.name for path in files}
    assert [path for path in files if secret.encode() in path.read_bytes()] == []
    assert (data / "secret_key").stat().st_mode & 0o777 == 0o600
