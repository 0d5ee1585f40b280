"""Copying an object to another storage backend: a job that outlives request and process.

1. `copies.copy_instance` refuses what can be refused at once, then writes a row of COPIES.
2. `perform` makes a due row its own: it becomes the owner and moves `due_us` ahead, again and
   again while it works. If it dies, the row falls due and somebody else goes on.
3. The backend copies step by step; the row keeps how far it is and with which token to go on.
4. When all bytes are there and counted, one command advertises the new instance.
5. If the object went meanwhile, or the copy was cancelled, its bytes are thrown away.

A store that is away only delays a copy. A copy fails for good if there is nothing to copy from.
"""

import asyncio
import time
import uuid
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass, field
from typing import Any

from tams_graphql.media.store import CopyOrder, CopyProgress, MediaStore, StoredBytes
from tams_graphql.metadata.edits import Edits
from tams_graphql.metadata.engine import Changes, Key, Row, Scan, View, copy, media_object
from tams_graphql.metadata.tables import COPIES, DISCARDED_MEDIA, OBJECTS, Table
from tams_graphql.model.errors import InvalidInput, Unavailable
from tams_graphql.model.records import CopyState, Instance
from tams_graphql.resolvers.context import Context
from tams_graphql.resolvers.instances import format_instances, parse_instances
from tams_graphql.resolvers.references import index_instance, spread_instances, update_object

LEASE_US = 6_000_000
"""For how long a copy is left alone after its owner's last sign of life."""

RETRY_US = 2_000_000
"""How long after a store failed a copy is tried again."""

KEPT_US = 24 * 3_600_000_000
"""For how long an ended copy can be looked at."""

SHOWN_COPIES = 100
"""How many copies of one object are looked at, the newest ones."""

_BEAT_SECONDS = 2.0
_TELL_SECONDS = 1.0
_IN_FLIGHT_US = 60_000_000


class _NotMine(Exception):
    """Somebody else owns the copy now, or it has ended."""


class _Unwanted(Exception):
    """The object is gone, the copy cancelled, or another one was faster."""


class _Hopeless(Exception):
    """There is nothing to copy from."""


@dataclass(slots=True)
class _Job:
    """A copy that this process owns."""

    ctx: Context
    row: Mapping[str, Any]
    owner: str
    told: float = field(default=0.0)

    @property
    def copy_id(self) -> str:
        return str(self.row["copy_id"])

    @property
    def target(self) -> MediaStore:
        return configured(self.ctx, self.row["storage_id"])

    async def go_on(self) -> None:
        """Give a sign of life, and tell how far it is.

        Raises:
            _NotMine, _Unwanted: stop.
        """
        now_us = self.ctx.clock()
        news = {name: self.row[name] for name in ("bytes_done", "progress_token", "error")}
        news |= {"due_us": now_us + LEASE_US, "updated_us": now_us}

        def command(view: View) -> Changes[Mapping[str, Any]]:
            row = self.mine(view)
            wanted_object(view, row)
            return _updated(row, news)

        self.row = await self.ctx.metadata.commit(command, [copy(self.copy_id)])
        self.told = time.monotonic()

    async def step(self, progress: CopyProgress) -> None:
        """Keep how far it is, and tell it now and then: not after each of many small steps."""
        new = progress.token != self.row["progress_token"]
        # Known even if the row can't be told: whoever stops now has to throw the parts away.
        self.row = {
            **self.row,
            "bytes_done": progress.bytes_done,
            "progress_token": progress.token,
            "error": None,
        }
        if new or time.monotonic() - self.told >= _TELL_SECONDS:
            await self.go_on()

    async def let_go(self, **changed: Any) -> None:
        """End or put off the work."""

        def command(view: View) -> Changes[Mapping[str, Any]]:
            news = {"owner": None, "updated_us": self.ctx.clock(), **changed}
            return _updated(self.mine(view), news)

        await self.ctx.metadata.commit(command, [copy(self.copy_id)])

    def mine(self, view: View) -> Mapping[str, Any]:
        """The row as it is now."""
        for row in view.get(COPIES, [(self.copy_id,)]).to_pylist():
            if row["owner"] == self.owner:
                found: Mapping[str, Any] = row
                return found
        raise _NotMine


async def perform(ctx: Context, copy_id: str) -> None:
    """Do what a copy needs now, unless somebody else does it. Never raises for a store.

    Raises:
        Unavailable: the index did not answer.
    """
    job = await _taken(ctx, copy_id)
    if job is None:
        return
    with suppress(_NotMine):
        try:
            await _work(job)
        except _Unwanted:
            await _thrown_away(job)
        except _Hopeless as reason:
            await _given_up(job, str(reason))
        except Unavailable as error:
            await job.let_go(error=error.message, due_us=ctx.clock() + RETRY_US)
        except asyncio.CancelledError:
            # The server stops: whoever comes next need not wait until the lease has run out.
            await job.let_go(due_us=ctx.clock())
            raise


def configured(ctx: Context, storage_id: str) -> MediaStore:
    """A storage backend that a row names.

    Raises:
        Unavailable: it is not configured (any more).
    """
    store = ctx.stores.by_id.get(storage_id)
    if store is None:
        raise Unavailable(f"storage backend {storage_id} is not configured")
    return store


async def bytes_to_copy(
    ctx: Context, instances: tuple[Instance, ...]
) -> tuple[Instance, StoredBytes]:
    """The first of `instances` that has its bytes, and what its backend tells of them.

    Raises:
        InvalidInput: none is in a storage backend of this service, or nothing was uploaded.
        Unavailable: what could have them did not answer.
    """
    away: Unavailable | None = None
    ours = [one for one in instances if one.storage_id in ctx.stores.by_id]
    if not ours:
        message = (
            "the object has no instance in a storage backend of this service, which fetches nothing"
            " from other URLs: upload its bytes as a new object instead"
        )
        raise InvalidInput("storage_id", "instance.uncontrolled", message)
    for one in ours:
        try:
            stored = await ctx.stores.by_id[one.storage_id or ""].stat(one.key or "")
        except Unavailable as error:
            away = error
            continue
        if stored is not None:
            return one, stored
    if away is not None:
        raise away
    # Registered, but never uploaded: bytes are not checked at registration.
    message = "the object's bytes have not been uploaded"
    raise InvalidInput("storage_id", "instance.no_bytes", message)


def wanted_object(view: View, row: Mapping[str, Any]) -> Mapping[str, Any]:
    """The row of the object that the copy `row` is of.

    Raises:
        _Unwanted: it is gone, or the copy was cancelled, or the backend has the object.
    """
    for found in view.get(OBJECTS, [(row["object_id"],)]).to_pylist():
        here = {one.storage_id for one in parse_instances(found["instances_json"])}
        if (
            row["state"] == CopyState.RUNNING
            and found["state"] == "registered"
            and found["incarnation"] == row["incarnation"]
            and row["storage_id"] not in here
        ):
            wanted: Mapping[str, Any] = found
            return wanted
    raise _Unwanted


def running_copies(view: View, object_id: str) -> list[Mapping[str, Any]]:
    """The rows of the copies of an object that are being made."""
    incarnations = view.get(OBJECTS, [(object_id,)])["incarnation"].to_pylist()
    prefixes: list[Key] = [(object_id, incarnation) for incarnation in incarnations]
    scan = Scan(table=COPIES, order="object", limit=SHOWN_COPIES, reverse=True)
    rows = view.first_per_key(scan, prefixes).to_pylist()
    return [row for row in rows if row["state"] == CopyState.RUNNING]


def cancel_copies(
    view: View, edits: Edits, object_id: str, storage_ids: Collection[str | None]
) -> bool:
    """Cancel the copies of an object that are being made to these backends; were there any?

    Whoever works on one notices, and throws its bytes away.
    """
    meant = [row for row in running_copies(view, object_id) if row["storage_id"] in storage_ids]
    view.rely_on(*(copy(row["copy_id"]) for row in meant))
    state = CopyState.CANCELLED.value
    edits.update(COPIES, *({"copy_id": row["copy_id"], "state": state} for row in meant))
    return bool(meant)


async def _taken(ctx: Context, copy_id: str) -> _Job | None:
    owner = str(uuid.uuid4())
    now_us = ctx.clock()

    def take(view: View) -> Changes[Mapping[str, Any] | None]:
        rows = view.get(COPIES, [(copy_id,)]).to_pylist()
        open_states = {CopyState.RUNNING, CopyState.CANCELLED}
        if not rows or rows[0]["due_us"] > now_us or rows[0]["state"] not in open_states:
            return Changes(answer=None)
        mine = {"owner": owner, "due_us": now_us + LEASE_US}
        return Changes(answer={**rows[0], **mine}, update=_update(rows[0], mine))

    row = await ctx.metadata.commit(take, [copy(copy_id)])
    return None if row is None else _Job(ctx, row, owner)


async def _work(job: _Job) -> None:
    await job.go_on()
    order = await _order(job)
    token = job.row["progress_token"]
    async with (
        aclosing(job.target.copy(order, token)) as steps,
        aclosing(_beating(steps, job.go_on)) as beating,
    ):
        try:
            async for progress in beating:
                await job.step(progress)
        except KeyError:
            raise Unavailable("the object's bytes went while they were copied") from None
    stored = await job.target.stat(order.key)
    if stored is None or stored.size != order.size:
        found = 0 if stored is None else stored.size
        raise Unavailable(f"the copy has {found} bytes instead of {order.size}; it begins anew")
    await _advertise(job, order.size)


async def _order(job: _Job) -> CopyOrder:
    ctx = job.ctx
    rows = await ctx.metadata.get(OBJECTS, [(job.row["object_id"],)])
    instances = parse_instances(next(iter(rows["instances_json"].to_pylist()), None))
    try:
        source, stored = await bytes_to_copy(ctx, instances)
    except InvalidInput as error:
        raise _Hopeless(error.message) from None
    kinds = [stored.content_type, *rows["content_type"].to_pylist(), "application/octet-stream"]
    return CopyOrder(
        source=ctx.stores.by_id[source.storage_id or ""],
        source_key=source.key or "",
        key=job.copy_id,
        size=stored.size,
        etag=stored.etag,
        content_type=next(kind for kind in kinds if kind),
    )


async def _beating(
    steps: AsyncGenerator[CopyProgress, None], beat: Callable[[], Awaitable[None]]
) -> AsyncGenerator[CopyProgress, None]:
    """`steps`, with a sign of life whenever one of them takes long."""
    while True:
        step = asyncio.ensure_future(anext(steps, None))
        try:
            while not (await asyncio.wait({step}, timeout=_BEAT_SECONDS))[0]:
                await beat()
        finally:
            # A generator can't be closed while somebody waits for it.
            step.cancel()
            await asyncio.wait({step})
        progress = step.result()
        if progress is None:
            return
        yield progress


async def _advertise(job: _Job, size: int) -> None:
    def command(view: View) -> Changes[Mapping[str, Any]]:
        row = job.mine(view)
        found = wanted_object(view, row)
        edits = Edits()
        instances = parse_instances(found["instances_json"])
        place = Instance(row["storage_id"], row["copy_id"])
        changed = {**found, "instances_json": format_instances((*instances, place))}
        update_object(edits, changed)
        spread_instances(view, edits, changed)
        now_us = job.ctx.clock()
        index_instance(edits, changed, place, now_us)
        done: Row = {
            "copy_id": row["copy_id"],
            "state": CopyState.DONE.value,
            "bytes_done": size,
            "bytes_total": size,
            "error": None,
            "owner": None,
            "progress_token": None,
            "updated_us": now_us,
            "due_us": now_us + KEPT_US,
        }
        edits.update(COPIES, done)
        return edits.changes(row)

    relied_on = [media_object(job.row["object_id"]), copy(job.copy_id)]
    await job.ctx.metadata.commit(command, relied_on)


async def _given_up(job: _Job, reason: str) -> None:
    if job.row["progress_token"] is not None:
        with suppress(Unavailable):
            await job.target.abandon(job.copy_id, job.row["progress_token"])
    ended = {"state": CopyState.FAILED.value, "error": reason, "progress_token": None}
    await job.let_go(**ended, due_us=job.ctx.clock() + KEPT_US)


async def _thrown_away(job: _Job) -> None:
    try:
        if job.row["progress_token"] is not None:
            await job.target.abandon(job.copy_id, job.row["progress_token"])
        await job.target.delete([job.copy_id])
    except Unavailable as error:
        state = CopyState.CANCELLED.value
        due_us = job.ctx.clock() + RETRY_US
        await job.let_go(state=state, error=error.message, due_us=due_us)
        return

    def forget(view: View) -> Changes[None]:
        row = job.mine(view)
        edits = Edits()
        note: Row = {
            "storage_id": row["storage_id"],
            "storage_key": row["copy_id"],
            # A request of ours that is still on its way may put the bytes there once more.
            "discarded_us": job.ctx.clock() + _IN_FLIGHT_US,
        }
        edits.insert(DISCARDED_MEDIA, note)
        edits.delete(COPIES, (row["copy_id"],))
        return edits.changes(None)

    await job.ctx.metadata.commit(forget, [copy(job.copy_id)])


def _updated(row: Mapping[str, Any], news: Mapping[str, Any]) -> Changes[Mapping[str, Any]]:
    return Changes(answer={**row, **news}, update=_update(row, news))


def _update(row: Mapping[str, Any], news: Mapping[str, Any]) -> Mapping[Table, Sequence[Row]]:
    return {COPIES: [{"copy_id": row["copy_id"], **news}]}
