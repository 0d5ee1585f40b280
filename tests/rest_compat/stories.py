"""Resources to tell stories with, built through the public API."""

import uuid
from typing import Any

import httpx

Json = dict[str, Any]


def uuid4(number: int) -> str:
    """A readable UUID for story number `number`."""
    return str(uuid.UUID(int=number, version=4))


def video(flow_id: str, source_id: str, **changes: Any) -> Json:
    """The PUT body of a video flow."""
    return {
        "id": flow_id,
        "source_id": source_id,
        "format": "urn:x-nmos:format:video",
        "codec": "video/h264",
        "container": "video/mp2t",
        "essence_parameters": {
            "frame_width": 1920,
            "frame_height": 1080,
            "frame_rate": {"numerator": 25, "denominator": 1},
        },
        **changes,
    }


def multi(flow_id: str, source_id: str, *members: str, **changes: Any) -> Json:
    """The PUT body of a multi flow that collects `members`."""
    return {
        "id": flow_id,
        "source_id": source_id,
        "format": "urn:x-nmos:format:multi",
        "flow_collection": [{"id": member} for member in members],
        **changes,
    }


def seconds(start: int, end: int) -> str:
    """``[start:0_end:0)``."""
    return f"[{start}:0_{end}:0)"


async def put_flow(client: httpx.AsyncClient, body: Json) -> Json:
    """PUT a new flow; returns it as told."""
    response = await client.put(f"/flows/{body['id']}", json=body)
    assert response.status_code == 201, response.text
    flow: Json = response.json()
    return flow


async def allocate(client: httpx.AsyncClient, flow_id: str, *object_ids: str) -> list[Json]:
    """Allocate storage for these object ids; returns ``media_objects``."""
    response = await client.post(f"/flows/{flow_id}/storage", json={"object_ids": list(object_ids)})
    assert response.status_code == 201, response.text
    allocated: list[Json] = response.json()["media_objects"]
    return allocated


async def register(client: httpx.AsyncClient, flow_id: str, *posts: Json) -> None:
    """Register segments, all of which must be accepted."""
    response = await client.post(f"/flows/{flow_id}/segments", json=list(posts))
    assert response.status_code == 201, response.text


async def fill(client: httpx.AsyncClient, flow_id: str, count: int, prefix: str = "take") -> None:
    """Register `count` segments of 1 s, from 0:0 on, each with an object of its own."""
    names = [f"{prefix}-{number}" for number in range(count)]
    await allocate(client, flow_id, *names)
    posts = [
        {"object_id": name, "timerange": seconds(start, start + 1)}
        for start, name in enumerate(names)
    ]
    await register(client, flow_id, *posts)
