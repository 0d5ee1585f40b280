"""``/flows/{flowId}/segments``: columns in, JSON out."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime

import pyarrow as pa
from starlette.responses import Response

from rest_compat import get_urls, shapes
from rest_compat.deletions import ACCEPTED, deleted
from rest_compat.encoding import json_response
from rest_compat.paging import listing_headers, page_request
from rest_compat.parameters import (
    FLAG,
    PAGING,
    REVERSE_ORDER,
    Parameter,
    boolean,
    text,
    timerange,
)
from rest_compat.resources import LISTING_HEADERS, Body, Call, Operation, Resource, Told
from rest_compat.schemas import array, ref
from rest_compat.version_rules import segment_model, taken_segments
from rest_compat.visibility import is_hidden
from tams_graphql.metadata.columns import column_values
from tams_graphql.model.error_body import error_body
from tams_graphql.model.errors import InvalidInput
from tams_graphql.resolvers.segment_deletion import delete_segments
from tams_graphql.resolvers.segments import (
    MAX_SEGMENTS_PER_PAGE,
    FailedSegment,
    list_segments,
    register_segments,
)
from tams_graphql.resolvers.urls import parse_instances
from tams_graphql.timeline import NEVER, Bounds, TimeRange

OBJECT_ID: Parameter[str | None] = Parameter(
    "object_id", "Only segments of this object.", {"type": "string"}, text, None
)
OVERLAPPING: Parameter[TimeRange | None] = Parameter(
    "timerange",
    "Only segments that share an instant with this timerange.",
    ref("timerange"),
    timerange,
    None,
)
COVERED_BY: Parameter[TimeRange | None] = Parameter(
    "timerange",
    "Only segments that lie in this timerange completely.",
    ref("timerange"),
    timerange,
    None,
)
OBJECT_TIMERANGE = Parameter(
    "include_object_timerange", "Tell the timerange of each segment's object.", FLAG, boolean, False
)


async def get_listing(call: Call) -> Response:
    """A page of segments, by time."""
    page = page_request(call, MAX_SEGMENTS_PER_PAGE)
    # As those of a Flow that does not exist: there are none.
    hidden = await is_hidden(call, "flow", call.path["flowId"])
    found = await list_segments(
        call.ctx,
        call.path["flowId"],
        page,
        timerange=NEVER if hidden else call.query[OVERLAPPING],
        object_id=call.query[OBJECT_ID],
        columns=_columns(call),
    )
    columns = found.columns
    headers = listing_headers(call, page, found.next_cursor, columns.num_rows)
    headers["X-Paging-Timerange"] = str(_span(columns, reverse=page.reverse))
    # Signing and writing a full page takes 0.1 s, which no other request should have to wait for.
    return await asyncio.to_thread(
        lambda: json_response(segments_json(call, columns), headers=headers)
    )


def _columns(call: Call) -> tuple[str, ...]:
    """What the answer is made of."""
    return (
        *shapes.SEGMENT_COLUMNS,
        *(shapes.OBJECT_RANGE_COLUMNS if call.query[OBJECT_TIMERANGE] else ()),
        *(("instances_json", "init_instances_json") if get_urls.wanted(call) else ()),
    )


def segments_json(call: Call, columns: pa.Table) -> list[shapes.Json]:
    """Segments with the `get_urls` that the query asks for, all signed at once."""
    return shapes.segments(
        columns,
        _urls(call, columns, "instances_json"),
        None if _no_init(call) else _urls(call, columns, "init_instances_json"),
        object_range=call.query[OBJECT_TIMERANGE],
    )


def _no_init(call: Call) -> bool:
    return "init_object" in call.version.unknown["segment"]


def _urls(call: Call, columns: pa.Table, name: str) -> list[list[shapes.Json]]:
    if not get_urls.wanted(call) or columns[name].null_count == len(columns):
        return [[]] * len(columns)
    return get_urls.urls_of(call, [parse_instances(text) for text in column_values(columns[name])])


def _span(columns: pa.Table, *, reverse: bool) -> TimeRange:
    """What the segments of a page span; never overlapping, their order is that of both ends."""
    if not columns.num_rows:
        return NEVER
    first, last = (-1, 0) if reverse else (0, -1)
    start, end = columns["start_ns"][first].as_py(), columns["end_ns"][last].as_py()
    bounds = (columns["bounds"][first].as_py() & Bounds.START_EXCLUSIVE) | (
        columns["bounds"][last].as_py() & Bounds.END_INCLUSIVE
    )
    return TimeRange(start, end, bounds)


async def post(call: Call) -> Response:
    """Register one segment or several: 201; some of a list refused: 200 with those."""
    several = isinstance(call.body, list)
    if not several and not isinstance(call.body, dict):
        raise InvalidInput("body", "type", "must be a segment or a list of segments")
    body = taken_segments(call.version, call.body)
    registration = await register_segments(
        call.ctx,
        call.path["flowId"],
        body if several else [body],
        field_prefix="segments.{}" if several else "",
        model=segment_model(call.version),
    )
    if not registration.failed:
        return json_response(None, 201)
    if not several:
        raise registration.failed[0].error
    return json_response({"failed_segments": _failures(call, registration.failed)})


def _failures(call: Call, failed: Sequence[FailedSegment]) -> list[shapes.Json]:
    now = datetime.now(UTC)
    return [
        shapes.present(
            {
                "object_id": failure.object_id,
                "timerange": failure.timerange,
                "error": error_body(failure.error, call.ctx.request_id, now),
            }
        )
        for failure in failed
    ]


async def delete(call: Call) -> Response:
    """Delete the segments that lie in a timerange completely."""
    deletion = await delete_segments(
        call.ctx,
        call.path["flowId"],
        timerange=call.query[COVERED_BY],
        object_id=call.query[OBJECT_ID],
    )
    return deleted(call, deletion.request)


RESOURCES = (
    Resource(
        "/flows/{flowId}/segments",
        {
            "GET": Operation(
                handler=get_listing,
                sees_hidden=True,
                summary="Segments of a Flow, by time",
                description="Empty for a Flow that does not exist. `X-Paging-Timerange` tells"
                " what the segments of the page span.",
                parameters=(
                    OBJECT_ID,
                    OVERLAPPING,
                    REVERSE_ORDER,
                    *get_urls.PARAMETERS,
                    OBJECT_TIMERANGE,
                    *PAGING,
                ),
                answers={
                    200: Told(
                        "A page.",
                        array(ref("flow-segment")),
                        (*LISTING_HEADERS, "X-Paging-Timerange"),
                    )
                },
            ),
            "POST": Operation(
                handler=post,
                summary="Register segments",
                description="Each item of a list succeeds or fails on its own; one segment that"
                " is not in a list and fails is 400.",
                body=Body({"oneOf": [ref("flow-segment-post"), array(ref("flow-segment-post"))]}),
                answers={
                    201: Told("All registered."),
                    200: Told("Those that failed.", ref("flow-segment-bulk-failure")),
                },
            ),
            "DELETE": Operation(
                handler=delete,
                summary="Delete segments that a timerange covers completely",
                description="Without a timerange: all of them.",
                parameters=(COVERED_BY, OBJECT_ID),
                answers={204: Told("Deleted."), 202: ACCEPTED},
            ),
        },
    ),
)
