"""Copies of objects to further storage backends: asked for, looked at, cancelled, resumed.

How one is made is told in `copying`. A request waits a moment for its own copy, so that small
objects are there when it is answered; the others go on in the background.
"""

import asyncio
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from tams_graphql.media.store import MediaStore, new_key
from tams_graphql.metadata.engine import Between, Changes, Key, Row, Scan, View, copy, media_object
from tams_graphql.metadata.tables import COPIES
from tams_graphql.model.errors import InvalidInput, NotFound, Unavailable
from tams_graphql.model.records import CopyState, Instance, MediaObject, ObjectCopy
from tams_graphql.resolvers.authorise import Action, authorise
from tams_graphql.resolvers.context import Context
from tams_graphql.resolvers.copying import SHOWN_COPIES, bytes_to_copy, perform, running_copies
from tams_graphql.resolvers.instances import parse_instances
from tams_graphql.resolvers.objects import (
    get_object,
    known_text,
    load_objects,
    registered_object,
)
from tams_graphql.resolvers.references import MAX_INSTANCES
from tams_graphql.resolvers.storage import known_store

PATIENCE_SECONDS = 3.0
"""For how long a request waits for the copy that it asked for."""

_LOOKED_AT = 100


async def copy_instance(ctx: Context, object_id: str, storage_id: str) -> MediaObject:
    """Copy the object to another backend, and advertise it there once all of it is there.

    What takes long goes on after the answer (`object_copies`). The same again meanwhile changes
    nothing.

    Raises:
        NotFound: no such object.
        InvalidInput: no such backend, or it holds the object already, or no backend of ours
            has its bytes.
        Unavailable: a store did not answer; nothing was begun.
    """
    authorise(ctx, Action.WRITE, "object", object_id)
    target = known_store(ctx, storage_id)
    row = (await load_objects(ctx, [known_text(object_id)]))[0]
    if row is None:
        raise NotFound("object", object_id)
    instances = parse_instances(row["instances_json"])
    _refuse_second(instances, storage_id)
    _, stored = await bytes_to_copy(ctx, instances)
    await _require_usable(target)
    copy_id = await _requested(ctx, object_id, storage_id, stored.size)
    if copy_id is not None:
        await _given_time(ctx, copy_id)
    ctx.loaders.forget()
    return await get_object(ctx, object_id)


async def object_copies(ctx: Context, media: MediaObject) -> list[ObjectCopy]:
    """The copies of an object, oldest first: those being made, and those that ended today."""
    authorise(ctx, Action.READ, "object", media.id)
    key = f"{media.incarnation} {media.id}"
    return await ctx.loaders.load("object copies", partial(_load_copies, ctx), key)


async def resume_copies(ctx: Context) -> None:
    """Begin all copies that are due, as far as this process has room; forget those long ended.

    Raises:
        Unavailable: the index did not answer.
    """
    due = Between("due_us", None, ctx.clock() + 1)
    scan = Scan(table=COPIES, order="due", limit=_LOOKED_AT, where=(due,))
    rows = (await ctx.metadata.page(scan)).to_pylist()
    ended = {CopyState.DONE, CopyState.FAILED}
    await _forget(ctx, [row["copy_id"] for row in rows if row["state"] in ended])
    for row in rows:
        if row["state"] in ended:
            continue
        if ctx.background.slots.locked():
            return
        await ctx.background.slots.acquire()
        ctx.background.start(_performed(ctx, row["copy_id"]))


async def _requested(ctx: Context, object_id: str, storage_id: str, size: int) -> str | None:
    """The id of a new copy; ``None`` if one is being made already."""
    copy_id, now_us = new_key(), ctx.clock()

    def request(view: View) -> Changes[str | None]:
        found = registered_object(view, object_id)
        instances = parse_instances(found["instances_json"])
        _refuse_second(instances, storage_id)
        running = running_copies(view, object_id)
        if any(row["storage_id"] == storage_id for row in running):
            return Changes(answer=None)
        if len(instances) + len(running) >= MAX_INSTANCES:
            message = f"an object has at most {MAX_INSTANCES} instances"
            raise InvalidInput("storage_id", "instances.too_many", message)
        row: Row = {
            "copy_id": copy_id,
            "object_id": object_id,
            "incarnation": found["incarnation"],
            "storage_id": storage_id,
            "state": CopyState.RUNNING.value,
            "version": 0,
            "bytes_done": 0,
            "bytes_total": size,
            "created_us": now_us,
            "updated_us": now_us,
            "due_us": now_us,
        }
        return Changes(answer=copy_id, insert={COPIES: [row]})

    return await ctx.metadata.commit(request, [media_object(object_id)])


async def _given_time(ctx: Context, copy_id: str) -> None:
    """Make the copy, or leave it to the background after `PATIENCE_SECONDS`."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + PATIENCE_SECONDS
    try:
        async with asyncio.timeout_at(deadline):
            await ctx.background.slots.acquire()
    except TimeoutError:
        return
    work = ctx.background.start(_performed(ctx, copy_id))
    await asyncio.wait({work}, timeout=deadline - loop.time())


async def _performed(ctx: Context, copy_id: str) -> None:
    """`perform` in a slot that the caller took."""
    try:
        await perform(ctx, copy_id)
    except Unavailable:
        # The index is away: the row falls due again, and is looked at once it is back.
        return
    finally:
        ctx.background.slots.release()


async def _require_usable(target: MediaStore) -> None:
    try:
        await target.check()
    except Unavailable as error:
        name = target.backend.label or target.backend.id
        raise Unavailable(f"storage backend {name}: {error.message}; try again") from error


def _refuse_second(instances: Sequence[Instance], storage_id: str) -> None:
    if any(instance.storage_id == storage_id for instance in instances):
        message = f"storage backend {storage_id!r} holds the object already"
        raise InvalidInput("storage_id", "instance.exists", message)


async def _forget(ctx: Context, copy_ids: Sequence[str]) -> None:
    if not copy_ids:
        return

    def forget(view: View) -> Changes[None]:
        keys: list[Key] = [(copy_id,) for copy_id in copy_ids]
        left = view.get(COPIES, keys, ("copy_id",))["copy_id"].to_pylist()
        return Changes(answer=None, delete={COPIES: [(copy_id,) for copy_id in left]})

    relies_on = [copy(copy_id) for copy_id in copy_ids]
    await ctx.metadata.commit(forget, relies_on, background=True)


async def _load_copies(ctx: Context, keys: Sequence[str]) -> list[list[ObjectCopy]]:
    prefixes: list[Key] = [
        (object_id, incarnation)
        for incarnation, _, object_id in (key.partition(" ") for key in keys)
    ]
    scan = Scan(table=COPIES, order="object", limit=SHOWN_COPIES, reverse=True)
    found: dict[Key, list[ObjectCopy]] = {prefix: [] for prefix in prefixes}
    for row in (await ctx.metadata.first_per_key(scan, prefixes)).to_pylist():
        found[row["object_id"], row["incarnation"]].insert(0, _copy_from_row(row))
    return [found[prefix] for prefix in prefixes]


def _copy_from_row(row: Mapping[str, Any]) -> ObjectCopy:
    return ObjectCopy(
        storage_id=row["storage_id"],
        state=CopyState(row["state"]),
        bytes_done=row["bytes_done"],
        bytes_total=row["bytes_total"],
        error=row["error"],
        created_us=row["created_us"],
        updated_us=row["updated_us"],
    )
