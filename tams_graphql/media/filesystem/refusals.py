"""Refusals that only plain HTTP knows, and how any refusal is answered for media."""

from collections.abc import Mapping

import orjson
from starlette.requests import Request
from starlette.responses import Response

from tams_graphql.model.error_body import error_body
from tams_graphql.model.errors import MediaStoreError, Problem, Unavailable


class HttpError(MediaStoreError):
    """A refusal with a status of its own, and `headers` that belong to it."""

    def __init__(
        self, status: int, code: str, problem: Problem, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(problem.message, (problem,))
        self.headers = dict(headers or {})
        self._answer = (code, status)

    @property
    def code(self) -> str:
        """The error type."""
        return self._answer[0]

    @property
    def status(self) -> int:
        """The HTTP status."""
        return self._answer[1]


def precondition_failed(field: str, message: str) -> HttpError:
    """412: a conditional header (`field`) does not hold."""
    return HttpError(412, "PRECONDITION_FAILED", Problem(field, "precondition", message))


def range_not_satisfiable(size: int) -> HttpError:
    """416: none of the bytes asked for exists; there are `size` in all."""
    message = f"the range lies outside of the {size} bytes stored"
    problem = Problem("range", "range.outside", message)
    headers = {"content-range": f"bytes */{size}"}
    return HttpError(416, "RANGE_NOT_SATISFIABLE", problem, headers)


def method_not_allowed(method: str, allowed: str) -> HttpError:
    """405: `method` is none of `allowed` (as in the Allow header)."""
    problem = Problem("method", "enum", f"{method} is not one of {allowed}")
    return HttpError(405, "METHOD_NOT_ALLOWED", problem, {"allow": allowed})


def refusal_response(request: Request, error: MediaStoreError) -> Response:
    """`error` as JSON; the request id is the one that the middleware left in the state."""
    body = error_body(error, getattr(request.state, "request_id", None))
    headers = dict(error.headers) if isinstance(error, HttpError) else {}
    headers["cache-control"] = "no-store"
    if isinstance(error, Unavailable):
        headers["retry-after"] = "1"
    if "expect" in request.headers and request.scope["http_version"] == "1.1":
        # A client told so before it was asked for the body may never send it: the connection
        # can't be used for another request (RFC 9110, section 10.1.1).
        headers["connection"] = "close"
    return Response(orjson.dumps(body), error.status, headers, "application/json")
