"""What was sent to webhooks, and how it went: for their owners to look at, and to send again."""

import uuid
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from tams_graphql.events.event import Event
from tams_graphql.metadata.edits import Edits
from tams_graphql.metadata.engine import (
    Between,
    Changes,
    Filter,
    Key,
    OneOf,
    Scan,
    View,
    webhook_queue,
)
from tams_graphql.metadata.event_tables import WEBHOOK_DELIVERIES, WEBHOOK_QUEUES
from tams_graphql.metadata.tables import WEBHOOKS
from tams_graphql.model.errors import CursorTooOld, EventGone, NotFound, Unavailable
from tams_graphql.model.records import Attempt, Delivery, DeliveryStatus
from tams_graphql.resolvers.authorise import Action, authorise
from tams_graphql.resolvers.context import Context
from tams_graphql.resolvers.delivery_rows import Sent, delivery_from_row, delivery_key, note_sent
from tams_graphql.resolvers.events import log_of
from tams_graphql.resolvers.paging import Page, PageRequest, decode_cursor
from tams_graphql.resolvers.webhook_posts import deliver, deliver_event
from tams_graphql.resolvers.webhook_rows import webhook_from_row
from tams_graphql.resolvers.webhooks import get_webhook

_LISTING = "deliveries"


@dataclass(frozen=True, slots=True)
class Waiting:
    """How often in a row the next event was not taken, and when it is sent again, if it waits."""

    failures: int
    next_attempt_us: int | None


async def waiting_of(ctx: Context, webhook_id: str) -> Waiting:
    """How a webhook stands; one read for all webhooks of a tick."""
    authorise(ctx, Action.READ, "webhook", webhook_id)
    found: Waiting = await ctx.loaders.load("waiting", partial(_load_waiting, ctx), webhook_id)
    return found


async def list_deliveries(
    ctx: Context, webhook_id: str, page: PageRequest, status: DeliveryStatus | None = None
) -> Page[Delivery]:
    """What was sent to a webhook, the latest event first.

    One read for equal pages of all webhooks of a tick.

    Args:
        ctx: the request.
        webhook_id: which webhook.
        page: which part.
        status: only those that stand so.

    Raises:
        InvalidInput: the cursor is not of this listing.
    """
    authorise(ctx, Action.READ, "webhook", webhook_id)
    after: Key | None = None
    if page.after is not None:
        after = decode_cursor(_LISTING, page.after, page.field, (int, str))
    scan = Scan(
        table=WEBHOOK_DELIVERIES,
        after=after,
        limit=page.limit + 1,
        reverse=not page.reverse,
        where=_of_status(status),
    )
    found = await ctx.loaders.load((_LISTING, scan), partial(_load, ctx, scan), webhook_id)
    shown = found[: page.limit]
    return Page(
        items=shown,
        positions=[(one.created_us, one.id.rpartition(".")[2]) for one in shown],
        listing=_LISTING,
        has_more=len(found) > page.limit,
    )


async def count_deliveries(
    ctx: Context, webhook_id: str, status: DeliveryStatus | None = None
) -> int:
    """How many `list_deliveries` lists."""
    authorise(ctx, Action.READ, "webhook", webhook_id)
    where = _of_status(status)
    return await ctx.metadata.count(
        Scan(table=WEBHOOK_DELIVERIES, prefix=(webhook_id,), where=where)
    )


async def get_delivery(ctx: Context, delivery_id: str) -> Delivery:
    """One of them.

    Raises:
        NotFound: there is none, or none any more.
    """
    key = delivery_key(delivery_id)
    authorise(ctx, Action.READ, "webhook", str(key[0]))
    rows = (await ctx.metadata.get(WEBHOOK_DELIVERIES, [key])).to_pylist()
    if not rows:
        raise NotFound("delivery", delivery_id)
    return delivery_from_row(rows[0])


async def redeliver(ctx: Context, delivery_id: str) -> tuple[Delivery, Attempt]:
    """Send an event to a webhook again, now and once, whatever its status and filters are.

    It keeps its ``webhook-id``; what comes of it is written down with the other attempts.

    Returns:
        The delivery as it is now, and the attempt.

    Raises:
        NotFound: no such delivery, or the webhook is gone.
        EventGone: the event is no longer kept.
        Unavailable: this process sends nothing, or the index does not answer.
    """
    before = await get_delivery(ctx, delivery_id)
    authorise(ctx, Action.WRITE, "webhook", before.webhook_id)
    webhook = await get_webhook(ctx, before.webhook_id)
    event = await _event_of(ctx, before)
    tried = await deliver_event(ctx, webhook, event)
    if tried is None:
        raise EventGone("the webhook's version of the API can't see what the event is of")
    outcome, attempt = tried
    status = before.status if outcome.reason is not None else DeliveryStatus.DELIVERED
    await _note(ctx, before.webhook_id, Sent(event, status, attempt))
    return await get_delivery(ctx, delivery_id), attempt


async def try_webhook(ctx: Context, webhook_id: str) -> Attempt:
    """Send a webhook an event that says of itself that it is only a trial; nothing is kept of it.

    Raises:
        NotFound: no such webhook.
        Unavailable: this process sends nothing.
    """
    authorise(ctx, Action.WRITE, "webhook", webhook_id)
    webhook = await get_webhook(ctx, webhook_id)
    if ctx.bodies is None:
        raise Unavailable("this process sends nothing to webhooks")
    body = ctx.bodies.trial(webhook, ctx.clock())
    _, attempt = await deliver(ctx, webhook, str(uuid.uuid4()), body)
    return attempt


async def trim_deliveries(ctx: Context) -> None:
    """Forget deliveries of longer ago than events are kept.

    Raises:
        Unavailable: the index does not answer; what is left goes the next time.
    """
    before_us = ctx.clock() - ctx.service.event_retention * 1_000_000
    scan = Scan(
        table=WEBHOOK_DELIVERIES,
        order="age",
        limit=ctx.metadata.background_rows,
        where=(Between("updated_us", None, before_us),),
        columns=WEBHOOK_DELIVERIES.key,
    )
    more = True
    while more:
        rows = (await ctx.metadata.page(scan)).to_pylist()
        keys: list[Key] = [tuple(row.values()) for row in rows]

        def forget(_: View, keys: list[Key] = keys) -> Changes[None]:
            return Changes(answer=None, delete={WEBHOOK_DELIVERIES: keys})

        if keys:
            relies_on = {webhook_queue(str(key[0])) for key in keys}
            await ctx.metadata.commit(forget, relies_on, background=True)
        more = len(keys) == scan.limit


def _of_status(status: DeliveryStatus | None) -> tuple[Filter, ...]:
    return () if status is None else (OneOf("status", (status.value,)),)


async def _load(ctx: Context, scan: Scan, webhook_ids: Sequence[str]) -> list[list[Delivery]]:
    rows = await ctx.metadata.first_per_key(scan, [(one,) for one in webhook_ids])
    found: defaultdict[str, list[Delivery]] = defaultdict(list)
    for row in rows.to_pylist():
        found[row["webhook_id"]].append(delivery_from_row(row))
    return [found[one] for one in webhook_ids]


async def _load_waiting(ctx: Context, webhook_ids: Sequence[str]) -> list[Waiting]:
    rows = await ctx.metadata.get(WEBHOOK_QUEUES, [(one,) for one in webhook_ids])
    found = {row["webhook_id"]: row for row in rows.to_pylist()}

    def waiting(webhook_id: str) -> Waiting:
        row = found.get(webhook_id, {"owner": None, "due_us": None, "failed_attempts": 0})
        failures = row["failed_attempts"]
        rests = row["owner"] is None and failures
        return Waiting(failures, row["due_us"] if rests else None)

    return [waiting(one) for one in webhook_ids]


async def _event_of(ctx: Context, delivery: Delivery) -> Event:
    lane, sequence = delivery.lane, delivery.sequence
    if lane is None or sequence is None:
        raise EventGone("there is no event to be sent: it was deleted before its turn")
    try:
        batch = await log_of(ctx).read({lane: sequence - 1}, {lane: sequence}, limit=1)
    except CursorTooOld as error:
        raise EventGone("the event is no longer kept") from error
    return batch.events[0]


async def _note(ctx: Context, webhook_id: str, sent: Sent) -> None:
    def command(view: View) -> Changes[None]:
        edits, rows = Edits(), view.get(WEBHOOKS, [(webhook_id,)]).to_pylist()
        if not rows:
            raise NotFound("webhook", webhook_id)
        note_sent(view, edits, webhook_from_row(rows[0]), [sent], ctx.clock())
        return edits.changes(None)

    await ctx.metadata.commit(command, [webhook_queue(webhook_id)])
    ctx.loaders.forget()
