"""From resources to routes: each version's, matched on the raw path, run the same five steps.

1. The path is matched before percent-decoding, so that ids and tag names may hold ``/``.
2. Malformed ids are 404. 3. The declared query parameters are read, then the body: 400, 413,
415. 4. The handler runs with the request's `Context`. 5. HEAD loses the body of GET's answer.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote, unquote

from fastapi import APIRouter, Request
from fastapi.routing import APIRoute
from starlette.responses import Response
from starlette.routing import BaseRoute, Match, Mount, Router
from starlette.types import Scope

from rest_compat.catalogue import RESOURCES
from rest_compat.encoding import read_json
from rest_compat.pages import docs_routes
from rest_compat.parameters import Query
from rest_compat.resources import Call, Resource
from rest_compat.version_parameters import parameters
from rest_compat.versions import NEWEST, VERSIONS, Version
from rest_compat.visibility import refuse_hidden
from tams_graphql.model.identifiers import known_form
from tams_graphql.resolvers.context import Context

_UUID_PARAMETERS = {
    "sourceId": "source", "flowId": "flow", "profileId": "profile", "webhookId": "webhook",
}  # fmt: skip


def rest_router(
    make_context: Callable[[Request], Context],
    *,
    public_url: str,
    max_body_bytes: int = 8 * 1024 * 1024,
    docs: bool = True,
) -> APIRouter:
    """The REST face, to be included at the root of the application.

    The application must not redirect slashes, and needs `errors.install_error_handlers`.

    Args:
        make_context: makes the `Context` of a request.
        public_url: what every URL handed out starts with; no slash at its end.
        max_body_bytes: the largest JSON body.
        docs: whether to serve ``/openapi.json``, ``/docs`` and ``/redoc``.
    """

    def routes(version: Version, base_url: str) -> list[BaseRoute]:
        return [
            RawPathRoute(
                resource.path,
                _endpoint(resource, version, make_context, base_url, max_body_bytes),
                methods=_methods(resource),
            )
            for resource in RESOURCES
            if version.serves(resource.path)
        ]

    router = APIRouter(redirect_slashes=False)
    router.routes.extend(routes(NEWEST, public_url))
    if docs:
        router.routes.extend(docs_routes())
    # Last, so that requests to the bare root pass none of them.
    for version in VERSIONS:
        own = Router(routes(version, public_url + version.prefix), redirect_slashes=False)
        router.routes.append(RawPathMount(version.prefix, app=own))
    return router


def _methods(resource: Resource) -> list[str]:
    return [*resource.operations, *(["HEAD"] if "GET" in resource.operations else [])]


class RawPathRoute(APIRoute):
    """A route whose parameters are cut out of the raw path and decoded afterwards."""

    def __init__(self, path: str, endpoint: Callable[..., Any], *, methods: list[str]) -> None:
        # The framework's parameters are Python names; the specification has one with a hyphen.
        self._names = {name.replace("-", "_"): name for name in re.findall(r"{([\w-]+)}", path)}
        for own, name in self._names.items():
            path = path.replace(f"{{{name}}}", f"{{{own}}}")
        super().__init__(
            path, endpoint, methods=methods, include_in_schema=False, response_model=None
        )

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """As `APIRoute.matches`; parameters that are not UTF-8 match nothing."""
        match, child = super().matches({**scope, "path": _raw_path(scope)})
        if match is Match.NONE:
            return match, child
        try:
            parameters = {
                self._names[name]: unquote(value, errors="strict")
                for name, value in child["path_params"].items()
            }
        except UnicodeDecodeError:
            return Match.NONE, {}
        return match, {**child, "path_params": parameters}


class RawPathMount(Mount):
    """A prefix of the raw path: what follows, once decoded, may hold line breaks."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """As `Mount.matches`."""
        return super().matches({**scope, "path": _raw_path(scope)})


def _raw_path(scope: Scope) -> str:
    raw: bytes | None = scope.get("raw_path")
    return raw.decode("latin-1") if raw is not None else quote(scope["path"])


def _endpoint(
    resource: Resource,
    version: Version,
    make_context: Callable[[Request], Context],
    public_url: str,
    max_body_bytes: int,
) -> Callable[[Request], Any]:
    reads = {
        method: parameters(version, resource.path, operation.parameters)
        for method, operation in resource.operations.items()
    }

    async def endpoint(request: Request) -> Response:
        method = "GET" if request.method == "HEAD" else request.method
        operation = resource.operations[method]
        path: Mapping[str, str] = request.path_params
        _check_ids(path)
        query = Query.read(request.scope["query_string"], *reads[method], closed=method == "DELETE")
        body = operation.body and await read_json(
            request, max_body_bytes, required=operation.body.required
        )
        call = Call(
            ctx=make_context(request),
            template=resource.path,
            path=path,
            query=query,
            public_url=public_url,
            version=version,
            body=body,
        )
        if not operation.sees_hidden:
            await refuse_hidden(call)
        response = await operation.handler(call)
        if request.method == "HEAD":
            response.body = b""
        return response

    return endpoint


def _check_ids(path: Mapping[str, str]) -> None:
    for name, kind in _UUID_PARAMETERS.items():
        if name in path:
            known_form(kind, path[name])
