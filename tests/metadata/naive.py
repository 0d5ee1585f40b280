"""What a `Scan` means, said as plainly as possible over rows as dicts: the tests' oracle."""

from collections.abc import Iterable
from typing import Any

import pyarrow as pa

from tams_graphql.metadata.engine import Between, Filter, Scan
from tams_graphql.metadata.tables import Table

StoredRow = dict[str, Any]


def rows_of(scan: Scan, rows: Iterable[StoredRow]) -> list[StoredRow]:
    """The rows of `scan` among all `rows` of its table, sorted and limited."""
    order = scan.table.order(scan.order)
    remaining = order[len(scan.prefix) :]
    found = sorted(
        (row for row in rows if _belongs(scan, row)),
        key=lambda row: tuple(row[name] for name in order),
        reverse=scan.reverse,
    )
    if scan.after is not None:
        found = [row for row in found if _beyond(scan, tuple(row[name] for name in remaining))]
    return found[: scan.limit]


def to_table(table: Table, columns: tuple[str, ...] | None, rows: list[StoredRow]) -> pa.Table:
    """`rows` with exactly the schema's types."""
    fields = [table.schema.field(name) for name in columns or table.columns]
    arrays = [pa.array([row[field.name] for row in rows], field.type) for field in fields]
    return pa.Table.from_arrays(arrays, schema=pa.schema(fields))


def _belongs(scan: Scan, row: StoredRow) -> bool:
    order = scan.table.order(scan.order)
    return (
        all(row[name] is not None for name in order)
        and all(row[name] == value for name, value in zip(order, scan.prefix, strict=False))
        and _overlaps(scan, row)
        and all(_passes(condition, row) for condition in scan.where)
    )


def _overlaps(scan: Scan, row: StoredRow) -> bool:
    if scan.overlapping is None:
        return True
    assert scan.table.interval is not None
    start, end = (row[name] for name in scan.table.interval)
    from_ns, until_ns = scan.overlapping
    if from_ns is not None and until_ns is not None and from_ns >= until_ns:
        return False
    return (until_ns is None or start < until_ns) and (from_ns is None or end > from_ns)


def _passes(condition: Filter, row: StoredRow) -> bool:
    value = row[condition.column]
    if not isinstance(condition, Between):
        return value in condition.values
    return (
        value is not None
        and (condition.at_least is None or value >= condition.at_least)
        and (condition.below is None or value < condition.below)
    )


def _beyond(scan: Scan, position: tuple[Any, ...]) -> bool:
    assert scan.after is not None
    return position < scan.after if scan.reverse else position > scan.after
