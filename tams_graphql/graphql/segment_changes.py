"""Mutations of Flow Segments."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, cast

import pyarrow as pa
import pyarrow.compute as pc
import strawberry

from tams_graphql.graphql import fields
from tams_graphql.graphql.connections import SEGMENTS
from tams_graphql.graphql.context import Info
from tams_graphql.graphql.deletions import DeletionRequest, going_on
from tams_graphql.graphql.errors import (
    CreationInput,
    MutationInput,
    MutationPayload,
    UserError,
    answered,
    user_errors,
)
from tams_graphql.graphql.flows import Flow, find_flow
from tams_graphql.graphql.json_shapes import write_json
from tams_graphql.graphql.scalars import URL, UUID, Timestamp
from tams_graphql.graphql.segment_rows import SegmentRows
from tams_graphql.graphql.segments import FlowSegment
from tams_graphql.model.errors import InvalidInput
from tams_graphql.resolvers import segments as resolvers
from tams_graphql.resolvers.context import Context
from tams_graphql.resolvers.idempotency import once
from tams_graphql.resolvers.paging import PageRequest
from tams_graphql.resolvers.segment_deletion import delete_segments
from tams_graphql.timeline import TimeRange, format_timestamp


@strawberry.input(description="Where the same bytes are, outside this service.")
class UncontrolledUrlInput:
    """Spec 8.2, `flow-segment-post.json`, `get_urls`."""

    url: URL
    label: str


@strawberry.input(description="A Media Object to put on the Flow's timeline.")
class SegmentInput:
    """Spec 8.2, `flow-segment-post.json`."""

    object_id: str
    timerange: TimeRange
    init_object_id: str | None = None
    ts_offset: Timestamp | None = strawberry.field(
        default=None, description="Added to the object's timestamps it gives the Flow's."
    )
    object_timerange: TimeRange | None = strawberry.field(
        default=None, description="What of the object's own timeline is used; default: all."
    )
    last_duration: Timestamp | None = None
    key_frame_count: int | None = None
    get_urls: list[UncontrolledUrlInput] | None = None


@strawberry.input
class RegisterSegmentsInput(CreationInput):
    """Spec 8.2, `POST /flows/{flowId}/segments`."""

    flow_id: UUID
    segments: list[SegmentInput] = strawberry.field(
        description="At most 5,000; each succeeds or fails on its own."
    )


@strawberry.type(description="A segment that was not registered.")
class FailedSegment:
    """Spec 8.2, `flow-segment-bulk-failure.json`."""

    index: int = strawberry.field(description="Its place in the input.")
    object_id: str
    timerange: TimeRange | None
    errors: list[UserError]


@strawberry.type(description="Some segments may have failed although `errors` is empty.")
class RegisterSegmentsPayload(MutationPayload):
    """Partial success, as in the spec."""

    registered: list[FlowSegment] = strawberry.field(default_factory=list)
    registered_count: int = 0
    failed: list[FailedSegment] = strawberry.field(default_factory=list)
    flow: Flow | None = None


@strawberry.input(description="`timerange`, `objectId` or both; segments within all that is given.")
class DeleteSegmentsInput(MutationInput):
    """Spec 8.2, `DELETE /flows/{flowId}/segments`."""

    flow_id: UUID
    timerange: TimeRange | None = strawberry.field(
        default=None,
        description='Segments completely covered by it; `"_"` for all of them.',
    )
    object_id: str | None = strawberry.field(
        default=None, description="Segments that use this Media Object."
    )


@strawberry.type
class DeleteSegmentsPayload(MutationPayload):
    """What is gone."""

    deleted_count: int = strawberry.field(
        default=0, description="How many are gone already, for all readers."
    )
    deletion_request: DeletionRequest | None = strawberry.field(
        default=None, description="If they were many: what is left to do."
    )
    flow: Flow | None = None


@strawberry.type
class SegmentMutations:
    """What changes segments."""

    @fields.mutation(description="Put Media Objects on a Flow's timeline.")
    async def register_segments(
        self,
        info: Info,
        input: RegisterSegmentsInput,  # noqa: A002 - Relay's word
    ) -> RegisterSegmentsPayload:
        """Those that are accepted commit together."""
        return await answered(RegisterSegmentsPayload, input, _registered(info, input))

    @fields.mutation(description="Take segments off a Flow's timeline.")
    async def delete_segments(
        self,
        info: Info,
        input: DeleteSegmentsInput,  # noqa: A002 - Relay's word
    ) -> DeleteSegmentsPayload:
        """Objects go with the last segment that uses them."""
        return await answered(DeleteSegmentsPayload, input, _deleted(info, input))


async def _registered(info: Info, given: RegisterSegmentsInput) -> Mapping[str, Any]:
    ctx = info.context.tams
    posts = [segment_json(segment) for segment in given.segments]
    done: list[resolvers.Registration] = []

    async def register(ctx: Context) -> resolvers.Registration:
        registration = await resolvers.register_segments(ctx, given.flow_id, posts)
        done.append(registration)
        return registration

    body = {"flow_id": given.flow_id, "segments": posts}
    key = given.idempotency_key
    failed = await once(ctx, "registerSegments", key, body, register, encode=_saved_failures)
    rows = done[0].registered if done else await _registered_before(ctx, given, failed)
    return {
        "registered": cast("list[FlowSegment]", SegmentRows(ctx, rows)),
        "registered_count": len(posts) - len(failed),
        "failed": [_failed(one) for one in failed],
        "flow": await find_flow(info, given.flow_id),
    }


async def _registered_before(
    ctx: Context, given: RegisterSegmentsInput, failed: Sequence[Mapping[str, Any]]
) -> pa.Table:
    """What a repeated request registered the first time, as far as it is still there."""
    refused = {one["index"] for one in failed}
    ranges = [one.timerange for i, one in enumerate(given.segments) if i not in refused]
    starts = [one.start_ns or 0 for one in ranges]
    span = TimeRange(min(starts, default=0), max((one.end_ns or 0 for one in ranges), default=0))
    wanted = pa.array(starts, pa.int64())
    found: list[pa.Table] = []
    after, more = None, True
    while more:
        request = PageRequest(limit=SEGMENTS.most, after=after)
        page = await resolvers.list_segments(ctx, given.flow_id, request, timerange=span)
        found.append(page.columns.filter(pc.is_in(page.columns["start_ns"], value_set=wanted)))
        after = page.next_cursor
        more = after is not None
    return pa.concat_tables(found)


def _saved_failures(done: resolvers.Registration) -> list[dict[str, Any]]:
    return [
        {
            "index": one.index,
            "object_id": one.object_id,
            "timerange": one.timerange,
            "errors": [asdict(error) for error in user_errors(one.error)],
        }
        for one in done.failed
    ]


def _failed(saved: Mapping[str, Any]) -> FailedSegment:
    errors = [UserError(**error) for error in saved["errors"]]
    return FailedSegment(**{**saved, "errors": errors})


def segment_json(segment: SegmentInput) -> dict[str, Any]:
    """The input as the spec's `flow-segment-post.json`."""
    body: dict[str, Any] = write_json(segment)
    for name in ("ts_offset", "last_duration"):
        if name in body:
            body[name] = format_timestamp(body[name])
    return body


async def _deleted(info: Info, given: DeleteSegmentsInput) -> Mapping[str, Any]:
    if given.timerange is None and given.object_id is None:
        raise InvalidInput(
            "timerange", "required", 'give timerange ("_" deletes all segments) or objectId'
        )
    ctx = info.context.tams
    deletion = await delete_segments(
        ctx, given.flow_id, timerange=given.timerange, object_id=given.object_id
    )
    return {
        "deleted_count": deletion.count,
        "deletion_request": going_on(deletion.request),
        "flow": await find_flow(info, given.flow_id),
    }
