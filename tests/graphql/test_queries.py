"""Reading: pages in both directions, nodes by global id, filters, collections, the service."""

from typing import Any

import pytest

from tams_graphql.graphql.connections import global_id
from tests.graphql.conftest import ARCHIVE, DISK, Api

PAGE = """
query Page($first: Int, $after: String, $last: Int, $before: String, $reverse: Boolean! = false) {
  flows(first: $first, after: $after, last: $last, before: $before, reverse: $reverse) {
    nodes { label }
    edges { cursor node { label } }
    pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
    totalCount
  }
}
"""


async def page(api: Api, **given: Any) -> tuple[str, Any]:
    found = (await api.data(PAGE, **given))["flows"]
    labels = [node["label"] for node in found["nodes"]]
    assert labels == [edge["node"]["label"] for edge in found["edges"]]
    assert found["totalCount"] == 5
    cursors = [edge["cursor"] for edge in found["edges"]]
    assert found["pageInfo"]["startCursor"] == (cursors[0] if cursors else None)
    assert found["pageInfo"]["endCursor"] == (cursors[-1] if cursors else None)
    return "".join(labels), found["pageInfo"]


@pytest.fixture
async def five(api: Api) -> Api:
    for label in "edcba":  # the most recently created comes first
        await api.video_flow(label=label)
    return api


async def test_flows_page_forward(five: Api) -> None:
    labels, info = await page(five, first=2)
    assert (labels, info["hasNextPage"], info["hasPreviousPage"]) == ("ab", True, False)
    labels, info = await page(five, first=2, after=info["endCursor"])
    assert (labels, info["hasNextPage"], info["hasPreviousPage"]) == ("cd", True, True)
    labels, info = await page(five, first=2, after=info["endCursor"])
    assert (labels, info["hasNextPage"], info["hasPreviousPage"]) == ("e", False, True)


async def test_flows_page_backward(five: Api) -> None:
    labels, info = await page(five, last=2)
    assert (labels, info["hasNextPage"], info["hasPreviousPage"]) == ("de", False, True)
    labels, info = await page(five, last=2, before=info["startCursor"])
    assert (labels, info["hasNextPage"], info["hasPreviousPage"]) == ("bc", True, True)
    labels, info = await page(five, last=2, before=info["startCursor"])
    assert (labels, info["hasNextPage"], info["hasPreviousPage"]) == ("a", True, False)


async def test_a_reversed_listing_pages_both_ways(five: Api) -> None:
    labels, info = await page(five, first=2, reverse=True)
    assert labels == "ed"
    assert (await page(five, first=2, after=info["endCursor"], reverse=True))[0] == "cb"
    assert (await page(five, last=2, reverse=True))[0] == "ba"


async def test_a_foreign_cursor_is_an_input_error(five: Api) -> None:
    _, info = await page(five, first=2)
    query = "query Q($after: String) { sources(first: 1, after: $after) { nodes { id } } }"
    [error] = await five.errors(query, after=info["endCursor"])
    assert error["extensions"]["code"] == "INVALID_INPUT"
    assert error["extensions"]["problems"][0]["field"] == "after"


async def test_the_flows_of_a_source_go_on_where_the_batched_page_ended(api: Api) -> None:
    first = await api.video_flow(label="3")
    for label in "21":
        await api.video_flow(label=label, sourceId=first["sourceId"])
    query = """query Q($id: UUID!, $after: String, $reverse: Boolean!) { source(sourceId: $id) {
      flows(first: 2, after: $after, reverse: $reverse) {
        nodes { label } pageInfo { endCursor hasNextPage } totalCount } } }"""

    async def labels(after: str | None, *, reverse: bool) -> tuple[str, Any]:
        data = await api.data(query, id=first["sourceId"], after=after, reverse=reverse)
        flows = data["source"]["flows"]
        assert flows["totalCount"] == 3
        return "".join(node["label"] for node in flows["nodes"]), flows["pageInfo"]

    found, info = await labels(None, reverse=False)
    assert (found, info["hasNextPage"]) == ("12", True)
    found, info = await labels(info["endCursor"], reverse=False)
    assert (found, info["hasNextPage"]) == ("3", False)
    assert (await labels(None, reverse=True))[0] == "32"


async def test_segments_page_both_ways(api: Api) -> None:
    flow = await api.video_flow()
    await api.record(flow["flowId"], *(f"[{i}:0_{i + 1}:0)" for i in range(5)))
    query = """query Q($id: UUID!, $first: Int, $after: String, $last: Int, $before: String) {
      flow(flowId: $id) { segments(first: $first, after: $after, last: $last, before: $before) {
        nodes { start } edges { cursor }
        pageInfo { hasNextPage hasPreviousPage startCursor endCursor } totalCount } } }"""

    async def starts(**given: Any) -> tuple[list[str], Any]:
        segments = (await api.data(query, id=flow["flowId"], **given))["flow"]["segments"]
        assert segments["totalCount"] == 5
        cursors = [edge["cursor"] for edge in segments["edges"]]
        assert segments["pageInfo"]["startCursor"] == cursors[0]
        assert segments["pageInfo"]["endCursor"] == cursors[-1]
        return [node["start"] for node in segments["nodes"]], segments["pageInfo"]

    found, info = await starts(first=2)
    assert (found, info["hasNextPage"]) == (["0:0", "1:0"], True)
    found, info = await starts(first=3, after=info["endCursor"])
    assert (found, info["hasNextPage"]) == (["2:0", "3:0", "4:0"], False)
    found, info = await starts(last=2)
    assert (found, info["hasPreviousPage"]) == (["3:0", "4:0"], True)
    found, info = await starts(last=3, before=info["startCursor"])
    assert (found, info["hasPreviousPage"]) == (["0:0", "1:0", "2:0"], False)


async def test_segments_of_one_object_are_found_and_counted(api: Api) -> None:
    flow = await api.video_flow()
    ids = await api.record(flow["flowId"], "[0:0_1:0)", "[1:0_2:0)", "[2:0_3:0)")
    data = await api.data(
        """query Q($id: UUID!, $object: String) { flow(flowId: $id) {
             segments(objectId: $object) { nodes { start } totalCount } } }""",
        id=flow["flowId"],
        object=ids[1],
    )
    assert data["flow"]["segments"] == {"nodes": [{"start": "1:0"}], "totalCount": 1}


async def test_every_node_is_found_again_by_its_global_id(api: Api) -> None:
    flow = await api.video_flow()
    await api.record(flow["flowId"], "[0:0_2:0)")
    query = """query Q($id: UUID!) { flow(flowId: $id) { id source { id }
      segments { nodes { id object { id } } } } storageBackends { nodes { id } } }"""
    data = await api.data(query, id=flow["flowId"])
    [segment] = data["flow"]["segments"]["nodes"]
    backends = [one["id"] for one in data["storageBackends"]["nodes"]]
    ids = [
        data["flow"]["id"],
        data["flow"]["source"]["id"],
        segment["id"],
        segment["object"]["id"],
        *backends,
    ]

    found = await api.data(
        """query Q($ids: [ID!]!, $one: ID!) {
             nodes(ids: $ids) { id __typename } node(id: $one) { ... on FlowSegment { end } } }""",
        ids=ids,
        one=segment["id"],
    )

    assert [node["id"] for node in found["nodes"]] == ids
    assert [node["__typename"] for node in found["nodes"]] == [
        "VideoFlow",
        "Source",
        "FlowSegment",
        "MediaObject",
        "StorageBackend",
        "StorageBackend",
    ]
    assert found["node"] == {"end": "2:0"}
    await api.mutate("deleteFlow", "DeleteFlowInput", "errors { code }", flowId=flow["flowId"])
    gone = await api.data("query Q($ids: [ID!]!) { nodes(ids: $ids) { id } }", ids=ids[:4])
    assert gone == {"nodes": [None] * 4}


@pytest.mark.parametrize("text", ["", "x", "Rmxvdw", "RmxvdzE6eA", "é", "RmxvdzrDKA", "////"])
async def test_a_malformed_global_id_is_an_input_error(api: Api, text: str) -> None:
    [error] = await api.errors("query Q($id: ID!) { node(id: $id) { id } }", id=text)
    assert error["extensions"]["code"] == "INVALID_INPUT"
    assert error["extensions"]["problems"][0]["field"] == "id"


async def test_each_format_is_a_type_of_its_own(api: Api) -> None:
    essences: dict[str, Any] = {
        "AudioFlow": {"audio": {"sampleRate": 48000, "channels": 2}},
        "ImageFlow": {"image": {"frameWidth": 10, "frameHeight": 5}},
        "DataFlow": {"data": {"dataType": "urn:x-tams:data:bounding-box"}},
        "MultiFlow": {"multi": {}},
    }
    for essence in essences.values():
        await api.video_flow(essence=essence, codec="x-test/any", container="x-test/any")
    await api.video_flow()
    data = await api.data(
        """{ flows(reverse: true) { nodes { __typename format
             ... on VideoFlow { video: essenceParameters { frameHeight vfr interlaceMode } }
             ... on AudioFlow { audio: essenceParameters { sampleRate channels } }
             ... on ImageFlow { image: essenceParameters { frameWidth frameHeight } }
             ... on DataFlow { data: essenceParameters { dataType } } } } }"""
    )
    nodes = {node.pop("__typename"): node for node in data["flows"]["nodes"]}
    assert nodes == {
        "AudioFlow": {"format": "AUDIO", **essences["AudioFlow"]},
        "ImageFlow": {"format": "IMAGE", **essences["ImageFlow"]},
        "DataFlow": {"format": "DATA", **essences["DataFlow"]},
        "MultiFlow": {"format": "MULTI"},
        "VideoFlow": {
            "format": "VIDEO",
            "video": {"frameHeight": 1080, "vfr": None, "interlaceMode": None},
        },
    }


async def test_collections_and_their_sources(api: Api) -> None:
    cameras = [await api.video_flow(label=f"camera {i}") for i in (1, 2)]
    programme = await api.video_flow(
        label="programme",
        essence={"multi": {}},
        flowCollection=[
            {
                "flowId": one["flowId"],
                "role": f"angle {i}",
                "containerMapping": {"mp2tsContainer": {"pid": i}},
            }
            for i, one in enumerate(cameras)
        ],
    )
    data = await api.data(
        """query Q($id: UUID!) { flow(flowId: $id) {
             flowCollection { role flow { label collectedBy { label } }
                              containerMapping { mp2tsContainer { pid } } }
             source { sourceCollection { role sourceId source { collectedBy { sourceId } } } } }
           top: flows(filter: {collectedBy: []}) { nodes { label } }
           sources(filter: {collectedBy: []}) { totalCount } }""",
        id=programme["flowId"],
    )
    assert data["flow"]["flowCollection"] == [
        {
            "role": f"angle {i}",
            "flow": {"label": f"camera {i + 1}", "collectedBy": [{"label": "programme"}]},
            "containerMapping": {"mp2tsContainer": {"pid": i}},
        }
        for i in (0, 1)
    ]
    collected = data["flow"]["source"]["sourceCollection"]
    assert {one["sourceId"] for one in collected} == {one["sourceId"] for one in cameras}
    for one in collected:
        assert one["source"] == {"collectedBy": [{"sourceId": programme["sourceId"]}]}
    assert data["top"]["nodes"] == [{"label": "programme"}]
    assert data["sources"]["totalCount"] == 1


async def test_filters_by_tags_and_technical_parameters(api: Api) -> None:
    await api.video_flow(label="a", tags=[{"name": "genre", "values": ["news", "sport"]}])
    await api.video_flow(
        label="b", tags=[{"name": "genre", "values": ["film"]}], status="INGESTING"
    )
    await api.video_flow(label="c")

    async def labels(given: str) -> list[str]:
        data = await api.data(f"{{ flows(filter: {given}, sort: LABEL) {{ nodes {{ label }} }} }}")
        return [node["label"] for node in data["flows"]["nodes"]]

    assert await labels('{tags: [{name: "genre", anyOf: ["sport", "film"]}]}') == ["a", "b"]
    assert await labels('{tags: [{name: "genre", exists: false}]}') == ["c"]
    assert await labels("{status: INGESTING}") == ["b"]
    assert await labels('{codec: "video/h264", frameWidth: 1920, format: VIDEO}') == ["a", "b", "c"]
    assert await labels('{timerange: "()"}') == ["a", "b", "c"]
    assert await labels('{timerange: "0:0_"}') == []
    [error] = await api.errors('{ flows(filter: {tags: [{name: "x"}]}) { nodes { id } } }')
    assert error["extensions"]["problems"][0]["field"] == "filter.tags.0"


async def test_the_service_and_its_storage_backends(api: Api) -> None:
    data = await api.data(
        """{ service { name type apiVersion serviceVersion minObjectTimeout
                       minPresignedUrlTimeout eventStreamMechanisms { name } }
             all: storageBackends { totalCount nodes { storageId label defaultStorage
               tags { name values isList } tag(name: "tier") { values } } }
             hot: storageBackends(tags: [{name: "tier", anyOf: ["hot"]}]) {
               totalCount nodes { label } } }"""
    )
    assert data["service"] == {
        "name": "test",
        "type": "urn:x-tams:service.tams-graphql",
        "apiVersion": "8.2",
        "serviceVersion": "1.2.3",
        "minObjectTimeout": "3600:0",
        "minPresignedUrlTimeout": "900:0",
        "eventStreamMechanisms": [],
    }
    archive, disk = data["all"]["nodes"]
    assert archive["storageId"] == ARCHIVE
    assert disk == {
        "storageId": DISK,
        "label": "disk",
        "defaultStorage": True,
        "tags": [{"name": "tier", "values": ["hot"], "isList": False}],
        "tag": {"values": ["hot"]},
    }
    assert data["hot"] == {"totalCount": 1, "nodes": [{"label": "disk"}]}


async def test_the_id_of_a_segment_of_no_flow_is_no_node(api: Api) -> None:
    assert await api.data(f'{{ node(id: "{global_id("FlowSegment", "x", 0)}") {{ id }} }}') == {
        "node": None
    }
