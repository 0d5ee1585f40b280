"""Segments of many flows in one engine read."""

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa

from tams_graphql.metadata.engine import Between, Filter, Key, Scan
from tams_graphql.metadata.tables import SEGMENTS
from tams_graphql.resolvers.context import Context
from tams_graphql.resolvers.timelines import timelines_of
from tams_graphql.timeline import MAX_NS


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentQuery:
    """What is asked of a flow's segments; equal queries of one tick share a read.

    `start_ns`, `end_ns`: half-open, ``None`` for an open end. `after`, `columns`: as in `Scan`;
    ``flow_id`` must be among the columns, since it tells the timelines of several flows apart.
    """

    start_ns: int | None
    end_ns: int | None
    object_id: str | None
    after: Key | None
    limit: int
    reverse: bool
    columns: tuple[str, ...] | None = None

    @property
    def is_empty(self) -> bool:
        """Whether nothing can match."""
        # Nothing is stored that ends after MAX_NS.
        return self.start_ns is not None and self.start_ns in {self.end_ns, MAX_NS}

    def scan(self) -> tuple[Scan, Key]:
        """The read, and what comes before the timeline in its sort order."""
        if self.object_id is None:
            by_time = Scan(
                table=SEGMENTS,
                overlapping=(self.start_ns, self.end_ns),
                after=self.after,
                limit=self.limit,
                reverse=self.reverse,
                columns=self.columns,
            )
            return by_time, ()
        # An object has few segments in a flow, however long the flow is.
        by_object = Scan(
            table=SEGMENTS,
            order="object",
            after=self.after,
            limit=self.limit,
            reverse=self.reverse,
            where=self._overlapping(),
            columns=self.columns,
        )
        return by_object, (self.object_id,)

    def _overlapping(self) -> tuple[Filter, ...]:
        filters: list[Filter] = []
        if self.end_ns is not None:
            filters.append(Between("start_ns", None, self.end_ns))
        if self.start_ns is not None:
            filters.append(Between("end_ns", self.start_ns + 1, None))
        return tuple(filters)


async def load_segments(ctx: Context, flow_id: str, query: SegmentQuery) -> pa.Table:
    """Rows of SEGMENTS of one flow, as `query` asks, in its direction of travel."""
    if query.is_empty:
        return SEGMENTS.schema.empty_table().select(query.columns or SEGMENTS.columns)

    async def read(flow_ids: Sequence[str]) -> list[pa.Table]:
        scan, prefix = query.scan()
        timelines = await timelines_of(ctx, flow_ids)
        prefixes: list[Key] = [(*prefix, one) for one in timelines.values()]
        rows = await ctx.metadata.first_per_key(scan, prefixes)
        return _split(rows, flow_ids)

    return await ctx.loaders.load(("segments", query), read, flow_id)


def _split(rows: pa.Table, flow_ids: Sequence[str]) -> list[pa.Table]:
    """One table per flow; `rows` come grouped."""
    if len(flow_ids) == 1:
        return [rows]
    counts = {
        entry["values"]: entry["counts"] for entry in rows["flow_id"].value_counts().to_pylist()
    }
    starts: dict[str, int] = {}
    position = 0
    for flow_id, count in counts.items():  # in order of first appearance
        starts[flow_id], position = position, position + count
    return [rows.slice(starts.get(one, 0), counts.get(one, 0)) for one in flow_ids]
