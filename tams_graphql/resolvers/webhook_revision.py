"""What becomes of a webhook that its owner changes."""

from dataclasses import dataclass, replace
from typing import Any

from tams_graphql.model.errors import InvalidInput
from tams_graphql.model.records import Webhook
from tams_graphql.model.vocabulary import WebhookStatus
from tams_graphql.model.webhook_input import FILTERS, WebhookInput
from tams_graphql.resolvers.secrets import SealBroken, Secrets

_KEPT = frozenset({*FILTERS, "tags"})
"""What a client that can't see it leaves as it is; it sets its status itself."""


def given_fields(given: WebhookInput) -> dict[str, Any]:
    """What a body says by itself, as fields of the record."""
    filters = {name: getattr(given, name) for name in FILTERS}
    return {
        "url": given.url,
        "api_key_name": given.api_key_name,
        "events": tuple(given.events),
        "filters": {name: value for name, value in filters.items() if value is not None},
        "tags": given.tags or {},
    }


def with_unseen(given: WebhookInput, before: Webhook, unseen: frozenset[str]) -> WebhookInput:
    """`given`, with those members of `before` that its client can't see."""
    body = as_body(before)
    return given.model_copy(update={name: body.get(name) for name in unseen & _KEPT})


def as_body(webhook: Webhook) -> dict[str, Any]:
    """A webhook as the body that would register it, but for the value of its key."""
    return {
        "url": webhook.url,
        "api_key_name": webhook.api_key_name,
        "events": list(webhook.events),
        **webhook.filters,
        "tags": dict(webhook.tags),
    }


@dataclass(frozen=True, slots=True)
class Key:
    """A key, in clear and sealed."""

    text: str | None
    sealed: str | None

    def __repr__(self) -> str:
        return "Key(…)"


def key_after(secrets: Secrets, before: Webhook, given: WebhookInput, *, forget: bool) -> Key:
    """The key after a change; one that is given again stays sealed as it is."""
    text, sealed = given.api_key_value, before.sealed_key
    if forget or given.api_key_name is None:
        return Key(None, None)
    try:
        stored = None if sealed is None else secrets.open(sealed, before.id)
    except SealBroken as broken:
        if text is None:
            message = "what was stored can't be read any more: give it again"
            raise InvalidInput("api_key_value", "api_key.lost", message) from broken
        stored = None
    if text is None or text == stored:
        return Key(stored, sealed)
    return Key(text, secrets.seal(text, before.id))


def revised(before: Webhook, given: WebhookInput, sealed_key: str | None) -> Webhook:
    """`before` as `given` wants it.

    Raises:
        InvalidInput: the status can't change so.
    """
    same_status = replace(before, sealed_key=sealed_key, **given_fields(given))
    status = before.status
    if given.status is not None:
        status = _next_status(before.status, WebhookStatus(given.status), same_status != before)
    error = before.error if status is WebhookStatus.ERROR else None
    return replace(same_status, status=status, error=error)


def _next_status(before: WebhookStatus, wanted: WebhookStatus, changed: bool) -> WebhookStatus:
    if before is WebhookStatus.ERROR and wanted is WebhookStatus.DISABLED:
        message = "a webhook in status error can only be enabled again (created) or deleted"
        raise InvalidInput("status", "status.transition", message)
    if before is WebhookStatus.STARTED and wanted is WebhookStatus.CREATED and not changed:
        return before
    return wanted
