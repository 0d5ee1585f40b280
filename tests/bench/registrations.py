"""Segments that are registered through the public API."""

import uuid

import httpx

from tests.robustness.stories import video_flow


class Registrations:
    """Registers fresh segments at the end of a flow of its own."""

    def __init__(self, client: httpx.Client) -> None:
        self.client = client
        self.flow_id = str(uuid.uuid4())
        self.next = 0
        client.put(f"/flows/{self.flow_id}", json=video_flow(self.flow_id)).raise_for_status()

    def register(self, count: int) -> None:
        """Register `count` one-second segments of external objects in one request."""
        posts = [
            {
                "object_id": f"{self.flow_id}/{i}",
                "timerange": f"[{i}:0_{i + 1}:0)",
                "get_urls": [{"url": f"https://media.example/{i}", "label": "elsewhere"}],
            }
            for i in range(self.next, self.next + count)
        ]
        self.next += count
        body = posts[0] if count == 1 else posts
        response = self.client.post(f"/flows/{self.flow_id}/segments", json=body)
        assert response.status_code == 201, response.text
