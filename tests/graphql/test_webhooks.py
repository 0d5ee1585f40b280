"""Webhooks over GraphQL: what REST has, as a connection and with changes of single properties."""

from typing import Any

from tams_graphql.graphql.webhook_changes import RegisterWebhookInput, UpdateWebhookInput
from tams_graphql.metadata.engine import Scan
from tams_graphql.metadata.tables import IDEMPOTENCY, WEBHOOKS
from tams_graphql.model.vocabulary import EventType
from tests.graphql.conftest import Api

ALL = """id webhookId url apiKeyName hasApiKey events flowIds sourceIds flowCollectedByIds
  sourceCollectedByIds acceptGetUrls acceptStorageIds presigned verboseStorage
  includeObjectTimerange status error { type summary time } tags { name values isList }
  tag(name: "team") { values } createdBy created updated"""
PAYLOAD = f"webhook {{ {ALL} }} errors {{ code rule field message }}"
SECRET = "Bearer 21238dksdjqwpqscj9"
GIVEN: dict[str, Any] = {
    "url": "https://hook.example.com/",
    "events": ["FLOWS_CREATED", "SOURCES_DELETED"],
    "apiKeyName": "Authorization",
    "apiKeyValue": SECRET,
    "flowIds": ["4f79cfd1-c057-47f4-8e4d-1b126ca7bf34"],
    "sourceCollectedByIds": [],
    "acceptGetUrls": [],
    "presigned": True,
    "tags": [{"name": "team", "values": ["news"]}],
    "status": "DISABLED",
}


async def register(api: Api, **changes: Any) -> Any:
    return await api.mutate("registerWebhook", "RegisterWebhookInput", PAYLOAD, **GIVEN | changes)


async def update(api: Api, webhook: Any, **changes: Any) -> Any:
    given = {"webhookId": webhook["webhookId"], **changes}
    return await api.mutate("updateWebhook", "UpdateWebhookInput", PAYLOAD, **given)


async def test_a_webhook_is_shown_as_it_was_registered_but_for_its_key(api: Api) -> None:
    payload = await register(api)
    webhook = payload["webhook"]
    assert payload["errors"] == []
    assert webhook == {
        "id": webhook["id"],
        "webhookId": webhook["webhookId"],
        "url": "https://hook.example.com/",
        "apiKeyName": "Authorization",
        "hasApiKey": True,
        "events": ["FLOWS_CREATED", "SOURCES_DELETED"],
        "flowIds": ["4f79cfd1-c057-47f4-8e4d-1b126ca7bf34"],
        "sourceIds": None,
        "flowCollectedByIds": None,
        "sourceCollectedByIds": [],
        "acceptGetUrls": [],
        "acceptStorageIds": None,
        "presigned": True,
        "verboseStorage": None,
        "includeObjectTimerange": None,
        "status": "DISABLED",
        "error": None,
        "tags": [{"name": "team", "values": ["news"], "isList": False}],
        "tag": {"values": ["news"]},
        "createdBy": "anonymous",
        "created": webhook["created"],
        "updated": webhook["created"],
    }
    query = f"""query Q($id: ID!, $webhook: UUID!) {{
      node(id: $id) {{ ... on Webhook {{ {ALL} }} }}
      webhook(webhookId: $webhook) {{ {ALL} }}
      webhooks {{ nodes {{ {ALL} }} totalCount }}
    }}"""
    data = await api.data(query, id=webhook["id"], webhook=webhook["webhookId"])
    assert data == {
        "node": webhook,
        "webhook": webhook,
        "webhooks": {"nodes": [webhook], "totalCount": 1},
    }


async def test_an_update_changes_what_it_names_and_null_removes(api: Api) -> None:
    before = (await register(api))["webhook"]
    changes = {"status": "CREATED", "flowIds": None, "sourceIds": [], "tags": None}
    after = await update(api, before, **changes)
    expected = before | changes | {"tags": [], "tag": None}
    assert after["errors"] == []
    assert after["webhook"] == expected | {"updated": after["webhook"]["updated"]}
    without = (await update(api, before, apiKeyValue=None))["webhook"]
    assert (without["apiKeyName"], without["hasApiKey"]) == ("Authorization", False)


async def test_refusals_are_data_that_name_the_input(api: Api) -> None:
    webhook = (await register(api))["webhook"]
    refused = [
        (await update(api, webhook, url="http://10.0.0.1/"), "url.address", ["url"]),
        (await update(api, webhook, events=None), "required", ["events"]),
        (await update(api, webhook, status="ERROR"), "enum", ["status"]),
        (await update(api, webhook, apiKeyName="Host"), "header.reserved", ["apiKeyName"]),
        (await register(api, apiKeyName=None), "api_key.unnamed", ["apiKeyValue"]),
        (await register(api, apiKeyValue=f"{SECRET}\n"), "header.malformed", ["apiKeyValue"]),
    ]
    for payload, rule, field in refused:
        assert [(e["rule"], e["field"]) for e in payload["errors"]] == [(rule, field)]
        assert payload["webhook"] is None
        assert SECRET not in str(payload)
    data = await api.data(f"{{ webhooks {{ nodes {{ {ALL} }} }} }}")
    assert data["webhooks"]["nodes"] == [webhook]


async def test_what_is_deleted_is_gone(api: Api) -> None:
    webhook_id = (await register(api))["webhook"]["webhookId"]
    selection = "deletedWebhookId errors { code field }"
    given = {"webhookId": webhook_id}
    gone = await api.mutate("deleteWebhook", "DeleteWebhookInput", selection, **given)
    assert gone == {"deletedWebhookId": webhook_id, "errors": []}
    again = await api.mutate("deleteWebhook", "DeleteWebhookInput", selection, **given)
    assert again["errors"] == [{"code": "NOT_FOUND", "field": ["webhookId"]}]
    query = "query Q($id: UUID!) { webhook(webhookId: $id) { url } }"
    assert await api.data(query, id=webhook_id) == {"webhook": None}


async def test_a_repeated_registration_is_one_and_its_memory_holds_no_key(api: Api) -> None:
    first = await register(api, idempotencyKey="k")
    assert (await register(api, idempotencyKey="k")) == first
    other = await register(api, idempotencyKey="k", apiKeyValue="another")
    assert [e["code"] for e in other["errors"]] == ["CONFLICT"]
    rows = [await api.engine.page(Scan(table=table)) for table in (WEBHOOKS, IDEMPOTENCY)]
    assert [one.num_rows for one in rows] == [1, 1]
    assert SECRET not in str([one.to_pylist() for one in rows])


async def test_pages_go_both_ways_by_url(api: Api) -> None:
    for host in "cab":
        await register(api, url=f"https://{host}.example", tags=[{"name": host, "values": []}])
    query = """query Q($first: Int, $after: String, $last: Int, $tags: [TagFilter!]) {
      webhooks(first: $first, after: $after, last: $last, tags: $tags) {
        nodes { url } pageInfo { endCursor hasNextPage } totalCount } }"""

    async def urls(**arguments: Any) -> tuple[list[str], Any]:
        found = (await api.data(query, **arguments))["webhooks"]
        return [node["url"][8] for node in found["nodes"]], found

    start, found = await urls(first=2)
    assert (start, found["pageInfo"]["hasNextPage"], found["totalCount"]) == (["a", "b"], True, 3)
    assert (await urls(first=2, after=found["pageInfo"]["endCursor"]))[0] == ["c"]
    assert (await urls(last=2))[0] == ["b", "c"]
    tagged, found = await urls(tags=[{"name": "b", "exists": True}])
    assert (tagged, found["totalCount"]) == (["b"], 1)


def test_inputs_do_not_show_the_key_in_their_repr() -> None:
    events = [EventType.FLOWS_CREATED]
    register = RegisterWebhookInput(url=GIVEN["url"], events=events, api_key_value=SECRET)
    update = UpdateWebhookInput(webhook_id=GIVEN["flowIds"][0], api_key_value=SECRET)
    assert GIVEN["url"] in repr(register)
    assert SECRET not in repr(register) + repr(update)
