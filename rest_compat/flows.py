"""``/flows`` and ``/flows/{flowId}``."""

import asyncio

from starlette.responses import Response

from rest_compat import shapes
from rest_compat.deletions import ACCEPTED, deleted
from rest_compat.encoding import json_response, no_content
from rest_compat.paging import listing_headers, page_request
from rest_compat.parameters import (
    FLAG,
    PAGING,
    REVERSE_ORDER,
    Parameter,
    TagParameter,
    boolean,
    integer,
    mime_type,
    one_of,
    text,
    timerange,
    uuids,
)
from rest_compat.resources import LISTING_HEADERS, Body, Call, Operation, Resource, Told
from rest_compat.schemas import array, ref
from rest_compat.version_rules import shown_formats, taken_flow
from rest_compat.visibility import (
    refuse_hidden_members,
    unseen_by,
    visible_flow,
    visible_ids,
)
from tams_graphql.model.errors import InvalidInput
from tams_graphql.model.identifiers import required_uuid
from tams_graphql.model.records import Flow
from tams_graphql.model.vocabulary import ContentFormat, FlowSort, FlowStatus
from tams_graphql.resolvers.filters import FlowFilter
from tams_graphql.resolvers.flows import (
    delete_flow,
    flow_collected_by,
    flow_timerange,
    get_flow,
    list_flows,
    put_flow,
)
from tams_graphql.timeline import TimeRange

_TEXT = {"type": "string"}
_INTEGER = {"type": "integer"}

SOURCE_ID: Parameter[str | None] = Parameter(
    "source_id", "Only Flows of this Source.", ref("uuid"), required_uuid, None
)
TIMERANGE: Parameter[TimeRange | None] = Parameter(
    "timerange",
    "Only Flows with content in this timerange; an empty one asks for Flows without content.",
    ref("timerange"),
    timerange,
    None,
)
FORMAT: Parameter[ContentFormat | None] = Parameter(
    "format", "Only this kind of content.", ref("content-format"), one_of(ContentFormat), None
)
CODEC: Parameter[str | None] = Parameter(
    "codec", "Only this codec.", ref("mime-type"), mime_type, None
)
PROFILE_ID: Parameter[str | None] = Parameter(
    "profile_id", "Only Flows made from this Profile.", ref("uuid"), required_uuid, None
)
LABEL: Parameter[str | None] = Parameter("label", "Only those with this label.", _TEXT, text, None)
STATUS: Parameter[FlowStatus | None] = Parameter(
    "status", "Only this ingest status.", ref("flow-status"), one_of(FlowStatus), None
)
FRAME_WIDTH: Parameter[int | None] = Parameter(
    "frame_width", "Only video of this width, in pixels.", _INTEGER, integer, None
)
FRAME_HEIGHT: Parameter[int | None] = Parameter(
    "frame_height", "Only video of this height, in pixels.", _INTEGER, integer, None
)
INIT_SEGMENTS: Parameter[bool | None] = Parameter(
    "init_segments", "Only Flows with (or without) initialisation segments.", FLAG, boolean, None
)
COLLECTED_BY: Parameter[tuple[str, ...] | None] = Parameter(
    "collected_by_ids",
    "Only members of one of these collections (comma-separated ids); empty: of none at all.",
    _TEXT,
    uuids,
    None,
)
SORT: Parameter[FlowSort] = Parameter(
    "sort_by",
    "What to sort by; dates put the latest first.",
    {"type": "string", "enum": list(FlowSort), "default": FlowSort.CREATED},
    one_of(FlowSort),
    FlowSort.CREATED,
)
TAGS = TagParameter("tag", "Flows")
FILTERS = (
    SOURCE_ID, TIMERANGE, FORMAT, CODEC, PROFILE_ID, LABEL, STATUS, TAGS, FRAME_WIDTH,
    FRAME_HEIGHT, INIT_SEGMENTS, COLLECTED_BY,
)  # fmt: skip
INCLUDE_TIMERANGE = Parameter(
    "include_timerange", "Tell the timerange that the segments span.", FLAG, boolean, False
)
WITHIN: Parameter[TimeRange | None] = Parameter(
    "timerange",
    "Tell only what the segments that overlap this timerange span.",
    ref("timerange"),
    timerange,
    None,
)


async def flow_json(call: Call, flow: Flow, span: TimeRange | None = None) -> shapes.Json:
    """A Flow with the Flows that collect it; one read for all Flows of a tick."""
    by = await visible_ids(call, "flow", await flow_collected_by(call.ctx, flow.id))
    return shapes.flow(await visible_flow(call, flow), by, span, call.version)


async def get_listing(call: Call) -> Response:
    """A page of Flows."""
    page = page_request(call)
    query = call.query
    filters = FlowFilter(
        source_id=query[SOURCE_ID],
        timerange=query[TIMERANGE],
        format=query[FORMAT],
        formats=shown_formats(call.version),
        codec=query[CODEC],
        profile_id=query[PROFILE_ID],
        label=query[LABEL],
        status=query[STATUS],
        frame_width=query[FRAME_WIDTH],
        frame_height=query[FRAME_HEIGHT],
        init_segments=query[INIT_SEGMENTS],
        tags=query[TAGS],
        collected_by=query[COLLECTED_BY],
        sort=query[SORT],
    )
    found = await list_flows(call.ctx, filters, page)
    items = await asyncio.gather(*(flow_json(call, flow) for flow in found.items))
    headers = listing_headers(call, page, found.next_cursor, len(items))
    return json_response(items, headers=headers)


async def get_one(call: Call) -> Response:
    """One Flow, with its timerange if asked for."""
    flow = await get_flow(call.ctx, call.path["flowId"])
    span = None
    if call.query[INCLUDE_TIMERANGE]:
        within = call.query[WITHIN]
        span = flow.timerange
        if within is not None:
            span = await flow_timerange(call.ctx, flow.id, within)
    return json_response(await flow_json(call, flow, span))


async def put_one(call: Call) -> Response:
    """Create a Flow (201 with it) or replace it (204)."""
    if not isinstance(call.body, dict):
        raise InvalidInput("body", "type", "must be a JSON object")
    body = taken_flow(call.version, call.body)
    await refuse_hidden_members(call, body.get("flow_collection"))
    unseen = await unseen_by(call)
    put = await put_flow(
        call.ctx, call.path["flowId"], body, restore=None if unseen is None else unseen.flow
    )
    if not put.created:
        return no_content()
    return json_response(await flow_json(call, put.flow), 201)


async def delete_one(call: Call) -> Response:
    """Delete a Flow with its segments."""
    return deleted(call, await delete_flow(call.ctx, call.path["flowId"]))


RESOURCES = (
    Resource(
        "/flows",
        {
            "GET": Operation(
                handler=get_listing,
                summary="Flows, the latest first",
                parameters=(*FILTERS, SORT, REVERSE_ORDER, *PAGING),
                answers={200: Told("A page.", array(ref("flow-get")), LISTING_HEADERS)},
            )
        },
    ),
    Resource(
        "/flows/{flowId}",
        {
            "GET": Operation(
                handler=get_one,
                summary="One Flow",
                parameters=(INCLUDE_TIMERANGE, WITHIN),
                answers={200: Told("The Flow.", ref("flow-get"))},
            ),
            "PUT": Operation(
                handler=put_one,
                summary="Create or replace a Flow",
                description="Fields that the service manages are ignored. A Source comes with"
                " its first Flow.",
                body=Body(ref("flow-put")),
                answers={
                    201: Told("Created.", ref("flow-get")),
                    204: Told("Replaced."),
                },
            ),
            "DELETE": Operation(
                handler=delete_one,
                summary="Delete a Flow with its segments",
                description="Objects that no Flow uses any more go with their bytes.",
                answers={204: Told("Deleted."), 202: ACCEPTED},
            ),
        },
    ),
)
