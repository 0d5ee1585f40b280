"""What older versions may send, and what they are refused; a refusal changes nothing."""

from collections.abc import Callable
from typing import Any, NamedTuple

import httpx
import pytest

from rest_compat.versions import Version
from tests.rest_compat.stories import Json, allocate, put_flow, seconds, uuid4, video
from tests.rest_compat.versions.world import (
    AUDIO,
    IMAGE,
    MULTI,
    VIDEO,
    image_flow,
    read,
    versions,
)

NEW, SOURCE = uuid4(800), uuid4(801)
SIZE = {"frame_width": 16, "frame_height": 9}
RATE = {"numerator": 25}


def _essence(**members: Any) -> Json:
    return {"essence_parameters": {**SIZE, "frame_rate": RATE, **members}}


class Refusal(NamedTuple):
    """A change of a valid body that some versions refuse; `newest` says whether 8.2 does."""

    versions: str
    change: Json
    field: str
    rule: str
    newest: bool = False


REFUSALS = [
    Refusal(
        "6.0 7.0 8.0 8.1",
        _essence(init_segments=True),
        "essence_parameters.init_segments",
        "unknown",
    ),
    Refusal("6.0 7.0", _essence(vfr=False), "essence_parameters.vfr", "unknown"),
    Refusal(
        "6.0 7.0 8.0 8.1",
        {"essence_parameters": SIZE},
        "essence_parameters.frame_rate",
        "required",
        newest=True,
    ),
    Refusal("6.0 7.0", {"tags": {"a": ["b"]}}, "tags.a", "type"),
    Refusal(
        "6.0 7.0 8.0 8.1",
        {"flow_collection": [{"id": VIDEO}]},
        "flow_collection.0.role",
        "required",
    ),
    Refusal("8.0 8.1", {"codec": "wéird/codec"}, "codec", "pattern"),
    Refusal("8.0 8.1", {"container": "Video/mp4"}, "container", "pattern"),
    Refusal(
        "6.0", {"format": "urn:x-tam:format:image", "essence_parameters": SIZE}, "format", "enum"
    ),
    Refusal(
        "6.0",
        {"flow_collection": [{"id": IMAGE, "role": ""}]},
        "flow_collection.0.id",
        "not_found",
    ),
    Refusal("6.0", {"timerange": "[0:0_1:1000000000)"}, "timerange", "pattern", newest=True),
]
CASES = [(name, refusal) for refusal in REFUSALS for name in refusal.versions.split()]


@pytest.mark.parametrize(("name", "refusal"), CASES)
async def test_bodies_that_a_version_refuses(
    world: httpx.AsyncClient, dump: Callable[[], Any], name: str, refusal: Refusal
) -> None:
    before = await dump()
    body = {**video(NEW, SOURCE), **refusal.change}
    response = await world.put(f"/v{name}/flows/{NEW}", json=body)
    assert response.status_code == 400, response.text
    told = [(one["field"], one["rule"]) for one in response.json()["details"]]
    assert told == [(refusal.field, refusal.rule)]
    assert await dump() == before


@pytest.mark.parametrize("refusal", REFUSALS)
async def test_the_newest_takes_what_only_older_ones_refuse(
    world: httpx.AsyncClient, refusal: Refusal
) -> None:
    body = {**video(NEW, SOURCE), **refusal.change}
    response = await world.put(f"/v8.2/flows/{NEW}", json=body)
    assert response.status_code == (400 if refusal.newest else 201), response.text


@versions("6.0", "7.0", "8.0", "8.1")
async def test_members_that_came_later_are_ignored(
    client: httpx.AsyncClient, version: Version
) -> None:
    body = video(NEW, SOURCE, status="no status at all", profile_id=5, later={"and": "more"})
    created = await client.put(f"{version.prefix}/flows/{NEW}", json=body)
    assert created.status_code == 201, created.text
    assert not {"status", "profile_id", "later"} & (await read(client, f"/flows/{NEW}")).keys()
    multi = {"id": uuid4(802), "source_id": uuid4(803), "format": "urn:x-nmos:format:multi"}
    path = f"flows/{multi['id']}"
    sent = {**multi, "essence_parameters": 5}
    assert (await client.put(f"{version.prefix}/{path}", json=sent)).status_code == 201
    assert "essence_parameters" not in await read(client, f"/{path}")


async def test_nothing_reaches_a_hidden_flow(
    world: httpx.AsyncClient, dump: Callable[[], Any]
) -> None:
    before = await dump()
    path = f"/v6.0/flows/{IMAGE}"
    requests = [
        ("PUT", path, video(IMAGE, SOURCE)),
        ("PUT", f"{path}/label", "mine"),
        ("PUT", f"{path}/tags/a", "b"),
        ("DELETE", f"{path}/flow_collection", None),
        ("POST", f"{path}/segments", {"object_id": "still-0", "timerange": seconds(5, 6)}),
        ("POST", f"{path}/storage", {"limit": 1}),
        ("DELETE", f"{path}/segments", None),
        ("DELETE", path, None),
    ]
    for method, url, body in requests:
        sent = {} if body is None else {"json": body}
        assert (await world.request(method, url, **sent)).status_code == 404, (method, url)
    assert await dump() == before
    assert (await read(world, f"/flows/{IMAGE}"))["essence_parameters"] == image_flow()[
        "essence_parameters"
    ]
    put = await world.put(f"/v7.0/flows/{IMAGE}", json=image_flow())
    assert put.status_code == 204


@versions("6.0", "7.0", "8.0", "8.1")
async def test_a_list_is_no_tag_by_itself(
    world: httpx.AsyncClient, dump: Callable[[], Any], version: Version
) -> None:
    before = await dump()
    response = await world.put(f"{version.prefix}/flows/{VIDEO}/tags/genres", json=["drama"])
    assert response.status_code == 400
    assert response.json()["details"][0]["field"] == "tags.genres"
    assert await dump() == before


@versions("6.0", "7.0", "8.0", "8.1")
async def test_a_collection_by_itself_needs_roles(
    world: httpx.AsyncClient, dump: Callable[[], Any], version: Version
) -> None:
    before = await dump()
    path = f"{version.prefix}/flows/{MULTI}/flow_collection"
    response = await world.put(path, json=[{"id": VIDEO, "role": ""}, {"id": AUDIO}])
    assert response.status_code == 400
    details = response.json()["details"]
    assert [(d["field"], d["rule"]) for d in details] == [("flow_collection.1.role", "required")]
    assert await dump() == before


async def test_6_0_posts_one_segment_with_plain_urls(
    client: httpx.AsyncClient, live_flow: str
) -> None:
    await allocate(client, live_flow, "one")
    path = f"/v6.0/flows/{live_flow}/segments"
    one = {"object_id": "one", "timerange": "[00:000_01:0)", "ts_offset": "-0:00"}
    listed = await client.post(path, json=[one])
    assert (listed.status_code, listed.json()["details"][0]["rule"]) == (400, "type")
    urls = [{"url": "https://elsewhere.example/1", "presigned": False}]
    verbose = await client.post(path, json={**one, "get_urls": urls})
    assert verbose.json()["details"][0]["field"] == "get_urls.0.presigned"
    assert await read(client, path) == []
    assert (await client.post(path, json=one)).status_code == 201
    stored = (await read(client, path))[0]
    assert (stored["timerange"], stored["ts_offset"]) == ("[0:0_1:0)", "0:0")
    found = await read(client, f"{path}?timerange=[00:05_01:00)")
    assert len(found) == 1
    late = {**one, "timerange": "[5:0_6:1000000000)"}
    assert (await client.post(path, json=late)).status_code == 400


@versions("6.0", "7.0")
async def test_urls_of_segments_need_no_label(
    client: httpx.AsyncClient, live_flow: str, version: Version
) -> None:
    path = f"/flows/{live_flow}/segments"
    urls = [{"url": "https://a.example/1"}, {"url": "https://b.example/1"}]
    post = {"object_id": "afar", "timerange": seconds(0, 1), "get_urls": urls}
    assert (await client.post(f"/v8.0{path}", json=post)).status_code == 400
    for _ in range(2):
        assert (await client.post(version.prefix + path, json=post)).status_code == 201
    assert [url["url"] for url in (await read(client, path))[0]["get_urls"]] == [
        "https://a.example/1",
        "https://b.example/1",
    ]
    labelled = await read(client, f"{path}?accept_get_urls=a")
    assert labelled[0]["get_urls"] == []


@versions("6.0", "7.0", "8.0", "8.1")
async def test_later_members_of_segments_and_allocations_are_ignored(
    client: httpx.AsyncClient, live_flow: str, version: Version
) -> None:
    storage = {"limit": 1, "content_type": 5, "presigned": False}
    if version.name == "6.0":
        storage |= {"object_ids": 5, "storage_id": "nowhere"}
    path = f"{version.prefix}/flows/{live_flow}"
    allocated = await client.post(f"{path}/storage", json=storage)
    assert allocated.status_code == 201, allocated.text
    object_id = allocated.json()["media_objects"][0]["object_id"]
    post = {"object_id": object_id, "timerange": seconds(0, 1), "init_object_id": 5}
    if version.name in {"6.0", "7.0"}:
        post["object_timerange"] = "noon"
    posted = await client.post(f"{path}/segments", json=post)
    assert posted.status_code == 201, posted.text


async def test_a_plain_put_of_a_fixed_rate_is_no_variable_rate(client: httpx.AsyncClient) -> None:
    await put_flow(client, {**video(NEW, SOURCE), "essence_parameters": {**SIZE, "vfr": True}})
    body = {**video(NEW, SOURCE), "essence_parameters": {**SIZE, "frame_rate": RATE}}
    assert (await client.put(f"/v7.0/flows/{NEW}", json=body)).status_code == 204
    stored = await read(client, f"/flows/{NEW}")
    assert stored["essence_parameters"] == {**SIZE, "frame_rate": RATE}
