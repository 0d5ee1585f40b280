"""Pins what is kept of an answer: the delay asked for, and a line of text that shows no secrets."""

import email.utils
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tams_graphql.events.answer import EXCERPT, excerpt_of, retry_after_s

NOW_S = 784_111_777.0  # Sun, 06 Nov 1994 08:49:37 GMT


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        ("0", 0.0),
        (" 17 ", 17.0),
        ("999999999", 999_999_999.0),
        ("Sun, 06 Nov 1994 08:49:47 GMT", 10.0),
        ("Sunday, 06-Nov-94 08:49:47 GMT", 10.0),
        ("Sun Nov  6 08:49:47 1994", 10.0),
        ("Sun, 06 Nov 1994 08:49:37 GMT", 0.0),
        ("Sun, 06 Nov 1994 08:00:00 GMT", 0.0),
        ("Sun, 06 Nov 1994 10:49:47 +0200", 10.0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 252_618_189_022.0),
        ("", None),
        ("-1", None),
        ("1.5", None),
        ("1e9", None),
        ("inf", None),
        ("٣", None),
        ("9999999999", None),
        ("Sun, 99 Nov 1994 08:49:37 GMT", None),
        ("Mon, 01 Jan 2024 00:00:00 +9999999", None),
    ],
)
def test_delays(value: str | None, expected: float | None) -> None:
    assert retry_after_s(value, NOW_S) == expected


@given(st.text())
def test_any_text_is_a_delay_or_none(value: str) -> None:
    found = retry_after_s(value, NOW_S)
    assert found is None or found >= 0


@given(st.integers(-(10**9), 10**9))
def test_dates_are_delays_from_now(seconds: int) -> None:
    value = email.utils.formatdate(NOW_S + seconds, usegmt=True)
    assert retry_after_s(value, NOW_S) == max(0, seconds)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"", None),
        (b" \r\n\t\0", None),
        (b"no such hook\r\n", "no such hook"),
        (b'{\n  "error": "x"\n}', '{ "error": "x" }'),
        (b"a\x1b[2Jb\x07c", "a [2Jb c"),
        ("gr\u00fc\u00dfe \u202eevil\u2028x".encode(), "gr\u00fc\u00dfe evil x"),
        (b"\xff\xfehi", "\ufffd\ufffdhi"),
        (b"a" * 9999, "a" * EXCERPT),
    ],
)
def test_excerpts(body: bytes, expected: str | None) -> None:
    assert excerpt_of(body, ()) == expected


@given(st.binary())
def test_excerpts_are_one_readable_line(body: bytes) -> None:
    text = excerpt_of(body, ()) or "-"
    assert len(text) <= EXCERPT
    assert all(one == " " or unicodedata.category(one)[0] not in "CZ" for one in text)


def test_what_was_sent_is_blotted_out_however_often() -> None:
    sent = ("s3cret-token", "s3cret-token-2", "short")
    assert excerpt_of(b"s3cret-token-2 short s3cret-token x", sent) == "\u2026 short \u2026 x"
    at_the_edge = b"a" * (EXCERPT - 3) + b"s3cret-token"
    assert excerpt_of(at_the_edge, sent) == "a" * (EXCERPT - 3) + "\u2026"
