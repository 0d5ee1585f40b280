"""Pins who is let in: signed URLs only, any origin, known methods, and JSON refusals."""

from datetime import datetime
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
from starlette.types import Message, Scope

from tams_graphql.media.store import new_key
from tests.media.filesystem.site import BACKEND, MP2T, Site, problem


async def test_a_refusal_is_the_json_of_the_rest_api(site: Site) -> None:
    async with site.client() as client:
        response = await client.get(f"/media/{BACKEND.id}/{new_key()}")
    body = response.json()
    assert datetime.fromisoformat(body.pop("time")).utcoffset() is not None
    message = "the URL lacks method: it must be a signed one"
    assert body == {
        "type": "FORBIDDEN",
        "summary": message,
        "details": [{"field": "method", "rule": "required", "message": message}],
    }
    assert response.status_code == 403
    assert response.headers["content-type"] == "application/json"
    assert response.headers["cache-control"] == "no-store"
    assert response.headers["access-control-allow-origin"] == "*"


async def test_each_parameter_altered(site: Site) -> None:
    key = await site.stored(b"secret")
    for url, method in ((site.get_url(key), "GET"), (site.put_url(key), "PUT")):
        parts = urlsplit(url)
        query = dict(parse_qsl(parts.query))
        for name in query:
            altered = urlencode(query | {name: query[name][:-1] + "0" + query[name][-1]})
            async with site.client() as client:
                response = await client.request(
                    method, f"{parts.path}?{altered}", headers={"content-type": MP2T}
                )
            assert response.status_code == 403, name
            assert b"secret" not in response.content
    assert await site.content(key) == b"secret"
    assert site.asked == []


async def test_expired(site: Site) -> None:
    key = await site.stored(b"secret")
    urls = {"GET": site.get_url(key), "HEAD": site.get_url(key), "PUT": site.put_url(key)}
    site.clock.now += 3661
    async with site.client() as client:
        for method, url in urls.items():
            response = await client.request(method, url)
            assert response.status_code == 403
            assert problem(await client.get(urls["GET"]))[2:] == ("expires", "expired")


async def test_a_url_for_another_method(site: Site) -> None:
    key = await site.stored(b"secret")
    async with site.client() as client:
        response = await client.get(site.store.head_urls([key])[0])
        assert problem(response) == (403, "FORBIDDEN", "method", "mismatch")
        response = await client.put(site.get_url(key), content=b"x")
        assert problem(response) == (403, "FORBIDDEN", "method", "mismatch")
        assert problem(await client.get(site.put_url(key)))[2:] == ("method", "mismatch")


@pytest.mark.parametrize(
    "path",
    [
        "/media/disk-1/../../etc/passwd",
        "/media/disk-1/..%2F..%2Fetc%2Fpasswd",
        "/media/disk-1/%2e%2e",
        "/media/disk-1/..",
        "/media/disk-1/" + "A" * 32,
        "/media/disk-1/" + "a" * 32 + "%00",
        "/media/disk-1/" + "a" * 32 + "%0A",
        "/media/disk-1//" + "a" * 32,
        "/media/../" + "a" * 32,
        "/media/disk-2/" + "a" * 32,
    ],
)
async def test_paths_that_lead_elsewhere_are_404(site: Site, path: str) -> None:
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    # Straight to ASGI: clients tidy such paths up before they send them.
    raw, _, _ = path.encode().partition(b"?")
    for method in ("GET", "PUT"):
        scope: Scope = {
            "type": "http",
            "http_version": "1.1",
            "method": method,
            "path": bytes(_unquoted(raw)).decode(),
            "raw_path": raw,
            "query_string": urlsplit(site.get_url("a" * 32)).query.encode(),
            "headers": [],
        }
        await site.app(scope, receive, send)
    assert [message["status"] for message in sent if "status" in message] == [404, 404]
    assert site.files() == []


def _unquoted(raw: bytes) -> bytes:
    from urllib.parse import unquote_to_bytes

    return unquote_to_bytes(raw)


@pytest.mark.parametrize("method", ["POST", "DELETE", "PATCH", "TRACE"])
async def test_other_methods_are_405(site: Site, method: str) -> None:
    key = await site.stored(b"kept")
    async with site.client() as client:
        response = await client.request(method, site.get_url(key))
    assert problem(response) == (405, "METHOD_NOT_ALLOWED", "method", "enum")
    assert response.headers["allow"] == "GET, HEAD, OPTIONS, PUT"
    assert await site.content(key) == b"kept"


async def test_browsers_of_any_origin_may_ask(site: Site) -> None:
    async with site.client() as client:
        response = await client.options(
            f"/media/{BACKEND.id}/{new_key()}",
            headers={
                "origin": "https://player.test",
                "access-control-request-method": "PUT",
                "access-control-request-headers": "content-type, range",
            },
        )
    assert response.status_code == 204
    assert response.headers["access-control-allow-origin"] == "*"
    assert response.headers["access-control-allow-methods"] == "GET, HEAD, OPTIONS, PUT"
    assert response.headers["access-control-allow-headers"] == "*"
    assert "access-control-allow-credentials" not in response.headers
