"""Pins the JSON of refusals: the spec's error schema and our additions to it."""

from datetime import UTC, datetime, timedelta, timezone

from tams_graphql.model.error_body import error_body
from tams_graphql.model.errors import Forbidden, InvalidInput

NOON = datetime(2026, 3, 1, 12, 0, 0, 123456, UTC)


def test_every_member_is_told() -> None:
    error = InvalidInput("segments.3.timerange", "timerange.reversed", "ends before it starts")
    assert error_body(error, "r-1", NOON) == {
        "type": "INVALID_INPUT",
        "summary": "ends before it starts",
        "time": "2026-03-01T12:00:00.123Z",
        "request_id": "r-1",
        "details": [
            {
                "field": "segments.3.timerange",
                "rule": "timerange.reversed",
                "message": "ends before it starts",
            }
        ],
    }


def test_without_a_request_id_or_problems_those_are_absent_and_empty() -> None:
    assert error_body(Forbidden("no"), now=NOON) == {
        "type": "FORBIDDEN",
        "summary": "no",
        "time": "2026-03-01T12:00:00.123Z",
        "details": [],
    }


def test_the_time_is_utc_and_now_by_default() -> None:
    elsewhere = NOON.astimezone(timezone(timedelta(hours=5)))
    assert error_body(Forbidden("no"), now=elsewhere)["time"] == "2026-03-01T12:00:00.123Z"
    told = datetime.fromisoformat(error_body(Forbidden("no"))["time"])
    assert abs(datetime.now(UTC) - told) < timedelta(minutes=1)
