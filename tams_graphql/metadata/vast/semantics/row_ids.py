"""Probes 10 and 11: sorted tables, and row ids chosen by the application."""

import random
import time
from typing import Final

import pyarrow as pa
from vastdb.table_metadata import TableMetadata

from tams_graphql.metadata.vast.semantics.duels import Ring
from tams_graphql.metadata.vast.semantics.observations import ChosenRowIds, SortedRows
from tams_graphql.metadata.vast.semantics.replies import Kind, Reply, reply_of
from tams_graphql.metadata.vast.semantics.scratch import Scratch
from tams_graphql.metadata.vast.semantics.sizes import Sizes
from tams_graphql.metadata.vast.semantics.writers import Act, Row, Writer, sdk_told

_ROW_ID: Final = "vastdb_rowid"
_PAUSE = 0.05


def sorted_rows(scratch: Scratch, sizes: Sizes) -> SortedRows:
    """Probe 10: insert out of order; update other columns until all is sorted."""
    table = scratch.create("sorted", sorting_key=["k"])
    keys = random.Random(0).sample(range(sizes.sorted_rows), sizes.sorted_rows)  # noqa: S311
    with scratch.writer() as writer:
        writer.insert(table, k=keys, a=[0] * len(keys), b=[0] * len(keys))
        writer.commit()
    before = _ids(scratch, table)
    replies: list[Reply] = []
    began = time.monotonic()
    done = False
    while not done and time.monotonic() < began + sizes.sorting_seconds:
        replies.append(_update_one(scratch, table, key=len(replies) % len(keys)))
        done = _sorting_done(scratch, table)
        time.sleep(0 if done else _PAUSE)
    after = _ids(scratch, table)
    return SortedRows(
        rows=len(keys),
        sorted_after=time.monotonic() - began if done else None,
        ids_changed=sum(after.get(key) != row_id for key, row_id in before.items()),
        updates=len(replies),
        conflicts=sum(reply.kind is Kind.CONFLICT for reply in replies),
        key_update=_update_key(scratch, table),
    )


def _ids(scratch: Scratch, table: TableMetadata) -> dict[int, int]:
    with scratch.writer() as reader:
        return {row["k"]: int(row["$row_id"]) for row in reader.read(table)}


def _found(writer: Writer, table: TableMetadata, key: int) -> Row:
    return Row(table, key, int(writer.read(table, key)[0]["$row_id"]))


def _update_one(scratch: Scratch, table: TableMetadata, key: int) -> Reply:
    def update(writer: Writer) -> None:
        writer.update(_found(writer, table, key), a=1)
        writer.commit()

    with scratch.writer() as writer:
        return reply_of(lambda: update(writer))


def _update_key(scratch: Scratch, table: TableMetadata) -> Reply:
    with scratch.writer() as writer:
        row = _found(writer, table, 0)
        return reply_of(lambda: writer.update(row, k=-1))


def _sorting_done(scratch: Scratch, table: TableMetadata) -> bool:
    with scratch.writer() as reader, sdk_told():
        return bool(reader.transaction.sdk.table_from_metadata(table).sorting_done())


def chosen_row_ids(scratch: Scratch, ring: Ring) -> ChosenRowIds:
    """Probe 11: the same row id, again and at the same time."""
    columns = pa.schema([(_ROW_ID, pa.int64()), ("k", pa.int64()), ("a", pa.int64())])
    table = scratch.create("chosen", columns, use_external_row_ids_allocation=True)
    accepted = _commits(scratch, _inserting(table, 10))
    duplicate = _commits(scratch, _inserting(table, 10))
    seen = Row(table, key=10, row_id=10)
    at_once = ring.duel(seen, _inserting(table, 20), _inserting(table, 20))
    return ChosenRowIds(accepted, duplicate, at_once)


def _inserting(table: TableMetadata, row_id: int) -> Act:
    return lambda writer: writer.insert(table, **{_ROW_ID: [row_id], "k": [row_id], "a": [0]})


def _commits(scratch: Scratch, act: Act) -> Reply:
    def insert(writer: Writer) -> None:
        act(writer)
        writer.commit()

    with scratch.writer() as writer:
        return reply_of(lambda: insert(writer))
