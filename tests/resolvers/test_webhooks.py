"""Webhooks: what is kept of them, which states follow which, and where their keys never show."""

import ipaddress
from collections.abc import Awaitable, Callable
from dataclasses import asdict, replace
from typing import Any

import pytest

from tams_graphql.metadata import engine as port
from tams_graphql.metadata.engine import Changes, View
from tams_graphql.metadata.tables import TAGS, WEBHOOKS
from tams_graphql.model.errors import InvalidInput, NotFound, Unavailable
from tams_graphql.model.records import Webhook, WebhookError
from tams_graphql.resolvers import webhooks
from tams_graphql.resolvers.context import Context
from tams_graphql.resolvers.filters import TagFilter
from tams_graphql.resolvers.paging import PageRequest
from tams_graphql.resolvers.secrets import NoSecrets
from tams_graphql.sealing import SealedSecrets
from tests.resolvers.conftest import fresh, uuid4

Dump = Callable[[], Awaitable[Any]]
KEY = "Bearer 21238dksdjqwpqscj9"
URL = "https://hook.example.com"
BODY = {
    "url": URL,
    "events": ["flows/created", "flows/segments_added"],
    "api_key_name": "Authorization",
    "api_key_value": KEY,
    "flow_ids": [uuid4(1)],
    "source_collected_by_ids": [],
    "accept_get_urls": [],
    "presigned": False,
    "include_object_timerange": True,
    "tags": {"team": ["news", "sport"], "empty": []},
}


def put_body(webhook: Webhook, **changes: Any) -> dict[str, Any]:
    """What a client would PUT to change nothing, and the changes."""
    body = {name: value for name, value in BODY.items() if name != "api_key_value"}
    return {"id": webhook.id, "status": "created", **body, **changes}


async def stored(ctx: Context, webhook: Webhook) -> dict[str, Any]:
    (row,) = (await ctx.metadata.get(WEBHOOKS, [(webhook.id,)])).to_pylist()
    found: dict[str, Any] = row
    return found


async def becomes(ctx: Context, webhook: Webhook, status: str, error: str | None = None) -> None:
    """As the worker that sends events will do it."""

    def command(_: View) -> Changes[None]:
        row = {"webhook_id": webhook.id, "status": status, "error_json": error}
        return Changes(answer=None, update={WEBHOOKS: [row]})

    await ctx.metadata.commit(command, [port.webhook(webhook.id)])


async def key_of(ctx: Context, webhook: Webhook) -> str | None:
    """What would be sent."""
    sealed = (await webhooks.get_webhook(fresh(ctx), webhook.id)).sealed_key
    return None if sealed is None else ctx.secrets.open(sealed, webhook.id)


async def test_a_webhook_is_kept_as_it_was_registered(ctx: Context) -> None:
    webhook = await webhooks.register_webhook(ctx, BODY)
    assert await webhooks.get_webhook(ctx, webhook.id) == webhook
    told = asdict(replace(webhook, sealed_key=None, sealed_secret=None))
    expected = {
        "id": webhook.id,
        "incarnation": webhook.incarnation,
        "url": URL,
        "api_key_name": "Authorization",
        "sealed_key": None,
        "sealed_secret": None,
        "events": ("flows/created", "flows/segments_added"),
        "filters": {
            "flow_ids": [uuid4(1)],
            "source_collected_by_ids": [],
            "accept_get_urls": [],
            "presigned": False,
            "include_object_timerange": True,
        },
        "tags": {"team": ["news", "sport"], "empty": []},
        "status": "created",
        "error": None,
        "api_version": "8.2",
        "created_by": "anonymous",
        "created_us": webhook.created_us,
        "updated_us": webhook.created_us,
    }
    assert told == expected
    assert await key_of(ctx, webhook) == KEY


async def test_the_key_is_nowhere_in_the_index_nor_in_a_repr(ctx: Context, dump: Dump) -> None:
    webhook = await webhooks.register_webhook(ctx, BODY)
    for text in (repr(webhook), repr(await dump())):
        assert KEY not in text
        assert KEY.removeprefix("Bearer ") not in text
    assert URL not in repr(webhook)
    assert KEY not in repr(webhooks.webhook_input(BODY))


async def test_the_identity_is_that_of_url_key_name_and_key_however_it_came_about(
    ctx: Context,
) -> None:
    first = await webhooks.register_webhook(ctx, BODY)
    second = await webhooks.register_webhook(ctx, {**BODY, "url": "https://other.example"})
    same, other = await stored(ctx, first), await stored(ctx, second)
    assert same["identity_digest"] == ctx.secrets.digest(URL, "Authorization", KEY)
    assert other["identity_digest"] != same["identity_digest"]
    assert other["api_key_encrypted"] != same["api_key_encrypted"]
    await webhooks.update_webhook(ctx, second.id, {"url": URL})
    assert (await stored(ctx, second))["identity_digest"] == same["identity_digest"]


async def test_the_key_stays_unless_it_is_given_or_its_header_goes(ctx: Context) -> None:
    webhook = await webhooks.register_webhook(ctx, BODY)
    await webhooks.replace_webhook(ctx, webhook.id, put_body(webhook, events=[]))
    assert await key_of(ctx, webhook) == KEY
    await webhooks.replace_webhook(ctx, webhook.id, put_body(webhook, api_key_name="X-Key"))
    assert await key_of(ctx, webhook) == KEY
    await webhooks.replace_webhook(ctx, webhook.id, put_body(webhook, api_key_value="new"))
    assert await key_of(ctx, webhook) == "new"
    nameless = {name: v for name, v in put_body(webhook).items() if name != "api_key_name"}
    await webhooks.replace_webhook(ctx, webhook.id, nameless)
    assert await key_of(ctx, webhook) is None
    await webhooks.replace_webhook(ctx, webhook.id, put_body(webhook))
    assert await key_of(ctx, webhook) is None


async def test_an_update_changes_what_it_names(ctx: Context) -> None:
    webhook = await webhooks.register_webhook(ctx, BODY)
    changes = {"flow_ids": None, "verbose_storage": True, "tags": {"team": "news"}}
    after = await webhooks.update_webhook(ctx, webhook.id, changes)
    filters = {**webhook.filters, "verbose_storage": True}
    del filters["flow_ids"]
    assert after == replace(
        webhook, filters=filters, tags={"team": "news"}, updated_us=after.updated_us
    )
    assert after.updated_us > webhook.updated_us
    assert await key_of(ctx, webhook) == KEY
    await webhooks.update_webhook(ctx, webhook.id, {"api_key_value": None})
    assert await key_of(ctx, webhook) is None


async def test_a_change_that_changes_nothing_writes_nothing(ctx: Context, dump: Dump) -> None:
    webhook = await webhooks.register_webhook(ctx, BODY)
    for status in ("created", "started"):
        await becomes(ctx, webhook, status)
        before = await dump()
        same = await webhooks.replace_webhook(ctx, webhook.id, put_body(webhook))
        again = await webhooks.replace_webhook(
            ctx, webhook.id, put_body(webhook, api_key_value=KEY)
        )
        assert same == again == replace(webhook, status=same.status)
        assert same.status == status
        await webhooks.update_webhook(ctx, webhook.id, {})
        assert await dump() == before


@pytest.mark.parametrize(
    ("before", "wanted", "after"),
    [
        ("created", "disabled", "disabled"),
        ("started", "disabled", "disabled"),
        ("disabled", "disabled", "disabled"),
        ("disabled", "created", "created"),
        ("error", "created", "created"),
    ],
)
async def test_states_that_clients_bring_about(
    ctx: Context, before: str, wanted: str, after: str
) -> None:
    webhook = await webhooks.register_webhook(ctx, BODY)
    reason = '{"type": "gone", "summary": "410", "time_us": 5}'
    await becomes(ctx, webhook, before, reason if before == "error" else None)
    changed = await webhooks.replace_webhook(ctx, webhook.id, put_body(webhook, status=wanted))
    assert (changed.status, changed.error) == (after, None)
    assert await webhooks.get_webhook(fresh(ctx), webhook.id) == changed


async def test_a_started_webhook_that_changes_starts_anew(ctx: Context) -> None:
    webhook = await webhooks.register_webhook(ctx, {**BODY, "status": "disabled"})
    assert webhook.status == "disabled"
    await becomes(ctx, webhook, "started")
    kept = await webhooks.update_webhook(ctx, webhook.id, {"events": []})
    assert kept.status == "started"
    changed = await webhooks.replace_webhook(ctx, webhook.id, put_body(webhook))
    assert changed.status == "created"


async def test_what_failed_can_not_be_disabled(ctx: Context, dump: Dump) -> None:
    webhook = await webhooks.register_webhook(ctx, BODY)
    await becomes(ctx, webhook, "error", '{"type": "gone", "summary": "410", "time_us": 5}')
    before = await dump()
    with pytest.raises(InvalidInput) as refusal:
        await webhooks.replace_webhook(ctx, webhook.id, put_body(webhook, status="disabled"))
    assert refusal.value.problems[0].rule == "status.transition"
    assert await dump() == before
    kept = await webhooks.update_webhook(ctx, webhook.id, {"events": []})
    assert (kept.status, kept.error) == (
        "error",
        WebhookError(type="gone", summary="410", time_us=5),
    )


async def test_a_url_that_has_become_forbidden_can_still_be_disabled(ctx: Context) -> None:
    inside = {**BODY, "url": "http://10.0.0.1/"}
    with pytest.raises(InvalidInput):
        await webhooks.register_webhook(ctx, inside)
    strict = ctx.service
    ctx.service = replace(strict, webhook_networks=(ipaddress.IPv4Network("10.0.0.0/8"),))
    webhook = await webhooks.register_webhook(ctx, inside)
    ctx.service = strict
    off = put_body(webhook, url="http://10.0.0.1/", status="disabled")
    assert (await webhooks.replace_webhook(ctx, webhook.id, off)).status == "disabled"
    with pytest.raises(InvalidInput):
        await webhooks.update_webhook(ctx, webhook.id, {"url": "http://10.0.0.2/"})


async def test_only_ports_that_the_operator_opens_are_registered(ctx: Context, dump: Dump) -> None:
    ctx.service = replace(ctx.service, webhook_ports=frozenset({443}))
    webhook = await webhooks.register_webhook(ctx, {**BODY, "url": "https://hook.example.com/"})
    before, plain = await dump(), "http://hook.example.com/"
    with pytest.raises(InvalidInput) as at_first:
        await webhooks.register_webhook(ctx, {**BODY, "url": plain})
    with pytest.raises(InvalidInput) as later:
        await webhooks.update_webhook(ctx, webhook.id, {"url": plain})
    for refusal in (at_first.value, later.value):
        assert [(one.field, one.rule) for one in refusal.problems] == [("url", "url.port")]
    assert await dump() == before


async def test_a_key_that_was_sealed_with_another_key_must_be_given_again(
    ctx: Context, dump: Dump
) -> None:
    webhook = await webhooks.register_webhook(ctx, BODY)
    ctx.secrets = SealedSecrets(bytes(range(32)))
    before = await dump()
    with pytest.raises(InvalidInput) as refusal:
        await webhooks.update_webhook(ctx, webhook.id, {"events": []})
    assert refusal.value.problems[0].rule == "api_key.lost"
    assert await dump() == before
    await webhooks.update_webhook(ctx, webhook.id, {"api_key_value": "again"})
    assert await key_of(ctx, webhook) == "again"


async def test_without_a_key_of_its_own_a_server_takes_no_webhooks(
    ctx: Context, dump: Dump
) -> None:
    ctx.secrets = NoSecrets()
    before = await dump()
    with pytest.raises(Unavailable):
        await webhooks.register_webhook(ctx, BODY)
    assert await dump() == before


async def test_what_is_deleted_is_gone_with_its_tags(ctx: Context, dump: Dump) -> None:
    before = await dump()
    webhook = await webhooks.register_webhook(ctx, BODY)
    assert len((await dump())[TAGS.name]) == 3
    await webhooks.delete_webhook(ctx, webhook.id)
    assert await dump() == before
    for gone in (
        webhooks.get_webhook(fresh(ctx), webhook.id),
        webhooks.delete_webhook(ctx, webhook.id),
        webhooks.replace_webhook(ctx, webhook.id, put_body(webhook)),
        webhooks.update_webhook(ctx, webhook.id, {}),
        webhooks.get_webhook(ctx, "malformed"),
    ):
        with pytest.raises(NotFound):
            await gone


async def test_another_id_in_the_body_names_another_webhook(ctx: Context, dump: Dump) -> None:
    webhook = await webhooks.register_webhook(ctx, BODY)
    before = await dump()
    with pytest.raises(NotFound):
        await webhooks.replace_webhook(ctx, webhook.id, put_body(webhook, id=uuid4(9)))
    assert await dump() == before


async def _catalogue(ctx: Context) -> list[str]:
    """Ids in the order of their URLs; two share one."""
    urls = ["https://c.example", "https://a.example", "https://b.example", "https://a.example"]
    for number, url in enumerate(urls):
        tags = {"team": "news" if number % 2 else ["sport"], "n": str(number)}
        await webhooks.register_webhook(ctx, {"url": url, "events": [], "tags": tags})
    found = [webhook async for webhook in _walk(ctx, 100)]
    assert [one.url for one in found] == sorted(urls)
    return [one.id for one in found]


async def _walk(ctx: Context, limit: int, *, reverse: bool = False, tags: Any = ()) -> Any:
    after = None
    while True:
        request = PageRequest(limit=limit, after=after, reverse=reverse)
        page = await webhooks.list_webhooks(ctx, request, tags)
        for one in page.items:
            yield one
        after = page.next_cursor
        if after is None:
            return
        assert len(page.items) == limit


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("limit", [1, 2, 3, 4])
async def test_pages_join_to_the_whole(ctx: Context, limit: int, *, reverse: bool) -> None:
    order = await _catalogue(ctx)
    found = [one.id async for one in _walk(ctx, limit, reverse=reverse)]
    assert found == (order[::-1] if reverse else order)


@pytest.mark.parametrize(
    ("tags", "numbers"),
    [
        ((TagFilter("team", any_of=("news", "x")),), {"1", "3"}),
        ((TagFilter("team", any_of=("sport",)), TagFilter("n", any_of=("0", "1"))), {"0"}),
        ((TagFilter("team", exists=True),), {"0", "1", "2", "3"}),
        ((TagFilter("team", exists=False),), set()),
        ((TagFilter("n", any_of=("2",)), TagFilter("x", exists=False)), {"2"}),
    ],
)
async def test_tags_select_webhooks(
    ctx: Context, tags: tuple[TagFilter, ...], numbers: set[str]
) -> None:
    await _catalogue(ctx)
    for limit in (1, 100):
        found = [one.tags["n"] async for one in _walk(ctx, limit, tags=tags)]
        assert set(found) == numbers
        assert len(found) == len(numbers)
    assert await webhooks.count_webhooks(ctx, tags) == len(numbers)


async def test_a_cursor_of_another_listing_is_refused(ctx: Context) -> None:
    with pytest.raises(InvalidInput):
        await webhooks.list_webhooks(ctx, PageRequest(after="x"))
