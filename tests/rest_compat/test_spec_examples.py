"""The spec's own examples: requests are accepted and come back equal, answers are valid."""

from typing import Any

import httpx
import pytest

from tests.rest_compat.official import Official
from tests.rest_compat.stories import Json, put_flow, uuid4, video

MANAGED = {
    "created",
    "metadata_updated",
    "segments_updated",
    "timerange",
    "collected_by",
    "created_by",
    "updated_by",
    "metadata_version",
}


def _content(flow: Json) -> Json:
    return {name: value for name, value in flow.items() if name not in MANAGED}


async def _create_named(client: httpx.AsyncClient, flow: Json) -> None:
    """The flows that a collection names, as simple video."""
    for number, item in enumerate(flow.get("flow_collection", [])):
        if item["id"] != flow["id"]:
            await put_flow(client, video(item["id"], uuid4(900 + number)))


FLOWS = [
    "flow-put",
    "flow-put-multi",
    "flow-get-200-audio-aac",
    "flow-get-200-audio-aac-multi",
    "flow-get-200-audio-wav",
    "flow-get-200-data-ttml",
    "flow-get-200-image-jpeg",
    "flow-get-200-multi",
    "flow-get-200-multi-container-map",
    "flow-get-200-video-h264",
    "flow-get-200-video-h264-cleanfeed",
    "flow-get-200-video-h264-fmp4",
    "flow-get-200-video-h264-mxf",
    "flow-get-200-video-h264-vfr",
    "flow-get-200-video-jpeg-jp2",
    "flow-get-200-video-jpeg-mxf",
    "flow-get-200-video-raw",
]


@pytest.mark.parametrize("name", FLOWS)
async def test_flows_come_back_as_they_were_put(
    client: httpx.AsyncClient, official: Official, name: str
) -> None:
    flow = official.example(name)
    if name in {"flow-put-multi", "flow-get-200-multi"}:  # they would collect themselves
        collection = [i for i in flow["flow_collection"] if i["id"] != flow["id"]]
        flow = {**flow, "flow_collection": collection}
    await _create_named(client, flow)
    created = await client.put(f"/flows/{flow['id']}", json=flow)
    assert created.status_code == 201, created.text
    official.check_answer("/flows/{flowId}", "PUT", created)
    got = await client.get(f"/flows/{flow['id']}")
    assert got.json() == created.json()
    assert _content(got.json()) == _content(flow)
    for given in ("created_by", "updated_by", "metadata_version"):
        if given in flow:
            assert got.json()[given] == flow[given]


async def test_what_was_read_can_be_put_back(client: httpx.AsyncClient, official: Official) -> None:
    flow = official.example("flow-get-200-video-h264-fmp4")
    await put_flow(client, flow)
    read = (await client.get(f"/flows/{flow['id']}")).json()
    assert (await client.put(f"/flows/{flow['id']}", json=read)).status_code == 204
    assert (await client.get(f"/flows/{flow['id']}")).json() == read


async def test_a_collection_is_put_and_read(client: httpx.AsyncClient, official: Official) -> None:
    collection = official.example("flow-collection-put")
    flow = {"id": uuid4(1), "source_id": uuid4(2), "format": "urn:x-nmos:format:multi"}
    await _create_named(client, {"id": flow["id"], "flow_collection": collection})
    await put_flow(client, flow)
    path = f"/flows/{flow['id']}/flow_collection"
    assert (await client.put(path, json=collection)).status_code == 204
    assert (await client.get(path)).json() == collection


@pytest.mark.parametrize("name", ["flow-storage-post", "flow-storage-post-object_ids"])
async def test_storage_is_allocated(
    client: httpx.AsyncClient, official: Official, live_flow: str, name: str
) -> None:
    body = official.example(name)
    answer = await client.post(f"/flows/{live_flow}/storage", json=body)
    assert answer.status_code == 201, answer.text
    official.check_answer("/flows/{flowId}/storage", "POST", answer)
    ids = [o["object_id"] for o in answer.json()["media_objects"]]
    assert len(ids) == body.get("limit", len(body.get("object_ids", [])))
    assert ids == body.get("object_ids", ids)


async def test_a_segment_is_registered_and_its_object_gains_an_instance(
    client: httpx.AsyncClient, official: Official, live_flow: str
) -> None:
    segment: Any = official.example("flow-segment-post")
    await client.post(f"/flows/{live_flow}/storage", json={"object_ids": [segment["object_id"]]})
    path = f"/flows/{live_flow}/segments"
    assert (await client.post(path, json=segment)).status_code == 201
    stored = (await client.get(path)).json()[0]
    assert {name: stored[name] for name in segment} == segment
    instances = f"/objects/{segment['object_id']}/instances"
    uncontrolled = official.example("objects-instances-uncontrolled-post")
    assert (await client.post(instances, json=uncontrolled)).status_code == 201
    urls = (await client.get(path)).json()[0]["get_urls"]
    assert {"url": uncontrolled["url"], "label": uncontrolled["label"], "presigned": False} in urls
