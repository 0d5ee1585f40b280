"""All tables that the index has on VAST, and what the SDK must know of each.

Rows that many transactions contend for are in tables without a sort order (INVARIANTS): sorting
moves rows in the background, and nobody knows what that does to a conflict.
"""

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import pyarrow as pa
from vastdb.table_metadata import TableMetadata, TableRef, TableType

from tams_graphql.metadata import event_tables, tables
from tams_graphql.metadata.tables import Table
from tams_graphql.metadata.vast.cluster import Target
from tams_graphql.metadata.vast.queries import ROW_ID

Catalogue: TypeAlias = Mapping[Table, TableMetadata]
"""The SDK's description of each of our tables, so that none has to be asked for."""

LANE_COUNT = 64

PROBES = Table(
    "probes",
    pa.schema(
        [
            pa.field("probe_id", pa.string(), nullable=False),
            pa.field("version", pa.int64(), nullable=False),
        ]
    ),
    key=("probe_id",),
)
"""Where a starting process tries out whether two updates of one row conflict."""

VERSIONS = Table(
    "versions",
    pa.schema(
        [
            pa.field("component", pa.string(), nullable=False),
            pa.field("version", pa.int64(), nullable=False),
        ]
    ),
    key=("component",),
)
"""The one row ``index`` has the `tables.SCHEMA_VERSION` that the tables are at."""

TABLES = (*tables.TABLES, PROBES, VERSIONS)
_SORTED = frozenset(
    {
        tables.COLLECTIONS,
        tables.DISCARDED_MEDIA,
        event_tables.EVENTS,
        event_tables.EVENT_PARTS,
        event_tables.WEBHOOK_DELIVERIES,
        tables.IDEMPOTENCY,
        tables.INSTANCES,
        tables.OBJECTS,
        tables.PROFILES,
        tables.REFERENCES,
        tables.SEGMENTS,
        tables.TAGS,
    }
)
CONTENDED = frozenset(TABLES) - _SORTED


def catalogue_of(target: Target) -> Catalogue:
    """The SDK's description of all tables, made without asking the cluster."""
    return {
        table: TableMetadata(
            TableRef(target.bucket, target.schema, table.name),
            table.schema,
            TableType.Regular if table in CONTENDED else TableType.Elysium,
        )
        for table in TABLES
    }


def row_id_type(table: Table) -> pa.DataType:
    """What row ids are of: those of sorted tables are longer."""
    return pa.uint64() if table in CONTENDED else pa.decimal128(38, 0)


def with_row_ids(
    table: Table, row_ids: Sequence[Any] | pa.ChunkedArray, values: Mapping[str, Any]
) -> pa.Table:
    """Rows for the SDK's `update` or `delete`, with exactly the types of `table`."""
    fields = [table.schema.field(name) for name in values]
    schema = pa.schema([pa.field(ROW_ID, row_id_type(table)), *fields])
    return pa.table({ROW_ID: row_ids, **values}, schema=schema)
