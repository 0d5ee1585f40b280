"""Pins PUT: what is taken, what is refused, and that a refusal keeps nothing."""

import base64
import hashlib
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tams_graphql.media.store import new_key
from tests.media.filesystem.site import MP2T, Site, pieces_of, problem

BODY = b"an hour of television"
SHA256 = base64.b64encode(hashlib.sha256(BODY).digest()).decode()
SHA512 = base64.b64encode(hashlib.sha512(BODY).digest()).decode()
MD5 = base64.b64encode(hashlib.md5(BODY).digest()).decode()
WRONG = {
    "sha256": base64.b64encode(b"\0" * 32).decode(),
    "sha512": base64.b64encode(b"\0" * 64).decode(),
    "md5": base64.b64encode(b"\0" * 16).decode(),
}


async def refused(site: Site, body: Any = BODY, **headers: str) -> tuple[int, str, str, str]:
    """The refusal of `body`, which must leave nothing."""
    response = await site.put(new_key(), body, **headers)
    assert site.files() == []
    return problem(response)


async def test_round_trip(site: Site) -> None:
    key = new_key()
    response = await site.put(key, BODY)
    etag = f'"{hashlib.sha256(BODY).hexdigest()}"'
    assert (response.status_code, response.content) == (200, b"")
    assert response.headers["etag"] == etag
    assert response.headers["access-control-allow-origin"] == "*"
    async with site.client() as client:
        got = await client.get(site.get_url(key))
    assert (got.status_code, got.content, got.headers["etag"]) == (200, BODY, etag)
    assert got.headers["content-type"] == MP2T
    assert site.files() == [key]


@pytest.mark.parametrize("body", [b"", b"x" * (1 << 20)])
async def test_bodies_up_to_the_limit(site: Site, body: bytes) -> None:
    key = new_key()
    assert (await site.put(key, body)).status_code == 200
    assert await site.content(key) == body


@pytest.mark.parametrize(
    "object_id",
    ["a/b/c", "../../etc/passwd", "..", "\"two\" 'one'", "🎬 clip", "a&b=c#d?e", "\n", "%2F", "+"],
)
async def test_object_ids_reach_the_question_unharmed(site: Site, object_id: str) -> None:
    key = new_key()
    async with site.client() as client:
        response = await client.put(
            site.put_url(key, object_id), content=BODY, headers={"content-type": MP2T}
        )
    assert response.status_code == 200
    assert site.asked == [(object_id, "disk-1", key)] * 2
    assert site.files() == [key]


async def test_an_object_registered_before(site: Site) -> None:
    site.registered.add("object")
    assert await refused(site) == (403, "FORBIDDEN", "object_id", "writable")
    assert len(site.asked) == 1


async def test_an_object_registered_while_its_bytes_come_in(site: Site) -> None:
    async def body() -> AsyncIterator[bytes]:
        yield BODY
        site.registered.add("object")

    assert await refused(site, body()) == (403, "FORBIDDEN", "object_id", "writable")
    assert len(site.asked) == 2


async def test_registered_bytes_stay_as_they_are(site: Site) -> None:
    key = await site.stored(b"registered")
    site.registered.add("object")
    assert (await site.put(key, BODY)).status_code == 403
    assert await site.content(key) == b"registered"


async def test_refused_before_a_byte_is_received(site: Site) -> None:
    async def untouched() -> AsyncIterator[bytes]:
        pytest.fail("the body was asked for")
        yield b""

    huge = str((1 << 20) + 1)
    told = await refused(site, untouched(), content_length=huge)
    assert told == (413, "TOO_LARGE", "body", "max_bytes")
    assert (await refused(site, untouched(), content_type="video/mp4"))[0] == 415
    assert (await refused(site, untouched(), content_md5="x"))[0] == 400
    site.registered.add("object")
    assert (await refused(site, untouched()))[0] == 403


async def test_more_than_the_limit_in_chunks(site: Site) -> None:
    body = pieces_of(*[b"x" * 70_000] * 16)
    assert await refused(site, body) == (413, "TOO_LARGE", "body", "max_bytes")


@pytest.mark.parametrize("length", ["20", "22", "1048576"])
async def test_a_length_that_does_not_fit(site: Site, length: str) -> None:
    told = await refused(site, pieces_of(BODY), content_length=length)
    assert told == (400, "INVALID_INPUT", "content-length", "mismatch")


@pytest.mark.parametrize("length", ["-1", "x", "1_0", "9" * 21, "²"])
async def test_a_length_that_is_none(site: Site, length: str) -> None:
    headers = {b"content-type": MP2T.encode(), b"content-length": length.encode()}
    async with site.client() as client:
        response = await client.put(
            site.put_url(new_key()), content=pieces_of(BODY), headers=headers
        )
    assert problem(response) == (400, "INVALID_INPUT", "content-length", "format")


@pytest.mark.parametrize("content_type", ["", "video/mp4", "video/mp2t; charset=utf-8", "é"])
async def test_another_content_type(site: Site, content_type: str) -> None:
    async with site.client() as client:
        response = await client.put(
            site.put_url(new_key()), content=BODY, headers={b"content-type": content_type.encode()}
        )
    told = (415, "UNSUPPORTED_MEDIA_TYPE", "content-type", "allocated")
    assert problem(response) == told
    assert site.files() == []


async def test_the_same_content_type_in_other_words(site: Site) -> None:
    assert (await site.put(new_key(), BODY, content_type="VIDEO/MP2T")).status_code == 200


async def test_bytes_that_are_not_the_whole_as_it_is(site: Site) -> None:
    told = await refused(site, content_encoding="gzip")
    assert told == (415, "UNSUPPORTED_MEDIA_TYPE", "content-encoding", "identity")
    told = await refused(site, content_range="bytes 0-1/2")
    assert told == (400, "INVALID_INPUT", "content-range", "whole")


@pytest.mark.parametrize(
    ("header", "right", "wrong"),
    [
        ("content_digest", f"sha-256=:{SHA256}:", f"sha-256=:{WRONG['sha256']}:"),
        ("content_digest", f"sha-512=:{SHA512}:", f"sha-512=:{WRONG['sha512']}:"),
        (
            "content_digest",
            f"sha-256=:{SHA256}:, sha-512=:{SHA512}:",
            f"sha-256=:{SHA256}:, sha-512=:{WRONG['sha512']}:",
        ),
        ("content_md5", MD5, WRONG["md5"]),
        ("x_amz_checksum_sha256", SHA256, WRONG["sha256"]),
    ],
)
async def test_digests(site: Site, header: str, right: str, wrong: str) -> None:
    name = header.replace("_", "-")
    assert await refused(site, **{header: wrong}) == (
        400,
        "INVALID_INPUT",
        name,
        "digest.mismatch",
    )
    assert await refused(site, **{header: "sha-256"}) == (
        400,
        "INVALID_INPUT",
        name,
        "digest.format",
    )
    assert (await site.put(new_key(), BODY, **{header: right})).status_code == 200


async def test_a_url_signed_for_one_digest_takes_no_other_bytes(site: Site) -> None:
    key = new_key()
    request = site.store.put_request(key, "object", MP2T, SHA256)
    assert request.headers == {"x-amz-checksum-sha256": SHA256}
    url = site.base_url + request.url
    headers = {"content-type": MP2T}
    async with site.client() as client:
        other = await client.put(url, content=b"other bytes", headers=headers)
        assert problem(other) == (400, "INVALID_INPUT", "sha256", "digest.mismatch")
        without = url.replace("&sha256=", "&was=")
        refused = await client.put(without, content=b"other bytes", headers=headers)
        assert refused.status_code == 403
        assert site.files() == []
        right = await client.put(url, content=BODY, headers={**headers, **request.headers})
    assert right.status_code == 200
    assert await site.content(key) == BODY


async def test_digests_in_two_lines_both_count(site: Site) -> None:
    lines = [f"sha-256=:{SHA256}:", f"sha-512=:{WRONG['sha512']}:"]
    headers = [("content-type", MP2T), *(("content-digest", line) for line in lines)]
    async with site.client() as client:
        response = await client.put(site.put_url(new_key()), content=BODY, headers=headers)
    assert problem(response)[3] == "digest.mismatch"


async def test_a_mismatch_leaves_the_bytes_of_before(site: Site) -> None:
    key = await site.stored(b"before")
    assert (await site.put(key, BODY, content_md5=WRONG["md5"])).status_code == 400
    assert await site.content(key) == b"before"


async def test_only_the_first(site: Site) -> None:
    key = new_key()
    assert (await site.put(key, b"first", if_none_match="*")).status_code == 200
    response = await site.put(key, b"second", if_none_match="*")
    assert problem(response) == (412, "PRECONDITION_FAILED", "if-none-match", "precondition")
    assert await site.content(key) == b"first"
    assert (await site.put(key, b"third")).status_code == 200
    assert await site.content(key) == b"third"


async def test_only_the_first_even_if_the_other_comes_meanwhile(site: Site) -> None:
    key = new_key()

    async def body() -> AsyncIterator[bytes]:
        yield b"second"
        await site.store.write(key, pieces_of(b"first"), MP2T)

    assert (await site.put(key, body(), if_none_match="*")).status_code == 412
    assert await site.content(key) == b"first"
    assert site.files() == [key]


async def test_only_over_a_known_version_even_if_another_comes_meanwhile(site: Site) -> None:
    key = await site.stored(b"known")
    stat = await site.store.stat(key)
    assert stat

    async def body() -> AsyncIterator[bytes]:
        yield b"second"
        await site.store.write(key, pieces_of(b"first"), MP2T)

    assert (await site.put(key, body(), if_match=stat.etag)).status_code == 412
    assert await site.content(key) == b"first"


async def test_only_over_a_known_version(site: Site) -> None:
    key = new_key()
    assert (await site.put(key, BODY, if_match="*")).status_code == 412
    etag = (await site.put(key, BODY)).headers["etag"]
    assert (await site.put(key, b"next", if_match=etag)).status_code == 200
    assert (await site.put(key, b"late", if_match=etag)).status_code == 412
    assert await site.content(key) == b"next"


async def test_a_full_disk_is_503(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", full)
        response = await site.put(new_key(), BODY)
    assert (response.status_code, response.json()["type"]) == (503, "UNAVAILABLE")
    assert site.files() == []
