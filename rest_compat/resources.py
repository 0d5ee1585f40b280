"""What a REST resource is: a path and, for each method, a handler with what it takes and tells."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from starlette.responses import Response

from rest_compat.parameters import Parameter, Query
from rest_compat.versions import NEWEST, Version
from tams_graphql.resolvers.context import Context

Schema: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request, read: `path` holds the decoded path parameters of `template`.

    `body` is the JSON value of a method that takes one. URLs of this API that are handed out
    start with `public_url`, which has the prefix of `version` if the request had it.
    """

    ctx: Context
    template: str
    path: Mapping[str, str]
    query: Query
    public_url: str
    version: Version = NEWEST
    body: Any = None


Handler: TypeAlias = Callable[[Call], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Body:
    """The JSON body that a method takes."""

    schema: Schema
    required: bool = True


@dataclass(frozen=True, slots=True)
class Told:
    """One documented answer; without a schema it has no body worth reading."""

    description: str
    schema: Schema | None = None
    headers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """A method of a resource. HEAD comes with GET by itself.

    `sees_hidden`: whether it does more than 404 below what the version of a request can't see.
    """

    handler: Handler
    summary: str
    description: str = ""
    parameters: tuple[Parameter[Any], ...] = ()
    body: Body | None = None
    answers: Mapping[int, Told] = field(default_factory=dict)
    sees_hidden: bool = False


@dataclass(frozen=True, slots=True)
class Resource:
    """A path with parameters in braces; ids but ``objectId`` are UUIDs."""

    path: str
    operations: Mapping[str, Operation]


LISTING_HEADERS = (
    "Link",
    "X-Paging-Limit",
    "X-Paging-NextKey",
    "X-Paging-Count",
    "X-Paging-Reverse-Order",
)
