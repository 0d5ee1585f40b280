"""Cursors: opaque, of one listing, and safe to get back from anybody."""

import base64

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tams_graphql.model.errors import InvalidInput
from tams_graphql.resolvers.paging import Page, decode_cursor, encode_cursor

LIKE = (int, str)
NUMBERS = st.integers(-(2**63), 2**63 - 1)


def forged(value: object) -> str:
    return base64.urlsafe_b64encode(orjson.dumps(value)).rstrip(b"=").decode()


@given(NUMBERS, st.text())
def test_a_cursor_comes_back_as_it_was_given(number: int, text: str) -> None:
    cursor = encode_cursor("flows:created", (number, text))
    assert decode_cursor("flows:created", cursor, "page", LIKE) == (number, text)


@given(st.text())
def test_text_made_by_chance_is_no_cursor(text: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        decode_cursor("flows:created", text, "page", LIKE)
    assert refused.value.problems[0].field == "page"


@pytest.mark.parametrize(
    ("cursor", "rule"),
    [
        (forged(["sources:created", 1, "x"]), "cursor.foreign"),
        (forged({"a": 1}), "cursor.foreign"),
        (forged([]), "cursor.foreign"),
        (forged(["flows:created", "1", "x"]), "cursor.malformed"),
        (forged(["flows:created", True, "x"]), "cursor.malformed"),
        (forged(["flows:created", 1]), "cursor.malformed"),
        (forged(["flows:created", 1, "x", 2]), "cursor.malformed"),
        (forged(["flows:created", 2**63, "x"]), "cursor.malformed"),
        (forged(["flows:created", 1, None]), "cursor.malformed"),
        ("", "cursor.malformed"),
        ("\ud800", "cursor.malformed"),
        ("a", "cursor.malformed"),
        ("%%%", "cursor.malformed"),
    ],
)
def test_forged_cursors_are_refused(cursor: str, rule: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        decode_cursor("flows:created", cursor, "after", LIKE)
    problem = refused.value.problems[0]
    assert (problem.field, problem.rule) == ("after", rule)


def test_only_a_page_with_more_to_come_has_a_next_cursor() -> None:
    page = Page(items=["a", "b"], positions=[(1, "a"), (2, "b")], listing="l", has_more=True)
    assert page.next_cursor == page.cursor(1) == encode_cursor("l", (2, "b"))
    assert page.map(str.upper).items == ["A", "B"]
    assert page.map(str.upper).next_cursor == page.next_cursor
    last = Page(items=["a"], positions=[(1, "a")], listing="l", has_more=False)
    assert last.next_cursor is None
