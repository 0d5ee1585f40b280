"""What a GraphQL operation carries beside the resolvers' `Context`."""

from collections.abc import Sequence
from typing import TypeAlias, TypeVar

import strawberry
from graphql import GraphQLError
from strawberry.fastapi import BaseContext

from tams_graphql.resolvers.context import Context

T = TypeVar("T")


class OperationContext(BaseContext):
    """One operation: the request's `Context`, and how many unpaged objects it may still get.

    Args:
        tams: made anew for each request.
        budget: members of collections, which come without pages, count against it.
    """

    def __init__(self, tams: Context, budget: int = 20_000) -> None:
        super().__init__()
        self.tams = tams
        self.budget = budget
        self._spent = 0

    def renewed(self) -> "OperationContext":
        """That of the next operation, or event, on the same connection."""
        return OperationContext(self.tams.renewed(), self.budget)

    def counted(self, items: Sequence[T]) -> Sequence[T]:
        """`items`, charged to the operation.

        Raises:
            GraphQLError: ``LIMIT_EXCEEDED``, more objects than one operation may return.
        """
        self._spent += len(items)
        if self._spent > self.budget:
            raise limit_exceeded("cost", self._spent, self.budget)
        return items


Info: TypeAlias = strawberry.Info[OperationContext, None]


def limit_exceeded(limit: str, value: int, allowed: int) -> GraphQLError:
    """The refusal of an operation that is too big; names the limit and both values."""
    return GraphQLError(
        f"the operation exceeds the limit {limit}: {value} is more than {allowed}",
        extensions={
            "code": "LIMIT_EXCEEDED",
            "limit": limit,
            "value": value,
            "allowed": allowed,
        },
    )
