"""Mutations of webhooks."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import strawberry
from strawberry.types.unset import UnsetType

from tams_graphql.graphql import fields
from tams_graphql.graphql import tags as tagging
from tams_graphql.graphql.context import Info
from tams_graphql.graphql.errors import CreationInput, MutationInput, MutationPayload, answered
from tams_graphql.graphql.json_shapes import write_json
from tams_graphql.graphql.scalars import URL, UUID
from tams_graphql.graphql.webhooks import Webhook, webhook_of
from tams_graphql.model.records import Webhook as WebhookRecord
from tams_graphql.model.vocabulary import EventType, WebhookStatus
from tams_graphql.resolvers import webhooks as resolvers
from tams_graphql.resolvers.context import Context
from tams_graphql.resolvers.idempotency import once
from tams_graphql.resolvers.webhook_secrets import rotate_secret, signing_secret


def _unseen(default: UnsetType | None, description: str) -> Any:
    """A field that the input's own `repr` leaves out, so that no log ever holds it."""
    field = strawberry.field(default=default, description=description)
    field.repr = False
    return field


_SHOWN_ONCE = (
    "What events are signed with (Standard Webhooks). It is shown only here and now; an answer"
    " that is repeated for an idempotency key does not have it."
)


@strawberry.input(description="Where events go, which, and how their URLs look.")
class RegisterWebhookInput(CreationInput):
    """Spec 8.2, `webhook-post.json`."""

    url: URL
    events: list[EventType]
    api_key_name: str | None = strawberry.field(
        default=None, description="The header that the key is sent in."
    )
    api_key_value: str | None = _unseen(None, "The key; it is never shown again.")
    flow_ids: list[UUID] | None = None
    source_ids: list[UUID] | None = None
    flow_collected_by_ids: list[UUID] | None = strawberry.field(
        default=None, description="Of Flows that one of these collects; empty: that none does."
    )
    source_collected_by_ids: list[UUID] | None = strawberry.field(
        default=None, description="Of Sources that one of these collects; empty: that none does."
    )
    accept_get_urls: list[str] | None = None
    accept_storage_ids: list[UUID] | None = None
    presigned: bool | None = None
    verbose_storage: bool | None = None
    include_object_timerange: bool | None = None
    tags: list[tagging.TagInput] | None = None
    status: WebhookStatus | None = strawberry.field(
        default=None, description="CREATED (the default) or DISABLED."
    )


@strawberry.input(description="What is left out stays; null removes.")
class UpdateWebhookInput(MutationInput):
    """Spec 8.2, `webhook-put.json`, of which only what changes is given."""

    webhook_id: UUID
    url: URL | None = strawberry.UNSET
    events: list[EventType] | None = strawberry.UNSET
    api_key_name: str | None = strawberry.field(
        default=strawberry.UNSET, description="Null removes the key as well."
    )
    api_key_value: str | None = _unseen(strawberry.UNSET, "Left out, the key stays.")
    flow_ids: list[UUID] | None = strawberry.UNSET
    source_ids: list[UUID] | None = strawberry.UNSET
    flow_collected_by_ids: list[UUID] | None = strawberry.UNSET
    source_collected_by_ids: list[UUID] | None = strawberry.UNSET
    accept_get_urls: list[str] | None = strawberry.UNSET
    accept_storage_ids: list[UUID] | None = strawberry.UNSET
    presigned: bool | None = strawberry.UNSET
    verbose_storage: bool | None = strawberry.UNSET
    include_object_timerange: bool | None = strawberry.UNSET
    tags: list[tagging.TagInput] | None = strawberry.field(
        default=strawberry.UNSET, description="All of them, in place of those that there were."
    )
    status: WebhookStatus | None = strawberry.field(
        default=strawberry.UNSET,
        description="DISABLED stops it; CREATED starts it again after that, or after an error.",
    )


@strawberry.input
class DeleteWebhookInput(MutationInput):
    """Which webhook."""

    webhook_id: UUID


@strawberry.input
class RotateWebhookSecretInput(MutationInput):
    """Which webhook."""

    webhook_id: UUID


@strawberry.type
class RegisterWebhookPayload(MutationPayload):
    """The new webhook."""

    webhook: Webhook | None = None
    signing_secret: str | None = _unseen(None, _SHOWN_ONCE)


@strawberry.type
class RotateWebhookSecretPayload(MutationPayload):
    """The webhook, and its new secret."""

    webhook: Webhook | None = None
    signing_secret: str | None = _unseen(None, _SHOWN_ONCE)


@strawberry.type
class WebhookPayload(MutationPayload):
    """The webhook as it is now."""

    webhook: Webhook | None = None


@strawberry.type
class DeleteWebhookPayload(MutationPayload):
    """What is gone."""

    deleted_webhook_id: UUID | None = None


@strawberry.type
class WebhookMutations:
    """What changes webhooks."""

    @fields.mutation(description="Have events POSTed to a URL.")
    async def register_webhook(
        self,
        info: Info,
        input: RegisterWebhookInput,  # noqa: A002 - Relay's word
    ) -> RegisterWebhookPayload:
        """Spec 8.2, `POST /service/webhooks`."""
        return await answered(RegisterWebhookPayload, input, _registered(info, input))

    @fields.mutation(description="Change some of a webhook's properties, all or none.")
    async def update_webhook(
        self,
        info: Info,
        input: UpdateWebhookInput,  # noqa: A002 - Relay's word
    ) -> WebhookPayload:
        """Spec 8.2, `PUT /service/webhooks/{webhookId}`."""
        return await answered(WebhookPayload, input, _updated(info, input))

    @fields.mutation(
        description="Give a webhook another secret, which signs what is sent from now on."
    )
    async def rotate_webhook_secret(
        self,
        info: Info,
        input: RotateWebhookSecretInput,  # noqa: A002 - Relay's word
    ) -> RotateWebhookSecretPayload:
        """Also for whoever registered it over REST, which never shows the first one."""
        return await answered(RotateWebhookSecretPayload, input, _rotated(info, input))

    @fields.mutation(description="Remove a webhook.")
    async def delete_webhook(
        self,
        info: Info,
        input: DeleteWebhookInput,  # noqa: A002 - Relay's word
    ) -> DeleteWebhookPayload:
        """Spec 8.2, `DELETE /service/webhooks/{webhookId}`."""
        return await answered(DeleteWebhookPayload, input, _deleted(info, input))


async def _registered(info: Info, given: RegisterWebhookInput) -> Mapping[str, Any]:
    ctx = info.context.tams
    secret: str | None = None

    async def register(ctx: Context) -> WebhookRecord:
        nonlocal secret
        webhook = await resolvers.register_webhook(ctx, _json(given))
        secret = signing_secret(ctx.secrets, webhook)
        return webhook

    key, request = given.idempotency_key, write_json(given)
    if key is not None and given.api_key_value is not None:
        # What is remembered of the request must not help to guess the secret in it.
        request["api_key_value"] = ctx.secrets.digest(given.api_key_value)
    saved = await once(
        ctx,
        "registerWebhook",
        key,
        request,
        register,
        encode=lambda webhook: {"webhook_id": webhook.id},
    )
    webhook = await resolvers.get_webhook(ctx, saved["webhook_id"])
    return {"webhook": webhook_of(webhook), "signing_secret": secret}


async def _updated(info: Info, given: UpdateWebhookInput) -> Mapping[str, Any]:
    webhook = await resolvers.update_webhook(info.context.tams, given.webhook_id, _json(given))
    return {"webhook": webhook_of(webhook)}


async def _rotated(info: Info, given: RotateWebhookSecretInput) -> Mapping[str, Any]:
    ctx = info.context.tams
    webhook = await rotate_secret(ctx, given.webhook_id)
    secret = signing_secret(ctx.secrets, webhook)
    return {"webhook": webhook_of(webhook), "signing_secret": secret}


async def _deleted(info: Info, given: DeleteWebhookInput) -> Mapping[str, Any]:
    await resolvers.delete_webhook(info.context.tams, given.webhook_id)
    return {"deleted_webhook_id": given.webhook_id}


_OF_ITS_OWN = ("client_mutation_id", "idempotency_key", "webhook_id", "tags")


def _json(given: RegisterWebhookInput | UpdateWebhookInput) -> dict[str, Any]:
    """The input as the spec's JSON; in an update, null is kept.

    Raises:
        InvalidInput: two tags of one name.
    """
    body: dict[str, Any] = {}
    for field in dataclasses.fields(given):
        value = getattr(given, field.name)
        wanted = value is not None or isinstance(given, UpdateWebhookInput)
        if field.name not in _OF_ITS_OWN and value is not strawberry.UNSET and wanted:
            body[field.name] = write_json(value)
    if given.tags is not strawberry.UNSET and given.tags is not None:
        body["tags"] = tagging.tags_json(given.tags)
    elif given.tags is None and isinstance(given, UpdateWebhookInput):
        body["tags"] = None
    return body
