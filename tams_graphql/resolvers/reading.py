"""Reads that the two shapes of the metadata port leave to the caller: complete partitions."""

from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import replace
from typing import Any, TypeAlias

import pyarrow as pa

from tams_graphql.metadata.engine import Key, MetadataEngine, Scan, View

Found: TypeAlias = dict[str, Any]
"""A row as read."""

PER_KEY = 100
"""How many rows of each partition a first read asks for."""
BATCH = 1000
"""How many rows further reads ask for."""


async def all_per_key(metadata: MetadataEngine, scan: Scan, prefixes: Sequence[Key]) -> list[Found]:
    """All rows of `scan` for each of `prefixes`, in the order of the scan within a prefix.

    One engine read, and further ones only for partitions of more than `PER_KEY` rows.
    `scan.columns` must hold the columns of the order.
    """
    scan = replace(scan, limit=PER_KEY)
    rows: list[Found] = (await metadata.first_per_key(scan, prefixes)).to_pylist()
    width = len(prefixes[0]) if prefixes else 0
    names = scan.table.order(scan.order)
    sizes = Counter(_values(row, names[:width]) for row in rows)
    last = {_values(row, names[:width]): _values(row, names[width:]) for row in rows}
    for prefix in (prefix for prefix, size in sizes.items() if size == PER_KEY):
        rest = replace(scan, prefix=prefix, after=last[prefix])
        rows.extend([row async for batch in batches(metadata, rest) for row in batch])
    return rows


async def batches(
    metadata: MetadataEngine, scan: Scan, limit: int = BATCH
) -> AsyncIterator[list[Found]]:
    """All rows of `scan`; `scan.columns` must hold those of the order.

    First `limit` at a time, then twice as many as before, up to `BATCH`: who stops soon has not
    read much in vain, and who goes far gets there in few reads.
    """
    names = scan.table.order(scan.order)[len(scan.prefix) :]
    while True:
        rows: list[Found] = (await metadata.page(replace(scan, limit=limit))).to_pylist()
        yield rows
        if len(rows) < limit:
            return
        scan, limit = replace(scan, after=_values(rows[-1], names)), min(2 * limit, BATCH)


def all_rows(view: View, scan: Scan) -> pa.Table:
    """All rows of `scan` in a command's view; `scan.columns` must hold those of the order."""
    return pa.concat_tables(_pages(view, replace(scan, limit=BATCH)))


def _pages(view: View, scan: Scan) -> Iterator[pa.Table]:
    names = scan.table.order(scan.order)[len(scan.prefix) :]
    while True:
        rows = view.page(scan)
        yield rows
        if rows.num_rows < scan.limit:
            return
        scan = replace(scan, after=tuple(rows[name][-1].as_py() for name in names))


def _values(row: Found, names: Sequence[str]) -> Key:
    return tuple(row[name] for name in names)
