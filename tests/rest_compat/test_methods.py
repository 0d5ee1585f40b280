"""Methods and paths that do not exist; HEAD; what errors carry."""

from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from rest_compat.catalogue import RESOURCES
from tams_graphql.model.errors import Unavailable
from tests.rest_compat.stories import uuid4

METHODS = ("GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "QUERY")
NAMES = {
    "flowId": uuid4(1),
    "sourceId": uuid4(100),
    "objectId": "x",
    "name": "y",
    "request-id": "z",
    "profileId": uuid4(2),
    "webhookId": uuid4(5),
}


def _allowed(path: str) -> list[str]:
    methods = next(set(r.operations) for r in RESOURCES if r.path == path)
    return sorted(methods | ({"HEAD"} if "GET" in methods else set()))


@pytest.mark.parametrize("path", [resource.path for resource in RESOURCES])
async def test_other_methods_are_405_and_tell_which_are_possible(
    client: httpx.AsyncClient, path: str
) -> None:
    for method in {*METHODS, "HEAD"} - set(_allowed(path)):
        response = await client.request(method, path.format(**NAMES))
        assert response.status_code == 405, method
        assert response.headers["allow"] == ", ".join(_allowed(path))
        assert response.headers["content-type"] == "application/json"
        if method != "HEAD":
            assert response.json()["type"] == "METHOD_NOT_ALLOWED"


@pytest.mark.parametrize(
    "path", ["/nowhere", "/flows/", "/sources//", f"/flows/{uuid4(1)}/tags/", "/objects/"]
)
async def test_other_paths_are_404_in_json(client: httpx.AsyncClient, path: str) -> None:
    response = await client.get(path)
    assert response.status_code == 404
    assert response.json()["details"][0]["field"] == "path"
    assert response.headers["content-type"] == "application/json"
    assert (await client.head(path)).content == b""


@pytest.mark.parametrize("path", ["", "/tags", "/label", "/segments", "/flow_collection"])
async def test_head_of_what_is_absent_has_gets_headers(
    client: httpx.AsyncClient, path: str
) -> None:
    for identifier in (uuid4(7), "malformed"):
        got = await client.get(f"/flows/{identifier}{path}")
        head = await client.head(f"/flows/{identifier}{path}")
        assert head.status_code == got.status_code
        assert head.headers == got.headers
        assert head.content == b""


async def test_segments_of_an_unknown_flow_are_none_but_a_malformed_id_is_404(
    client: httpx.AsyncClient,
) -> None:
    unknown = await client.get(f"/flows/{uuid4(7)}/segments")
    assert (unknown.status_code, unknown.json()) == (200, [])
    assert unknown.headers["x-paging-timerange"] == "()"
    assert (await client.get("/flows/malformed/segments")).status_code == 404


class _Numbered:
    """Gives each request the id that a log would know it by."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope.setdefault("state", {})["request_id"] = "number-7"
        await self.app(scope, receive, send)


async def test_errors_carry_the_request_id_and_failures_tell_nothing_else(app: FastAPI) -> None:
    async def fails(_: Request) -> None:
        raise RuntimeError("a secret")

    async def busy(_: Request) -> None:
        raise Unavailable("the index is busy")

    app.add_route("/fails", fails)  # type: ignore[arg-type]
    app.add_route("/busy", busy)  # type: ignore[arg-type]
    transport = httpx.ASGITransport(_Numbered(app), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://host") as client:
        failed = await client.get("/fails")
        assert (failed.status_code, failed.json()["type"]) == (500, "INTERNAL")
        assert failed.json()["request_id"] == "number-7"
        assert "secret" not in failed.text
        unavailable = await client.get("/busy")
        assert (unavailable.status_code, unavailable.json()["type"]) == (503, "UNAVAILABLE")
        assert unavailable.headers["retry-after"] == "1"
