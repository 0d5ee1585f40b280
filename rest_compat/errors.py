"""Refusals over HTTP: every exception that leaves a route becomes the one JSON error body."""

from collections.abc import Mapping

import orjson
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from tams_graphql.model.error_body import error_body
from tams_graphql.model.errors import MediaStoreError, NotFound, Problem, Unavailable

RETRY_AFTER_SECONDS = 1


class HTTPError(MediaStoreError):
    """A refusal that only HTTP knows; resolvers never raise it."""

    def __init__(self, status: int, code: str, message: str, field: str = "request") -> None:
        super().__init__(message, (Problem(field, code.lower(), message),))
        self._status = status
        self._code = code

    @property
    def code(self) -> str:
        """The error's name in the body."""
        return self._code

    @property
    def status(self) -> int:
        """The HTTP status."""
        return self._status


def install_error_handlers(app: FastAPI) -> None:
    """Answer every refusal of `app`, unknown paths and methods included, in JSON.

    Reads the request id from ``request.state.request_id`` where a middleware has put one.
    """
    app.add_exception_handler(MediaStoreError, _refused)
    app.add_exception_handler(HTTPException, _http_exception)
    app.add_exception_handler(RequestValidationError, _unexpected_shape)
    app.add_exception_handler(ClientDisconnect, _gone)
    app.add_exception_handler(Exception, _failed)


def error_response(
    request: Request, error: MediaStoreError, headers: Mapping[str, str] | None = None
) -> Response:
    """The answer to a refused request (DECISIONS, error body); without a body for HEAD."""
    body = orjson.dumps(error_body(error, getattr(request.state, "request_id", None)))
    response = Response(body, error.status, headers, media_type="application/json")
    if request.method == "HEAD":
        response.body = b""
    return response


def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, MediaStoreError)  # noqa: S101 - narrows what Starlette promises
    headers = {"Retry-After": str(RETRY_AFTER_SECONDS)} if isinstance(error, Unavailable) else None
    return error_response(request, error, headers)


def _http_exception(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101
    headers = dict(error.headers or {})
    if error.status_code == 404:
        return error_response(request, NotFound("path", request.url.path), headers)
    if error.status_code == 405:
        methods = sorted(headers.get("Allow", "").replace(" ", "").split(","))
        headers["Allow"] = ", ".join(methods)
        message = f"{request.method} is not possible here, only {headers['Allow']}"
        refusal = HTTPError(405, "METHOD_NOT_ALLOWED", message, "method")
        return error_response(request, refusal, headers)
    return error_response(request, HTTPError(error.status_code, "HTTP", str(error.detail)), headers)


def _unexpected_shape(request: Request, _: Exception) -> Response:
    return error_response(request, HTTPError(400, "INVALID_INPUT", "the request is malformed"))


def _gone(request: Request, _: Exception) -> Response:
    return error_response(request, HTTPError(400, "DISCONNECTED", "the client went away", "body"))


def _failed(request: Request, _: Exception) -> Response:
    message = "the server failed; quote the request id to its operator"
    return error_response(request, HTTPError(500, "INTERNAL", message))
