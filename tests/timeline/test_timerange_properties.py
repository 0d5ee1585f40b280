"""Pins timeranges against three judges: sets of instants, mediatimestamp, the spec's pattern."""

import json
import re
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tams_graphql.timeline import (
    MAX_NS,
    MIN_NS,
    TimelineError,
    TimeRange,
    format_timerange,
    format_timeranges,
    format_timestamp,
    parse_timestamp,
)

SPEC = Path(__file__).parents[3] / "shared" / "spec" / "8.2" / "schemas" / "timerange.json"
WORLD = range(-40, 41)
REFUSED_THOUGH_MATCHING = {
    "timerange.reversed",
    "timerange.instant",
    "timestamp.out_of_range",
    "timerange.malformed",
}

near = st.integers(-3, 3)
anywhere = st.integers(MIN_NS, MAX_NS)
timestamps = (near | anywhere).map(format_timestamp)


@st.composite
def written(draw: st.DrawFn) -> str:
    """Texts that the spec's pattern matches, meaningful or not."""
    opening, closing = draw(st.sampled_from(["", "[", "("])), draw(st.sampled_from(["", "]", ")"]))
    start, end = draw(timestamps | st.just("")), draw(timestamps | st.just(""))
    return f"{opening}{start}{draw(st.sampled_from(['', f'_{end}']))}{closing}"


mistyped = st.text("[]()_-:0123459\n", max_size=14) | st.tuples(
    written(), st.integers(0, 60), st.sampled_from(["[", ")", "_", "-", ":", "0", "\n", "x", "T"])
).map(lambda parts: parts[0][: parts[1]] + parts[2] + parts[0][parts[1] :])


@st.composite
def small(draw: st.DrawFn) -> TimeRange:
    """Ranges within the small world, open at either end or not, written in any way."""
    start, length = draw(st.none() | st.integers(-20, 20)), draw(st.none() | st.integers(0, 9))
    if start is None:
        return TimeRange(None, length, draw(st.integers(0, 3)))
    return TimeRange(start, None if length is None else start + length, draw(st.integers(0, 3)))


def instants(timerange: TimeRange) -> set[int]:
    return {
        ns
        for ns in WORLD
        if (timerange.start_ns is None or ns >= timerange.start_ns)
        and (timerange.end_ns is None or ns < timerange.end_ns)
    }


def parsed(text: str) -> TimeRange | str:
    """The range, or the rule that refuses the text."""
    try:
        return TimeRange.parse(text)
    except TimelineError as refusal:
        return refusal.rule


@given(written())
def test_writing_what_was_read_reads_the_same(text: str) -> None:
    timerange = parsed(text)
    if isinstance(timerange, str):
        assert timerange in REFUSED_THOUGH_MATCHING
        return
    again = TimeRange.parse(str(timerange))
    assert (again, again.bounds, str(again)) == (timerange, timerange.bounds, str(timerange))


@given(anywhere, anywhere, st.sampled_from(["[)", "[]", "()", "(]"]))
def test_the_canonical_form_comes_back_to_the_letter(one: int, other: int, markers: str) -> None:
    start, end = sorted((one, other))
    if start < end < MAX_NS:
        text = f"{markers[0]}{format_timestamp(start)}_{format_timestamp(end)}{markers[1]}"
        assert str(TimeRange.parse(text)) == text


@given(small())
def test_whatever_can_be_built_can_be_written_and_read(timerange: TimeRange) -> None:
    assert TimeRange.parse(str(timerange)) == timerange


@given(small(), small())
def test_algebra_is_that_of_sets_of_instants(one: TimeRange, other: TimeRange) -> None:
    left, right = instants(one), instants(other)
    assert instants(one.intersection(other)) == left & right
    assert one.intersection(other) == other.intersection(one)
    assert one.overlaps(other) is bool(left & right)
    assert one.contains(other) is (right <= left)
    assert (one == other) is (left == right)
    assert one.is_empty is (not left)
    assert {ns for ns in WORLD if one.contains_ns(ns)} == left
    if one == other:
        assert hash(one) == hash(other)


@given(small(), small(), small())
def test_intersection_is_associative(one: TimeRange, two: TimeRange, three: TimeRange) -> None:
    left, right = (
        one.intersection(two).intersection(three),
        one.intersection(two.intersection(three)),
    )
    assert left == right


@given(small(), small(), st.integers(-9, 9))
def test_shifting_moves_every_instant(one: TimeRange, other: TimeRange, offset: int) -> None:
    moved = {ns for ns in WORLD if one.contains_ns(ns - offset)}
    assert instants(one.shifted(offset)) == moved
    assert one.shifted(offset).shifted(-offset) == one
    both = one.intersection(other).shifted(offset)
    assert both == one.shifted(offset).intersection(other.shifted(offset))
    assert one.shifted(offset).duration_ns == one.duration_ns


@given(written())
def test_clamping_while_reading_only_matters_at_the_limits(text: str) -> None:
    timerange = parsed(text)
    if isinstance(timerange, TimeRange):
        clamped = TimeRange.parse(text, clamp=True)
        assert (clamped, clamped.bounds) == (timerange, timerange.bounds)


@given(st.integers(-(2**66), 2**66), st.integers(0, 2**66), st.sampled_from(["[)", "[]", "(]"]))
def test_clamping_gives_what_lies_within_the_limits(start: int, length: int, markers: str) -> None:
    text = f"{format_timestamp(start)}_{format_timestamp(start + length + 1)}"
    clamped = TimeRange.parse(f"{markers[0]}{text}{markers[1]}", clamp=True)
    exact = TimeRange(start + (markers[0] == "("), start + length + 1 + (markers[1] == "]"))
    assert clamped == exact.intersection(TimeRange(MIN_NS, MAX_NS))
    assert exact.clamped() == clamped


@given(written())
@example("[-0:5_0:5)")
@example("(0:4_0:5)")
def test_agrees_with_mediatimestamp_on_what_the_pattern_matches(text: str) -> None:
    from mediatimestamp.immutable import TimeRange as MediaTimeRange

    ours = parsed(text)
    theirs = MediaTimeRange.from_str(text)
    if ours in ("timerange.reversed", "timerange.malformed"):
        assert theirs.is_empty()
        return
    if isinstance(ours, str):
        assert ours in ("timerange.instant", "timestamp.out_of_range")
        return
    start = end = None
    if theirs.start is not None:
        start = theirs.start.to_nanosec() + (not theirs.includes_start())
    if theirs.end is not None:
        end = theirs.end.to_nanosec() + bool(theirs.includes_end())
    if theirs.is_empty() or ours.is_empty:
        assert ours.is_empty
        assert theirs.is_empty() or start == end
        return
    assert (ours.start_ns, ours.end_ns) == (start, end)
    assert str(ours) == theirs.to_sec_nsec_range()


@given(timestamps)
@example("-0:5")
def test_agrees_with_mediatimestamp_on_timestamps(text: str) -> None:
    from mediatimestamp.immutable import Timestamp

    assert parse_timestamp(text) == Timestamp.from_str(text).to_nanosec()
    assert Timestamp.from_nanosec(parse_timestamp(text)).to_sec_nsec() == text


@pytest.fixture(scope="module")
def spec_pattern() -> re.Pattern[str]:
    if not SPEC.exists():
        pytest.skip("the TAMS spec 8.2 is not beside the repository (../shared/spec)")
    # `$` of the spec's dialect means the very end; Python's would allow a newline.
    return re.compile(json.loads(SPEC.read_text())["pattern"].removesuffix("$") + r"\Z")


@given(text=written() | mistyped)
@example(text="")
@example(text="[0:0_1:0)\n")
@example(text="[0:0_1:0)garbage")
def test_accepts_nothing_that_the_pattern_of_the_spec_refuses(
    spec_pattern: re.Pattern[str], text: str
) -> None:
    ours = parsed(text)
    if spec_pattern.match(text) is None:
        assert ours in ("timerange.malformed", "timerange.iso8601")
    elif isinstance(ours, str):
        assert ours in REFUSED_THOUGH_MATCHING
        # A text that matches and yet is malformed names no time and is not "()".
        assert (ours == "timerange.malformed") is (not re.search("[0-9_]", text))


@given(st.lists(st.tuples(near | anywhere, near | anywhere, st.integers(0, 3))))
def test_columns_are_written_row_by_row(rows: list[tuple[int, int, int]]) -> None:
    ordered = [(min(one, other), max(one, other), bounds) for one, other, bounds in rows]
    columns = zip(*ordered, strict=True) if ordered else ((), (), ())
    assert format_timeranges(*columns) == [format_timerange(*row) for row in ordered]
