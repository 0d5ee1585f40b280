"""Rows of many partitions that one query brought: whose are they, and which come first?"""

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from tams_graphql.metadata.columns import column_values
from tams_graphql.metadata.engine import Key
from tams_graphql.metadata.vast.walking import Walk

_RANK = "rank of the partition"


def keep_keys(rows: pa.Table, names: Sequence[str], keys: Sequence[Key]) -> pa.Table:
    """The rows whose columns `names` have one of `keys`.

    A predicate on several columns lets through what combines values of different keys.
    """
    return rows if len(names) == 1 else rows.filter(pc.is_valid(_ranks(rows, names, keys)))


def by_partition(
    walk: Walk, rows: pa.Table, names: Sequence[str], keys: Sequence[Key]
) -> dict[Key, pa.Table]:
    """The first `walk.limit` rows of each partition that has any, in order."""
    rows = rows.filter(walk.later(rows)) if walk.after else rows
    rows = rows.append_column(_RANK, _ranks(rows, names, keys))
    direction = "descending" if walk.reverse else "ascending"
    order = [(_RANK, "ascending"), *((name, direction) for name in walk.order)]
    rows = rows.filter(pc.is_valid(rows[_RANK])).sort_by(order)
    found: dict[Key, pa.Table] = {}
    at = 0
    for entry in pc.value_counts(rows[_RANK]).to_pylist():
        found[keys[entry["values"]]] = rows.slice(at, min(entry["counts"], walk.limit))
        at += entry["counts"]
    return found


def _ranks(rows: pa.Table, names: Sequence[str], keys: Sequence[Key]) -> pa.ChunkedArray:
    if len(names) == 1:
        values = pa.array([key[0] for key in keys], rows.schema.field(names[0]).type)
        return pc.index_in(rows[names[0]], value_set=values)
    rank_of = {key: rank for rank, key in enumerate(keys)}
    found = zip(*(column_values(rows[name]) for name in names), strict=True)
    return pa.chunked_array([pa.array([rank_of.get(key) for key in found], pa.int32())])
