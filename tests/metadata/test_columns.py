"""A column read from its buffers is what Arrow itself makes of it."""

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tams_graphql.metadata.columns import column_values

NUMBERS = st.integers(-(2**63), 2**63 - 1)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]))


def chunks_of(values: st.SearchStrategy[object]) -> st.SearchStrategy[list[list[object]]]:
    return st.lists(st.lists(values, max_size=5), max_size=4)


@given(chunks_of(NUMBERS) | chunks_of(st.none() | NUMBERS), st.integers(0, 9), st.integers(-2, 1))
def test_numbers(chunks: list[list[object]], start: int, step: int) -> None:
    agrees(pa.chunked_array(chunks, pa.int64()), start, step)


@given(chunks_of(TEXTS) | chunks_of(st.none() | TEXTS), st.integers(0, 9), st.integers(-2, 1))
def test_texts(chunks: list[list[object]], start: int, step: int) -> None:
    agrees(pa.chunked_array(chunks, pa.string()), start, step)


@given(chunks_of(st.none() | st.booleans()), st.integers(0, 9), st.integers(-2, 1))
def test_flags(chunks: list[list[object]], start: int, step: int) -> None:
    agrees(pa.chunked_array(chunks, pa.bool_()), start, step)


def agrees(column: pa.ChunkedArray, start: int, step: int) -> None:
    """Sliced and turned round as pages are."""
    cut = pa.table({"c": column}).slice(start)[:: step or None]["c"]
    assert column_values(cut) == cut.to_pylist()


@pytest.mark.parametrize("values", [[""], ["", ""], ["é€😀", "", "a"]])
def test_texts_that_are_empty_or_not_ascii(values: list[str]) -> None:
    assert column_values(pa.chunked_array([values])) == values
    assert column_values(pa.chunked_array([values]).slice(1)) == values[1:]
