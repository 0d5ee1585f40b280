"""Schemas, tables and rows as one immutable value: what a transaction's snapshot is.

Names lead to handles, handles to tables, so that a rename never touches rows.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import pyarrow as pa
from pyarrow import types

from .columns import EXTERNAL_ROW_ID, ROW_ID
from .refusals import missing
from .rowgroups import RowGroup, empty_group


class SchemaName(NamedTuple):
    """A schema's place; nested ones have slashes in their path."""

    bucket: str
    path: str


class TableName(NamedTuple):
    """A table's place."""

    bucket: str
    schema: str
    name: str

    @property
    def parent(self) -> SchemaName:
        """The schema that the table is in."""
        return SchemaName(self.bucket, self.schema)


class Projection(NamedTuple):
    """A semi-sorted projection: its definition only, queries don't use it."""

    handle: int
    sorted_columns: tuple[str, ...]
    unsorted_columns: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Table:
    """One version of a table."""

    schema: pa.Schema
    sorting_key: tuple[str, ...] = ()
    groups: Mapping[int, RowGroup] = field(default_factory=dict)
    projections: Mapping[str, Projection] = field(default_factory=dict)
    external_row_ids: bool = False
    inserted: int = 0

    @property
    def row_id_type(self) -> pa.DataType:
        """Sorted tables have longer row ids."""
        return pa.decimal128(38, 0) if self.sorting_key else pa.uint64()

    @property
    def stored(self) -> dict[str, pa.DataType]:
        """The columns that hold data; `vastdb_rowid` does not."""
        return {one.name: one.type for one in self.schema if one.name != EXTERNAL_ROW_ID}

    @property
    def num_rows(self) -> int:
        """Of this version, counted."""
        return sum(len(group.ids) for group in self.groups.values())

    @property
    def size_in_bytes(self) -> int:
        """Of this version, roughly."""
        return sum(group.size_in_bytes() for group in self.groups.values())

    def field(self, name: str) -> pa.Field:
        """A column by name, the row id included.

        Raises:
            Refused: 404, there is none of this name.
        """
        if name == ROW_ID:
            return pa.field(ROW_ID, self.row_id_type)
        at = self.schema.get_field_index(name)
        if at < 0:
            raise missing("TabularNoSuchColumn", f"There is no column {name}")
        return self.schema.field(at)

    def group(self, number: int) -> RowGroup:
        """A block of rows, empty if there is none yet."""
        return self.groups.get(number) or empty_group(self.stored)

    def with_group(self, number: int, group: RowGroup) -> "Table":
        """Exchange one block of rows."""
        return replace(self, groups={**self.groups, number: group})


def same_type(one: pa.Field, other: pa.Field) -> bool:
    """Whether type and nullability are equal, as inserts need."""
    nested = types.is_nested(one.type)
    equal = str(one.type) == str(other.type) if nested else one.type == other.type
    return bool(equal and one.nullable == other.nullable)


@dataclass(frozen=True, eq=False)
class Catalog:
    """Everything there is, at one moment."""

    schemas: frozenset[SchemaName] = frozenset()
    names: Mapping[TableName, int] = field(default_factory=dict)
    tables: Mapping[int, Table] = field(default_factory=dict)

    def check_schema(self, name: SchemaName) -> None:
        """Refuse with 404 what isn't a schema."""
        if name not in self.schemas:
            raise missing("TabularNoSuchSchema", f"There is no schema {name.path}")

    def handle(self, name: TableName) -> int:
        """A table's lasting number.

        Raises:
            Refused: 404, there is no such table.
        """
        if name not in self.names:
            raise missing("TabularNoSuchTable", f"There is no table {name.schema}/{name.name}")
        return self.names[name]

    def table(self, handle: int) -> Table:
        """A table by number.

        Raises:
            Refused: 404, it was dropped.
        """
        if handle not in self.tables:
            raise missing("TabularNoSuchTable", "The table is gone")
        return self.tables[handle]

    def with_table(self, handle: int, table: Table) -> "Catalog":
        """Exchange one table."""
        return replace(self, tables={**self.tables, handle: table})

    def subschemas(self, bucket: str, parent: str) -> list[str]:
        """The names of the schemas directly below one, relative to it, in order."""
        prefix = f"{parent}/" if parent else ""
        below = [
            name.path.removeprefix(prefix)
            for name in self.schemas
            if name.bucket == bucket and name.path.startswith(prefix)
        ]
        return sorted(name for name in below if name and "/" not in name)

    def tables_in(self, schema: SchemaName) -> list[tuple[str, int]]:
        """Names and numbers of a schema's tables, in order of names."""
        return sorted(
            (name.name, handle) for name, handle in self.names.items() if name.parent == schema
        )
