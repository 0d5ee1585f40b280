"""``/service/webhooks`` and ``/service/webhooks/{webhookId}``."""

from typing import Any

from starlette.responses import Response

from rest_compat import shapes
from rest_compat.encoding import json_response, no_content
from rest_compat.paging import listing_headers, page_request
from rest_compat.parameters import PAGING, REVERSE_ORDER, TagParameter
from rest_compat.resources import LISTING_HEADERS, Body, Call, Operation, Resource, Told
from rest_compat.schemas import array, ref
from rest_compat.versions import NEWEST, Version
from tams_graphql.model.records import Webhook
from tams_graphql.resolvers.webhooks import (
    delete_webhook,
    get_webhook,
    list_webhooks,
    register_webhook,
    replace_webhook,
    upsert_webhook,
)

TAGS = TagParameter("tag", "Webhooks")


def webhook_json(webhook: Webhook, version: Version = NEWEST) -> shapes.Json:
    """`webhook-get.json` of the spec: without the value of its key."""
    error = webhook.error
    return shapes.present(
        {
            "id": webhook.id,
            "url": webhook.url,
            "api_key_name": webhook.api_key_name,
            "events": webhook.events,
            **webhook.filters,
            "tags": webhook.tags or None,
            "status": webhook.status,
            "error": error and shapes.failure(error),
        },
        version.unknown["webhook"],
    )


def _taken(call: Call) -> Any:
    """The body without what the version ignores; the id stays, to be compared."""
    unknown = call.version.unknown["webhook"]
    if not unknown or not isinstance(call.body, dict):
        return call.body
    return {name: value for name, value in call.body.items() if name not in unknown}


async def get_listing(call: Call) -> Response:
    """A page of webhooks."""
    page = page_request(call)
    found = await list_webhooks(call.ctx, page, call.query[TAGS])
    headers = listing_headers(call, page, found.next_cursor, len(found.items))
    shown = [webhook_json(one, call.version) for one in found.items]
    return json_response(shown, headers=headers)


async def post(call: Call) -> Response:
    """Register a webhook; up to 7.0 also change it, or remove it by naming no events."""
    body, name = _taken(call), call.version.name
    if call.version.has("webhooks_without_id"):
        unseen = call.version.unknown["webhook"]
        kept = await upsert_webhook(call.ctx, body, name, unseen)
        return no_content() if kept is None else json_response(None, 201)
    registered = await register_webhook(call.ctx, body, name)
    return json_response(webhook_json(registered, call.version), 201)


async def get_one(call: Call) -> Response:
    """One webhook."""
    webhook = await get_webhook(call.ctx, call.path["webhookId"])
    return json_response(webhook_json(webhook, call.version))


async def put(call: Call) -> Response:
    """Replace a webhook; 201, as the spec says."""
    unseen = call.version.unknown["webhook"]
    replaced = await replace_webhook(call.ctx, call.path["webhookId"], _taken(call), unseen)
    return json_response(webhook_json(replaced, call.version), 201)


async def delete(call: Call) -> Response:
    """Remove a webhook."""
    await delete_webhook(call.ctx, call.path["webhookId"])
    return no_content()


RESOURCES = (
    Resource(
        "/service/webhooks",
        {
            "GET": Operation(
                handler=get_listing,
                summary="Webhooks, by URL",
                parameters=(TAGS, REVERSE_ORDER, *PAGING),
                answers={200: Told("A page.", array(ref("webhook")), LISTING_HEADERS)},
            ),
            "POST": Operation(
                handler=post,
                summary="Register a webhook",
                description="The value of its key is never shown again. Its URL must not lead into"
                " private networks, unless the operator allows them.",
                body=Body(ref("webhook-post")),
                answers={201: Told("The webhook.", ref("webhook"))},
            ),
        },
    ),
    Resource(
        "/service/webhooks/{webhookId}",
        {
            "GET": Operation(
                handler=get_one,
                summary="One webhook",
                answers={200: Told("The webhook.", ref("webhook"))},
            ),
            "PUT": Operation(
                handler=put,
                summary="Replace a webhook",
                description="A key stays as it is if `api_key_name` is given without"
                " `api_key_value`. With the status `created` a webhook that was disabled, or"
                " failed, starts again.",
                body=Body(ref("webhook-put")),
                answers={201: Told("The webhook as it is now.", ref("webhook"))},
            ),
            "DELETE": Operation(
                handler=delete,
                summary="Remove a webhook",
                answers={204: Told("Removed.")},
            ),
        },
    ),
)
