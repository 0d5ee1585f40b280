"""A store that the newest version has filled with all that older ones can't see."""

from typing import Any

import httpx
import pytest

from rest_compat.versions import VERSIONS, Version
from tests.rest_compat.stories import Json, allocate, fill, put_flow, register, seconds, uuid4

VIDEO, AUDIO, IMAGE, MULTI, LOCKED = (uuid4(number) for number in range(1, 6))
SOURCES = {VIDEO: uuid4(101), AUDIO: uuid4(102), IMAGE: uuid4(103), MULTI: uuid4(104)}
PROFILE = uuid4(105)
ODD_CODEC = "wéird/codec(1)"
OLD = VERSIONS[:-1]

each_version = pytest.mark.parametrize("version", VERSIONS, ids=lambda version: version.name)


def versions(*names: str) -> pytest.MarkDecorator:
    """The test runs under each of these versions."""
    chosen = [version for version in VERSIONS if version.name in names]
    return pytest.mark.parametrize("version", chosen, ids=lambda version: version.name)


def version(name: str) -> Version:
    """The version called `name`."""
    return next(one for one in VERSIONS if one.name == name)


def video_flow() -> Json:
    """Video of variable frame rate."""
    return {
        "id": VIDEO,
        "source_id": SOURCES[VIDEO],
        "format": "urn:x-nmos:format:video",
        "codec": "video/h264",
        "container": "video/mp2t",
        "essence_parameters": {"frame_width": 1920, "frame_height": 1080, "vfr": True},
        "status": "ingesting",
        "tags": {"genres": ["drama", "crime, true"], "studio": "seven", "nothing": []},
        "label": "live",
        "description": "all that is new",
        "max_bit_rate": 5000,
        "avg_bit_rate": 4000,
    }


def audio_flow() -> Json:
    """Audio with initialisation segments and an odd codec."""
    return {
        "id": AUDIO,
        "source_id": SOURCES[AUDIO],
        "format": "urn:x-nmos:format:audio",
        "codec": ODD_CODEC,
        "container": "audio/mp4",
        "essence_parameters": {"sample_rate": 48000, "channels": 2, "init_segments": True},
    }


def image_flow() -> Json:
    """A still image, which also collects the video."""
    return {
        "id": IMAGE,
        "source_id": SOURCES[IMAGE],
        "format": "urn:x-tam:format:image",
        "codec": "image/jpeg",
        "container": "image/jpeg",
        "essence_parameters": {"frame_width": 640, "frame_height": 360},
        "flow_collection": [{"id": VIDEO, "role": "poster of"}],
    }


def multi_flow() -> Json:
    """A collection with and without roles."""
    return {
        "id": MULTI,
        "source_id": SOURCES[MULTI],
        "format": "urn:x-nmos:format:multi",
        "essence_parameters": {"init_segments": False},
        "flow_collection": [
            {"id": VIDEO},
            {"id": IMAGE, "role": "poster"},
            {"id": AUDIO, "role": ""},
        ],
    }


def profile(profile_id: str) -> Json:
    """A Profile of still images."""
    essence = {"frame_width": 64, "frame_height": 36}
    still = {"format": "urn:x-tam:format:image", "codec": "image/png"}
    return {"id": profile_id, "flow_metadata": {**still, "essence_parameters": essence}}


@pytest.fixture
async def world(client: httpx.AsyncClient) -> httpx.AsyncClient:
    """The client of a store with four flows, segments of two of them, and a locked one."""
    for flow in (video_flow(), audio_flow(), image_flow(), multi_flow()):
        await put_flow(client, flow)
    await put_flow(client, {**video_flow(), "id": LOCKED, "label": "locked", "read_only": True})
    await client.post(f"/service/profiles/{PROFILE}", json=profile(PROFILE))
    await client.put(f"/sources/{SOURCES[VIDEO]}/tags/genres", json=["drama", "crime"])
    for name in ("label", "description"):
        await client.put(f"/sources/{SOURCES[VIDEO]}/{name}", json=f"the {name}")
    await fill(client, VIDEO, 2)
    await fill(client, IMAGE, 1, "still")
    await allocate(client, AUDIO, "head", "sound")
    sound = {"object_id": "sound", "init_object_id": "head", "timerange": seconds(0, 1)}
    await register(client, AUDIO, sound)
    return client


async def read(client: httpx.AsyncClient, path: str, status: int = 200) -> Any:
    """The JSON at `path`."""
    response = await client.get(path)
    assert response.status_code == status, response.text
    return response.json()
