"""`graphql-transport-ws`, message by message: operations, refusals, and how sockets close."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import orjson
import pytest
from starlette.types import ASGIApp

from tams_graphql.graphql.limits import Limits
from tams_graphql.graphql.streams import Streams
from tams_graphql.guards import HostGuard, OriginGuard
from tams_graphql.observability import RequestLog
from tests.graphql.conftest import Api
from tests.support.asgi import WebSocketClient, soon, websocket

EVENTS = "subscription { events { __typename ... on LoggedEvent { cursor } } }"


@pytest.fixture
async def live(make_api: Callable[..., Api]) -> AsyncIterator[Api]:
    api = make_api(streams=Streams(most_operations=3))
    async with api.telling():
        yield api


@pytest.fixture
async def socket(live: Api) -> AsyncIterator[WebSocketClient]:
    """One that has been initialised."""
    async with websocket(live.app, "/graphql") as client:
        assert client.accepted["subprotocol"] == "graphql-transport-ws"
        await client.init()
        yield client


async def following(socket: WebSocketClient, id: str = "1") -> None:  # noqa: A002
    """A subscription to all events that is there for sure: what is asked later is answered."""
    await socket.subscribe(id, EVENTS)
    await asyncio.sleep(0.05)


async def test_queries_mutations_and_subscriptions(live: Api, socket: WebSocketClient) -> None:
    await socket.subscribe("q", "query($a: Int!) { sources(first: $a) { nodes { label } } }", a=1)
    assert await socket.heard() == {
        "id": "q",
        "type": "next",
        "payload": {"data": {"sources": {"nodes": []}}},
    }
    assert await socket.heard() == {"id": "q", "type": "complete"}
    await socket.subscribe(
        "m", 'mutation { updateService(input: {name: "ours"}) { service { name } } }'
    )
    assert (await socket.heard())["payload"]["data"]["updateService"]["service"]["name"] == "ours"
    assert await socket.heard() == {"id": "m", "type": "complete"}
    await following(socket, "s")
    await live.video_flow()
    heard = [await socket.heard() for _ in range(2)]
    assert sorted(one["payload"]["data"]["events"]["__typename"] for one in heard) == [
        "FlowCreated",
        "SourceCreated",
    ]
    assert {one["id"] for one in heard} == {"s"}


async def test_what_is_complete_is_told_no_more(live: Api, socket: WebSocketClient) -> None:
    await following(socket, "1")
    await socket.say(type="complete", id="1")
    await following(socket, "2")
    await live.video_flow()

    assert {(await socket.heard())["id"] for _ in range(2)} == {"2"}
    assert len(live.hub._open) == 1


async def test_a_client_that_goes_leaves_nothing_behind(live: Api) -> None:
    async with websocket(live.app, "/graphql") as client:
        await client.init()
        await following(client)
        assert len(live.hub._open) == 1

    assert live.hub._open == live.hub._others == set()


async def test_refused_operations_leave_the_socket_open(socket: WebSocketClient) -> None:
    for query, code in (
        ("subscription {", "GRAPHQL_PARSE_FAILED"),
        ("subscription { nothing }", "GRAPHQL_VALIDATION_FAILED"),
        ("{ __typename " + "#" * 30_000 + "\n}", "LIMIT_EXCEEDED"),
        ("query A { __typename } query B { __typename }", "OPERATION_RESOLUTION_FAILURE"),
        ("fragment F on Query { __typename }", "OPERATION_RESOLUTION_FAILURE"),
    ):
        await socket.subscribe("1", query)
        told = await socket.heard()
        assert (told["type"], told["id"]) == ("error", "1")
        assert told["payload"][0]["extensions"]["code"] == code, query


async def test_too_many_operations_on_one_socket(live: Api, socket: WebSocketClient) -> None:
    for number in range(3):
        await following(socket, str(number))
    await socket.subscribe("one too many", EVENTS)

    told = await socket.heard()
    assert (told["type"], told["id"]) == ("error", "one too many")
    assert told["payload"][0]["extensions"] == {
        "code": "LIMIT_EXCEEDED",
        "limit": "operations",
        "value": 4,
        "allowed": 3,
    }
    await socket.say(type="complete", id="0")
    await socket.subscribe("again", "{ service { name } }")
    assert (await socket.heard())["type"] == "next"


async def test_pings_are_answered(socket: WebSocketClient) -> None:
    await socket.say(type="ping")
    assert await socket.heard() == {"type": "pong"}


@pytest.mark.parametrize(
    "text",
    [
        "[]",
        "null",
        "1",
        "{}",
        '{"type": 1}',
        '{"type": "start", "id": "1"}',
        '{"type": "subscribe"}',
        '{"type": "subscribe", "id": 1, "payload": {"query": "{__typename}"}}',
        '{"type": "subscribe", "id": "", "payload": {"query": "{__typename}"}}',
        '{"type": "subscribe", "id": "1", "payload": []}',
        '{"type": "subscribe", "id": "1", "payload": {}}',
        '{"type": "subscribe", "id": "1", "payload": {"query": "{a}", "variables": []}}',
        '{"type": "subscribe", "id": "1", "payload": {"query": "{a}", "operationName": 1}}',
        '{"type": "subscribe", "id": "1", "payload": {"query": ""}}',
        '{"type": "complete"}',
        "not JSON",
    ],
)
async def test_what_is_no_message_closes_the_socket(socket: WebSocketClient, text: str) -> None:
    await socket.send_text(text)
    code, reason = await socket.closed()
    assert code == 4400
    assert 0 < len(reason) <= 123


async def test_bytes_close_the_socket(socket: WebSocketClient) -> None:
    await socket.send_bytes(b"{}")
    assert (await socket.closed())[0] == 4400


async def test_an_id_that_is_in_use_closes_the_socket(socket: WebSocketClient) -> None:
    await following(socket, "x" * 200)
    await socket.subscribe("x" * 200, EVENTS)
    code, reason = await socket.closed()
    assert (code, len(reason)) == (4409, 123)


async def test_a_message_too_long(make_api: Callable[..., Api]) -> None:
    api = make_api(limits=Limits(body_bytes=200))
    async with websocket(api.app, "/graphql") as client:
        await client.init()
        await client.subscribe("1", "{ __typename }", a="x" * 200)
        assert await client.closed() == (1009, "a message exceeds 200 characters")


async def test_who_does_not_say_hello_is_closed(make_api: Callable[..., Api]) -> None:
    api = make_api(streams=Streams(init_seconds=0.05))
    async with websocket(api.app, "/graphql") as client:
        assert (await client.closed())[0] == 4408


async def test_nothing_runs_before_hello(live: Api) -> None:
    async with websocket(live.app, "/graphql") as client:
        await client.subscribe("1", "{ __typename }")
        assert await client.closed() == (4401, "Unauthorized")


async def test_the_older_protocol_is_not_spoken(live: Api) -> None:
    async with websocket(live.app, "/graphql", protocol="graphql-ws") as client:
        assert client.accepted["subprotocol"] is None
        assert await client.closed() == (4406, "Subprotocol not acceptable")


async def test_pings_keep_the_connection_alive(make_api: Callable[..., Api]) -> None:
    api = make_api(streams=Streams(keep_alive=0.02))
    async with websocket(api.app, "/graphql") as client:
        await client.init()
        await client.pinged()
        await client.say(type="pong")
        await client.pinged()


async def test_the_server_stops(make_api: Callable[..., Api]) -> None:
    streams = Streams()
    api = make_api(streams=streams)
    async with api.telling(), websocket(api.app, "/graphql") as client:
        await client.init()
        await following(client)
        await api.video_flow()
        cursor = [await client.heard() for _ in range(2)][-1]["payload"]["data"]["events"]["cursor"]

        api.hub.stop()
        stopping = asyncio.create_task(streams.stop(20))
        told = await client.heard()
        assert told["type"] == "next"
        assert told["payload"]["data"] is None
        extensions = told["payload"]["errors"][0]["extensions"]
        assert (extensions["code"], extensions["cursor"]) == ("STOPPING", cursor)
        assert await client.heard() == {"id": "1", "type": "complete"}
        assert await client.closed() == (1012, "the server stops")
        await client._wire.to_app.put({"type": "websocket.disconnect", "code": 1012})
        await soon(stopping)


@pytest.mark.parametrize(
    ("origin", "accepted"),
    [
        (None, True),
        ("http://localhost:3000", True),
        ("http://127.0.0.1:8000", True),
        ("https://editor.example", True),
        ("https://evil.example", False),
        ("null", False),
    ],
)
async def test_the_origins_of_pages_are_checked(
    live: Api, origin: str | None, accepted: bool
) -> None:
    app: ASGIApp = OriginGuard(live.app, frozenset({"https://editor.example"}))
    headers = {} if origin is None else {"origin": origin}
    async with websocket(app, "/graphql", **headers) as client:
        assert (client.accepted["type"] == "websocket.accept") is accepted


async def test_the_name_of_the_server_is_checked(live: Api) -> None:
    app: ASGIApp = HostGuard(live.app, frozenset({"localhost"}))
    async with websocket(app, "/graphql") as client:
        assert client.accepted["type"] == "websocket.http.response.start"
        assert client.accepted["status"] == 403
        body: Any = await soon(client._wire.from_app.get())
        assert orjson.loads(body["body"])["details"][0]["rule"] == "host.unknown"


async def test_who_does_not_read_is_cut_off_and_told_where_to_go_on(
    make_api: Callable[..., Api], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Api, "queue_length", 5)
    api = make_api()
    async with api.telling(), websocket(api.app, "/graphql") as client:
        await client.init()
        await following(client)
        flow = await api.video_flow()
        for number in range(10):
            await api.record(flow["flowId"], f"[{number}:0_{number + 1}:0)")
        waiting = [one for each in api.hub._open for one in each._waiting]
        assert len(waiting) <= 5
        events = []
        while "errors" not in (payload := (await client.heard())["payload"]):
            events.append(payload["data"]["events"])
        assert payload["errors"][0]["extensions"]["code"] == "TOO_SLOW"
        cursor = payload["errors"][0]["extensions"]["cursor"]
        assert cursor == events[-1]["cursor"]
        assert await client.heard() == {"id": "1", "type": "complete"}
        await client.subscribe("2", EVENTS.replace("events", f'events(after: "{cursor}")'))
        rest = [(await client.heard())["payload"] for _ in range(12 - len(events))]
        events += [one["data"]["events"] for one in rest]

    assert [one["__typename"] for one in events[2:]] == ["SegmentsAdded"] * 10
    assert len({one["cursor"] for one in events}) == 12


async def test_our_own_mistakes_are_masked(live: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: Any) -> Any:
        raise ZeroDivisionError

    monkeypatch.setattr("tams_graphql.graphql.events.resolvers.event_source", broken)
    query = "subscription { events { ... on SourceCreated { source { label } } } }"
    async with websocket(live.app, "/graphql") as client:
        await client.init()
        await client.subscribe("1", query)
        await asyncio.sleep(0.05)
        await live.video_flow()
        payloads = [(await client.heard())["payload"] for _ in range(2)]

    (error,) = next(one["errors"] for one in payloads if "errors" in one)
    assert error["message"] == "internal error"
    assert error["extensions"] == {"code": "INTERNAL", "requestId": "request-1"}


async def test_a_socket_has_the_id_of_its_request() -> None:
    seen: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope["state"]["request_id"])
        await send({"type": "websocket.close"})

    for headers in ({"x-request-id": "socket-1"}, {}):
        async with websocket(RequestLog(app), "/graphql", **headers):
            pass

    assert seen[0] == "socket-1"
    assert len(seen[1]) == 32
