"""Comparing what storage backends hold with what the index says they hold.

1. INSTANCES, by which bytes are looked up, must have all that OBJECTS says; otherwise nothing is
   deleted anywhere.
2. A backend's listing and its part of INSTANCES are both by key: they are gone through side by
   side, page by page, whatever their size.
3. Bytes that no object, copy or note knows, and that are older than any upload under way, are
   unknown. Keys are random and are written to the index before any byte can come: bytes that are
   unknown once stay so. They are deleted in a second pass, which looks all of them up again.
4. A registered object whose bytes are not there is told, and nothing else.

Everything may go on meanwhile: what looks wrong is asked for once more before it is told.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypeVar

from tams_graphql.media.store import ListedBytes, MediaStore
from tams_graphql.metadata.engine import Between, Key, Scan
from tams_graphql.metadata.tables import COPIES, DISCARDED_MEDIA, INSTANCES, OBJECTS
from tams_graphql.model.errors import Unavailable
from tams_graphql.model.records import Instance
from tams_graphql.resolvers.context import Context
from tams_graphql.resolvers.instances import parse_instances

T = TypeVar("T")

PAGE = 1000
"""How many rows are looked at together."""

SAFETY_SECONDS = 3600
"""How much older than an upload under way can be must be what is deleted."""

_STATS_AT_ONCE = 16


class Discrepancy(StrEnum):
    """What can be wrong with a place in a storage backend."""

    UNKNOWN = "unknown"
    MISSING = "missing"
    UNINDEXED = "unindexed"


@dataclass(frozen=True, slots=True)
class Found:
    """Something that is wrong; `object_id` is null and `size` (bytes) known for unknown bytes."""

    what: Discrepancy
    storage_id: str
    key: str
    object_id: str | None = None
    size: int | None = None


@dataclass(slots=True, kw_only=True)
class Reconciled:
    """What came of one storage backend: numbers of keys, and of bytes where it says so.

    `young` bytes may still be on their way into the index. `refused`: why nothing was deleted.
    """

    storage_id: str
    stored: int = 0
    stored_bytes: int = 0
    unknown: int = 0
    unknown_bytes: int = 0
    young: int = 0
    deleted: int = 0
    missing: int = 0
    refused: str | None = None


def _silent(*_: Any) -> None:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """Who is told of each discrepancy, and, after each page, what is done and how far it is."""

    found: Callable[[Found], None] = field(default=_silent)
    progress: Callable[[str, int], None] = field(default=_silent)


async def reconcile(
    ctx: Context,
    storage_ids: Iterable[str],
    *,
    delete: bool = False,
    even_most: bool = False,
    watch: Watch | None = None,
) -> list[Reconciled]:
    """Compare storage backends with the index, and perhaps delete what nobody knows.

    Args:
        ctx: of work that no request asked for.
        storage_ids: configured backends.
        delete: delete unknown bytes; otherwise nothing is changed.
        even_most: do so even where more is unknown than known.
        watch: is told what is found, and how far it is.

    Raises:
        Unavailable: the index or a backend did not answer; run it again.
    """
    told = watch or Watch()
    unindexed = await _unindexed(ctx, told)
    reports = []
    for storage_id in storage_ids:
        job = _Job(ctx, ctx.stores.by_id[storage_id], told)
        await job.compare()
        job.report.refused = _refusal(job.report, unindexed, even_most=even_most)
        if delete and job.report.refused is None and job.report.unknown:
            await job.delete()
        reports.append(job.report)
    return reports


def _refusal(report: Reconciled, unindexed: int, *, even_most: bool) -> str | None:
    if unindexed:
        return f"{unindexed} instances of objects can't be looked up by their keys in the index"
    if report.unknown * 2 > report.stored and not even_most:
        return "more than half of what is stored is unknown: this may be the wrong index"
    return None


@dataclass(slots=True)
class _Job:
    ctx: Context
    store: MediaStore
    watch: Watch
    report: Reconciled = field(init=False)
    oldest_us: int = field(init=False)

    def __post_init__(self) -> None:
        self.report = Reconciled(storage_id=self.store.backend.id)
        service = self.ctx.service
        seconds = service.min_object_timeout + service.min_presigned_url_timeout + SAFETY_SECONDS
        self.oldest_us = self.ctx.clock() - seconds * 1_000_000

    async def compare(self) -> None:
        """Count what is stored, and tell what is wrong with it."""
        after = ""
        async for page in self.store.listed():
            await self._compare_page(after, page)
            after = page[-1].key
            self.report.stored += len(page)
            self.report.stored_bytes += sum(one.size for one in page)
            self.watch.progress("compared", self.report.stored)
        await self._compare_page(after, ())

    async def delete(self) -> None:
        """Delete what is unknown."""
        async for page in self.store.listed():
            unknown = await self._unknown(page)
            if unknown:
                await self.store.delete([one.key for one in unknown])
                self.report.deleted += len(unknown)
                self.watch.progress("deleted", self.report.deleted)

    async def _compare_page(self, after: str, page: Sequence[ListedBytes]) -> None:
        """Compare the keys after `after` to the end of `page`; to the very end without a page."""
        unclaimed = {one.key: one for one in page}
        async for rows in _instances(self.ctx, self.report.storage_id, after, page):
            absent = [row for row in rows if unclaimed.pop(row["storage_key"], None) is None]
            for found in await self._missing(absent):
                self.report.missing += 1
                self.watch.found(found)
        young = [one for one in unclaimed.values() if one.modified_us >= self.oldest_us]
        self.report.young += len(young)
        for one in await self._unknown(list(unclaimed.values())):
            self.report.unknown += 1
            self.report.unknown_bytes += one.size
            storage_id = self.report.storage_id
            self.watch.found(Found(Discrepancy.UNKNOWN, storage_id, one.key, size=one.size))

    async def _unknown(self, listed: Sequence[ListedBytes]) -> list[ListedBytes]:
        """Those that are old enough, in no table, and still there."""
        old = [one for one in listed if one.modified_us < self.oldest_us]
        keys = [one.key for one in old]
        places: list[Key] = [(self.report.storage_id, key) for key in keys]
        metadata = self.ctx.metadata
        # In the order in which a key may wander from table to table, lest it slips through.
        copied = await metadata.get(COPIES, [(key,) for key in keys], ("copy_id",))
        known = set(copied["copy_id"].to_pylist())
        for table in (INSTANCES, DISCARDED_MEDIA):
            rows = await metadata.get(table, places, ("storage_key",))
            known.update(rows["storage_key"].to_pylist())
        suspects = [one for one in old if one.key not in known]
        # An object that was deleted meanwhile may have lost row, note and bytes by now.
        there = await self._ask([one.key for one in suspects], self._is_there)
        return [one for one, stored in zip(suspects, there, strict=True) if stored]

    async def _missing(self, rows: Sequence[Mapping[str, Any]]) -> list[Found]:
        """Those `rows` of INSTANCES that registered objects still have, and that hold nothing."""
        claimed = await _registered(self.ctx, rows)
        holds = await self._ask([row["storage_key"] for row in claimed], self.store.stat)
        storage_id = self.report.storage_id
        gone = [row for row, stored in zip(claimed, holds, strict=True) if stored is None]
        return [
            Found(Discrepancy.MISSING, storage_id, row["storage_key"], row["object_id"])
            # Asking takes time, in which an object may be deleted.
            for row in await _registered(self.ctx, gone)
        ]

    async def _is_there(self, key: str) -> bool:
        try:
            return await self.store.stat(key) is not None
        except Unavailable:
            # Damaged bytes can't be described, but deleted.
            return True

    async def _ask(self, keys: Sequence[str], ask: Callable[[str], Awaitable[T]]) -> list[T]:
        """What `ask` tells of each of `keys`, of a few at a time."""
        told: list[T] = []
        for first in range(0, len(keys), _STATS_AT_ONCE):
            told += await asyncio.gather(*map(ask, keys[first : first + _STATS_AT_ONCE]))
        return told


async def _instances(
    ctx: Context, storage_id: str, after: str, page: Sequence[ListedBytes]
) -> AsyncIterator[list[dict[str, Any]]]:
    """The rows of INSTANCES for the keys after `after`, to the end of `page` if there is any."""
    # All keys are of one length: only the last one itself is before this.
    where = (Between("storage_key", None, page[-1].key + "0"),) if page else ()
    while True:
        scan = Scan(table=INSTANCES, prefix=(storage_id,), after=(after,), limit=PAGE, where=where)
        rows = (await ctx.metadata.page(scan)).to_pylist()
        yield rows
        if len(rows) < PAGE:
            return
        after = rows[-1]["storage_key"]


async def _registered(ctx: Context, rows: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The `rows` of INSTANCES whose object is registered, and has them."""
    keys: list[Key] = [(object_id,) for object_id in {row["object_id"] for row in rows}]
    columns = ("object_id", "state", "instances_json")
    objects = (await ctx.metadata.get(OBJECTS, keys, columns)).to_pylist()
    had = {
        (one.storage_id, one.key)
        for found in objects
        if found["state"] == "registered"
        for one in parse_instances(found["instances_json"])
    }
    return [row for row in rows if (row["storage_id"], row["storage_key"]) in had]


async def _unindexed(ctx: Context, watch: Watch) -> int:
    """How many controlled instances of objects have no row in INSTANCES; each is told."""
    after: Key | None = None
    looked_at = unindexed = 0
    columns = ("object_id", "instances_json")
    while True:
        scan = Scan(table=OBJECTS, after=after, limit=PAGE, columns=columns)
        rows = (await ctx.metadata.page(scan)).to_pylist()
        suspects = await _without_row(ctx, rows)
        if suspects:
            # Some may have been deleted between the two reads.
            again = await ctx.metadata.get(OBJECTS, [(name,) for name, _ in suspects], columns)
            suspects = await _without_row(ctx, again.to_pylist())
        for object_id, one in suspects:
            place = (one.storage_id or "", one.key or "")
            watch.found(Found(Discrepancy.UNINDEXED, *place, object_id))
        unindexed += len(suspects)
        looked_at += len(rows)
        watch.progress("objects", looked_at)
        if len(rows) < PAGE:
            return unindexed
        after = (rows[-1]["object_id"],)


async def _without_row(
    ctx: Context, objects: Sequence[Mapping[str, Any]]
) -> list[tuple[str, Instance]]:
    held = [
        (row["object_id"], one)
        for row in objects
        for one in parse_instances(row["instances_json"])
        if one.controlled
    ]
    keys: list[Key] = [(one.storage_id, one.key) for _, one in held]
    found = (await ctx.metadata.get(INSTANCES, keys, INSTANCES.key)).to_pylist()
    known = {(row["storage_id"], row["storage_key"]) for row in found}
    return [(name, one) for name, one in held if (one.storage_id, one.key) not in known]
