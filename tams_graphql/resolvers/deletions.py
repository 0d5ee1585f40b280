"""Deletion requests: deletions that go on after they have been answered (spec 8.2).

1. A deletion of more segments than `Service.async_delete_segments` writes a row of
   DELETE_REQUESTS, in the commit that takes the segments from everybody's sight.
2. All segments of a flow: the flow goes, or gets another timeline. A part of them: they go
   little by little, and whoever registers new ones meanwhile keeps those.
3. `deletion_jobs` does the work; here is what begins and shows it.
"""

import uuid
from collections.abc import Mapping
from typing import Any

import orjson

from tams_graphql.metadata.edits import Edits
from tams_graphql.metadata.engine import Row
from tams_graphql.metadata.tables import DELETE_REQUESTS, FLOWS
from tams_graphql.model.errors import NotFound
from tams_graphql.model.records import DeletionError, DeletionRequest, DeletionStatus, Flow
from tams_graphql.model.vocabulary import DeletionSort
from tams_graphql.resolvers.authorise import Action, authorise
from tams_graphql.resolvers.context import Context
from tams_graphql.resolvers.listing import Listing, count_all, list_page
from tams_graphql.resolvers.paging import Page, PageRequest
from tams_graphql.resolvers.stamp import Stamp
from tams_graphql.timeline import TimeRange


async def get_deletion_request(ctx: Context, request_id: str) -> DeletionRequest:
    """One deletion request.

    Raises:
        NotFound: there is none of that id (any more).
    """
    authorise(ctx, Action.READ, "flow")
    rows = (
        (await ctx.metadata.get(DELETE_REQUESTS, [(request_id,)])).to_pylist()
        if request_id.isascii()
        else []
    )
    if not rows:
        raise NotFound("deletion request", request_id)
    return request_from_row(rows[0])


async def list_deletion_requests(
    ctx: Context, sort: DeletionSort, page: PageRequest
) -> Page[DeletionRequest]:
    """A page of deletion requests, the most recent first (spec 8.2)."""
    authorise(ctx, Action.READ, "flow")
    return await list_page(ctx.metadata, _listing(sort), page)


async def count_deletion_requests(ctx: Context) -> int:
    """How many deletion requests there are."""
    authorise(ctx, Action.READ, "flow")
    return await count_all(ctx.metadata, _listing(DeletionSort.CREATED))


def _listing(sort: DeletionSort) -> Listing[DeletionRequest]:
    return Listing(
        name=f"deletion requests:{sort.value}",
        table=DELETE_REQUESTS,
        order=sort.value,
        descending=True,
        read=request_from_row,
    )


def is_long(ctx: Context, count: int) -> bool:
    """Whether the deletion of so many segments is not waited for."""
    most = ctx.service.async_delete_segments
    return most == 0 or count > most


def kept_until(ctx: Context, now_us: int) -> int:
    """Until when a deletion request that changes now can be looked at, in microseconds."""
    return now_us + ctx.service.delete_request_retention * 1_000_000


def request_deletion(
    ctx: Context,
    edits: Edits,
    flow: Flow,
    timerange: TimeRange,
    stamp: Stamp,
    *,
    object_id: str | None = None,
    delete_flow: bool = False,
    orphaned: bool = False,
) -> DeletionRequest:
    """Add a deletion request to `edits`: of what is on the flow's timeline now.

    What is registered later is told apart by its time: the flow's `segments_updated` is moved
    up, unless its timeline goes, and `later_than` keeps each registration behind it.

    `orphaned`: the caller takes the timeline away from the flow. Who has just asked where the
    flow's segments are must not find a part of them: the work begins after a grace.
    """
    grace_us = ctx.service.deletion_grace * 1_000_000 if orphaned else 0
    up_to_us = max(stamp.now_us, flow.segments_updated_us or 0)
    if not orphaned:
        edits.update(FLOWS, {"flow_id": flow.id, "segments_updated_us": up_to_us})
    bounds = int(timerange.bounds)
    row: Row = {
        "request_id": str(uuid.uuid4()),
        "flow_id": flow.id,
        "timeline_id": flow.timeline_id,
        "object_id": object_id,
        "status": DeletionStatus.CREATED.value,
        "created_by": stamp.principal,
        "version": 0,
        "start_ns": timerange.start_ns,
        "end_ns": timerange.end_ns,
        "bounds": bounds,
        "remaining_start_ns": timerange.start_ns,
        "remaining_end_ns": timerange.end_ns,
        "remaining_bounds": bounds,
        "up_to_us": up_to_us,
        "deleted_count": 0,
        "created_us": stamp.now_us,
        "updated_us": stamp.now_us,
        "expiry_us": kept_until(ctx, stamp.now_us),
        "due_us": stamp.now_us + grace_us,
        "delete_flow": delete_flow,
        "orphaned": orphaned,
    }
    edits.insert(DELETE_REQUESTS, row)
    return request_from_row({"error_json": None, **row})


def later_than(flow: Flow, now_us: int) -> int:
    """The time of a change of the flow's segments: after every earlier one, whatever the clock."""
    return max(now_us, (flow.segments_updated_us or 0) + 1)


def request_from_row(row: Mapping[str, Any]) -> DeletionRequest:
    """A row of DELETE_REQUESTS as a record."""
    return DeletionRequest(
        id=row["request_id"],
        flow_id=row["flow_id"],
        timerange=TimeRange(row["start_ns"], row["end_ns"], row["bounds"]),
        remaining=TimeRange(
            row["remaining_start_ns"], row["remaining_end_ns"], row["remaining_bounds"]
        ),
        delete_flow=row["delete_flow"],
        status=DeletionStatus(row["status"]),
        error=_error(row["error_json"]),
        deleted_count=row["deleted_count"],
        created_by=row["created_by"],
        created_us=row["created_us"],
        updated_us=row["updated_us"],
        expiry_us=row["expiry_us"],
    )


def _error(error_json: str | None) -> DeletionError | None:
    return None if error_json is None else DeletionError(**orjson.loads(error_json))
