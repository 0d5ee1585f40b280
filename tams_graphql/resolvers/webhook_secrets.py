"""The secret that the events of a webhook are signed with (Standard Webhooks)."""

from dataclasses import replace
from typing import Any

from tams_graphql.events.signature import new_secret
from tams_graphql.metadata import engine
from tams_graphql.metadata.engine import Changes, View
from tams_graphql.metadata.tables import WEBHOOKS
from tams_graphql.model.errors import NotFound
from tams_graphql.model.identifiers import known_form
from tams_graphql.model.records import Webhook
from tams_graphql.resolvers.authorise import Action, authorise
from tams_graphql.resolvers.context import Context
from tams_graphql.resolvers.secrets import Secrets
from tams_graphql.resolvers.webhook_rows import webhook_from_row


def sealed_secret(secrets: Secrets, webhook_id: str) -> str:
    """A new secret, sealed.

    Raises:
        Unavailable: the server has no key to seal it with.
    """
    return secrets.seal(new_secret(), _about(webhook_id))


def signing_secret(secrets: Secrets, webhook: Webhook) -> str | None:
    """The secret itself; ``None`` as long as it has none.

    Raises:
        SealBroken: it can't be opened.
    """
    sealed = webhook.sealed_secret
    return None if sealed is None else secrets.open(sealed, _about(webhook.id))


async def rotate_secret(ctx: Context, webhook_id: str) -> Webhook:
    """Give a webhook another secret, which signs what is sent from now on.

    Raises:
        NotFound: no such webhook.
        Unavailable: the server has no key to seal it with.
    """
    authorise(ctx, Action.WRITE, "webhook", webhook_id)
    known_form("webhook", webhook_id)
    sealed, now_us = sealed_secret(ctx.secrets, webhook_id), ctx.clock()

    def command(view: View) -> Changes[Webhook]:
        rows = view.get(WEBHOOKS, [(webhook_id,)]).to_pylist()
        if not rows:
            raise NotFound("webhook", webhook_id)
        webhook = replace(webhook_from_row(rows[0]), sealed_secret=sealed, updated_us=now_us)
        news: dict[str, Any] = {"signing_secret_encrypted": sealed, "updated_us": now_us}
        return Changes(answer=webhook, update={WEBHOOKS: [{"webhook_id": webhook_id, **news}]})

    webhook = await ctx.metadata.commit(command, [engine.webhook(webhook_id)])
    ctx.loaders.forget()
    return webhook


def _about(webhook_id: str) -> str:
    return f"{webhook_id} signing secret"
