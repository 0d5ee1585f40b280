"""What is wrong with a value is told with its field and its rule, literal or variable."""

from typing import Any

import pytest

from tests.graphql.conftest import Api

REGISTER = """mutation M($flow: UUID!, $timerange: TimeRange!) { registerSegments(
  input: {flowId: $flow, segments: [{objectId: "x", timerange: $timerange}]})
  { registeredCount failed { timerange errors { code rule field } } } }"""
BEYOND = "[99999999999:0_99999999999:5)"

MALFORMED = [
    ("x", "timerange.malformed"),
    ("[10:0_0:0)", "timerange.reversed"),
    ("2023-09-11T10:46:50Z/PT10S", "timerange.iso8601"),
]


def told(error: dict[str, Any]) -> tuple[str, str, str]:
    [problem] = error["extensions"]["problems"]
    return error["extensions"]["code"], problem["field"], problem["rule"]


@pytest.mark.parametrize(("text", "rule"), MALFORMED)
async def test_a_literal_names_its_argument_rule_and_place(api: Api, text: str, rule: str) -> None:
    query = f'{{ flows(filter: {{timerange: "{text}"}}) {{ totalCount }} }}'
    [error] = await api.errors(query)
    assert told(error) == ("INVALID_INPUT", "filter.timerange", rule)
    assert error["message"].startswith("filter.timerange: TimeRange: ")
    assert error["locations"] == [{"line": 1, "column": 17}]


@pytest.mark.parametrize(("text", "rule"), MALFORMED)
async def test_a_literal_names_the_item_of_a_list(api: Api, text: str, rule: str) -> None:
    flow = await api.video_flow()
    segments = f'[{{objectId: "a", timerange: "_"}}, {{objectId: "b", timerange: "{text}"}}]'
    given = f'{{flowId: "{flow["flowId"]}", segments: {segments}}}'
    [error] = await api.errors(
        f"mutation {{ registerSegments(input: {given}) {{ registeredCount }} }}"
    )
    assert told(error) == ("INVALID_INPUT", "input.segments.1.timerange", rule)


@pytest.mark.parametrize(("text", "rule"), MALFORMED)
async def test_a_variable_names_the_field_within(api: Api, text: str, rule: str) -> None:
    query = """mutation M($i: RegisterSegmentsInput!) {
      registerSegments(input: $i) { registeredCount } }"""
    segments = [{"objectId": "a", "timerange": "_"}, {"objectId": "b", "timerange": text}]
    flow_id = (await api.video_flow())["flowId"]
    [error] = await api.errors(query, i={"flowId": flow_id, "segments": segments})
    assert told(error) == ("INVALID_INPUT", "i.segments.1.timerange", rule)


async def test_a_default_value_names_its_variable(api: Api) -> None:
    query = 'query Q($t: TimeRange = "x") { flows(filter: {timerange: $t}) { totalCount } }'
    [error] = await api.errors(query)
    assert told(error) == ("INVALID_INPUT", "t", "timerange.malformed")


async def test_an_essence_of_null_is_told_without_words_of_ours(api: Api) -> None:
    [error] = await api.errors("mutation { putFlow(input: {essence: {video: null}}) { created } }")
    assert error["message"] == "Field 'EssenceInput.video' must be non-null."


async def test_filters_take_what_is_left_of_a_timerange_beyond_the_storable(api: Api) -> None:
    flow = await api.video_flow()
    await api.record(flow["flowId"], "[0:0_2:0)", "[2:0_4:0)")
    query = """query Q($id: UUID!, $t: TimeRange!, $beyond: TimeRange!) {
      flow(flowId: $id) {
        segments(timerange: $t) { nodes { start } totalCount }
        coverage(timerange: $t) { timerange }
        nothing: segments(timerange: $beyond) { totalCount }
      }
      some: flows(filter: {timerange: $t}) { totalCount }
      none: flows(filter: {timerange: $beyond}) { totalCount }
    }"""
    data = await api.data(query, id=flow["flowId"], t="[2:0_99999999999:0)", beyond=BEYOND)
    assert data == {
        "flow": {
            "segments": {"nodes": [{"start": "2:0"}], "totalCount": 1},
            "coverage": [{"timerange": "[2:0_4:0)"}],
            "nothing": {"totalCount": 0},
        },
        "some": {"totalCount": 1},
        "none": {"totalCount": 0},
    }


async def test_what_would_be_stored_beyond_the_storable_is_refused(api: Api) -> None:
    flow = await api.video_flow()
    data = await api.data(REGISTER, flow=flow["flowId"], timerange=BEYOND)
    assert data["registerSegments"] == {
        "registeredCount": 0,
        "failed": [
            {
                "timerange": BEYOND,
                "errors": [
                    {
                        "code": "INVALID_INPUT",
                        "rule": "timestamp.out_of_range",
                        "field": ["segments", "0", "timerange"],
                    }
                ],
            }
        ],
    }


async def test_a_clip_beyond_the_storable_is_refused(api: Api) -> None:
    flow = await api.video_flow()
    await api.record(flow["flowId"], "[0:0_2:0)")
    payload = await api.mutate(
        "composeFlow",
        "ComposeFlowInput",
        "flow { flowId } errors { rule field }",
        codec="video/h264",
        container="video/mp2t",
        essence={"video": {"frameWidth": 1920, "frameHeight": 1080, "vfr": True}},
        clips=[{"flowId": flow["flowId"], "timerange": "[0:0_99999999999:0)"}],
    )
    assert payload == {
        "flow": None,
        "errors": [{"rule": "timestamp.out_of_range", "field": ["clips", "0", "timerange"]}],
    }
