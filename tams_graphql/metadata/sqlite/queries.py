"""From a `Scan` to one SQL statement that seeks where the scan starts and walks its order.

1. The rows of one partition are a subquery with order and limit.
2. Around it, each column is gathered into one JSON array, so that the whole read is a single
   step of SQLite, taken without the interpreter lock (see `batches`), and its result is columns.
3. For many partitions a list of prefixes drives that subquery, once for each.

Names in the text come from `metadata.tables` only; values are always parameters.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from tams_graphql.metadata.engine import Between, Filter, OneOf, Scalar, Scan
from tams_graphql.metadata.sqlite.batches import places
from tams_graphql.metadata.tables import Table

MOST_VALUES = 16_384
_LOWEST, _HIGHEST = -(2**63), 2**63 - 1


@dataclass(frozen=True, slots=True)
class Query:
    """SQL text, its parameters by name, and how many more the prefix or prefixes take."""

    sql: str
    parameters: Mapping[str, Scalar]
    prefix_values: int

    def bound(self, values: Sequence[Scalar]) -> dict[str, Scalar]:
        """All parameters, with `values` for the prefix, or for all prefixes in sequence."""
        return {f"p{n}": values[n] for n in range(self.prefix_values)} | dict(self.parameters)


def page(scan: Scan) -> Query:
    """One row with a JSON array for each column, of the rows of `scan` in its order.

    Raises:
        ValueError: the scan is none that this port offers (see `Scan`).
    """
    where = _where(scan)
    sql = f"SELECT {_gathered(_chosen(scan))} FROM ({_partition(scan, where)})"  # noqa: S608
    return Query(sql, where.parameters, len(scan.prefix))


@lru_cache(maxsize=256)
def points(table: Table, columns: tuple[str, ...] | None, keys: int) -> str:
    """One row with a JSON array for each column, of the rows with any of `keys` primary keys."""
    same = (f"{table.name}.{name} = wanted.column{n}" for n, name in enumerate(table.key, 1))
    # A cross join keeps the order: for each key one seek, never a walk over the table.
    return (
        f"SELECT {_gathered(_known(table, columns))}"  # noqa: S608 names of ours
        f" FROM (VALUES {places(keys, len(table.key))}) AS wanted"
        f" CROSS JOIN {table.name} ON {' AND '.join(same)}"
    )


def each(scan: Scan, prefix_length: int, prefixes: int) -> Query:
    """One JSON text: for each of `prefixes` prefixes a list of its columns, each a list.

    Raises:
        ValueError: the scan is none that this port offers (see `Scan`).
    """
    names = [f"wanted.column{number + 1}" for number in range(prefix_length)]
    where = _Where(scan, names)
    columns = _gathered(_chosen(scan))
    sql = (
        "SELECT '[' || group_concat("  # noqa: S608 names of ours
        f"(SELECT json_array({columns}) FROM ({_partition(scan, where)})), ',') || ']'"
        f" FROM (VALUES {_named_places(prefixes, prefix_length)}) AS wanted"
    )
    return Query(sql, where.parameters, prefixes * prefix_length)


def count(scan: Scan) -> Query:
    """How many rows `scan` has without its limit."""
    where = _where(scan)
    sql = f"SELECT count(*) FROM {_along(scan)}{where}"  # noqa: S608 names of ours
    return Query(sql, where.parameters, len(scan.prefix))


def _where(scan: Scan) -> "_Where":
    return _Where(scan, [f":p{number}" for number in range(len(scan.prefix))])


def _partition(scan: Scan, where: "_Where") -> str:
    direction = " DESC" if scan.reverse else ""
    order = ", ".join(f"{name}{direction}" for name in where.remaining)
    # SQLite may drop the order of a subquery below an aggregate, but not beside a limit.
    return (
        f"SELECT {', '.join(_chosen(scan))} FROM {_along(scan)}{where}"  # noqa: S608 names
        + (f" ORDER BY {order}" if order else "")
        + f" LIMIT {where.bind(scan.limit)}"
    )


def _along(scan: Scan) -> str:
    # Without being told, SQLite would rather walk half a flow along the key than use the index
    # of the order, because that saves it the look-ups of the rows.
    if scan.order == "key":
        return scan.table.name
    return f"{scan.table.name} INDEXED BY {scan.table.name}_by_{scan.order}"


def _chosen(scan: Scan) -> tuple[str, ...]:
    return _known(scan.table, scan.columns)


def _known(table: Table, columns: tuple[str, ...] | None) -> tuple[str, ...]:
    chosen = table.columns if columns is None else columns
    if unknown := set(chosen) - set(table.columns):
        raise ValueError(f"{table.name} has no columns {sorted(unknown)}")
    return chosen


def _gathered(columns: tuple[str, ...]) -> str:
    return ", ".join(f"json_group_array({name})" for name in columns)


def _named_places(rows: int, width: int) -> str:
    return ", ".join(
        "(" + ", ".join(f":p{row * width + column}" for column in range(width)) + ")"
        for row in range(rows)
    )


class _Where:
    """The WHERE clause of a scan, collected with its parameters."""

    def __init__(self, scan: Scan, prefix: Sequence[str]) -> None:
        """`prefix`: SQL for the values of the prefix."""
        order = scan.table.order(scan.order)
        if len(prefix) > len(order):
            raise ValueError(f"the order {scan.order!r} of {scan.table.name} has only {order}")
        self.scan = scan
        self.remaining = order[len(prefix) :]
        self.parameters: dict[str, Scalar] = {}
        self._same = [f"{name} = {value}" for name, value in zip(order, prefix, strict=False)]
        self._clauses = list(self._same)
        self._clauses += [
            f"{column} IS NOT NULL" for column in order if scan.table.schema.field(column).nullable
        ]
        if scan.after is not None and len(scan.after) != len(self.remaining):
            raise ValueError(f"after needs values for {self.remaining}")
        if scan.overlapping is None:
            self._resume(scan.after)
        else:
            self._overlap(*scan.overlapping, scan.after)
        for condition in scan.where:
            self._filter(condition)

    def __str__(self) -> str:
        return " WHERE " + " AND ".join(self._clauses) if self._clauses else ""

    def bind(self, value: Scalar) -> str:
        """The placeholder for `value`."""
        name = f"v{len(self.parameters)}"
        self.parameters[name] = value
        return f":{name}"

    def _resume(self, after: Sequence[Scalar] | None) -> None:
        if not after:
            return
        columns = ", ".join(self.remaining)
        values = ", ".join(self.bind(value) for value in after)
        beyond = "<" if self.scan.reverse else ">"
        self._clauses.append(f"({columns}) {beyond} ({values})")

    def _overlap(self, start: int | None, end: int | None, after: Sequence[Scalar] | None) -> None:
        table = self.scan.table
        if table.interval is None or self.remaining != (table.interval[0],):
            raise ValueError("overlapping needs a table with an interval and all but its start")
        if start is not None and end is not None and start >= end:
            self._clauses.append("0")
            return
        seen = int(after[0]) if after and after[0] is not None else None
        if seen is not None and self.scan.reverse:
            end = seen if end is None else min(seen, end)
        self._start_before(end)
        if seen is not None and not self.scan.reverse:
            resumed = start is None or seen >= start
            # Once past the start of the range, the last row seen is the only lower bound: two
            # of them would let SQLite seek to the wrong one.
            column = self.remaining[0] if resumed else f"+{self.remaining[0]}"
            self._clauses.append(f"{column} > {self.bind(seen)}")
            start = None if resumed else start
        self._end_after(start)

    def _start_before(self, end: int | None) -> None:
        if end is None or end > _HIGHEST:
            return
        self._clauses.append(f"{self.remaining[0]} < {self.bind(max(end, _LOWEST))}")

    def _end_after(self, start: int | None) -> None:
        if start is None or start < _LOWEST:
            return
        table = self.scan.table
        begins, ends = table.interval or ("", "")
        edge = self.bind(min(start, _HIGHEST))
        # Rows never overlap one another, so only the last one that starts before the range
        # can reach into it.
        self._clauses.append(
            f"{begins} >= ifnull((SELECT CASE WHEN {ends} > {edge} THEN {begins} ELSE {edge} END"  # noqa: S608
            f" FROM {table.name} WHERE {' AND '.join(self._same)} AND {begins} < {edge}"
            f" ORDER BY {begins} DESC LIMIT 1), {edge})"
        )

    def _filter(self, condition: Filter) -> None:
        if condition.column not in self.scan.table.columns:
            raise ValueError(f"{self.scan.table.name} has no column {condition.column!r}")
        if isinstance(condition, OneOf):
            self._clauses.append(self._one_of(condition))
        else:
            self._clauses.extend(self._between(condition))

    def _column(self, name: str, *, seek: bool = True) -> str:
        # A unary plus keeps a filter from choosing another index than that of the order.
        return name if seek and name in self.remaining[:1] else f"+{name}"

    def _one_of(self, condition: OneOf) -> str:
        values = [value for value in dict.fromkeys(condition.values) if value is not None]
        column = self._column(condition.column)
        if len(values) > MOST_VALUES:
            raise ValueError(f"a filter takes at most {MOST_VALUES} values")
        match = f"{column} IN ({', '.join(self.bind(value) for value in values)})"
        return f"({column} IS NULL OR {match})" if None in condition.values else match

    def _between(self, condition: Between) -> list[str]:
        resumed = self.scan.after is not None
        clauses = []
        if condition.at_least is not None:
            column = self._column(condition.column, seek=not resumed or self.scan.reverse)
            clauses.append(f"{column} >= {self.bind(condition.at_least)}")
        if condition.below is not None:
            column = self._column(condition.column, seek=not (resumed and self.scan.reverse))
            clauses.append(f"{column} < {self.bind(condition.below)}")
        return clauses or [f"{condition.column} IS NOT NULL"]
