"""Backends compared with the index: what is told, what is deleted, and what never is."""

from collections.abc import Callable
from typing import Any, cast

import pytest

from tams_graphql.media.store import ListedBytes, StoredBytes, new_key
from tams_graphql.metadata.edits import Edits
from tams_graphql.metadata.engine import Row
from tams_graphql.metadata.tables import COPIES, DISCARDED_MEDIA, INSTANCES
from tams_graphql.resolvers import reconcile as module
from tams_graphql.resolvers.context import Context
from tams_graphql.resolvers.copies import copy_instance
from tams_graphql.resolvers.objects import add_uncontrolled_instance, get_object
from tams_graphql.resolvers.reconcile import (
    SAFETY_SECONDS,
    Discrepancy,
    Found,
    Reconciled,
    Watch,
    reconcile,
)
from tams_graphql.resolvers.segment_deletion import delete_segments
from tams_graphql.timeline import TimeRange
from tests.resolvers.conftest import ARCHIVE, DISK, Clock, fresh
from tests.resolvers.memory_store import MemoryStore
from tests.resolvers.segment_stories import FLOW, allocated, recorded, video_flow

BYTES = (b"media", "video/mp2t")
UNKNOWN_KEYS = ("0" * 32, "7" * 32, "f" * 32)


@pytest.fixture(autouse=True)
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PAGE", 2)


def store(ctx: Context, storage_id: str = DISK) -> MemoryStore:
    return cast("MemoryStore", ctx.stores.by_id[storage_id])


async def key_of(ctx: Context, object_id: str, storage_id: str = DISK) -> str:
    places = (await get_object(fresh(ctx), object_id)).instances
    return next(str(one.key) for one in places if one.storage_id == storage_id)


async def stored(ctx: Context, objects: int) -> list[str]:
    """Registered objects ``o0``, ... with their bytes; the keys of these."""
    await video_flow(ctx)
    await recorded(ctx, *(f"[{n}:0_{n + 1}:0)" for n in range(objects)))
    keys = [await key_of(ctx, f"o{n}") for n in range(objects)]
    store(ctx).contents.update(dict.fromkeys(keys, BYTES))
    return keys


async def run(ctx: Context, **options: Any) -> tuple[list[Reconciled], list[Found]]:
    found: list[Found] = []
    reports = await reconcile(
        fresh(ctx), list(ctx.stores.by_id), watch=Watch(found=found.append), **options
    )
    return reports, sorted(found, key=lambda one: one.key)


async def test_where_all_is_well_nothing_is_told(ctx: Context, dump: Callable[[], Any]) -> None:
    await stored(ctx, 5)
    await copy_instance(ctx, "o0", ARCHIVE)
    await add_uncontrolled_instance(ctx, "o1", "https://elsewhere.test/o1", "elsewhere")
    await allocated(ctx, "not uploaded yet")
    before, held = await dump(), dict(store(ctx).contents)
    reports, found = await run(ctx, delete=True)
    assert found == []
    assert reports == [
        Reconciled(storage_id=DISK, stored=5, stored_bytes=25),
        Reconciled(storage_id=ARCHIVE, stored=1, stored_bytes=5),
    ]
    assert await dump() == before
    assert store(ctx).contents == held


async def test_unknown_bytes_are_told_and_deleted_unless_they_are_young(
    ctx: Context, clock: Clock
) -> None:
    keys = await stored(ctx, 5)
    seconds = ctx.service.min_object_timeout + ctx.service.min_presigned_url_timeout
    young = "9" * 32
    store(ctx).contents.update(dict.fromkeys((*UNKNOWN_KEYS, young), BYTES))
    # The clock ticks: what is as old as this now will be older when it is looked at.
    safe_us = clock.now_us - (seconds + SAFETY_SECONDS) * 1_000_000
    store(ctx).modified_us[UNKNOWN_KEYS[0]] = safe_us
    store(ctx).modified_us[young] = safe_us + 10_000_000
    everything = set(store(ctx).contents)

    (told, _), found = await run(ctx)
    assert found == [Found(Discrepancy.UNKNOWN, DISK, key, None, 5) for key in UNKNOWN_KEYS]
    numbers: dict[str, Any] = {
        "stored": 9,
        "stored_bytes": 45,
        "unknown": 3,
        "unknown_bytes": 15,
        "young": 1,
    }
    assert told == Reconciled(storage_id=DISK, **numbers)
    assert set(store(ctx).contents) == everything

    (told, _), _ = await run(ctx, delete=True)
    assert told == Reconciled(storage_id=DISK, deleted=3, **numbers)
    assert set(store(ctx).contents) == {*keys, young}


async def test_what_waits_to_be_deleted_or_is_being_copied_is_known(ctx: Context) -> None:
    await stored(ctx, 3)
    copying, discarded = "1" * 32, "2" * 32
    edits = Edits()
    row: Row = {
        "copy_id": copying, "object_id": "o0", "incarnation": "i", "storage_id": DISK,
        "state": "running", "version": 0, "bytes_done": 0, "bytes_total": 5,
        "created_us": 0, "updated_us": 0, "due_us": 2**60,
    }  # fmt: skip
    edits.insert(COPIES, row)
    note: Row = {"storage_id": DISK, "storage_key": discarded, "discarded_us": 2**60}
    edits.insert(DISCARDED_MEDIA, note)
    await ctx.metadata.commit(lambda _: edits.changes(None), ())
    store(ctx).contents.update(dict.fromkeys((copying, discarded), BYTES))
    reports, found = await run(ctx, delete=True)
    assert (reports[0].stored, found) == (5, [])
    assert {copying, discarded} <= set(store(ctx).contents)


async def test_missing_bytes_are_told_and_nothing_else(
    ctx: Context, dump: Callable[[], Any]
) -> None:
    keys = await stored(ctx, 7)
    for key in keys[1:6]:
        del store(ctx).contents[key]
    before = await dump()
    reports, found = await run(ctx, delete=True)
    assert reports[0] == Reconciled(storage_id=DISK, stored=2, stored_bytes=10, missing=5)
    expected = {(Discrepancy.MISSING, DISK, keys[n], f"o{n}") for n in range(1, 6)}
    assert {(one.what, one.storage_id, one.key, one.object_id) for one in found} == expected
    assert await dump() == before


async def test_all_bytes_may_be_missing(ctx: Context) -> None:
    await stored(ctx, 5)
    store(ctx).contents.clear()
    reports, found = await run(ctx, delete=True)
    assert reports[0] == Reconciled(storage_id=DISK, missing=5)
    assert len(found) == 5


class Meanwhile(MemoryStore):
    """A backend where something happens while it tells what it has."""

    def __init__(self, other: MemoryStore, something: Callable[[], Any]) -> None:
        super().__init__(other.backend)
        self.contents = other.contents
        self._something: Callable[[], Any] | None = something

    async def stat(self, key: str) -> StoredBytes | None:
        told = await super().stat(key)
        something, self._something = self._something, None
        if something is not None:
            await something()
        return told


async def test_what_is_deleted_meanwhile_is_not_missing(ctx: Context) -> None:
    keys = await stored(ctx, 3)
    del store(ctx).contents[keys[1]]
    other = fresh(ctx)

    async def deleted() -> None:
        await delete_segments(other, FLOW, timerange=TimeRange.parse("_"))

    replaced = Meanwhile(store(ctx), deleted)
    cast("dict[str, Any]", ctx.stores.by_id)[DISK] = replaced
    _, found = await run(ctx, delete=True)
    assert found == []


async def test_what_comes_while_the_listing_goes_on_is_not_missing(ctx: Context) -> None:
    keys = await stored(ctx, 3)
    listed = store(ctx).listed

    async def listed_late(after: str = "") -> Any:
        """Lists as it was before the second object's bytes came."""
        async for page in listed(after):
            without = [one for one in page if one.key != keys[1]]
            if without:
                yield without

    store(ctx).listed = listed_late  # type: ignore[method-assign]
    _, found = await run(ctx, delete=True)
    assert found == []


async def test_where_most_is_unknown_nothing_is_deleted_unless_asked_for(ctx: Context) -> None:
    keys = await stored(ctx, 2)
    store(ctx).contents.update(dict.fromkeys(UNKNOWN_KEYS, BYTES))
    reports, found = await run(ctx, delete=True)
    assert len(found) == 3
    assert (reports[0].deleted, reports[1].refused) == (0, None)
    assert "wrong index" in str(reports[0].refused)
    assert set(store(ctx).contents) == {*keys, *UNKNOWN_KEYS}
    reports, _ = await run(ctx, delete=True, even_most=True)
    assert (reports[0].deleted, reports[0].refused) == (3, None)
    assert set(store(ctx).contents) == set(keys)


async def test_an_index_that_contradicts_itself_deletes_nothing(ctx: Context) -> None:
    """A lost row of INSTANCES makes bytes look unknown that an object has."""
    keys = await stored(ctx, 5)
    edits = Edits()
    edits.delete(INSTANCES, (DISK, keys[3]))
    await ctx.metadata.commit(lambda _: edits.changes(None), ())
    reports, found = await run(ctx, delete=True, even_most=True)
    assert found[0].key == found[1].key == keys[3]
    assert {(one.what, one.object_id) for one in found} == {
        (Discrepancy.UNINDEXED, "o3"),
        (Discrepancy.UNKNOWN, None),
    }
    assert "looked up" in str(reports[0].refused)
    assert set(store(ctx).contents) == set(keys)


async def test_progress_is_told_page_by_page(ctx: Context) -> None:
    await stored(ctx, 5)
    store(ctx).contents.update(dict.fromkeys(UNKNOWN_KEYS, BYTES))
    steps: list[tuple[str, int]] = []
    watch = Watch(progress=lambda what, done: steps.append((what, done)))
    await reconcile(ctx, [DISK], delete=True, watch=watch)
    assert steps[:3] == [("objects", 2), ("objects", 4), ("objects", 5)]
    assert [one for one in steps if one[0] == "compared"] == [
        ("compared", done) for done in (2, 4, 6, 8)
    ]
    assert steps[-1] == ("deleted", 3)


async def test_memory_does_not_grow_with_the_number_of_keys(ctx: Context) -> None:
    """Neither listing nor index is ever asked for more than a page."""
    await stored(ctx, 6)
    asked: list[int] = []

    class Counting:
        def __getattr__(self, name: str) -> Any:
            return getattr(ctx.metadata, name)

        async def page(self, scan: Any) -> Any:
            asked.append(scan.limit)
            return await ctx.metadata.page(scan)

        async def get(self, table: Any, keys: Any, columns: Any = None) -> Any:
            asked.append(len(keys))
            return await ctx.metadata.get(table, keys, columns)

    counting = fresh(ctx)
    counting.metadata = cast("Any", Counting())
    store(ctx).contents.update({new_key(): BYTES for _ in range(20)})
    await reconcile(counting, [DISK], delete=True, even_most=True)
    assert max(asked) <= 2
    assert [one async for page in store(ctx).listed() for one in page] == [
        ListedBytes(key, 5, 0) for key in sorted(store(ctx).contents)
    ]
    assert len(store(ctx).contents) == 6
