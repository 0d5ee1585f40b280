"""What goes over the wire to a webhook, and what came of it."""

from tams_graphql.events.sending import Outcome, Post
from tams_graphql.events.signature import sign
from tams_graphql.model.errors import Unavailable
from tams_graphql.model.records import Attempt, Webhook
from tams_graphql.resolvers.context import Context
from tams_graphql.resolvers.secrets import SealBroken
from tams_graphql.resolvers.webhook_secrets import signing_secret


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
    attempt = Attempt(
        at_us=at_us,
        status_code=outcome.status_code,
        reason=outcome.reason,
        duration_us=outcome.duration_us,
    )
    return outcome, attempt


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
