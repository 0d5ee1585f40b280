"""How refusals are told: as `UserError` data in payloads, as typed GraphQL errors elsewhere."""

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol, TypeVar

import strawberry
import structlog
from graphql import GraphQLError
from strawberry.extensions import SchemaExtension
from strawberry.schema.exceptions import CannotGetOperationTypeError, InvalidOperationTypeError
from strawberry.types.execution import StreamExecutionResult
from strawberry.utils.str_converters import to_camel_case

from tams_graphql.graphql.literals import with_field
from tams_graphql.model.errors import (
    CursorTooOld,
    MediaStoreError,
    NotFound,
    Problem,
    SubscriptionEnded,
    Unavailable,
)

log = structlog.get_logger(__name__)


@strawberry.type(description="One thing wrong with the input of a mutation; nothing was changed.")
class UserError:
    """A domain failure as data."""

    code: str = strawberry.field(description="Machine-readable kind, e.g. `OVERLAP`.")
    rule: str | None = strawberry.field(description="The rule that was broken, if it has a name.")
    field: list[str] = strawberry.field(description="Path to the input field; may be empty.")
    message: str = strawberry.field(description="For the person who wrote the client.")


@strawberry.input
class MutationInput:
    """What every mutation takes."""

    client_mutation_id: str | None = strawberry.field(
        default=None, description="Returned as it is."
    )


@strawberry.input
class CreationInput(MutationInput):
    """What every mutation that creates something takes."""

    idempotency_key: str | None = strawberry.field(
        default=None,
        description=(
            "The same key with the same input gives the saved answer; with another input, an"
            " error. At most 256 characters."
        ),
    )


@strawberry.type
class MutationPayload:
    """What every mutation answers."""

    errors: list[UserError] = strawberry.field(
        default_factory=list, description="Why nothing was changed; empty on success."
    )
    client_mutation_id: str | None = strawberry.field(default=None, description="As in the input.")


class _Payload(Protocol):
    def __init__(self, **fields: Any) -> None: ...


P = TypeVar("P", bound=_Payload)


async def answered(
    payload: type[P], request: MutationInput, work: Awaitable[Mapping[str, Any]]
) -> P:
    """Run a mutation's `work` and put its fields, or why it was refused, into `payload`.

    Raises:
        Unavailable: a failure of the system is no data.
    """
    try:
        fields = await work
    except Unavailable:
        raise
    except MediaStoreError as refusal:
        fields = {"errors": user_errors(refusal, request)}
    return payload(client_mutation_id=request.client_mutation_id, **fields)


def user_errors(refusal: MediaStoreError, request: MutationInput | None = None) -> list[UserError]:
    """One `UserError` for each problem of `refusal`, its field as in the input `request`."""
    if not refusal.problems:
        return [UserError(code=refusal.code, rule=None, field=[], message=refusal.message)]
    return [
        UserError(
            code=refusal.code,
            rule=problem.rule,
            field=_input_path(refusal, problem, request),
            message=problem.message,
        )
        for problem in refusal.problems
    ]


_IDENTIFIERS: Mapping[str, list[str]] = {
    "flow": ["flowId"],
    "source": ["sourceId"],
    "object": ["objectId"],
    "tag": ["removeTags"],
    "webhook": ["webhookId"],
    "delivery": ["deliveryId"],
}


_ABOUT_THE_FLOW = {"read_only", "flow.no_container"}
"""Rules that the stored Flow breaks, not a field of the input."""


Found = TypeVar("Found")
Shown = TypeVar("Shown")


async def shown_or_null(finding: Awaitable[Found], show: Callable[[Found], Shown]) -> Shown | None:
    """What `finding` finds, as `show` shows it; ``None`` if there is none."""
    try:
        return show(await finding)
    except NotFound:
        return None


def _input_path(
    refusal: MediaStoreError, problem: Problem, request: MutationInput | None
) -> list[str]:
    if isinstance(refusal, NotFound) and "." not in problem.field:
        return _IDENTIFIERS.get(problem.field, [])
    if problem.rule in _ABOUT_THE_FLOW:
        return ["flowId"]
    field = problem.field.removeprefix("flow_metadata.")
    first, *rest = (to_camel_case(part) for part in field.split("."))
    if first == "flowCollection" and rest[-1:] == ["id"]:
        rest[-1] = "flowId"
    return [part for part in (*_as_in_graphql(first, request), *rest) if part]


def _as_in_graphql(name: str, request: object) -> list[str]:
    """The path of a property that REST bodies have elsewhere."""
    essence = getattr(request, "essence", None)
    if essence is not None and name in {"format", "essenceParameters"}:
        return ["essence", *(kind for kind, given in vars(essence).items() if given is not None)]
    if name == "id":
        of_profile = hasattr(request, "profile_id") and not hasattr(request, "flow_id")
        return ["profileId" if of_profile else "flowId"]
    return [name]


class TypedErrors(SchemaExtension):
    """Gives every error an `extensions.code`, and masks what clients can't understand."""

    def on_operation(self) -> Iterator[None]:
        """Type the errors of an operation that was executed."""
        yield
        result = self.execution_context.result
        if result is not None and getattr(result, "errors", None):
            self._type(result)

    def on_stream_result(self, result: StreamExecutionResult) -> Iterator[None]:
        """Type the errors of one result of a subscription."""
        self._type(result)
        yield

    def _type(self, result: Any) -> None:
        context = self.execution_context.context
        request_id = context.tams.request_id if context is not None else ""
        result.errors = [typed(error, request_id) for error in result.errors or ()] or None


def typed(error: GraphQLError, request_id: str) -> GraphQLError:
    """The error as clients see it; an unexpected exception is logged and masked."""
    cause = error.original_error
    while isinstance(cause, GraphQLError) and cause.original_error is not None:
        cause = cause.original_error
    if isinstance(cause, MediaStoreError):
        return _retold(error, cause.message, _extensions(cause))
    if isinstance(cause, CannotGetOperationTypeError):
        message = cause.as_http_error_reason()
        return _retold(error, message, {"code": "OPERATION_RESOLUTION_FAILURE"})
    if isinstance(cause, InvalidOperationTypeError):
        message = cause.as_http_error_reason("GET")
        return _retold(error, message, {"code": "METHOD_NOT_ALLOWED"})
    if cause is None or isinstance(cause, GraphQLError):
        code = "EXECUTION_FAILED" if error.path else "INVALID_INPUT"
        return _retold(error, error.message, {"code": code, **with_field(error)})
    log.error("internal error", request_id=request_id, path=error.path, exc_info=cause)
    return _retold(error, "internal error", {"code": "INTERNAL", "requestId": request_id})


def fully_typed(
    errors: Sequence[GraphQLError] | None, request_id: str
) -> list[GraphQLError] | None:
    """`errors` with a code each: those from before the execution may lack one."""
    return [
        error if "code" in (error.extensions or {}) else typed(error, request_id)
        for error in errors or ()
    ] or None


def _extensions(refusal: MediaStoreError) -> dict[str, Any]:
    more: dict[str, Any] = {}
    if isinstance(refusal, CursorTooOld):
        more["oldestCursor"] = refusal.oldest
    if isinstance(refusal, SubscriptionEnded):
        more["cursor"] = refusal.cursor
    return {
        "code": refusal.code,
        **more,
        "problems": [
            {
                "field": to_camel_case(problem.field),
                "rule": problem.rule,
                "message": problem.message,
            }
            for problem in refusal.problems
        ],
    }


def _retold(error: GraphQLError, message: str, extensions: dict[str, Any]) -> GraphQLError:
    return GraphQLError(
        message,
        nodes=error.nodes,
        source=error.source,
        positions=error.positions,
        path=error.path,
        extensions=extensions,
    )
