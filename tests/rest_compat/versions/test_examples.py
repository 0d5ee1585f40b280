"""The examples of the older versions, each under its own prefix (DECISIONS, examples)."""

from fnmatch import fnmatch
from typing import Any

import httpx
import pytest

from tests.rest_compat.official import FOLDER, find_official
from tests.rest_compat.stories import Json, allocate, put_flow, uuid4, video
from tests.rest_compat.versions.world import OLD, read, version

MANAGED = {
    *("created", "metadata_updated", "segments_updated", "timerange", "collected_by"),
    *("created_by", "updated_by", "metadata_version"),
}


def examples(*patterns: str) -> pytest.MarkDecorator:
    """Runs the test with each old version's examples of these names."""
    found = [
        (old.name, file.stem)
        for old in OLD
        for file in sorted((FOLDER / old.name / "examples").glob("*.json"))
        if any(fnmatch(file.stem, pattern) for pattern in patterns)
    ]
    missing = pytest.param("", "", marks=pytest.mark.skip(f"no specification at {FOLDER}"))
    return pytest.mark.parametrize(("name", "example"), found or [missing])


async def _create_named(client: httpx.AsyncClient, flow: Json) -> None:
    """The flows that a collection names, as simple video."""
    for number, item in enumerate(flow.get("flow_collection", [])):
        await put_flow(client, video(item["id"], uuid4(900 + number)))


@examples("flow-put*", "flow-get-*", "flows-get-*")
async def test_flows_come_back_as_they_were_put(
    client: httpx.AsyncClient, name: str, example: str
) -> None:
    official, prefix = find_official(name), version(name).prefix
    given = official.example(example)
    for flow in given if isinstance(given, list) else [given]:
        if "flow_collection" in flow:  # some would collect themselves
            flow["flow_collection"] = [i for i in flow["flow_collection"] if i["id"] != flow["id"]]
            if example != "flows-get-200":
                await _create_named(client, flow)
            else:
                flow["flow_collection"] = []
        created = await client.put(f"{prefix}/flows/{flow['id']}", json=flow)
        assert created.status_code == 201, created.text
        official.check_answer("/flows/{flowId}", "PUT", created)
        got = await read(client, f"{prefix}/flows/{flow['id']}")
        assert got == created.json()
        assert _without(got, MANAGED) == _without(flow, MANAGED)
        for kept in {"created_by", "updated_by", "metadata_version"} & flow.keys():
            assert got[kept] == flow[kept]


@examples("flow-collection-put")
async def test_a_collection_is_put_and_read(
    client: httpx.AsyncClient, name: str, example: str
) -> None:
    collection = find_official(name).example(example)
    flow = {"id": uuid4(1), "source_id": uuid4(2), "format": "urn:x-nmos:format:multi"}
    await _create_named(client, {"flow_collection": collection})
    await put_flow(client, flow)
    path = f"{version(name).prefix}/flows/{flow['id']}/flow_collection"
    assert (await client.put(path, json=collection)).status_code == 204
    assert await read(client, path) == collection


@examples("flow-storage-post", "flow-storage-post-object_ids")
async def test_storage_is_allocated(
    client: httpx.AsyncClient, live_flow: str, name: str, example: str
) -> None:
    official = find_official(name)
    body = official.example(example)
    answer = await client.post(f"{version(name).prefix}/flows/{live_flow}/storage", json=body)
    assert answer.status_code == 201, answer.text
    official.check_answer("/flows/{flowId}/storage", "POST", answer)
    ids = [one["object_id"] for one in answer.json()["media_objects"]]
    assert len(ids) == body.get("limit", len(body.get("object_ids", [])))
    assert ids == body.get("object_ids", ids)


@examples("flow-segment-post")
async def test_a_segment_is_registered(
    client: httpx.AsyncClient, live_flow: str, name: str, example: str
) -> None:
    official = find_official(name)
    segment = official.example(example)
    await allocate(client, live_flow, segment["object_id"])
    path = f"{version(name).prefix}/flows/{live_flow}/segments"
    answer = await client.post(path, json=segment)
    assert answer.status_code == 201, answer.text
    official.check_answer("/flows/{flowId}/segments", "POST", answer)
    stored = (await read(client, path))[0]
    assert {member: stored[member] for member in segment} == segment


@examples("objects-instances-uncontrolled-post")
async def test_instances_are_added(
    client: httpx.AsyncClient, live_flow: str, name: str, example: str
) -> None:
    body: Any = find_official(name).example(example)
    await allocate(client, live_flow, "one")
    post = {"object_id": "one", "timerange": "[0:0_1:0)"}
    path = version(name).prefix
    assert (await client.post(f"{path}/flows/{live_flow}/segments", json=post)).status_code == 201
    added = await client.post(f"{path}/objects/one/instances", json=body)
    assert added.status_code == 201, added.text
    urls = (await read(client, f"{path}/objects/one"))["get_urls"]
    assert body["url"] in {url["url"] for url in urls}


def _without(members: Json, left_out: set[str]) -> Json:
    return {name: value for name, value in members.items() if name not in left_out}
