"""Changes of schemas, tables, columns and projections.

Each can be applied to any catalog: first to the transaction's own, then, at commit, to the one
that is committed by then. `claims` are what two open transactions may not both change.
"""

from collections.abc import Hashable, Iterable
from dataclasses import dataclass, replace

import pyarrow as pa

from .catalog import Catalog, Projection, SchemaName, Table, TableName
from .columns import EXTERNAL_ROW_ID, check_supported
from .refusals import bad_request, conflict, missing
from .rowgroups import RowGroup


def _check_free(catalog: Catalog, name: TableName) -> None:
    catalog.check_schema(name.parent)
    if name in catalog.names:
        raise conflict(f"Table {name.name} exists")


@dataclass(frozen=True)
class CreateSchema:
    """`POST ?schema`."""

    name: SchemaName

    def claims(self) -> Iterable[Hashable]:
        return [self.name]

    def apply(self, catalog: Catalog) -> Catalog:
        parent, _, own = self.name.path.rpartition("/")
        if not own:
            raise bad_request("A schema needs a name")
        if parent:
            catalog.check_schema(SchemaName(self.name.bucket, parent))
        if self.name in catalog.schemas:
            raise conflict(f"Schema {self.name.path} exists")
        return replace(catalog, schemas=catalog.schemas | {self.name})


@dataclass(frozen=True)
class RenameSchema:
    """`PUT ?schema&tabular-new-schema-name=`; what is below it moves along."""

    name: SchemaName
    new_path: str

    def claims(self) -> Iterable[Hashable]:
        return [self.name, SchemaName(self.name.bucket, self.new_path)]

    def _moved(self, path: str) -> str:
        old = self.name.path
        below = path == old or path.startswith(f"{old}/")
        return self.new_path + path.removeprefix(old) if below else path

    def apply(self, catalog: Catalog) -> Catalog:
        catalog.check_schema(self.name)
        bucket = self.name.bucket
        if SchemaName(bucket, self.new_path) in catalog.schemas:
            raise conflict(f"Schema {self.new_path} exists")
        schemas = frozenset(
            one._replace(path=self._moved(one.path)) if one.bucket == bucket else one
            for one in catalog.schemas
        )
        names = {
            one._replace(schema=self._moved(one.schema)) if one.bucket == bucket else one: handle
            for one, handle in catalog.names.items()
        }
        return replace(catalog, schemas=schemas, names=names)


@dataclass(frozen=True)
class DropSchema:
    """`DELETE ?schema`; only of an empty one."""

    name: SchemaName

    def claims(self) -> Iterable[Hashable]:
        return [self.name]

    def apply(self, catalog: Catalog) -> Catalog:
        catalog.check_schema(self.name)
        if catalog.tables_in(self.name) or catalog.subschemas(*self.name):
            raise conflict(f"Schema {self.name.path} isn't empty")
        return replace(catalog, schemas=catalog.schemas - {self.name})


@dataclass(frozen=True)
class CreateTable:
    """`POST ?table`; `sorting_key` has column numbers."""

    name: TableName
    handle: int
    schema: pa.Schema
    sorting_key: tuple[int, ...]

    def claims(self) -> Iterable[Hashable]:
        return [self.name]

    def apply(self, catalog: Catalog) -> Catalog:
        _check_free(catalog, self.name)
        for one in self.schema:
            check_supported(one)
        table = Table(self.schema, sorting_columns(self.schema, self.sorting_key))
        names = {**catalog.names, self.name: self.handle}
        return replace(catalog, names=names).with_table(self.handle, table)


def sorting_columns(schema: pa.Schema, key: tuple[int, ...]) -> tuple[str, ...]:
    """The names behind a sorting key's column numbers.

    Raises:
        Refused: 400, a number is out of range or comes twice.
    """
    if any(not 0 <= at < len(schema) for at in key) or len(set(key)) != len(key):
        raise bad_request("InvalidArgument: the sorting key has no such column")
    return tuple(schema.field(at).name for at in key)


@dataclass(frozen=True)
class SetSortingKey:
    """`PUT ?table` with `tabular-sorted-column-N`; only once in a table's life."""

    handle: int
    sorting_key: tuple[int, ...]

    def claims(self) -> Iterable[Hashable]:
        return [("table", self.handle)]

    def apply(self, catalog: Catalog) -> Catalog:
        table = catalog.table(self.handle)
        if table.sorting_key:
            raise bad_request("InvalidArgument: the table has a sorting key")
        key = sorting_columns(table.schema, self.sorting_key)
        return catalog.with_table(self.handle, replace(table, sorting_key=key))


@dataclass(frozen=True)
class RenameTable:
    """`PUT ?table&tabular-new-table-name=SCHEMA/NEW`."""

    name: TableName
    new: TableName

    def claims(self) -> Iterable[Hashable]:
        return [self.name, self.new]

    def apply(self, catalog: Catalog) -> Catalog:
        handle = catalog.handle(self.name)
        _check_free(catalog, self.new)
        others = {one: at for one, at in catalog.names.items() if one != self.name}
        return replace(catalog, names={**others, self.new: handle})


@dataclass(frozen=True)
class DropTable:
    """`DELETE ?table`."""

    name: TableName

    def claims(self) -> Iterable[Hashable]:
        return [self.name]

    def apply(self, catalog: Catalog) -> Catalog:
        handle = catalog.handle(self.name)
        return replace(
            catalog,
            names={one: at for one, at in catalog.names.items() if one != self.name},
            tables={at: table for at, table in catalog.tables.items() if at != handle},
        )


def _map_groups(table: Table, schema: pa.Schema, old_names: dict[str, str]) -> Table:
    """The same rows under another schema; `old_names` gives a column's former name."""
    stored = replace(table, schema=schema).stored
    groups = {
        number: RowGroup(
            group.ids,
            {
                name: group.columns.get(old_names.get(name, name))
                or pa.chunked_array([pa.nulls(len(group.ids), kind)])
                for name, kind in stored.items()
            },
        )
        for number, group in table.groups.items()
    }
    return replace(table, schema=schema, groups=groups)


@dataclass(frozen=True)
class AddColumns:
    """`POST ?column`; the rows that exist get nulls."""

    handle: int
    fields: tuple[pa.Field, ...]

    def claims(self) -> Iterable[Hashable]:
        return [("column", self.handle, one.name) for one in self.fields]

    def apply(self, catalog: Catalog) -> Catalog:
        table = catalog.table(self.handle)
        for one in self.fields:
            check_supported(one)
            if one.name in table.schema.names:
                raise conflict(f"Column {one.name} exists")
        schema = pa.schema([*table.schema, *self.fields])
        return catalog.with_table(self.handle, _map_groups(table, schema, {}))


@dataclass(frozen=True)
class RenameColumn:
    """`PUT ?column&tabular-column-name=OLD&tabular-new-column-name=NEW`."""

    handle: int
    old: str
    new: str

    def claims(self) -> Iterable[Hashable]:
        return [("column", self.handle, self.old), ("column", self.handle, self.new)]

    def apply(self, catalog: Catalog) -> Catalog:
        table = catalog.table(self.handle)
        one = table.field(self.old)
        if self.new in table.schema.names:
            raise conflict(f"Column {self.new} exists")
        at = table.schema.get_field_index(self.old)
        schema = table.schema.set(at, one.with_name(self.new))
        key = tuple(self.new if name == self.old else name for name in table.sorting_key)
        renamed = replace(_map_groups(table, schema, {self.new: self.old}), sorting_key=key)
        return catalog.with_table(self.handle, renamed)


@dataclass(frozen=True)
class DropColumns:
    """`DELETE ?column`; not of a sorting key's columns."""

    handle: int
    names: tuple[str, ...]

    def claims(self) -> Iterable[Hashable]:
        return [("column", self.handle, name) for name in self.names]

    def apply(self, catalog: Catalog) -> Catalog:
        table = catalog.table(self.handle)
        for name in self.names:
            table.field(name)
            if name in table.sorting_key or name == EXTERNAL_ROW_ID:
                raise bad_request(f"Column {name} can't be dropped")
        schema = pa.schema([one for one in table.schema if one.name not in self.names])
        return catalog.with_table(self.handle, _map_groups(table, schema, {}))


@dataclass(frozen=True)
class SetProjection:
    """`POST`, `PUT` and `DELETE ?projection`: a definition comes, changes its name, or goes."""

    handle: int
    old: str | None
    new: str | None
    created: Projection | None = None

    def claims(self) -> Iterable[Hashable]:
        names = [name for name in (self.old, self.new) if name is not None]
        return [("projection", self.handle, name) for name in names]

    def apply(self, catalog: Catalog) -> Catalog:
        table = catalog.table(self.handle)
        known = dict(table.projections)
        projection = self.created
        if self.old is not None:
            if self.old not in known:
                raise missing("TabularNoSuchProjection", f"There is no projection {self.old}")
            projection = known.pop(self.old)
        if self.new is not None and projection is not None:
            if self.new in known:
                raise conflict(f"Projection {self.new} exists")
            for name in projection.sorted_columns + projection.unsorted_columns:
                table.field(name)
            known[self.new] = projection
        return catalog.with_table(self.handle, replace(table, projections=known))
