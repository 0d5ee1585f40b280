"""Mutations of metadata: all or nothing, refusals as data, creations that can be repeated."""

from typing import Any

import pytest

from tams_graphql.graphql import segment_changes
from tams_graphql.graphql.connections import PageLimits
from tests.graphql.conftest import Api

FLOW = "label description readOnly maxBitRate tags { name values isList } metadataVersion"


async def test_a_flow_changes_as_a_whole(api: Api) -> None:
    flow = await api.video_flow(
        label="old",
        description="stays",
        tags=[{"name": "a", "values": ["1"]}, {"name": "b", "values": ["2"], "asList": True}],
    )
    payload = await api.mutate(
        "updateFlow",
        "UpdateFlowInput",
        f"flow {{ {FLOW} }} errors {{ code field }}",
        flowId=flow["flowId"],
        label=None,
        maxBitRate=5000,
        setTags=[{"name": "c", "values": ["3", "4"]}],
        removeTags=["a"],
    )
    assert payload["errors"] == []
    assert payload["flow"] == payload["flow"] | {
        "label": None,
        "description": "stays",
        "maxBitRate": 5000,
        "tags": [
            {"name": "b", "values": ["2"], "isList": True},
            {"name": "c", "values": ["3", "4"], "isList": True},
        ],
    }


async def test_a_refused_change_changes_nothing(api: Api) -> None:
    flow = await api.video_flow(label="old")
    query = f"query Q($id: UUID!) {{ flow(flowId: $id) {{ {FLOW} metadataUpdated }} }}"
    before = await api.data(query, id=flow["flowId"])
    payload = await api.mutate(
        "updateFlow",
        "UpdateFlowInput",
        "flow { label } errors { code field message }",
        flowId=flow["flowId"],
        label="new",
        maxBitRate=-1,
    )
    assert payload["flow"] is None
    [error] = payload["errors"]
    assert (error["code"], error["field"]) == ("INVALID_INPUT", ["maxBitRate"])

    payload = await api.mutate(
        "updateFlow",
        "UpdateFlowInput",
        "errors { code rule field }",
        flowId=flow["flowId"],
        label="new",
        removeTags=["no such tag"],
    )
    assert payload["errors"] == [
        {"code": "NOT_FOUND", "rule": "not_found", "field": ["removeTags"]}
    ]
    assert await api.data(query, id=flow["flowId"]) == before


async def test_a_read_only_flow_can_only_be_made_writable(api: Api) -> None:
    flow = await api.video_flow(readOnly=True)
    change: dict[str, Any] = {"flowId": flow["flowId"]}
    selection = "flow { readOnly label } errors { code }"
    refused = await api.mutate("updateFlow", "UpdateFlowInput", selection, **change, label="x")
    assert refused == {"flow": None, "errors": [{"code": "FORBIDDEN"}]}
    done = await api.mutate("updateFlow", "UpdateFlowInput", selection, **change, readOnly=False)
    assert done == {"flow": {"readOnly": False, "label": None}, "errors": []}


async def test_a_source_changes_as_a_whole(api: Api) -> None:
    flow = await api.video_flow()
    payload = await api.mutate(
        "updateSource",
        "UpdateSourceInput",
        """source { label description tags { name values } flows { nodes { flowId } } }
           errors { code }""",
        sourceId=flow["sourceId"],
        label="Studio",
        setTags=[{"name": "room", "values": ["7"]}],
    )
    assert payload == {
        "source": {
            "label": "Studio",
            "description": None,
            "tags": [{"name": "room", "values": ["7"]}],
            "flows": {"nodes": [{"flowId": flow["flowId"]}]},
        },
        "errors": [],
    }


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"essence": {"video": {"frameWidth": 0, "frameHeight": 5, "vfr": True}}}, "frameWidth"),
        ({"essence": {"audio": {"sampleRate": 48000, "channels": -1}}}, "channels"),
        ({"tags": [{"name": "a", "values": ["1"]}, {"name": "a", "values": []}]}, "name"),
        ({"maxBitRate": -1}, "maxBitRate"),
    ],
)
async def test_what_is_wrong_with_a_flow_is_data_with_a_path(
    api: Api, fields: dict[str, Any], path: str
) -> None:
    given = {
        "codec": "video/h264",
        "essence": {"video": {"frameWidth": 1, "frameHeight": 1, "vfr": True}},
    }
    payload = await api.mutate(
        "putFlow",
        "PutFlowInput",
        "flow { id } errors { code field message }",
        **(given | fields),
    )
    assert payload["flow"] is None
    [error] = payload["errors"]
    assert error["code"] == "INVALID_INPUT"
    assert error["field"][-1] == path
    assert (await api.data("{ flows { totalCount } }")) == {"flows": {"totalCount": 0}}


async def test_exactly_one_essence_is_given(api: Api) -> None:
    both = {"audio": {"sampleRate": 1, "channels": 1}, "multi": {}}
    errors = await api.errors(
        "mutation M($input: PutFlowInput!) { putFlow(input: $input) { created } }",
        input={"essence": both},
    )
    assert errors[0]["extensions"]["code"] == "INVALID_INPUT"


@pytest.mark.parametrize("name", ["updateFlow", "deleteFlow"])
async def test_what_does_not_exist_is_told_by_the_field_of_its_id(api: Api, name: str) -> None:
    kind = f"{name[0].upper()}{name[1:]}Input"
    payload = await api.mutate(
        name,
        kind,
        "errors { code field } clientMutationId",
        flowId="00000000-0000-4000-8000-000000000000",
        clientMutationId="7",
    )
    assert payload == {
        "errors": [{"code": "NOT_FOUND", "field": ["flowId"]}],
        "clientMutationId": "7",
    }


async def test_a_creation_with_the_same_key_and_input_gives_the_saved_answer(api: Api) -> None:
    first = await api.video_flow(label="once", idempotencyKey="k")
    again = {
        "codec": "video/h264",
        "container": "video/mp2t",
        "essence": {
            "video": {"frameWidth": 1920, "frameHeight": 1080, "frameRate": {"numerator": 25}}
        },
        "label": "once",
        "idempotencyKey": "k",
    }
    selection = "created flow { flowId } errors { code rule field }"
    same = await api.mutate("putFlow", "PutFlowInput", selection, **again, clientMutationId="x")
    other = await api.mutate("putFlow", "PutFlowInput", selection, **(again | {"label": "two"}))

    assert same == {"created": True, "flow": {"flowId": first["flowId"]}, "errors": []}
    assert other == {
        "created": False,
        "flow": None,
        "errors": [
            {"code": "CONFLICT", "rule": "idempotency_key.reused", "field": ["idempotencyKey"]}
        ],
    }
    assert (await api.data("{ flows { totalCount } }")) == {"flows": {"totalCount": 1}}


async def test_an_allocation_and_a_registration_can_be_repeated(api: Api) -> None:
    flow = await api.video_flow()
    given = {"flowId": flow["flowId"], "count": 1000, "idempotencyKey": "k"}
    selection = "objects { objectId upload { url } } errors { code }"
    first = await api.mutate("allocateStorage", "AllocateStorageInput", selection, **given)
    again = await api.mutate("allocateStorage", "AllocateStorageInput", selection, **given)
    assert (len(first["objects"]), first["errors"]) == (1000, [])
    places = [
        [(one["objectId"], one["upload"]["url"].split("?")[0]) for one in answer["objects"]]
        for answer in (first, again)
    ]
    assert places[0] == places[1]

    posts = [
        {"objectId": one["objectId"], "timerange": f"[{i}:0_{i + 1}:0)"}
        for i, one in enumerate(first["objects"][:2])
    ]
    posts.append(posts[0] | {"timerange": "[0:5_2:0)"})
    register = {"flowId": flow["flowId"], "segments": posts, "idempotencyKey": "l"}
    selection = """registeredCount registered { objectId timerange }
      failed { index timerange errors { code message } } errors { code }"""
    first = await api.mutate("registerSegments", "RegisterSegmentsInput", selection, **register)
    again = await api.mutate("registerSegments", "RegisterSegmentsInput", selection, **register)
    assert first["registeredCount"] == 2
    assert first["registered"] == posts[:2]
    assert [one["index"] for one in first["failed"]] == [2]
    assert again == first

    everything = {"flowId": flow["flowId"], "timerange": "_"}
    await api.mutate("deleteSegments", "DeleteSegmentsInput", "deletedCount", **everything)
    later = await api.mutate("registerSegments", "RegisterSegmentsInput", selection, **register)
    assert later == first | {"registered": []}
    assert await api.data(
        "query Q($id: UUID!) { flow(flowId: $id) { segmentCount } }", id=flow["flowId"]
    ) == {"flow": {"segmentCount": 0}}

    # Two of its objects went with their segments: no URL is signed for them any more.
    selection_of_places = "objects { objectId } errors { code rule field }"
    expired = await api.mutate(
        "allocateStorage", "AllocateStorageInput", selection_of_places, **given
    )
    problem = {"code": "CONFLICT", "rule": "allocation.expired", "field": ["idempotencyKey"]}
    assert expired == {"objects": [], "errors": [problem]}

    register["segments"] = posts[:1]
    refused = await api.mutate("registerSegments", "RegisterSegmentsInput", selection, **register)
    assert refused["errors"] == [{"code": "CONFLICT"}]


VIDEO = {"frameWidth": 1920, "frameHeight": 1080, "frameRate": {"numerator": 25}}
UNKNOWN = "b0000000-0000-4000-8000-00000000000f"


async def test_refusals_name_fields_of_the_input_and_not_of_rest(api: Api) -> None:
    payload = await api.mutate(
        "putFlow",
        "PutFlowInput",
        "errors { field rule }",
        codec="video/h264",
        essence={"video": VIDEO | {"frameWidth": 0}},
    )
    assert payload["errors"] == [{"field": ["essence", "video", "frameWidth"], "rule": "minimum"}]

    flow = await api.video_flow(container=None)
    collected = await api.mutate(
        "updateFlow",
        "UpdateFlowInput",
        "errors { field rule }",
        flowId=flow["flowId"],
        flowCollection=[{"flowId": UNKNOWN}],
    )
    assert collected["errors"] == [
        {"field": ["flowCollection", "0", "flowId"], "rule": "not_found"}
    ]

    storage = {"flowId": flow["flowId"], "count": 1}
    selection = "errors { field rule }"
    bare = await api.mutate("allocateStorage", "AllocateStorageInput", selection, **storage)
    assert bare["errors"] == [{"field": ["flowId"], "rule": "flow.no_container"}]

    locked = await api.video_flow(readOnly=True)
    storage["flowId"] = locked["flowId"]
    read_only = await api.mutate("allocateStorage", "AllocateStorageInput", selection, **storage)
    assert read_only["errors"] == [{"field": ["flowId"], "rule": "read_only"}]


@pytest.mark.parametrize(
    ("given", "rule"),
    [
        ({"count": 0}, "count.range"),
        ({"count": 1001}, "count.range"),
        ({"count": 1, "objectIds": ["a"]}, "count_or_object_ids"),
    ],
)
async def test_a_count_of_objects_is_refused_and_never_clamped(
    api: Api, given: dict[str, Any], rule: str
) -> None:
    flow = await api.video_flow()
    payload = await api.mutate(
        "allocateStorage",
        "AllocateStorageInput",
        "objects { objectId } errors { field rule }",
        flowId=flow["flowId"],
        **given,
    )
    assert payload == {"objects": [], "errors": [{"field": ["count"], "rule": rule}]}


async def test_a_composition_names_the_clip_whose_flow_is_missing(api: Api) -> None:
    flow = await api.video_flow()
    await api.record(flow["flowId"], "[0:0_2:0)")
    payload = await api.mutate(
        "composeFlow",
        "ComposeFlowInput",
        "errors { code field }",
        codec="video/h264",
        container="video/mp2t",
        essence={"video": VIDEO},
        clips=[
            {"flowId": flow["flowId"], "timerange": "[0:0_1:0)"},
            {"flowId": UNKNOWN, "timerange": "[0:0_1:0)"},
        ],
    )
    assert payload["errors"] == [{"code": "NOT_FOUND", "field": ["clips", "1", "flowId"]}]


async def test_a_repeated_registration_finds_its_segments_among_many_others(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    flow = await api.video_flow()
    await api.record(flow["flowId"], "[1:0_2:0)", "[2:0_3:0)", "[3:0_4:0)")
    allocated = await api.mutate(
        "allocateStorage",
        "AllocateStorageInput",
        "objects { objectId }",
        flowId=flow["flowId"],
        count=2,
    )
    ids = [one["objectId"] for one in allocated["objects"]]
    monkeypatch.setattr(segment_changes, "SEGMENTS", PageLimits(2, 2))
    answers = [
        await api.mutate(
            "registerSegments",
            "RegisterSegmentsInput",
            "registeredCount registered { objectId timerange } failed { index }",
            flowId=flow["flowId"],
            idempotencyKey="once",
            segments=[
                {"objectId": ids[0], "timerange": "[0:0_1:0)"},
                {"objectId": ids[1], "timerange": "[4:0_5:0)"},
            ],
        )
        for _ in range(2)
    ]
    assert [one["objectId"] for one in answers[0]["registered"]] == ids
    assert answers[1] == answers[0]


async def test_what_is_said_about_the_service_stays_until_null_takes_it_back(api: Api) -> None:
    async def said(**changes: str | None) -> Any:
        query = """mutation M($input: UpdateServiceInput!) {
          updateService(input: $input) { service { name description } errors { rule field } }
        }"""
        return (await api.data(query, input=changes))["updateService"]

    changed = {"service": {"name": "Vault", "description": "of news"}, "errors": []}
    assert await said(name="Vault", description="of news") == changed
    assert (await said(description=None))["service"] == {"name": "Vault", "description": None}
    read = await api.data("{ service { name description } }")
    assert read["service"] == {"name": "Vault", "description": None}
    refused = await said(name="x" * 200_000)
    assert refused == {"service": None, "errors": [{"rule": "size", "field": ["name"]}]}
    assert await api.data("{ service { name description } }") == read
