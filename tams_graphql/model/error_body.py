"""The JSON body of every refusal that travels over plain HTTP (REST and media bytes alike).

A superset of the spec's error schema (8.2, `error.json`): `type`, `summary` and `time` as
there, then `request_id` and `details` with one entry per problem (DECISIONS).
"""

from datetime import UTC, datetime
from typing import Any

from tams_graphql.model.errors import MediaStoreError


def error_body(
    error: MediaStoreError, request_id: str | None = None, now: datetime | None = None
) -> dict[str, Any]:
    """What a client is told about `error`, as plain JSON values.

    Args:
        error: the refusal; its `code` becomes ``type``, its `message` ``summary``.
        request_id: correlates the answer with the server's log; left out when ``None``.
        now: the time of the refusal, aware; the present moment when ``None``.

    Returns:
        ``{"type", "summary", "time", "request_id"?, "details": [{"field", "rule", "message"}]}``
        with `time` in RFC 3339, UTC, to the millisecond.
    """
    body: dict[str, Any] = {
        "type": error.code,
        "summary": error.message,
        "time": _rfc3339(now or datetime.now(UTC)),
    }
    if request_id is not None:
        body["request_id"] = request_id
    body["details"] = [
        {"field": problem.field, "rule": problem.rule, "message": problem.message}
        for problem in error.problems
    ]
    return body


def _rfc3339(moment: datetime) -> str:
    utc = moment.astimezone(UTC).isoformat(timespec="milliseconds")
    return utc.removesuffix("+00:00") + "Z"
