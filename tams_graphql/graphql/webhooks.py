"""Webhooks."""

from collections.abc import Sequence
from typing import cast

import strawberry

from tams_graphql.graphql import connections as relay
from tams_graphql.graphql import fields
from tams_graphql.graphql import tags as tagging
from tams_graphql.graphql.connections import After, Before, Connection, First, Last, Node, Reverse
from tams_graphql.graphql.context import Info
from tams_graphql.graphql.errors import shown_or_null
from tams_graphql.graphql.scalars import URL, UUID, DateTime
from tams_graphql.graphql.webhook_deliveries import WebhookDelivery, delivery_of
from tams_graphql.model import records
from tams_graphql.model.records import DeliveryStatus
from tams_graphql.model.vocabulary import EventType, WebhookStatus
from tams_graphql.resolvers import deliveries
from tams_graphql.resolvers import webhooks as resolvers


@strawberry.type(description="Why the service gave up on a webhook.")
class WebhookError:
    """Spec 8.2, `error.json`."""

    type: str
    summary: str
    time: DateTime


@strawberry.type(
    description="A URL that events are POSTed to. The value of its key is never shown."
)
class Webhook(Node):
    """Spec 8.2, `webhook-get.json`."""

    webhook_id: UUID
    url: URL
    api_key_name: str | None = strawberry.field(description="The header that the key is sent in.")
    has_api_key: bool = strawberry.field(description="Whether there is a key to send.")
    events: list[EventType]
    flow_ids: list[UUID] | None
    source_ids: list[UUID] | None
    flow_collected_by_ids: list[UUID] | None = strawberry.field(
        description="Of Flows that one of these collects; empty: that none does."
    )
    source_collected_by_ids: list[UUID] | None = strawberry.field(
        description="Of Sources that one of these collects; empty: that none does."
    )
    accept_get_urls: list[str] | None
    accept_storage_ids: list[UUID] | None
    presigned: bool | None
    verbose_storage: bool | None
    include_object_timerange: bool | None
    status: WebhookStatus
    error: WebhookError | None
    created_by: str | None
    created: DateTime
    updated: DateTime
    record: strawberry.Private[records.Webhook]

    @fields.field(description="By name.")
    def tags(self) -> list[tagging.Tag]:
        """All of them."""
        return tagging.shown_tags(self.record.tags)

    @fields.field(description="What was sent to it lately, the latest event first.")
    async def deliveries(
        self,
        info: Info,
        *,
        status: DeliveryStatus | None = None,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
    ) -> Connection[WebhookDelivery]:
        """As long as events are kept."""
        ctx, webhook_id = info.context.tams, self.record.id
        at = relay.cut(first, after, last, before)
        page = await deliveries.list_deliveries(ctx, webhook_id, at.request, status)
        return relay.connection(
            page, at, delivery_of, lambda: deliveries.count_deliveries(ctx, webhook_id, status)
        )

    @fields.field(description="When an event that was not taken is sent again, if one waits.")
    async def next_attempt_at(self, info: Info) -> DateTime | None:
        """Null while all goes well."""
        waiting = await deliveries.waiting_of(info.context.tams, self.record.id)
        at_us = waiting.next_attempt_us
        return None if at_us is None else DateTime(at_us)

    @fields.field(description="How often in a row the event that is next was not taken.")
    async def consecutive_failures(self, info: Info) -> int:
        """0 while all goes well."""
        return (await deliveries.waiting_of(info.context.tams, self.record.id)).failures

    @strawberry.field
    def tag(self, name: str) -> tagging.Tag | None:
        """One of them."""
        return tagging.shown_tag(self.record.tags, name)


def webhook_of(record: records.Webhook) -> Webhook:
    """A stored webhook as GraphQL shows it."""
    filters = record.filters
    return Webhook(
        id=relay.global_id("Webhook", record.id),
        webhook_id=UUID(record.id),
        url=URL(record.url),
        api_key_name=record.api_key_name,
        has_api_key=record.sealed_key is not None,
        events=list(record.events),
        flow_ids=_ids(filters.get("flow_ids")),
        source_ids=_ids(filters.get("source_ids")),
        flow_collected_by_ids=_ids(filters.get("flow_collected_by_ids")),
        source_collected_by_ids=_ids(filters.get("source_collected_by_ids")),
        accept_get_urls=filters.get("accept_get_urls"),
        accept_storage_ids=_ids(filters.get("accept_storage_ids")),
        presigned=filters.get("presigned"),
        verbose_storage=filters.get("verbose_storage"),
        include_object_timerange=filters.get("include_object_timerange"),
        status=record.status,
        error=_error_of(record.error),
        created_by=record.created_by,
        created=DateTime(record.created_us),
        updated=DateTime(record.updated_us),
        record=record,
    )


def _error_of(error: records.WebhookError | None) -> WebhookError | None:
    if error is None:
        return None
    return WebhookError(type=error.type, summary=error.summary, time=DateTime(error.time_us))


def _ids(stored: Sequence[str] | None) -> list[UUID] | None:
    return cast("list[UUID] | None", stored)


async def find_webhook(info: Info, webhook_id: str) -> Webhook | None:
    """A webhook, or ``None`` if there is none."""
    return await shown_or_null(resolvers.get_webhook(info.context.tams, webhook_id), webhook_of)


@strawberry.type
class WebhookQueries:
    """The root fields about webhooks."""

    @fields.field(description="One webhook, or null.")
    async def webhook(self, info: Info, webhook_id: UUID) -> Webhook | None:
        """By TAMS id."""
        return await find_webhook(info, webhook_id)

    @fields.field(description="Webhooks, by URL.")
    async def webhooks(
        self,
        info: Info,
        *,
        tags: list[tagging.TagFilterInput] | None = None,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
        reverse: Reverse = False,
    ) -> Connection[Webhook]:
        """Spec 8.2, `GET /service/webhooks`."""
        ctx, filters = info.context.tams, tagging.tag_filters(tags, "tags")
        at = relay.cut(first, after, last, before, reverse=reverse)
        page = await resolvers.list_webhooks(ctx, at.request, filters)
        return relay.connection(
            page, at, webhook_of, lambda: resolvers.count_webhooks(ctx, filters)
        )
