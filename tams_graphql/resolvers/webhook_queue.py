"""How far a webhook is in the event log, as its owner's changes move it (ADR 0013).

- A new webhook gets what happens from its registration on.
- One that is disabled rests; enabled again, it goes on with what happens then.
- One that failed rests, too; enabled again, it goes on where it stopped.
- One that waits before it tries again does so at once if its URL, key or filters change.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tams_graphql.metadata.edits import Edits
from tams_graphql.metadata.engine import Row, View
from tams_graphql.metadata.event_tables import WEBHOOK_QUEUES
from tams_graphql.model.records import Webhook
from tams_graphql.model.vocabulary import WebhookStatus
from tams_graphql.resolvers.context import Context
from tams_graphql.resolvers.events import log_of

RESTING = frozenset({WebhookStatus.DISABLED, WebhookStatus.ERROR})
"""Nothing is sent to webhooks in these states."""

UNFAILED: Mapping[str, Any] = {"failed_attempts": 0, "failing_event_id": None}
"""The columns of a queue whose next event has not been tried."""


async def current_cursor(ctx: Context) -> str:
    """After everything that has happened."""
    log = log_of(ctx)
    return await log.cursor(await log.heads())


@dataclass(frozen=True, slots=True)
class Moment:
    """When a change is made: by the clock, and before its commit in the event log."""

    now_us: int
    cursor: str

    @classmethod
    async def now(cls, ctx: Context) -> "Moment":
        """This one."""
        return cls(ctx.clock(), await current_cursor(ctx))


def queue_row(webhook: Webhook, position: str) -> Row:
    """The queue of a new webhook; `position`: a cursor from before its commit."""
    return {
        "webhook_id": webhook.id,
        "incarnation": webhook.incarnation,
        "position": position,
        "owner": None,
        "version": 0,
        "due_us": None if webhook.status in RESTING else webhook.created_us,
        **UNFAILED,
    }


def follow_change(view: View, edits: Edits, before: Webhook, after: Webhook, at: Moment) -> None:
    """Bring a queue in line with a change by the webhook's owner."""
    news: dict[str, Any] = {}
    if after.status in RESTING:
        if before.status not in RESTING:
            news = {"due_us": None, "owner": None, **UNFAILED}
    elif before.status in RESTING:
        news = {"due_us": at.now_us, "owner": None, **UNFAILED}
        if before.status is WebhookStatus.DISABLED:
            news["position"] = at.cursor
    elif _changes_what_is_sent(before, after) and _waits(view, after.id):
        news = {"due_us": at.now_us, **UNFAILED}
    if news:
        edits.update(WEBHOOK_QUEUES, {"webhook_id": after.id, **news})


def _changes_what_is_sent(before: Webhook, after: Webhook) -> bool:
    of_owner = ("url", "api_key_name", "sealed_key", "events", "filters")
    return any(getattr(before, name) != getattr(after, name) for name in of_owner)


def _waits(view: View, webhook_id: str) -> bool:
    """Whether it failed, and nobody works on it now."""
    rows = view.get(WEBHOOK_QUEUES, [(webhook_id,)], ("owner", "failed_attempts")).to_pylist()
    return any(row["owner"] is None and row["failed_attempts"] for row in rows)
