"""Whether a page costs the same wherever it is in a listing: at the start, the middle, the end."""

import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import httpx
import rich

from tams_graphql.metadata.tables import FLOWS, SEGMENTS, SOURCES, Table
from tams_graphql.model.vocabulary import ContentFormat
from tams_graphql.resolvers.paging import encode_cursor
from tests.bench.harness import Arm, Comparison, Result, measure
from tests.bench.rows import FEW, ROWS, seed
from tests.bench.rows import SEGMENTS as SEGMENT_COUNT
from tests.bench.seed import FLOW_1M
from tests.support.processes import tams

PAGE = 100
VIDEO = ContentFormat.VIDEO.value
DEPTHS = ("start", "middle", "end")
_CREW = (
    "EXISTS (SELECT 1 FROM tags WHERE kind = '{kind}' AND name = 'crew' AND value = '%s'"
    " AND resource_id = {key})"
)
FILTERS = {
    "": ("", "1"),
    "format of two thirds": (f"format={VIDEO}", f"format = '{VIDEO}'"),
    "tag of half": ("tag.crew=many", _CREW % "many"),
    f"tag of {FEW}": ("tag.crew=few", _CREW % "few"),
}
"""What is asked for, and the same for SQL."""
QUERY = """
query ($first: Int, $after: String, $last: Int, $before: String) {
  flows(first: $first, after: $after, last: $last, before: $before) {
    nodes { flowId label created }
    pageInfo { hasNextPage hasPreviousPage }
  }
}
"""


@dataclass(frozen=True)
class Depths:
    """What pages cost, listing by listing."""

    listings: tuple[Result, ...]

    def markdown(self) -> Iterator[str]:
        """One table of all listings."""
        yield "### Does a page cost the same at the start and at the end of a long listing?"
        yield ""
        yield f"Pages of {PAGE} items, of {ROWS:,} flows, as many sources and {SEGMENT_COUNT:,}"
        yield "segments of one flow; each row interleaved."
        yield ""
        yield "| listing | start, median ms | middle, ratio | end, ratio |"
        yield "|---|---|---|---|"
        for one in self.listings:
            middle, end = one.ratios[1:]
            name = one.comparison.question
            yield f"| {name} | {one.medians[0]:.2f} | {middle:.2f} | {end:.2f} |"
        worst = max(ratio for one in self.listings for ratio in one.ratios)
        yield ""
        yield f"The largest ratio is {worst:.2f}."
        yield ""


@dataclass(frozen=True)
class Listing:
    """An order of a table: where its pages start, told without the server."""

    table: Table
    order: str
    cursor_of: str
    prefix: tuple[str, ...] = ()

    def cursors(
        self, index: sqlite3.Connection, *, descending: bool, among: str = "1"
    ) -> tuple[str | None, ...]:
        """None for the start; then half way; then so that one page is left of the rows `among`.

        `among`: a condition in SQL.
        """
        columns = self.table.order(self.order)
        prefix = [f"{name} = ?" for name in columns[: len(self.prefix)]]

        def place(condition: str, offset: int, *, falling: bool) -> tuple[Any, ...]:
            direction = " DESC" if falling else ""
            order = ", ".join(column + direction for column in columns)
            ask = f"SELECT {', '.join(columns[len(self.prefix) :])} FROM {self.table.name}"
            ask += f" WHERE {' AND '.join([*prefix, condition])} ORDER BY {order}"
            found = index.execute(f"{ask} LIMIT 1 OFFSET ?", (*self.prefix, offset))
            return tuple(found.fetchone())

        half = place("1", ROWS // 2, falling=descending)
        end = place(among, PAGE, falling=not descending)
        return (None, *(encode_cursor(self.cursor_of, one) for one in (half, end)))


def depths() -> Depths:
    """Seed, serve, measure."""
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data"
        seed(data)
        index = sqlite3.connect(f"file:{data / 'index.sqlite'}?mode=ro", uri=True)
        with tams(data) as server, httpx.Client(base_url=server.url, timeout=60) as client:
            comparisons = [
                *_resources(client, index, "flows", FLOWS, ("created", "metadata_updated")),
                *_resources(client, index, "sources", SOURCES, ("created", "updated")),
                *_segments(client, index),
                *_graphql(client, index),
            ]
            result = Depths(tuple(measure(one) for one in comparisons))
        index.close()
    rich.print("\n".join(result.markdown()))
    return result


def _resources(
    client: httpx.Client,
    index: sqlite3.Connection,
    path: str,
    table: Table,
    dates: tuple[str, ...],
) -> Iterator[Comparison]:
    for sort, reverse in product((*dates, "label"), (False, True)):
        listing = Listing(table, sort, f"{path}:{sort}")
        order = f"by {sort}{', reversed' if reverse else ''}"
        # The default order with all filters, the others with what the engine filters itself.
        for told, (query, sql) in list(FILTERS.items())[: 4 if sort == dates[0] else 2]:
            among = sql.format(key=table.key[0], kind=path.removesuffix("s"))
            descending = (sort in dates) != reverse
            cursors = listing.cursors(index, descending=descending, among=among)
            target = f"/{path}?sort_by={sort}&reverse_order={str(reverse).lower()}&{query}"
            name = f"REST {path} {order}" + (f", {told}" if told else "")
            yield _compared(name, cursors, _rest(client, target))


def _segments(client: httpx.Client, index: sqlite3.Connection) -> Iterator[Comparison]:
    row = index.execute("SELECT timeline_id FROM flows WHERE flow_id = ?", (FLOW_1M,)).fetchone()
    listing = Listing(SEGMENTS, "key", "segments", tuple(row))
    for reverse, timerange in product((False, True), ("", f"[0:500000000_{SEGMENT_COUNT}:0)")):
        cursors = listing.cursors(index, descending=reverse)
        target = f"/flows/{FLOW_1M}/segments?reverse_order={str(reverse).lower()}"
        target += f"&timerange={timerange}" if timerange else ""
        name = f"REST segments{', reversed' if reverse else ''}{', timerange' * bool(timerange)}"
        yield _compared(name, cursors, _rest(client, target))


def _graphql(client: httpx.Client, index: sqlite3.Connection) -> Iterator[Comparison]:
    for backward in (False, True):
        listing = Listing(FLOWS, "created", "flows:created")
        cursors = listing.cursors(index, descending=not backward)
        size, place = ("last", "before") if backward else ("first", "after")

        def page(cursor: str | None, size: str = size, place: str = place) -> None:
            body = {"query": QUERY, "variables": {size: PAGE, place: cursor}}
            answer = client.post("/graphql", json=body).json()
            assert len(answer["data"]["flows"]["nodes"]) == PAGE, answer

        yield _compared(f"GraphQL flows, {size} and {place}", cursors, page)


def _rest(client: httpx.Client, target: str) -> Callable[[Any], None]:
    def page(cursor: str | None) -> None:
        more = "" if cursor is None else f"&page={cursor}"
        response = client.get(f"{target}&limit={PAGE}{more}")
        assert response.status_code == 200, response.text
        assert len(response.json()) == PAGE, response.text

    return page


def _compared(
    name: str, cursors: tuple[str | None, ...], page: Callable[[Any], None]
) -> Comparison:
    arms = [
        Arm(depth, lambda cursor=cursor: page(cursor))
        for depth, cursor in zip(DEPTHS, cursors, strict=True)
    ]
    return Comparison(name, "page", arms)


if __name__ == "__main__":
    depths()
