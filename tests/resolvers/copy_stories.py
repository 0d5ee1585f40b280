"""What the tests of copies share: a backend that copies part by part, and time that passes."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from typing import Any, cast

from tams_graphql.media.store import CopyOrder, CopyProgress
from tams_graphql.model.records import CopyState
from tams_graphql.resolvers.context import Context
from tams_graphql.resolvers.copies import object_copies, resume_copies
from tams_graphql.resolvers.instances import parse_instances
from tams_graphql.resolvers.objects import (
    get_object,
)
from tams_graphql.resolvers.paging import PageRequest
from tams_graphql.resolvers.segments import list_segments
from tests.resolvers.conftest import ARCHIVE, DISK, Clock, fresh
from tests.resolvers.memory_store import MemoryStore
from tests.resolvers.segment_stories import (
    FLOW,
    recorded,
    video_flow,
)

MEDIA = b"media of many parts"


class Parts(MemoryStore):
    """A backend that copies ten bytes at a time, and does `meanwhile` after each."""

    def __init__(self, store: MemoryStore) -> None:
        super().__init__(store.backend)
        self.parts: dict[str, bytes] = {}
        self.tokens: list[str | None] = []
        self.meanwhile: Callable[[], Any] | None = None

    async def copy(
        self, order: CopyOrder, token: str | None = None
    ) -> AsyncGenerator[CopyProgress, None]:
        self.tokens.append(token)
        told = token or f"upload {len(self.tokens)}"
        held = self.parts.setdefault(told, b"")
        yield CopyProgress(len(held), told)
        while len(self.parts[told]) < order.size:
            start = len(self.parts[told])
            rest = b"".join([one async for one in order.source.read(order.source_key, start)])
            self.parts[told] += rest[:10]
            if self.meanwhile is not None:
                await self.meanwhile()
            yield CopyProgress(len(self.parts[told]), told)
        self.contents[order.key] = (self.parts.pop(told), order.content_type)

    async def abandon(self, key: str, token: str) -> None:
        await super().abandon(key, token)
        self.parts.pop(token, None)


class Gate:
    """Holds copies after their first part, until it is opened."""

    def __init__(self, parts: Parts) -> None:
        self._held = asyncio.Semaphore(0)
        self._opened = asyncio.Event()
        parts.meanwhile = self._wait
        self.open = self._opened.set

    async def _wait(self) -> None:
        self._held.release()
        await self._opened.wait()

    async def reached(self, copies: int) -> None:
        for _ in range(copies):
            await self._held.acquire()


def store(ctx: Context, storage_id: str) -> MemoryStore:
    return cast("MemoryStore", ctx.stores.by_id[storage_id])


def replace(ctx: Context, other: MemoryStore) -> None:
    cast("dict[str, Any]", ctx.stores.by_id)[other.backend.id] = other


async def uploaded(ctx: Context, content: bytes = MEDIA) -> str:
    """A registered object ``o0`` whose bytes are on the disk, under the key returned."""
    await video_flow(ctx)
    await recorded(ctx, "[0:0_1:0)")
    key = str((await get_object(fresh(ctx), "o0")).instances[0].key)
    store(ctx, DISK).contents[key] = (content, "video/mp2t")
    return key


async def archive_in_parts(ctx: Context) -> Parts:
    """The archive, copying part by part; ``o0`` waits on the disk."""
    await uploaded(ctx)
    archive = Parts(store(ctx, ARCHIVE))
    replace(ctx, archive)
    return archive


async def shown(ctx: Context) -> list[tuple[CopyState, int, int, str | None]]:
    """What a client sees of the copies of ``o0``."""
    ctx = fresh(ctx)
    found = await object_copies(ctx, await get_object(ctx, "o0"))
    assert {one.storage_id for one in found} <= {ARCHIVE}
    return [(one.state, one.bytes_done, one.bytes_total, one.error) for one in found]


async def places(ctx: Context) -> list[str | None]:
    """The backends that ``o0`` is advertised in, by itself and by its segment."""
    found = [one.storage_id for one in (await get_object(fresh(ctx), "o0")).instances]
    page = await list_segments(fresh(ctx), FLOW, PageRequest())
    (text,) = page.columns["instances_json"].to_pylist()
    assert [one.storage_id for one in parse_instances(text)] == found
    return found


async def rounds(ctx: Context, clock: Clock, seconds: int = 60) -> None:
    """What the background does once that time has passed."""
    clock.now_us += seconds * 1_000_000
    work = fresh(ctx)
    await resume_copies(work)
    while work.background._tasks:
        await asyncio.gather(*work.background._tasks)
