"""What subscriptions tell: everything once, in order, as it was; and when they can't."""

import gc
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest
from graphql.execution.collect_fields import FieldDetails

from tams_graphql.graphql.limits import Limits
from tams_graphql.metadata.edits import Edits
from tams_graphql.metadata.engine import MetadataEngine
from tams_graphql.metadata.event_tables import EVENT_FLOORS
from tests.graphql.conftest import Api
from tests.support.asgi import EventSource, event_source

EVENTS = """subscription E($filter: EventFilter, $after: String) {
  events(filter: $filter, after: $after) {
    __typename
    ... on LoggedEvent { cursor eventId occurredAt actor sourceId }
    ... on FlowEvent { flowId }
    ... on FlowCreated { flow { label timerange { timerange } } }
    ... on FlowUpdated { flow { label tag(name: "state") { values } } }
    ... on FlowDeleted { flow { label segmentCount } }
    ... on SegmentsAdded { segments { objectId timerange } }
    ... on SegmentsDeleted { timerange { timerange start } }
    ... on SourceCreated { source { label format } }
    ... on SourceUpdated { source { label } }
    ... on SourceDeleted { source { sourceId } }
  }
}"""
NAMES = """subscription N($filter: EventFilter, $after: String) {
  events(filter: $filter, after: $after) { __typename ... on LoggedEvent { cursor } }
}"""
ADDED = """subscription A($flowId: UUID!, $after: String) {
  segmentsAdded(flowId: $flowId, after: $after) { cursor flowId segments { objectId timerange } }
}"""


@pytest.fixture
async def live(api: Api) -> AsyncIterator[Api]:
    """An API that tells subscribers of events."""
    async with api.telling():
        yield api


def following(api: Api, query: str, **variables: Any) -> AbstractAsyncContextManager[EventSource]:
    return event_source(api.app, "/graphql", {"query": query, "variables": variables})


async def told(source: EventSource, count: int) -> list[dict[str, Any]]:
    """So many events of the field `events` or `segmentsAdded`."""
    found = []
    for _ in range(count):
        result = await source.next()
        assert "errors" not in result, result["errors"]
        found.append(next(iter(result["data"].values())))
    return found


async def log(api: Api) -> dict[str, str]:
    """The cursors at the ends of the log."""
    ends: dict[str, str] = (await api.data("{ eventLog { cursor oldestCursor } }"))["eventLog"]
    return ends


async def retitle(api: Api, flow_id: str, **changes: Any) -> None:
    payload = await api.mutate(
        "updateFlow", "UpdateFlowInput", "errors { message }", flowId=flow_id, **changes
    )
    assert payload["errors"] == []


async def delete_flow(api: Api, flow_id: str) -> None:
    payload = await api.mutate(
        "deleteFlow", "DeleteFlowInput", "errors { message }", flowId=flow_id
    )
    assert payload["errors"] == []


async def test_the_life_of_a_flow_as_it_happens(live: Api) -> None:
    async with following(live, EVENTS) as source:
        assert (source.status, source.headers["content-type"]) == (200, "text/event-stream")
        await live.followed()
        flow = await live.video_flow(label="Camera 1")
        created = await told(source, 2)
        ids = await live.record(flow["flowId"], "[0:0_2:0)", "[2:0_4:0)")
        (added,) = await told(source, 1)
        await retitle(
            live, flow["flowId"], label="Camera 2", setTags=[{"name": "state", "values": ["live"]}]
        )
        (updated,) = await told(source, 1)
        await delete_flow(live, flow["flowId"])
        deleted = await told(source, 2)

    everything = [*created, added, updated, *deleted]
    by_name = {one["__typename"]: one for one in everything}
    assert {one["sourceId"] for one in everything} == {flow["sourceId"]}
    assert {one.get("flowId") for one in everything} == {flow["flowId"], None}
    assert {one["actor"] for one in everything} == {"anonymous"}
    assert len({one["eventId"] for one in everything}) == 6
    assert by_name["FlowCreated"]["flow"] == {
        "label": "Camera 1",
        "timerange": {"timerange": "()"},
    }
    assert by_name["SourceCreated"]["source"] == {"label": None, "format": "VIDEO"}
    assert added["segments"] == [
        {"objectId": ids[0], "timerange": "[0:0_2:0)"},
        {"objectId": ids[1], "timerange": "[2:0_4:0)"},
    ]
    assert updated["flow"] == {"label": "Camera 2", "tag": {"values": ["live"]}}
    assert by_name["FlowDeleted"]["flow"] == {"label": "Camera 2", "segmentCount": 2}
    assert by_name["SourceDeleted"]["source"] == {"sourceId": flow["sourceId"]}


async def test_what_was_missed_comes_first_and_then_what_happens(live: Api) -> None:
    flow = await live.video_flow()
    before = (await log(live))["cursor"]
    ids = await live.record(flow["flowId"], "[0:0_1:0)")
    ids += await live.record(flow["flowId"], "[1:0_2:0)")

    async with following(live, ADDED, flowId=flow["flowId"], after=before) as source:
        events = await told(source, 2)
        ids += await live.record(flow["flowId"], "[2:0_3:0)")
        events += await told(source, 1)

    assert [one["segments"][0]["objectId"] for one in events] == ids
    assert events[-1]["cursor"] == (await log(live))["cursor"]


async def test_whoever_comes_back_with_a_cursor_hears_the_rest_and_nothing_twice(
    live: Api,
) -> None:
    flow = await live.video_flow()
    cursor = (await log(live))["oldestCursor"]
    expected = ["FlowCreated", "SourceCreated", *["SegmentsAdded"] * 6]
    heard: list[dict[str, Any]] = []
    for number in range(6):
        await live.record(flow["flowId"], f"[{number}:0_{number + 1}:0)")
        if number % 2:
            async with following(live, NAMES, after=cursor) as source:
                heard += await told(source, number + 3 - len(heard))
            cursor = heard[-1]["cursor"]
    async with following(live, NAMES, after=cursor) as source:
        heard += await told(source, 8 - len(heard))

    assert sorted(one["__typename"] for one in heard) == sorted(expected)
    assert len({one["cursor"] for one in heard}) == 8


async def test_filters_let_through_what_they_say(live: Api) -> None:
    oldest = (await log(live))["oldestCursor"]
    tags = [{"name": "state", "values": ["live", "hd"]}]
    first, second = await live.video_flow(tags=tags), await live.video_flow()
    collector = await live.video_flow(
        codec=None,
        container=None,
        essence={"multi": {}},
        flowCollection=[{"flowId": first["flowId"]}],
    )
    for number in range(2):
        for flow in (first, second):
            await live.record(flow["flowId"], f"[{number}:0_{number + 1}:0)")

    async def heard(count: int, **wanted: Any) -> list[str]:
        wanted = {"types": ["FLOWS_SEGMENTS_ADDED"]} | wanted
        async with following(live, EVENTS, filter=wanted, after=oldest) as source:
            flow_ids = [one["flowId"] for one in await told(source, count)]
        return ["first" if one == first["flowId"] else "second" for one in flow_ids]

    of_first, of_second = ["first"] * 2, ["second"] * 2
    assert await heard(4) == ["first", "second"] * 2
    assert await heard(2, flowIds=[first["flowId"]]) == of_first
    assert await heard(2, flowIds=[second["flowId"]]) == of_second
    assert await heard(2, sourceIds=[second["sourceId"]]) == of_second
    assert await heard(2, flowCollectedByIds=[collector["flowId"]]) == of_first
    assert await heard(2, flowCollectedByIds=[]) == of_second
    assert await heard(2, sourceCollectedByIds=[collector["sourceId"]]) == of_first
    assert await heard(2, sourceCollectedByIds=[]) == of_second
    assert await heard(2, tags=[{"name": "state", "anyOf": ["hd"]}]) == of_first
    assert await heard(2, tags=[{"name": "state", "exists": False}]) == of_second


async def test_urls_are_signed_when_selected(live: Api) -> None:
    query = (
        "subscription U($id: UUID!) { segmentsAdded(flowId: $id) { segments { getUrls { url } } } }"
    )
    flow = await live.video_flow()
    async with following(live, query, id=flow["flowId"]) as source:
        await live.followed()
        await live.record(flow["flowId"], "[0:0_2:0)")
        (added,) = await told(source, 1)

    (url,) = added["segments"][0]["getUrls"]
    segments = '{ flow(flowId: "%s") { segments { nodes { getUrls { url } } } } }'
    page = (await live.data(segments % flow["flowId"]))["flow"]["segments"]
    assert url["url"].split("?")[0] == page["nodes"][0]["getUrls"][0]["url"].split("?")[0]


async def test_what_hangs_on_an_event_is_read_anew_for_each(live: Api) -> None:
    query = """subscription L($id: UUID!) { segmentsAdded(flowId: $id) { flow {
      label segmentCount source { label } segments { totalCount } } } }"""
    flow = await live.video_flow(label="one")
    async with following(live, query, id=flow["flowId"]) as source:
        await live.followed()
        await live.record(flow["flowId"], "[0:0_2:0)")
        (first,) = await told(source, 1)
        await retitle(live, flow["flowId"], label="two")
        await live.record(flow["flowId"], "[2:0_4:0)")
        (second,) = await told(source, 1)

    of_source = {"label": None}
    assert [first["flow"], second["flow"]] == [
        {"label": "one", "segmentCount": 1, "source": of_source, "segments": {"totalCount": 1}},
        {"label": "two", "segmentCount": 2, "source": of_source, "segments": {"totalCount": 2}},
    ]


async def test_an_event_that_was_told_leaves_nothing_behind(live: Api) -> None:
    flow = await live.video_flow()
    after = (await log(live))["cursor"]
    counts = []
    async with following(live, ADDED, flowId=flow["flowId"], after=after) as source:
        for number in range(20):
            await live.record(flow["flowId"], f"[{number}:0_{number + 1}:0)")
            await told(source, 1)
            gc.collect()
            counts.append(sum(isinstance(one, FieldDetails) for one in gc.get_objects()))
    assert counts[-1] == counts[1]


async def test_an_error_in_one_event_does_not_end_the_subscription(live: Api) -> None:
    query = """subscription D { events(filter: {types: [FLOWS_DELETED]}) {
      ... on FlowDeleted { flowId flow { segments(first: 0) { totalCount } } } } }"""
    first, second = await live.video_flow(), await live.video_flow()
    async with following(live, query) as source:
        await live.followed()
        for flow in (first, second):
            await delete_flow(live, flow["flowId"])
            result = await source.next()
            (error,) = result["errors"]
            assert error["extensions"]["code"] == "INVALID_INPUT"
            assert error["path"] == ["events", "flow", "segments"]


async def test_a_cursor_of_what_is_no_longer_kept(live: Api, engine: MetadataEngine) -> None:
    oldest = (await log(live))["oldestCursor"]
    await live.video_flow()
    await forget_all_events(live)
    kept = await log(live)
    async with following(live, NAMES, after=oldest) as source:
        result = await source.next()
        await source.end()

    (error,) = result["errors"]
    assert error["extensions"]["code"] == "CURSOR_TOO_OLD"
    assert error["extensions"]["oldestCursor"] == kept["oldestCursor"] == kept["cursor"]
    async with following(live, NAMES, after=kept["oldestCursor"]) as source:
        await live.video_flow()
        assert len(await told(source, 2)) == 2


async def forget_all_events(api: Api) -> None:
    """As retention does."""
    heads = await api.hub.log.heads()

    def command(view: Any) -> Any:
        edits = Edits()
        for lane, sequence in heads.items():
            edits.update(EVENT_FLOORS, {"lane": lane, "sequence": sequence})
        return edits.changes(None)

    await api.engine.commit(command, [])


@pytest.mark.parametrize(
    ("cursor", "rule"),
    [
        ("nonsense", "cursor.malformed"),
        ("", "cursor.malformed"),
        ("WzEsIngiLFtdXQ", "cursor.foreign"),
    ],
)
async def test_a_cursor_of_nothing(live: Api, cursor: str, rule: str) -> None:
    async with following(live, NAMES, after=cursor) as source:
        result = await source.next()
        await source.end()

    (error,) = result["errors"]
    assert error["extensions"]["code"] == "INVALID_INPUT"
    assert error["extensions"]["problems"][0]["field"] == "after"
    assert error["extensions"]["problems"][0]["rule"] == rule


async def test_a_filter_too_long(live: Api) -> None:
    wanted = {"flowIds": ["33333333-3333-4333-8333-333333333333"] * 101}
    async with following(live, NAMES, filter=wanted) as source:
        result = await source.next()

    (error,) = result["errors"]
    assert error["extensions"]["problems"][0]["field"] == "filter.flowIds"


async def test_the_limits_of_queries_hold(engine: MetadataEngine) -> None:
    api = Api(engine, limits=Limits(depth=4, characters=500, tokens=60, cost=150))
    queries = {
        "depth": "subscription { events { ... on FlowCreated { flow { source { collectedBy {"
        " label } } } } } }",
        "characters": "subscription { events { __typename } }" + " " * 500,
        "tokens": "subscription { events { " + "cursor " * 60 + "} }",
        "cost": """subscription { events { ... on SegmentsAdded {
            segments { getUrls { url } } flow { segments(first: 100) { totalCount } } } } }""",
    }
    for limit, query in queries.items():
        async with following(api, query) as source:
            result = await source.next()
            await source.end()
        (error,) = result["errors"]
        assert (error["extensions"]["code"], error["extensions"]["limit"]) == (
            "LIMIT_EXCEEDED",
            limit,
        )
    await api.http.aclose()


async def test_one_subscription_has_one_field(live: Api) -> None:
    query = "subscription { a: events { __typename } b: events { __typename } }"
    async with following(live, query) as source:
        (error,) = (await source.next())["errors"]

    assert error["extensions"]["code"] == "GRAPHQL_VALIDATION_FAILED"


async def test_the_end_of_the_server_is_told(live: Api) -> None:
    async with following(live, NAMES) as source:
        await live.video_flow()
        events = await told(source, 2)
        live.hub.stop()
        (error,) = (await source.next())["errors"]
        await source.end()

    assert error["extensions"]["code"] == "STOPPING"
    assert error["extensions"]["cursor"] == events[-1]["cursor"]
