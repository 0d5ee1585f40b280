"""Deletion requests: deletions that go on after they have been answered."""

import strawberry

from tams_graphql.graphql import connections as relay
from tams_graphql.graphql import enums as _enums
from tams_graphql.graphql import fields
from tams_graphql.graphql.connections import After, Before, Connection, First, Last, Node, Reverse
from tams_graphql.graphql.context import Info
from tams_graphql.graphql.errors import shown_or_null
from tams_graphql.graphql.scalars import UUID, DateTime, Int64
from tams_graphql.model import records
from tams_graphql.model.records import DeletionStatus
from tams_graphql.model.vocabulary import DeletionSort
from tams_graphql.resolvers import deletions as resolvers
from tams_graphql.timeline import TimeRange

# Imported so that the enums have their descriptions before a field names them.
del _enums


@strawberry.type(description="What keeps a deletion from going on.")
class DeletionError:
    """Spec 8.2, `error.json`."""

    type: str
    summary: str
    time: DateTime


@strawberry.type(description="A deletion that goes on after it was answered, or ended lately.")
class DeletionRequest(Node):
    """Spec 8.2, `deletion-request.json`."""

    request_id: UUID
    flow_id: UUID
    timerange_to_delete: TimeRange
    timerange_remaining: TimeRange = strawberry.field(
        description="What of it has not been looked at; `()` in the end."
    )
    delete_flow: bool = strawberry.field(description="Whether the Flow goes, too.")
    deleted_count: Int64 = strawberry.field(description="How many segments are gone from disk.")
    status: DeletionStatus
    error: DeletionError | None = strawberry.field(
        description="Why it failed so far; it is tried again nevertheless."
    )
    created: DateTime
    created_by: str | None
    updated: DateTime
    expiry: DateTime = strawberry.field(
        description="When it is forgotten, unless it goes on until then."
    )


def deletion_request_of(record: records.DeletionRequest) -> DeletionRequest:
    """A stored deletion request as GraphQL shows it."""
    return DeletionRequest(
        id=relay.global_id("DeletionRequest", record.id),
        request_id=UUID(record.id),
        flow_id=UUID(record.flow_id),
        timerange_to_delete=record.timerange,
        timerange_remaining=record.remaining,
        delete_flow=record.delete_flow,
        deleted_count=Int64(record.deleted_count),
        status=record.status,
        error=None if record.error is None else _error(record.error),
        created=DateTime(record.created_us),
        created_by=record.created_by,
        updated=DateTime(record.updated_us),
        expiry=DateTime(record.expiry_us),
    )


def going_on(record: records.DeletionRequest | None) -> DeletionRequest | None:
    """What a mutation tells about what it has left to do."""
    return None if record is None else deletion_request_of(record)


def _error(error: records.DeletionError) -> DeletionError:
    return DeletionError(type=error.type, summary=error.summary, time=DateTime(error.time_us))


async def find_deletion_request(info: Info, request_id: str) -> DeletionRequest | None:
    """A deletion request, or ``None`` if there is none (any more)."""
    finding = resolvers.get_deletion_request(info.context.tams, request_id)
    return await shown_or_null(finding, deletion_request_of)


@strawberry.type
class DeletionQueries:
    """The root fields about deletion requests."""

    @fields.field(description="One deletion request, or null.")
    async def deletion_request(self, info: Info, request_id: UUID) -> DeletionRequest | None:
        """By TAMS id."""
        return await find_deletion_request(info, request_id)

    @fields.field(description="Deletions that go on, or ended lately; the latest first.")
    async def deletion_requests(
        self,
        info: Info,
        *,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
        sort: DeletionSort = DeletionSort.CREATED,
        reverse: Reverse = False,
    ) -> Connection[DeletionRequest]:
        """Spec 8.2, `GET /flow-delete-requests`."""
        ctx = info.context.tams
        at = relay.cut(first, after, last, before, reverse=reverse)
        page = await resolvers.list_deletion_requests(ctx, sort, at.request)
        return relay.connection(
            page, at, deletion_request_of, lambda: resolvers.count_deletion_requests(ctx)
        )
