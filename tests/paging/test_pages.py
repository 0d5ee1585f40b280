"""Pages joined are the listing: each filter, order, direction and size; no page too few or many."""

from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from itertools import product
from pathlib import Path

import pytest

from tests.paging.faces import USUAL, Pages, Query, connection, graphql_pages, rest_pages, whole
from tests.paging.listings import LISTINGS, Listing
from tests.paging.store import Store, opened

COUNT = 14
FIND_NOTHING = {"Flow.segments": ("timerange=()",)}
named = [pytest.param(one, id=one.graphql) for one in LISTINGS]
over_rest = [pytest.param(one, id=one.rest) for one in LISTINGS if one.rest is not None]


@pytest.fixture
def sizes(engine_under_test: str) -> Callable[[int], set[int]]:
    """The page sizes to read so many items with; on VAST, where each read is slow, only one."""
    if engine_under_test == "vast":
        return lambda _: {USUAL}
    return lambda count: {1, 2, USUAL, 7, max(1, count), count + 1}


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    async with opened(tmp_path) as store:
        yield store


async def fill(store: Store, listing: Listing) -> None:
    """`COUNT` of them, made at nine times, and later some of them changed."""
    kind = listing.kind()
    await kind.begin(store)
    for number in range(COUNT):
        store.pass_seconds(int(number % 3 != 0))
        await kind.add(store, number)
    for number, one in list(enumerate(await kind.every(store)))[::3]:
        store.pass_seconds(int(number % 2 == 0))
        await kind.change(store, one["id"], number + 1)


def queries(listing: Listing, *, reversible: bool) -> Iterator[Query]:
    turns = (False, True) if reversible else (False,)
    for where, order, reverse in product(listing.wheres, listing.orders, turns):
        yield Query(listing=listing, where=where, order=order, reverse=reverse, limit=1000)


async def joined(pages: Pages, store: Store, query: Query) -> tuple[list[str], list[object]]:
    ids: list[str] = []
    items: list[object] = []
    async for page in pages(store, query):
        ids += page.ids
        items += page.items
    return ids, items


@pytest.mark.parametrize("listing", over_rest)
async def test_over_rest(store: Store, listing: Listing, sizes: Callable[[int], set[int]]) -> None:
    await fill(store, listing)
    every = await listing.kind().every(store)
    for query in queries(listing, reversible=listing.reversible):
        if query.where.rest is None:
            continue
        expected = query.sorted(query.places(every))
        unpaged = await whole(store, query)
        assert unpaged.ids == expected, query.url(1000)
        for limit in sizes(len(expected)):
            one = replace(query, limit=limit)
            found = await joined(rest_pages, store, one)
            assert found == (expected, unpaged.items), one.url(limit)


@pytest.mark.parametrize("listing", over_rest)
async def test_without_sort_by_it_is_the_first_order(store: Store, listing: Listing) -> None:
    await fill(store, listing)
    (query, *_) = queries(listing, reversible=False)
    expected = query.sorted(query.places(await listing.kind().every(store)))
    plain = replace(query, listing=replace(listing, orders={"": listing.orders[query.order]}))
    found = await joined(rest_pages, store, replace(plain, order="", limit=3))
    assert found[0] == expected


@pytest.mark.parametrize("listing", named)
async def test_over_graphql(
    store: Store, listing: Listing, sizes: Callable[[int], set[int]]
) -> None:
    await fill(store, listing)
    every = await listing.kind().every(store)
    for query in queries(listing, reversible=True):
        if query.where.graphql is None:
            continue
        found = await connection(store, replace(query, limit=100), None)
        expected = query.sorted(query.places(every))
        told = [one["node"][listing.key] for one in found["edges"]]
        assert (told, found["totalCount"]) == (expected, len(expected)), query.where
        for limit, backward in product(sizes(len(expected)), (False, True)):
            one = replace(query, limit=limit, backward=backward)
            ids, _ = await joined(graphql_pages, store, one)
            assert ids == (expected[::-1] if backward else expected), one


@pytest.mark.parametrize("listing", named)
async def test_every_filter_of_the_table_tells_items_apart(store: Store, listing: Listing) -> None:
    await fill(store, listing)
    every = await listing.kind().every(store)
    assert len(every) >= COUNT
    for where in listing.wheres[1:]:
        found = sum(map(where.holds, every))
        if where.graphql is None:  # it chooses URLs
            assert found == len(every)
        elif where.rest in FIND_NOTHING.get(listing.graphql, ()):
            assert found == 0
        else:
            assert 0 < found < len(every), where.rest
