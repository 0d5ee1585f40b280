"""Doing what deletion requests ask for, batch by batch.

1. Take a due request: become its owner and move `due_us` ahead, again with each batch. If the
   process dies, the request falls due and somebody else goes on.
2. Each batch is one commit: the next segments go with the references that they were, objects go
   with their last reference, and the request tells what remains. So nothing is done twice, and
   nothing left out, wherever the process dies.
3. Between two batches everybody else may write for as long as the batch took.
4. What goes wrong is told in the request and tried again, later and later. After `MAX_TRIES` in a
   row its status is ``error``, and it is tried every hour: no segment is left for ever.
5. A request that is over can be looked at until it expires.
"""

import asyncio
import logging
import time
import uuid
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import orjson
import pyarrow as pa

from tams_graphql.metadata.edits import Edits
from tams_graphql.metadata.engine import (
    Between,
    Changes,
    Filter,
    Key,
    OneOf,
    Scan,
    View,
    delete_request,
    flow,
)
from tams_graphql.metadata.tables import DELETE_REQUESTS, SEGMENTS
from tams_graphql.model.errors import MediaStoreError, Unavailable
from tams_graphql.model.records import DeletionError, DeletionStatus
from tams_graphql.resolvers.announcing import Announcer
from tams_graphql.resolvers.context import Context
from tams_graphql.resolvers.covered import covered_rows
from tams_graphql.resolvers.deletions import kept_until, later_than, request_from_row
from tams_graphql.resolvers.flow_changes import stored_flow
from tams_graphql.resolvers.removal import REMOVAL_COLUMNS, remove_segments
from tams_graphql.resolvers.rollup import EXTENT_COLUMNS, shrink
from tams_graphql.resolvers.stamp import Stamp
from tams_graphql.timeline import NEVER, Bounds, TimeRange

LEASE_US = 6_000_000
"""For how long a request is left alone after its owner's last commit."""

RETRY_US = 2_000_000
"""How long after the first failure a request is tried again; it doubles with each."""

STALLED_US = 3_600_000_000
"""How long after each failure a request rests whose status is ``error``."""

MAX_TRIES = 5
"""How many failures in a row make the status ``error``."""

_TAKEN_AT_ONCE = 10
_log = logging.getLogger(__name__)


class _NotMine(Exception):
    """Somebody else owns the request now, or it is over."""


async def work_on_deletions(ctx: Context) -> None:
    """Do all due deletion requests to their end, and forget those that have expired.

    Raises:
        Unavailable: the index did not answer; what is left is tried again the next time.
    """
    due = Between("due_us", None, ctx.clock() + 1)
    scan = Scan(
        table=DELETE_REQUESTS,
        order="due",
        limit=_TAKEN_AT_ONCE,
        where=(due,),
        columns=("request_id",),
    )
    for request_id in (await ctx.metadata.page(scan))["request_id"].to_pylist():
        await perform(ctx, request_id)
    await _forget_expired(ctx)


async def perform(ctx: Context, request_id: str) -> None:
    """Do one request to its end, unless somebody else does it."""
    owner = str(uuid.uuid4())
    relies_on = [delete_request(request_id)]

    def take(view: View) -> Changes[str | None]:
        rows = view.get(DELETE_REQUESTS, [(request_id,)]).to_pylist()
        now_us = ctx.clock()
        if not rows or rows[0]["due_us"] is None or rows[0]["due_us"] > now_us:
            return Changes(answer=None)
        edits = Edits()
        news: dict[str, Any] = {"owner": owner, "due_us": now_us + LEASE_US, "updated_us": now_us}
        if rows[0]["error_json"] is None:
            news["status"] = DeletionStatus.STARTED.value
        edits.update(DELETE_REQUESTS, {"request_id": request_id, **news})
        flow_id: str = rows[0]["flow_id"]
        return edits.changes(flow_id)

    flow_id = await ctx.metadata.commit(take, relies_on)
    if flow_id is None:
        return
    with suppress(_NotMine):
        try:
            await _batches(ctx, request_id, flow_id, owner)
        except asyncio.CancelledError:
            # The server stops: whoever comes next need not wait until the lease has run out.
            await _let_go(ctx, request_id, owner)
            raise
        except (_NotMine, Unavailable):
            raise
        except Exception as error:  # noqa: BLE001 - the edge of this job
            # The request must tell, and the next ones get their turn.
            _log.exception("deletion request %s failed", request_id)
            await _tell_failure(ctx, request_id, owner, error)


async def _batches(ctx: Context, request_id: str, flow_id: str, owner: str) -> None:
    more, begun = True, 0.0
    while more:

        def batch(view: View) -> Changes[bool]:
            nonlocal begun
            begun = time.monotonic()
            return _batch(ctx, view, _mine(view, request_id, owner))

        relies_on = [flow(flow_id), delete_request(request_id)]
        more = await ctx.metadata.commit(batch, relies_on, background=True)
        ctx.loaders.forget()
        if more:
            await give_way(time.monotonic() - begun)


async def give_way(seconds: float) -> None:
    """Let everybody else write."""
    await asyncio.sleep(seconds)


def _batch(ctx: Context, view: View, row: Mapping[str, Any]) -> Changes[bool]:
    """The next segments; whether there are more."""
    edits, now_us = Edits(), ctx.clock()
    whole = TimeRange(row["start_ns"], row["end_ns"], row["bounds"])
    limit = ctx.metadata.background_rows
    found = view.page(_next(row, limit))
    doomed = found if row["orphaned"] else covered_rows(found, whole)
    if doomed.num_rows:
        _remove(view, edits, row, doomed, now_us)
    more = bool(found.num_rows == limit)
    left = _left(row, found["end_ns"][-1].as_py()) if more else NEVER
    news: dict[str, Any] = {
        "request_id": row["request_id"],
        "remaining_start_ns": left.start_ns,
        "remaining_end_ns": left.end_ns,
        "remaining_bounds": int(left.bounds),
        "deleted_count": row["deleted_count"] + doomed.num_rows,
        "updated_us": now_us,
        "expiry_us": kept_until(ctx, now_us),
        "due_us": now_us + LEASE_US if more else None,
        "status": (DeletionStatus.STARTED if more else DeletionStatus.DONE).value,
        "error_json": None,
    }
    edits.update(DELETE_REQUESTS, news if more else news | {"owner": None})
    return edits.changes(more)


def _remove(
    view: View, edits: Edits, row: Mapping[str, Any], doomed: pa.Table, now_us: int
) -> None:
    timeline_id = row["timeline_id"]
    remove_segments(view, edits, timeline_id, doomed, now_us)
    current = stored_flow(view, row["flow_id"])
    # The flow may have gone meanwhile, or lost all segments at once: then nobody counts these.
    if current is not None and current.timeline_id == timeline_id:
        shrink(view, edits, current, doomed, later_than(current, now_us))
        # Of an orphaned timeline everybody heard when the flow lost it. What was registered
        # since may lie between these segments, and stays.
        stamp = Stamp(row["created_by"], now_us)
        Announcer(view, edits, stamp).removal(current, doomed, dense=False)


def _next(row: Mapping[str, Any], limit: int) -> Scan:
    where: list[Filter] = (
        [] if row["orphaned"] else [Between("created_us", None, row["up_to_us"] + 1)]
    )
    if row["object_id"] is not None:
        where.append(OneOf("object_id", (row["object_id"],)))
    start, end = row["remaining_start_ns"], row["remaining_end_ns"]
    return Scan(
        table=SEGMENTS,
        prefix=(row["timeline_id"],),
        overlapping=None if row["orphaned"] else (start, end),
        limit=limit,
        where=tuple(where),
        columns=tuple(dict.fromkeys((*EXTENT_COLUMNS, *REMOVAL_COLUMNS))),
    )


def _left(row: Mapping[str, Any], seen_until_ns: int) -> TimeRange:
    bounds = row["bounds"] & Bounds.END_INCLUSIVE
    return TimeRange(seen_until_ns, row["end_ns"], bounds)


def _mine(view: View, request_id: str, owner: str) -> Mapping[str, Any]:
    for row in view.get(DELETE_REQUESTS, [(request_id,)]).to_pylist():
        if row["owner"] == owner:
            found: Mapping[str, Any] = row
            return found
    raise _NotMine


async def _let_go(ctx: Context, request_id: str, owner: str) -> None:
    def command(view: View) -> Changes[None]:
        edits = Edits()
        row = _mine(view, request_id, owner)
        news = {"owner": None, "due_us": ctx.clock()}
        edits.update(DELETE_REQUESTS, {"request_id": row["request_id"], **news})
        return edits.changes(None)

    await ctx.metadata.commit(command, [delete_request(request_id)])


async def _tell_failure(ctx: Context, request_id: str, owner: str, error: Exception) -> None:
    def command(view: View) -> Changes[None]:
        row, now_us, edits = _mine(view, request_id, owner), ctx.clock(), Edits()
        before = request_from_row(row).error
        tries = 1 if before is None else before.tries + 1
        stalled = tries >= MAX_TRIES
        rest_us = STALLED_US if stalled else RETRY_US * 2 ** (tries - 1)
        news: dict[str, Any] = {
            "owner": None,
            "error_json": orjson.dumps(_told(error, now_us, tries)).decode(),
            "updated_us": now_us,
            "expiry_us": kept_until(ctx, now_us),
            "due_us": now_us + rest_us,
        }
        if stalled:
            news["status"] = DeletionStatus.ERROR.value
        edits.update(DELETE_REQUESTS, {"request_id": row["request_id"], **news})
        return edits.changes(None)

    await ctx.metadata.commit(command, [delete_request(request_id)])


def _told(error: Exception, now_us: int, tries: int) -> DeletionError:
    if isinstance(error, MediaStoreError):
        return DeletionError(type=error.code, summary=error.message, time_us=now_us, tries=tries)
    # What a fault of ours says is for the log alone.
    summary = "internal error; the server's log of that time tells more"
    return DeletionError(type="INTERNAL", summary=summary, time_us=now_us, tries=tries)


async def _forget_expired(ctx: Context) -> None:
    past = (Between("expiry_us", None, ctx.clock() + 1), OneOf("due_us", (None,)))
    scan = Scan(
        table=DELETE_REQUESTS,
        order="expiry",
        limit=ctx.metadata.background_rows,
        where=past,
        columns=("request_id",),
    )
    ids = (await ctx.metadata.page(scan))["request_id"].to_pylist()
    if not ids:
        return

    def forget(view: View) -> Changes[None]:
        keys: list[Key] = [(request_id,) for request_id in ids]
        left = view.get(DELETE_REQUESTS, keys, ("request_id",))["request_id"].to_pylist()
        edits = Edits()
        edits.delete(DELETE_REQUESTS, *((request_id,) for request_id in left))
        return edits.changes(None)

    relies_on = [delete_request(request_id) for request_id in ids]
    await ctx.metadata.commit(forget, relies_on, background=True)
