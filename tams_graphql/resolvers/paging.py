"""Keyset pages and opaque cursors, written once for every listing of both APIs."""

import base64
import binascii
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import orjson

from tams_graphql.metadata.engine import Key
from tams_graphql.model.errors import InvalidInput

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class PageRequest:
    """Which page of a listing: `limit` rows after the opaque cursor `after`.

    `reverse` travels the listing's order backwards. `field` is what the caller calls the
    cursor (``page`` in REST, ``after`` or ``before`` in GraphQL): errors name it.
    """

    limit: int = 100
    after: str | None = None
    reverse: bool = False
    field: str = "page"


@dataclass(frozen=True, slots=True, kw_only=True)
class Page(Generic[T]):
    """Items in the direction of travel, and whether more follow.

    `listing` and `positions` (one per item: the sort-order values that place it) make cursors.
    """

    items: Sequence[T]
    positions: Sequence[Key]
    listing: str
    has_more: bool

    def cursor(self, index: int) -> str:
        """The opaque cursor of item `index`."""
        return encode_cursor(self.listing, self.positions[index])

    @property
    def next_cursor(self) -> str | None:
        """Where the next page starts, or ``None`` on the last one."""
        return self.cursor(len(self.items) - 1) if self.has_more else None

    def map(self, change: Callable[[T], T]) -> "Page[T]":
        """The same page of changed items."""
        items = [change(item) for item in self.items]
        return Page(
            items=items, positions=self.positions, listing=self.listing, has_more=self.has_more
        )


def encode_cursor(listing: str, position: Key) -> str:
    """An opaque cursor for `position` within `listing` (its name and sort order)."""
    return base64.urlsafe_b64encode(orjson.dumps([listing, *position])).rstrip(b"=").decode()


def decode_cursor(listing: str, cursor: str, field: str, like: tuple[type, ...]) -> Key:
    """The position that `encode_cursor` was given.

    Args:
        listing: the listing that the cursor must have come from.
        cursor: what the client sent.
        field: the name of the client's argument, for the error.
        like: the types of the position's values.

    Raises:
        InvalidInput: it is no cursor, or one of another listing or sort order.
    """
    try:
        padded = cursor.encode() + b"=" * (-len(cursor) % 4)
        value = orjson.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (binascii.Error, ValueError) as error:
        raise InvalidInput(field, "cursor.malformed", "not a cursor of this service") from error
    if not isinstance(value, list) or not value or value[0] != listing:
        raise InvalidInput(field, "cursor.foreign", "the cursor belongs to another listing")
    if len(value) != len(like) + 1 or not all(map(_is_a, value[1:], like)):
        raise InvalidInput(field, "cursor.malformed", "not a cursor of this service")
    return tuple(value[1:])


def _is_a(part: object, kind: type) -> bool:
    # A forged integer beyond 64 bits would fail inside the engine.
    return type(part) is kind and not (isinstance(part, int) and not -(2**63) <= part < 2**63)
