"""Pins RFC 9110's preconditions and ranges against tables and against slices of bytes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.datastructures import Headers

from tams_graphql.media.filesystem.conditions import (
    Version,
    byte_range,
    failed,
    merged,
    unchanged,
    wants_range,
)

NOW = Version('"abc"', 1_700_000_000.9)
AT = "Tue, 14 Nov 2023 22:13:20 GMT"
BEFORE = "Tue, 14 Nov 2023 22:13:19 GMT"


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("bytes=0-0", (0, 1)),
        ("bytes=2-5", (2, 6)),
        ("bytes=2-", (2, 10)),
        ("bytes=-3", (7, 10)),
        ("bytes=-99", (0, 10)),
        ("bytes=5-99999999999999999999", (5, 10)),
        ("Bytes=1-2", (1, 3)),
        # To be ignored: several, another unit, malformed, reversed.
        ("bytes=0-1,4-5", None),
        ("lines=0-1", None),
        ("bytes=", None),
        ("bytes=-", None),
        ("bytes=a-b", None),
        ("bytes=١-٢", None),
        ("bytes=1_0-", None),
        ("bytes=5-4", None),
        ("0-4", None),
    ],
)
def test_ranges_of_ten_bytes(header: str, expected: tuple[int, int] | None) -> None:
    assert byte_range(header, 10) == expected


@pytest.mark.parametrize(
    ("header", "size"), [("bytes=10-", 10), ("bytes=99-100", 10), ("bytes=-0", 10), ("bytes=-1", 0)]
)
def test_ranges_without_any_byte(header: str, size: int) -> None:
    with pytest.raises(IndexError):
        byte_range(header, size)


@given(
    content=st.binary(min_size=1, max_size=40),
    first=st.integers(0, 50),
    more=st.integers(0, 10**900),
)
def test_a_range_is_a_slice(content: bytes, first: int, more: int) -> None:
    if first < len(content):
        start, end = byte_range(f"bytes={first}-{first + more}", len(content)) or (0, 0)
        assert content[start:end] == content[first : first + more + 1] != b""


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, None),
        ({"if-match": '"abc"'}, None),
        ({"if-match": '"x", "abc"'}, None),
        ({"if-match": "*"}, None),
        ({"if-match": '"x"'}, "if-match"),
        ({"if-match": 'W/"abc"'}, "if-match"),
        ({"if-unmodified-since": AT}, None),
        ({"if-unmodified-since": BEFORE}, "if-unmodified-since"),
        ({"if-unmodified-since": "yesterday"}, None),
        ({"if-match": '"abc"', "if-unmodified-since": BEFORE}, None),
    ],
)
def test_preconditions_that_ask_for_412(headers: dict[str, str], expected: str | None) -> None:
    assert failed(headers, NOW) == expected


def test_preconditions_on_nothing() -> None:
    assert failed({"if-match": "*"}, None) == "if-match"
    assert failed({"if-unmodified-since": BEFORE}, None) is None
    assert not unchanged({"if-none-match": "*"}, None)
    assert not unchanged({"if-modified-since": AT}, None)


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, False),
        ({"if-none-match": '"abc"'}, True),
        ({"if-none-match": '"x", W/"abc"'}, True),
        ({"if-none-match": "*"}, True),
        ({"if-none-match": '"x"'}, False),
        ({"if-modified-since": AT}, True),
        ({"if-modified-since": BEFORE}, False),
        ({"if-modified-since": "Tue, 99 Nov 2023 22:13:20 GMT"}, False),
        ({"if-none-match": '"x"', "if-modified-since": AT}, False),
    ],
)
def test_versions_that_the_client_has(headers: dict[str, str], expected: bool) -> None:
    assert unchanged(headers, NOW) is expected


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        (None, True),
        ('"abc"', True),
        ('W/"abc"', False),
        ('"x"', False),
        (AT, True),
        (BEFORE, False),
    ],
)
def test_if_range(condition: str | None, expected: bool) -> None:
    headers = {"range": "bytes=0-"} | ({"if-range": condition} if condition else {})
    assert wants_range(headers, NOW) is expected
    headers.pop("range")
    assert wants_range(headers, NOW) is False


def test_last_modified_has_whole_seconds() -> None:
    assert NOW.last_modified == AT


def test_headers_in_several_lines_are_one() -> None:
    raw = [(b"if-match", b'"a"'), (b"if-match", b'"b"'), (b"range", b"bytes=0-")]
    assert merged(Headers(raw=raw)) == {"if-match": '"a", "b"', "range": "bytes=0-"}
