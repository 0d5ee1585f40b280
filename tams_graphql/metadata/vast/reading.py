"""The reads of the port, each by as few queries as it takes (`walking`, `grouping`)."""

from collections.abc import Sequence

import pyarrow as pa

from tams_graphql.metadata.engine import Key, Scan
from tams_graphql.metadata.tables import Table
from tams_graphql.metadata.vast.density import Densities
from tams_graphql.metadata.vast.grouping import keep_keys
from tams_graphql.metadata.vast.partitions import Search
from tams_graphql.metadata.vast.queries import Query, Select
from tams_graphql.metadata.vast.selecting import chunks
from tams_graphql.metadata.vast.walking import (
    count_rows,
    first_rows,
    in_turn,
    known,
    same_keys,
    walk_of,
)


class Reading:
    """Reads by one `Select`, which decides on snapshot and transaction.

    Raises, from every method:
        ValueError: the scan is none that the port offers.
    """

    def __init__(self, select: Select, densities: Densities) -> None:
        self._select = select
        self._densities = densities

    def get(
        self, table: Table, keys: Sequence[Key], columns: tuple[str, ...] | None = None
    ) -> pa.Table:
        """See `View.get`."""
        wanted = known(table, columns)
        read = tuple(dict.fromkeys((*wanted, *table.key)))
        parts = []
        for some in chunks(list(dict.fromkeys(keys))):
            query = Query(table=table, columns=read, conditions=same_keys(table.key, some))
            parts.append(keep_keys(self._select(query).rows, table.key, some))
        return self._told(table, wanted, parts)

    def page(self, scan: Scan) -> pa.Table:
        """See `View.page`."""
        rows = self._first(scan, scan.prefix)
        return self._told(scan.table, known(scan.table, scan.columns), [rows])

    def first_per_key(self, scan: Scan, prefixes: Sequence[Key]) -> pa.Table:
        """See `View.first_per_key`."""
        parts: list[pa.Table] = []
        for some in chunks(list(dict.fromkeys(prefixes))):
            search = Search(scan, self._select, self._densities, self._first)
            found = search.first_of_each(some)
            parts += [found[prefix] for prefix in some if prefix in found]
        return self._told(scan.table, known(scan.table, scan.columns), parts)

    def count(self, scan: Scan) -> int:
        """See `View.count`."""
        walk = walk_of(scan, (scan.prefix,))
        return 0 if walk is None else count_rows(walk, self._select)

    def _told(self, table: Table, columns: tuple[str, ...], parts: Sequence[pa.Table]) -> pa.Table:
        schema = pa.schema([table.schema.field(name) for name in columns])
        rows = pa.concat_tables([schema.empty_table(), *(part.select(columns) for part in parts)])
        self._densities.observe(table, rows)
        return rows

    def _first(self, scan: Scan, prefix: Key) -> pa.Table:
        walk = walk_of(scan, (prefix,))
        if walk is None:
            return scan.table.schema.empty_table()
        guess = self._densities.guess(scan, prefix)
        if guess is not None:
            return in_turn([walk.near(guess), walk.far(guess)], self._select)
        rows, at_once = first_rows(walk, self._select)
        if not at_once:
            self._densities.learn(scan, prefix, rows)
        return rows
