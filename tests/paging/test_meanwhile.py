"""Pages while items come, go and change between them: what stays is told once, in its place.

1. An item whose place in the listing stays, and that keeps matching, is told exactly once.
2. No item is told more often than it had places.
3. By a date that changes: the oldest first, each item that is kept is told at least once; the
   latest first, at most once, and one that changes before its turn is not told.
"""

import asyncio
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.paging.faces import Pages, Query, graphql_pages, rest_pages
from tests.paging.kinds import MOST, Kind
from tests.paging.listings import LISTINGS, Listing, Place
from tests.paging.store import Store, opened

Step: TypeAlias = tuple[str, int]
FACES = {"rest": rest_pages, "graphql": graphql_pages}
EXAMPLES = settings.default.max_examples if settings.default is not None else 100
few = settings(
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
steps = st.lists(
    st.tuples(st.sampled_from(["add", "change", "change", "remove"]), st.integers(0, MOST)),
    max_size=3,
)


@st.composite
def travels(draw: st.DrawFn, face: str, listing: Listing) -> Query:
    """A filter, an order, a direction and a size that the face offers."""
    wheres = [one for one in listing.wheres if getattr(one, face) is not None]
    free = face == "graphql"
    return Query(
        listing=listing,
        where=draw(st.just(wheres[0]) | st.sampled_from(wheres)),
        order=draw(st.sampled_from(list(listing.orders))),
        reverse=draw(st.booleans() if free or listing.reversible else st.just(False)),
        limit=draw(st.integers(1, 3)),
        backward=draw(st.booleans() if free else st.just(False)),
    )


class Story:
    """A store with some items, and what happens there between two pages."""

    def __init__(self, store: Store, kind: Kind) -> None:
        self.store = store
        self.kind = kind
        self.next = 0

    async def begin(self, count: int) -> None:
        await self.kind.begin(self.store)
        for _ in range(count):
            await self.happen([("add", self.next)])

    async def happen(self, gap: list[Step]) -> None:
        for what, number in gap:
            self.store.pass_seconds(number % 2)
            every = sorted(one["id"] for one in await self.kind.every(self.store))
            loose = [one for one in every if one not in self.kind.always]
            if what == "add" and self.next < MOST:
                await self.kind.add(self.store, self.next)
                self.next += 1
            elif every and what == "change":
                await self.kind.change(self.store, every[number % len(every)], number)
            elif loose and what == "remove":
                await self.kind.remove(self.store, loose[number % len(loose)])


class Seen:
    """What was told, and where everything was each time."""

    def __init__(self, query: Query) -> None:
        self.query = query
        self.told: list[str] = []
        self.moments: list[dict[str, Place]] = []

    def page(self, ids: list[str], places: dict[str, Place]) -> None:
        """A page is of what matches, in its order."""
        assert ids == self.query.sorted({one: places[one] for one in ids})
        self.told += ids
        self.moments.append(places)

    def check(self) -> None:
        first, *rest = self.moments
        kept = {one for one in first if all(one in moment for moment in rest)}
        steady = {one: first[one] for one in kept if len(self.places_of(one)) == 1}
        assert [one for one in self.told if one in steady] == self.query.sorted(steady)
        for one, times in Counter(self.told).items():
            assert times <= len(self.places_of(one))
        if self.query.order in {"updated", "metadata_updated", "expiry"}:
            if self.query.descending:
                assert len(self.told) == len(set(self.told))
            else:
                assert kept <= set(self.told)

    def places_of(self, identifier: str) -> set[Place]:
        return {moment[identifier] for moment in self.moments if identifier in moment}


async def play(pages: Pages, query: Query, count: int, gaps: list[list[Step]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        async with opened(Path(folder)) as store:
            story = Story(store, query.listing.kind())
            await story.begin(count)
            seen = Seen(query)
            places = query.places(await story.kind.every(store))
            async for page in pages(store, query):
                seen.page(page.ids, places)
                await story.happen(gaps.pop(0) if gaps else [])
                places = query.places(await story.kind.every(store))
            seen.check()


on_every_face = pytest.mark.parametrize(
    ("face", "listing"),
    [
        pytest.param(face, one, id=f"{face}-{one.rest if face == 'rest' else one.graphql}")
        for face in FACES
        for one in LISTINGS
        if face == "graphql" or one.rest is not None
    ],
)


@pytest.mark.embedded
@on_every_face
@settings(few, max_examples=max(1, EXAMPLES // 10))
@given(st.data(), st.integers(0, 9), st.lists(steps, max_size=8))
def test_what_stays_is_told_once(
    face: str, listing: Listing, data: Any, count: int, gaps: list[list[Step]]
) -> None:
    query = data.draw(travels(face, listing))
    asyncio.run(play(FACES[face], query, count, list(gaps)))


@on_every_face
@settings(few, max_examples=2, derandomize=True)
@given(st.data(), st.integers(4, 9), st.lists(steps, min_size=3, max_size=5))
def test_what_stays_is_told_once_on_every_engine(
    face: str, listing: Listing, data: Any, count: int, gaps: list[list[Step]]
) -> None:
    query = data.draw(travels(face, listing))
    asyncio.run(play(FACES[face], query, count, list(gaps)))
