"""Scalars: what clients may send, and how values are written."""

from typing import Any

import pytest
from graphql import GraphQLError
from hypothesis import given
from hypothesis import strategies as st

from tams_graphql.graphql import scalars
from tams_graphql.graphql.connections import global_id, global_ids, parse_global_id
from tams_graphql.graphql.scalars import SCALARS, DateTime, Int64, MimeType, format_date_time


@pytest.mark.parametrize(
    ("us", "text"),
    [
        (0, "1970-01-01T00:00:00Z"),
        (1_700_000_000_000_001, "2023-11-14T22:13:20.000001Z"),
        (-1, "1969-12-31T23:59:59.999999Z"),
    ],
)
def test_date_times_are_rfc_3339_in_utc(us: int, text: str) -> None:
    assert format_date_time(us) == text
    parse = SCALARS[DateTime].parse_value
    assert parse is not None
    assert parse(text) == us


@pytest.mark.parametrize("value", ["yesterday", "2023-11-14T22:13:20", "", 5, None])
def test_a_date_time_needs_its_zone(value: Any) -> None:
    with pytest.raises(GraphQLError):
        SCALARS[DateTime].parse_value(value)  # type: ignore[misc]


@pytest.mark.parametrize("value", ["video/mp2t", "x/raw", "codec/é;v=1"])
def test_a_mime_type_is_whatever_a_flow_may_have_as_codec(value: str) -> None:
    """Spec 8.2, `flow-technical.json`: REST takes these, so GraphQL has to find them."""
    assert SCALARS[MimeType].parse_value(value) == value  # type: ignore[misc]


@pytest.mark.parametrize("value", ["h264", "video/", "a/b/c", "a /b", "video/mp2t\n", 5])
def test_a_mime_type_has_two_parts_without_spaces(value: Any) -> None:
    with pytest.raises(GraphQLError, match="MimeType"):
        SCALARS[MimeType].parse_value(value)  # type: ignore[misc]


@pytest.mark.parametrize("value", [2**63 - 1, -(2**63), "9223372036854775807", "-1", 0])
def test_an_int64_survives_as_a_string(value: Any) -> None:
    scalar = SCALARS[Int64]
    assert scalar.serialize(scalar.parse_value(value)) == str(value)  # type: ignore[misc]


@pytest.mark.parametrize("value", [2**63, "9223372036854775808", 1.5, "1.5", True, "x", "", None])
def test_what_is_no_int64_is_refused(value: Any) -> None:
    with pytest.raises(GraphQLError) as refused:
        SCALARS[Int64].parse_value(value)  # type: ignore[misc]
    assert refused.value.extensions == {"code": "INVALID_INPUT", "rule": "int64.malformed"}


def test_a_long_value_is_quoted_in_part_only() -> None:
    assert len(scalars.shown("x" * 10_000)) == 65


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), min_size=1), max_size=5))
def test_global_ids_round_trip(parts: list[str]) -> None:
    ids = global_ids(f"Kind:{part}" for part in parts)
    assert [parse_global_id(one) for one in ids] == [("Kind", part) for part in parts]
    assert global_ids(f"Kind:{part}:1" for part in parts) == [
        global_id("Kind", part, 1) for part in parts
    ]
