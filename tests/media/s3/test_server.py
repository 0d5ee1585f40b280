"""A whole server over a folder and two buckets: both faces, copies, deletion, health, doctor."""

import json
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from tams_graphql.app import create_app
from tams_graphql.doctor import bucket_finding
from tams_graphql.settings import Settings
from tests.media.s3.conftest import ask, settings_of
from tests.robustness.stories import video_flow
from tests.support.engines import settings_on
from tests.support.processes import free_port

BASE = "http://127.0.0.1:8000"
HOT = "5b6f6a0c-3c0d-4a8f-9f0e-2f4c1f7f0a01"
COLD = "5b6f6a0c-3c0d-4a8f-9f0e-2f4c1f7f0a02"
CDN = "https://cdn.example/cold"
Json = dict[str, Any]


@pytest.fixture
def settings(tmp_path: Path, endpoint: str, bucket: str, boto: Any) -> Settings:
    boto.create_bucket(Bucket=f"{bucket}-cold")
    hot = settings_of(
        endpoint, bucket, id=HOT, label="hot", default_storage=True, tags={"tier": "hot"}
    )
    cold = settings_of(
        endpoint,
        f"{bucket}-cold",
        id=COLD,
        label="cold",
        region="us-east-1",
        availability_zone="az-1",
        store_product="moto",
        direct_url_base=CDN,
    )
    return settings_on(tmp_path / "data", storage_backends=[hot, cold])


async def started(settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    app: FastAPI = create_app(settings)
    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url=BASE) as client,
    ):
        yield client


@pytest.fixture
async def client(settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    async for client in started(settings):
        yield client


@pytest.fixture
async def flow_id(client: httpx.AsyncClient) -> str:
    flow = video_flow()
    await client.put(f"/flows/{flow['id']}", json=flow)
    return str(flow["id"])


async def stored(client: httpx.AsyncClient, flow_id: str, content: bytes, **where: str) -> str:
    """An object uploaded and registered by REST; its id."""
    answer = await client.post(f"/flows/{flow_id}/storage", json=where)
    assert answer.status_code == 201, answer.text
    (allocated,) = answer.json()["media_objects"]
    put = allocated["put_url"]
    headers = {"content-type": put["content-type"], **put.get("headers", {})}
    assert ask("PUT", put["url"], content=content, headers=headers).status_code == 200
    segment = {"object_id": allocated["object_id"], "timerange": "[0:0_1:0)"}
    answer = await client.post(f"/flows/{flow_id}/segments", json=segment)
    assert answer.status_code == 201, answer.text
    return str(allocated["object_id"])


async def urls(client: httpx.AsyncClient, flow_id: str, **query: str) -> list[Json]:
    answer = await client.get(f"/flows/{flow_id}/segments", params=query)
    assert answer.status_code == 200, answer.text
    found: list[Json] = answer.json()[0]["get_urls"]
    return found


async def test_backends_are_told_as_configured(client: httpx.AsyncClient) -> None:
    cold, hot, local = (await client.get("/service/storage-backends")).json()
    assert cold == {
        "id": COLD,
        "label": "cold",
        "store_type": "http_object_store",
        "provider": "moto",
        "store_product": "moto",
        "region": "us-east-1",
        "availability_zone": "az-1",
        "default_storage": False,
    }
    assert (hot["default_storage"], hot["tags"]) == (True, {"tier": "hot"})
    assert (local["label"], local["default_storage"]) == ("local", False)


async def test_media_go_to_the_default_bucket_and_come_back(
    client: httpx.AsyncClient, flow_id: str
) -> None:
    await stored(client, flow_id, b"frames")
    (only,) = await urls(client, flow_id, verbose_storage="true")
    assert (only["label"], only["storage_id"], only["presigned"]) == ("hot", HOT, True)
    assert ask("GET", only["url"]).content == b"frames"


async def test_head_urls_only_for_who_asks(client: httpx.AsyncClient, flow_id: str) -> None:
    await stored(client, flow_id, b"frames")
    shown = await urls(client, flow_id, include_head_urls="true", verbose_storage="true")
    assert [one["label"] for one in shown] == ["hot", "hot:head"]
    assert ask("HEAD", shown[1]["url"]).headers["content-length"] == "6"
    assert shown[1]["storage_id"] == HOT
    for labels, found in (("hot", ["hot"]), ("hot:head", ["hot:head"]), ("cold:head", [])):
        wanted = await urls(client, flow_id, include_head_urls="true", accept_get_urls=labels)
        assert [one["label"] for one in wanted] == found
    assert await urls(client, flow_id, include_head_urls="true", presigned="false") == []
    assert [one["label"] for one in await urls(client, flow_id)] == ["hot"]


async def test_the_operator_may_list_head_urls_for_all(settings: Settings) -> None:
    async for client in started(settings.model_copy(update={"head_urls_in_rest": True})):
        flow = video_flow()
        await client.put(f"/flows/{flow['id']}", json=flow)
        await stored(client, flow["id"], b"frames")
        assert [one["label"] for one in await urls(client, flow["id"])] == ["hot", "hot:head"]
        unasked = await urls(client, flow["id"], include_head_urls="false")
        assert [one["label"] for one in unasked] == ["hot"]


async def test_graphql_tells_head_and_direct_urls(client: httpx.AsyncClient, flow_id: str) -> None:
    await stored(client, flow_id, b"frames", storage_id=COLD)
    query = """query ($id: UUID!) { flow(flowId: $id) { segments(first: 1) { nodes {
        getUrls { url headUrl label presigned storageBackend { storageId } } } } } }"""
    body = {"query": query, "variables": {"id": flow_id}}
    answer = (await client.post("/graphql", json=body)).json()
    presigned, direct = answer["data"]["flow"]["segments"]["nodes"][0]["getUrls"]
    assert ask("GET", presigned["url"]).content == b"frames"
    assert ask("HEAD", presigned["headUrl"]).status_code == 200
    key = presigned["url"].partition("?")[0].rpartition("/")[2]
    backend = {"storageId": COLD}
    assert direct == {
        "url": f"{CDN}/{key}",
        "headUrl": None,
        "label": "cold",
        "presigned": False,
        "storageBackend": backend,
    }
    assert presigned["storageBackend"] == backend
    (unsigned,) = await urls(client, flow_id, presigned="false")
    assert unsigned == {"url": f"{CDN}/{key}", "label": "cold", "presigned": False}


@pytest.mark.parametrize("start", [HOT, None])
async def test_copies_between_buckets_and_from_the_folder(
    client: httpx.AsyncClient, flow_id: str, boto: Any, bucket: str, start: str | None
) -> None:
    backends = (await client.get("/service/storage-backends")).json()
    local = next(one["id"] for one in backends if one["label"] == "local")
    if start is None:
        object_id = await copied_from_folder(client, flow_id, local)
    else:
        object_id = await stored(client, flow_id, b"frames")
    answer = await client.post(f"/objects/{object_id}/instances", json={"storage_id": COLD})
    assert answer.status_code == 201, answer.text
    (cold,) = await urls(client, flow_id, accept_storage_ids=COLD, presigned="true")
    assert ask("GET", cold["url"]).content == b"frames"
    assert (await client.delete(f"/flows/{flow_id}/segments")).status_code == 204
    for name in (bucket, f"{bucket}-cold"):
        assert boto.list_objects_v2(Bucket=name)["KeyCount"] == 0


async def copied_from_folder(client: httpx.AsyncClient, flow_id: str, local: str) -> str:
    """An object that lies in the folder only; its id."""
    answer = await client.post(f"/flows/{flow_id}/storage", json={"storage_id": local})
    (allocated,) = answer.json()["media_objects"]
    put = allocated["put_url"]
    headers = {"content-type": put["content-type"]}
    assert (await client.put(put["url"], content=b"frames", headers=headers)).status_code == 200
    segment = {"object_id": allocated["object_id"], "timerange": "[0:0_1:0)"}
    await client.post(f"/flows/{flow_id}/segments", json=segment)
    return str(allocated["object_id"])


async def test_an_upload_url_is_spent_once_its_object_is_there(
    client: httpx.AsyncClient, flow_id: str
) -> None:
    answer = await client.post(f"/flows/{flow_id}/storage", json={})
    (allocated,) = answer.json()["media_objects"]
    put = allocated["put_url"]
    headers = {"content-type": put["content-type"], **put["headers"]}
    assert ask("PUT", put["url"], content=b"first", headers=headers).status_code == 200
    segment = {"object_id": allocated["object_id"], "timerange": "[0:0_1:0)"}
    await client.post(f"/flows/{flow_id}/segments", json=segment)
    assert ask("PUT", put["url"], content=b"again", headers=headers).status_code == 412
    assert ask("GET", (await urls(client, flow_id))[0]["url"]).content == b"first"


async def test_a_bucket_that_is_away_stops_nothing_else(
    settings: Settings, endpoint: str, bucket: str, caplog: pytest.LogCaptureFixture
) -> None:
    hot, _ = settings.storage_backends
    gone = settings_of(f"http://127.0.0.1:{free_port()}", bucket, id=COLD, label="cold")
    lamed = settings.model_copy(update={"storage_backends": [hot, gone]})
    async for client in started(lamed):
        health = await client.get("/health")
        assert health.status_code == 503
        checks = health.json()["checks"]
        assert checks["index"] == checks["storage backend hot"] == "ok"
        assert bucket in checks["storage backend cold"]
        flow = video_flow()
        await client.put(f"/flows/{flow['id']}", json=flow)
        object_id = await stored(client, flow["id"], b"frames")
        answer = await client.post(f"/objects/{object_id}/instances", json={"storage_id": COLD})
        assert answer.status_code == 503
        assert "storage backend cold" in answer.json()["summary"]


async def test_doctor_looks_into_buckets(settings: Settings, endpoint: str, bucket: str) -> None:
    hot, _ = settings.storage_backends
    found = await bucket_finding(hot)
    assert (found.what, found.advice) == ("storage backend hot", None)
    assert found.state == f"bucket {bucket} can be written, and keeps uploads from overwriting"
    missing = await bucket_finding(settings_of(endpoint, "no-such-bucket"))
    assert missing.state == "bucket 'no-such-bucket': the bucket does not exist"
    assert missing.advice is not None
    keyless = await bucket_finding(settings_of(endpoint, bucket, credentials_env="NOBODY_"))
    assert "NOBODY_ACCESS_KEY_ID" in keyless.state
    careless = await bucket_finding(settings_of(endpoint, bucket, write_once=False))
    assert careless.advice is not None
    assert "write_once" in careless.advice


def test_secrets_appear_in_no_setting(settings: Settings) -> None:
    shown = f"{settings!r} {settings.model_dump_json()}"
    assert "STUDIO_" in shown
    assert "studio-secret" not in shown


def test_without_buckets_boto3_is_not_even_imported(tmp_path: Path) -> None:
    program = f"""
import json, sys
from pathlib import Path
from tams_graphql.app import create_app
from tams_graphql.settings import Settings
create_app(Settings(data=Path({str(tmp_path / "data")!r})))
print(json.dumps(sorted({{"boto3", "botocore", "s3transfer"}} & sys.modules.keys())))
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, check=True, cwd=tmp_path, text=True
    )
    assert json.loads(done.stdout) == []
