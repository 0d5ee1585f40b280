"""Copies into a bucket: of any length, from anywhere, going on where they stopped."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tams_graphql.media.s3 import copying
from tams_graphql.media.s3.multipart import PART_BYTES, MultipartUpload, part_bytes
from tams_graphql.media.s3.store import S3Store
from tams_graphql.media.store import CopyOrder, CopyProgress, MediaStore, StorageBackend
from tams_graphql.model.errors import Unavailable
from tests.media.s3.conftest import MakeStore
from tests.resolvers.memory_store import MemoryStore
from tests.support.processes import free_port

KEY = "0123456789abcdef0123456789abcdef"
COPY = "fedcba9876543210fedcba9876543210"


class Source(MemoryStore):
    """A backend that tells from where it is read, and breaks off once `breaks_after` is reached."""

    def __init__(self, content: bytes) -> None:
        super().__init__(StorageBackend(id="m", label=None, provider="p", store_product="memory"))
        self.contents[KEY] = (content, "video/mp4")
        self.starts: list[int] = []
        self.breaks_after: int | None = None

    async def read(self, key: str, start: int = 0) -> AsyncIterator[bytes]:
        content = self.contents[key][0]
        self.starts.append(start)
        for at in range(start, len(content), 3_000_000):
            if self.breaks_after is not None and at >= self.breaks_after:
                raise Unavailable("the source is away")
            yield content[at : at + 3_000_000]


def bytes_of(size: int) -> bytes:
    return (bytes(range(251)) * (size // 251 + 1))[:size]


async def ordered(source: MediaStore, size: int, etag: str = '"1"') -> CopyOrder:
    return CopyOrder(
        source=source, source_key=KEY, key=COPY, size=size, etag=etag, content_type="audio/mp4"
    )


async def copied(store: S3Store, order: CopyOrder, token: str | None = None) -> list[int]:
    """How many bytes were told to be there, step by step."""
    return [step.bytes_done async for step in store.copy(order, token)]


async def broken_off(store: S3Store, order: CopyOrder, token: str | None = None) -> CopyProgress:
    """The last step of a copy whose source goes away."""
    last = None
    try:
        async for step in store.copy(order, token):
            last = step
    except Unavailable:
        assert last is not None
        return last
    pytest.fail("it did not break off")


async def read(store: S3Store) -> bytes:
    return b"".join([piece async for piece in store.read(COPY)])


def unfinished(boto: Any, bucket: str) -> int:
    return len(boto.list_multipart_uploads(Bucket=bucket).get("Uploads", ()))


@pytest.mark.parametrize(
    "size", [0, 1, PART_BYTES - 1, PART_BYTES, PART_BYTES + 1, 2 * PART_BYTES + 7]
)
async def test_content_of_any_length_is_copied(store: S3Store, size: int) -> None:
    steps = await copied(store, await ordered(Source(bytes_of(size)), size))
    assert steps == sorted(steps)
    assert steps[-1] == size
    told = await store.stat(COPY)
    assert told is not None
    assert (told.size, told.content_type) == (size, "audio/mp4")
    assert await read(store) == bytes_of(size)


async def test_nothing_is_seen_before_all_of_it_is_there(
    store: S3Store, boto: Any, bucket: str
) -> None:
    source = Source(bytes_of(3 * PART_BYTES))
    source.breaks_after = PART_BYTES + 3_000_000
    last = await broken_off(store, await ordered(source, 3 * PART_BYTES))
    assert last.bytes_done == PART_BYTES
    assert await store.stat(COPY) is None
    assert unfinished(boto, bucket) == 1
    assert last.token is not None
    await store.abandon(COPY, last.token)
    await store.abandon(COPY, last.token)
    assert unfinished(boto, bucket) == 0


async def test_it_goes_on_with_the_next_part(
    store: S3Store, make_store: MakeStore, bucket: str
) -> None:
    size = 3 * PART_BYTES + 1
    source = Source(bytes_of(size))
    source.breaks_after = 2 * PART_BYTES + 1
    order = await ordered(source, size)
    token = (await broken_off(store, order)).token
    source.breaks_after = None
    later = make_store(bucket)
    assert await copied(later, order, token) == [2 * PART_BYTES, 3 * PART_BYTES, size]
    assert source.starts == [0, 2 * PART_BYTES]
    assert await read(store) == bytes_of(size)


async def test_a_copy_that_was_finished_just_before_the_crash_is_found_finished(
    store: S3Store,
) -> None:
    source = Source(bytes_of(PART_BYTES + 1))
    order = await ordered(source, PART_BYTES + 1)
    token = [step.token async for step in store.copy(order)][-1]
    assert await copied(store, order, token) == []
    assert source.starts == [0]


async def test_a_copy_whose_parts_were_thrown_away_begins_anew(store: S3Store) -> None:
    source = Source(bytes_of(2 * PART_BYTES))
    source.breaks_after = PART_BYTES + 1
    order = await ordered(source, 2 * PART_BYTES)
    token = (await broken_off(store, order)).token
    assert token is not None
    await store.abandon(COPY, token)
    source.breaks_after = None
    assert (await copied(store, order, token))[0] == 0
    assert await read(store) == bytes_of(2 * PART_BYTES)


async def test_a_server_that_lists_no_parts_gets_them_all_again(
    store: S3Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = Source(bytes_of(2 * PART_BYTES))
    source.breaks_after = PART_BYTES + 1
    order = await ordered(source, 2 * PART_BYTES)
    token = (await broken_off(store, order)).token
    source.breaks_after = None

    def refuse(_: object) -> None:
        raise ClientError({"Error": {"Code": "AccessDenied"}}, "ListParts")

    monkeypatch.setattr(MultipartUpload, "find_parts", refuse)
    assert (await copied(store, order, token))[0] == 0
    assert await read(store) == bytes_of(2 * PART_BYTES)


async def test_two_versions_are_never_mixed(store: S3Store, boto: Any, bucket: str) -> None:
    size = 2 * PART_BYTES
    source = Source(b"x" * size)
    source.breaks_after = PART_BYTES + 1
    token = (await broken_off(store, await ordered(source, size))).token
    source.contents[KEY], source.breaks_after = (bytes_of(size), "video/mp4"), None
    await copied(store, await ordered(source, size, etag='"2"'), token)
    assert await read(store) == bytes_of(size)
    assert unfinished(boto, bucket) == 0


async def test_a_source_that_gives_another_number_of_bytes_is_not_believed(
    store: S3Store,
) -> None:
    for given, size in ((5, 6), (2 * PART_BYTES, 2 * PART_BYTES + 1), (PART_BYTES + 2, PART_BYTES)):
        with pytest.raises(Unavailable, match=f"{given} bytes instead of {size}"):
            await copied(store, await ordered(Source(bytes_of(given)), size))
        assert await store.stat(COPY) is None


async def test_a_source_without_the_bytes_is_a_key_error(store: S3Store) -> None:
    source = Source(b"")
    source.contents.clear()
    with pytest.raises(KeyError):
        await copied(store, await ordered(source, 3))


async def test_a_server_copies_by_itself(
    make_store: MakeStore, boto: Any, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert await copied_inside(make_store, boto, bucket, 6, monkeypatch) == [6]


async def test_a_server_copies_by_itself_in_parts(
    make_store: MakeStore, boto: Any, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = await copied_inside(make_store, boto, bucket, 12 << 20, monkeypatch)
    assert steps == [0, 5 << 20, 10 << 20, 12 << 20]


async def copied_inside(
    make_store: MakeStore, boto: Any, bucket: str, size: int, monkeypatch: pytest.MonkeyPatch
) -> list[int]:
    """Copy from a bucket that can't be read through here to another one."""
    monkeypatch.setattr(copying, "INSIDE_BYTES", 5 << 20)
    boto.create_bucket(Bucket=f"{bucket}-2")
    boto.put_object(Bucket=bucket, Key=KEY, Body=bytes_of(size), ContentType="video/mp4")
    store, target = make_store(bucket), make_store(f"{bucket}-2")
    monkeypatch.setattr(store, "read", None)
    order = await ordered(store, size)
    steps = await copied(target, order)
    assert await read(target) == bytes_of(size)
    told = await target.stat(COPY)
    assert told is not None
    assert told.content_type == "audio/mp4"
    return steps


async def test_a_copy_inside_a_server_goes_on_too(
    store: S3Store, boto: Any, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copying, "INSIDE_BYTES", 5 << 20)
    size = 12 << 20
    boto.put_object(Bucket=bucket, Key=KEY, Body=bytes_of(size))
    order = await ordered(store, size)
    run = store.copy(order)
    seen = [await anext(run) for _ in range(2)]
    await run.aclose()
    assert [step.bytes_done for step in seen] == [0, 5 << 20]
    assert await copied(store, order, seen[-1].token) == [5 << 20, 10 << 20, size]
    assert await read(store) == bytes_of(size)


@pytest.mark.parametrize("size", [6, 12 << 20])
async def test_bytes_come_through_here_where_the_server_may_not_copy(
    store: S3Store, boto: Any, bucket: str, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The credentials of the target may not read the source: its bucket is not even there."""
    monkeypatch.setattr(copying, "INSIDE_BYTES", 5 << 20)
    boto.put_object(Bucket=bucket, Key=KEY, Body=bytes_of(size))
    order = await ordered(store, size)
    monkeypatch.setattr(store, "_inside", lambda _: {"Bucket": "no-such-bucket", "Key": KEY})
    assert (await copied(store, order))[-1] == size
    assert await read(store) == bytes_of(size)


async def test_other_servers_and_other_kinds_of_backend_are_not_inside(
    store: S3Store, make_store: MakeStore, bucket: str
) -> None:
    elsewhere = make_store(bucket, endpoint=f"http://127.0.0.1:{free_port()}")
    assert store._inside(await ordered(elsewhere, 1)) is None
    assert store._inside(await ordered(Source(b""), 1)) is None
    assert store._inside(await ordered(store, 1)) == {"Bucket": bucket, "Key": KEY}


def test_no_upload_has_more_parts_than_s3_takes() -> None:
    assert part_bytes(1, PART_BYTES) == PART_BYTES
    assert part_bytes(10_000 * PART_BYTES, PART_BYTES) == PART_BYTES
    assert part_bytes(10_000 * PART_BYTES + 1, PART_BYTES) == PART_BYTES + 1
