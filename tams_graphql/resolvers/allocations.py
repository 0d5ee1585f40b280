"""Storage that was handed out and never used: it goes, with whatever bytes were put there.

1. An object has `min_object_timeout` seconds to be registered (spec 8.2, `service.json`), and
   `GRACE_SECONDS` more, in which uploads that began in time come to their end.
2. Then a command relies on it, looks whether it still waits, and removes it; its bytes are noted
   for `discard.discard_media`. Registering relies on the object as well: one of the two is first.
3. Until that moment it can be registered, however late that is.

A presigned URL is good for no longer than `min_object_timeout`, so that none outlives what it is
for; whoever signs one later than at the allocation starts the time anew (`renew_allocations`).
"""

from collections.abc import Callable, Sequence

from tams_graphql.metadata.edits import Edits
from tams_graphql.metadata.engine import Between, Changes, Key, Scan, View, media_object
from tams_graphql.metadata.tables import OBJECTS
from tams_graphql.model.errors import Conflict, Problem
from tams_graphql.model.records import Instance
from tams_graphql.resolvers.authorise import Action, authorise
from tams_graphql.resolvers.context import Context
from tams_graphql.resolvers.instances import parse_instances
from tams_graphql.resolvers.removal import discard
from tams_graphql.resolvers.storage import AllocatedObject

GRACE_SECONDS = 300
"""How much longer than promised an object may take to be registered."""

BATCH = 100
"""How many allocations one command removes: a registration never waits for more."""


async def collect_allocations(ctx: Context, told: Callable[[int], None] | None = None) -> int:
    """Remove all allocations whose time is over; safe to run in several places at once.

    Args:
        ctx: of work that no request asked for.
        told: is given the number of those removed, after each batch.

    Returns:
        How many this run removed.

    Raises:
        Unavailable: the index did not answer.
    """
    before_us, collected = _deadline_us(ctx), 0
    after: Key | None = None
    while True:
        scan = _waiting_since(before_us, after)
        rows = (await ctx.metadata.page(scan)).to_pylist()
        if rows:
            collected += await _collect(ctx, [row["object_id"] for row in rows], before_us)
            after = (rows[-1]["allocated_us"], rows[-1]["object_id"])
        if told is not None:
            told(collected)
        if len(rows) < BATCH:
            return collected


async def expired_allocations(ctx: Context) -> int:
    """How many allocations `collect_allocations` would remove now; may cost a scan."""
    return await ctx.metadata.count(_waiting_since(_deadline_us(ctx)))


async def renew_allocations(
    ctx: Context, flow_id: str, allocated: Sequence[AllocatedObject]
) -> None:
    """Give allocations of a flow all of their time again, so that URLs can be signed for them.

    Registered objects stay as they are.

    Raises:
        Conflict: one of them is gone; nothing is changed.
    """
    authorise(ctx, Action.WRITE, "flow", flow_id)
    now_us = ctx.clock()

    def renew(view: View) -> Changes[None]:
        rows = view.get(OBJECTS, [(one.object_id,) for one in allocated]).to_pylist()
        found = {row["object_id"]: row for row in rows}
        edits = Edits()
        for one in allocated:
            row = found.get(one.object_id)
            place = Instance(one.storage_id, one.key)
            if row is None or place not in parse_instances(row["instances_json"]):
                raise _gone(one.object_id)
            if row["state"] == "allocated":
                edits.update(OBJECTS, {"object_id": one.object_id, "allocated_us": now_us})
        return edits.changes(None)

    await ctx.metadata.commit(renew, [media_object(one.object_id) for one in allocated])


def _deadline_us(ctx: Context) -> int:
    """Whatever was allocated before this has had its time."""
    return ctx.clock() - (ctx.service.min_object_timeout + GRACE_SECONDS) * 1_000_000


def _waiting_since(before_us: int, after: Key | None = None) -> Scan:
    order = "allocated"
    due = Between("allocated_us", None, before_us)
    columns = OBJECTS.order(order)
    return Scan(table=OBJECTS, order=order, after=after, limit=BATCH, where=(due,), columns=columns)


async def _collect(ctx: Context, object_ids: Sequence[str], before_us: int) -> int:
    keys: list[Key] = [(object_id,) for object_id in object_ids]
    columns = ("object_id", "state", "allocated_us", "instances_json")
    now_us = ctx.clock()

    def collect(view: View) -> Changes[int]:
        edits = Edits()
        rows = view.get(OBJECTS, keys, columns).to_pylist()
        # Since they were found, some were registered, renewed, or collected by somebody else.
        waiting = (row for row in rows if row["state"] == "allocated")
        gone = [row for row in waiting if row["allocated_us"] < before_us]
        for row in gone:
            edits.delete(OBJECTS, (row["object_id"],))
            discard(edits, parse_instances(row["instances_json"]), now_us)
        return edits.changes(len(gone))

    relies_on = [media_object(one) for one in object_ids]
    return await ctx.metadata.commit(collect, relies_on, background=True)


def _gone(object_id: str) -> Conflict:
    message = (
        f"what was allocated under this idempotency key is gone: object {object_id!r} was not"
        " registered in time, or was deleted since; allocate again with another key"
    )
    return Conflict(message, (Problem("idempotency_key", "allocation.expired", message),))
