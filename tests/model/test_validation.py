"""How bodies are read: strictly, completely, and with problems that name field and rule."""

import pytest
from pydantic import BaseModel

from tams_graphql.model.errors import InvalidInput, Problem
from tams_graphql.model.validation import (
    MAX_DEPTH,
    MAX_PROPERTY_BYTES,
    Body,
    ClosedBody,
    NotNegative,
    Omittable,
    Positive,
    canonical,
    strict,
    validated,
    validated_value,
)


class Inner(ClosedBody):
    size: Positive


class Outer(Body):
    name: str
    count: Omittable[NotNegative] = None
    flag: Omittable[bool] = None
    parts: Omittable[list[Inner]] = None


def problems(body: object, prefix: str = "", model: type[BaseModel] = Outer) -> list[Problem]:
    with pytest.raises(InvalidInput) as refused:
        validated(model, body, prefix)
    return list(refused.value.problems)


def test_a_valid_body_becomes_the_model() -> None:
    found = validated(Outer, {"name": "n", "count": 0, "parts": [{"size": 2}], "other": None})
    assert found == Outer(name="n", count=0, parts=[Inner(size=2)])


def test_integral_floats_are_integers_as_in_json_schema() -> None:
    count = validated(Outer, {"name": "n", "count": 3.0}).count
    assert (count, type(count)) == (3, int)


def test_all_problems_are_told_at_once_in_the_order_of_the_model() -> None:
    body = {"count": -1, "flag": 1, "parts": [{"size": 1}, {"size": 0, "colour": 1}, 7]}
    assert [(p.field, p.rule) for p in problems(body)] == [
        ("name", "required"),
        ("count", "minimum"),
        ("flag", "type"),
        ("parts.1.size", "minimum"),
        ("parts.1.colour", "unknown"),
        ("parts.2", "type"),
    ]


def test_field_paths_begin_with_the_prefix() -> None:
    assert problems({}, "segments.3") == [Problem("segments.3.name", "required", "is required")]


def test_the_first_problem_leads_the_message() -> None:
    with pytest.raises(InvalidInput, match=r"^name: is required$"):
        validated(Outer, {"count": -1})


@pytest.mark.parametrize("body", [None, [], "text", 1, True])
def test_a_body_that_is_no_object_is_refused(body: object) -> None:
    assert problems(body) == [Problem("body", "type", "must be an object")]


@pytest.mark.parametrize("name", ["count", "flag", "parts"])
def test_a_property_may_be_left_out_but_not_be_null(name: str) -> None:
    message = "must not be null; leave the property out instead"
    assert problems({"name": "n", name: None}) == [Problem(name, "null", message)]


@pytest.mark.parametrize("count", [True, "1", 1.5])
def test_nothing_is_coerced_to_an_integer(count: object) -> None:
    assert [(p.field, p.rule) for p in problems({"name": "n", "count": count})] == [
        ("count", "type")
    ]


@pytest.mark.parametrize(
    ("value", "rule"),
    [
        (2**63, "integer.range"),
        (-(2**63) - 1, "integer.range"),
        (1e300, "integer.range"),
        (float("inf"), "number"),
        (float("nan"), "number"),
        ("\ud800", "unicode"),
        ({"\ud800": 1}, "unicode"),
        ("x" * MAX_PROPERTY_BYTES, "size"),
    ],
)
def test_what_no_store_can_keep_is_refused_wherever_it_is(value: object, rule: str) -> None:
    for body in ({"name": value}, {"name": "n", "not declared": {"deep": [value]}}):
        assert [p.rule for p in problems(body)] == [rule]


def test_the_limits_themselves_can_be_kept() -> None:
    body = {"low": -(2**63), "high": 2**63 - 1, "text": "x" * (MAX_PROPERTY_BYTES - 2)}
    assert canonical(body) == body


def test_nesting_has_a_limit() -> None:
    deep: list[object] = []
    for _ in range(MAX_DEPTH - 1):
        deep = [deep]
    assert canonical({"a": deep}) == {"a": deep}
    with pytest.raises(InvalidInput) as refused:
        canonical({"a": [deep]})
    assert refused.value.problems[0].rule == "depth"


def test_a_single_value_is_read_as_strictly() -> None:
    assert validated_value(strict(NotNegative), 2.0, "max_bit_rate") == 2
    for value in (True, "2", -1, None):
        with pytest.raises(InvalidInput) as refused:
            validated_value(strict(NotNegative), value, "max_bit_rate")
        assert [p.field for p in refused.value.problems] == ["max_bit_rate"]
