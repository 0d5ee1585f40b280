"""The first rows of each of many partitions: their number costs queries only where it must.

1. Where the page of a flow ends is mostly known, from the flow's own row, read before. Flows whose
   pages are about the same stretch of time are read up to there by one query. (One bound serves
   all of them: a predicate can't have one for each.)
2. Who then still has too few rows is asked for again, beyond that.
3. The others are asked for at once, with a cap. If that was not everything, somebody's flow is
   long: the flows' own rows are read, and we begin again.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

import pyarrow as pa

from tams_graphql.metadata.engine import Key, Scan
from tams_graphql.metadata.vast.density import Densities
from tams_graphql.metadata.vast.grouping import by_partition
from tams_graphql.metadata.vast.queries import Select
from tams_graphql.metadata.vast.walking import Walk, walk_of

_TOGETHER = 4_096
_TIMES = 4

Found = dict[Key, pa.Table]


class Search:
    """One `first_per_key`.

    Args:
        scan: what to find in each partition.
        select: how to ask.
        densities: where pages end.
        alone: how to read one partition by itself.
    """

    def __init__(
        self,
        scan: Scan,
        select: Select,
        densities: Densities,
        alone: Callable[[Scan, Key], pa.Table],
    ) -> None:
        self._scan = scan
        self._select = select
        self._densities = densities
        self._alone = alone

    def first_of_each(self, prefixes: tuple[Key, ...]) -> Found:
        """The first rows of each partition, in order; partitions without rows are left out."""
        if not all(prefixes):
            raise ValueError("a partition has at least one fixed column")
        if walk_of(self._scan, prefixes) is None:
            return {}
        found, rest = self._guessed(prefixes)
        others = self._at_once(rest)
        if others is None:
            self._densities.learn_from_flows(self._scan, rest, self._select)
            more, left = self._guessed(rest)
            found |= more
            others = self._at_once(left) if len(left) < len(rest) else None
            rest = left
        if others is None:
            others = {prefix: self._alone(self._scan, prefix) for prefix in rest}
        return found | others

    def _guessed(self, prefixes: Sequence[Key]) -> tuple[Found, list[Key]]:
        """What is found by guesses, and the partitions about which there are none."""
        edges = {prefix: self._densities.guess(self._scan, prefix) for prefix in prefixes}
        known = {prefix: edge for prefix, edge in edges.items() if edge is not None}
        alike = sorted(known, key=known.__getitem__, reverse=self._scan.reverse)
        unknown = [prefix for prefix in prefixes if prefix not in known]
        return (self._up_to(alike, known) if alike else {}), unknown

    def _at_once(self, prefixes: Sequence[Key]) -> Found | None:
        return self._together(self._walk(prefixes), prefixes) if prefixes else {}

    def _together(self, walk: Walk, prefixes: Sequence[Key]) -> Found | None:
        names = self._scan.table.order(self._scan.order)[: len(prefixes[0])]
        query = walk.query(self._cap(prefixes))
        query = replace(query, columns=tuple(dict.fromkeys((*query.columns, *names))))
        answer = self._select(query)
        return by_partition(walk, answer.rows, names, prefixes) if answer.complete else None

    def _walk(self, prefixes: Sequence[Key]) -> Walk:
        walk = walk_of(self._scan, tuple(prefixes))
        if walk is None:
            raise RuntimeError("the same scan has a walk for more of these partitions")
        return walk

    def _cap(self, prefixes: Sequence[Key]) -> int:
        return max(_TOGETHER, _TIMES * self._scan.limit * len(prefixes))

    def _up_to(self, prefixes: list[Key], edges: dict[Key, int]) -> Found:
        """`prefixes` are sorted by their edges, so that neighbours are about the same time."""
        if len(prefixes) == 1:
            return {prefixes[0]: self._alone(self._scan, prefixes[0])}
        edge = edges[prefixes[-1]]
        rows = sum(self._densities.rows_until(self._scan, one, edge) for one in prefixes)
        few = rows <= self._cap(prefixes)
        found = self._together(self._walk(prefixes).near(edge), prefixes) if few else None
        if found is None:
            middle = len(prefixes) // 2
            halves = (prefixes[:middle], prefixes[middle:])
            return self._up_to(halves[0], edges) | self._up_to(halves[1], edges)
        return found | self._beyond(found, prefixes, edge)

    def _beyond(self, found: Found, prefixes: list[Key], edge: int) -> Found:
        short = [one for one in prefixes if _count(found, one) < self._scan.limit]
        if not short:
            return {}
        more = self._together(self._walk(short).far(edge), short)
        if more is None:
            return {one: self._alone(self._scan, one) for one in short}
        return {
            one: pa.concat_tables(
                [part for part in (found.get(one), more[one]) if part is not None]
            ).slice(0, self._scan.limit)
            for one in short
            if one in more
        }


def _count(found: Found, prefix: Key) -> int:
    return found[prefix].num_rows if prefix in found else 0
