"""Pins the port: what `FilesystemStore` keeps, gives and refuses."""

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tams_graphql.media.filesystem import store as store_module
from tams_graphql.media.filesystem.store import PIECE_BYTES
from tams_graphql.media.store import MediaStore, StoredBytes, new_key
from tams_graphql.model.errors import Unavailable
from tests.media.filesystem.site import BACKEND, MP2T, Site, pieces_of


def test_it_is_a_media_store(site: Site) -> None:
    store: MediaStore = site.store
    assert store.backend == BACKEND


async def test_bytes_come_back_with_their_description(site: Site) -> None:
    key = new_key()
    await site.store.write(key, pieces_of(b"so", b"", b"me"), MP2T)
    assert await site.content(key) == b"some"
    etag = f'"{hashlib.sha256(b"some").hexdigest()}"'
    assert await site.store.stat(key) == StoredBytes(4, MP2T, etag)


async def test_pieces_are_bounded(site: Site) -> None:
    content = os.urandom(2 * PIECE_BYTES + 17)
    key = await site.stored(content)
    pieces = [piece async for piece in site.store.read(key)]
    assert [len(piece) for piece in pieces] == [PIECE_BYTES, PIECE_BYTES, 17]
    assert b"".join(pieces) == content


async def test_what_is_not_there(site: Site) -> None:
    key = new_key()
    assert await site.store.stat(key) is None
    with pytest.raises(KeyError):
        await anext(site.store.read(key))
    await site.store.delete([key])
    await site.store.delete([])


async def test_delete_is_idempotent_and_exact(site: Site) -> None:
    gone, kept = await site.stored(b"gone"), await site.stored(b"kept")
    await site.store.delete([gone, new_key()])
    await site.store.delete([gone])
    assert await site.content(gone) is None
    assert await site.content(kept) == b"kept"


async def test_listings_are_by_key_and_can_go_on_anywhere(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_module, "LISTED_AT_ONCE", 2)
    keys = sorted(
        f"{first}{second}{n:028d}"
        for first in ("0a", "f0")
        for second in ("00", "b1")
        for n in (1, 2)
    )
    for key in reversed(keys):
        await site.store.write(key, pieces_of(b"bytes"), MP2T)
    os.utime(site.root / "0a" / "00" / keys[0], ns=(0, 1_500_000_000_123_456_789))
    # What is no key of ours, or not at the place of its key, is none of ours.
    (site.root / "lost+found").mkdir()
    (site.root / "0a" / "00" / "notes.txt").write_text("theirs")
    (site.root / "0a" / "00" / ("f" * 32)).write_text("not here")
    (site.root / "0a" / "00" / f"0a00{'f' * 28}").mkdir()
    pages = [page async for page in site.store.listed()]
    assert [len(page) for page in pages] == [2, 2, 2, 2]
    assert [one.key for page in pages for one in page] == keys
    assert pages[0][0].modified_us == 1_500_000_000_123_456
    assert pages[0][0].size >= 5
    for index, key in enumerate(keys):
        later = [one.key async for page in site.store.listed(key) for one in page]
        assert later == keys[index + 1 :]


async def test_a_disk_that_is_not_there_is_not_an_empty_one(site: Site) -> None:
    await site.stored(b"kept")
    site.root.rename(site.root.with_name("elsewhere"))
    with pytest.raises(Unavailable):
        await anext(site.store.listed())


async def test_content_that_fails_leaves_the_old_bytes(site: Site) -> None:
    async def failing() -> AsyncIterator[bytes]:
        yield b"x" * (2 * PIECE_BYTES)
        raise ConnectionError("the source went away")

    key = await site.stored(b"old")
    with pytest.raises(ConnectionError):
        await site.store.write(key, failing(), MP2T)
    assert await site.content(key) == b"old"
    assert site.files() == [key]


async def test_a_cancelled_write_leaves_nothing(site: Site) -> None:
    began = asyncio.Event()

    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b"x" * PIECE_BYTES
            began.set()

    writing = asyncio.create_task(site.store.write(new_key(), endless(), MP2T))
    await began.wait()
    writing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await writing
    assert site.files() == []


async def test_cancelled_at_any_moment_nothing_stays_open(site: Site) -> None:
    key = await site.stored(b"old")
    for delay in range(60):
        for work in (site.store.stat(key), site.store.write(new_key(), pieces_of(b"new"), MP2T)):
            task = asyncio.create_task(work)
            await asyncio.sleep(delay / 20_000)
            task.cancel()
            await asyncio.wait([task])
    await site.store.check()
    site.store.close()
    await asyncio.sleep(0)
    assert site.opened() == []
    assert list((site.root / "drafts").iterdir()) == []


async def test_a_disk_that_fails_is_unavailable(site: Site) -> None:
    key = await site.stored(b"old")
    await site.store.check()
    (site.root / "drafts").rmdir()
    with pytest.raises(Unavailable, match="disk-1 failed: No such file"):
        await site.store.check()
    with pytest.raises(Unavailable):
        await site.store.write(key, pieces_of(b"new"), MP2T)
    assert await site.content(key) == b"old"


async def test_a_directory_that_is_away_is_not_taken_for_bytes_that_are_gone(site: Site) -> None:
    key = await site.stored(b"old")
    away = site.root.rename(site.root.with_name("unmounted"))
    with pytest.raises(Unavailable, match="disk-1 failed: No such file"):
        await site.store.delete([key])
    with pytest.raises(Unavailable):
        await site.store.stat(key)
    away.rename(site.root)
    assert await site.content(key) == b"old"


async def test_damaged_bytes_are_unavailable(site: Site) -> None:
    key = await site.stored(b"old")
    next(site.root.rglob(key)).write_bytes(b"something else")
    with pytest.raises(Unavailable, match="damaged"):
        await site.store.stat(key)


def test_urls_are_only_signed_for_keys(site: Site) -> None:
    key = new_key()
    assert [url.split("?")[0] for url in site.store.head_urls([key])] == [f"/media/disk-1/{key}"]
    request = site.store.put_request(key, "an object", MP2T)
    assert (request.content_type, request.headers) == (MP2T, {})
    for bad in ("../../etc/passwd", key + "?"):
        with pytest.raises(ValueError, match="hexadecimal"):
            site.store.put_request(bad, "an object", MP2T)
        with pytest.raises(ValueError, match="hexadecimal"):
            site.store.get_urls([key, bad])


async def test_a_second_store_on_the_directory_sees_the_same(site: Site, tmp_path: Path) -> None:
    key = await site.stored(b"shared")
    other = Site(tmp_path / "media")
    assert await other.content(key) == b"shared"
    other.store.close()
