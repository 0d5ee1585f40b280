"""Segments: what is told of each, which URLs, and what a bulk registration answers."""

from typing import Any

import httpx
import pytest

from tests.rest_compat.conftest import ARCHIVE, DISK, PUBLIC_URL
from tests.rest_compat.stories import (
    Json,
    allocate,
    fill,
    put_flow,
    register,
    seconds,
    uuid4,
    video,
)


@pytest.fixture
async def segments(client: httpx.AsyncClient, live_flow: str) -> str:
    """A flow with one segment on disk and, as ``mirror``, elsewhere. Returns its path."""
    await allocate(client, live_flow, "take")
    mirror = {"url": "https://mirror.example/take", "label": "mirror"}
    post = {"object_id": "take", "timerange": seconds(0, 1), "get_urls": [mirror]}
    await register(client, live_flow, post)
    return f"/flows/{live_flow}/segments"


ON_DISK, MIRROR = "disk", "mirror"
URL_FILTERS: list[tuple[str, list[str]]] = [
    ("", [ON_DISK, MIRROR]),
    ("accept_get_urls=", []),
    ("accept_get_urls=mirror", [MIRROR]),
    ("accept_get_urls=mirror,disk", [ON_DISK, MIRROR]),
    ("accept_get_urls=absent", []),
    ("accept_storage_ids=", [ON_DISK, MIRROR]),
    (f"accept_storage_ids={DISK}", [ON_DISK]),
    (f"accept_storage_ids={ARCHIVE},{DISK}", [ON_DISK]),
    (f"accept_storage_ids={ARCHIVE}", []),
    ("presigned=true", [ON_DISK]),
    ("presigned=false", [MIRROR]),
    ("presigned=false&accept_get_urls=disk", []),
    ("storage_backend_tag.tier=cold", []),
    ("storage_backend_tag_exists.tier=true", []),
    ("storage_backend_tag_exists.tier=false", [ON_DISK, MIRROR]),
]


@pytest.mark.parametrize(("query", "labels"), URL_FILTERS, ids=[f[0] for f in URL_FILTERS])
async def test_url_filters_hold_for_segments_and_objects(
    client: httpx.AsyncClient, segments: str, query: str, labels: list[str]
) -> None:
    listed = (await client.get(f"{segments}?{query}")).json()[0]["get_urls"]
    assert [url["label"] for url in listed] == labels
    told = (await client.get(f"/objects/take?{query}")).json()["get_urls"]
    assert [url["label"] for url in told] == labels


async def test_urls_tell_where_bytes_are_only_when_asked(
    client: httpx.AsyncClient, segments: str
) -> None:
    brief = (await client.get(segments)).json()[0]["get_urls"]
    assert [url.keys() for url in brief] == [{"url", "presigned", "label"}] * 2
    assert brief[0]["url"].startswith(f"{PUBLIC_URL}/media/{DISK}/")
    verbose = (await client.get(f"{segments}?verbose_storage=true")).json()[0]["get_urls"]
    del verbose[0]["url"]
    assert verbose == [
        {
            "label": "disk",
            "presigned": True,
            "controlled": True,
            "storage_id": DISK,
            "store_type": "http_object_store",
            "provider": "here",
            "store_product": "files",
        },
        {
            "url": "https://mirror.example/take",
            "label": "mirror",
            "presigned": False,
            "controlled": False,
        },
    ]


async def test_only_what_is_set_is_told_but_ts_offset_always(
    client: httpx.AsyncClient, live_flow: str
) -> None:
    await allocate(client, live_flow, "a", "b")
    plain = {"object_id": "a", "timerange": "[0:0_1:0)"}
    full = {
        "object_id": "b",
        "timerange": "[1:0_2:0]",
        "ts_offset": "-0:5",
        "last_duration": "0:40000000",
        "object_timerange": "[0:0_9:0)",
        "sample_offset": 3,
        "sample_count": 25,
        "key_frame_count": 1,
    }
    await register(client, live_flow, plain, full)
    url = f"/flows/{live_flow}/segments?accept_get_urls="
    listed = (await client.get(f"{url}&include_object_timerange=true")).json()
    assert listed == [
        {**plain, "ts_offset": "0:0", "object_timerange": "[0:0_1:0)", "get_urls": []},
        {**full, "get_urls": []},
    ]
    briefly = (await client.get(url)).json()
    assert [s.keys() & {"object_timerange"} for s in briefly] == [set(), set()]


async def test_initialisation_objects_come_with_their_urls(client: httpx.AsyncClient) -> None:
    flow_id = uuid4(5)
    body = video(flow_id, uuid4(6), container="video/iso.segment")
    body["essence_parameters"]["init_segments"] = True
    await put_flow(client, body)
    await allocate(client, flow_id, "media")
    init = await client.post(
        f"/flows/{flow_id}/storage", json={"object_ids": ["init"], "content_type": "video/mp4"}
    )
    assert init.json()["media_objects"][0]["put_url"]["content-type"] == "video/mp4"
    post = {"object_id": "media", "timerange": seconds(0, 1), "init_object_id": "init"}
    await register(client, flow_id, post)
    segment = (await client.get(f"/flows/{flow_id}/segments")).json()[0]
    assert segment["init_object"]["object_id"] == "init"
    assert [url["label"] for url in segment["init_object"]["get_urls"]] == ["disk"]
    told = (await client.get("/objects/media")).json()
    assert told["init_object"]["id"] == "init"
    assert [url["label"] for url in told["init_object"]["get_urls"]] == ["disk"]
    other = (await client.get("/objects/init")).json()
    assert (other["referenced_by_flows"], "timerange" in other) == ([flow_id], False)


def _post(object_id: str, start: int, end: int) -> Json:
    return {"object_id": object_id, "timerange": seconds(start, end)}


BULK: list[tuple[Any, int, list[str]]] = [
    ([_post("a", 0, 1), _post("b", 1, 2)], 201, []),
    ([_post("a", 0, 1), _post("b", 0, 2)], 200, ["b"]),
    ([_post("x", 0, 1), _post("y", 1, 2)], 200, ["x", "y"]),
    ([_post("x", 0, 1)], 200, ["x"]),
    (_post("x", 0, 1), 400, []),
    (_post("a", 0, 1), 201, []),
]


@pytest.mark.parametrize(("body", "status", "failed"), BULK)
async def test_each_item_of_a_list_succeeds_or_fails_on_its_own(
    client: httpx.AsyncClient, live_flow: str, body: Any, status: int, failed: list[str]
) -> None:
    await allocate(client, live_flow, "a", "b")
    response = await client.post(f"/flows/{live_flow}/segments", json=body)
    assert response.status_code == status, response.text
    if status == 200:
        found = response.json()["failed_segments"]
        assert [f["object_id"] for f in found] == failed
        assert all(f["error"]["summary"] for f in found)
    stored = (await client.get(f"/flows/{live_flow}/segments")).json()
    posted = body if isinstance(body, list) else [body]
    kept = [p["object_id"] for p in posted if p["object_id"] not in failed] if status < 400 else []
    assert [s["object_id"] for s in stored] == kept


@pytest.mark.parametrize(
    ("wrong", "summary", "field"),
    [
        ({"ts_offset": 5}, "ts_offset: must be a timestamp", "ts_offset"),
        ({"timerange": "()"}, "timerange: the timerange holds", "timerange"),
        ({"init_object_id": "b"}, "the flow's init_segments", "init_object_id"),
    ],
)
async def test_a_refusal_names_fields_as_they_stand_in_the_body(
    client: httpx.AsyncClient, live_flow: str, wrong: Json, summary: str, field: str
) -> None:
    await allocate(client, live_flow, "a")
    path, post = f"/flows/{live_flow}/segments", _post("a", 0, 1) | wrong
    alone = (await client.post(path, json=post)).json()
    assert alone["summary"].startswith(summary)
    assert alone["details"][0]["field"] == field
    listed = (await client.post(path, json=[post])).json()["failed_segments"][0]["error"]
    assert listed["details"][0]["field"] == f"segments.0.{field}"


async def test_an_identical_segment_again_is_201(client: httpx.AsyncClient, segments: str) -> None:
    before = (await client.get(segments + "?accept_get_urls=")).json()
    post = {"object_id": "take", "timerange": seconds(0, 1)}
    assert (await client.post(segments, json=post)).status_code == 201
    assert (await client.get(segments + "?accept_get_urls=")).json() == before


@pytest.mark.parametrize(
    ("query", "left"),
    [
        ("?timerange=()", ["a", "b", "c"]),
        ("?timerange=[0:0_1:5)", ["b", "c"]),
        ("?timerange=[0:5_3:0)", ["a"]),
        ("?timerange=_&object_id=b", ["a", "c"]),
        ("?object_id=absent", ["a", "b", "c"]),
        ("?timerange=_", []),
        ("", []),
    ],
)
async def test_only_completely_covered_segments_are_deleted(
    client: httpx.AsyncClient, live_flow: str, query: str, left: list[str]
) -> None:
    await allocate(client, live_flow, "a", "b", "c")
    await register(client, live_flow, _post("a", 0, 1), _post("b", 1, 2), _post("c", 2, 3))
    path = f"/flows/{live_flow}/segments"
    assert (await client.delete(path + query)).status_code == 204
    assert [s["object_id"] for s in (await client.get(path)).json()] == left


async def test_an_object_forgets_the_flow_that_used_it_first_when_that_is_gone(
    client: httpx.AsyncClient, live_flow: str
) -> None:
    """As GraphQL, which has no Flow to show there (`tests/parity` found that REST went on)."""
    await fill(client, live_flow, 1)
    other = uuid4(2)
    await put_flow(client, video(other, uuid4(100)))
    await register(client, other, {"object_id": "take-0", "timerange": seconds(0, 1)})
    assert (await client.get("/objects/take-0")).json()["first_referenced_by_flow"] == live_flow
    assert (await client.delete(f"/flows/{live_flow}/segments")).status_code == 204
    assert (await client.get("/objects/take-0")).json()["first_referenced_by_flow"] == live_flow
    assert (await client.delete(f"/flows/{live_flow}")).status_code == 204
    left = (await client.get("/objects/take-0")).json()
    assert "first_referenced_by_flow" not in left
    assert left["referenced_by_flows"] == [other]
