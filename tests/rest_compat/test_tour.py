"""Every operation once: each answer is what the official document says, and HEAD equals GET."""

from dataclasses import replace
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from rest_compat.catalogue import RESOURCES
from tests.rest_compat.conftest import ARCHIVE, DISK
from tests.rest_compat.official import Official
from tests.rest_compat.stories import allocate, multi, register, seconds, uuid4, video

FLOW, SOURCE, OTHER = uuid4(1), uuid4(100), uuid4(2)
OBJECT = "reel 1/take é?#"


class Tour:
    """Visits operations, checks each answer, and remembers where it was."""

    def __init__(self, client: httpx.AsyncClient, official: Official) -> None:
        self.client = client
        self.official = official
        self.visited: set[tuple[str, str]] = set()

    async def visit(
        self, method: str, path: str, status: int, body: Any = None, query: str = "", **names: str
    ) -> httpx.Response:
        values = {"flowId": FLOW, "sourceId": SOURCE, "objectId": OBJECT, **names}
        quoted = {name: httpx.QueryParams({"": text}) for name, text in values.items()}
        url = path.format(**{n: str(q)[1:].replace("+", "%20") for n, q in quoted.items()}) + query
        sent = {} if body is None else {"json": body}
        response = await self.client.request(method, url, **sent)
        assert response.status_code == status, f"{method} {url}: {response.text}"
        self.official.check_answer(path, method, response)
        self.visited.add((method, path))
        if method == "GET":
            await self._same_without_body(path, url, response)
        return response

    async def _same_without_body(self, path: str, url: str, got: httpx.Response) -> None:
        head = await self.client.head(url)
        self.official.check_answer(path, "HEAD", head)
        assert (head.status_code, head.content) == (got.status_code, b"")
        assert head.headers == got.headers


async def test_a_tour_through_every_operation(
    app: FastAPI, client: httpx.AsyncClient, official: Official
) -> None:
    tour = Tour(client, official)
    await _service(tour)
    await _profiles(tour)
    await _webhooks(tour)
    await _flows(tour)
    await _properties(tour)
    await _segments(tour)
    await _objects(tour)
    await _deletions(tour)
    app.state.service = replace(app.state.service, async_delete_segments=0)
    await _deletion_requests(tour)
    every = {(method, r.path) for r in RESOURCES for method in r.operations}
    assert tour.visited == every


async def _service(tour: Tour) -> None:
    root = await tour.visit("GET", "/", 200)
    assert root.json() == ["service", "flows", "sources", "flow-delete-requests"]
    service = await tour.visit("GET", "/service", 200)
    assert service.json() == {
        "name": "test",
        "type": "urn:x-tams:service.tams-graphql",
        "api_version": "8.2",
        "service_version": "1",
        "min_object_timeout": "3600:0",
        "min_presigned_url_timeout": "600:0",
    }
    renamed = await tour.visit("POST", "/service", 200, tour.official.example("service-post"))
    assert renamed.json() is None
    said = (await tour.visit("GET", "/service", 200)).json()
    assert (said["name"], said["description"]) == ("Updated Name", "Updated description")
    backends = await tour.visit("GET", "/service/storage-backends", 200)
    assert [b["label"] for b in backends.json()] == ["archive", "disk"]


async def _profiles(tour: Tour) -> None:
    body = tour.official.example("profile-put")
    one, names = "/service/profiles/{profileId}", {"profileId": body["id"]}
    created = await tour.visit("POST", one, 201, body, **names)
    await tour.visit("POST", one, 400, body, **names)
    got = await tour.visit("GET", one, 200, **names)
    listing = await tour.visit("GET", "/service/profiles", 200)
    assert [got.json()] == [created.json()] == listing.json()


async def _webhooks(tour: Tour) -> None:
    every, one = "/service/webhooks", "/service/webhooks/{webhookId}"
    posted = (await tour.visit("POST", every, 201, tour.official.example("webhook-post"))).json()
    expected = {**tour.official.example("webhook-get-200"), "id": posted["id"], "status": "created"}
    assert posted == expected
    assert (await tour.visit("GET", one, 200, webhookId=posted["id"])).json() == expected
    assert (await tour.visit("GET", every, 200)).json() == [expected]
    body = {**tour.official.example("webhook-put"), "id": posted["id"], "status": "disabled"}
    replaced = await tour.visit("PUT", one, 201, body, webhookId=posted["id"])
    assert replaced.json() == {**expected, "status": "disabled"}
    await tour.visit("DELETE", one, 204, webhookId=posted["id"])
    for method, sent in (("GET", None), ("PUT", body), ("DELETE", None)):
        await tour.visit(method, one, 404, sent, webhookId=posted["id"])
    await tour.visit("POST", every, 400, {"url": "https://hook.example.com"})


async def _flows(tour: Tour) -> None:
    created = await tour.visit("PUT", "/flows/{flowId}", 201, video(FLOW, SOURCE, label="one"))
    assert created.json()["label"] == "one"
    await tour.visit("PUT", "/flows/{flowId}", 204, video(FLOW, SOURCE, label="two"))
    collector = multi(OTHER, uuid4(200), FLOW)
    await tour.visit("PUT", "/flows/{flowId}", 201, collector, flowId=OTHER)
    flow = await tour.visit("GET", "/flows/{flowId}", 200, query="?include_timerange=true")
    assert (flow.json()["timerange"], flow.json()["collected_by"]) == ("()", [OTHER])
    listing = await tour.visit("GET", "/flows", 200)
    assert [f["id"] for f in listing.json()] == [OTHER, FLOW]
    assert "timerange" not in listing.json()[0]
    sources = await tour.visit("GET", "/sources", 200)
    assert [s["id"] for s in sources.json()] == [uuid4(200), SOURCE]
    source = await tour.visit("GET", "/sources/{sourceId}", 200)
    assert source.json()["collected_by"] == [uuid4(200)]
    top = await tour.visit("GET", "/sources/{sourceId}", 200, sourceId=uuid4(200))
    assert [item["id"] for item in top.json()["source_collection"]] == [SOURCE]


async def _properties(tour: Tour) -> None:
    values: dict[str, Any] = {
        "label": "a label",
        "description": "a description",
        "max_bit_rate": 5000,
        "avg_bit_rate": 0,
        "flow_collection": [],
        "tags/{name}": ["a", "b"],
    }
    for noun in ("/flows/{flowId}", "/sources/{sourceId}"):
        await tour.visit("GET", f"{noun}/tags", 200)
        for name, value in values.items():
            path = f"{noun}/{name}"
            if any(r.path == path for r in RESOURCES):
                await tour.visit("PUT", path, 204, value, name="who/what %")
                got = await tour.visit("GET", path, 200, name="who/what %")
                assert got.json() == value
                await tour.visit("DELETE", path, 204, name="who/what %")
                await tour.visit("GET", path, 404, name="who/what %")
    assert (await tour.visit("GET", "/flows/{flowId}/read_only", 200)).json() is False
    for value in (True, False):
        await tour.visit("PUT", "/flows/{flowId}/read_only", 204, value)
        assert (await tour.visit("GET", "/flows/{flowId}/read_only", 200)).json() is value


async def _segments(tour: Tour) -> None:
    path = "/flows/{flowId}/segments"
    allocation = await tour.visit(
        "POST", "/flows/{flowId}/storage", 201, {"object_ids": [OBJECT, "take 2"]}
    )
    assert [o["object_id"] for o in allocation.json()["media_objects"]] == [OBJECT, "take 2"]
    assert [o["put_url"]["content-type"] for o in allocation.json()["media_objects"]] == [
        "video/mp2t"
    ] * 2
    first = {"object_id": OBJECT, "timerange": seconds(0, 1)}
    assert (await tour.visit("POST", path, 201, first)).json() is None
    second = {"object_id": "take 2", "timerange": seconds(1, 2)}
    overlap = {"object_id": "take 2", "timerange": "[0:5_3:0)"}
    failed = (await tour.visit("POST", path, 200, [second, overlap])).json()["failed_segments"]
    assert [(f["object_id"], f["timerange"]) for f in failed] == [("take 2", "[0:5_3:0)")]
    assert failed[0]["error"]["type"] == "OVERLAP"
    listing = await tour.visit("GET", path, 200, query="?include_object_timerange=true")
    assert [(s["object_id"], s["timerange"]) for s in listing.json()] == [
        (OBJECT, "[0:0_1:0)"),
        ("take 2", "[1:0_2:0)"),
    ]
    await tour.visit("DELETE", path, 204, query="?timerange=[1:0_5:0)")
    left = await tour.visit("GET", path, 200)
    assert [s["object_id"] for s in left.json()] == [OBJECT]


async def _objects(tour: Tour) -> None:
    path = "/objects/{objectId}/instances"
    url = "https://elsewhere.example/1"
    await tour.visit("POST", path, 201, {"url": url, "label": "elsewhere"})
    found = await tour.visit("GET", "/objects/{objectId}", 200, query="?verbose_storage=true")
    assert found.json()["referenced_by_flows"] == [FLOW]
    assert [(u["label"], u["controlled"]) for u in found.json()["get_urls"]] == [
        ("disk", True),
        ("elsewhere", False),
    ]
    await tour.visit("POST", path, 400, {"storage_id": uuid4(9)})
    await tour.visit("DELETE", path, 204, query="?label=elsewhere")
    await tour.visit("DELETE", path, 400, query=f"?storage_id={DISK}")
    await tour.visit("DELETE", path, 404, query=f"?storage_id={ARCHIVE}")


async def _deletion_requests(tour: Tour) -> None:
    await tour.visit("PUT", "/flows/{flowId}", 201, video(FLOW, SOURCE))
    segments = await tour.visit("DELETE", "/flows/{flowId}/segments", 202)
    flow = await tour.visit("DELETE", "/flows/{flowId}", 202)
    listed = await tour.visit("GET", "/flow-delete-requests", 200)
    assert [one["id"] for one in listed.json()] == [flow.json()["id"], segments.json()["id"]]
    path = "/flow-delete-requests/{request-id}"
    one = await tour.visit("GET", path, 200, **{"request-id": flow.json()["id"]})
    assert one.json() == flow.json()
    await tour.visit("GET", path, 404, **{"request-id": "none"})


async def _deletions(tour: Tour) -> None:
    await tour.visit("DELETE", "/flows/{flowId}", 204)
    await tour.visit("GET", "/flows/{flowId}", 404)
    await tour.visit("GET", "/sources/{sourceId}", 404)
    await tour.visit("GET", "/objects/{objectId}", 404)
    await tour.visit("GET", "/flows/{flowId}/segments", 200)


@pytest.mark.parametrize("object_id", ["plain", "with/slash", "ünï çødé", "%2F", "a?b#c"])
async def test_object_ids_are_routed_from_the_raw_path(
    client: httpx.AsyncClient, live_flow: str, object_id: str
) -> None:
    await allocate(client, live_flow, object_id)
    await register(client, live_flow, {"object_id": object_id, "timerange": seconds(0, 1)})
    quoted = "".join(f"%{byte:02X}" for byte in object_id.encode())
    found = await client.get(f"/objects/{quoted}")
    assert (found.status_code, found.json()["id"]) == (200, object_id)


async def test_text_that_is_not_utf_8_names_nothing(client: httpx.AsyncClient) -> None:
    response = await client.get("/objects/%FF%FE")
    assert response.status_code == 404
    assert response.json()["type"] == "NOT_FOUND"
