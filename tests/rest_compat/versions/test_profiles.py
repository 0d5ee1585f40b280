"""Old clients and Flows made from Profiles, of which they know nothing."""

from typing import Any

import httpx
import pytest

from rest_compat.versions import Version
from tests.rest_compat.stories import Json, uuid4
from tests.rest_compat.versions.world import OLD, read

FLOW, PROFILE = uuid4(1), uuid4(2)
TECHNICAL = {
    "format": "urn:x-nmos:format:audio",
    "codec": "audio/aac",
    "container": "audio/mp4",
    "avg_bit_rate": 128,
    "segment_duration": {"numerator": 2, "denominator": 1},
    "essence_parameters": {"sample_rate": 48000, "channels": 2},
}
each_old_version = pytest.mark.parametrize("version", OLD, ids=lambda version: version.name)


@pytest.fixture
async def linked(client: httpx.AsyncClient) -> Json:
    """A Flow made from a Profile, as 8.2 shows it."""
    profile = {"id": PROFILE, "flow_metadata": TECHNICAL}
    assert (await client.post(f"/service/profiles/{PROFILE}", json=profile)).status_code == 201
    flow = {"id": FLOW, "source_id": uuid4(3), "profile_id": PROFILE, "max_bit_rate": 200}
    assert (await client.put(f"/flows/{FLOW}", json=flow)).status_code == 201
    found: Json = await read(client, f"/flows/{FLOW}")
    return found


async def technical(client: httpx.AsyncClient) -> tuple[Any, Json]:
    """The link of the Flow, and its technical metadata."""
    flow = await read(client, f"/flows/{FLOW}")
    return flow.get("profile_id"), {name: flow[name] for name in TECHNICAL if name in flow}


@each_old_version
async def test_what_changes_nothing_keeps_the_link(
    client: httpx.AsyncClient, linked: Json, version: Version
) -> None:
    path = f"{version.prefix}/flows/{FLOW}"
    seen = await read(client, path)
    assert "profile_id" not in seen
    assert (await client.put(path, json=seen)).status_code == 204
    assert (await client.put(f"{path}/avg_bit_rate", json=128)).status_code == 204
    assert await read(client, f"/flows/{FLOW}") == linked


@each_old_version
async def test_what_no_profile_tells_keeps_the_link(
    client: httpx.AsyncClient, linked: Json, version: Version
) -> None:
    path = f"{version.prefix}/flows/{FLOW}"
    assert (await client.put(f"{path}/max_bit_rate", json=300)).status_code == 204
    assert (await client.put(f"{path}/label", json="old")).status_code == 204
    assert await technical(client) == (linked["profile_id"], TECHNICAL)
    assert (await client.delete(f"{path}/max_bit_rate")).status_code == 204
    assert await technical(client) == (PROFILE, TECHNICAL)


@pytest.mark.usefixtures("linked")
@each_old_version
async def test_another_average_bit_rate_cuts_the_link_and_keeps_what_was_inherited(
    client: httpx.AsyncClient, version: Version
) -> None:
    url = f"{version.prefix}/flows/{FLOW}/avg_bit_rate"
    assert (await client.put(url, json=129)).status_code == 204
    assert await read(client, url) == 129
    assert await technical(client) == (None, TECHNICAL | {"avg_bit_rate": 129})
    assert await read(client, f"/flows?profile_id={PROFILE}") == []


@pytest.mark.usefixtures("linked")
@each_old_version
async def test_so_does_removing_it(client: httpx.AsyncClient, version: Version) -> None:
    url = f"{version.prefix}/flows/{FLOW}/avg_bit_rate"
    assert (await client.delete(url)).status_code == 204
    inherited = {name: value for name, value in TECHNICAL.items() if name != "avg_bit_rate"}
    assert await technical(client) == (None, inherited)


@pytest.mark.usefixtures("linked")
@each_old_version
async def test_other_technical_metadata_cuts_the_link(
    client: httpx.AsyncClient, version: Version
) -> None:
    path = f"{version.prefix}/flows/{FLOW}"
    seen = await read(client, path)
    assert (await client.put(path, json={**seen, "container": "audio/mp2t"})).status_code == 204
    assert await technical(client) == (None, TECHNICAL | {"container": "audio/mp2t"})


@pytest.mark.parametrize("prefix", ["", "/v8.2"])
async def test_who_knows_profiles_has_to_cut_the_link(
    client: httpx.AsyncClient, linked: Json, prefix: str
) -> None:
    url = f"{prefix}/flows/{FLOW}/avg_bit_rate"
    for response in (await client.put(url, json=129), await client.delete(url)):
        assert response.status_code == 400
        assert response.json()["details"][0]["rule"] == "profile.linked"
    assert await read(client, f"/flows/{FLOW}") == linked


@each_old_version
async def test_a_refused_rate_leaves_the_link(
    client: httpx.AsyncClient, linked: Json, version: Version
) -> None:
    url = f"{version.prefix}/flows/{FLOW}/avg_bit_rate"
    assert (await client.put(url, json=-1)).status_code == 400
    assert await read(client, f"/flows/{FLOW}") == linked
    await client.put(f"/flows/{FLOW}/read_only", json=True)
    assert (await client.put(url, json=129)).status_code == 403
    assert await technical(client) == (PROFILE, TECHNICAL)
