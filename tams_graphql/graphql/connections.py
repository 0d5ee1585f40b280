"""Relay's building blocks, written once: global ids, pages, connections."""

import base64
import binascii
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Annotated, Generic, TypeAlias, TypeVar, cast

import strawberry

from tams_graphql.graphql import fields
from tams_graphql.model.errors import InvalidInput
from tams_graphql.resolvers.paging import Page, PageRequest

_URL_SAFE = bytes.maketrans(b"+/", b"-_")

N = TypeVar("N")
R = TypeVar("R")


@strawberry.interface(description="Anything with a global id, to be fetched by `node`.")
class Node:
    """Relay's Node."""

    id: strawberry.ID = strawberry.field(description="Unique among all nodes of this server.")


def global_id(kind: str, *parts: str | int) -> strawberry.ID:
    """The opaque global id of a node of `kind`."""
    return global_ids([":".join((kind, *map(str, parts)))])[0]


def global_ids(texts: Iterable[str]) -> list[strawberry.ID]:
    """The global ids of many nodes, each told by its kind and parts with colons between."""
    coded = b"".join([binascii.b2a_base64(text.encode()) for text in texts])
    plain = coded.translate(_URL_SAFE, b"=").decode()
    return cast("list[strawberry.ID]", plain.splitlines())


def parse_global_id(text: str) -> tuple[str, str]:
    """The kind and the rest of a global id.

    Raises:
        InvalidInput: it is none.
    """
    try:
        padded = text.encode() + b"=" * (-len(text) % 4)
        kind, _, rest = (
            base64.b64decode(padded, altchars=b"-_", validate=True).decode().partition(":")
        )
    except (binascii.Error, UnicodeError) as error:
        raise InvalidInput("id", "id.malformed", "not an id of this service") from error
    if not rest:
        raise InvalidInput("id", "id.malformed", "not an id of this service")
    return kind, rest


@dataclass(frozen=True, slots=True)
class PageLimits:
    """How many items a page holds: by default, and at most."""

    default: int
    most: int


LISTS = PageLimits(20, 100)
SEGMENTS = PageLimits(100, 5000)
RANGES = PageLimits(100, 5000)

First: TypeAlias = Annotated[
    int | None, strawberry.argument(description="The first so many items (default 20, most 100).")
]
After: TypeAlias = Annotated[
    str | None, strawberry.argument(description="Items after this cursor; goes with `first`.")
]
Last: TypeAlias = Annotated[
    int | None, strawberry.argument(description="The last so many items; instead of `first`.")
]
Before: TypeAlias = Annotated[
    str | None, strawberry.argument(description="Items before this cursor; goes with `last`.")
]
Reverse: TypeAlias = Annotated[
    bool, strawberry.argument(description="Turn the order of the listing round.")
]


@dataclass(frozen=True, slots=True)
class Cut:
    """Which part of a listing a client asked for."""

    limit: int
    cursor: str | None
    backward: bool
    reverse: bool

    @property
    def request(self) -> PageRequest:
        """The same for the resolvers."""
        return PageRequest(
            limit=self.limit,
            after=self.cursor,
            reverse=self.reverse != self.backward,
            field="before" if self.backward else "after",
        )

    @property
    def plain(self) -> bool:
        """Whether it is the beginning of the listing in its own order."""
        return self.cursor is None and not self.backward and not self.reverse

    def info(self, cursors: list[str], *, has_more: bool) -> "PageInfo":
        """What Relay tells about the page with these `cursors`, in the client's order."""
        return PageInfo(
            has_next_page=(self.cursor is not None) if self.backward else has_more,
            has_previous_page=has_more if self.backward else (self.cursor is not None),
            start_cursor=cursors[0] if cursors else None,
            end_cursor=cursors[-1] if cursors else None,
        )


def cut(
    first: int | None,
    after: str | None,
    last: int | None,
    before: str | None,
    *,
    reverse: bool = False,
    limits: PageLimits = LISTS,
) -> Cut:
    """Read Relay's paging arguments.

    Raises:
        InvalidInput: out of range, or a forward argument with a backward one.
    """
    backward = last is not None or before is not None
    if backward and (first is not None or after is not None):
        name = "first" if first is not None else "after"
        raise InvalidInput(name, "paging.mixed", f"{name} can't go with last or before")
    limit = limited("last", last, limits) if backward else limited("first", first, limits)
    return Cut(limit, before if backward else after, backward, reverse)


def limited(name: str, value: int | None, limits: PageLimits) -> int:
    """`value`, or the default.

    Raises:
        InvalidInput: it is below one or beyond what a page may hold.
    """
    if value is None:
        return limits.default
    if not 1 <= value <= limits.most:
        raise InvalidInput(
            name, "paging.range", f"{name} must be from 1 to {limits.most}, not {value}"
        )
    return value


@strawberry.type(description="Where a page stands in its listing.")
class PageInfo:
    """Relay's PageInfo."""

    has_next_page: bool
    has_previous_page: bool
    start_cursor: str | None
    end_cursor: str | None


@strawberry.type(description="An item of a page, with its cursor.")
class Edge(Generic[N]):
    """Relay's Edge."""

    cursor: str
    node: N


@strawberry.type(description="A page of a listing.")
class Connection(Generic[N]):
    """Relay's Connection, with GitHub's shortcut to the nodes."""

    edges: list[Edge[N]]
    nodes: list[N]
    page_info: PageInfo
    count: strawberry.Private[Callable[[], Awaitable[int]]]

    @fields.field(description="How many items there are in all; costs a query of its own.")
    async def total_count(self) -> int:
        """Counted only when selected."""
        return await self.count()


def connection(
    page: Page[R], at: Cut, wrap: Callable[[R], N], count: Callable[[], Awaitable[int]]
) -> Connection[N]:
    """A page of records as a connection, in the client's order."""
    cursors = [page.cursor(index) for index in range(len(page.items))]
    nodes = [wrap(item) for item in page.items]
    if at.backward:
        cursors.reverse()
        nodes.reverse()
    return Connection(
        edges=[Edge(cursor=c, node=n) for c, n in zip(cursors, nodes, strict=True)],
        nodes=nodes,
        page_info=at.info(cursors, has_more=page.has_more),
        count=count,
    )
