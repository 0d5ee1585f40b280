"""How close together the segments of a flow are: a guess that saves queries, never a rule.

A page of a long flow is one query if we know about where it ends. What earlier pages showed, and
what flows' own rows say about all of their segments whenever they are read, is remembered here.
A wrong guess costs a query more.
"""

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa

from tams_graphql.metadata import tables
from tams_graphql.metadata.engine import Key, OneOf, Scan
from tams_graphql.metadata.tables import Table
from tams_graphql.metadata.vast.queries import Query, Select

_REMEMBERED = 10_000
_SLACK = 1.25

ROLLUP = ("timeline_id", "segment_count", "start_ns", "end_ns")


@dataclass(frozen=True, slots=True)
class Density:
    """Nanoseconds from one start to the next, and the first and last start seen so far.

    `whole`: there was nothing before the first or beyond the last when the flow was read.
    """

    spacing_ns: float
    first_ns: int
    last_ns: int
    whole: bool = False


class Densities:
    """Densities of the partitions read last; safe to use from several threads."""

    def __init__(self) -> None:
        self._known: OrderedDict[Key, Density] = OrderedDict()
        self._lock = threading.Lock()

    def guess(self, scan: Scan, prefix: Key) -> int | None:
        """The start (ns) that a page of `scan` most likely does not go beyond.

        Returns:
            ``None`` if nothing is known, or the page most likely takes all that there is.
        """
        if not _applies(scan, prefix):
            return None
        with self._lock:
            density = self._known.get(prefix)
        return None if density is None else _page_end(scan, density)

    def rows_until(self, scan: Scan, prefix: Key, edge: int) -> float:
        """About how many rows of the partition are not beyond `edge` (ns)."""
        with self._lock:
            density = self._known.get(prefix)
        if density is None:  # pushed out since by others
            return 0.0
        length = density.last_ns - edge if scan.reverse else edge - density.first_ns
        whole = density.last_ns - density.first_ns
        return 1 + max(0, min(length, whole)) / max(density.spacing_ns, 1)

    def learn(self, scan: Scan, prefix: Key, page: pa.Table) -> None:
        """Remember what a page of a long partition showed."""
        if not _applies(scan, prefix) or page.num_rows < 2:
            return
        column = page[tables.SEGMENTS.key[-1]]
        edges = sorted((column[0].as_py(), column[-1].as_py()))
        spacing = (edges[1] - edges[0]) / (page.num_rows - 1)
        with self._lock:
            old = self._known.get(prefix, Density(spacing, *edges))
            first, last = min(old.first_ns, edges[0]), max(old.last_ns, edges[1])
            self._remember(prefix, Density(spacing, first, last, old.whole))

    def observe(self, table: Table, rows: pa.Table) -> None:
        """Remember what rows of flows, if that is what these are, say about their segments."""
        if table is not tables.FLOWS or not set(ROLLUP) <= set(rows.column_names):
            return
        with self._lock:
            for timeline_id, count, start, end in zip(
                *(rows[name].to_pylist() for name in ROLLUP), strict=True
            ):
                if count and start is not None and end is not None:
                    self._remember((timeline_id,), Density((end - start) / count, start, end, True))

    def learn_from_flows(self, scan: Scan, prefixes: Sequence[Key], select: Select) -> None:
        """Remember what the rows of these flows say; one query if any is unknown."""
        with self._lock:
            unknown = [one for one in prefixes if one not in self._known]
        if not unknown or not _applies(scan, unknown[0]):
            return
        conditions = (OneOf("timeline_id", tuple(timeline_id for (timeline_id,) in unknown)),)
        found = select(Query(table=tables.FLOWS, columns=ROLLUP, conditions=conditions)).rows
        self.observe(tables.FLOWS, found)

    def _remember(self, prefix: Key, density: Density) -> None:
        self._known[prefix] = density
        self._known.move_to_end(prefix)
        if len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)


def _applies(scan: Scan, prefix: Key) -> bool:
    if scan.where:
        return False  # the rows that pass are farther apart, nobody knows how far
    return scan.table is tables.SEGMENTS and scan.order == "key" and len(prefix) == 1


def _page_end(scan: Scan, density: Density) -> int | None:
    length = int(density.spacing_ns * (scan.limit + 1) * _SLACK) + 1
    start, end = scan.overlapping or (None, None)
    seen = scan.after[0] if scan.after else None
    first, last = (density.first_ns, density.last_ns) if density.whole else (None, None)
    if scan.reverse:
        edges = [edge for edge in (seen, end, density.last_ns) if isinstance(edge, int)]
        edge = min(edges) - length
        return None if any(stop is not None and edge <= stop for stop in (start, first)) else edge
    edges = [edge for edge in (seen, start, density.first_ns) if isinstance(edge, int)]
    edge = max(edges) + length
    return None if any(stop is not None and edge >= stop for stop in (end, last)) else edge
