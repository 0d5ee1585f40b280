"""Pins what only a real server and real sockets show: disconnects, races, interim answers."""

import asyncio
import os
import socket
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from tams_graphql.media.store import new_key
from tests.media.filesystem.site import MP2T, Site
from tests.support.server import running

MAX_BYTES = 8 << 20


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Site]:
    site = Site(tmp_path / "media", max_bytes=MAX_BYTES)
    site.clock.now = time.time()
    with running(site.app) as base_url:
        site.base_url = base_url
        yield site
    site.store.close()


def raw_request(site: Site, key: str, *headers: str) -> socket.socket:
    """A connection on which the head of a PUT was sent."""
    parts = urlsplit(site.put_url(key))
    assert parts.hostname
    assert parts.port
    connection = socket.create_connection((parts.hostname, parts.port), timeout=10)
    lines = [
        f"PUT {parts.path}?{parts.query} HTTP/1.1",
        f"Host: {parts.netloc}",
        f"Content-Type: {MP2T}",
        *headers,
    ]
    connection.sendall("\r\n".join(lines).encode() + b"\r\n\r\n")
    return connection


async def until(happens: bool, site: Site, count: int) -> None:
    """Wait until as many files are kept."""
    deadline = time.monotonic() + 10
    while (len(site.files()) == count) is not happens:
        assert time.monotonic() < deadline, site.files()
        await asyncio.sleep(0.01)


async def test_round_trip_over_http(served: Site) -> None:
    key, content = new_key(), os.urandom(5 << 20)
    async with httpx.AsyncClient() as client:
        put = await client.put(
            served.put_url(key, "a/b 🎬"), content=content, headers={"content-type": MP2T}
        )
        assert put.status_code == 200
        got = await client.get(served.get_url(key))
        assert got.content == content
        assert got.headers["etag"] == put.headers["etag"]
        part = await client.get(served.get_url(key), headers={"range": "bytes=1000000-4000000"})
        assert (part.status_code, part.content) == (206, content[1_000_000:4_000_001])
        head = await client.head(served.get_url(key))
        assert (head.status_code, head.headers["content-length"]) == (200, str(5 << 20))


@pytest.mark.parametrize("framing", ["Content-Length: 5000000", "Transfer-Encoding: chunked"])
async def test_a_client_that_leaves_keeps_nothing(served: Site, framing: str) -> None:
    with raw_request(served, new_key(), framing) as connection:
        half = b"x" * 2_500_000
        connection.sendall(half if "Length" in framing else b"%x\r\n%s\r\n" % (len(half), half))
        await until(True, served, 1)
    await until(True, served, 0)


async def test_too_large_in_chunks_is_answered_and_keeps_nothing(served: Site) -> None:
    async def body() -> AsyncIterator[bytes]:
        for _ in range(9):
            yield b"x" * (1 << 20)

    async with httpx.AsyncClient() as client:
        response = await client.put(
            served.put_url(new_key()), content=body(), headers={"content-type": MP2T}
        )
    assert (response.status_code, response.json()["type"]) == (413, "TOO_LARGE")
    assert served.files() == []


async def test_a_client_that_waits_to_be_asked_is_asked(served: Site) -> None:
    key = new_key()
    with raw_request(served, key, "Content-Length: 4", "Expect: 100-continue") as connection:
        assert connection.recv(1000) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(b"body")
        assert connection.recv(1000).startswith(b"HTTP/1.1 200 OK\r\n")
    assert await served.content(key) == b"body"


async def test_a_client_that_waits_in_vain_is_told_why(served: Site) -> None:
    length = f"Content-Length: {MAX_BYTES + 1}"
    with raw_request(served, new_key(), length, "Expect: 100-continue") as connection:
        answer = b"".join(iter(lambda: connection.recv(1000), b""))
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b"connection: close" in answer
    assert b"TOO_LARGE" in answer


async def test_of_concurrent_uploads_one_wins_whole(served: Site) -> None:
    key = new_key()
    bodies = [bytes([number]) * (1 << 20) + os.urandom(number * 1000) for number in range(8)]
    async with httpx.AsyncClient() as client:

        async def put(body: bytes) -> str:
            response = await client.put(
                served.put_url(key), content=body, headers={"content-type": MP2T}
            )
            assert response.status_code == 200
            return response.headers["etag"]

        async def reads() -> list[httpx.Response]:
            return [await client.get(served.get_url(key)) for _ in range(20)]

        etags = await asyncio.gather(*map(put, bodies))
        again, seen = await asyncio.gather(asyncio.gather(*map(put, bodies)), reads())
    assert again == etags
    assert await served.content(key) in bodies
    for response in seen:
        assert response.content in bodies
        assert response.headers["etag"] == etags[bodies.index(response.content)]
    assert served.files() == [key]


async def test_exactly_one_of_concurrent_firsts_succeeds(served: Site) -> None:
    key = new_key()
    async with httpx.AsyncClient() as client:

        async def put(body: bytes) -> int:
            headers = {"content-type": MP2T, "if-none-match": "*"}
            url = served.put_url(key)
            return (await client.put(url, content=body, headers=headers)).status_code

        bodies = [bytes([number]) * 100_000 for number in range(8)]
        statuses = await asyncio.gather(*map(put, bodies))
    assert sorted(statuses) == [200] + [412] * 7
    assert await served.content(key) == bodies[statuses.index(200)]


async def test_a_reader_that_leaves_gives_the_file_back(served: Site) -> None:
    key = await served.stored(os.urandom(MAX_BYTES))

    url = served.get_url(key)
    async with httpx.AsyncClient() as client, client.stream("GET", url) as response:
        await anext(response.aiter_raw())
        assert len(served.opened()) == 1
    deadline = time.monotonic() + 10
    while served.opened():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)


async def test_an_upload_does_not_disturb_a_download_under_way(served: Site) -> None:
    before, after = os.urandom(MAX_BYTES), os.urandom(MAX_BYTES)
    key = await served.stored(before)
    async with httpx.AsyncClient() as client:
        async with client.stream("GET", served.get_url(key)) as response:
            pieces = response.aiter_raw()
            received = await anext(pieces)
            put = await client.put(
                served.put_url(key), content=after, headers={"content-type": MP2T}
            )
            assert put.status_code == 200
            received += b"".join([piece async for piece in pieces])
        assert received == before
        assert (await client.get(served.get_url(key))).content == after
