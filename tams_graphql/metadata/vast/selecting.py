"""Running a query within a transaction: by the SDK's own `select`, or by the fast path."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TypeVar

import pyarrow as pa
from vastdb.config import QueryConfig
from vastdb.table_metadata import TableMetadata

from tams_graphql.metadata.engine import OneOf
from tams_graphql.metadata.vast import fast_path
from tams_graphql.metadata.vast.catalogue import Catalogue, row_id_type
from tams_graphql.metadata.vast.cluster import Transaction
from tams_graphql.metadata.vast.faults import errors_told
from tams_graphql.metadata.vast.queries import (
    ROW_ID,
    Answer,
    Condition,
    Query,
    Select,
    joined,
    nothing_matches,
    predicate,
    schema_of,
    that_fits,
)

T = TypeVar("T")

MOST_VALUES = 200
"""Values in one list of a predicate: beyond it, requests grow faster than they help."""


def select_in(
    transaction: Transaction, catalogue: Catalogue, *, fast: bool = fast_path.SUPPORTED
) -> Select:
    """Queries in `transaction`, each complete before it returns.

    Raises, from the function returned:
        RowConflict, TransactionLost, Unreachable, Unavailable: see `faults.errors_told`.
    """
    run = fast_path.select if fast else _by_sdk

    def select(query: Query) -> Answer:
        with errors_told():
            return run(query, transaction, catalogue[query.table])

    return in_chunks(select)


def in_chunks(select: Select) -> Select:
    """Lets lists of any length through, as several queries if need be."""

    def selected(query: Query) -> Answer:
        query = replace(query, conditions=tuple(map(that_fits, query.conditions)))
        if nothing_matches(query.conditions):
            return Answer(_nothing(query))
        long = next(filter(_is_long, query.conditions), None)
        if not isinstance(long, OneOf):
            return select(query)
        rest = tuple(condition for condition in query.conditions if condition is not long)
        answers = [
            selected(replace(query, conditions=(*rest, OneOf(long.column, values))))
            for values in chunks(long.values)
        ]
        rows = joined([answer.rows for answer in answers], answers[0].rows.schema)
        return Answer(rows, all(answer.complete for answer in answers))

    return selected


def _is_long(condition: Condition) -> bool:
    return isinstance(condition, OneOf) and len(condition.values) > MOST_VALUES


def chunks(values: Sequence[T]) -> Iterator[tuple[T, ...]]:
    """`values`, at most `MOST_VALUES` at a time."""
    for first in range(0, len(values), MOST_VALUES):
        yield tuple(values[first : first + MOST_VALUES])


def _by_sdk(query: Query, transaction: Transaction, metadata: TableMetadata) -> Answer:
    config = QueryConfig(num_splits=1, num_sub_splits=1, data_endpoints=[transaction.endpoint])
    reader = transaction.sdk.table_from_metadata(metadata).select(
        columns=list(query.columns),
        predicate=predicate(query.conditions, metadata.ibis_table),
        config=config,
        internal_row_id=query.row_ids,
        limit_rows=None if query.cap is None else query.cap + 1,
    )
    rows = reader.read_all()
    if query.cap is None or rows.num_rows <= query.cap:
        return Answer(rows)
    return Answer(rows.slice(0, query.cap), complete=False)


def _nothing(query: Query) -> pa.Table:
    schema = schema_of(query)
    if query.row_ids:
        schema = schema.append(pa.field(ROW_ID, row_id_type(query.table)))
    return schema.empty_table()
