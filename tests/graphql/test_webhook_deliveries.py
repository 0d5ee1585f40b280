"""What was sent to webhooks over GraphQL: looked at, repeated, tried, and signed with a secret."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from starlette.requests import HTTPConnection

from tams_graphql.graphql.webhook_changes import RegisterWebhookPayload
from tams_graphql.metadata.engine import MetadataEngine
from tams_graphql.resolvers.context import Context
from tests.graphql.conftest import Api
from tests.resolvers.conftest import uuid4
from tests.resolvers.webhook_stories import MovableClock, Process, Receiver, receiver

ERRORS = "errors { code rule field }"
DELIVERY = """id deliveryId webhookId eventId eventType status occurred updated
  attempts { delivered statusCode reason durationMs at }"""


class DeliveringApi(Api):
    """The API of a process that sends events."""

    def __init__(self, engine: MetadataEngine) -> None:
        self.process: Process | None = None
        super().__init__(engine)
        self.clock = MovableClock()  # type: ignore[assignment]
        self.process = Process(super().context(), engine)

    def context(self, connection: HTTPConnection | None = None) -> Context:
        return super().context() if self.process is None else self.process.context()

    async def register(self, to: Receiver, **given: Any) -> Any:
        fields = {"url": to.url, "events": ["FLOWS_CREATED"], **given}
        selection = f"webhook {{ id webhookId }} signingSecret {ERRORS}"
        payload = await self.mutate("registerWebhook", "RegisterWebhookInput", selection, **fields)
        assert payload["errors"] == []
        return payload

    async def until(self, hook: Receiver, count: int) -> None:
        assert self.process is not None
        await self.process.until(lambda: len(hook.arrivals) == count)
        await self.process.idle()


@pytest.fixture
async def api(engine: MetadataEngine) -> AsyncIterator[DeliveringApi]:
    api = DeliveringApi(engine)
    yield api
    await api.http.aclose()
    if api.process is not None:
        await api.process.stop()


async def deliveries(api: Api, webhook_id: str, arguments: str = "") -> Any:
    query = f"""query Q($id: UUID!) {{ webhook(webhookId: $id) {{
      deliveries{arguments} {{ nodes {{ {DELIVERY} }} totalCount
        pageInfo {{ endCursor hasNextPage }} }}
      nextAttemptAt consecutiveFailures status }} }}"""
    return (await api.data(query, id=webhook_id))["webhook"]


async def test_deliveries_are_a_connection_with_their_attempts(api: DeliveringApi) -> None:
    async with receiver("200", "503") as hook:
        webhook = (await api.register(hook))["webhook"]
        for _ in range(2):
            await api.video_flow()
        await api.until(hook, 2)
        found = await deliveries(api, webhook["webhookId"])
        assert found["deliveries"]["totalCount"] == 2
        assert (found["status"], found["consecutiveFailures"]) == ("STARTED", 1)
        assert found["nextAttemptAt"] is not None
        failing, taken = found["deliveries"]["nodes"]
        (attempt,) = failing["attempts"]
        assert failing == {
            "id": failing["id"],
            "deliveryId": failing["deliveryId"],
            "webhookId": webhook["webhookId"],
            "eventId": hook.ids[1],
            "eventType": "FLOWS_CREATED",
            "status": "RETRYING",
            "occurred": failing["occurred"],
            "updated": failing["updated"],
            "attempts": [
                {
                    "delivered": False,
                    "statusCode": 503,
                    "reason": "it answered 503",
                    "durationMs": attempt["durationMs"],
                    "at": attempt["at"],
                }
            ],
        }
        assert attempt["durationMs"] > 0
        assert (taken["eventId"], taken["status"]) == (hook.ids[0], "DELIVERED")
        assert taken["attempts"][0]["reason"] is None
        first = (await deliveries(api, webhook["webhookId"], "(first: 1)"))["deliveries"]
        assert (first["nodes"], first["pageInfo"]["hasNextPage"]) == ([failing], True)
        after = f'(first: 1, after: "{first["pageInfo"]["endCursor"]}")'
        rest = (await deliveries(api, webhook["webhookId"], after))["deliveries"]
        assert (rest["nodes"], rest["pageInfo"]["hasNextPage"]) == ([taken], False)
        last = (await deliveries(api, webhook["webhookId"], "(last: 1)"))["deliveries"]
        assert last["nodes"] == [taken]
        chosen = (await deliveries(api, webhook["webhookId"], "(status: DELIVERED)"))["deliveries"]
        assert (chosen["nodes"], chosen["totalCount"]) == ([taken], 1)
        node = (
            f"query Q($id: ID!) {{ node(id: $id) {{ ... on WebhookDelivery {{ {DELIVERY} }} }} }}"
        )
        assert await api.data(node, id=taken["id"]) == {"node": taken}


async def test_a_delivery_is_repeated(api: DeliveringApi) -> None:
    async with receiver() as hook:
        webhook = (await api.register(hook))["webhook"]
        await api.video_flow()
        await api.until(hook, 1)
        (delivery,) = (await deliveries(api, webhook["webhookId"]))["deliveries"]["nodes"]
        selection = f"delivery {{ {DELIVERY} }} attempt {{ delivered statusCode }} {ERRORS}"
        payload = await api.mutate(
            "redeliver", "RedeliverInput", selection, deliveryId=delivery["deliveryId"]
        )
        assert payload["errors"] == []
        assert payload["attempt"] == {"delivered": True, "statusCode": 200}
        assert len(payload["delivery"]["attempts"]) == 2
        assert hook.ids == [delivery["eventId"]] * 2
        refused = await api.mutate("redeliver", "RedeliverInput", selection, deliveryId="nonsense")
        assert refused == {
            "delivery": None,
            "attempt": None,
            "errors": [{"code": "NOT_FOUND", "rule": "not_found", "field": ["deliveryId"]}],
        }


async def test_a_webhook_is_tried_and_an_answer_is_no_error(api: DeliveringApi) -> None:
    async with receiver("200", "418") as hook:
        webhook = (await api.register(hook, status="DISABLED"))["webhook"]
        selection = f"attempt {{ delivered statusCode reason }} {ERRORS}"
        given = {"webhookId": webhook["webhookId"]}
        tried = [
            await api.mutate("testWebhook", "TestWebhookInput", selection, **given)
            for _ in range(2)
        ]
        assert tried == [
            {"attempt": {"delivered": True, "statusCode": 200, "reason": None}, "errors": []},
            {
                "attempt": {"delivered": False, "statusCode": 418, "reason": "it answered 418"},
                "errors": [],
            },
        ]
        assert hook.types == ["webhooks/test"] * 2
        unknown = await api.mutate("testWebhook", "TestWebhookInput", selection, webhookId=uuid4(9))
        assert [one["field"] for one in unknown["errors"]] == [["webhookId"]]


async def test_the_secret_is_shown_once_and_can_be_renewed(api: DeliveringApi) -> None:
    async with receiver() as hook:
        first = await api.register(hook, idempotencyKey="k")
        assert first["signingSecret"].startswith("whsec_")
        again = await api.register(hook, idempotencyKey="k")
        assert (again["webhook"], again["signingSecret"]) == (first["webhook"], None)
        await api.video_flow()
        await api.until(hook, 1)
        hook.arrivals[0].verify(first["signingSecret"])
        given = {"webhookId": first["webhook"]["webhookId"]}
        selection = f"webhook {{ id }} signingSecret {ERRORS}"
        rotated = await api.mutate(
            "rotateWebhookSecret", "RotateWebhookSecretInput", selection, **given
        )
        assert (rotated["errors"], rotated["webhook"]["id"]) == ([], first["webhook"]["id"])
        await api.video_flow()
        await api.until(hook, 2)
        hook.arrivals[1].verify(rotated["signingSecret"])
        given = {"webhookId": uuid4(9)}
        unknown = await api.mutate(
            "rotateWebhookSecret", "RotateWebhookSecretInput", selection, **given
        )
        assert [one["code"] for one in unknown["errors"]] == ["NOT_FOUND"]
        assert unknown["signingSecret"] is None


def test_payloads_do_not_show_the_secret_in_their_repr() -> None:
    assert "whsec_" not in repr(RegisterWebhookPayload(signing_secret="whsec_abc"))
