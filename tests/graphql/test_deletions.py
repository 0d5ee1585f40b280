"""Deletion requests in GraphQL: told by the mutations, found by id, as a node and in a listing."""

from dataclasses import replace
from typing import Any

import pytest

from tams_graphql.resolvers import deletion_jobs
from tams_graphql.resolvers.deletion_jobs import MAX_TRIES, work_on_deletions
from tests.graphql.conftest import Api

TOLD = (
    "id requestId flowId timerangeToDelete timerangeRemaining deleteFlow deletedCount status"
    " error { type summary time } created createdBy updated expiry"
)


@pytest.fixture
def hasty(api: Api) -> Api:
    """An API that waits for no deletion."""
    api.service = replace(api.service, async_delete_segments=0, deletion_grace=0)
    return api


async def deleted_flow(api: Api) -> dict[str, Any]:
    """The deletion request of a flow of three segments."""
    flow_id = (await api.video_flow())["flowId"]
    await api.record(flow_id, "[0:0_1:0)", "[1:0_2:0)", "[2:0_3:0)")
    selection = f"deletedFlowId deletionRequest {{ {TOLD} }} errors {{ code }}"
    payload = await api.mutate("deleteFlow", "DeleteFlowInput", selection, flowId=flow_id)
    assert (payload["deletedFlowId"], payload["errors"]) == (flow_id, [])
    request: dict[str, Any] = payload["deletionRequest"]
    assert request["flowId"] == flow_id
    return request


async def found(api: Api, request_id: str) -> Any:
    query = f"query Q($id: UUID!) {{ deletionRequest(requestId: $id) {{ {TOLD} }} }}"
    return (await api.data(query, id=request_id))["deletionRequest"]


async def test_a_flow_that_goes_says_what_is_left_to_do(hasty: Api) -> None:
    request = await deleted_flow(hasty)
    assert request == request | {
        "timerangeToDelete": "[0:0_3:0)",
        "timerangeRemaining": "[0:0_3:0)",
        "deleteFlow": True,
        "deletedCount": "0",
        "status": "CREATED",
        "error": None,
        "createdBy": "anonymous",
    }
    assert await found(hasty, request["requestId"]) == request
    query = f"query N($id: ID!) {{ node(id: $id) {{ ... on DeletionRequest {{ {TOLD} }} }} }}"
    assert (await hasty.data(query, id=request["id"]))["node"] == request
    await work_on_deletions(hasty.context())
    done = await found(hasty, request["requestId"])
    assert (done["status"], done["timerangeRemaining"], done["deletedCount"]) == ("DONE", "()", "3")


async def test_segments_say_what_is_left_to_do(hasty: Api) -> None:
    flow_id = (await hasty.video_flow())["flowId"]
    await hasty.record(flow_id, "[0:0_1:0)", "[1:0_2:0)")
    payload = await hasty.mutate(
        "deleteSegments",
        "DeleteSegmentsInput",
        "deletedCount deletionRequest { timerangeToDelete deleteFlow status } errors { code }",
        flowId=flow_id,
        timerange="[0:0_1:0)",
    )
    request = {"timerangeToDelete": "[0:0_1:0)", "deleteFlow": False, "status": "CREATED"}
    assert payload == {"deletedCount": 0, "deletionRequest": request, "errors": []}


async def test_a_deletion_that_was_waited_for_leaves_no_request(api: Api) -> None:
    flow_id = (await api.video_flow())["flowId"]
    selection = "deletionRequest { requestId } errors { code }"
    payload = await api.mutate("deleteFlow", "DeleteFlowInput", selection, flowId=flow_id)
    assert payload == {"deletionRequest": None, "errors": []}
    listing = await api.data("{ deletionRequests { totalCount nodes { requestId } } }")
    assert listing == {"deletionRequests": {"totalCount": 0, "nodes": []}}


async def test_requests_are_listed_the_latest_first(hasty: Api) -> None:
    ids = [(await deleted_flow(hasty))["requestId"] for _ in range(3)]
    query = """query L($sort: DeletionSort!, $after: String) {
      deletionRequests(first: 2, sort: $sort, after: $after) {
        totalCount nodes { requestId } pageInfo { hasNextPage endCursor }
      } }"""
    for sort in ("CREATED", "EXPIRY"):
        page = (await hasty.data(query, sort=sort))["deletionRequests"]
        assert (page["totalCount"], page["pageInfo"]["hasNextPage"]) == (3, True)
        after = page["pageInfo"]["endCursor"]
        rest = (await hasty.data(query, sort=sort, after=after))["deletionRequests"]
        listed = [one["requestId"] for one in page["nodes"] + rest["nodes"]]
        assert listed == ids[::-1]
    turned = await hasty.data("{ deletionRequests(reverse: true) { nodes { requestId } } }")
    assert [one["requestId"] for one in turned["deletionRequests"]["nodes"]] == ids


async def test_an_unknown_request_is_null(api: Api) -> None:
    assert await found(api, "99999999-9999-4999-8999-999999999999") is None


async def test_what_keeps_a_deletion_from_going_on_is_told(
    hasty: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = await deleted_flow(hasty)

    def broken(*_: object) -> None:
        raise KeyError("a secret of the server")

    with monkeypatch.context() as until_then:
        until_then.setattr(deletion_jobs, "remove_segments", broken)
        for _ in range(MAX_TRIES):
            hasty.clock.now_us += 60_000_000
            await work_on_deletions(hasty.context())
    failed = await found(hasty, request["requestId"])
    assert (failed["status"], failed["error"]["type"]) == ("ERROR", "INTERNAL")
    assert "secret" not in failed["error"]["summary"]
    hasty.clock.now_us += 3_600_000_000
    await work_on_deletions(hasty.context())
    done = await found(hasty, request["requestId"])
    assert (done["status"], done["error"], done["deletedCount"]) == ("DONE", None, "3")
