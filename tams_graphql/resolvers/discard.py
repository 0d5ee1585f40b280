"""Deleting bytes whose object is gone from the index.

1. The command that removed the object noted each of its instances in DISCARDED_MEDIA.
2. Here the storage backend deletes the bytes, then the note goes.

A crash anywhere in between leaves the note; deleting again what is deleted changes nothing.
A note dated in the future is left alone until then (`copying`).
"""

from collections import defaultdict
from contextlib import suppress

import pyarrow as pa

from tams_graphql.metadata.edits import Edits
from tams_graphql.metadata.engine import Between, Changes, Key, Scan, View
from tams_graphql.metadata.tables import DISCARDED_MEDIA
from tams_graphql.model.errors import Unavailable
from tams_graphql.resolvers.context import Context

BATCH = 1000
"""How many instances are deleted between two commits."""


async def discard_media(ctx: Context) -> None:
    """Delete all discarded bytes; idempotent, safe to run in several places at once.

    Notes of a backend that is not configured (any more) are kept.

    Raises:
        Unavailable: a store did not answer; what is left is tried again the next time.
    """
    due = Between("discarded_us", None, ctx.clock() + 1)
    after: Key | None = None
    while True:
        scan = Scan(table=DISCARDED_MEDIA, after=after, limit=BATCH, where=(due,))
        notes = await ctx.metadata.page(scan)
        await _delete(ctx, notes)
        if notes.num_rows < BATCH:
            return
        last = notes.slice(BATCH - 1).to_pylist()[0]
        after = (last["storage_id"], last["storage_key"])


async def discard_in_passing(ctx: Context) -> None:
    """`discard_media` after a commit: a store that is away changes nothing about the answer."""
    with suppress(Unavailable):
        await discard_media(ctx)


async def _delete(ctx: Context, notes: pa.Table) -> None:
    keys: defaultdict[str, list[str]] = defaultdict(list)
    for note in notes.to_pylist():
        if note["storage_id"] in ctx.stores.by_id:
            keys[note["storage_id"]].append(note["storage_key"])
    done: list[Key] = []
    away: Unavailable | None = None
    for storage_id, in_backend in keys.items():
        try:
            await ctx.stores.by_id[storage_id].delete(in_backend)
            done += [(storage_id, key) for key in in_backend]
        except Unavailable as error:
            # The other backends' bytes need not wait for this one.
            away = error

    def forget(view: View) -> Changes[None]:
        edits = Edits()
        # Another run may have taken some of them away already.
        left = view.get(DISCARDED_MEDIA, done).to_pylist()
        edits.delete(DISCARDED_MEDIA, *((row["storage_id"], row["storage_key"]) for row in left))
        return edits.changes(None)

    if done:
        await ctx.metadata.commit(forget, ())
    if away is not None:
        raise away
