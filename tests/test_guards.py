"""Pins who may talk to a server on loopback: known hosts, no foreign pages."""

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from tams_graphql.guards import HostGuard, OriginGuard


async def _touch(request: Request) -> PlainTextResponse:
    return PlainTextResponse("reached")


@pytest.fixture
def client() -> httpx.AsyncClient:
    routes = [Route(path, _touch, methods=["GET", "POST", "PUT"]) for path in ("/x", "/media/x")]
    app = OriginGuard(Starlette(routes=routes), frozenset({"https://ours.example"}))
    guarded = HostGuard(app, frozenset({"localhost", "127.0.0.1", "::1"}))
    transport = httpx.ASGITransport(guarded)
    return httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000")


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:8000", "127.0.0.1:1", "[::1]:8000"])
async def test_known_hosts_are_answered(client: httpx.AsyncClient, host: str) -> None:
    assert (await client.get("/x", headers={"host": host})).text == "reached"


@pytest.mark.parametrize(
    "host", ["rebound.example", "127.0.0.1.rebound.example", "", "10.0.0.1", "[", "[::1", "[v1.x]"]
)
async def test_other_hosts_are_refused(client: httpx.AsyncClient, host: str) -> None:
    response = await client.get("/x", headers={"host": host})
    assert response.status_code == 403
    assert response.json()["details"][0]["rule"] == "host.unknown"


@pytest.mark.parametrize(
    "origin",
    ["https://ours.example", "http://localhost:3000", "http://127.0.0.1:8000", "http://[::1]:1"],
)
async def test_pages_of_known_origins_may_write(client: httpx.AsyncClient, origin: str) -> None:
    assert (await client.post("/x", headers={"origin": origin})).text == "reached"


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "http://localhost.evil.example", "file://"]
)
async def test_pages_of_other_origins_may_only_read(client: httpx.AsyncClient, origin: str) -> None:
    response = await client.post("/x", headers={"origin": origin})
    assert response.status_code == 403
    assert response.json()["details"][0]["rule"] == "origin.unknown"
    assert (await client.get("/x", headers={"origin": origin})).text == "reached"
    assert (await client.put("/media/x", headers={"origin": origin})).text == "reached"
