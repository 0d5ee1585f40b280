"""GraphQL over Server-Sent Events: what is asked for how, and what comes."""

import asyncio
from collections.abc import AsyncIterator, Callable
from urllib.parse import urlencode

import pytest

from tams_graphql.events.log import EventLog
from tams_graphql.events.position import Position
from tams_graphql.graphql.streams import Streams
from tests.graphql.conftest import Api
from tests.support.asgi import event_source, soon

EVENTS = "subscription { events { __typename ... on LoggedEvent { cursor } } }"


@pytest.fixture
async def live(api: Api) -> AsyncIterator[Api]:
    async with api.telling():
        yield api


async def test_queries_and_mutations(api: Api) -> None:
    mutation = 'mutation { updateService(input: {name: "ours"}) { service { name } } }'
    async with event_source(api.app, "/graphql", {"query": mutation}) as source:
        assert source.headers["content-type"] == "text/event-stream"
        assert source.headers["cache-control"] == "no-cache, no-transform"
        assert source.headers["vary"] == "accept"
        service = {"updateService": {"service": {"name": "ours"}}}
        assert await source.next() == {"data": service}
        await source.end()
    query = {
        "query": "query($a: Int) { sources(first: $a) { totalCount } }",
        "variables": '{"a":1}',
    }
    async with event_source(api.app, f"/graphql?{urlencode(query)}") as source:
        assert await source.next() == {"data": {"sources": {"totalCount": 0}}}
        await source.end()


async def test_a_subscription_by_get_as_browsers_ask_for_it(live: Api) -> None:
    async with event_source(live.app, f"/graphql?{urlencode({'query': EVENTS})}") as source:
        await live.followed()
        await live.video_flow()
        names = [(await source.next())["data"]["events"]["__typename"] for _ in range(2)]

    assert sorted(names) == ["FlowCreated", "SourceCreated"]


async def test_what_happens_after_the_head_of_the_response_is_told(
    live: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also if the subscription itself takes its time to begin."""
    heads = EventLog.heads

    async def slow(log: EventLog) -> Position:
        await asyncio.sleep(0.1)
        return await heads(log)

    monkeypatch.setattr(EventLog, "heads", slow)
    async with event_source(live.app, "/graphql", {"query": EVENTS}) as source:
        await live.video_flow()
        names = [(await source.next())["data"]["events"]["__typename"] for _ in range(2)]

    assert sorted(names) == ["FlowCreated", "SourceCreated"]


async def test_a_mutation_by_get_is_refused(api: Api) -> None:
    mutation = {"query": 'mutation { updateService(input: {name: "x"}) { service { name } } }'}
    async with event_source(api.app, f"/graphql?{urlencode(mutation)}") as source:
        (error,) = (await source.next())["errors"]
        await source.end()

    assert error["extensions"]["code"] == "METHOD_NOT_ALLOWED"
    assert (await api.data("{ service { name } }"))["service"]["name"] == "test"


async def test_refused_operations_are_results_without_data(api: Api) -> None:
    for query, code in (
        ("subscription {", "GRAPHQL_PARSE_FAILED"),
        ("{ nothing }", "GRAPHQL_VALIDATION_FAILED"),
        ("query A { __typename } query B { __typename }", "OPERATION_RESOLUTION_FAILURE"),
    ):
        async with event_source(api.app, "/graphql", {"query": query}) as source:
            result = await source.next()
            await source.end()
        assert list(result) == ["errors"]
        assert result["errors"][0]["extensions"]["code"] == code


async def test_what_is_no_graphql_request_is_refused_as_ever(api: Api) -> None:
    accept = {"accept": "text/event-stream"}
    no_query = await api.http.post("/graphql", json={}, headers=accept)
    form = await api.http.post("/graphql", data={"query": "{a}"}, headers=accept)

    assert (no_query.status_code, form.status_code) == (400, 415)
    assert no_query.headers["content-type"].startswith("application/json")
    assert no_query.json()["errors"][0]["extensions"]["code"] == "BAD_REQUEST"


@pytest.mark.parametrize("accept", ["application/json", "*/*", "application/graphql-response+json"])
async def test_a_subscription_that_asks_for_json_is_told_how_to_ask(api: Api, accept: str) -> None:
    answer = await api.http.post("/graphql", json={"query": EVENTS}, headers={"accept": accept})

    assert answer.status_code == 406
    (error,) = answer.json()["errors"]
    assert error["extensions"]["code"] == "NOT_ACCEPTABLE"
    assert "text/event-stream" in error["message"]


async def test_the_favourite_media_type_decides(api: Api) -> None:
    accept = {"accept": "application/json;q=0.9, text/event-stream;q=0.1"}
    answer = await api.http.post("/graphql", json={"query": "{ __typename }"}, headers=accept)

    assert answer.json() == {"data": {"__typename": "Query"}}


async def test_comments_keep_the_connection_alive(make_api: Callable[..., Api]) -> None:
    api = make_api(streams=Streams(keep_alive=0.02))
    async with api.telling(), event_source(api.app, "/graphql", {"query": EVENTS}) as source:
        comments = [await soon(source.comment()) for _ in range(3)]
        await api.video_flow()
        await source.next()

    assert comments == ["ping"] * 3


async def test_a_client_that_goes_leaves_nothing_behind(live: Api) -> None:
    async with event_source(live.app, "/graphql", {"query": EVENTS}) as source:
        await live.followed()
        await live.video_flow()
        await source.next()
        assert len(live.hub._open) == 1

    for _ in range(100):
        await asyncio.sleep(0.01)
        if not live.hub._open:
            break
    assert live.hub._open == live.hub._others == set()


async def test_who_does_not_read_is_cut_off_and_told_where_to_go_on(
    make_api: Callable[..., Api], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Api, "queue_length", 5)
    api = make_api()
    async with api.telling():
        async with event_source(api.app, "/graphql", {"query": EVENTS}) as source:
            await api.followed()
            flow = await api.video_flow()
            for number in range(12):
                await api.record(flow["flowId"], f"[{number}:0_{number + 1}:0)")
            assert sum(len(one._waiting) for one in api.hub._open) <= 5
            events = []
            while "errors" not in (result := await source.next()):
                events.append(result["data"]["events"])
            await source.end()
        after = EVENTS.replace("events", f'events(after: "{events[-1]["cursor"]}")')
        async with event_source(api.app, "/graphql", {"query": after}) as source:
            rest = [(await source.next())["data"]["events"] for _ in range(14 - len(events))]

    (error,) = result["errors"]
    assert error["extensions"]["code"] == "TOO_SLOW"
    assert error["extensions"]["cursor"] == events[-1]["cursor"]
    assert 2 <= len(events) < 8
    assert len({one["cursor"] for one in [*events, *rest]}) == 14


async def test_the_server_stops(make_api: Callable[..., Api]) -> None:
    streams = Streams()
    api = make_api(streams=streams)
    async with api.telling(), event_source(api.app, "/graphql", {"query": EVENTS}) as source:
        await api.video_flow()
        cursor = [await source.next() for _ in range(2)][-1]["data"]["events"]["cursor"]
        api.hub.stop()
        stopping = asyncio.create_task(streams.stop(20))
        (error,) = (await source.next())["errors"]
        await source.end()
        await soon(stopping)

    assert (error["extensions"]["code"], error["extensions"]["cursor"]) == ("STOPPING", cursor)
