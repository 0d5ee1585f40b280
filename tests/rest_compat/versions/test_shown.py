"""What older versions are shown of a store that the newest has filled."""

import httpx
import pytest

from rest_compat.version_rules import strict_mime
from rest_compat.versions import Version
from tests.rest_compat.conftest import ARCHIVE, DISK
from tests.rest_compat.stories import put_flow, register, seconds, uuid4, video
from tests.rest_compat.versions.world import (
    AUDIO,
    IMAGE,
    MULTI,
    ODD_CODEC,
    SOURCES,
    VIDEO,
    read,
    versions,
)

SIZE = {"frame_width": 1920, "frame_height": 1080}


async def test_only_6_0_tells_its_media_store(world: httpx.AsyncClient) -> None:
    timeouts = {"min_object_timeout": "3600:0", "min_presigned_url_timeout": "600:0"}
    members = {"name": "test", "type": "urn:x-tams:service.tams-graphql", "service_version": "1"}
    assert await read(world, "/v6.0/service") == {
        **members,
        "api_version": "6.0",
        "media_store": {"type": "http_object_store"},
    }
    assert await read(world, "/v8.0/service") == {**members, "api_version": "8.0"}
    assert await read(world, "/v8.1/service") == {**members, "api_version": "8.1", **timeouts}


@versions("6.0", "7.0", "8.0", "8.1")
async def test_what_came_with_8_2_is_left_out(world: httpx.AsyncClient, version: Version) -> None:
    flow = await read(world, f"{version.prefix}/flows/{VIDEO}")
    assert "status" not in flow
    audio = await read(world, f"{version.prefix}/flows/{AUDIO}")
    assert audio["essence_parameters"] == {"sample_rate": 48000, "channels": 2}
    assert "essence_parameters" not in await read(world, f"{version.prefix}/flows/{MULTI}")
    segment = (await read(world, f"{version.prefix}/flows/{AUDIO}/segments"))[0]
    assert (segment["object_id"], "init_object" in segment) == ("sound", False)


@versions("6.0", "7.0")
async def test_what_came_with_8_0_is_left_out(world: httpx.AsyncClient, version: Version) -> None:
    flow = await read(world, f"{version.prefix}/flows/{VIDEO}")
    assert flow["essence_parameters"] == SIZE
    query = "?include_object_timerange=true"
    segment = (await read(world, f"{version.prefix}/flows/{VIDEO}/segments{query}"))[0]
    assert "object_timerange" not in segment


@versions("6.0", "7.0")
async def test_lists_of_tags_are_joined(world: httpx.AsyncClient, version: Version) -> None:
    flow = f"{version.prefix}/flows/{VIDEO}"
    joined = {"genres": "drama,crime, true", "studio": "seven", "nothing": ""}
    assert (await read(world, flow))["tags"] == joined
    assert await read(world, f"{flow}/tags") == joined
    assert await read(world, f"{flow}/tags/genres") == "drama,crime, true"
    source = f"{version.prefix}/sources/{SOURCES[VIDEO]}"
    assert (await read(world, source))["tags"] == {"genres": "drama,crime"}


@versions("8.0", "8.1")
async def test_only_a_tag_by_itself_is_joined(world: httpx.AsyncClient, version: Version) -> None:
    flow = f"{version.prefix}/flows/{VIDEO}"
    assert (await read(world, flow))["tags"]["genres"] == ["drama", "crime, true"]
    assert (await read(world, f"{flow}/tags"))["genres"] == ["drama", "crime, true"]
    assert await read(world, f"{flow}/tags/genres") == "drama,crime, true"


@versions("6.0", "7.0")
async def test_a_tag_is_asked_for_as_a_whole(world: httpx.AsyncClient, version: Version) -> None:
    async def found(query: str) -> set[str]:
        listed = await read(world, f"{version.prefix}/flows?{query}")
        return {flow["id"] for flow in listed} & {VIDEO, other}

    other = uuid4(700)
    await put_flow(world, video(other, uuid4(701), tags={"genres": "drama,crime, true"}))
    assert await found("tag.genres=drama,crime, true") == {VIDEO, other}
    assert await found("tag.genres=drama") == set()
    assert await found("tag.nothing=") == {VIDEO}
    assert await found("tag_exists.nothing=true") == {VIDEO}
    newest = await read(world, "/flows?tag.genres=drama")
    assert VIDEO in {flow["id"] for flow in newest}


async def test_a_long_whole_tag_is_found_without_its_index(world: httpx.AsyncClient) -> None:
    values = [str(number) for number in range(100)]
    await world.put(f"/flows/{VIDEO}/tags/numbers", json=values)
    listed = await read(world, f"/v7.0/flows?tag.numbers={','.join(values)}")
    assert [flow["id"] for flow in listed] == [VIDEO]


@versions("6.0", "7.0", "8.0", "8.1")
async def test_members_without_a_role_have_an_empty_one(
    world: httpx.AsyncClient, version: Version
) -> None:
    shown = [{"id": VIDEO, "role": ""}, {"id": IMAGE, "role": "poster"}, {"id": AUDIO, "role": ""}]
    if version.name == "6.0":
        del shown[1]
    path = f"{version.prefix}/flows/{MULTI}"
    assert await read(world, f"{path}/flow_collection") == shown
    assert (await read(world, path))["flow_collection"] == shown
    source = await read(world, f"{version.prefix}/sources/{SOURCES[MULTI]}")
    assert source["source_collection"] == [{**one, "id": SOURCES[str(one["id"])]} for one in shown]


async def test_images_do_not_exist_in_6_0(world: httpx.AsyncClient) -> None:
    for path in ("", "/tags", "/label", "/read_only", "/flow_collection"):
        await read(world, f"/v7.0/flows/{IMAGE}{'' if path == '/label' else path}")
        told = await read(world, f"/v6.0/flows/{IMAGE}{path}", 404)
        assert told["type"] == "NOT_FOUND"
    await read(world, f"/v6.0/sources/{SOURCES[IMAGE]}", 404)
    await read(world, f"/v6.0/sources/{SOURCES[IMAGE]}/tags", 404)
    assert len(await read(world, f"/v7.0/flows/{IMAGE}/segments")) == 1
    assert await read(world, f"/v6.0/flows/{IMAGE}/segments") == []
    for noun, hidden in (("flows", IMAGE), ("sources", SOURCES[IMAGE])):
        newer = await read(world, f"/v7.0/{noun}")
        older = await read(world, f"/v6.0/{noun}")
        assert [one["id"] for one in older] == [one["id"] for one in newer if one["id"] != hidden]
    assert (await read(world, f"/v6.0/flows/{VIDEO}"))["collected_by"] == [MULTI]
    assert (await read(world, f"/v7.0/flows/{VIDEO}"))["collected_by"] == [IMAGE, MULTI]
    source = await read(world, f"/v6.0/sources/{SOURCES[VIDEO]}")
    assert source["collected_by"] == [SOURCES[MULTI]]
    await read(world, "/v6.0/flows?format=urn:x-tam:format:image", 400)
    await read(world, "/v7.0/flows?format=urn:x-tam:format:image")


async def test_get_urls_grow_with_the_versions(world: httpx.AsyncClient) -> None:
    body = {"object_ids": ["old film"], "storage_id": ARCHIVE}
    assert (await world.post(f"/flows/{VIDEO}/storage", json=body)).status_code == 201
    await register(world, VIDEO, {"object_id": "old film", "timerange": seconds(5, 6)})

    async def members(version: str) -> set[str]:
        path = f"/{version}/flows/{VIDEO}/segments?verbose_storage=true&object_id=old film"
        urls = (await read(world, path))[0]["get_urls"]
        assert [url["label"] for url in urls] == ["archive"]
        return set().union(*urls)

    storage = {"storage_id", "store_type", "provider", "store_product", "region"}
    assert await members("v6.0") == {"url", "label"}
    seven = {"url", "label", "presigned", "controlled", *storage}
    assert await members("v7.0") == await members("v8.1") == seven
    assert await members("v8.2") == {*seven, "tags"}


async def test_storage_backends_are_unpaged_and_without_tags_before_8_2(
    world: httpx.AsyncClient,
) -> None:
    older = await world.get("/v7.0/service/storage-backends?limit=1&page=x&tag.tier=cold")
    assert [backend["label"] for backend in older.json()] == ["archive", "disk"]
    assert "tags" not in older.json()[0]
    assert "x-paging-limit" not in older.headers
    newer = await world.get("/v8.2/service/storage-backends?tag.tier=cold")
    assert newer.json()[0]["tags"] == {"tier": "cold", "copies": ["two", "three"]}


async def test_objects_grow_with_the_versions(world: httpx.AsyncClient) -> None:
    seven = await read(world, "/v7.0/objects/take-0")
    assert seven == {
        "id": "take-0",
        "referenced_by_flows": [VIDEO],
        "first_referenced_by_flow": VIDEO,
    }
    eight = await read(world, "/v8.0/objects/sound")
    assert eight.keys() == {*seven, "timerange", "get_urls"}
    assert (await read(world, "/v8.2/objects/sound"))["init_object"]["id"] == "head"


@versions("8.0", "8.1")
async def test_initialisation_objects_are_no_objects(
    world: httpx.AsyncClient, version: Version
) -> None:
    path = f"{version.prefix}/objects/head"
    await read(world, path, 404)
    body = {"url": "https://elsewhere.example/head", "label": "elsewhere"}
    assert (await world.post(f"{path}/instances", json=body)).status_code == 404
    gone = await world.delete(f"{path}/instances?storage_id={DISK}")
    assert gone.status_code == 404
    assert len((await read(world, "/objects/head"))["get_urls"]) == 1
    assert (await read(world, "/v7.0/objects/head"))["referenced_by_flows"] == [AUDIO]


@versions("6.0", "7.0", "8.2")
async def test_odd_codecs_are_shown_as_they_are(world: httpx.AsyncClient, version: Version) -> None:
    assert (await read(world, f"{version.prefix}/flows/{AUDIO}"))["codec"] == ODD_CODEC


@versions("8.0", "8.1")
async def test_odd_codecs_are_shown_in_the_form_required(
    world: httpx.AsyncClient, version: Version
) -> None:
    flow = await read(world, f"{version.prefix}/flows/{AUDIO}")
    assert (flow["codec"], flow["container"]) == ("x-w_ird/codec_1_", "audio/mp4")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("video/h264", "video/h264"),
        ("x-tams/raw", "x-tams/raw"),
        ("Video/h264", "x-Video/h264"),
        ("video/h264;x=1", "video/h264_x_1"),
        ("x-/raw", "x-_/raw"),
        ("x-a b/ü", "x-a_b/_"),
    ],
)
def test_forms_of_mime_types(text: str, shown: str) -> None:
    assert strict_mime(text) == shown
    assert strict_mime(shown) == shown


@versions("6.0", "7.0", "8.1")
async def test_allocations_do_not_say_that_they_are_presigned(
    world: httpx.AsyncClient, version: Version
) -> None:
    path = f"{version.prefix}/flows/{VIDEO}/storage"
    media = (await world.post(path, json={"limit": 1})).json()["media_objects"]
    assert [one.keys() for one in media] == [{"object_id", "put_url"}]
