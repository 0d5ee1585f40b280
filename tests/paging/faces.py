"""The pages of a listing, in the order of travel, over REST and over GraphQL."""

import re
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, TypeAlias

import httpx
from graphql import GraphQLSchema, build_schema

from tams_graphql.timeline import TimeRange
from tests.paging.listings import Listing, Place, Where
from tests.paging.store import PUBLIC_URL, Json, Store

USUAL = 3
"""The page size that every listing is read with; pages of this size are asked for by HEAD, too."""

SDL = Path(__file__).parents[2] / "schema" / "tams.graphql"


@dataclass(frozen=True)
class Page:
    """The ids on a page, and all that is told of them."""

    ids: list[str]
    items: list[Any]


@dataclass(frozen=True, kw_only=True)
class Query:
    """A listing, filtered, in an order; `backward` travels it from its end (GraphQL)."""

    listing: Listing
    where: Where
    order: str
    reverse: bool
    limit: int
    backward: bool = False

    @property
    def descending(self) -> bool:
        """Whether places fall in the order of travel."""
        turned = self.reverse != self.backward
        return self.listing.orders[self.order].descending != turned

    def places(self, items: list[Json]) -> dict[str, Place]:
        """Those of `items` that match, with what places them."""
        place = self.listing.orders[self.order].place
        return {one["id"]: place(one) for one in items if self.where.holds(one)}

    def sorted(self, places: dict[str, Place]) -> list[str]:
        """Ids in the order of travel."""
        return sorted(places, key=places.__getitem__, reverse=self.descending)

    def url(self, limit: int) -> str:
        """Its first page over REST."""
        given = [
            self.where.rest,
            self.order and f"sort_by={self.order}",
            self.listing.reversible and f"reverse_order={str(self.reverse).lower()}",
            f"limit={limit}",
        ]
        return f"{self.listing.url or self.listing.rest}?{'&'.join(filter(None, given))}"


Pages: TypeAlias = Callable[[Store, Query], AsyncIterator[Page]]


async def rest_pages(store: Store, query: Query) -> AsyncIterator[Page]:
    """Page after page by the links, with their headers, which are those of HEAD."""
    target: str | None = query.url(query.limit)
    while target is not None:
        response = await store.http.get(target)
        assert response.status_code == 200, response.text
        page = rest_page(query.listing, response)
        if query.limit == USUAL:
            head = await store.http.head(target)
            assert (head.status_code, head.content, head.headers) == (200, b"", response.headers)
        check_headers(query, response, page)
        target = followed(query, response)
        assert target is None or len(page.ids) == query.limit
        yield page


def rest_page(listing: Listing, response: httpx.Response) -> Page:
    items = response.json()
    if listing.key == "timerange":
        return Page([one["timerange"] for one in items], items)
    if isinstance(items, dict):
        return Page(items["referenced_by_flows"], items["referenced_by_flows"])
    return Page([one["id"] for one in items], items)


def check_headers(query: Query, response: httpx.Response, page: Page) -> None:
    """All that the specification names, with exact values; the links only if more follows."""
    found = {name for name in response.headers if name == "link" or name.startswith("x-paging")}
    more = {"link", "x-paging-nextkey"}
    assert found | more == query.listing.headers
    assert found & more in (more, set())
    headers = response.headers
    assert headers["x-paging-limit"] == str(query.limit)
    if query.listing.counted:
        assert headers["x-paging-count"] == str(len(page.ids))
        assert headers["x-paging-reverse-order"] == str(query.reverse).lower()
    if query.listing.spanned:
        spans = sorted((TimeRange.parse(one) for one in page.ids), key=lambda one: one.start_ns)
        told = str(TimeRange(spans[0].start_ns, spans[-1].end_ns)) if spans else "()"
        assert headers["x-paging-timerange"] == told


def followed(query: Query, response: httpx.Response) -> str | None:
    """Where the link to the next page leads: the same query, with the key of the next page."""
    if "link" not in response.headers:
        return None
    key = response.headers["x-paging-nextkey"]
    link = re.fullmatch(r'<(.*)>; rel="next"', response.headers["link"])
    assert link is not None
    given = httpx.URL(query.url(query.limit))
    told = httpx.URL(link[1].removeprefix(PUBLIC_URL))
    assert link[1].startswith(PUBLIC_URL)
    assert told.raw_path.partition(b"?")[0] == given.raw_path.partition(b"?")[0]
    assert told.params.multi_items() == [*given.params.multi_items(), ("page", key)]
    return str(told)


@cache
def schema() -> GraphQLSchema:
    """The published schema."""
    return build_schema(SDL.read_text())


def document(listing: Listing, given: Json) -> str:
    """A query of a page with `given` arguments as variables."""
    parent, _, name = listing.graphql.partition(".")
    kinds = schema().type_map[parent].fields[name].args
    declared = ", ".join(f"${one}: {kinds[one].type!s}" for one in given)
    passed = ", ".join(f"{one}: ${one}" for one in given)
    selected = f"{name}({passed}) {{ edges {{ cursor node {{ {listing.key} }} }}"
    selected += f" nodes {{ {listing.key} }} totalCount"
    selected += " pageInfo { hasNextPage hasPreviousPage startCursor endCursor } }"
    return f"query Page({declared}) {{ {listing.wrap.format(selected)} }}"


async def graphql_pages(store: Store, query: Query) -> AsyncIterator[Page]:
    """Page after page by the cursors; each page turned so that it is in the order of travel."""
    cursor: str | None = None
    more = True
    while more:
        found = await connection(store, query, cursor)
        edges, info = found["edges"], found["pageInfo"]
        assert [one["node"] for one in edges] == found["nodes"]
        cursors = [one["cursor"] for one in edges] or [None]
        assert (info["startCursor"], info["endCursor"]) == (cursors[0], cursors[-1])
        ahead, behind = info["hasNextPage"], info["hasPreviousPage"]
        more, before = (behind, ahead) if query.backward else (ahead, behind)
        assert before == (cursor is not None)
        assert not more or len(edges) == query.limit
        cursor = info["startCursor" if query.backward else "endCursor"]
        ids = [one[query.listing.key] for one in found["nodes"]]
        ids = ids[::-1] if query.backward else ids
        yield Page(ids, ids)


async def connection(store: Store, query: Query, cursor: str | None) -> Json:
    """One page, as it is told."""
    size, place = ("last", "before") if query.backward else ("first", "after")
    given = {
        **(query.where.graphql or {}),
        **({"sort": query.order.upper()} if query.order else {}),
        "reverse": query.reverse,
        size: query.limit,
        **({} if cursor is None else {place: cursor}),
    }
    data: Any = await store.graphql(document(query.listing, given), given)
    while "edges" not in data:
        (data,) = data.values()
    return dict(data)


async def whole(store: Store, query: Query) -> Page:
    """Everything on a single page over REST."""
    response = await store.http.get(query.url(1000))
    assert "link" not in response.headers
    check_headers(replace(query, limit=1000), response, rest_page(query.listing, response))
    return rest_page(query.listing, response)
