"""What the campaigns do to a server through its public API."""

import uuid
from typing import Any

import httpx


def video_flow(flow_id: str | None = None) -> dict[str, Any]:
    """A flow as a client would PUT it, with fresh ids where none is given."""
    return {
        "id": flow_id or str(uuid.uuid4()),
        "source_id": str(uuid.uuid4()),
        "format": "urn:x-nmos:format:video",
        "codec": "video/h264",
        "container": "video/mp2t",
        "essence_parameters": {
            "frame_width": 1280,
            "frame_height": 720,
            "frame_rate": {"numerator": 25},
        },
    }


def create_flow(url: str) -> str:
    """A new video flow; returns its id."""
    body = video_flow()
    httpx.put(f"{url}/flows/{body['id']}", json=body).raise_for_status()
    return str(body["id"])


def external_segment(object_id: str, start: int, seconds: int = 1) -> dict[str, Any]:
    """A segment whose bytes are somewhere else."""
    return {
        "object_id": object_id,
        "timerange": f"[{start}:0_{start + seconds}:0)",
        "get_urls": [{"url": f"https://media.example/{object_id}", "label": "elsewhere"}],
    }


def stored_segments(url: str, flow_id: str) -> list[dict[str, Any]]:
    """All segments of a flow, page by page."""
    segments: list[dict[str, Any]] = []
    with httpx.Client(base_url=url, timeout=60) as client:
        params: dict[str, str] = {"limit": "1000", "accept_get_urls": ""}
        while True:
            response = client.get(f"/flows/{flow_id}/segments", params=params).raise_for_status()
            segments += response.json()
            key = response.headers.get("x-paging-nextkey")
            if key is None:
                return segments
            params["page"] = key
