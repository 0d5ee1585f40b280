"""The same queries with less ado, by what the SDK keeps to itself.

`Table.select` opens a new connection and a thread for each query. Here the request that the SDK
builds goes out on the session's own connection, and its parser reads the whole answer from
memory. None of that is a promise of the SDK, so it is used with the one version that it was
tested with (`SUPPORTED`); with any other, queries go the SDK's way.
"""

from collections.abc import Iterator
from importlib.metadata import version
from io import BytesIO
from typing import Any

import pyarrow as pa
from vastdb import _internal
from vastdb.table_metadata import TableMetadata, TableType

from tams_graphql.metadata.vast.cluster import Transaction
from tams_graphql.metadata.vast.queries import Answer, Query, joined, predicate

SUPPORTED = version("vastdb") == "2.1.0"

_ROW_GROUPS = 8
_PAGE_ROWS = 128 * 1024


def select(query: Query, transaction: Transaction, metadata: TableMetadata) -> Answer:
    """What `query` finds.

    Raises:
        vastdb.errors.HttpError: the cluster refused.
        vastdb.errors.ConnectionError: it did not answer.
    """
    request = _request(query, metadata)
    parts: list[pa.Table] = []
    found = 0
    for rows in _pages(query, transaction, metadata, request):
        parts.append(rows)
        found += rows.num_rows
        if query.cap is not None and found > query.cap:
            break
    return _answer(query, parts, request.response_schema)


def _answer(query: Query, parts: list[pa.Table], schema: pa.Schema) -> Answer:
    rows = joined(parts, schema)
    if query.cap is None or rows.num_rows <= query.cap:
        return Answer(rows)
    return Answer(rows.slice(0, query.cap), complete=False)


def _request(query: Query, metadata: TableMetadata) -> Any:
    names, schema = list(query.columns), query.table.schema
    if query.row_ids:
        names.append(_internal.INTERNAL_ROW_ID)
        schema = schema.append(
            _internal.INTERNAL_ROW_ID_FIELD
            if metadata.table_type is TableType.Regular
            else _internal.INTERNAL_ROW_ID_SORTED_FIELD
        )
    return _internal.build_query_data_request(
        schema=schema,
        predicate=predicate(query.conditions, metadata.ibis_table),
        field_names=names,
    )


def _pages(
    query: Query, transaction: Transaction, metadata: TableMetadata, request: Any
) -> Iterator[pa.Table]:
    at = 0
    limit = _PAGE_ROWS if query.cap is None else query.cap + 1
    while at != _internal.TABULAR_INVALID_ROW_ID:
        for next_row_id, rows in _page(transaction, metadata, request, at, limit):
            at = next_row_id
            yield rows


def _page(
    transaction: Transaction, metadata: TableMetadata, request: Any, at: int, limit: int
) -> list[tuple[int, pa.Table]]:
    def page() -> list[tuple[int, pa.Table]]:
        response = transaction.session.api.query_data(
            bucket=metadata.ref.bucket,
            schema=metadata.ref.schema,
            table=metadata.ref.table,
            params=request.serialized,
            split=(0, 1, _ROW_GROUPS),
            num_sub_splits=1,
            txid=transaction.txid,
            limit_rows=limit,
            sub_split_start_row_ids=[(0, at)],
        )
        found = _internal.parse_query_data_response(
            BytesIO(response.content),
            schema=request.response_schema,
            parser=request.response_parser,
        )
        return [(next_row_id, rows) for _, next_row_id, rows in found]

    # The SDK's own rule about what to repeat, and after which pause.
    repeated = transaction.session.api._backoff_decorator(page)  # noqa: SLF001
    pages: list[tuple[int, pa.Table]] = repeated()
    return pages
