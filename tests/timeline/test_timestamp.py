"""Pins how timestamps are read and written, to the nanosecond."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tams_graphql.timeline import (
    MAX_NS,
    MIN_NS,
    NANOSECONDS,
    TimelineError,
    format_timestamp,
    format_timestamps,
    parse_timestamp,
)


@pytest.mark.parametrize(
    ("text", "ns"),
    [
        ("0:0", 0),
        ("0:5", 5),
        ("-0:5", -5),
        ("1:40000000", 1_040_000_000),
        ("-1:500000000", -1_500_000_000),
        ("0:999999999", 999_999_999),
        ("-1:0", -1_000_000_000),
        ("1694429247:40000000", 1_694_429_247_040_000_000),
        ("9223372036:854775807", MAX_NS),
        ("-9223372036:854775808", MIN_NS),
    ],
)
def test_reads_and_writes_the_same_value(text: str, ns: int) -> None:
    assert parse_timestamp(text) == ns
    assert format_timestamp(ns) == text


def test_negative_zero_is_zero() -> None:
    assert parse_timestamp("-0:0") == 0


def test_limits_are_those_of_a_signed_64_bit_integer() -> None:
    assert (MIN_NS, MAX_NS, NANOSECONDS) == (-(2**63), 2**63 - 1, 10**9)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0",
        ":",
        "0:",
        ":0",
        "1",
        "1.5",
        "00:0",
        "01:0",
        "0:00",
        "0:05",
        "0:1000000000",
        "+1:0",
        "--1:0",
        "1:-5",
        " 1:0",
        "1:0 ",
        "1:0\n",
        "1:0garbage",
        "1_0:0",
        "١:0",
        "1:0_2:0",
        "now",
        "2023-09-11T10:46:50.0Z",
    ],
)
def test_refuses_what_the_pattern_does_not_match(text: str) -> None:
    with pytest.raises(TimelineError) as refusal:
        parse_timestamp(text)
    assert refusal.value.rule == "timestamp.malformed"
    assert repr(text) in refusal.value.message


@pytest.mark.parametrize(
    "text",
    [
        "9223372036:854775808",
        "-9223372036:854775809",
        "9223372037:0",
        "1" + "0" * 30 + ":0",
        "9" * 100_000 + ":0",
        "-" + "9" * 100_000 + ":999999999",
    ],
    ids=lambda text: text[:24],
)
def test_refuses_what_cannot_be_stored(text: str) -> None:
    with pytest.raises(TimelineError) as refusal:
        parse_timestamp(text)
    assert refusal.value.rule == "timestamp.out_of_range"
    assert "-9223372036:854775808 and 9223372036:854775807" in refusal.value.message
    assert len(refusal.value.message) < 250


def test_the_error_is_a_value_error_that_says_its_message() -> None:
    error = TimelineError("some.rule", "what is wrong")
    assert isinstance(error, ValueError)
    assert (error.rule, error.message, str(error)) == (
        "some.rule",
        "what is wrong",
        "what is wrong",
    )


@given(st.integers(MIN_NS, MAX_NS))
def test_every_value_survives_writing_and_reading(ns: int) -> None:
    assert parse_timestamp(format_timestamp(ns)) == ns


@given(st.lists(st.none() | st.integers(MIN_NS, MAX_NS)))
def test_a_column_is_written_value_by_value(column: list[int | None]) -> None:
    assert format_timestamps(column) == [
        None if ns is None else format_timestamp(ns) for ns in column
    ]
