"""Webhooks as their owners manage them: registered, changed, listed, removed.

The key that is sent along with events comes in once and never goes out again: it is stored sealed
(`resolvers.secrets`), and stays when a change leaves it out. Nothing is sent from here.
"""

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from tams_graphql.metadata import engine
from tams_graphql.metadata.edits import Edits
from tams_graphql.metadata.engine import Changes, Key, Scan, View
from tams_graphql.metadata.tables import WEBHOOKS
from tams_graphql.model.errors import InvalidInput, NotFound
from tams_graphql.model.identifiers import known_form
from tams_graphql.model.records import Webhook
from tams_graphql.model.vocabulary import WebhookStatus
from tams_graphql.model.webhook_input import FILTERS, WebhookInput, webhook_input, webhook_put
from tams_graphql.model.webhook_url import checked_url
from tams_graphql.resolvers.authorise import Action, authorise
from tams_graphql.resolvers.context import Context
from tams_graphql.resolvers.filters import TagFilter, matches_tags
from tams_graphql.resolvers.narrowing import common, tagged
from tams_graphql.resolvers.paging import Page, PageRequest, decode_cursor
from tams_graphql.resolvers.reading import Found, all_rows, batches
from tams_graphql.resolvers.row_values import edit_tags
from tams_graphql.resolvers.secrets import SealBroken, Secrets
from tams_graphql.resolvers.service import API_VERSION
from tams_graphql.resolvers.webhook_rows import webhook_columns, webhook_from_row, webhook_row

_LISTING = "webhooks"
_KEPT = frozenset({*FILTERS, "tags"})
"""What a client that can't see it leaves as it is; it sets its status itself."""


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
    """Register a webhook (spec 8.2, `POST /service/webhooks`).

    Args:
        ctx: the request.
        body: the spec's `webhook-post.json`.
        api_version: of the spec, whose shape its events are to have.

    Raises:
        InvalidInput: the body is no webhook, or its URL leads where none may be sent.
        Unavailable: the server has no key to seal `api_key_value` with.
    """
    authorise(ctx, Action.WRITE, "webhook")
    given = webhook_input(body)
    checked_url(given.url, ctx.service.webhook_networks, ctx.service.webhook_ports)
    webhook = _new(ctx, given, api_version)
    digest = ctx.secrets.digest(given.url, given.api_key_name, given.api_key_value)

    def command(_: View) -> Changes[Webhook]:
        edits = Edits()
        _add(edits, webhook, digest)
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
    return await _revise(ctx, webhook_id, lambda before: _with_unseen(given, before, unseen))


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
    new, now_us = _new(ctx, given, api_version), ctx.clock()
    alike = Scan(table=WEBHOOKS, order="identity", prefix=(digest,))

    def command(view: View) -> Changes[Webhook | None]:
        edits = Edits()
        known = all_rows(view, alike)["webhook_id"].to_pylist()
        view.rely_on(*map(engine.webhook, known))
        if not given.events:
            for webhook_id in known:
                _remove(view, edits, webhook_id)
            return edits.changes(None)
        if not known:
            checked_url(given.url, ctx.service.webhook_networks, ctx.service.webhook_ports)
            _add(edits, new, digest)
            return edits.changes(new)
        before = _stored(view, known[0])
        after = _with_unseen(given, before, unseen)
        return edits.changes(_change(ctx, edits, before, after, now_us))

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
        body = {**_as_body(before), **changes}
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

    await ctx.metadata.commit(command, [engine.webhook(webhook_id)])
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
        status=WebhookStatus(given.status or WebhookStatus.CREATED),
        error=None,
        api_version=api_version,
        created_by=ctx.principal.name,
        created_us=now_us,
        updated_us=now_us,
        **_given(given),
    )


def _add(edits: Edits, webhook: Webhook, digest: str) -> None:
    edits.insert(WEBHOOKS, webhook_row(webhook, digest))
    edit_tags(edits, "webhook", webhook.id, {}, webhook.tags)


def _remove(view: View, edits: Edits, webhook_id: str) -> None:
    before = _stored(view, webhook_id)
    edits.delete(WEBHOOKS, (webhook_id,))
    edit_tags(edits, "webhook", webhook_id, before.tags, {})


def _given(given: WebhookInput) -> dict[str, Any]:
    """What a body says by itself, as fields of the record."""
    filters = {name: getattr(given, name) for name in FILTERS}
    return {
        "url": given.url,
        "api_key_name": given.api_key_name,
        "events": tuple(given.events),
        "filters": {name: value for name, value in filters.items() if value is not None},
        "tags": given.tags or {},
    }


def _with_unseen(given: WebhookInput, before: Webhook, unseen: frozenset[str]) -> WebhookInput:
    body = _as_body(before)
    return given.model_copy(update={name: body.get(name) for name in unseen & _KEPT})


def _as_body(webhook: Webhook) -> dict[str, Any]:
    return {
        "url": webhook.url,
        "api_key_name": webhook.api_key_name,
        "events": list(webhook.events),
        **webhook.filters,
        "tags": dict(webhook.tags),
    }


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
    now_us = ctx.clock()

    def command(view: View) -> Changes[Webhook]:
        before, edits = _stored(view, webhook_id), Edits()
        after = _change(ctx, edits, before, change(before), now_us, forget_key=forget_key)
        return edits.changes(after)

    webhook = await ctx.metadata.commit(command, [engine.webhook(webhook_id)])
    ctx.loaders.forget()
    return webhook


def _change(
    ctx: Context,
    edits: Edits,
    before: Webhook,
    given: WebhookInput,
    now_us: int,
    *,
    forget_key: bool = False,
) -> Webhook:
    # One that has become forbidden may still be disabled; whoever connects checks again.
    if given.url != before.url:
        checked_url(given.url, ctx.service.webhook_networks, ctx.service.webhook_ports)
    key = _key(ctx.secrets, before, given, forget=forget_key)
    after = _revised(before, given, key.sealed)
    if after != before:
        after = replace(after, updated_us=now_us)
        digest = ctx.secrets.digest(after.url, after.api_key_name, key.text)
        columns = {**webhook_columns(after), "identity_digest": digest}
        edits.update(WEBHOOKS, {"webhook_id": before.id, **columns})
        edit_tags(edits, "webhook", before.id, before.tags, after.tags)
    return after


@dataclass(frozen=True, slots=True)
class _Key:
    text: str | None
    sealed: str | None

    def __repr__(self) -> str:
        return "_Key(…)"


def _key(secrets: Secrets, before: Webhook, given: WebhookInput, *, forget: bool) -> _Key:
    """The key after a change; one that is given again stays sealed as it is."""
    text, sealed = given.api_key_value, before.sealed_key
    if forget or given.api_key_name is None:
        return _Key(None, None)
    try:
        stored = None if sealed is None else secrets.open(sealed, before.id)
    except SealBroken as broken:
        if text is None:
            message = "what was stored can't be read any more: give it again"
            raise InvalidInput("api_key_value", "api_key.lost", message) from broken
        stored = None
    if text is None or text == stored:
        return _Key(stored, sealed)
    return _Key(text, secrets.seal(text, before.id))


def _revised(before: Webhook, given: WebhookInput, sealed_key: str | None) -> Webhook:
    same_status = replace(before, sealed_key=sealed_key, **_given(given))
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
