"""Each limit of one operation is refused by name, with the value and what is allowed."""

from collections.abc import Callable
from typing import Any

import pytest

from tams_graphql.graphql.limits import Limits
from tests.graphql.conftest import Api


async def refusal(api: Api, query: str, variables: dict[str, Any] | None = None) -> dict[str, Any]:
    body = await api.post(query, variables)
    assert "data" not in body
    [error] = body["errors"]
    extensions: dict[str, Any] = error["extensions"]
    return extensions


def exceeded(limit: str, value: int, allowed: int) -> dict[str, Any]:
    return {"code": "LIMIT_EXCEEDED", "limit": limit, "value": value, "allowed": allowed}


def collected(times: int, inner: str) -> str:
    return "collectedBy { " * times + inner + " }" * times


async def test_depth(api: Api) -> None:
    deep = "{ sources { nodes { %s } } }"
    allowed = await api.post(deep % collected(1, "label"))
    assert allowed == {"data": {"sources": {"nodes": []}}}
    assert await refusal(api, deep % collected(10, "label")) == exceeded("depth", 13, 12)


async def test_depth_counts_through_fragments(api: Api) -> None:
    query = (
        f"{{ sources {{ nodes {{ ...Up }} }} }} fragment Up on Source {{ {collected(10, 'id')} }}"
    )
    assert await refusal(api, query) == exceeded("depth", 13, 12)


async def test_introspection_is_exempt_from_depth_and_cost(make_api: Callable[..., Api]) -> None:
    api = make_api(limits=Limits(depth=1, cost=0))
    query = "{ __schema { types { fields { type { ofType { ofType { name } } } } } } }"
    assert "errors" not in await api.post(query)


async def test_aliases(api: Api) -> None:
    query = "{ service { %s } }"
    thirty = " ".join(f"a{i}: name" for i in range(30))
    assert "errors" not in await api.post(query % thirty)
    assert await refusal(api, query % (thirty + " b: name")) == exceeded("aliases", 31, 30)


async def test_root_fields_count_through_fragments(api: Api) -> None:
    twenty = " ".join(f"a{i}: service {{ name }}" for i in range(20))
    query = "{ ...All %s } fragment All on Query { %s }"
    assert "errors" not in await api.post(query % ("", twenty))
    refused = await refusal(api, query % ("service { name }", twenty))
    assert refused == exceeded("rootFields", 21, 20)


async def test_directives(api: Api) -> None:
    query = "{ service { %s } }"
    fifty = "... @include(if: true) { name } " * 50
    assert "errors" not in await api.post(query % fifty)
    refused = await refusal(api, query % (fifty + " type @skip(if: false)"))
    assert refused == exceeded("directives", 51, 50)


async def test_tokens(api: Api) -> None:
    refused = await refusal(api, "{ service { " + "name " * 1997 + "} }")
    assert refused == exceeded("tokens", 2002, 2000)


async def test_characters(api: Api) -> None:
    text = "{ service { name } }"
    assert "errors" not in await api.post(text.ljust(30_000))
    assert await refusal(api, text.ljust(30_001)) == exceeded("characters", 30_001, 30_000)


NESTED = """
query Nested($flows: Int, $segments: Int = 100, $with: Boolean = true) {
  sources(first: 10) {
    nodes { flows(first: $flows) { nodes { ...Segments @include(if: $with) } } }
    edges { node { label } }
  }
}
fragment Segments on Flow { segments(first: $segments) { edges { node { objectId } } } }
"""


@pytest.mark.parametrize(
    ("variables", "cost"),
    [
        ({}, 10 * (1 + 20 * (1 + 100))),
        ({"flows": 50, "segments": 50}, 10 * (1 + 50 * (1 + 50))),
        ({"flows": 1000}, 10 * (1 + 100 * (1 + 100))),
    ],
)
async def test_cost_multiplies_page_sizes_with_variables_and_fragments(
    api: Api, variables: dict[str, Any], cost: int
) -> None:
    assert await refusal(api, NESTED, variables) == exceeded("cost", cost, 20_000)


async def test_cost_leaves_out_what_is_not_included(api: Api) -> None:
    assert "errors" not in await api.post(NESTED, {"with": False})
    assert "errors" not in await api.post(NESTED, {"flows": 15})


async def test_members_of_collections_are_charged_while_the_operation_runs(
    make_api: Callable[..., Api],
) -> None:
    api = make_api(limits=Limits(cost=22))
    members = [(await api.video_flow(label=f"camera {i}"))["flowId"] for i in range(13)]
    parent = await api.mutate(
        "putFlow",
        "PutFlowInput",
        "flow { flowId } errors { message }",
        essence={"multi": {}},
        flowCollection=[{"flowId": one} for one in members],
    )
    query = """query Q($id: UUID!) { flow(flowId: $id) { flowCollection { flowId role }
               again: flowCollection { flowId } } }"""

    errors = await api.errors(query, id=parent["flow"]["flowId"])

    assert [error["extensions"] for error in errors] == [exceeded("cost", 26, 22)]


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ("first: 0", "first"),
        ("first: 101", "first"),
        ("last: -1", "last"),
        ("first: 1, last: 1", "first"),
        ('after: "x", last: 1', "after"),
    ],
)
async def test_paging_arguments_out_of_range_name_the_field(
    api: Api, arguments: str, field: str
) -> None:
    [error] = await api.errors(f"{{ sources({arguments}) {{ nodes {{ id }} }} }}")
    assert error["extensions"]["code"] == "INVALID_INPUT"
    assert error["extensions"]["problems"][0]["field"] == field
    assert error["path"] == ["sources"]


async def test_a_page_of_segments_holds_5000_at_most(api: Api) -> None:
    flow = await api.video_flow()
    query = """query Q($id: UUID!, $n: Int) {
      flow(flowId: $id) { segments(first: $n) { nodes { id } } } }"""
    assert "errors" not in await api.post(query, {"id": flow["flowId"], "n": 5000})
    [error] = await api.errors(query, id=flow["flowId"], n=5001)
    assert error["message"] == "first must be from 1 to 5000, not 5001"


async def test_cost_counts_a_page_size_that_is_written_as_a_float(api: Api) -> None:
    query = """query Q($n: Int) { flows(first: 100) { nodes {
      segments(first: $n) { nodes { objectId } } } } }"""
    assert await refusal(api, query, {"n": 5000.0}) == exceeded("cost", 500_100, 20_000)


async def test_values_of_variables(make_api: Callable[..., Api]) -> None:
    api = make_api(limits=Limits(values=10))
    query = "query Q($ids: [UUID!]) { flows(filter: {collectedBy: $ids}) { totalCount } }"
    ids = ["b0000000-0000-4000-8000-000000000001"] * 10
    assert "errors" not in await api.post(query, {"ids": ids[:9]})
    assert await refusal(api, query, {"ids": ids}) == exceeded("values", 11, 10)


@pytest.mark.parametrize(
    ("query", "field", "value"),
    [
        (
            "query Q($v: [UUID!]) { flows(filter: {collectedBy: $v}) { totalCount } }",
            "filter.collectedBy",
            "b0000000-0000-4000-8000-000000000001",
        ),
        (
            "query Q($v: [UUID!]) { sources(filter: {collectedBy: $v}) { totalCount } }",
            "filter.collectedBy",
            "b0000000-0000-4000-8000-000000000001",
        ),
        (
            """query Q($v: [String!]) {
              flows(filter: {tags: [{name: "a", anyOf: $v}]}) { totalCount } }""",
            "filter.tags.0.anyOf",
            "x",
        ),
        (
            "query Q($v: [TagFilter!]) { storageBackends(tags: $v) { totalCount } }",
            "tags",
            {"name": "a", "exists": True},
        ),
    ],
)
async def test_lists_in_filters_are_short(api: Api, query: str, field: str, value: Any) -> None:
    assert "errors" not in await api.post(query, {"v": [value] * 100})
    [error] = await api.errors(query, v=[value] * 101)
    assert error["extensions"]["problems"] == [
        {"field": field, "rule": "too_many", "message": "at most 100 entries, not 101"}
    ]


async def test_a_document_that_is_too_intricate_to_be_validated(api: Api) -> None:
    refused = await refusal(api, "{ sources { nodes { " + "flows { totalCount } " * 450 + "} } }")
    assert refused == {"code": "LIMIT_EXCEEDED", "limit": "complexity"}
