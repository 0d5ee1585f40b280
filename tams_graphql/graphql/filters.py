"""Lists in filters are short: each entry may cost a look at every row."""

from collections.abc import Sequence
from typing import TypeVar, overload

from tams_graphql.model.errors import InvalidInput

T = TypeVar("T")

MOST = 100
"""How many entries a list in a filter may have."""


@overload
def capped(field: str, items: Sequence[T]) -> tuple[T, ...]: ...
@overload
def capped(field: str, items: Sequence[T] | None) -> tuple[T, ...] | None: ...
def capped(field: str, items: Sequence[T] | None) -> tuple[T, ...] | None:
    """The entries of a list in a filter; ``None`` if it was left out.

    Raises:
        InvalidInput: more than `MOST`.
    """
    if items is None:
        return None
    if len(items) > MOST:
        raise InvalidInput(field, "too_many", f"at most {MOST} entries, not {len(items)}")
    return tuple(items)
