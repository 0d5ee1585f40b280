"""The table of listings leaves nothing out that the specification, the schema or we can list."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl

import pytest
from graphql import GraphQLField, GraphQLInputObjectType, GraphQLObjectType, get_named_type

from rest_compat.catalogue import RESOURCES
from rest_compat.parameters import LIMIT
from tests.paging.faces import schema
from tests.paging.listings import LISTINGS, Listing
from tests.rest_compat.official import Official, find_official

OVER_REST = {one.rest: one for one in LISTINGS if one.rest is not None}
OVER_GRAPHQL = {one.graphql: one for one in LISTINGS}
PAGING = {"page", "limit", "reverse_order", "sort_by"}
CUTTING = {"first", "after", "last", "before", "reverse", "sort"}


@pytest.fixture(scope="module")
def official() -> Official:
    return find_official()


def resolved(official: Official, told: Any) -> Any:
    while "$ref" in told:
        found = official.document
        for name in told["$ref"].removeprefix("#/").split("/"):
            found = found[name]
        told = found
    return told


def query_parameters(official: Official, path: str, method: str) -> dict[str, Any]:
    item = official.document["paths"][path]
    told = [*item.get("parameters", []), *item.get(method, {}).get("parameters", [])]
    found = [resolved(official, one) for one in told]
    return {one["name"]: one["schema"] for one in found if one["in"] == "query"}


def filters_of(listing: Listing) -> set[str]:
    """Names of the query parameters in the table, tags as the specification writes them."""
    names = {
        name for one in listing.wheres for name, _ in parse_qsl(one.rest or "", True)
    }  # fmt: skip
    return {f"{name.split('.')[0]}.{{name}}" if "." in name else name for name in names}


def test_every_paged_operation_of_the_specification_is_in_the_table(official: Official) -> None:
    paged = {
        path
        for path in official.document["paths"]
        for method in ("get", "head")
        if {"page", "limit"} & query_parameters(official, path, method).keys()
    }
    assert paged == OVER_REST.keys()


@pytest.mark.parametrize("path", OVER_REST)
@pytest.mark.parametrize("method", ["get", "head"])
def test_every_parameter_and_header_of_the_specification_is_in_the_table(
    official: Official, path: str, method: str
) -> None:
    listing, parameters = OVER_REST[path], query_parameters(official, path, method)
    assert filters_of(listing) == parameters.keys() - PAGING
    assert ("reverse_order" in parameters) == listing.reversible
    orders = parameters["sort_by"]["enum"] if "sort_by" in parameters else [""]
    assert orders == list(listing.orders)
    answer = official.document["paths"][path][method]["responses"]["200"]
    assert {name.lower() for name in answer["headers"]} == listing.headers


def test_every_listing_of_this_server_is_in_the_table() -> None:
    paged = {
        one.path
        for one in RESOURCES
        if "GET" in one.operations and LIMIT in one.operations["GET"].parameters
    }
    assert paged == OVER_REST.keys()


def connections() -> Iterator[tuple[str, GraphQLField]]:
    """By type and field; a field of an interface counts once."""
    for kind in schema().type_map.values():
        if not hasattr(kind, "fields") or isinstance(kind, GraphQLInputObjectType):
            continue
        above = kind.interfaces if isinstance(kind, GraphQLObjectType) else ()
        inherited = {name for interface in above for name in interface.fields}
        for name, field in kind.fields.items():
            if name not in inherited and get_named_type(field.type).name.endswith("Connection"):
                yield f"{kind.name}.{name}", field


ELSEWHERE = {"Webhook.deliveries"}
"""Only sending to receivers adds to it: `tests/resolvers/test_deliveries.py` reads its pages."""


def test_every_connection_of_the_schema_is_in_the_table_with_all_of_its_arguments() -> None:
    found = {name: field for name, field in connections() if name not in ELSEWHERE}
    assert found.keys() == OVER_GRAPHQL.keys()
    for name, field in found.items():
        listing = OVER_GRAPHQL[name]
        given = [one.graphql or {} for one in listing.wheres]
        assert {key for one in given for key in one} == field.args.keys() - CUTTING, name
        inside = {key for one in given for key in one.get("filter", {})}
        if "filter" in field.args:
            assert inside == get_named_type(field.args["filter"].type).fields.keys(), name
        if "sort" in field.args:
            values = get_named_type(field.args["sort"].type).values
            assert [one.lower() for one in values] == list(listing.orders), name
        assert field.args.keys() >= CUTTING - {"sort"}
