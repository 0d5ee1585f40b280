"""Deleting bytes whose object is gone from the index.

1. The command that removed the object noted each of its instances in DISCARDED_MEDIA.
2. Here the storage backend deletes the bytes, then the note goes.

A crash anywhere in between leaves the note; deleting again what is deleted changes nothing.
A note dated in the future is left alone until then (`copying`).
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import suppress

import pyarrow as pa

from tams_graphql.metadata.edits import Edits
from tams_graphql.metadata.engine import Between, Changes, Key, Scan, View
from tams_graphql.metadata.tables import DISCARDED_MEDIA
from tams_graphql.model.errors import Unavailable
from tams_graphql.resolvers.context import Context

BATCH = 1000
"""How many instances are deleted between two commits."""

PATIENCE_SECONDS = 1.0
"""For how long a request waits for the bytes that it discarded."""


async def discard_media(ctx: Context, told: Callable[[int], None] | None = None) -> None:
    """Delete all discarded bytes; idempotent, safe to run in several places at once.

    Notes of a backend that is not configured (any more) are kept. `told` is given the number of
    notes that were looked at, after each batch.

    Raises:
        Unavailable: a store did not answer; what is left is tried again the next time.
    """
    due = Between("discarded_us", None, ctx.clock() + 1)
    after: Key | None = None
    done = 0
    while True:
        scan = Scan(table=DISCARDED_MEDIA, after=after, limit=BATCH, where=(due,))
        notes = await ctx.metadata.page(scan)
        await _delete(ctx, notes)
        done += notes.num_rows
        if told is not None:
            told(done)
        if notes.num_rows < BATCH:
            return
        last = notes.slice(BATCH - 1).to_pylist()[0]
        after = (last["storage_id"], last["storage_key"])


async def discard_in_passing(ctx: Context) -> None:
    """`discard_media` after a commit, which has been answered for: it is waited for a second.

    A store that is away, or takes longer, changes nothing about the answer.
    """
    work = ctx.background.start(_as_far_as_possible(ctx))
    await asyncio.wait({work}, timeout=PATIENCE_SECONDS)


async def _as_far_as_possible(ctx: Context) -> None:
    with suppress(Unavailable):
        await discard_media(ctx)


async def _delete(ctx: Context, notes: pa.Table) -> None:
    keys: defaultdict[str, list[str]] = defaultdict(list)
    for note in notes.to_pylist():
        if note["storage_id"] in ctx.stores.by_id:
            keys[note["storage_id"]].append(note["storage_key"])
    # No backend waits for another; what one of them could not do is told at the end.
    done = await asyncio.gather(
        *(_delete_in(ctx, storage_id, some) for storage_id, some in keys.items()),
        return_exceptions=True,
    )
    for failure in done:
        if failure is not None:
            raise failure


async def _delete_in(ctx: Context, storage_id: str, keys: Sequence[str]) -> None:
    busy = ctx.background.discarding
    if storage_id in busy:
        # Calls to a server that hangs must not pile up; what is left is seen in the next round.
        return
    busy.add(storage_id)
    try:
        await ctx.stores.by_id[storage_id].delete(keys)
    finally:
        busy.discard(storage_id)

    def forget(view: View) -> Changes[None]:
        edits = Edits()
        # Another run may have taken some of them away already.
        left = view.get(DISCARDED_MEDIA, [(storage_id, key) for key in keys]).to_pylist()
        edits.delete(DISCARDED_MEDIA, *((row["storage_id"], row["storage_key"]) for row in left))
        return edits.changes(None)

    await ctx.metadata.commit(forget, (), background=True)
