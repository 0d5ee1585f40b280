"""What an old client can't see survives that it PUTs back what it has read."""

import asyncio
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import hypothesis
import pytest
from hypothesis import strategies as st

from rest_compat.versions import Version
from tests.rest_compat.bridge import Bridge, bridged
from tests.rest_compat.stories import Json, put_flow, uuid4
from tests.rest_compat.versions.world import (
    AUDIO,
    IMAGE,
    MULTI,
    OLD,
    SOURCES,
    VIDEO,
    audio_flow,
    image_flow,
    read,
    versions,
    video_flow,
)

FORMATS = ("video", "audio", "data", "multi", "image")
FORMAT = {
    **{name: f"urn:x-nmos:format:{name}" for name in FORMATS},
    "image": "urn:x-tam:format:image",
}
RENEWED = {"metadata_version", "metadata_updated", "updated_by"}

words = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), min_size=1, max_size=6)
tokens = st.text(st.sampled_from("ab1é(;_"), min_size=1, max_size=4)
mime_types = st.one_of(
    st.sampled_from(["video/h264", "audio/aac", "x-a/b", "Video/mp4", "x-/b"]),
    st.builds("{}/{}".format, tokens, tokens),
)
tags = st.dictionaries(words, st.one_of(words, st.lists(st.sampled_from(["a", "b,c", ""]))))
rates = st.one_of(
    st.just({"vfr": True}),
    st.just({"frame_rate": {"numerator": 25}}),
    st.just({"frame_rate": {"numerator": 25, "denominator": 1}, "vfr": False}),
)
init = st.one_of(st.just({}), st.builds(lambda flag: {"init_segments": flag}, st.booleans()))
SIZE = {"frame_width": 16, "frame_height": 9}
essences = {
    "video": st.builds(lambda rate, flag: {**SIZE, **rate, **flag}, rates, init),
    "audio": st.builds(lambda flag: {"sample_rate": 48000, "channels": 2, **flag}, init),
    "data": st.builds(lambda flag: {"data_type": "urn:x", **flag}, init),
    "multi": init,
    "image": st.just(SIZE),
}
members = st.fixed_dictionaries(
    {"id": st.sampled_from([VIDEO, AUDIO, IMAGE])},
    optional={
        "role": st.sampled_from(["", "main"]),
        "container_mapping": st.just({"track_index": 1}),
    },
)


@st.composite
def flows(draw: st.DrawFn) -> Json:
    """The body of a Flow with anything that 8.2 knows, but for its id and its Source's."""
    kind = draw(st.sampled_from(FORMATS))
    common: dict[str, st.SearchStrategy[Any]] = {
        "tags": tags,
        "status": st.sampled_from(["ingesting", "closed_complete"]),
        "container": mime_types,
        "label": words,
        "max_bit_rate": st.integers(0, 9),
        "segment_duration": st.just({"numerator": 1}),
        "flow_collection": st.lists(members, max_size=5),
    }
    needed = {"essence_parameters": essences[kind], "codec": mime_types}
    if kind == "multi":
        common |= needed
        needed = {}
    body: Json = draw(st.fixed_dictionaries(needed, optional=common))
    return {**body, "format": FORMAT[kind]}


def numbered(number: int, body: Json) -> Json:
    """The Flow of that number, alone on a Source of its own: no other one contradicts it."""
    return {"id": uuid4(number), "source_id": uuid4(number + 1_000_000), **body}


@pytest.fixture
def bridge(tmp_path: Path) -> Iterator[Bridge]:
    async def members_exist() -> None:
        async with bridge.client() as client:
            for flow in (video_flow(), audio_flow(), {**image_flow(), "flow_collection": []}):
                await put_flow(client, flow)

    with bridged(tmp_path) as bridge:
        bridge.run(members_exist())
        yield bridge


def _seeing(flow: Json) -> list[Version]:
    """The old versions that see the Flow."""
    return [v for v in OLD if not v.has("no_images") or flow["format"] != FORMAT["image"]]


async def _put_back(client: httpx.AsyncClient, version: Version, path: str) -> None:
    url = version.prefix + path
    seen = await read(client, url)
    put = await client.put(url, json=seen)
    assert put.status_code == 204, put.text
    for name, value in seen.get("tags", {}).items():
        if name in {"", ".", ".."}:
            continue  # HTTP clients take these for steps of the path
        tag = f"{url}/tags/{quote(name, safe='')}"
        assert (await client.put(tag, json=await read(client, tag))).status_code == 204, value
    if "flow_collection" in seen:
        collection = f"{url}/flow_collection"
        put = await client.put(collection, json=await read(client, collection))
        assert put.status_code == 204


def test_putting_back_what_was_read_changes_nothing(bridge: Bridge) -> None:
    numbers = itertools.count(1000)

    @hypothesis.settings(max_examples=60, deadline=None, database=None)
    @hypothesis.given(flows())
    def unharmed(body: Json) -> None:
        flow = numbered(next(numbers), body)

        async def story() -> None:
            async with bridge.client() as client:
                await put_flow(client, flow)
                path = f"/flows/{flow['id']}"
                before = await read(client, path)
                for version in _seeing(flow):
                    await _put_back(client, version, path)
                    assert await read(client, path) == before, version.name

        bridge.run(story())

    unharmed()


def test_a_change_of_what_is_seen_leaves_the_rest(bridge: Bridge) -> None:
    numbers = itertools.count(5000)

    @hypothesis.settings(max_examples=30, deadline=None, database=None)
    @hypothesis.given(flows(), words)
    def changed(body: Json, label: str) -> None:
        flow = numbered(next(numbers), body)

        async def story() -> None:
            async with bridge.client() as client:
                await put_flow(client, flow)
                path = f"/flows/{flow['id']}"
                for version in _seeing(flow):
                    before = await read(client, path)
                    url = version.prefix + path
                    given = {**await read(client, url), "label": label, "generation": 7}
                    assert (await client.put(url, json=given)).status_code == 204
                    after = await read(client, path)
                    assert _lasting(after) == {
                        **_lasting(before),
                        "label": label,
                        "generation": 7,
                    }

        bridge.run(story())

    changed()


def _lasting(flow: Json) -> Json:
    return {name: value for name, value in flow.items() if name not in RENEWED}


async def test_hidden_members_stay_where_they_were(world: httpx.AsyncClient) -> None:
    path = f"/flows/{MULTI}/flow_collection"

    async def after(put: Any) -> list[Json]:
        response = await world.put(f"/v6.0{path}", json=put)
        assert response.status_code == 204, response.text
        listed: list[Json] = await read(world, path)
        return listed

    poster = {"id": IMAGE, "role": "poster"}
    video, audio = {"id": VIDEO}, {"id": AUDIO, "role": ""}
    assert await read(world, path) == [video, poster, audio]
    swapped = [{"id": AUDIO, "role": "sound"}, {"id": VIDEO, "role": ""}]
    assert await after(swapped) == [{"id": AUDIO, "role": "sound"}, video, poster]
    assert await after([{"id": AUDIO, "role": ""}]) == [{"id": AUDIO, "role": ""}, poster]
    assert await after([]) == [poster]
    assert (await world.delete(f"/v6.0{path}")).status_code == 204
    assert await read(world, path) == [poster]
    assert await read(world, f"/v6.0{path}") == []
    back = await world.put(f"/v6.0{path}", json=[{"id": VIDEO, "role": "first"}])
    assert back.status_code == 204
    assert await read(world, path) == [poster, {"id": VIDEO, "role": "first"}]
    assert (await world.delete(f"/v7.0{path}")).status_code == 204
    await read(world, path, 404)


@versions("6.0", "7.0")
async def test_another_string_replaces_a_list(world: httpx.AsyncClient, version: Version) -> None:
    for path in (f"/flows/{VIDEO}", f"/sources/{SOURCES[VIDEO]}"):
        tag = f"{path}/tags/genres"
        stored = await read(world, tag)
        assert (await world.put(version.prefix + tag, json=",".join(stored))).status_code == 204
        assert await read(world, tag) == stored
        assert (await world.put(version.prefix + tag, json="comedy,crime")).status_code == 204
        assert await read(world, tag) == "comedy,crime"


async def test_a_joined_string_is_a_change_where_lists_are_seen(world: httpx.AsyncClient) -> None:
    path = f"/flows/{VIDEO}"
    flow = await read(world, f"/v8.0{path}")
    flow["tags"]["genres"] = ",".join(flow["tags"]["genres"])
    assert (await world.put(f"/v8.0{path}", json=flow)).status_code == 204
    assert await read(world, f"{path}/tags/genres") == "drama,crime, true"


async def test_another_format_takes_nothing_over(world: httpx.AsyncClient) -> None:
    path = "/flows/" + uuid4(950)
    audio = {**audio_flow(), "id": uuid4(950), "source_id": uuid4(951), "status": "ingesting"}
    await put_flow(world, audio)
    data = {
        "id": uuid4(950),
        "source_id": uuid4(952),
        "format": FORMAT["data"],
        "codec": "text/plain",
        "essence_parameters": {},
    }
    assert (await world.put(f"/v8.1{path}", json=data)).status_code == 204
    stored = await read(world, path)
    assert (stored["essence_parameters"], stored["status"]) == ({}, "ingesting")


async def test_a_change_while_an_old_client_writes_is_not_lost(world: httpx.AsyncClient) -> None:
    """Restoring belongs to the command: it sees what was stored last."""
    path = f"/flows/{VIDEO}"
    seen = await read(world, f"/v7.0{path}")
    newer = {**await read(world, path), "status": "closed_complete"}
    answers = await asyncio.gather(
        world.put(path, json=newer), world.put(f"/v7.0{path}", json={**seen, "label": "old"})
    )
    assert [answer.status_code for answer in answers] == [204, 204]
    assert (await read(world, path))["status"] == "closed_complete"
