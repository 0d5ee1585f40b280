"""Pins every written form of a timerange: what it means, how it comes back, what is refused."""

import pytest

from tams_graphql.timeline import (
    ETERNITY,
    MAX_NS,
    MIN_NS,
    NEVER,
    Bounds,
    TimelineError,
    TimeRange,
    format_timerange,
)

S = 10**9
MAX = "9223372036:854775807"
MIN = "-9223372036:854775808"
BEYOND = "9223372036:854775808"
BELOW = "-9223372036:854775809"


@pytest.mark.parametrize(
    ("text", "start_ns", "end_ns", "bounds"),
    [
        ("_", None, None, 0),
        ("()", 0, 0, 2),
        ("[0:0_10:0)", 0, 10 * S, 0),
        ("[0:0_10:0]", 0, 10 * S + 1, 2),
        ("(0:0_10:0)", 1, 10 * S, 1),
        ("(0:0_10:0]", 1, 10 * S + 1, 3),
        ("[1:0]", S, S + 1, 2),
        ("[0:0]", 0, 1, 2),
        ("[-0:5]", -5, -4, 2),
        ("[1694429247:0]", 1_694_429_247 * S, 1_694_429_247 * S + 1, 2),
        ("[5:0_", 5 * S, None, 0),
        ("(5:0_", 5 * S + 1, None, 1),
        ("_10:0)", None, 10 * S, 0),
        ("_10:0]", None, 10 * S + 1, 2),
        ("[-2:0_-1:500000000)", -2 * S, -1_500_000_000, 0),
        ("[1:0_1:0)", S, S, 0),
        ("(0:4_0:5)", 5, 5, 1),
        ("(0:4_0:5]", 5, 6, 3),
        ("[0:5_0:6)", 5, 6, 0),
        (f"[{MIN}_{MAX})", MIN_NS, MAX_NS, 0),
        (f"_{MIN}]", None, MIN_NS + 1, 2),
        (f"[{MAX}_", MAX_NS, None, 0),
    ],
)
def test_comes_back_as_it_was_written(
    text: str, start_ns: int | None, end_ns: int | None, bounds: int
) -> None:
    timerange = TimeRange.parse(text)
    assert (timerange.start_ns, timerange.end_ns, timerange.bounds) == (start_ns, end_ns, bounds)
    assert str(timerange) == text
    assert format_timerange(start_ns, end_ns, bounds) == text


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("[1:0_1:0]", "[1:0]"),
        ("1:0", "[1:0]"),
        ("[1:0", "[1:0]"),
        ("1:0]", "[1:0]"),
        ("1:0_1:0", "[1:0]"),
        ("0:0_10:0", "[0:0_10:0]"),
        ("0:0_10:0)", "[0:0_10:0)"),
        ("(0:0_10:0", "(0:0_10:0]"),
        ("5:0_", "[5:0_"),
        ("[5:0_)", "[5:0_"),
        ("(5:0_]", "(5:0_"),
        ("_10:0", "_10:0]"),
        ("(_10:0)", "_10:0)"),
        ("[_10:0]", "_10:0]"),
        ("[_)", "_"),
        ("(_)", "_"),
        ("[_]", "_"),
        ("_)", "_"),
        ("(_", "_"),
        ("[-0:0_0:1)", "[0:0_0:1)"),
    ],
)
def test_other_ways_to_write_it_mean_the_canonical_one(text: str, canonical: str) -> None:
    assert TimeRange.parse(text) == TimeRange.parse(canonical)
    assert str(TimeRange.parse(text)) == canonical


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("", "timerange.malformed"),
        ("[", "timerange.malformed"),
        ("(", "timerange.malformed"),
        (")", "timerange.malformed"),
        ("[]", "timerange.malformed"),
        ("[)", "timerange.malformed"),
        ("(]", "timerange.malformed"),
        (" ", "timerange.malformed"),
        ("[0:0_1:0)garbage", "timerange.malformed"),
        ("[0:0_1:0)\n", "timerange.malformed"),
        (" [0:0_1:0)", "timerange.malformed"),
        ("[0:0-1:0)", "timerange.malformed"),
        ("[0:0__1:0)", "timerange.malformed"),
        ("[0:0_1:0_2:0)", "timerange.malformed"),
        ("[0_1)", "timerange.malformed"),
        ("[00:0_1:0)", "timerange.malformed"),
        ("[0:0_1:1000000000)", "timerange.malformed"),
        ("[[0:0_1:0)", "timerange.malformed"),
        ("never", "timerange.malformed"),
        ("[2:0_1:0)", "timerange.reversed"),
        ("[2:0_1:0]", "timerange.reversed"),
        ("(0:1_0:0]", "timerange.reversed"),
        ("2:0_1:0", "timerange.reversed"),
        ("(1:0)", "timerange.instant"),
        ("(1:0]", "timerange.instant"),
        ("[1:0)", "timerange.instant"),
        ("(1:0", "timerange.instant"),
        ("1:0)", "timerange.instant"),
        ("(1:0_1:0)", "timerange.instant"),
        ("(1:0_1:0]", "timerange.instant"),
        ("(1:0_1:0", "timerange.instant"),
        (f"[0:0_{BEYOND})", "timestamp.out_of_range"),
        (f"[{BELOW}_0:0)", "timestamp.out_of_range"),
        (f"({BELOW}_0:0)", "timestamp.out_of_range"),
        (f"_{BELOW}]", "timestamp.out_of_range"),
        (f"[{BEYOND}_", "timestamp.out_of_range"),
        (f"[0:0_{MAX}]", "timestamp.out_of_range"),
        (f"[{MAX}]", "timestamp.out_of_range"),
        (f"({MAX}_", "timestamp.out_of_range"),
        ("[0:0_" + "9" * 5000 + ":0)", "timestamp.out_of_range"),
    ],
)
def test_refuses(text: str, rule: str) -> None:
    with pytest.raises(TimelineError) as refusal:
        TimeRange.parse(text)
    assert refusal.value.rule == rule
    assert repr(text)[:40] in refusal.value.message
    assert len(refusal.value.message) < 250


@pytest.mark.parametrize(
    "text",
    [
        "2023-01-01T00:00:00Z/PT10S",
        "2023-01-01T00:00:00Z/2023-01-01T00:00:10Z",
        "2023-01-01/2023-01-02",
        "20230101T000000Z/20230101T000010Z",
        "PT10S/2023-01-01T00:00:00Z",
        "2023-01-01T00:00:00Z/..",
        "../2023-01-01T00:00:00Z",
        "[2023-01-01T00:00:00Z_2023-01-01T00:00:10Z)",
        "2023-01-01T00:00:00Z",
        "2023-01-01",
        "PT10S",
        "P1D",
    ],
)
@pytest.mark.parametrize("clamp", [False, True])
def test_iso_8601_is_told_the_tams_form(text: str, clamp: bool) -> None:
    with pytest.raises(TimelineError) as refusal:
        TimeRange.parse(text, clamp=clamp)
    assert refusal.value.rule == "timerange.iso8601"
    assert "[1694429247:0_1694429257:0)" in refusal.value.message


@pytest.mark.parametrize(
    ("text", "start_ns", "end_ns", "canonical"),
    [
        (f"[0:0_{BEYOND})", 0, MAX_NS, f"[0:0_{MAX})"),
        (f"[0:0_{BEYOND}]", 0, MAX_NS, f"[0:0_{MAX})"),
        (f"[0:0_{MAX}]", 0, MAX_NS, f"[0:0_{MAX})"),
        (f"({BELOW}_0:0]", MIN_NS, 1, f"[{MIN}_0:0]"),
        (f"({MAX}_", MAX_NS, None, f"[{MAX}_"),
        (f"[{MAX}]", MAX_NS, MAX_NS, f"[{MAX}_{MAX})"),
        (f"_{BELOW}]", None, MIN_NS, f"_{MIN})"),
        (f"[{BELOW}_{BEYOND}]", MIN_NS, MAX_NS, f"[{MIN}_{MAX})"),
        ("[9999999999:0_99999999999:0)", MAX_NS, MAX_NS, f"[{MAX}_{MAX})"),
        ("[0:0_" + "9" * 5000 + ":0)", 0, MAX_NS, f"[0:0_{MAX})"),
        ("(1:0_2:0]", S + 1, 2 * S + 1, "(1:0_2:0]"),
    ],
    ids=lambda value: str(value)[:24],
)
def test_a_filter_is_clamped_to_what_can_be_stored(
    text: str, start_ns: int | None, end_ns: int | None, canonical: str
) -> None:
    timerange = TimeRange.parse(text, clamp=True)
    assert (timerange.start_ns, timerange.end_ns) == (start_ns, end_ns)
    assert str(timerange) == canonical


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        (f"[{BEYOND}_0:0)", "timerange.reversed"),
        ("[99999999999:0_9999999999:0)", "timerange.reversed"),
        (f"({BEYOND}]", "timerange.instant"),
    ],
)
def test_clamping_excuses_nothing_else(text: str, rule: str) -> None:
    with pytest.raises(TimelineError) as refusal:
        TimeRange.parse(text, clamp=True)
    assert refusal.value.rule == rule


def test_equality_is_of_the_instants_not_of_the_writing() -> None:
    closed, half_open = TimeRange.parse("[0:0_0:9]"), TimeRange.parse("[0:0_0:10)")
    assert closed == half_open
    assert hash(closed) == hash(half_open)
    assert str(closed) != str(half_open)
    assert TimeRange.parse("[1:0_1:0)") == NEVER
    assert hash(TimeRange.parse("[1:0_1:0)")) == hash(NEVER)
    assert TimeRange.parse("[1:0_") != TimeRange.parse("[2:0_")
    assert TimeRange(0, 1) != "[0:0]"


def test_the_named_ranges() -> None:
    assert TimeRange.ETERNITY is ETERNITY
    assert TimeRange.NEVER is NEVER
    assert (str(ETERNITY), str(NEVER)) == ("_", "()")
    assert TimeRange.instant(S) == TimeRange.parse("[1:0]")
    assert str(TimeRange.instant(-5)) == "[-0:5]"
    assert TimeRange(0, 10, Bounds.END_INCLUSIVE) == TimeRange.parse("[0:0_0:9]")


def test_construction_refuses_a_reversed_range() -> None:
    with pytest.raises(TimelineError) as refusal:
        TimeRange(2 * S, S)
    assert refusal.value.rule == "timerange.reversed"
    assert "[2:0_1:0)" in refusal.value.message


@pytest.mark.parametrize(
    ("text", "is_empty", "is_bounded", "duration_ns"),
    [
        ("_", False, False, None),
        ("()", True, True, 0),
        ("[1:0_1:0)", True, True, 0),
        ("[1:0]", False, True, 1),
        ("[0:0_10:0)", False, True, 10 * S),
        ("[0:0_10:0]", False, True, 10 * S + 1),
        ("(0:0_10:0)", False, True, 10 * S - 1),
        ("[0:0_", False, False, None),
        ("_0:0)", False, False, None),
        (f"[{MIN}_{MAX})", False, True, 2**64 - 1),
    ],
)
def test_what_a_range_says_of_itself(
    text: str, is_empty: bool, is_bounded: bool, duration_ns: int | None
) -> None:
    timerange = TimeRange.parse(text)
    assert timerange.is_empty is is_empty
    assert timerange.is_bounded is is_bounded
    assert timerange.duration_ns == duration_ns


@pytest.mark.parametrize(
    ("one", "other", "common"),
    [
        ("[0:0_10:0)", "[5:0_15:0)", "[5:0_10:0)"),
        ("[0:0_10:0]", "[10:0_20:0)", "[10:0]"),
        ("[0:0_10:0)", "[10:0_20:0)", "()"),
        ("(0:0_10:0]", "_", "(0:0_10:0]"),
        ("(5:0_", "_10:0]", "(5:0_10:0]"),
        ("_", "_", "_"),
        ("_", "()", "()"),
        ("()", "[0:0_1:0)", "()"),
        ("[0:0_1:0)", "[2:0_3:0)", "()"),
    ],
)
def test_intersection_keeps_the_writing_of_its_ends(one: str, other: str, common: str) -> None:
    left, right = TimeRange.parse(one), TimeRange.parse(other)
    assert str(left.intersection(right)) == common
    assert str(right.intersection(left)) == common
    assert left.overlaps(right) is (common != "()")


@pytest.mark.parametrize(
    ("text", "offset_ns", "moved"),
    [
        ("[0:0_10:0]", S, "[1:0_11:0]"),
        ("(5:0_", -6 * S, "(-1:0_"),
        ("_5:0)", S, "_6:0)"),
        ("[1:0]", 5, "[1:5]"),
        ("_", S, "_"),
        ("()", S, "()"),
        ("[1:0_1:0)", S, "()"),
    ],
)
def test_shifting_keeps_the_writing(text: str, offset_ns: int, moved: str) -> None:
    assert str(TimeRange.parse(text).shifted(offset_ns)) == moved


@pytest.mark.parametrize(
    ("timerange", "clamped"),
    [
        (ETERNITY, "_"),
        (NEVER, "()"),
        (TimeRange.parse("(0:0_10:0]"), "(0:0_10:0]"),
        (TimeRange.parse("(0:0_10:0]").shifted(MAX_NS - 1), "()"),
        (TimeRange.parse("[0:0_10:0]").shifted(MAX_NS - 1), f"[9223372036:854775806_{MAX})"),
        (TimeRange.parse("(-10:0_0:5]").shifted(MIN_NS), f"[{MIN}_-9223372036:854775803]"),
        (TimeRange.parse("[-10:0_").shifted(MIN_NS), f"[{MIN}_"),
        (TimeRange(MIN_NS - 2, MIN_NS - 1), "()"),
        (TimeRange(MIN_NS, None, Bounds.START_EXCLUSIVE), f"[{MIN}_"),
        (TimeRange(None, MIN_NS, Bounds.END_INCLUSIVE), f"_{MIN})"),
        (TimeRange(MAX_NS + 1, None), f"[{MAX}_"),
    ],
    ids=str,
)
def test_clamped_leaves_nothing_beyond_the_limits(timerange: TimeRange, clamped: str) -> None:
    assert timerange.clamped() == TimeRange.parse(clamped)
    assert str(timerange.clamped()) == clamped


def test_adjacent_ranges_where_the_first_excludes_its_end_do_not_overlap() -> None:
    earlier, later = TimeRange.parse("[1:0_2:0)"), TimeRange.parse("[2:0]")
    assert not earlier.overlaps(later)
    assert TimeRange.parse("[1:0_2:0]").overlaps(later)
    assert not TimeRange.parse("[1:0_2:0]").overlaps(TimeRange.parse("(2:0_3:0)"))


def test_formatting_bounds_that_say_nothing_about_open_ends() -> None:
    assert format_timerange(None, None, 3) == "_"
    assert format_timerange(None, 10, 1) == "_0:10)"
    assert format_timerange(10, None, 2) == "[0:10_"
