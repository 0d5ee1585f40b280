"""Profiles through GraphQL: what REST makes it reads, and the other way round."""

from typing import Any

import pytest

from rest_compat.errors import install_error_handlers
from rest_compat.router import rest_router
from tams_graphql.metadata.engine import MetadataEngine
from tests.graphql.conftest import Api
from tests.graphql.test_nested import CountingEngine

PROFILE = "329b98d6-adeb-418c-8eaf-eca14edc1706"
OTHER = "749155ed-570b-4777-8a8d-df0a06904b55"
FLOW = "4f79cfd1-c057-47f4-8e4d-1b126ca7bf34"
SOURCE = "41d7f7eb-c48d-4513-9b37-17b418d26d7f"
AUDIO: dict[str, Any] = {
    "codec": "audio/aac",
    "container": "video/mp2t",
    "avgBitRate": 128,
    "segmentDuration": {"numerator": 2},
    "essence": {"audio": {"sampleRate": 48000, "channels": 2}},
}
METADATA: dict[str, Any] = {
    "format": "urn:x-nmos:format:audio",
    "codec": "audio/aac",
    "container": "video/mp2t",
    "avg_bit_rate": 128,
    "segment_duration": {"numerator": 2},
    "essence_parameters": {"sample_rate": 48000, "channels": 2},
}
SHOWN = """
  id profileId format label description codec container avgBitRate createdBy created
  segmentDuration { numerator } containerMapping { trackIndex } tags { name values }
  essenceParameters { ... on AudioEssenceParameters { sampleRate channels } }
"""
ERRORS = "errors { code rule field }"


@pytest.fixture
async def both(api: Api) -> Api:
    """The API with the REST face beside it, on the same store."""
    api.app.include_router(rest_router(api.context, public_url="http://tams.test"))
    install_error_handlers(api.app)
    return api


async def create(api: Api, **fields: Any) -> Any:
    given = {"profileId": PROFILE} | AUDIO | fields
    selection = f"profile {{ {SHOWN} }} {ERRORS}"
    return await api.mutate("createProfile", "CreateProfileInput", selection, **given)


async def put(api: Api, **fields: Any) -> Any:
    selection = f"flow {{ flowId profileId codec profile {{ label }} }} {ERRORS}"
    given = {"flowId": FLOW, "sourceId": SOURCE} | fields
    return await api.mutate("putFlow", "PutFlowInput", selection, **given)


async def test_what_one_face_makes_the_other_reads(both: Api) -> None:
    tags = [{"name": "a", "values": ["b"]}]
    made = await create(both, label="aac", description="d", tags=tags, createdBy="me")
    assert made["errors"] == []
    told = (await both.http.get(f"/service/profiles/{PROFILE}")).json()
    assert made["profile"]["created"] == "2023-11-14T22:13:21Z"
    assert told == {
        "id": PROFILE,
        "label": "aac",
        "description": "d",
        "created_by": "me",
        "created": "2023-11-14T22:13:21.000000Z",
        "tags": {"a": "b"},
        "flow_metadata": METADATA,
    }
    posted = await both.http.post(f"/service/profiles/{OTHER}", json={**told, "id": OTHER})
    assert posted.status_code == 201
    query = f"query P($id: UUID!) {{ profile(profileId: $id) {{ {SHOWN} }} }}"
    read = (await both.data(query, id=OTHER))["profile"]
    own = {"id": read["id"], "profileId": OTHER, "created": "2023-11-14T22:13:22Z"}
    assert read == made["profile"] | own
    assert (await both.data(query, id=FLOW))["profile"] is None


async def test_a_profile_is_a_node(api: Api) -> None:
    made = (await create(api, label="aac"))["profile"]
    query = "query N($id: ID!) { node(id: $id) { id ... on Profile { profileId label } } }"
    found = (await api.data(query, id=made["id"]))["node"]
    assert found == {"id": made["id"], "profileId": PROFILE, "label": "aac"}


async def test_both_faces_refuse_alike(both: Api) -> None:
    await create(both)
    wanted = [{"code": "INVALID_INPUT", "rule": "profile.exists", "field": ["profileId"]}]
    assert (await create(both))["errors"] == wanted
    multi = await create(both, profileId=OTHER, essence={"multi": {}})
    assert [(one["rule"], one["field"]) for one in multi["errors"]] == [
        ("enum", ["essence", "multi"])
    ]
    bad = await create(both, profileId=OTHER, avgBitRate=-1)
    assert [(one["rule"], one["field"]) for one in bad["errors"]] == [("minimum", ["avgBitRate"])]
    listing = (await both.http.get("/service/profiles")).json()
    assert [one["id"] for one in listing] == [PROFILE]


async def test_pages_and_filters_are_those_of_rest(both: Api) -> None:
    ids = [f"329b98d6-adeb-418c-8eaf-eca14edc170{number}" for number in range(4)]
    for profile_id, label in zip(ids, ("c", "a", None, "b"), strict=True):
        assert (await create(both, profileId=profile_id, label=label))["errors"] == []
    order = [one["id"] for one in (await both.http.get("/service/profiles")).json()]
    assert order == [ids[1], ids[3], ids[0], ids[2]]
    query = """query L($first: Int, $after: String, $last: Int, $filter: ProfileFilter) {
      profiles(first: $first, after: $after, last: $last, filter: $filter) {
        nodes { profileId } totalCount pageInfo { hasNextPage endCursor } } }"""

    async def page(**variables: Any) -> Any:
        return (await both.data(query, **variables))["profiles"]

    first = await page(first=3)
    assert (first["totalCount"], first["pageInfo"]["hasNextPage"]) == (4, True)
    rest = await page(first=3, after=first["pageInfo"]["endCursor"])
    assert [one["profileId"] for one in first["nodes"] + rest["nodes"]] == order
    assert [one["profileId"] for one in (await page(last=2))["nodes"]] == order[2:]
    for filters, expected in (
        ({"label": "b"}, [ids[3]]),
        ({"format": "AUDIO", "codec": "audio/aac"}, order),
        ({"format": "VIDEO"}, []),
    ):
        found = await page(filter=filters)
        assert [one["profileId"] for one in found["nodes"]] == expected
        assert found["totalCount"] == len(expected)


async def test_a_flow_is_made_from_a_profile_and_unlinked_by_null(both: Api) -> None:
    await create(both, label="aac")
    made = await put(both, profileId=PROFILE, label="mine")
    linked = {"flowId": FLOW, "profileId": PROFILE, "codec": "audio/aac"}
    assert made == {"flow": {**linked, "profile": {"label": "aac"}}, "errors": []}
    told = (await both.http.get(f"/flows/{FLOW}")).json()
    assert told.items() >= {"profile_id": PROFILE, **METADATA}.items()
    body = {"id": FLOW, "source_id": SOURCE, "label": "mine", "profile_id": PROFILE}
    assert (await both.http.put(f"/flows/{FLOW}", json=body)).status_code == 204
    kept = await put(both, label="mine", **AUDIO)
    assert kept["flow"]["profileId"] == PROFILE
    assert (await both.http.get(f"/flows/{FLOW}")).json() == told
    query = 'query F { flows(filter: {profileId: "%s"}) { nodes { flowId } } }' % PROFILE  # noqa: UP031
    assert (await both.data(query))["flows"]["nodes"] == [{"flowId": FLOW}]
    ended = await put(both, **AUDIO | {"codec": "audio/flac", "profileId": None})
    unlinked = {"flowId": FLOW, "profileId": None, "codec": "audio/flac", "profile": None}
    assert ended == {"flow": unlinked, "errors": []}
    assert (await both.data(query))["flows"]["nodes"] == []
    assert "profile_id" not in (await both.http.get(f"/flows/{FLOW}")).json()


async def test_what_belies_the_profile_is_refused(both: Api) -> None:
    await create(both)
    await put(both, profileId=PROFILE)
    before = (await both.http.get(f"/flows/{FLOW}")).json()
    for fields, expected in (
        ({"profileId": OTHER}, [("profile.unknown", ["profileId"])]),
        ({"profileId": PROFILE, "codec": "audio/aac"}, [("profile.override", ["codec"])]),
        (AUDIO | {"codec": "audio/flac"}, [("profile.linked", ["codec"])]),
        ({"label": "x"}, [("required", ["essence"])]),
        ({"profileId": None}, [("required", ["essence"])]),
        (
            {"profileId": PROFILE, "essence": AUDIO["essence"]},
            [("profile.override", ["essence", "audio"])] * 2,
        ),
    ):
        refused = await put(both, **fields)
        assert [(one["rule"], one["field"]) for one in refused["errors"]] == expected
    rate = await both.mutate("updateFlow", "UpdateFlowInput", ERRORS, flowId=FLOW, avgBitRate=1)
    assert [(one["rule"], one["field"]) for one in rate["errors"]] == [
        ("profile.linked", ["avgBitRate"])
    ]
    assert (await both.http.get(f"/flows/{FLOW}")).json() == before


async def test_an_idempotency_key_tells_ending_the_link_from_keeping_it(api: Api) -> None:
    await create(api)
    await put(api, profileId=PROFILE)
    kept = await put(api, idempotencyKey="k", **AUDIO)
    assert kept["flow"]["profileId"] == PROFILE
    ended = await put(api, idempotencyKey="k", profileId=None, **AUDIO)
    assert [one["rule"] for one in ended["errors"]] == ["idempotency_key.reused"]
    once = [await create(api, profileId=OTHER, idempotencyKey="p") for _ in range(2)]
    assert once[0] == once[1]
    assert once[0]["errors"] == []


async def test_the_profiles_of_a_page_of_flows_are_one_read(engine: MetadataEngine) -> None:
    made = Api(engine)
    for number in range(3):
        profile_id = f"329b98d6-adeb-418c-8eaf-eca14edc170{number}"
        await create(made, profileId=profile_id, label=str(number))
        flow_id = f"4f79cfd1-c057-47f4-8e4d-1b126ca7bf3{number}"
        assert (await put(made, flowId=flow_id, profileId=profile_id))["errors"] == []
    await made.http.aclose()
    counting = CountingEngine(engine)
    api = Api(counting)  # type: ignore[arg-type]
    data = await api.data("{ flows { nodes { profile { label } } } }")
    assert [one["profile"]["label"] for one in data["flows"]["nodes"]] == ["2", "1", "0"]
    assert [read for read in counting.reads if read[1] == "profiles"] == [("get", "profiles", 3)]
    await api.http.aclose()
