"""Probes 1 to 4 and 9: which changes of rows conflict, and which must not."""

from vastdb.table_metadata import TableMetadata

from tams_graphql.metadata.vast.semantics.duels import Ring
from tams_graphql.metadata.vast.semantics.observations import (
    Apart,
    Deletes,
    OtherColumns,
    SameCell,
    TwoUpdates,
)
from tams_graphql.metadata.vast.semantics.replies import reply_of
from tams_graphql.metadata.vast.semantics.scratch import Scratch
from tams_graphql.metadata.vast.semantics.writers import Act, deleting, setting

_FAR = 70_000
"""Rows between two that are in different blocks of 65,536, as the SDK's protocol has them."""


def inserting(table: TableMetadata, key: int) -> Act:
    """Inserts a row."""
    return lambda writer: writer.insert(table, k=[key], a=[0], b=[0])


def same_cell(scratch: Scratch, ring: Ring, table: TableMetadata) -> SameCell:
    """Probe 1."""
    one, two = scratch.rows(table, 2)
    return SameCell(
        while_open=ring.duel(one, setting(one, a=1), setting(one, a=2)),
        after_commit=ring.duel(two, setting(two, a=1), setting(two, a=2), overlapping=False),
    )


def other_columns(scratch: Scratch, ring: Ring, table: TableMetadata) -> OtherColumns:
    """Probe 2."""
    one, two, three = scratch.rows(table, 3)
    return OtherColumns(
        while_open=ring.duel(one, setting(one, a=1), setting(one, b=2)),
        after_commit=ring.duel(two, setting(two, a=1), setting(two, b=2), overlapping=False),
        same_value=ring.duel(three, setting(three, a=0), setting(three, a=0)),
    )


def deletes(scratch: Scratch, ring: Ring, table: TableMetadata) -> Deletes:
    """Probe 3."""
    one, two, three, four = scratch.rows(table, 4)
    with scratch.writer() as writer:
        writer.delete(four)
        writer.commit()
    with scratch.writer() as writer:
        gone = reply_of(lambda: writer.update(four, a=1))
    return Deletes(
        delete_then_update=ring.duel(one, deleting(one), setting(one, a=2)),
        update_then_delete=ring.duel(two, setting(two, a=1), deleting(two)),
        delete_twice=ring.duel(three, deleting(three), deleting(three)),
        gone=gone,
    )


def apart(scratch: Scratch, ring: Ring, table: TableMetadata) -> Apart:
    """Probe 4."""
    many = scratch.rows(scratch.create("far_apart"), _FAR + 1)
    one, two, far = many[0], many[1], many[_FAR]
    near = scratch.row(table)
    insert = inserting(table, -1)
    return Apart(
        adjacent=ring.duel(one, setting(one, a=1), setting(two, a=2)),
        far_apart=ring.duel(one, setting(one, a=3), setting(far, a=4)),
        two_inserts=ring.duel(near, insert, insert),
        insert_and_update=ring.duel(near, insert, setting(near, a=1)),
    )


def two_updates(scratch: Scratch, table: TableMetadata) -> TwoUpdates:
    """Probe 9."""
    row = scratch.row(table)
    with scratch.writer() as writer:
        writer.update(row, a=1)
        second = reply_of(lambda: writer.update(row, a=2))
        inside = writer.value(row)
        writer.commit()
    with scratch.writer() as reader:
        return TwoUpdates(second, inside, reader.value(row))
