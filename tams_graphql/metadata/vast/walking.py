"""The first rows of an order, from queries that know neither order nor limit.

To find the first `limit` rows without reading all of a long flow:

1. Ask for everything, but stop after a few times `limit` rows. If that was all, sort it: done.
2. Otherwise the limit-th of those rows, in order, is an edge: no wanted row is beyond it. Ask
   again for what is not beyond the edge. In a table that is sorted as we wish, that is `limit`
   rows; in one of any order, a fraction of what there was, and so on.
3. Many rows with one value in a column of the order are told apart by the next column.

Nothing rests on the order in which the server answers, and a page of a long flow costs two
queries, or one where its density is known (`density`).
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

import pyarrow as pa
import pyarrow.compute as pc

from tams_graphql.metadata.engine import Key, OneOf, Scalar, Scan
from tams_graphql.metadata.tables import Table
from tams_graphql.metadata.vast.queries import (
    Answer,
    Compared,
    Condition,
    Present,
    Query,
    Select,
    at_edge,
    conditions_of,
    joined,
)

_SAMPLE = 1_024
_TIMES = 4


@dataclass(frozen=True, kw_only=True)
class Walk:
    """Rows along `order`, from just after `after`, until `until`, at most `limit` of them.

    Args:
        table: which table.
        wanted: the columns to return.
        conditions: what all rows have in common.
        order: the columns that tell them apart, most significant first.
        after: the position to resume at: values of `order`.
        until: the last value of the first column of `order` to look at.
        reverse: whether to walk down.
        limit: how many rows.
    """

    table: Table
    wanted: tuple[str, ...]
    conditions: tuple[Condition, ...]
    order: tuple[str, ...]
    after: Key | None
    reverse: bool
    limit: int
    until: Scalar = None

    @cached_property
    def read(self) -> tuple[str, ...]:
        """The columns to ask for: those wanted, and those to sort by."""
        return tuple(dict.fromkeys((*self.wanted, *self.order)))

    @cached_property
    def bounds(self) -> tuple[Condition, ...]:
        """What can be said about `after` and `until` by conditions on one column."""
        if not self.order:
            return ()
        resumed = self.after[0] if self.after else None
        exact = len(self.order) == 1
        return (
            *at_edge(self.order[0], self._beyond(or_equal=not exact), resumed),
            *at_edge(self.order[0], self._before(or_equal=True), self.until),
        )

    def query(self, cap: int | None) -> Query:
        """All of its rows, and perhaps some that are not beyond `after`."""
        conditions = (*self.conditions, *self.bounds)
        return Query(table=self.table, columns=self.read, conditions=conditions, cap=cap)

    def shaped(self, rows: pa.Table) -> pa.Table:
        """The rows beyond `after`, in order."""
        if self.after and len(self.order) > 1:
            rows = rows.filter(self.later(rows))
        direction = "descending" if self.reverse else "ascending"
        if rows.num_rows < 2 or not self.order:
            return rows
        return rows.sort_by([(name, direction) for name in self.order])

    def near(self, edge: Scalar) -> "Walk":
        """The part that is not beyond `edge`."""
        return replace(self, until=edge)

    def far(self, edge: Scalar) -> "Walk":
        """The part beyond `edge`."""
        beyond = at_edge(self.order[0], self._beyond(or_equal=False), edge)
        return replace(self, conditions=(*self.conditions, *beyond), after=None)

    def before(self, edge: Scalar) -> "Walk | None":
        """The part that comes before `edge`; ``None``: there can't be any."""
        if self.after and self.after[0] == edge:
            return None
        return self._with(Compared(self.order[0], self._before(or_equal=False), edge))

    def at(self, edge: Scalar) -> "Walk":
        """The part that has the value `edge`, along the rest of the order."""
        resumed = self.after[1:] if self.after and self.after[0] == edge else None
        same = (*self.conditions, OneOf(self.order[0], (edge,)))
        return replace(
            self,
            wanted=self.read,
            conditions=same,
            order=self.order[1:],
            after=resumed or None,
            until=None,
        )

    def _with(self, condition: Condition, **changed: Key | None) -> "Walk":
        return replace(self, conditions=(*self.conditions, condition), **changed)  # type: ignore[arg-type]  # `after` only

    def _beyond(self, *, or_equal: bool) -> Literal["<", "<=", ">", ">="]:
        if self.reverse:
            return "<=" if or_equal else "<"
        return ">=" if or_equal else ">"

    def _before(self, *, or_equal: bool) -> Literal["<", "<=", ">", ">="]:
        return replace(self, reverse=not self.reverse)._beyond(or_equal=or_equal)  # noqa: SLF001

    def later(self, rows: pa.Table) -> pa.Array:
        """Which of `rows` are beyond `after`, column by column of the order."""
        later = pc.less if self.reverse else pc.greater
        names, values = self.order, self.after or ()
        mask = later(rows[names[-1]], values[-1])
        for name, value in zip(names[-2::-1], values[-2::-1], strict=True):
            same = pc.and_(pc.equal(rows[name], value), mask)
            mask = pc.or_(later(rows[name], value), same)
        return mask


def walk_of(scan: Scan, prefixes: tuple[Key, ...]) -> Walk | None:
    """The walk along the rest of the order, in the partitions of `prefixes` (of one length).

    Several prefixes of several columns let rows of other partitions through: see `grouping`.

    Returns:
        ``None`` if no row can be within the range to overlap.

    Raises:
        ValueError: the scan is none that the port offers.
    """
    order = scan.table.order(scan.order)
    length = len(prefixes[0])
    if length > len(order):
        raise ValueError(f"the order {scan.order!r} of {scan.table.name} has only {order}")
    remaining = order[length:]
    if scan.after is not None and len(scan.after) != len(remaining):
        raise ValueError(f"after needs values for {remaining}")
    overlap = _overlapping(scan, remaining)
    if overlap is None:
        return None
    return Walk(
        table=scan.table,
        wanted=known(scan.table, scan.columns),
        conditions=(*same_keys(order, prefixes), *_present(scan), *overlap, *_filters(scan)),
        order=remaining,
        after=scan.after or None,
        reverse=scan.reverse,
        limit=scan.limit,
    )


def known(table: Table, columns: tuple[str, ...] | None) -> tuple[str, ...]:
    """The columns to return.

    Raises:
        ValueError: the table has no such column.
    """
    chosen = table.columns if columns is None else columns
    if unknown := set(chosen) - set(table.columns):
        raise ValueError(f"{table.name} has no columns {sorted(unknown)}")
    return chosen


def same_keys(columns: tuple[str, ...], keys: tuple[Key, ...]) -> tuple[Condition, ...]:
    """Conditions that rows with one of `keys` in the first of `columns` meet."""
    return tuple(
        OneOf(name, tuple(dict.fromkeys(values)))
        for name, values in zip(columns, zip(*keys, strict=True), strict=False)
    )


def _present(scan: Scan) -> Iterator[Condition]:
    for name in scan.table.order(scan.order):
        if scan.table.schema.field(name).nullable:
            yield Present(name)


def _filters(scan: Scan) -> Iterator[Condition]:
    for condition in scan.where:
        if condition.column not in scan.table.columns:
            raise ValueError(f"{scan.table.name} has no column {condition.column!r}")
        yield from conditions_of(condition)


def _overlapping(scan: Scan, remaining: tuple[str, ...]) -> tuple[Condition, ...] | None:
    if scan.overlapping is None:
        return ()
    interval = scan.table.interval
    if interval is None or remaining != (interval[0],):
        raise ValueError("overlapping needs a table with an interval and all but its start")
    start, end = scan.overlapping
    if start is not None and end is not None and start >= end:
        return None
    return (*at_edge(interval[0], "<", end), *at_edge(interval[1], ">", start))


def first_rows(walk: Walk, select: Select) -> tuple[pa.Table, bool]:
    """The first rows of `walk` in order, and whether one query was enough to find them."""
    answer = select(walk.query(max(_SAMPLE, _TIMES * walk.limit)))
    rows = walk.shaped(answer.rows)
    if answer.complete or not walk.order:
        return rows.slice(0, walk.limit), True
    edge = _edge(walk, rows, answer)
    if edge != walk.until:
        return in_turn([walk.near(edge), walk.far(edge)], select), False
    if len(walk.order) == 1:
        # One key many times: no place to cut, and no harm in any of them.
        return rows.slice(0, walk.limit), False
    return in_turn([walk.before(edge), walk.at(edge)], select), False


def in_turn(walks: list[Walk | None], select: Select) -> pa.Table:
    """The first rows of walks that follow one another (and share their limit)."""
    parts: list[pa.Table] = []
    missing = next(walk.limit for walk in walks if walk)
    for walk in walks:
        if walk is not None and missing:
            rows, _ = first_rows(replace(walk, limit=missing), select)
            parts.append(rows)
            missing -= rows.num_rows
    names = parts[0].column_names
    return joined([part.select(names) for part in parts], parts[0].schema)


def _edge(walk: Walk, rows: pa.Table, answer: Answer) -> Scalar:
    name = walk.order[0]
    if rows.num_rows >= walk.limit:
        edge: Scalar = rows[name][walk.limit - 1].as_py()
        return edge
    furthest: Scalar = (pc.min if walk.reverse else pc.max)(answer.rows[name]).as_py()
    return furthest


def count_rows(walk: Walk, select: Select) -> int:
    """How many rows `walk` has, whatever its limit."""
    if walk.after and len(walk.order) > 1:
        first = walk.after[0]
        return count_rows(walk.at(first), select) + count_rows(walk.far(first), select)
    query = replace(walk.query(None), columns=())
    return int(select(query).rows.num_rows)
