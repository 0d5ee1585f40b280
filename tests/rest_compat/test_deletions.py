"""Deletions that are answered 202, over HTTP: where they are told, and what they tell."""

from dataclasses import replace

import httpx
import pytest
from fastapi import FastAPI

from tams_graphql.model.errors import InvalidInput
from tams_graphql.resolvers import deletion_jobs
from tams_graphql.resolvers.deletion_jobs import work_on_deletions
from tests.rest_compat.conftest import PUBLIC_URL
from tests.rest_compat.official import Official
from tests.rest_compat.stories import fill


@pytest.fixture(autouse=True)
def few_are_waited_for(app: FastAPI) -> None:
    app.state.service = replace(app.state.service, async_delete_segments=2, deletion_grace=0)


async def test_a_long_flow_is_gone_with_the_answer_and_a_place_to_look(
    app: FastAPI, client: httpx.AsyncClient, live_flow: str
) -> None:
    await fill(client, live_flow, 3)
    answer = await client.delete(f"/flows/{live_flow}")
    told = answer.json()
    assert answer.status_code == 202
    assert answer.headers["location"] == f"{PUBLIC_URL}/flow-delete-requests/{told['id']}"
    assert (told["timerange_to_delete"], told["status"]) == ("[0:0_3:0)", "created")
    assert (await client.get(f"/flows/{live_flow}")).status_code == 404
    assert (await client.get(f"/flows/{live_flow}/segments")).json() == []
    assert (await client.get("/objects/take-0")).status_code == 404
    await work_on_deletions(app.state.make_context())
    done = (await client.get(f"/flow-delete-requests/{told['id']}")).json()
    assert (done["timerange_remaining"], done["status"]) == ("()", "done")
    assert (done["flow_id"], done["delete_flow"]) == (live_flow, True)


async def test_few_segments_are_waited_for(client: httpx.AsyncClient, live_flow: str) -> None:
    await fill(client, live_flow, 2)
    assert (await client.delete(f"/flows/{live_flow}/segments")).status_code == 204
    assert (await client.get("/flow-delete-requests")).json() == []


async def test_what_remains_moves_with_each_batch(
    app: FastAPI, client: httpx.AsyncClient, live_flow: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app.state.make_context().metadata, "background_rows", 1)
    await fill(client, live_flow, 4)
    answer = await client.delete(f"/flows/{live_flow}/segments?timerange=[0:0_3:0)")
    assert answer.status_code == 202
    seen: list[str] = []

    async def look(_: float) -> None:
        (told,) = (await client.get("/flow-delete-requests?sort_by=expiry")).json()
        seen.append(told["timerange_remaining"])

    monkeypatch.setattr(deletion_jobs, "give_way", look)
    await work_on_deletions(app.state.make_context())
    assert seen == ["[1:0_3:0)", "[2:0_3:0)", "[3:0_3:0)"]
    left = (await client.get(f"/flows/{live_flow}/segments")).json()
    assert [one["timerange"] for one in left] == ["[3:0_4:0)"]


async def test_what_keeps_a_deletion_from_going_on_is_told_as_the_specification_says(
    app: FastAPI,
    client: httpx.AsyncClient,
    live_flow: str,
    official: Official,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await fill(client, live_flow, 3)
    told = (await client.delete(f"/flows/{live_flow}")).json()
    assert "error" not in told

    def refuse(*_: object) -> None:
        raise InvalidInput("object_id", "odd", "this object is odd")

    with monkeypatch.context() as until_then:
        until_then.setattr(deletion_jobs, "remove_segments", refuse)
        until_then.setattr(deletion_jobs, "MAX_TRIES", 1)
        await work_on_deletions(app.state.make_context())
    path = "/flow-delete-requests/{request-id}"
    answer = await client.get(f"/flow-delete-requests/{told['id']}")
    official.check_answer(path, "GET", answer)
    failed = answer.json()
    assert failed["status"] == "error"
    assert failed["error"] == {
        "type": "INVALID_INPUT",
        "summary": "this object is odd",
        "time": failed["updated"],
    }
    official.check_answer("/flow-delete-requests", "GET", await client.get("/flow-delete-requests"))
