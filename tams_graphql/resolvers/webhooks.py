"""Webhooks as their owners manage them: registered, changed, listed, removed.

The key that is sent along with events comes in once and never goes out again: it is stored sealed
(`resolvers.secrets`), and stays when a change leaves it out. Nothing is sent from here: what is
to be sent is said by the webhook's queue, which changes in the same commit (`webhook_queue`).
"""

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from tams_graphql.metadata import engine
from tams_graphql.metadata.edits import Edits
from tams_graphql.metadata.engine import Aggregate, Changes, Key, Scan, View
from tams_graphql.metadata.event_tables import WEBHOOK_DELIVERIES, WEBHOOK_QUEUES
from tams_graphql.metadata.tables import WEBHOOKS
from tams_graphql.model.errors import NotFound
from tams_graphql.model.identifiers import known_form
from tams_graphql.model.records import Webhook
from tams_graphql.model.vocabulary import WebhookStatus
from tams_graphql.model.webhook_input import WebhookInput, webhook_input, webhook_put
from tams_graphql.model.webhook_url import checked_url
from tams_graphql.resolvers.authorise import Action, authorise
from tams_graphql.resolvers.context import Context
from tams_graphql.resolvers.filters import TagFilter, matches_tags
from tams_graphql.resolvers.narrowing import common, tagged
from tams_graphql.resolvers.paging import Page, PageRequest, decode_cursor
from tams_graphql.resolvers.reading import Found, all_rows, batches
from tams_graphql.resolvers.row_values import edit_tags
from tams_graphql.resolvers.service import API_VERSION
from tams_graphql.resolvers.webhook_queue import Moment, current_cursor, follow_change, queue_row
from tams_graphql.resolvers.webhook_revision import (
    as_body,
    given_fields,
    key_after,
    revised,
    with_unseen,
)
from tams_graphql.resolvers.webhook_rows import webhook_columns, webhook_from_row, webhook_row
from tams_graphql.resolvers.webhook_secrets import sealed_secret

_LISTING = "webhooks"
_DELIVERIES_AT_ONCE = 500


async def get_webhook(ctx: Context, webhook_id: str) -> Webhook:
    """One webhook, through the request's dataloader.

    Raises:
        NotFound: no such webhook.
    """
    authorise(ctx, Action.READ, "webhook", webhook_id)
    known_form("webhook", webhook_id)
    webhook = await ctx.loaders.load("webhook", partial(_load_webhooks, ctx), webhook_id)
    if webhook is None:
        raise NotFound("webhook", webhook_id)
    return webhook


async def list_webhooks(
    ctx: Context, page: PageRequest, tags: tuple[TagFilter, ...] = ()
) -> Page[Webhook]:
    """Webhooks by URL, then id (spec 8.2, `GET /service/webhooks`).

    There are few: a page reads all that match.

    Raises:
        InvalidInput: the cursor is not of this listing.
    """
    authorise(ctx, Action.READ, "webhook")
    found = sorted(await _matching(ctx, tags), key=_position, reverse=page.reverse)
    if page.after is not None:
        after = decode_cursor(_LISTING, page.after, page.field, (str, str))
        found = [one for one in found if _beyond(_position(one), after, page)]
    shown = found[: page.limit]
    return Page(
        items=shown,
        positions=[_position(one) for one in shown],
        listing=_LISTING,
        has_more=len(found) > page.limit,
    )


async def count_webhooks(ctx: Context, tags: tuple[TagFilter, ...] = ()) -> int:
    """How many webhooks match."""
    authorise(ctx, Action.READ, "webhook")
    return len(await _matching(ctx, tags))


async def register_webhook(ctx: Context, body: Any, api_version: str = API_VERSION) -> Webhook:
    """Register a webhook (spec 8.2, `POST /service/webhooks`): it gets what happens from now on.

    Args:
        ctx: the request.
        body: the spec's `webhook-post.json`.
        api_version: of the spec, whose shape its events are to have.

    Raises:
        InvalidInput: the body is no webhook, or its URL leads where none may be sent.
        Unavailable: the server has no key to seal secrets with.
    """
    authorise(ctx, Action.WRITE, "webhook")
    given = webhook_input(body)
    checked_url(given.url, ctx.service.webhook_networks, ctx.service.webhook_ports)
    webhook = _new(ctx, given, api_version)
    digest = ctx.secrets.digest(given.url, given.api_key_name, given.api_key_value)
    cursor = await current_cursor(ctx)

    def command(_: View) -> Changes[Webhook]:
        edits = Edits()
        _add(edits, webhook, digest, cursor)
        return edits.changes(webhook)

    await ctx.metadata.commit(command, [engine.creation("webhook", webhook.id)])
    ctx.loaders.forget()
    return webhook


async def replace_webhook(
    ctx: Context, webhook_id: str, body: Any, unseen: frozenset[str] = frozenset()
) -> Webhook:
    """Replace a webhook (spec 8.2, `PUT /service/webhooks/{webhookId}`).

    `api_key_value` stays if it is left out, unless `api_key_name` is left out, too. A body that
    changes nothing leaves a webhook that is started so.

    Args:
        ctx: the request.
        webhook_id: which webhook.
        body: the spec's `webhook-put.json`.
        unseen: members that the client's version does not have: they stay.

    Raises:
        NotFound: no such webhook, or `body` has another id.
        InvalidInput: as `register_webhook`; or the status can't change so.
    """
    authorise(ctx, Action.WRITE, "webhook", webhook_id)
    known_form("webhook", webhook_id)
    given = webhook_put(body)
    if given.id != webhook_id:
        raise NotFound("webhook", given.id)
    return await _revise(ctx, webhook_id, lambda before: with_unseen(given, before, unseen))


async def upsert_webhook(
    ctx: Context, body: Any, api_version: str, unseen: frozenset[str]
) -> Webhook | None:
    """Register, change or remove (spec 6.0 and 7.0, `POST /service/webhooks`).

    There a webhook is known by its `url`, `api_key_name` and `api_key_value`; those of no
    `events` are removed.

    Args:
        ctx: the request.
        body: the spec's body.
        api_version: as for `register_webhook`.
        unseen: members that the client's version does not have: they stay.

    Returns:
        The webhook, or ``None`` if there is none any more.

    Raises:
        InvalidInput, Unavailable: as `register_webhook`.
    """
    authorise(ctx, Action.WRITE, "webhook")
    given = webhook_input(body)
    if not given.events:
        authorise(ctx, Action.DELETE, "webhook")
    digest = ctx.secrets.digest(given.url, given.api_key_name, given.api_key_value)
    new, moment = _new(ctx, given, api_version), await Moment.now(ctx)
    alike = Scan(table=WEBHOOKS, order="identity", prefix=(digest,))

    def command(view: View) -> Changes[Webhook | None]:
        edits = Edits()
        known = all_rows(view, alike)["webhook_id"].to_pylist()
        view.rely_on(*(one for webhook_id in known for one in _relied_on(webhook_id)))
        if not given.events:
            for webhook_id in known:
                _remove(view, edits, webhook_id)
            return edits.changes(None)
        if not known:
            checked_url(given.url, ctx.service.webhook_networks, ctx.service.webhook_ports)
            _add(edits, new, digest, moment.cursor)
            return edits.changes(new)
        before = _stored(view, known[0])
        wanted = with_unseen(given, before, unseen)
        if before.status is WebhookStatus.ERROR:
            # These clients can't see why nothing comes; asking again is all that they can do.
            wanted = wanted.model_copy(update={"status": WebhookStatus.CREATED})
        return edits.changes(_change(ctx, view, edits, before, wanted, at=moment))

    webhook = await ctx.metadata.commit(command, [engine.creation("webhook_identity", digest)])
    ctx.loaders.forget()
    return webhook


async def update_webhook(ctx: Context, webhook_id: str, changes: Mapping[str, Any]) -> Webhook:
    """Change some of a webhook's properties, all or none.

    Args:
        ctx: the request.
        webhook_id: which webhook.
        changes: by the names of the spec's `webhook-put.json`; ``None`` removes.

    Raises:
        NotFound: no such webhook.
        InvalidInput: as `replace_webhook`.
    """
    authorise(ctx, Action.WRITE, "webhook", webhook_id)
    known_form("webhook", webhook_id)
    forget_key = "api_key_value" in changes and changes["api_key_value"] is None

    def changed(before: Webhook) -> WebhookInput:
        body = {**as_body(before), **changes}
        kept = {name: value for name, value in body.items() if value is not None}
        return webhook_input(kept)

    return await _revise(ctx, webhook_id, changed, forget_key=forget_key)


async def delete_webhook(ctx: Context, webhook_id: str) -> None:
    """Remove a webhook; nothing is sent to it any more.

    Raises:
        NotFound: no such webhook.
    """
    authorise(ctx, Action.DELETE, "webhook", webhook_id)
    known_form("webhook", webhook_id)

    def command(view: View) -> Changes[None]:
        edits = Edits()
        _remove(view, edits, webhook_id)
        return edits.changes(None)

    await ctx.metadata.commit(command, _relied_on(webhook_id))
    ctx.loaders.forget()


async def _load_webhooks(ctx: Context, webhook_ids: Sequence[str]) -> list[Webhook | None]:
    rows = await ctx.metadata.get(WEBHOOKS, [(webhook_id,) for webhook_id in webhook_ids])
    found = {row["webhook_id"]: webhook_from_row(row) for row in rows.to_pylist()}
    return [found.get(webhook_id) for webhook_id in webhook_ids]


async def _matching(ctx: Context, tags: tuple[TagFilter, ...]) -> list[Webhook]:
    candidates = common(await tagged(ctx.metadata, "webhook", tags))
    rows: list[Found] = []
    if candidates is not None:
        keys: list[Key] = [(identifier,) for identifier in sorted(candidates)]
        rows = (await ctx.metadata.get(WEBHOOKS, keys)).to_pylist()
    else:
        every = batches(ctx.metadata, Scan(table=WEBHOOKS))
        rows = [row async for batch in every for row in batch]
    found = map(webhook_from_row, rows)
    return [webhook for webhook in found if matches_tags(webhook.tags, tags)]


def _position(webhook: Webhook) -> tuple[str, str]:
    return (webhook.url, webhook.id)


def _beyond(position: Key, after: Key, page: PageRequest) -> bool:
    return position < after if page.reverse else position > after


def _new(ctx: Context, given: WebhookInput, api_version: str) -> Webhook:
    webhook_id, key, now_us = str(uuid.uuid4()), given.api_key_value, ctx.clock()
    return Webhook(
        id=webhook_id,
        incarnation=str(uuid.uuid4()),
        sealed_key=None if key is None else ctx.secrets.seal(key, webhook_id),
        sealed_secret=sealed_secret(ctx.secrets, webhook_id),
        status=WebhookStatus(given.status or WebhookStatus.CREATED),
        error=None,
        api_version=api_version,
        created_by=ctx.principal.name,
        created_us=now_us,
        updated_us=now_us,
        **given_fields(given),
    )


def _add(edits: Edits, webhook: Webhook, digest: str, cursor: str) -> None:
    edits.insert(WEBHOOKS, webhook_row(webhook, digest))
    edits.insert(WEBHOOK_QUEUES, queue_row(webhook, cursor))
    edit_tags(edits, "webhook", webhook.id, {}, webhook.tags)


def _remove(view: View, edits: Edits, webhook_id: str) -> None:
    before = _stored(view, webhook_id)
    edits.delete(WEBHOOKS, (webhook_id,))
    edits.delete(WEBHOOK_QUEUES, (webhook_id,))
    log = Scan(
        table=WEBHOOK_DELIVERIES,
        prefix=(webhook_id,),
        limit=_DELIVERIES_AT_ONCE,
        columns=WEBHOOK_DELIVERIES.key,
    )
    # Nobody can reach the rest: it goes with its age.
    edits.delete(WEBHOOK_DELIVERIES, *(tuple(row.values()) for row in view.page(log).to_pylist()))
    edit_tags(edits, "webhook", webhook_id, before.tags, {})


def _stored(view: View, webhook_id: str) -> Webhook:
    rows = view.get(WEBHOOKS, [(webhook_id,)]).to_pylist()
    if not rows:
        raise NotFound("webhook", webhook_id)
    return webhook_from_row(rows[0])


async def _revise(
    ctx: Context,
    webhook_id: str,
    change: Callable[[Webhook], WebhookInput],
    *,
    forget_key: bool = False,
) -> Webhook:
    moment = await Moment.now(ctx)

    def command(view: View) -> Changes[Webhook]:
        before, edits = _stored(view, webhook_id), Edits()
        after = _change(ctx, view, edits, before, change(before), at=moment, forget_key=forget_key)
        return edits.changes(after)

    webhook = await ctx.metadata.commit(command, _relied_on(webhook_id))
    ctx.loaders.forget()
    return webhook


def _relied_on(webhook_id: str) -> tuple[Aggregate, Aggregate]:
    return engine.webhook(webhook_id), engine.webhook_queue(webhook_id)


def _change(
    ctx: Context,
    view: View,
    edits: Edits,
    before: Webhook,
    given: WebhookInput,
    *,
    at: Moment,
    forget_key: bool = False,
) -> Webhook:
    # One that has become forbidden may still be disabled; whoever connects checks again.
    if given.url != before.url:
        checked_url(given.url, ctx.service.webhook_networks, ctx.service.webhook_ports)
    key = key_after(ctx.secrets, before, given, forget=forget_key)
    after = revised(before, given, key.sealed)
    if after != before:
        after = replace(after, updated_us=at.now_us)
        digest = ctx.secrets.digest(after.url, after.api_key_name, key.text)
        columns = {**webhook_columns(after), "identity_digest": digest}
        edits.update(WEBHOOKS, {"webhook_id": before.id, **columns})
        edit_tags(edits, "webhook", before.id, before.tags, after.tags)
        follow_change(view, edits, before, after, at)
    return after
