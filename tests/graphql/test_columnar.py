"""The columnar completer answers as stock execution: data, key order, errors, paths."""

import ast
import itertools
import json
from typing import Any

import pytest

from tams_graphql.graphql import columnar
from tams_graphql.graphql.context import OperationContext
from tams_graphql.graphql.limits import Limits
from tams_graphql.graphql.schema import make_schema
from tams_graphql.metadata import tables
from tams_graphql.metadata.engine import Changes, MetadataEngine, Row
from tests.graphql.conftest import DISK, Api

FLOW = "10000000-0000-4000-8000-000000000001"
EMPTY = "10000000-0000-4000-8000-000000000002"
LIMITS = Limits(cost=10**9, aliases=100, directives=100, depth=30)

LEAVES = (
    "id flowId objectId timerange start end duration tsOffset lastDuration objectTimerange"
    " keyFrameCount sampleOffset sampleCount"
)
URLS = "getUrls { url label presigned controlled }"

# Selections on a FlowSegment.
SELECTIONS = [
    LEAVES,
    "objectId",
    "timerange objectId start",
    "start timerange objectId timerange",
    "a: objectId b: objectId timerange c: start",
    "__typename objectId t: __typename",
    "...One ...Two",
    "...Two ...One objectId",
    "... on FlowSegment { objectId } ... on Node { id } ... { start }",
    "objectId @skip(if: $yes) start",
    "objectId @include(if: $yes) start @include(if: $no)",
    "objectId @skip(if: $yes)",
    "...One @include(if: $no) end",
    URLS,
    "getUrls { url headUrl label }",
    "getUrls { ...U } objectId",
    "getUrls { __typename u: url }",
    "getUrls { url storageBackend { label storageId } }",
    'getUrls(filter: {labels: ["disk"]}) { url }',
    "getUrls(filter: {labels: []}) { url }",
    "getUrls(filter: {presigned: $no}) { url label }",
    "getUrls(filter: $filter) { label }",
    'a: getUrls(filter: {labels: ["disk"]}) { url } b: getUrls(filter: {labels: ["cdn"]}) { url }',
    'getUrls(filter: {storageTags: [{name: "tier", anyOf: ["hot"]}]}) { label }',
    'getUrls(filter: {storageTags: [{name: "tier"}]}) { label }',
    "initObject { objectId }",
    "initObject { objectId getUrls { url } } objectId",
    "initObject { __typename i: objectId }",
    "keyFrameCount objectId",
    "object { objectId } objectId",
    "objectId object { keyFrameCount timerange { duration } } start",
]

# Where the segments come from, around each selection.
FRAMES = [
    "flow(flowId: $flow) { segments(first: $first) { nodes { %s } } }",
    "flow(flowId: $flow) { segments(first: $first) { edges { cursor node { %s } } } }",
    "flow(flowId: $flow) { segments(last: $first) { e: edges { n: node { %s } c: cursor } } }",
    """flow(flowId: $flow) { segments(first: $first, timerange: "[20:0_40:0)", reverse: true) {
         nodes { %s } totalCount pageInfo { endCursor } } }""",
]

DOCUMENT = """
query Q($flow: UUID!, $first: Int, $yes: Boolean! = true, $no: Boolean! = false,
        $filter: GetUrlFilter) {
  %s
  service { name @skip(if: $yes) type @include(if: $no) version: serviceVersion }
  flows(filter: {label: "none of this name"}) { nodes { segments { nodes { ...One ...Two } } } }
  object(objectId: "nothing") { getUrls(filter: $filter) { ...U } }
}
fragment One on FlowSegment { objectId timerange }
fragment Two on FlowSegment { start objectId getUrls { url } }
fragment U on GetUrl { url label }
"""


def segment(index: int, **values: Any) -> Row:
    start = index * 2_000_000_000
    row: dict[str, Any] = dict.fromkeys(tables.SEGMENTS.columns)
    return (
        row
        | {
            "flow_id": FLOW,
            "incarnation": "1",
            "object_id": f"object {index}",
            "instances_json": json.dumps(
                [
                    {"storage_id": DISK, "key": f"k{index}"},
                    {"url": f"https://cdn.example.com/{index}", "label": "cdn"},
                ]
            ),
            "start_ns": start,
            "end_ns": start + 2_000_000_000,
            "bounds": 0,
            "object_start_ns": 0,
            "object_end_ns": 2_000_000_000,
            "object_bounds": 0,
            "created_us": 1,
        }
        | values
    )


def rows() -> list[Row]:
    special: list[dict[str, Any]] = [
        {"ts_offset_ns": -5, "last_duration_ns": 40_000_000, "key_frame_count": 3},
        {"sample_offset": 7, "sample_count": 2**40},
        {"init_object_id": "init", "init_instances_json": '[{"url": "https://x/i", "label": "i"}]'},
        {"instances_json": "[]"},
        {"bounds": 2, "object_bounds": 1},
    ]
    return [
        segment(index, **(special[index] if index < len(special) else {})) for index in range(30)
    ]


@pytest.fixture
async def filled(api: Api, engine: MetadataEngine) -> Api:
    for flow_id in (FLOW, EMPTY):
        await api.video_flow(flowId=flow_id)
    await insert(engine, rows())
    return api


async def insert(engine: MetadataEngine, segments: list[Row]) -> None:
    (flow,) = (await engine.get(tables.FLOWS, [(FLOW,)])).to_pylist()
    placed = [{**segment, "timeline_id": flow["timeline_id"]} for segment in segments]
    await engine.commit(lambda _: Changes(answer=None, insert={tables.SEGMENTS: placed}), [])


async def execute(api: Api, query: str, variables: dict[str, Any], *, columns: bool) -> Any:
    result = await make_schema(LIMITS, columnar=columns).execute(
        query, variables, OperationContext(api.context(), LIMITS.cost)
    )
    errors = [error.formatted for error in result.errors or ()]
    # repr keeps the order of keys, which equality of dictionaries does not.
    return repr(result.data), errors


VARIABLES: list[dict[str, Any]] = [
    {"flow": FLOW, "first": 30, "filter": {"labels": ["cdn"]}},
    {"flow": EMPTY, "first": 5},
]


@pytest.mark.parametrize("frame", FRAMES)
async def test_it_agrees_with_stock_execution(filled: Api, frame: str) -> None:
    for selection, variables in itertools.product(SELECTIONS, VARIABLES):
        query = DOCUMENT % (frame % selection)
        stock = await execute(filled, query, variables, columns=False)
        assert await execute(filled, query, variables, columns=True) == stock, query
        assert "GRAPHQL_VALIDATION_FAILED" not in str(stock), query


@pytest.mark.parametrize("selection", ["keyFrameCount", LEAVES, f"objectId {URLS} keyFrameCount"])
@pytest.mark.parametrize("count", [2**31, -(2**31) - 1, 2**53])
async def test_numbers_that_no_int_can_hold_are_the_same_errors(
    filled: Api, engine: MetadataEngine, selection: str, count: int
) -> None:
    await insert(engine, [segment(100, key_frame_count=count), segment(101, key_frame_count=1)])
    for frame in FRAMES[:2]:
        query = DOCUMENT % (frame % selection)
        variables = {"flow": FLOW, "first": 50}
        stock = await execute(filled, query, variables, columns=False)
        assert await execute(filled, query, variables, columns=True) == stock
        [error] = stock[1]
        assert "non 32-bit signed integer" in error["message"]
        assert error["path"][-1] == "keyFrameCount"
        assert 30 in error["path"]


PROVEN = [
    one
    for one in SELECTIONS
    if "object {" not in one
    and "storageBackend" not in one
    and '[{name: "tier"}]' not in one
    and one != "objectId @skip(if: $yes)"
]


async def test_flat_selections_take_the_fast_path(
    filled: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[bool] = []
    proven = columnar.ColumnarExecutor._rows

    def watched(self: Any, *given: Any) -> Any:
        taken.append(False)
        this = len(taken) - 1
        rows = proven(self, *given)
        taken[this] = True
        return rows

    monkeypatch.setattr(columnar.ColumnarExecutor, "_rows", watched)
    for frame, selection in itertools.product(FRAMES[:3], PROVEN):
        taken.clear()
        await execute(filled, DOCUMENT % (frame % selection), VARIABLES[0], columns=True)
        assert taken, selection
        assert all(taken), selection


async def test_different_selections_in_one_tick_each_get_their_columns(filled: Api) -> None:
    selections = ["objectId", "timerange", "...Two", "initObject { objectId } tsOffset"]
    frame = "flow(flowId: $flow) { %s }"
    lists = [
        f"p{n}: segments(first: $first) {{ nodes {{ {s} }} }}" for n, s in enumerate(selections)
    ]
    for columns in (True, False):
        together, errors = await execute(
            filled, DOCUMENT % (frame % " ".join(lists)), VARIABLES[0], columns=columns
        )
        assert errors == []
        for one in lists:
            alone, _ = await execute(filled, DOCUMENT % (frame % one), VARIABLES[0], columns=True)
            assert (
                ast.literal_eval(alone)["flow"].items()
                <= ast.literal_eval(together)["flow"].items()
            )
