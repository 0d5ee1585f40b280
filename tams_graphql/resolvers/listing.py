"""One page of a listing: keyset, filtered, full whenever enough rows match.

1. Where a filter names few resources (a tag's value, a collection, a label), they are read by
   id, sorted and cut here; the page costs as much as the filter has matches.
2. Otherwise the engine walks the sort order from the cursor in batches, with all that it can
   filter itself, and each batch passes the checks that it can't, until the page is full. A
   filter that matches little and has no index then walks far.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeAlias, TypeVar

from tams_graphql.metadata.engine import Between, Filter, Key, MetadataEngine, OneOf, Scan
from tams_graphql.metadata.tables import Table
from tams_graphql.model.errors import InvalidInput
from tams_graphql.resolvers.paging import Page, PageRequest, decode_cursor
from tams_graphql.resolvers.reading import Found, batches

T = TypeVar("T")
Check: TypeAlias = Callable[[list[Found]], Awaitable[list[Found]]]
"""Those of some rows that match a filter which the engine can't apply itself."""

FEW = 1000
"""Up to how many resources a filter may name to be worth starting from."""
_LARGEST_BATCH = 1000
_IDS_PER_READ = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing(Generic[T]):
    """What is listed.

    Attributes:
        name: the name of the listing, for its cursors.
        table: the table whose rows are listed; its key is one id.
        order: the sort order.
        descending: whether the order is travelled downwards unless reversed.
        read: a row as a record.
        where: what the engine filters.
        checks: what is filtered afterwards, row by row.
        candidates: ids that all matches are among, if few; ``None`` for all rows.
    """

    name: str
    table: Table
    order: str
    descending: bool
    read: Callable[[Mapping[str, Any]], T]
    where: tuple[Filter, ...] = ()
    checks: tuple[Check, ...] = ()
    candidates: frozenset[str] | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """What places a row in the listing."""
        return self.table.order(self.order)


async def list_page(metadata: MetadataEngine, listing: Listing[T], page: PageRequest) -> Page[T]:
    """The page of `listing` that `page` asks for.

    Raises:
        InvalidInput: the cursor is not of this listing, or a filter's value can't be stored.
    """
    check_storable(listing.where)
    after = _position(listing, page)
    descending = listing.descending != page.reverse
    found: list[Found] = []
    async for batch in _walk(metadata, listing, after, descending, page.limit + 1):
        found.extend(await _checked(listing, batch))
        if len(found) > page.limit:
            break
    return page_of(listing, found, page.limit)


def page_of(listing: Listing[T], found: Sequence[Found], limit: int) -> Page[T]:
    """The first `limit` of the rows `found`, of which one more tells that there are more."""
    rows = found[:limit]
    return Page(
        items=[listing.read(row) for row in rows],
        positions=[tuple(row[name] for name in listing.columns) for row in rows],
        listing=listing.name,
        has_more=len(found) > limit,
    )


async def count_all(metadata: MetadataEngine, listing: Listing[T]) -> int:
    """How many rows match."""
    check_storable(listing.where)
    if listing.candidates is None and not listing.checks:
        return await metadata.count(Scan(table=listing.table, where=listing.where))
    walk = _walk(metadata, listing, None, listing.descending, _LARGEST_BATCH)
    return sum([len(await _checked(listing, batch)) async for batch in walk])


def check_storable(where: Sequence[Filter]) -> None:
    """Refuse values that no row could have and that engines don't take.

    Raises:
        InvalidInput: text that is no Unicode, or an integer beyond 64 bits.
    """
    for one in where:
        values = one.values if isinstance(one, OneOf) else (one.at_least, one.below)
        for value in values:
            if isinstance(value, int) and not -(2**63) <= value < 2**63:
                raise InvalidInput(one.column, "integer.range", "does not fit 64 bits")
            if isinstance(value, str):
                check_text(one.column, value)


def check_text(field: str, text: str) -> None:
    """Refuse text that is no Unicode.

    Raises:
        InvalidInput: it holds an unpaired surrogate.
    """
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise InvalidInput(field, "unicode", "holds an unpaired surrogate")


def _position(listing: Listing[T], page: PageRequest) -> Key | None:
    if page.after is None:
        return None
    kinds = {"int64": int, "string": str}
    like = tuple(kinds[str(listing.table.schema.field(name).type)] for name in listing.columns)
    return decode_cursor(listing.name, page.after, page.field, like)


async def _walk(
    metadata: MetadataEngine,
    listing: Listing[T],
    after: Key | None,
    descending: bool,
    limit: int,
) -> AsyncIterator[list[Found]]:
    if listing.candidates is not None:
        for batch in await _among_candidates(metadata, listing, after, descending):
            yield batch
        return
    scan = Scan(
        table=listing.table,
        order=listing.order,
        after=after,
        reverse=descending,
        where=listing.where,
    )
    async for batch in batches(metadata, scan, min(limit, _LARGEST_BATCH)):
        yield batch


async def _among_candidates(
    metadata: MetadataEngine, listing: Listing[T], after: Key | None, descending: bool
) -> list[list[Found]]:
    rows: list[Found] = []
    ids = sorted(listing.candidates or ())
    for start in range(0, len(ids), _IDS_PER_READ):
        keys: list[Key] = [(identifier,) for identifier in ids[start : start + _IDS_PER_READ]]
        found = (await metadata.get(listing.table, keys)).to_pylist()
        rows.extend(row for row in found if _matches(row, listing.where))

    def position(row: Found) -> tuple[Any, ...]:
        return tuple(row[name] for name in listing.columns)

    rows.sort(key=position, reverse=descending)
    if after is not None:
        rows = [r for r in rows if (position(r) < after if descending else position(r) > after)]
    return [rows[start : start + FEW] for start in range(0, len(rows), FEW)]


async def _checked(listing: Listing[T], rows: list[Found]) -> list[Found]:
    for check in listing.checks:
        if rows:
            rows = await check(rows)
    return rows


def _matches(row: Mapping[str, Any], where: Sequence[Filter]) -> bool:
    return all(_matches_one(row[one.column], one) for one in where)


def _matches_one(value: Any, one: Filter) -> bool:
    if isinstance(one, OneOf):
        return value in one.values
    return _within(value, one)


def _within(value: Any, between: Between) -> bool:
    if value is None:
        return False
    above: bool = between.at_least is None or value >= between.at_least
    below: bool = between.below is None or value < between.below
    return above and below
