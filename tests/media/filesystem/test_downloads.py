"""Pins GET and HEAD of stored bytes: ranges, preconditions, headers."""

import hashlib
import os

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tams_graphql.media.store import new_key
from tests.media.filesystem.site import MP2T, Site, problem

CONTENT = bytes(range(100))
ETAG = f'"{hashlib.sha256(CONTENT).hexdigest()}"'
DATE = "Tue, 14 Nov 2023 22:13:20 GMT"


async def ask(site: Site, method: str = "GET", /, **headers: str) -> httpx.Response:
    """The answer about `CONTENT`, last modified at `DATE`."""
    key = await site.stored(CONTENT)
    os.utime(next(site.root.rglob(key)), (1_700_000_000.7,) * 2)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    async with site.client() as client:
        return await client.request(method, site.get_url(key), headers=named)


async def test_the_whole(site: Site) -> None:
    response = await ask(site)
    assert (response.status_code, response.content) == (200, CONTENT)
    assert dict(response.headers) == {
        "etag": ETAG,
        "last-modified": DATE,
        "accept-ranges": "bytes",
        "cache-control": "private, max-age=3600, immutable",
        "content-type": MP2T,
        "content-length": "100",
        "access-control-allow-origin": "*",
        "access-control-expose-headers": (
            "Accept-Ranges, Content-Length, Content-Range, ETag, Last-Modified"
        ),
        "cross-origin-resource-policy": "cross-origin",
        "content-security-policy": "default-src 'none'; sandbox",
        "x-content-type-options": "nosniff",
    }


async def test_head_is_get_without_the_bytes(site: Site) -> None:
    key = await site.stored(CONTENT)
    async with site.client() as client:
        got = await client.get(site.get_url(key))
        for url in (site.get_url(key), site.store.head_urls([key])[0]):
            head = await client.head(url, headers={"range": "bytes=0-1"})
            assert (head.status_code, head.content) == (200, b"")
            assert head.headers == got.headers


async def test_nothing_stored_is_404(site: Site) -> None:
    async with site.client() as client:
        response = await client.get(site.get_url(new_key()))
    assert problem(response) == (404, "NOT_FOUND", "media", "not_found")


async def test_empty_bytes(site: Site) -> None:
    key = await site.stored(b"")
    async with site.client() as client:
        response = await client.get(site.get_url(key))
        assert (response.status_code, response.headers["content-length"]) == (200, "0")
        response = await client.get(site.get_url(key), headers={"range": "bytes=0-"})
    assert (response.status_code, response.headers["content-range"]) == (416, "bytes */0")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(first=st.integers(0, 110), last=st.none() | st.integers(0, 110))
async def test_a_range_is_a_slice(site: Site, first: int, last: int | None) -> None:
    response = await ask(site, range=f"bytes={first}-{'' if last is None else last}")
    end = 99 if last is None else min(last, 99)
    if last is not None and last < first:
        assert (response.status_code, response.content) == (200, CONTENT)
    elif first > 99:
        assert problem(response) == (416, "RANGE_NOT_SATISFIABLE", "range", "range.outside")
        assert response.headers["content-range"] == "bytes */100"
    else:
        assert (response.status_code, response.content) == (206, CONTENT[first : end + 1])
        assert response.headers["content-range"] == f"bytes {first}-{end}/100"
        assert response.headers["content-length"] == str(end + 1 - first)
        assert response.headers["etag"] == ETAG


@pytest.mark.parametrize(
    ("headers", "status", "content"),
    [
        ({"range": "bytes=-7"}, 206, CONTENT[-7:]),
        ({"range": "bytes=-200"}, 206, CONTENT),
        ({"range": "bytes=-0"}, 416, None),
        ({"range": "bytes=0-1,5-6"}, 200, CONTENT),
        ({"range": "frames=0-1"}, 200, CONTENT),
        ({"range": "nonsense"}, 200, CONTENT),
        ({"range": "bytes=3-4", "if_range": ETAG}, 206, CONTENT[3:5]),
        ({"range": "bytes=3-4", "if_range": DATE}, 206, CONTENT[3:5]),
        ({"range": "bytes=3-4", "if_range": '"other"'}, 200, CONTENT),
        ({"range": "bytes=3-4", "if_match": ETAG}, 206, CONTENT[3:5]),
        ({"if_none_match": ETAG}, 304, b""),
        ({"if_none_match": f'"a", W/{ETAG}'}, 304, b""),
        ({"if_none_match": '"other"'}, 200, CONTENT),
        ({"if_modified_since": DATE}, 304, b""),
        ({"if_match": '"other"'}, 412, None),
        ({"if_unmodified_since": "Tue, 14 Nov 2023 22:13:19 GMT"}, 412, None),
        ({"if_match": '"other"', "if_none_match": ETAG}, 412, None),
    ],
)
async def test_conditions(
    site: Site, headers: dict[str, str], status: int, content: bytes | None
) -> None:
    response = await ask(site, **headers)
    assert response.status_code == status
    if content is not None:
        assert response.content == content
        assert response.headers["etag"] == ETAG
    else:
        assert response.json()["type"] in {"PRECONDITION_FAILED", "RANGE_NOT_SATISFIABLE"}
    if status == 304:
        assert "content-length" not in response.headers


async def test_a_failed_precondition_names_its_header(site: Site) -> None:
    response = await ask(site, if_match='"other"')
    assert problem(response) == (412, "PRECONDITION_FAILED", "if-match", "precondition")
    response = await ask(site, if_unmodified_since="Tue, 14 Nov 2000 22:13:19 GMT")
    assert problem(response)[2] == "if-unmodified-since"


async def test_a_private_cache_keeps_it_no_longer_than_the_url(site: Site) -> None:
    key = await site.stored(CONTENT)
    url = site.get_url(key)
    site.clock.now += 3000
    async with site.client() as client:
        assert "max-age=600," in (await client.get(url)).headers["cache-control"]


@pytest.mark.parametrize("content_type", ["видео/mp2t", "a/b\r\nset-cookie: x=1", ""])
async def test_a_content_type_that_no_header_can_hold(site: Site, content_type: str) -> None:
    key = await site.stored(CONTENT, content_type)
    async with site.client() as client:
        response = await client.get(site.get_url(key))
    assert response.headers["content-type"] == "application/octet-stream"
    assert "set-cookie" not in response.headers


async def test_damaged_bytes_are_503(site: Site) -> None:
    key = await site.stored(CONTENT)
    next(site.root.rglob(key)).write_bytes(b"damaged")
    async with site.client() as client:
        response = await client.get(site.get_url(key))
    assert (response.status_code, response.json()["type"]) == (503, "UNAVAILABLE")
