"""``/service/webhooks`` and ``/service/webhooks/{webhookId}``."""

from starlette.responses import Response

from rest_compat import shapes
from rest_compat.encoding import json_response, no_content
from rest_compat.paging import listing_headers, page_request
from rest_compat.parameters import PAGING, REVERSE_ORDER, TagParameter
from rest_compat.resources import LISTING_HEADERS, Body, Call, Operation, Resource, Told
from rest_compat.schemas import array, ref
from tams_graphql.model.records import Webhook
from tams_graphql.resolvers.webhooks import (
    delete_webhook,
    get_webhook,
    list_webhooks,
    register_webhook,
    replace_webhook,
)

TAGS = TagParameter("tag", "Webhooks")


def webhook_json(webhook: Webhook) -> shapes.Json:
    """Spec 8.2, `webhook-get.json`: without the value of its key."""
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
            "error": error
            and {
                "type": error.type,
                "summary": error.summary,
                "time": shapes.date_time(error.time_us),
            },
        }
    )


async def get_listing(call: Call) -> Response:
    """A page of webhooks."""
    page = page_request(call)
    found = await list_webhooks(call.ctx, page, call.query[TAGS])
    headers = listing_headers(call, page, found.next_cursor, len(found.items))
    return json_response([webhook_json(one) for one in found.items], headers=headers)


async def post(call: Call) -> Response:
    """Register a webhook."""
    return json_response(webhook_json(await register_webhook(call.ctx, call.body)), 201)


async def get_one(call: Call) -> Response:
    """One webhook."""
    return json_response(webhook_json(await get_webhook(call.ctx, call.path["webhookId"])))


async def put(call: Call) -> Response:
    """Replace a webhook; 201, as the spec says."""
    replaced = await replace_webhook(call.ctx, call.path["webhookId"], call.body)
    return json_response(webhook_json(replaced), 201)


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
