"""What was sent to webhooks, sending it again, and trying whether a webhook works."""

from collections.abc import Mapping
from typing import Any

import strawberry

from tams_graphql.graphql import connections as relay
from tams_graphql.graphql import enums as _enums
from tams_graphql.graphql import fields
from tams_graphql.graphql.connections import Node
from tams_graphql.graphql.context import Info
from tams_graphql.graphql.errors import MutationInput, MutationPayload, answered, shown_or_null
from tams_graphql.graphql.scalars import UUID, DateTime
from tams_graphql.model import records
from tams_graphql.model.records import DeliveryStatus
from tams_graphql.model.vocabulary import EventType
from tams_graphql.resolvers import deliveries as resolvers

# Imported so that the enums have their descriptions before a field names them.
del _enums


@strawberry.type(description="One attempt to deliver an event to a webhook.")
class WebhookAttempt:
    """What the receiver did."""

    at: DateTime
    delivered: bool
    status_code: int | None = strawberry.field(description="Null if nothing was answered.")
    reason: str | None = strawberry.field(description="Why it was not taken.")
    duration_ms: float = strawberry.field(description="In milliseconds.")


@strawberry.type(description="An event that was sent to a webhook, or was to be.")
class WebhookDelivery(Node):
    """With what became of it."""

    delivery_id: strawberry.ID = strawberry.field(description="To be given to `redeliver`.")
    webhook_id: UUID
    event_id: UUID | None = strawberry.field(
        description="Sent as `webhook-id` at each attempt. Null where events were skipped: they"
        " were deleted before their turn."
    )
    event_type: EventType | None
    status: DeliveryStatus
    attempts: list[WebhookAttempt] = strawberry.field(
        description="The last 20 at most, the latest last."
    )
    occurred: DateTime = strawberry.field(description="When the event happened.")
    updated: DateTime


def delivery_of(record: records.Delivery) -> WebhookDelivery:
    """A delivery as GraphQL shows it."""
    return WebhookDelivery(
        id=relay.global_id("WebhookDelivery", record.id),
        delivery_id=strawberry.ID(record.id),
        webhook_id=UUID(record.webhook_id),
        event_id=None if record.event_id is None else UUID(record.event_id),
        event_type=record.event_type,
        status=record.status,
        attempts=[attempt_of(one) for one in record.attempts],
        occurred=DateTime(record.created_us),
        updated=DateTime(record.updated_us),
    )


def attempt_of(record: records.Attempt) -> WebhookAttempt:
    """An attempt as GraphQL shows it."""
    return WebhookAttempt(
        at=DateTime(record.at_us),
        delivered=record.reason is None,
        status_code=record.status_code,
        reason=record.reason,
        duration_ms=record.duration_us / 1000,
    )


async def find_delivery(info: Info, delivery_id: str) -> WebhookDelivery | None:
    """A delivery, or ``None`` if there is none (any more)."""
    return await shown_or_null(resolvers.get_delivery(info.context.tams, delivery_id), delivery_of)


@strawberry.input(description="Which delivery to repeat.")
class RedeliverInput(MutationInput):
    """Its id."""

    delivery_id: strawberry.ID


@strawberry.type
class RedeliverPayload(MutationPayload):
    """The delivery as it is now, and what came of this attempt."""

    delivery: WebhookDelivery | None = None
    attempt: WebhookAttempt | None = None


@strawberry.input(description="Which webhook to try.")
class TestWebhookInput(MutationInput):
    """Its id."""

    __test__ = False
    webhook_id: UUID


@strawberry.type
class TestWebhookPayload(MutationPayload):
    """What came of it."""

    __test__ = False
    attempt: WebhookAttempt | None = None


@strawberry.type
class DeliveryMutations:
    """What sends to webhooks by hand."""

    @fields.mutation(
        description="Send an event to a webhook again, now and once, with the same `webhook-id`."
    )
    async def redeliver(
        self,
        info: Info,
        input: RedeliverInput,  # noqa: A002 - Relay's word
    ) -> RedeliverPayload:
        """Whatever the webhook's status and filters are."""
        return await answered(RedeliverPayload, input, _redelivered(info, input))

    @fields.mutation(
        description="Send a webhook an event of type `webhooks/test`, now and once; its status and"
        " filters don't matter, and nothing is kept of it."
    )
    async def test_webhook(
        self,
        info: Info,
        input: TestWebhookInput,  # noqa: A002 - Relay's word
    ) -> TestWebhookPayload:
        """A receiver that does not take it is no error of this mutation."""
        return await answered(TestWebhookPayload, input, _tried(info, input))


async def _redelivered(info: Info, given: RedeliverInput) -> Mapping[str, Any]:
    delivery, attempt = await resolvers.redeliver(info.context.tams, given.delivery_id)
    return {"delivery": delivery_of(delivery), "attempt": attempt_of(attempt)}


async def _tried(info: Info, given: TestWebhookInput) -> Mapping[str, Any]:
    attempt = await resolvers.try_webhook(info.context.tams, given.webhook_id)
    return {"attempt": attempt_of(attempt)}
