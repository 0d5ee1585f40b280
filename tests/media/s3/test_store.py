"""The `MediaStore` port over a bucket of a real S3 server."""

import socket
import time
from base64 import b64encode
from hashlib import md5, sha256
from typing import Any

import httpx
import pytest

from tams_graphql.media.s3 import store as store_module
from tams_graphql.media.s3.store import PIECE_BYTES, S3Store
from tams_graphql.media.store import StoredBytes, new_key
from tams_graphql.model.errors import Unavailable
from tests.media.s3.conftest import MakeStore, ask

KEY = "0123456789abcdef0123456789abcdef"


async def read(store: S3Store, key: str) -> bytes:
    return b"".join([piece async for piece in store.read(key)])


def put(store: S3Store, key: str, content: bytes) -> httpx.Response:
    request = store.put_request(key, "an object", "video/mp4")
    sent = {"content-type": request.content_type, **request.headers}
    return ask("PUT", request.url, content=content, headers=sent)


async def test_what_is_put_through_a_url_is_there(store: S3Store) -> None:
    assert await store.stat(KEY) is None
    assert put(store, KEY, b"frames").status_code == 200
    etag = f'"{md5(b"frames").hexdigest()}"'
    assert await store.stat(KEY) == StoredBytes(6, "video/mp4", etag)
    assert await read(store, KEY) == b"frames"
    (get_url,), (head_url,) = store.get_urls([KEY]), store.head_urls([KEY])
    assert ask("GET", get_url).content == b"frames"
    assert ask("GET", get_url, headers={"range": "bytes=1-3"}).content == b"ram"
    assert ask("HEAD", head_url).headers["content-length"] == "6"


async def test_listings_are_by_key_and_can_go_on_anywhere(
    store: S3Store, boto: Any, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_module, "LISTED_AT_ONCE", 2)
    assert [page async for page in store.listed()] == []
    keys = sorted(f"{digit}{n:031d}" for digit in "0af" for n in (1, 2, 3))
    began = time.time() - 2
    for key in reversed(keys):
        assert put(store, key, b"frames").status_code == 200
    for name in ("0", "0a-of-others", "b/notes.txt", "b/more.txt", "c" * 31, "é"):
        boto.put_object(Bucket=bucket, Key=name, Body=b"theirs")
    pages = [page async for page in store.listed()]
    found = [one for page in pages for one in page]
    assert [one.key for one in found] == keys
    assert all(1 <= len(page) <= 2 for page in pages)
    assert {one.size for one in found} == {6}
    assert all(began < one.modified_us / 1_000_000 < time.time() + 2 for one in found)
    later = [one.key async for page in store.listed(keys[3]) for one in page]
    assert later == keys[4:]


async def test_a_bucket_that_is_not_there_is_not_an_empty_one(make_store: MakeStore) -> None:
    with pytest.raises(Unavailable):
        await anext(make_store("no-such-bucket").listed())


async def test_bytes_that_are_there_cannot_be_overwritten_through_their_url(
    store: S3Store,
) -> None:
    request = store.put_request(KEY, "an object", "video/mp4")
    assert request.headers == {"If-None-Match": "*"}
    assert "SignedHeaders=content-type%3Bhost%3Bif-none-match&" in request.url
    assert put(store, KEY, b"first").status_code == 200
    assert put(store, KEY, b"second").status_code == 412
    assert await read(store, KEY) == b"first"
    assert await store.refuses_overwriting()


async def test_without_write_once_the_operator_has_chosen_otherwise(
    make_store: MakeStore, bucket: str
) -> None:
    store = make_store(bucket, write_once=False)
    assert store.put_request(KEY, "an object", "video/mp4").headers == {}
    assert put(store, KEY, b"first").status_code == 200
    assert put(store, KEY, b"second").status_code == 200
    assert await read(store, KEY) == b"second"


async def test_a_checksum_is_signed_and_told(make_store: MakeStore, bucket: str) -> None:
    digest = b64encode(sha256(b"frames").digest()).decode()
    store = make_store(bucket)
    request = store.put_request(KEY, "an object", "video/mp4", digest)
    assert request.headers == {"If-None-Match": "*", "x-amz-checksum-sha256": digest}
    signed = "SignedHeaders=content-type%3Bhost%3Bif-none-match%3Bx-amz-checksum-sha256&"
    assert signed in request.url
    sent = {"content-type": request.content_type, **request.headers}
    assert ask("PUT", request.url, content=b"frames", headers=sent).status_code == 200
    loose = make_store(bucket, write_once=False).put_request(KEY, "an object", "video/mp4", digest)
    assert loose.headers == {"x-amz-checksum-sha256": digest}


async def test_bytes_can_be_read_from_anywhere_on(store: S3Store, boto: Any, bucket: str) -> None:
    boto.put_object(Bucket=bucket, Key=KEY, Body=b"frames" * PIECE_BYTES)
    got = [piece async for piece in store.read(KEY, PIECE_BYTES)]
    assert b"".join(got) == (b"frames" * PIECE_BYTES)[PIECE_BYTES:]
    assert max(map(len, got)) <= PIECE_BYTES


async def test_reading_nothing_is_a_key_error(store: S3Store) -> None:
    with pytest.raises(KeyError):
        await read(store, KEY)


async def test_deletes_thousands_and_what_is_not_there(
    store: S3Store, boto: Any, bucket: str
) -> None:
    keys = [new_key() for _ in range(1100)]
    for key in keys[::100]:
        boto.put_object(Bucket=bucket, Key=key, Body=b"x")
    boto.put_object(Bucket=bucket, Key=KEY, Body=b"kept")
    await store.delete(keys)
    await store.delete(keys)
    await store.delete([])
    listed = boto.list_objects_v2(Bucket=bucket)["Contents"]
    assert [one["Key"] for one in listed] == [KEY]


async def test_check_says_why(make_store: MakeStore, store: S3Store) -> None:
    await store.check()
    with pytest.raises(Unavailable, match="'no-such-bucket': the bucket does not exist"):
        await make_store("no-such-bucket").check()


async def test_a_server_that_is_away_fails_typed_and_names_the_store(
    make_store: MakeStore, bucket: str
) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        away = make_store(bucket, endpoint=f"http://127.0.0.1:{nobody.getsockname()[1]}")
        with pytest.raises(Unavailable, match=f"storage backend in-{bucket} failed"):
            await away.stat(KEY)
        with pytest.raises(Unavailable, match=f"'{bucket}'"):
            await away.check()
        assert away.get_urls([KEY])[0].startswith("http://127.0.0.1:")


def test_direct_urls_are_for_the_operators_base(make_store: MakeStore, bucket: str) -> None:
    assert make_store(bucket).direct_urls([KEY]) is None
    cdn = make_store(bucket, direct_url_base="https://cdn.example/media")
    assert cdn.direct_urls([KEY, "é ?"]) == [
        f"https://cdn.example/media/{KEY}",
        "https://cdn.example/media/%C3%A9%20%3F",
    ]


def test_clients_are_sent_to_the_public_endpoint(make_store: MakeStore, bucket: str) -> None:
    store = make_store(bucket, public_endpoint="https://s3.studio.example")
    assert store.get_urls([KEY])[0].startswith(f"https://s3.studio.example/{bucket}/{KEY}?")
    named = make_store(
        bucket, public_endpoint="https://s3.studio.example", addressing_style="virtual"
    )
    assert named.get_urls([KEY])[0].startswith(f"https://{bucket}.s3.studio.example/{KEY}?")


@pytest.mark.parametrize("more", [{"credentials_env": "NOBODY_"}, {"credentials_env": None}])
def test_missing_credentials_are_told_at_once(
    make_store: MakeStore, bucket: str, more: dict[str, object]
) -> None:
    with pytest.raises(Unavailable, match=r"credentials|NOBODY_ACCESS_KEY_ID"):
        make_store(bucket, **more)
