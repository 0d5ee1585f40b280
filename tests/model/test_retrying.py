"""When what was not taken is sent again: the schedule, its jitter, what receivers may ask for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tams_graphql.model.retrying import JITTER, RETRY_SECONDS, retry_delay_us

SCHEDULES = st.lists(st.floats(0.001, 1e6), min_size=1, max_size=12)
CHANCES = st.floats(0, 1)


def test_the_schedule_starts_quickly_and_ends_after_three_days() -> None:
    waits = [retry_delay_us(n, RETRY_SECONDS, None, 0.5) for n in range(1, 13)]
    seconds = [None if one is None else one / 1_000_000 for one in waits]
    assert seconds == [1, 5, 30, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400, None]
    assert sum(RETRY_SECONDS) / 3600 == pytest.approx(75.6, abs=0.1)


@given(SCHEDULES, CHANCES, st.data())
def test_jitter_stays_in_its_bounds(
    schedule: list[float], chance: float, data: st.DataObject
) -> None:
    failures = data.draw(st.integers(1, len(schedule)))
    wait_us = retry_delay_us(failures, schedule, None, chance)
    assert wait_us is not None
    planned_us = schedule[failures - 1] * 1_000_000
    assert planned_us * (1 - JITTER) - 1 <= wait_us <= planned_us * (1 + JITTER) + 1


@given(SCHEDULES, CHANCES, st.floats(0, 1e9), st.data())
def test_a_receiver_can_only_lengthen_the_wait_and_not_beyond_the_longest(
    schedule: list[float], chance: float, asked_s: float, data: st.DataObject
) -> None:
    failures = data.draw(st.integers(1, len(schedule)))
    unasked_us = retry_delay_us(failures, schedule, None, chance)
    asked_us = retry_delay_us(failures, schedule, asked_s, chance)
    assert unasked_us is not None
    assert asked_us is not None
    assert asked_us == max(unasked_us, round(min(asked_s, max(schedule)) * 1_000_000))


@given(SCHEDULES, CHANCES, st.none() | st.floats(0, 1e9))
def test_after_the_last_wait_it_is_over(
    schedule: list[float], chance: float, asked_s: float | None
) -> None:
    assert retry_delay_us(len(schedule) + 1, schedule, asked_s, chance) is None


def test_no_schedule_is_no_retry() -> None:
    assert retry_delay_us(1, (), 5.0, 0.5) is None
