"""The commits of whoever serves webhooks: take one, say how far it is, say why it waits.

Whoever takes a webhook's queue is its owner for as long as it keeps moving `due_us` ahead. Each
commit first looks whether it still is: the webhook may have been disabled or removed, or somebody
else may have taken it over because its owner seemed dead.
"""

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from tams_graphql.events.position import START, Position, decode_position
from tams_graphql.metadata.edits import Edits
from tams_graphql.metadata.engine import Between, Changes, Scan, View, webhook, webhook_queue
from tams_graphql.metadata.event_tables import WEBHOOK_QUEUES
from tams_graphql.metadata.tables import WEBHOOKS
from tams_graphql.model.errors import InvalidInput
from tams_graphql.model.records import Webhook, WebhookError
from tams_graphql.model.vocabulary import WebhookStatus
from tams_graphql.resolvers.context import Context
from tams_graphql.resolvers.delivery_rows import Sent, note_sent, note_skipped
from tams_graphql.resolvers.events import log_of
from tams_graphql.resolvers.row_values import json_text
from tams_graphql.resolvers.webhook_queue import RESTING, UNFAILED
from tams_graphql.resolvers.webhook_rows import webhook_from_row
from tams_graphql.resolvers.webhook_secrets import sealed_secret

LEASE_US = 10_000_000
"""For how long a queue is left alone after its owner's last commit."""

WEBHOOKS_PER_COMMIT = 100


class NotMine(Exception):
    """Somebody else owns the queue now, or nobody has to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """A webhook that is now `owner`'s to serve, from `position` on.

    `failures`: how often in a row an event was not taken, `failing_id` the last time. That one
    comes next, or after events of other flows, which have no order with it.
    """

    webhook: Webhook
    owner: str
    position: Position
    failing_id: str | None
    failures: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far `owner` is with a webhook, and what it has sent that is not written down yet.

    `failing_id`: the event that was not taken the last time, and has not been since.
    """

    webhook: Webhook
    owner: str
    position: Position
    failing_id: str | None
    sent: Sequence[Sent] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """An event that was not taken. `wait_us`: until it is sent again; ``None``: never.

    `failures`: how often in a row. `error`: why it is given up, if it is.
    """

    sent: Sent
    failures: int
    wait_us: int | None
    error: WebhookError


async def due_webhooks(ctx: Context, limit: int) -> list[str]:
    """Ids of webhooks that nobody serves."""
    scan = Scan(
        table=WEBHOOK_QUEUES,
        order="due",
        limit=limit,
        where=(Between("due_us", None, ctx.clock() + 1),),
        columns=("webhook_id",),
    )
    found: list[str] = (await ctx.metadata.page(scan))["webhook_id"].to_pylist()
    return found


async def take(ctx: Context, webhook_id: str) -> Taken | None:
    """Become the owner of a due queue; its webhook is started. ``None``: it is not due any more."""
    owner, log_id = str(uuid.uuid4()), await log_of(ctx).identity()

    def command(view: View) -> Changes[Taken | None]:
        queue, known = _rows(view, webhook_id)
        if queue is None or queue["due_us"] is None or queue["due_us"] > ctx.clock():
            return Changes(answer=None)
        edits = Edits()
        if known is None:
            edits.delete(WEBHOOK_QUEUES, (webhook_id,))
            return edits.changes(None)
        hook = _started(ctx, edits, known)
        lease: dict[str, Any] = {"owner": owner, "due_us": ctx.clock() + LEASE_US}
        edits.update(WEBHOOK_QUEUES, {"webhook_id": webhook_id, **lease})
        return edits.changes(
            Taken(
                webhook=hook,
                owner=owner,
                position=_position(log_id, queue["position"]),
                failing_id=queue["failing_event_id"],
                failures=queue["failed_attempts"],
            )
        )

    return await ctx.metadata.commit(command, [webhook(webhook_id), webhook_queue(webhook_id)])


async def start_again(ctx: Context, webhook_id: str) -> None:
    """Call a webhook started that its owner's change has made a created one."""

    def command(view: View) -> Changes[None]:
        edits = Edits()
        for row in view.get(WEBHOOKS, [(webhook_id,)]).to_pylist():
            _started(ctx, edits, webhook_from_row(row))
        return edits.changes(None)

    await ctx.metadata.commit(command, [webhook(webhook_id)])


async def record(
    ctx: Context, progress: Sequence[Progress], *, release: bool = False
) -> frozenset[str]:
    """Write down how far webhooks are; their leases begin anew, or end.

    Args:
        ctx: of the process.
        progress: of different webhooks.
        release: let others take them.

    Returns:
        The owners who are none any more; nothing of theirs is written.

    Raises:
        Unavailable: the index does not answer; some may be written.
    """
    lost: set[str] = set()
    for first in range(0, len(progress), WEBHOOKS_PER_COMMIT):
        lost |= await _record(ctx, progress[first : first + WEBHOOKS_PER_COMMIT], release=release)
    return frozenset(lost)


async def record_failure(ctx: Context, progress: Progress, failure: Failure) -> None:
    """Write down that an event was not taken, and let the webhook wait, or give up.

    Raises:
        NotMine: it is not the owner's any more.
        Unavailable: the index does not answer.
    """
    cursor = await log_of(ctx).cursor(progress.position)
    webhook_id = progress.webhook.id

    def command(view: View) -> Changes[None]:
        now, edits, now_us = _mine(view, progress), Edits(), ctx.clock()
        note_sent(view, edits, now, [*progress.sent, failure.sent], now_us)
        news: dict[str, Any] = {"webhook_id": webhook_id, "position": cursor, "owner": None}
        edits.update(WEBHOOK_QUEUES, {**news, **_waiting(progress.webhook, now, failure, now_us)})
        if _ends(progress.webhook, now, failure):
            columns: dict[str, Any] = {
                "status": WebhookStatus.ERROR.value,
                "error_json": json_text(asdict(failure.error)),
                "updated_us": now_us,
            }
            edits.update(WEBHOOKS, {"webhook_id": webhook_id, **columns})
        return edits.changes(None)

    await ctx.metadata.commit(command, [webhook(webhook_id), webhook_queue(webhook_id)])


async def record_skipping(ctx: Context, progress: Progress) -> None:
    """Write down that a webhook goes on at a later position, since events are gone.

    Raises:
        NotMine: it is not the owner's any more.
        Unavailable: the index does not answer.
    """
    cursor = await log_of(ctx).cursor(progress.position)
    webhook_id = progress.webhook.id

    def command(view: View) -> Changes[None]:
        now, edits, now_us = _mine(view, progress), Edits(), ctx.clock()
        note_skipped(edits, now, now_us)
        news: dict[str, Any] = {"position": cursor, "due_us": now_us + LEASE_US, **UNFAILED}
        edits.update(WEBHOOK_QUEUES, {"webhook_id": webhook_id, **news})
        return edits.changes(None)

    await ctx.metadata.commit(command, [webhook_queue(webhook_id)])


async def _record(ctx: Context, progress: Sequence[Progress], *, release: bool) -> set[str]:
    log = log_of(ctx)
    cursors = [await log.cursor(one.position) for one in progress]

    def command(view: View) -> Changes[set[str]]:
        owners, lost = _owners(view, (one.webhook.id for one in progress)), set()
        edits, now_us = Edits(), ctx.clock()
        for one, cursor in zip(progress, cursors, strict=True):
            if owners.get(one.webhook.id) != one.owner:
                lost.add(one.owner)
                continue
            news: dict[str, Any] = {"position": cursor, "due_us": now_us + LEASE_US}
            if release:
                news |= {"owner": None, "due_us": now_us}
            if one.sent:
                note_sent(view, edits, one.webhook, one.sent, now_us)
            if one.failing_id is None:
                news |= UNFAILED
            edits.update(WEBHOOK_QUEUES, {"webhook_id": one.webhook.id, **news})
        return edits.changes(lost)

    return await ctx.metadata.commit(command, [webhook_queue(one.webhook.id) for one in progress])


def _mine(view: View, progress: Progress) -> Webhook:
    """The webhook as it is now, if it is still its owner's to serve.

    Raises:
        NotMine: it is not.
    """
    queue, now = _rows(view, progress.webhook.id)
    if queue is None or now is None or queue["owner"] != progress.owner:
        raise NotMine
    return now


def _owners(view: View, webhook_ids: Iterable[str]) -> dict[str, str | None]:
    rows = view.get(WEBHOOK_QUEUES, [(one,) for one in webhook_ids], ("webhook_id", "owner"))
    return {row["webhook_id"]: row["owner"] for row in rows.to_pylist()}


def _rows(view: View, webhook_id: str) -> tuple[Mapping[str, Any] | None, Webhook | None]:
    queues = view.get(WEBHOOK_QUEUES, [(webhook_id,)]).to_pylist()
    hooks = view.get(WEBHOOKS, [(webhook_id,)]).to_pylist()
    return next(iter(queues), None), webhook_from_row(hooks[0]) if hooks else None


def _started(ctx: Context, edits: Edits, hook: Webhook) -> Webhook:
    """`hook` as it is when it is served: called so, and with a secret."""
    news: dict[str, Any] = {}
    if hook.status is WebhookStatus.CREATED:
        hook = replace(hook, status=WebhookStatus.STARTED)
        news["status"] = hook.status.value
    if hook.sealed_secret is None and hook.status not in RESTING:
        hook = replace(hook, sealed_secret=sealed_secret(ctx.secrets, hook.id))
        news["signing_secret_encrypted"] = hook.sealed_secret
    if news:
        edits.update(WEBHOOKS, {"webhook_id": hook.id, **news})
    return hook


def _position(log_id: str, cursor: str) -> Position:
    try:
        return decode_position(log_id, cursor, "position") if cursor else START
    except InvalidInput:
        # Of a log that is no more: of this one it has seen nothing.
        return START


def _waiting(used: Webhook, now: Webhook, failure: Failure, now_us: int) -> Mapping[str, Any]:
    if now.updated_us != used.updated_us:
        # Its owner may just have mended it.
        return {"due_us": now_us, **UNFAILED}
    failed = {"failed_attempts": failure.failures, "failing_event_id": failure.sent.event.id}
    return {"due_us": None if failure.wait_us is None else now_us + failure.wait_us, **failed}


def _ends(used: Webhook, now: Webhook, failure: Failure) -> bool:
    return failure.wait_us is None and now.updated_us == used.updated_us
