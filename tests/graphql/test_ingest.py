"""The ingest, end to end through GraphQL: flow, storage, segments, URLs, edits, deletion."""

from tests.graphql.conftest import ARCHIVE, DISK, Api

BROWSE = """
query Browse($sourceId: UUID!) {
  source(sourceId: $sourceId) {
    flows(first: 3) {
      nodes {
        __typename
        label
        timerange { timerange start end duration }
        segments(timerange: "[0:0_5:0)") {
          nodes { timerange start end duration objectId tsOffset
                  getUrls { url headUrl label presigned controlled storageBackend { label } } }
          pageInfo { hasNextPage }
          totalCount
        }
        ... on VideoFlow { essenceParameters { frameWidth frameRate { numerator denominator } } }
      }
    }
  }
}
"""


async def test_from_a_source_to_playable_urls_in_one_request(api: Api) -> None:
    flow = await api.video_flow(label="camera 1")
    ids = await api.record(flow["flowId"], "[0:0_2:0)", "[2:0_4:0)", "[6:0_8:0)")

    data = await api.data(BROWSE, sourceId=flow["sourceId"])

    [found] = data["source"]["flows"]["nodes"]
    assert found["__typename"] == "VideoFlow"
    assert found["essenceParameters"] == {
        "frameWidth": 1920,
        "frameRate": {"numerator": 25, "denominator": None},
    }
    assert found["timerange"] == {
        "timerange": "[0:0_8:0)",
        "start": "0:0",
        "end": "8:0",
        "duration": "8:0",
    }
    segments = found["segments"]
    assert [one["objectId"] for one in segments["nodes"]] == ids[:2]
    assert segments["pageInfo"] == {"hasNextPage": False}
    assert segments["totalCount"] == 2
    [url] = segments["nodes"][1]["getUrls"]
    assert url["url"].startswith(f"memory://{DISK}/get/")
    assert url["headUrl"].startswith(f"memory://{DISK}/head/")
    assert url == url | {
        "label": "disk",
        "presigned": True,
        "controlled": True,
        "storageBackend": {"label": "disk"},
    }


async def test_urls_are_signed_only_when_selected(api: Api) -> None:
    flow = await api.video_flow()
    await api.record(flow["flowId"], "[0:0_2:0)")
    store = api.stores.by_id[DISK]
    query = "query Q($id: UUID!) { flow(flowId: $id) { segments { nodes { objectId %s } } } }"

    await api.data(query % "", id=flow["flowId"])
    assert store.signed == []  # type: ignore[attr-defined]

    await api.data(query % "getUrls { url }", id=flow["flowId"])
    assert store.signed == [("get", 1)]  # type: ignore[attr-defined]


async def test_a_registration_succeeds_and_fails_item_by_item(api: Api) -> None:
    flow = await api.video_flow()
    [first] = await api.record(flow["flowId"], "[0:0_2:0)")
    [spare] = await _allocate(api, flow["flowId"], 1)

    payload = await api.mutate(
        "registerSegments",
        "RegisterSegmentsInput",
        """registeredCount registered { objectId timerange }
           failed { index objectId timerange errors { code rule field message } }
           errors { code } flow { segmentCount } clientMutationId""",
        flowId=flow["flowId"],
        clientMutationId="mine",
        segments=[
            {"objectId": spare, "timerange": "[1:0_3:0)"},
            {"objectId": spare, "timerange": "[2:0_4:0)"},
        ],
    )

    assert payload["registered"] == [{"objectId": spare, "timerange": "[2:0_4:0)"}]
    assert payload["registeredCount"] == 1
    assert payload["flow"] == {"segmentCount": 2}
    assert payload["errors"] == []
    assert payload["clientMutationId"] == "mine"
    [failed] = payload["failed"]
    assert (failed["index"], failed["objectId"]) == (0, spare)
    assert failed["timerange"] == "[1:0_3:0)"
    assert failed["errors"][0]["code"] == "OVERLAP"
    assert first in failed["errors"][0]["message"]


async def test_an_uncontrolled_url_comes_back_as_it_was_given(api: Api) -> None:
    flow = await api.video_flow()
    payload = await api.mutate(
        "registerSegments",
        "RegisterSegmentsInput",
        "registered { getUrls { url label presigned controlled headUrl } } failed { index }",
        flowId=flow["flowId"],
        segments=[
            {
                "objectId": "elsewhere",
                "timerange": "[0:0_2:0)",
                "tsOffset": "1:5",
                "keyFrameCount": 2,
                "getUrls": [{"url": "https://cdn.example.com/a.ts", "label": "cdn"}],
            }
        ],
    )
    assert payload["failed"] == []
    assert payload["registered"] == [
        {
            "getUrls": [
                {
                    "url": "https://cdn.example.com/a.ts",
                    "label": "cdn",
                    "presigned": False,
                    "controlled": False,
                    "headUrl": None,
                }
            ]
        }
    ]
    query = """query Q($id: UUID!) { flow(flowId: $id) { segments { nodes {
      tsOffset keyFrameCount objectTimerange lastDuration initObject { objectId }
      object { objectId role keyFrameCount timerange { timerange }
               instances { label controlled url storageBackend { label } }
               referencedByFlows { nodes { flowId } totalCount }
               firstReferencedByFlow { flowId } } } } } }"""
    found = await api.data(query, id=flow["flowId"])
    [segment] = found["flow"]["segments"]["nodes"]
    assert segment["tsOffset"] == "1:5"
    assert segment["keyFrameCount"] == 2
    assert segment["lastDuration"] is None
    assert segment["initObject"] is None
    assert segment["object"] == {
        "objectId": "elsewhere",
        "role": "MEDIA",
        "keyFrameCount": 2,
        "timerange": {"timerange": segment["objectTimerange"]},
        "instances": [
            {
                "label": "cdn",
                "controlled": False,
                "url": "https://cdn.example.com/a.ts",
                "storageBackend": None,
            }
        ],
        "referencedByFlows": {"nodes": [{"flowId": flow["flowId"]}], "totalCount": 1},
        "firstReferencedByFlow": {"flowId": flow["flowId"]},
    }


async def test_object_instances_come_and_go(api: Api) -> None:
    flow = await api.video_flow()
    [object_id] = await api.record(flow["flowId"], "[0:0_2:0)")
    selection = "object { instances { label } } errors { code field message }"

    added = await api.mutate(
        "addObjectInstance",
        "AddObjectInstanceInput",
        selection,
        objectId=object_id,
        url="https://cdn.example.com/b.ts",
        label="cdn",
    )
    assert added["errors"] == []
    assert added["object"]["instances"] == [{"label": "disk"}, {"label": "cdn"}]

    refused = await api.mutate(
        "addObjectInstance",
        "AddObjectInstanceInput",
        selection,
        objectId=object_id,
        url="https://cdn.example.com/b.ts",
        storageId=ARCHIVE,
    )
    assert refused["object"] is None
    assert refused["errors"][0]["field"] == ["storageId"]

    removed = await api.mutate(
        "removeObjectInstance",
        "RemoveObjectInstanceInput",
        selection,
        objectId=object_id,
        label="cdn",
    )
    assert removed["object"]["instances"] == [{"label": "disk"}]


async def test_what_is_only_elsewhere_is_not_fetched(api: Api) -> None:
    flow = await api.video_flow()
    urls = [{"url": "http://169.254.169.254/secret", "label": "cdn"}]
    await api.mutate(
        "registerSegments",
        "RegisterSegmentsInput",
        "failed { index }",
        flowId=flow["flowId"],
        segments=[{"objectId": "elsewhere", "timerange": "[0:0_2:0)", "getUrls": urls}],
    )
    refused = await api.mutate(
        "addObjectInstance",
        "AddObjectInstanceInput",
        "object { objectId } errors { code field message }",
        objectId="elsewhere",
        storageId=ARCHIVE,
    )
    assert refused["object"] is None
    [error] = refused["errors"]
    assert (error["code"], error["field"]) == ("INVALID_INPUT", ["storageId"])
    assert "fetches nothing from other URLs" in error["message"]


async def test_coverage_and_gaps(api: Api) -> None:
    flow = await api.video_flow()
    await api.record(flow["flowId"], "[0:0_2:0)", "[2:0_4:0)", "[6:0_8:0)")
    query = """query Q($id: UUID!, $gap: Timestamp!) { flow(flowId: $id) {
      coverage(minGap: $gap) { timerange duration }
      gaps(minDuration: $gap) { timerange }
      timerange(within: "[3:0_5:0)") { timerange }
      source { timeline { covered { timerange } tracks { flow { flowId } coverage { end } } } }
    } }"""

    exact = (await api.data(query, id=flow["flowId"], gap="0:0"))["flow"]
    bridged = (await api.data(query, id=flow["flowId"], gap="3:0"))["flow"]

    assert exact["coverage"] == [
        {"timerange": "[0:0_4:0)", "duration": "4:0"},
        {"timerange": "[6:0_8:0)", "duration": "2:0"},
    ]
    assert exact["gaps"] == [{"timerange": "[4:0_6:0)"}]
    assert exact["timerange"] == {"timerange": "[2:0_4:0)"}
    assert exact["source"]["timeline"] == {
        "covered": [{"timerange": "[0:0_4:0)"}, {"timerange": "[6:0_8:0)"}],
        "tracks": [
            {"flow": {"flowId": flow["flowId"]}, "coverage": [{"end": "4:0"}, {"end": "8:0"}]}
        ],
    }
    assert bridged["coverage"] == [{"timerange": "[0:0_8:0)", "duration": "8:0"}]
    assert bridged["gaps"] == []


async def test_a_composed_flow_plays_clips_by_reference(api: Api) -> None:
    flow = await api.video_flow()
    ids = await api.record(flow["flowId"], "[0:0_2:0)", "[2:0_4:0)")

    payload = await api.mutate(
        "composeFlow",
        "ComposeFlowInput",
        """flow { flowId timerange { timerange }
                  segments { nodes { timerange objectId tsOffset objectTimerange } } }
           errors { code field message }""",
        codec="video/h264",
        container="video/mp2t",
        essence={
            "video": {"frameWidth": 1920, "frameHeight": 1080, "frameRate": {"numerator": 25}}
        },
        start="100:0",
        clips=[{"flowId": flow["flowId"], "timerange": "[1:0_3:0)"}],
    )

    assert payload["errors"] == []
    assert payload["flow"]["timerange"] == {"timerange": "[100:0_102:0)"}
    segments = payload["flow"]["segments"]["nodes"]
    assert [(one["timerange"], one["objectId"]) for one in segments] == [
        ("[100:0_101:0)", ids[0]),
        ("[101:0_102:0)", ids[1]),
    ]


async def test_segments_go_by_timerange_and_flows_as_a_whole(api: Api) -> None:
    flow = await api.video_flow()
    await api.record(flow["flowId"], "[0:0_2:0)", "[2:0_4:0)", "[6:0_8:0)")

    nothing = await api.mutate(
        "deleteSegments",
        "DeleteSegmentsInput",
        "deletedCount errors { code field }",
        flowId=flow["flowId"],
    )
    assert nothing == {
        "deletedCount": 0,
        "errors": [{"code": "INVALID_INPUT", "field": ["timerange"]}],
    }

    some = await api.mutate(
        "deleteSegments",
        "DeleteSegmentsInput",
        "deletedCount flow { segmentCount } errors { code }",
        flowId=flow["flowId"],
        timerange="[1:0_7:0)",
    )
    assert some == {"deletedCount": 1, "flow": {"segmentCount": 2}, "errors": []}

    gone = await api.mutate(
        "deleteFlow",
        "DeleteFlowInput",
        "deletedFlowId errors { code }",
        flowId=flow["flowId"],
    )
    assert gone == {"deletedFlowId": flow["flowId"], "errors": []}
    query = "query Q($f: UUID!, $s: UUID!) { flow(flowId: $f) { id } source(sourceId: $s) { id } }"
    assert await api.data(query, f=flow["flowId"], s=flow["sourceId"]) == {
        "flow": None,
        "source": None,
    }


async def _allocate(api: Api, flow_id: str, count: int) -> list[str]:
    payload = await api.mutate(
        "allocateStorage",
        "AllocateStorageInput",
        "objects { objectId upload { url contentType headers { name value } } } errors { code }",
        flowId=flow_id,
        count=count,
    )
    for one in payload["objects"]:
        assert one["upload"]["url"].startswith(f"memory://{DISK}/put/")
        assert one["upload"]["contentType"] == "video/mp2t"
    return [one["objectId"] for one in payload["objects"]]


async def test_an_upload_bound_to_a_digest_says_so_and_is_saved_with_its_answer(api: Api) -> None:
    flow = await api.video_flow()
    digest = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
    given = {"flowId": flow["flowId"], "sha256": [digest], "idempotencyKey": "k"}
    shown = "objects { objectId upload { headers { name value } } } errors { field rule }"
    told = [
        await api.mutate("allocateStorage", "AllocateStorageInput", shown, **given)
        for _ in range(2)
    ]
    assert told[0] == told[1]
    (allocated,) = told[0]["objects"]
    header = {"name": "x-amz-checksum-sha256", "value": digest}
    assert allocated["upload"] == {"headers": [header]}
    bad = given | {"sha256": ["x"], "idempotencyKey": "other"}
    refused = await api.mutate("allocateStorage", "AllocateStorageInput", shown, **bad)
    assert refused["errors"] == [{"field": ["sha256", "0"], "rule": "digest.format"}]
