"""Answers that describe: lists of schemas, tables, columns and projections, and statistics.

Lists come in pages: the next key is an offset, opaque to the client.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import pyarrow as pa

from .catalog import Catalog, SchemaName, Table, TableName
from .flatbuffer import Slot, message
from .refusals import bad_request

_SORTED = 1 << 63
"""The top bit of a sorting score: the emulator's tables are always sorted completely."""

One = TypeVar("One")


@dataclass(frozen=True)
class Listing:
    """How a list is asked for."""

    max_keys: int
    next_key: int
    count_only: bool
    exact: str | None
    prefix: str

    def page(
        self, names: Sequence[tuple[str, One]]
    ) -> tuple[list[tuple[str, One]], dict[str, str]]:
        """What of a list to send, and the headers that go with it."""
        fitting = [
            item
            for item in names
            if (
                item[0] == self.exact if self.exact is not None else item[0].startswith(self.prefix)
            )
        ]
        page = [] if self.count_only else fitting[self.next_key : self.next_key + self.max_keys]
        end = self.next_key + len(page)
        more = not self.count_only and end < len(fitting)
        return page, {
            "tabular-next-key": str(end),
            "tabular-is-truncated": "true" if more else "false",
            "tabular-list-count": str(len(fitting)),
        }


def read_listing(headers: Mapping[str, str]) -> Listing:
    """From the request's headers.

    Raises:
        Refused: 400, they are malformed.
    """
    try:
        return Listing(
            max_keys=int(headers.get("tabular-max-keys", "1000")),
            next_key=int(headers.get("tabular-next-key", "0")),
            count_only=headers.get("tabular-list-count-only", "False").lower() == "true",
            exact=headers.get("tabular-name-exact-match"),
            prefix=headers.get("tabular-name-prefix", ""),
        )
    except ValueError as error:
        raise bad_request("A header of the listing is malformed") from error


Answer = tuple[bytes, dict[str, str]]


def schemas(catalog: Catalog, parent: SchemaName, listing: Listing) -> Answer:
    """`GET ?schema`: names relative to the parent."""
    if parent.path:
        catalog.check_schema(parent)
    names = [(name, None) for name in catalog.subschemas(*parent)]
    page, headers = listing.page(names)
    details = [{0: name, 1: ""} for name, _ in page]
    return message({0: parent.bucket, 1: details}), headers


def _object(name: str, handle: int, table: Table | None) -> dict[int, Any]:
    details: dict[int, Any] = {0: name, 1: "", 2: str(handle)}
    if table is not None:
        details |= {
            3: Slot("Uint64", table.num_rows),
            4: Slot("Uint64", table.size_in_bytes),
            6: Slot("Bool", bool(table.sorting_key)),
            7: Slot("Uint64", _SORTED if table.sorting_key else 0),
            9: Slot("Uint64", table.inserted),
        }
    return details


def tables(catalog: Catalog, schema: SchemaName, listing: Listing, *, stats: bool) -> Answer:
    """`GET ?table`."""
    catalog.check_schema(schema)
    page, headers = listing.page(catalog.tables_in(schema))
    details = [
        _object(name, handle, catalog.table(handle) if stats else None) for name, handle in page
    ]
    return message({0: schema.bucket, 1: schema.path, 2: details}), headers


def statistics(table: Table) -> bytes:
    """`GET ?stats`: exact, and without addresses, so that the client stays with its endpoint."""
    return message(
        {
            0: Slot("Int64", table.num_rows),
            1: Slot("Int64", table.size_in_bytes),
            2: Slot("Bool", table.external_row_ids),
            5: Slot("Bool", bool(table.sorting_key)),
            6: Slot("Uint64", _SORTED if table.sorting_key else 0),
            8: Slot("Uint64", table.inserted),
        }
    )


def _described(table: Table, field: pa.Field) -> pa.Field:
    metadata = {"VAST:sort_type": "Unsorted"}
    if field.name in table.sorting_key:
        index = table.sorting_key.index(field.name)
        metadata = {"VAST:sort_type": "Sorted", "VAST:sort_index": str(index)}
    return field.with_metadata(metadata)


def columns(table: Table, fields: Sequence[pa.Field], listing: Listing) -> Answer:
    """`GET ?column`: an IPC stream that is only a schema."""
    page, headers = listing.page([(one.name, one) for one in fields])
    schema = pa.schema([_described(table, one) for _, one in page])
    return schema.serialize().to_pybytes(), headers


def sorted_columns(table: Table, listing: Listing) -> Answer:
    """`GET ?sorted-columns`: the sorting key in its order.

    Raises:
        Refused: 400, there is none.
    """
    if not table.sorting_key:
        raise bad_request("Listing sorted columns of a table without elysium being enabled")
    return columns(table, [table.field(name) for name in table.sorting_key], listing)


def projections(name: TableName, table: Table, listing: Listing) -> Answer:
    """`GET ?projection`."""
    page, headers = listing.page(sorted(table.projections.items()))
    details = [_object(one, projection.handle, table) for one, projection in page]
    return message({0: name.bucket, 1: name.schema, 2: name.name, 3: details}), headers


def projection_statistics(table: Table) -> bytes:
    """`GET ?projection-stats`: as if it were always in step with its table."""
    size = table.size_in_bytes
    return message(
        {0: Slot("Int64", table.num_rows), 1: Slot("Int64", size), 3: Slot("Uint64", 100)}
    )


def snapshots() -> bytes:
    """The S3 listing that the SDK looks for snapshots with: there are none."""
    return (
        b'<?xml version="1.0" encoding="UTF-8"?><ListBucketResult>'
        b"<IsTruncated>false</IsTruncated><Marker></Marker></ListBucketResult>"
    )
