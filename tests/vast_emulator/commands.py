"""What each command does: one function a method and command, in one table at the end."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from random import Random

import pyarrow as pa
from flatbuffers import number_types as numbers  # type: ignore[import-untyped]

from . import listings
from .catalog import Projection, Table, TableName
from .columns import EXTERNAL_ROW_ID, ROW_ID
from .conflicts import Change, Semantics
from .database import Database, Transaction
from .ddl import (
    AddColumns,
    CreateSchema,
    CreateTable,
    DropColumns,
    DropSchema,
    DropTable,
    RenameColumn,
    RenameSchema,
    RenameTable,
    SetProjection,
    SetSortingKey,
)  # fmt: skip
from .flatbuffer import View
from .refusals import Refused, bad_request, not_emulated
from .relation import read_query
from .rowchanges import (
    DeleteRows,
    InsertRows,
    UpdateRows,
    check_columns,
    column_data,
    read_ids,
    unknown_rows,
)  # fmt: skip
from .rowgroups import Ids
from .scan import answer, read_window
from .wire import Wire

MAX_BODY = 5 << 20
"""Bytes that a cluster takes in one request."""


@dataclass
class Work:
    """A request within its transaction."""

    wire: Wire
    database: Database
    transaction: Transaction
    shuffle: Random | None = None

    @property
    def handle(self) -> int:
        """Of the table in the path."""
        return self.transaction.view.handle(self.wire.table)

    @property
    def table(self) -> Table:
        """The table in the path."""
        return self.transaction.view.table(self.handle)

    async def change(self, change: Change) -> listings.Answer:
        """Make a change that has no answer."""
        await self.database.change(self.transaction, change)
        return b"", {}


def _read_schema(body: bytes) -> pa.Schema:
    try:
        schema = pa.ipc.read_schema(pa.BufferReader(body))
    except (pa.ArrowInvalid, OSError) as error:
        raise bad_request("The body isn't an Arrow schema") from error
    fields = [field.remove_metadata() for field in schema]
    return pa.schema(fields, metadata=schema.metadata)


def _read_batch(body: bytes) -> pa.RecordBatch:
    if len(body) > MAX_BODY:
        raise bad_request("The body has more than 5 MiB", "TabularRequestTooLarge")
    try:
        batches = list(pa.ipc.open_stream(pa.BufferReader(body)))
    except (pa.ArrowInvalid, OSError) as error:
        raise bad_request("The body isn't an Arrow stream") from error
    if len(batches) != 1:
        raise bad_request("The body must have one record batch")
    return batches[0]


async def list_schemas(work: Work) -> listings.Answer:
    listing = listings.read_listing(work.wire.headers)
    return listings.schemas(work.transaction.view, work.wire.schema, listing)


async def create_schema(work: Work) -> listings.Answer:
    return await work.change(CreateSchema(work.wire.schema))


async def alter_schema(work: Work) -> listings.Answer:
    new = work.wire.param("tabular-new-schema-name")
    return await work.change(RenameSchema(work.wire.schema, new))


async def drop_schema(work: Work) -> listings.Answer:
    return await work.change(DropSchema(work.wire.schema))


async def list_tables(work: Work) -> listings.Answer:
    return listings.tables(
        work.transaction.view,
        work.wire.schema,
        listings.read_listing(work.wire.headers),
        stats=work.wire.flag("tabular-include-list-stats"),
    )


async def create_table(work: Work) -> listings.Answer:
    wire = work.wire
    schema = _read_schema(wire.body)
    if any(key.startswith(b"VAST:table:partition-key") for key in schema.metadata or {}):
        raise not_emulated("partitioned tables")
    if "tabular-vector-index-column" in wire.headers:
        raise not_emulated("vector indexes")
    handle = work.database.new_handle()
    fields = schema.remove_metadata()
    return await work.change(CreateTable(wire.table, handle, fields, wire.sorting_key))


async def alter_table(work: Work) -> listings.Answer:
    if work.wire.sorting_key:
        return await work.change(SetSortingKey(work.handle, work.wire.sorting_key))
    schema, _, name = work.wire.param("tabular-new-table-name").rpartition("/")
    new = TableName(work.wire.bucket, schema, name)
    return await work.change(RenameTable(work.wire.table, new))


async def drop_table(work: Work) -> listings.Answer:
    return await work.change(DropTable(work.wire.table))


async def statistics(work: Work) -> listings.Answer:
    return listings.statistics(work.table), {}


async def list_columns(work: Work) -> listings.Answer:
    listing = listings.read_listing(work.wire.headers)
    return listings.columns(work.table, list(work.table.schema), listing)


async def list_sorted_columns(work: Work) -> listings.Answer:
    return listings.sorted_columns(work.table, listings.read_listing(work.wire.headers))


async def add_columns(work: Work) -> listings.Answer:
    return await work.change(AddColumns(work.handle, tuple(_read_schema(work.wire.body))))


async def alter_column(work: Work) -> listings.Answer:
    old, new = (work.wire.param(f"tabular-{one}column-name") for one in ("", "new-"))
    return await work.change(RenameColumn(work.handle, old, new))


async def drop_columns(work: Work) -> listings.Answer:
    names = tuple(_read_schema(work.wire.body).names)
    return await work.change(DropColumns(work.handle, names))


def _new_ids(work: Work, batch: pa.RecordBatch) -> tuple[Ids, bool]:
    if EXTERNAL_ROW_ID not in batch.schema.names:
        return work.database.new_row_ids(work.handle, batch.num_rows), False
    return read_ids(batch.column(EXTERNAL_ROW_ID)), True


async def insert_rows(work: Work) -> listings.Answer:
    batch, table = _read_batch(work.wire.body), work.table
    if not batch.num_columns:
        raise not_emulated("inserts without columns")
    check_columns(table, batch.schema)
    ids, external = _new_ids(work, batch)
    await work.change(InsertRows(work.handle, ids, column_data(batch), external))
    array = pa.array(ids)
    if pa.types.is_decimal(table.row_id_type):
        array = array.cast(pa.decimal128(19, 0))
    sink = pa.BufferOutputStream()
    schema = pa.schema([(ROW_ID, table.row_id_type)])
    with pa.ipc.new_stream(sink, schema) as writer:
        writer.write_batch(pa.record_batch([array.cast(table.row_id_type)], schema=schema))
    return sink.getvalue().to_pybytes(), {}


def _wanted_ids(work: Work, batch: pa.RecordBatch) -> Ids:
    if ROW_ID not in batch.schema.names:
        raise bad_request("The batch has no $row_id")
    return read_ids(batch.column(ROW_ID))


def _check_rows(work: Work, ids: Ids) -> None:
    """Under read committed a row that is gone is nobody's mistake, otherwise it is."""
    refusal = unknown_rows(work.table, ids)
    if refusal is not None and work.database.semantics is not Semantics.READ_COMMITTED:
        raise refusal


async def update_rows(work: Work) -> listings.Answer:
    batch, table = _read_batch(work.wire.body), work.table
    check_columns(table, batch.schema)
    columns = column_data(batch)
    if set(columns) & set(table.sorting_key) or EXTERNAL_ROW_ID in batch.schema.names:
        raise bad_request("Columns of the sorting key and row ids can't be updated")
    ids = _wanted_ids(work, batch)
    _check_rows(work, ids)
    return await work.change(UpdateRows(work.handle, ids, columns))


async def delete_rows(work: Work) -> listings.Answer:
    ids = _wanted_ids(work, _read_batch(work.wire.body))
    _check_rows(work, ids)
    return await work.change(DeleteRows(work.handle, ids))


async def query_data(work: Work) -> listings.Answer:
    query = read_query(work.wire.body, work.table)
    return answer(work.table, query, read_window(work.wire.headers), work.shuffle), {}


async def list_projections(work: Work) -> listings.Answer:
    listing = listings.read_listing(work.wire.headers)
    return listings.projections(work.wire.table, work.table, listing)


async def create_projection(work: Work) -> listings.Answer:
    sides: tuple[list[str], list[str]] = ([], [])
    for column in View.root(work.wire.body).tables(0):
        sides[column.number(1, numbers.Int8Flags)].append(column.text(0))
    unsorted_columns, sorted_columns = map(tuple, sides)
    projection = Projection(work.database.new_handle(), sorted_columns, unsorted_columns)
    name = work.wire.param("name")
    return await work.change(SetProjection(work.handle, None, name, projection))


async def alter_projection(work: Work) -> listings.Answer:
    new = View.root(work.wire.body).text(0)
    return await work.change(SetProjection(work.handle, work.wire.param("name"), new))


async def drop_projection(work: Work) -> listings.Answer:
    return await work.change(SetProjection(work.handle, work.wire.param("name"), None))


async def projection_statistics(work: Work) -> listings.Answer:
    if work.wire.param("name") not in work.table.projections:
        raise Refused(404, "TabularNoSuchProjection", "There is no such projection")
    return listings.projection_statistics(work.table), {}


Command = Callable[[Work], Awaitable[listings.Answer]]

COMMANDS: dict[tuple[str, str], Command] = {
    ("GET", "schema"): list_schemas,
    ("POST", "schema"): create_schema,
    ("PUT", "schema"): alter_schema,
    ("DELETE", "schema"): drop_schema,
    ("GET", "table"): list_tables,
    ("POST", "table"): create_table,
    ("PUT", "table"): alter_table,
    ("DELETE", "table"): drop_table,
    ("GET", "stats"): statistics,
    ("GET", "column"): list_columns,
    ("GET", "sorted-columns"): list_sorted_columns,
    ("POST", "column"): add_columns,
    ("PUT", "column"): alter_column,
    ("DELETE", "column"): drop_columns,
    ("POST", "rows"): insert_rows,
    ("PUT", "rows"): update_rows,
    ("DELETE", "rows"): delete_rows,
    ("GET", "data"): query_data,
    ("GET", "projection"): list_projections,
    ("POST", "projection"): create_projection,
    ("PUT", "projection"): alter_projection,
    ("DELETE", "projection"): drop_projection,
    ("GET", "projection-stats"): projection_statistics,
}


def find_command(wire: Wire) -> Command:
    """What to run for a request.

    Raises:
        Refused: 501, VAST may have it but the emulator does not.
    """
    command = COMMANDS.get((wire.method, wire.command))
    if command is None:
        raise not_emulated(f"{wire.method} ?{wire.command}")
    if "sub-table" in wire.params:
        raise not_emulated("imports")
    return command
