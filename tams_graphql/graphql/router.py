"""GraphQL over HTTP, as the `graphql-http` audit checks it.

1. `Accept` chooses between ``application/graphql-response+json`` and ``application/json``.
2. A body is JSON and nothing else: forms and texts, which browsers send across origins without
   asking, are answered 415.
3. What is no GraphQL request is answered 4xx, with a GraphQL-shaped body all the same.
4. An operation that was refused before it ran (parsing, validation, limits, variables) is
   answered 400 to clients that accept the first media type, and 200 to the others.

5. A client that accepts ``text/event-stream`` gets results as they come (`sse`); subscriptions
   are answered in no other way, but for WebSockets (`websocket`), whose origins `guards` checks.
"""

from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from datetime import timedelta
from typing import Any

import orjson
from fastapi import APIRouter
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response
from strawberry.fastapi import GraphQLRouter
from strawberry.schema.exceptions import CannotGetOperationTypeError, InvalidOperationTypeError
from strawberry.subscriptions import GRAPHQL_TRANSPORT_WS_PROTOCOL
from strawberry.types import ExecutionResult
from strawberry.types.graphql import OperationType
from strawberry.types.unset import UNSET

from tams_graphql.graphql.context import OperationContext
from tams_graphql.graphql.errors import fully_typed
from tams_graphql.graphql.ide import add_ide_assets, ide_page, live_page
from tams_graphql.graphql.limits import Limits
from tams_graphql.graphql.schema import make_schema
from tams_graphql.graphql.sse import EVENT_STREAM, EventStream
from tams_graphql.graphql.streams import Streams
from tams_graphql.graphql.websocket import connection_class, socket_class
from tams_graphql.resolvers.context import Context
from tams_graphql.resolvers.events import begin_now

RESPONSE_TYPE = "application/graphql-response+json"
JSON_TYPE = "application/json"
PATH = "/graphql"
_NOT_ALLOWED = ["HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"]


class _Refused(Exception):
    """The request is no GraphQL request."""

    def __init__(self, status: int, code: str, message: str, **headers: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.headers = headers


def graphql_router(
    make_context: Callable[[HTTPConnection | None], Context],
    *,
    limits: Limits,
    introspection: bool,
    ide: bool,
    streams: Streams | None = None,
) -> APIRouter:
    """Everything under ``/graphql``.

    Args:
        make_context: the resolvers' context of one request.
        limits: what one operation, and one request body, may hold.
        introspection: whether clients may ask for the schema.
        ide: whether browsers get GraphiQL.
        streams: where connections register over which events are told.
    """
    router = _Router(
        make_context, limits, streams or Streams(), introspection=introspection, ide=ide
    )
    if ide:
        add_ide_assets(router, f"{PATH}/assets")
        router.add_api_route("/live", live_page, include_in_schema=False)

    @router.api_route(PATH, methods=_NOT_ALLOWED, include_in_schema=False)
    async def not_allowed(request: Request) -> Response:
        refusal = _Refused(405, "METHOD_NOT_ALLOWED", "use GET or POST", allow="GET, POST")
        return _refusal(request, refusal)

    return router


class _Router(GraphQLRouter[OperationContext, None]):
    """Strawberry's router, but for what HTTP clients see."""

    def __init__(
        self,
        make_context: Callable[[HTTPConnection | None], Context],
        limits: Limits,
        streams: Streams,
        *,
        introspection: bool,
        ide: bool,
    ) -> None:
        # Were it not async, FastAPI would call it in a thread.
        async def context(connection: HTTPConnection) -> OperationContext:
            return OperationContext(make_context(connection), limits.cost)

        super().__init__(
            make_schema(limits, introspection=introspection),
            path=PATH,
            graphql_ide="graphiql" if ide else None,
            context_getter=context,
            subscription_protocols=(GRAPHQL_TRANSPORT_WS_PROTOCOL,),
            connection_init_wait_timeout=timedelta(seconds=streams.init_seconds),
            include_in_schema=False,
        )
        self._limits = limits
        self._streams = streams
        self.graphql_transport_ws_handler_class = connection_class(streams)
        self.websocket_adapter_class = socket_class(limits.body_bytes)

    async def run(self, request: Any, context: Any = UNSET, root_value: Any = UNSET) -> Any:
        """Answer one HTTP request, or hand a WebSocket to Strawberry."""
        if self.is_websocket_request(request):
            return await super().run(request, context, root_value)
        try:
            return await self._answer(request, context)
        except _Refused as refusal:
            return _refusal(request, refusal)

    async def _answer(self, request: Request, context: OperationContext) -> Response:
        if self.graphql_ide and _wants_page(request):
            return ide_page()
        media_type = _negotiated(request)
        params = await self._params(request)
        if media_type == EVENT_STREAM:
            await begin_now(context.tams)
            return EventStream(self._results(request, context, params), self._streams)
        result = await self._execute(request, context, params)
        result.errors = fully_typed(result.errors, context.tams.request_id)
        before_execution = media_type == RESPONSE_TYPE and _never_ran(result)
        return _response(shown(result), 400 if before_execution else 200, media_type)

    async def _results(
        self, request: Request, context: OperationContext, params: Mapping[str, Any]
    ) -> AsyncGenerator[dict[str, Any], None]:
        results = await self.schema.stream(
            params["query"],
            variable_values=params.get("variables"),
            context_value=context,
            operation_name=params.get("operationName"),
            allowed_operation_types=_allowed(request),
        )
        async with aclosing(results):
            async for result in results:
                yield shown(result)

    def encode_json(self, data: object) -> str:
        """JSON, as text for WebSockets."""
        return orjson.dumps(data).decode()

    def is_websocket_origin_allowed(self, request: Any, origin: str) -> bool:
        """`guards.OriginGuard` has looked at it."""
        del request, origin
        return True

    async def _execute(
        self, request: Request, context: OperationContext, params: Mapping[str, Any]
    ) -> ExecutionResult:
        try:
            return await self.schema.execute(
                params["query"],
                variable_values=params.get("variables"),
                context_value=context,
                operation_name=params.get("operationName"),
                allowed_operation_types=_allowed(request) - {OperationType.SUBSCRIPTION},
            )
        except CannotGetOperationTypeError as error:
            message = error.as_http_error_reason()
            raise _Refused(400, "OPERATION_RESOLUTION_FAILURE", message) from error
        except InvalidOperationTypeError as error:
            if error.operation_type is OperationType.SUBSCRIPTION:
                message = f"subscriptions need Accept: {EVENT_STREAM}, or a WebSocket"
                raise _Refused(406, "NOT_ACCEPTABLE", message) from error
            message = error.as_http_error_reason(request.method)
            raise _Refused(405, "METHOD_NOT_ALLOWED", message, allow="POST") from error

    async def _params(self, request: Request) -> Mapping[str, Any]:
        if request.method == "GET":
            return _checked(_from_query(request.query_params))
        content_type = request.headers.get("content-type", "")
        mime, _, parameters = content_type.partition(";")
        if mime.strip().lower() != JSON_TYPE:
            raise _Refused(
                415, "UNSUPPORTED_MEDIA_TYPE", f"send {JSON_TYPE}, not {content_type[:64]!r}"
            )
        if "charset" in parameters.lower() and "utf-8" not in parameters.lower():
            raise _Refused(415, "UNSUPPORTED_MEDIA_TYPE", "send JSON in UTF-8")
        return _checked(_from_json(await self._body(request)))

    async def _body(self, request: Request) -> bytes:
        """The body, never more of it than allowed."""
        most = self._limits.body_bytes
        body = bytearray()
        async for piece in request.stream():
            body += piece
            if len(body) > most:
                raise _Refused(413, "TOO_LARGE", f"the body exceeds {most} bytes")
        return bytes(body)


def _allowed(request: Request) -> set[OperationType]:
    return OperationType.from_http("GET" if request.method == "GET" else "POST")


def shown(result: Any) -> dict[str, Any]:
    """A result as the response shows it; without `data` if it never ran."""
    body: dict[str, Any] = {}
    if result.errors:
        body["errors"] = [error.formatted for error in result.errors]
    if not _never_ran(result):
        body["data"] = result.data
    if result.extensions:
        body["extensions"] = result.extensions
    return body


def _never_ran(result: Any) -> bool:
    # Whatever fails while executing has a path; a request error has none.
    errors = result.errors or []
    return bool(errors) and result.data is None and all(one.path is None for one in errors)


def _from_query(query: Mapping[str, str]) -> dict[str, Any]:
    params: dict[str, Any] = dict(query)
    for name in ("variables", "extensions"):
        if params.get(name):
            params[name] = _from_json(params[name].encode(), f"{name} is ")
    return params


def _from_json(text: bytes, what: str = "") -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise _Refused(400, "BAD_REQUEST", f"{what}not JSON in UTF-8: {error}") from error


_TYPES: Mapping[str, tuple[type, str]] = {
    "query": (str, "a string"),
    "operationName": (str, "a string"),
    "variables": (dict, "an object"),
    "extensions": (dict, "an object"),
}


def _checked(params: Any) -> Mapping[str, Any]:
    if not isinstance(params, dict):
        raise _Refused(400, "BAD_REQUEST", "the body must be a JSON object; batches are not taken")
    for name, (kind, told) in _TYPES.items():
        if params.get(name) is not None and not isinstance(params[name], kind):
            raise _Refused(400, "BAD_REQUEST", f"{name} must be {told}")
    if not params.get("query"):
        raise _Refused(400, "BAD_REQUEST", "query is missing")
    return params


def _wants_page(request: Request) -> bool:
    accept = request.headers.get("accept", "")
    return request.method == "GET" and "query" not in request.query_params and "text/html" in accept


def _negotiated(request: Request) -> str:
    """The media type of the answer: the client's favourite of ours.

    Raises:
        _Refused: it takes neither.
    """
    found = _accepted(request.headers.get("accept", ""))
    if found is None:
        raise _Refused(
            406, "NOT_ACCEPTABLE", f"we send {RESPONSE_TYPE}, {JSON_TYPE} or {EVENT_STREAM}"
        )
    return found


def _accepted(accept: str) -> str | None:
    best, favourite = 0.0, JSON_TYPE if not accept.strip() else None
    for entry in accept.split(","):
        mime, *parameters = (part.strip().lower() for part in entry.split(";"))
        offered = {
            RESPONSE_TYPE: RESPONSE_TYPE,
            JSON_TYPE: JSON_TYPE,
            EVENT_STREAM: EVENT_STREAM,
            "*/*": JSON_TYPE,
            "application/*": JSON_TYPE,
        }.get(mime)
        quality = _quality(parameters)
        if offered is not None and quality > best:
            best, favourite = quality, offered
    return favourite


def _quality(parameters: list[str]) -> float:
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name == "q":
            try:
                return float(value)
            except ValueError:
                return 0.0
    return 1.0


def _refusal(request: Request, refusal: _Refused) -> Response:
    error = {"message": refusal.message, "extensions": {"code": refusal.code}}
    accepted = _accepted(request.headers.get("accept", ""))
    media_type = JSON_TYPE if accepted in {None, EVENT_STREAM} else accepted
    return _response({"errors": [error]}, refusal.status, media_type, refusal.headers)


def _response(
    body: Mapping[str, Any], status: int, media_type: str, headers: Mapping[str, str] | None = None
) -> Response:
    return Response(
        orjson.dumps(body),
        status,
        headers={
            "content-type": f"{media_type}; charset=utf-8",
            "vary": "accept",
            **(headers or {}),
        },
    )
