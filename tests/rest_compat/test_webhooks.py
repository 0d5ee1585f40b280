"""Webhooks over REST: the spec's shapes, every refusal, pages, and keys that nobody gets to see."""

from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest

from tams_graphql.metadata.engine import Changes, MetadataEngine, View
from tams_graphql.metadata.engine import webhook as aggregate
from tams_graphql.metadata.tables import WEBHOOKS
from tests.rest_compat.conftest import PUBLIC_URL
from tests.rest_compat.official import Official
from tests.rest_compat.stories import Json, uuid4

EVERY = "/service/webhooks"
ONE = "/service/webhooks/{webhookId}"
SECRET = "21238dksdjqwpqscj9"
SHORT: Json = {"url": "https://hook.example.com", "events": ["sources/deleted"]}
FULL: Json = {
    "url": "https://hook.example.com/a?b=c",
    "api_key_name": "X-Key",
    "events": [
        *("flows/created", "flows/updated", "flows/deleted", "flows/segments_added"),
        *("flows/segments_deleted", "sources/created", "sources/updated", "sources/deleted"),
    ],
    "flow_ids": [uuid4(1), uuid4(2)],
    "source_ids": [],
    "flow_collected_by_ids": [],
    "source_collected_by_ids": [uuid4(3)],
    "accept_get_urls": ["disk", ""],
    "accept_storage_ids": [uuid4(4)],
    "presigned": False,
    "verbose_storage": True,
    "include_object_timerange": False,
    "tags": {"team": ["news"], "other": "x", "none": []},
    "status": "disabled",
}


async def post(client: httpx.AsyncClient, body: Json) -> Json:
    response = await client.post(EVERY, json=body)
    assert response.status_code == 201, response.text
    posted: Json = response.json()
    return posted


async def test_all_members_come_back_and_the_key_does_not(
    client: httpx.AsyncClient, official: Official
) -> None:
    response = await client.post(EVERY, json={**FULL, "api_key_value": SECRET, "surplus": [None]})
    official.check_answer(EVERY, "POST", response)
    posted = response.json()
    assert posted == {**FULL, "id": posted["id"]}
    path = f"{EVERY}/{posted['id']}"
    assert (await client.get(path)).json() == posted
    put = await client.put(path, json={**posted, "api_key_value": SECRET, "error": "ignored"})
    official.check_answer(ONE, "PUT", put)
    assert (put.status_code, put.json()) == (201, posted)
    short = await client.put(path, json={**SHORT, "id": posted["id"], "status": "created"})
    assert short.json() == {**SHORT, "id": posted["id"], "status": "created"}
    listing = await client.get(EVERY)
    official.check_answer(EVERY, "GET", listing)
    for told in (response, put, short, listing, await client.get(path)):
        assert SECRET not in told.text + repr(told.headers)


async def test_an_error_is_told_as_the_specification_has_it(
    client: httpx.AsyncClient, official: Official, served: tuple[Any, MetadataEngine]
) -> None:
    posted = await post(client, SHORT)
    error = '{"type": "gone", "summary": "answered 410", "time_us": 1700000000123456}'

    def fail(_: View) -> Changes[None]:
        row = {"webhook_id": posted["id"], "status": "error", "error_json": error}
        return Changes(answer=None, update={WEBHOOKS: [row]})

    await served[1].commit(fail, [aggregate(posted["id"])])
    response = await client.get(f"{EVERY}/{posted['id']}")
    official.check_answer(ONE, "GET", response)
    told = {"type": "gone", "summary": "answered 410", "time": "2023-11-14T22:13:20.123456Z"}
    assert response.json() == {**posted, "status": "error", "error": told}
    body = {**SHORT, "id": posted["id"]}
    refused = await client.put(f"{EVERY}/{posted['id']}", json={**body, "status": "disabled"})
    official.check_answer(ONE, "PUT", refused)
    assert refused.status_code == 400
    again = await client.put(f"{EVERY}/{posted['id']}", json={**body, "status": "created"})
    assert again.json() == posted


REFUSED: list[tuple[Json, str, str]] = [
    ({"url": None}, "url", "type"),
    ({"url": 5}, "url", "type"),
    ({"url": "https://me:21238dksdjqwpqscj9@hook.example.com"}, "url", "url.credentials"),
    ({"url": "http://169.254.169.254/latest"}, "url", "url.address"),
    ({"url": "http://localhost/"}, "url", "url.address"),
    ({"events": None}, "events", "type"),
    ({"events": "flows/created"}, "events", "type"),
    ({"events": ["flows/created", "flows/renamed"]}, "events.1", "enum"),
    ({"events": [None]}, "events.0", "enum"),
    ({"api_key_name": None}, "api_key_name", "null"),
    ({"api_key_name": ""}, "api_key_name", "header.malformed"),
    ({"api_key_name": "X Key"}, "api_key_name", "header.malformed"),
    ({"api_key_name": "X-Key\r\nHost"}, "api_key_name", "header.malformed"),
    ({"api_key_name": "HOST"}, "api_key_name", "header.reserved"),
    ({"api_key_name": "Webhook-Signature"}, "api_key_name", "header.reserved"),
    ({"api_key_value": None}, "api_key_value", "null"),
    ({"api_key_value": SECRET}, "api_key_value", "api_key.unnamed"),
    ({"api_key_name": "A", "api_key_value": f"{SECRET}\r\nB: c"}, "api_key_value",
     "header.malformed"),
    ({"api_key_name": "A", "api_key_value": f"{SECRET}é"}, "api_key_value", "header.malformed"),
    ({"api_key_name": "A", "api_key_value": SECRET * 300}, "api_key_value", "header.too_long"),
    ({"api_key_name": "A", "api_key_value": [SECRET]}, "api_key_value", "type"),
    ({"flow_ids": ["nobody"]}, "flow_ids.0", "pattern"),
    ({"source_ids": None}, "source_ids", "null"),
    ({"flow_collected_by_ids": uuid4(1)}, "flow_collected_by_ids", "type"),
    ({"source_collected_by_ids": [uuid4(0xABC).upper()]}, "source_collected_by_ids.0", "pattern"),
    ({"accept_get_urls": "a,b"}, "accept_get_urls", "type"),
    ({"accept_storage_ids": ["disk"]}, "accept_storage_ids.0", "pattern"),
    ({"presigned": "true"}, "presigned", "type"),
    ({"verbose_storage": 1}, "verbose_storage", "type"),
    ({"include_object_timerange": None}, "include_object_timerange", "null"),
    ({"tags": {"a": 1}}, "tags.a", "type"),
    ({"status": "started"}, "status", "enum"),
    ({"status": "error"}, "status", "enum"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "field", "rule"), REFUSED, ids=lambda c: str(c)[:60])
async def test_what_is_no_webhook_is_refused_and_changes_nothing(
    client: httpx.AsyncClient,
    dump: Callable[[], Awaitable[Any]],
    change: Json,
    field: str,
    rule: str,
) -> None:
    posted = await post(client, SHORT)
    before = await dump()
    put = {**SHORT, "id": posted["id"], "status": "created", **change}
    for response in (
        await client.post(EVERY, json={**SHORT, **change}),
        await client.put(f"{EVERY}/{posted['id']}", json=put),
    ):
        assert response.status_code == 400
        assert (field, rule) in {(d["field"], d["rule"]) for d in response.json()["details"]}
        assert SECRET not in response.text
    assert await dump() == before


@pytest.mark.parametrize("missing", ["id", "url", "events", "status"])
async def test_a_put_names_everything_that_is_required(
    client: httpx.AsyncClient, missing: str
) -> None:
    posted = await post(client, SHORT)
    body = {name: value for name, value in posted.items() if name != missing}
    response = await client.put(f"{EVERY}/{posted['id']}", json=body)
    assert response.status_code == 400
    assert [(d["field"], d["rule"]) for d in response.json()["details"]] == [(missing, "required")]


async def test_a_put_never_creates_and_other_ids_are_unknown(client: httpx.AsyncClient) -> None:
    body = {**SHORT, "id": uuid4(9), "status": "created"}
    for webhook_id in (uuid4(9), uuid4(8), "malformed"):
        response = await client.put(f"{EVERY}/{webhook_id}", json=body)
        assert response.status_code == 404
        assert (await client.delete(f"{EVERY}/{webhook_id}")).status_code == 404
    assert (await client.get(EVERY)).json() == []


async def test_the_listing_is_by_url_in_pages_that_keep_the_filter(
    client: httpx.AsyncClient, official: Official
) -> None:
    for number, host in enumerate(["c", "a", "b", "d"]):
        tags = {"team": "news" if host != "d" else "sport"}
        await post(client, {**SHORT, "url": f"https://{host}.example/{number}", "tags": tags})
    for query, hosts in (("", "abc"), ("&reverse_order=true", "cba")):
        url, found = f"{EVERY}?tag.team=news&limit=2{query}", []
        for count in (2, 1):
            response = await client.get(url)
            official.check_answer(EVERY, "GET", response)
            assert response.headers["x-paging-count"] == str(count)
            found += [one["url"][8] for one in response.json()]
            url = response.links.get("next", {}).get("url", "").removeprefix(PUBLIC_URL)
        assert ("".join(found), url) == (hosts, "")
    absent = await client.get(f"{EVERY}?tag_exists.team=false")
    assert absent.json() == []


@pytest.mark.parametrize("prefix", ["/v6.0", "/v7.0"])
async def test_up_to_7_0_url_and_key_are_the_webhook(
    client: httpx.AsyncClient, prefix: str
) -> None:
    keyed = {**FULL, "api_key_value": SECRET}
    posted = await post(client, keyed)
    change = {"url": FULL["url"], "api_key_name": "X-Key", "api_key_value": SECRET}
    again = await client.post(f"{prefix}{EVERY}", json={**change, "events": ["flows/created"]})
    assert (again.status_code, again.json()) == (201, None)
    (seen,) = (await client.get(EVERY)).json()
    kept = {"id", "url", "api_key_name", "tags", "status", "include_object_timerange"}
    if prefix == "/v6.0":
        kept |= {"accept_storage_ids", "presigned", "verbose_storage"}
    assert seen == {n: v for n, v in posted.items() if n in kept} | {"events": ["flows/created"]}
    (shown,) = (await client.get(f"{prefix}{EVERY}")).json()
    assert shown == {n: change[n] for n in ("url", "api_key_name")} | {
        "events": ["flows/created"],
        **({n: posted[n] for n in shown.keys() & {"accept_storage_ids", "presigned"}}),
    }
    other = {**change, "api_key_value": "another"}
    assert (await client.post(f"{prefix}{EVERY}", json={**other, "events": []})).status_code == 204
    assert len((await client.get(EVERY)).json()) == 1
    gone = await client.post(f"{prefix}{EVERY}", json={**change, "events": []})
    assert (gone.status_code, (await client.get(EVERY)).json()) == (204, [])
    await client.post(f"{prefix}{EVERY}", json={**other, "events": ["flows/updated"]})
    assert [one["status"] for one in (await client.get(EVERY)).json()] == ["created"]


@pytest.mark.parametrize("prefix", ["/v8.0", "/v8.1"])
async def test_what_8_0_and_8_1_can_not_see_survives_their_put(
    client: httpx.AsyncClient, prefix: str
) -> None:
    posted = await post(client, {**SHORT, "include_object_timerange": True})
    path = f"{prefix}{EVERY}/{posted['id']}"
    shown = (await client.get(path)).json()
    assert shown == {n: v for n, v in posted.items() if n != "include_object_timerange"}
    put = await client.put(path, json={**shown, "include_object_timerange": False})
    assert (put.status_code, put.json()) == (201, shown)
    assert (await client.get(f"{EVERY}/{posted['id']}")).json() == posted
