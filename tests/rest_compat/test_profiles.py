"""Profiles over HTTP, and flows made from them, as the official document has them."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest
from jsonschema import Draft202012Validator

from rest_compat.openapi import openapi_document
from tests.rest_compat.official import Official
from tests.rest_compat.stories import Json, fill, put_flow, uuid4, video

LISTING, ONE, FLOW = "/service/profiles", "/service/profiles/{profileId}", "/flows/{flowId}"
EXAMPLES = (
    "profile-put", "profile-post-201", "profile-get-200-image", "profile-get-200-video-h264",
    "profile-get-200-video-h264-mxf",
)  # fmt: skip
TECHNICAL = (
    "format", "codec", "container", "avg_bit_rate", "segment_duration", "container_mapping",
    "essence_parameters",
)  # fmt: skip


def profile(number: int, **changes: Any) -> Json:
    flow = video(uuid4(1), uuid4(100))
    metadata = {name: flow[name] for name in TECHNICAL if name in flow}
    return {"id": uuid4(number), "flow_metadata": metadata, **changes}


async def post(client: httpx.AsyncClient, body: Json) -> Json:
    response = await client.post(f"{LISTING}/{body['id']}", json=body)
    assert response.status_code == 201, response.text
    created: Json = response.json()
    return created


def rules(response: httpx.Response) -> list[tuple[str, str]]:
    assert response.status_code == 400, response.text
    return [(one["field"], one["rule"]) for one in response.json()["details"]]


@pytest.mark.parametrize("name", EXAMPLES)
async def test_examples_come_back_as_they_were_posted(
    client: httpx.AsyncClient, official: Official, name: str
) -> None:
    body = official.example(name)
    created = await client.post(f"{LISTING}/{body['id']}", json=body)
    assert created.status_code == 201, created.text
    official.check_answer(ONE, "POST", created)
    told = created.json()
    assert {**told, "created": None, "created_by": None} == {
        **body,
        "created": None,
        "created_by": None,
    }
    assert told["created"] != body.get("created")
    assert told["created_by"] == body.get("created_by", "anonymous")
    got = await client.get(f"{LISTING}/{body['id']}")
    official.check_answer(ONE, "GET", got)
    assert got.json() == told
    head = await client.head(f"{LISTING}/{body['id']}")
    assert (head.status_code, head.content, head.headers) == (200, b"", got.headers)


async def test_the_flow_of_the_example_is_made_from_the_profile_of_the_example(
    client: httpx.AsyncClient, official: Official
) -> None:
    metadata = (await post(client, official.example("profile-put")))["flow_metadata"]
    body = official.example("flow-put-profile")
    created = await client.put(f"/flows/{body['id']}", json=body)
    official.check_answer(FLOW, "PUT", created)
    got = await client.get(f"/flows/{body['id']}")
    official.check_answer(FLOW, "GET", got)
    assert got.json() == created.json()
    assert got.json().items() >= {**body, **metadata}.items()
    again = await client.put(f"/flows/{body['id']}", json=got.json())
    official.check_answer(FLOW, "PUT", again)
    assert rules(again) == [(name, "profile.override") for name in TECHNICAL if name in metadata]
    listed = await client.get("/flows", params={"profile_id": body["profile_id"]})
    assert [flow["id"] for flow in listed.json()] == [body["id"]]


async def test_a_profile_that_exists_is_refused(
    client: httpx.AsyncClient, official: Official, dump: Callable[[], Any]
) -> None:
    created = await post(client, profile(1, label="a"))
    before = await dump()
    for body in (profile(1, label="a"), profile(1, tags={"a": "b"}), created):
        response = await client.post(f"{LISTING}/{uuid4(1)}", json=body)
        official.check_answer(ONE, "POST", response)
        assert rules(response) == [("id", "profile.exists")]
    for path, body in ((uuid4(2), profile(1)), ("nonsense", profile(1))):
        response = await client.post(f"{LISTING}/{path}", json=body)
        official.check_answer(ONE, "POST", response)
        assert response.status_code == 404
    for malformed in ([], {"id": uuid4(3)}, profile(3, flow_metadata={"format": "x"})):
        response = await client.post(f"{LISTING}/{uuid4(3)}", json=malformed)
        official.check_answer(ONE, "POST", response)
        assert response.status_code == 400
    for method in ("PUT", "DELETE"):
        refused = await client.request(method, f"{LISTING}/{uuid4(1)}", json=profile(1))
        assert refused.status_code == 405
        assert set(refused.headers["allow"].split(", ")) == {"GET", "HEAD", "POST"}
    assert await dump() == before


@pytest.mark.parametrize("profile_id", [uuid4(404), "nonsense"])
async def test_a_profile_that_is_not_there(
    client: httpx.AsyncClient, official: Official, profile_id: str
) -> None:
    for method in ("GET", "HEAD"):
        response = await client.request(method, f"{LISTING}/{profile_id}")
        official.check_answer(ONE, method, response)
        assert response.status_code == 404


async def test_pages_joined_are_the_listing(client: httpx.AsyncClient, official: Official) -> None:
    for number, label in enumerate(("b", "a", "c")):
        await post(client, profile(10 + number, label=label))
    await post(client, profile(9))
    whole = await client.get(LISTING)
    official.check_answer(LISTING, "GET", whole)
    assert [one.get("label") for one in whole.json()] == ["a", "b", "c", None]
    assert "link" not in whole.headers
    first = await client.get(LISTING, params={"limit": 3})
    official.check_answer(LISTING, "GET", first)
    paging = {name for name in first.headers if name.startswith("x-paging") or name == "link"}
    assert paging == {"link", "x-paging-limit", "x-paging-nextkey"}
    assert first.headers["x-paging-limit"] == "3"
    head = await client.head(LISTING, params={"limit": 3})
    assert (head.content, head.headers) == (b"", first.headers)
    key = first.headers["x-paging-nextkey"]
    rest = await client.get(LISTING, params={"limit": 3, "page": key})
    assert first.json() + rest.json() == whole.json()
    assert f"page={key}" in first.headers["link"]


async def test_filters(client: httpx.AsyncClient, official: Official) -> None:
    await post(client, profile(1, label="one"))
    await post(client, official.example("profile-get-200-image"))
    image = official.example("profile-get-200-image")["id"]
    for query, expected in (
        ({"format": "urn:x-tam:format:image"}, [image]),
        ({"codec": "video/h264"}, [uuid4(1)]),
        ({"codec": "video/h264", "label": "two"}, []),
        ({"label": "one"}, [uuid4(1)]),
        ({"reverse_order": "true"}, [image, uuid4(1)]),
    ):
        found = await client.get(LISTING, params=query)
        assert [one["id"] for one in found.json()] == expected, query
    for query in ({"format": "video"}, {"codec": "h264"}, {"limit": "0"}, {"page": "x"}):
        refused = await client.get(LISTING, params=query)
        official.check_answer(LISTING, "GET", refused)
        assert refused.status_code == 400, query


async def test_an_inherited_bit_rate_is_changed_by_unlinking_first(
    client: httpx.AsyncClient, official: Official
) -> None:
    metadata = profile(1)["flow_metadata"] | {"avg_bit_rate": 2479}
    await post(client, profile(1, flow_metadata=metadata))
    flow_id = uuid4(7)
    body = {"id": flow_id, "source_id": uuid4(70), "profile_id": uuid4(1)}
    flow = await put_flow(client, body)
    path = "/flows/{flowId}/avg_bit_rate"
    url = path.format(flowId=flow_id)
    refused = await client.put(url, json=1)
    official.check_answer(path, "PUT", refused)
    assert rules(refused) == [("avg_bit_rate", "profile.linked")]
    assert rules(await client.delete(url)) == [("avg_bit_rate", "profile.linked")]
    assert (await client.get(f"/flows/{flow_id}")).json() == flow
    unlinked = {**flow, "profile_id": ""}
    assert (await client.put(f"/flows/{flow_id}", json=unlinked)).status_code == 204
    assert (await client.put(url, json=1)).status_code == 204
    got = (await client.get(f"/flows/{flow_id}")).json()
    assert (got["avg_bit_rate"], "profile_id" in got) == (1, False)


async def test_init_segments_stay_while_there_are_segments(client: httpx.AsyncClient) -> None:
    body = video(uuid4(1), uuid4(100))
    await put_flow(client, body)
    await fill(client, uuid4(1), 1)
    essence = body["essence_parameters"] | {"init_segments": True}
    refused = await client.put(f"/flows/{uuid4(1)}", json={**body, "essence_parameters": essence})
    assert rules(refused) == [("essence_parameters.init_segments", "init_segments.fixed")]
    empty = video(uuid4(2), uuid4(100))
    await put_flow(client, empty)
    told = await client.put(f"/flows/{uuid4(2)}", json={**empty, "essence_parameters": essence})
    assert told.status_code == 204


def test_our_schemas_tell_right_from_wrong() -> None:
    document = openapi_document()

    def valid(name: str, body: Json) -> bool:
        schema = {"$ref": f"#/components/schemas/{name}", **document}
        return Draft202012Validator(schema).is_valid(body)

    linked = {"id": uuid4(1), "source_id": uuid4(2), "profile_id": uuid4(3)}
    described = video(uuid4(1), uuid4(2))
    assert valid("flow-put", linked)
    assert valid("flow-put", described | {"profile_id": ""})
    assert not valid("flow-put", linked | {"profile_id": ""})
    assert not valid("flow-put", described | linked)
    assert valid("flow-get", described | linked)
    assert valid("profile", profile(1))
    assert not valid("profile", {"id": uuid4(1)})
    multi = {"format": "urn:x-nmos:format:multi"}
    assert not valid("profile", profile(1, flow_metadata=multi))
