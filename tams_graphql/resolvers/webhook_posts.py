"""What goes over the wire to a webhook, and what came of it."""

import logging

from tams_graphql.events.event import Event
from tams_graphql.events.sending import Outcome, Post
from tams_graphql.events.signature import sign
from tams_graphql.model.errors import Unavailable
from tams_graphql.model.records import Attempt, Webhook
from tams_graphql.resolvers.context import Context
from tams_graphql.resolvers.secrets import SealBroken
from tams_graphql.resolvers.webhook_secrets import signing_secret

_log = logging.getLogger(__name__)


async def deliver_event(
    ctx: Context, webhook: Webhook, event: Event
) -> tuple[Outcome, Attempt] | None:
    """Send `event` once; ``None``: the webhook's version of the API can't see what it is of.

    Raises:
        Unavailable: this process sends nothing, or the index does not answer.
    """
    if ctx.bodies is None:
        raise Unavailable("this process sends nothing to webhooks")
    try:
        body = await ctx.bodies.body(ctx, webhook, event)
    except Unavailable:
        raise
    except Exception:  # noqa: BLE001 - the edge of this job
        # One event that can't be told must not be the end of a webhook that nobody is told of.
        _log.exception("event %s can't be told to webhook %s", event.id, webhook.id)
        summary = "internal error; the server's log of that time tells more"
        outcome = Outcome(duration_us=0, reason=summary)
        return outcome, _attempt(ctx.clock(), outcome)
    return None if body is None else await deliver(ctx, webhook, event.id, body)


async def deliver(
    ctx: Context, webhook: Webhook, message_id: str, body: bytes
) -> tuple[Outcome, Attempt]:
    """Send `body` once.

    Args:
        ctx: whose sender it is.
        webhook: to whom.
        message_id: the event's, the same at each attempt.
        body: what.

    Raises:
        Unavailable: this process sends nothing.
    """
    if ctx.sender is None:
        raise Unavailable("this process sends nothing to webhooks")
    at_us = ctx.clock()
    try:
        post = _post(ctx, webhook, message_id, at_us // 1_000_000, body)
    except SealBroken:
        outcome = Outcome(duration_us=0, reason="its key or its secret can't be read: renew them")
    else:
        outcome = await ctx.sender.send(post)
    return outcome, _attempt(at_us, outcome)


def _attempt(at_us: int, outcome: Outcome) -> Attempt:
    return Attempt(
        at_us=at_us,
        status_code=outcome.status_code,
        reason=outcome.reason,
        duration_us=outcome.duration_us,
    )


def _post(ctx: Context, webhook: Webhook, message_id: str, at_s: int, body: bytes) -> Post:
    headers = {
        "content-type": "application/json",
        "user-agent": f"tams-graphql/{ctx.service.version}",
    }
    if webhook.api_key_name is not None and webhook.sealed_key is not None:
        headers[webhook.api_key_name.lower()] = ctx.secrets.open(webhook.sealed_key, webhook.id)
    secret = signing_secret(ctx.secrets, webhook)
    if secret is not None:
        headers |= sign(secret, message_id, at_s, body)
    return Post(url=webhook.url, body=body, headers=headers)
