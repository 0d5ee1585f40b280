"""From the JSON columns of `queries` to Arrow tables of exactly the schema's types."""

from collections.abc import Sequence
from functools import lru_cache
from itertools import chain
from typing import Any

import orjson
import pyarrow as pa

from tams_graphql.metadata.tables import Table


@lru_cache(maxsize=256)
def schema_of(table: Table, columns: tuple[str, ...] | None) -> pa.Schema:
    """The schema of a read of `columns` (all if ``None``), in that order."""
    if columns is None:
        return table.schema
    return pa.schema([table.schema.field(name) for name in columns])


def from_columns(texts: Sequence[str], schema: pa.Schema) -> pa.Table:
    """A table from one JSON array for each column; no object is made for a row."""
    return _table([orjson.loads(text) for text in texts], schema)


def from_groups(texts: Sequence[str], schema: pa.Schema) -> pa.Table:
    """A table from JSON texts that are lists of groups, each a list of columns."""
    groups = [group for text in texts for group in orjson.loads(text)]
    columns = zip(*groups, strict=True)
    return _table([list(chain.from_iterable(column)) for column in columns], schema)


def _table(columns: Sequence[list[Any]], schema: pa.Schema) -> pa.Table:
    arrays = [_array(values, field.type) for values, field in zip(columns, schema, strict=True)]
    return pa.Table.from_arrays(arrays, schema=schema)


def _array(values: list[Any], kind: pa.DataType) -> pa.Array:
    if pa.types.is_boolean(kind):
        values = [None if value is None else value == 1 for value in values]
    return pa.array(values, kind)
