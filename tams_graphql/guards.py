"""What stands between a browser on this machine and an unauthenticated server on loopback.

1. `HostGuard`: only the names that the server is known by are answered, so that a web page
   whose DNS name is rebound to 127.0.0.1 reads nothing.
2. `OriginGuard`: a page of another origin may not change anything (CSRF), nor open a WebSocket,
   unless the operator lists its origin. Presigned media URLs authorise themselves and are left
   alone.
"""

import re
from urllib.parse import urlsplit

import orjson
from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from tams_graphql.model.error_body import error_body
from tams_graphql.model.errors import Forbidden, MediaStoreError, Problem

LOOPBACK_ORIGIN = re.compile(r"^https?://(localhost|127\.0\.0\.1|\[::1\])(:\d+)?$")
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


class HostGuard:
    """Refuses requests whose Host is none of `hosts` (names without a port)."""

    def __init__(self, app: ASGIApp, hosts: frozenset[str]) -> None:
        self.app = app
        self.hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] in {"http", "websocket"}:
            host = _hostname(Headers(scope=scope).get("host", ""))
            if host not in self.hosts:
                await _refuse("host", f"this server is not known as {host!r}", scope, receive, send)
                return
        await self.app(scope, receive, send)


class ApiCors(CORSMiddleware):
    """CORS for the two APIs; the media routes answer every origin themselves."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        serve = self.app if _is_media(scope) else super().__call__
        await serve(scope, receive, send)


class OriginGuard:
    """Refuses unsafe requests from pages of origins other than `origins` and loopback."""

    def __init__(self, app: ASGIApp, origins: frozenset[str]) -> None:
        self.app = app
        self.origins = origins

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] in {"http", "websocket"} and not self._allowed(scope):
            await _refuse(
                "origin", "pages of this origin may not change anything", scope, receive, send
            )
            return
        await self.app(scope, receive, send)

    def _allowed(self, scope: Scope) -> bool:
        origin = Headers(scope=scope).get("origin")
        return (
            origin is None
            # Whoever opens a WebSocket can send mutations over it, and read the answers.
            or scope.get("method") in _SAFE
            or _is_media(scope)
            or origin in self.origins
            or LOOPBACK_ORIGIN.match(origin) is not None
        )


def _hostname(authority: str) -> str:
    """The name in a Host header, without a port; empty if there is none to be read."""
    try:
        return urlsplit(f"//{authority}").hostname or ""
    except ValueError:  # such as an unclosed bracket
        return ""


def _is_media(scope: Scope) -> bool:
    path: str = scope.get("path", "")
    return scope["type"] == "http" and path.startswith("/media/")


async def _refuse(field: str, message: str, scope: Scope, receive: Receive, send: Send) -> None:
    error: MediaStoreError = Forbidden(message, (Problem(field, f"{field}.unknown", message),))
    request_id = scope.get("state", {}).get("request_id")
    body = orjson.dumps(error_body(error, request_id))
    response = Response(body, error.status, media_type="application/json")
    await response(scope, receive, send)
