"""Strawberry's decorators with a description, typed (their own overload gives up on types)."""

from collections.abc import Callable
from typing import Any, TypeVar, cast

import strawberry

F = TypeVar("F", bound=Callable[..., Any])


def field(*, description: str) -> Callable[[F], F]:
    """A resolved field of an object type."""
    return cast("Callable[[F], F]", strawberry.field(description=description))


def mutation(*, description: str) -> Callable[[F], F]:
    """A root field that changes something."""
    return cast("Callable[[F], F]", strawberry.mutation(description=description))


def subscription(*, description: str) -> Callable[[F], F]:
    """A root field that tells of what happens."""
    return cast("Callable[[F], F]", strawberry.subscription(description=description))
