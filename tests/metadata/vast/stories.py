"""Tables with rows, reads of them, and commands in one transaction with reads after each.

Values are few, so that there are ties, and at the limits of their types.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st

from tams_graphql.metadata import tables
from tams_graphql.metadata.engine import Between, Changes, Filter, Key, OneOf, Scan
from tams_graphql.metadata.tables import Table
from tests.metadata import rows

SEGMENTS, SOURCES, TAGS, COLLECTIONS = (
    tables.SEGMENTS, tables.SOURCES, tables.TAGS, tables.COLLECTIONS,
)  # fmt: skip
TABLES = (SEGMENTS, SOURCES, TAGS, COLLECTIONS)
LOWEST, HIGHEST = -(2**63), 2**63 - 1
EVERYTHING = 1_000_000

StoredRow = dict[str, Any]

# Few values, so that there are ties; in UTF-16 the last two of them sort the other way round.
texts = st.sampled_from(["", "a", "ab", "A", "ä", "\uffee", "🎬"])
numbers = st.integers(0, 2) | st.sampled_from([LOWEST, HIGHEST])
bounds = st.none() | st.integers(-1, 30) | st.sampled_from([LOWEST, HIGHEST, -(2**63) - 1, 2**63])


@dataclass
class Caps:
    """Limits of our own, as small as they may be."""

    sample: int = 1
    times: int = 2
    together: int = 1
    values: int = 2
    page_rows: int = 3


@st.composite
def segment_rows(draw: st.DrawFn) -> list[StoredRow]:
    found = []
    for flow_id in draw(st.sets(texts, max_size=3)):
        edges = sorted(draw(st.sets(st.integers(0, 24), min_size=4, max_size=16)))
        if draw(st.integers(0, 3)) == 0:
            edges = [LOWEST, *edges, HIGHEST]
        for start, end in itertools.pairwise(edges):
            if draw(st.integers(0, 4)):
                found.append(draw(segment_row(flow_id, start, end)))
    return found


@st.composite
def segment_row(draw: st.DrawFn, flow_id: str, start: int, end: int) -> StoredRow:
    return rows.segment_row(
        flow_id,
        start,
        end,
        object_id=draw(texts),
        init_object_id=draw(st.none() | texts),
        sample_count=draw(st.none() | numbers),
        object_end_ns=0,
    )


@st.composite
def source_row(draw: st.DrawFn) -> StoredRow:
    return rows.source_row(
        draw(texts) + draw(texts),
        label=draw(st.none() | texts),
        label_order=draw(texts),
        created_us=draw(numbers),
        updated_us=draw(st.integers(0, 1)),
    )


@st.composite
def plain_row(draw: st.DrawFn, table: Table) -> StoredRow:
    kinds = {"string": texts, "int64": numbers}
    return {each.name: draw(kinds[str(each.type)]) for each in table.schema}


def rows_of(table: Table) -> st.SearchStrategy[list[StoredRow]]:
    if table is SEGMENTS:
        return segment_rows()
    one = source_row() if table is SOURCES else plain_row(table)
    least = st.sampled_from([0, 8, 16])
    return least.flatmap(
        lambda n: st.lists(one, min_size=n, max_size=25, unique_by=lambda row: key_of(table, row))
    )


def key_of(table: Table, row: StoredRow) -> Key:
    return tuple(row[name] for name in table.key)


@st.composite
def positions(draw: st.DrawFn, names: Sequence[str], known: list[StoredRow], table: Table) -> Key:
    """Values of some columns: those of a row, or any."""
    if known and draw(st.integers(0, 3)):
        row = draw(st.sampled_from(known))
        if all(row[name] is not None for name in names):
            return tuple(row[name] for name in names)
    kinds = {"string": texts, "int64": numbers}
    return tuple(draw(kinds[str(table.schema.field(name).type)]) for name in names)


@st.composite
def filters(draw: st.DrawFn, table: Table, known: list[StoredRow]) -> Filter:
    column = draw(st.sampled_from([each for each in table.schema if str(each.type) != "bool"]))
    values = texts if str(column.type) == "string" else numbers | st.integers(0, 24)
    if draw(st.booleans()):
        there = [st.sampled_from([row[column.name] for row in known])] if known else []
        some = st.lists(st.one_of(*there, *there, values, st.none()), max_size=9)
        return OneOf(column.name, tuple(draw(some)))
    huge = st.sampled_from([-(2**63) - 1, 2**63, 2**70])
    edge = st.none() | (values if str(column.type) == "string" else values | huge)
    return Between(column.name, draw(edge), draw(edge))


@st.composite
def scans(draw: st.DrawFn, table: Table, known: list[StoredRow]) -> Scan:
    order = draw(st.sampled_from(["key", *table.orders]))
    names = table.order(order)
    window = None
    if table.interval and order == "key" and draw(st.booleans()):
        window, length = (draw(bounds), draw(bounds)), len(names) - 1
    else:
        length = min(draw(st.integers(0, len(names))), draw(st.integers(0, len(names))))
    prefix = draw(positions(names[:length], known, table))
    remaining = names[length:]
    resumed = remaining and draw(st.integers(0, 2)) == 0
    after = draw(positions(remaining, known, table)) if resumed else None
    columns = draw(st.none() | st.lists(st.sampled_from(table.columns), min_size=1, unique=True))
    return Scan(
        table=table,
        order=order,
        prefix=prefix,
        overlapping=window,
        after=after,
        limit=draw(st.integers(1, 5)),
        reverse=draw(st.booleans()),
        where=tuple(
            draw(filters(table, known)) for _ in range(draw(st.sampled_from([0, 0, 1, 2])))
        ),
        columns=None if columns is None else tuple(columns),
    )


@dataclass
class Asked:
    """One scan, more prefixes to ask for at once, and keys to get."""

    scan: Scan
    prefixes: list[Key] = field(default_factory=list)
    keys: list[Key] = field(default_factory=list)


@st.composite
def asked(draw: st.DrawFn, table: Table, known: list[StoredRow]) -> Asked:
    scan = draw(scans(table, known))
    names = table.order(scan.order)[: len(scan.prefix)]
    some = st.lists(positions(names, known, table), max_size=5) if names else st.just([])
    keys = st.lists(positions(table.key, known, table), max_size=6)
    return Asked(scan, draw(some), draw(keys))


@st.composite
def changes(draw: st.DrawFn, table: Table, known: dict[Key, StoredRow]) -> Changes[None]:
    """Of rows that are there, were there, or never were; what is deleted may be inserted again."""
    every = list(known)
    some = draw(st.lists(st.sampled_from(every), max_size=4, unique=True)) if every else []
    most = draw(st.integers(0, 2)) == 0
    delete = [key for key in every if key not in some] if most else some
    others = [key for key in every if key not in delete]
    update = draw(st.lists(st.sampled_from(others), max_size=4, unique=True)) if others else []
    new = draw(rows_of(table))
    insert = {
        key_of(table, row): row
        for row in new
        if key_of(table, row) not in known or key_of(table, row) in delete
    }
    delete += draw(st.lists(positions(table.key, [], table), max_size=1))
    return Changes(
        answer=None,
        delete={table: [key for key in dict.fromkeys(delete) if key not in update]},
        update={table: [draw(changed(table, known[key])) for key in update]},
        insert={table: list(insert.values())},
    )


@st.composite
def changed(draw: st.DrawFn, table: Table, row: StoredRow) -> StoredRow:
    key = {name: row[name] for name in table.key}
    if table is SEGMENTS:
        return key | {"object_id": draw(texts), "init_object_id": draw(st.none() | texts)}
    if table is SOURCES:
        return key | {"label": draw(st.none() | texts), "created_us": draw(numbers)}
    if table is COLLECTIONS:
        return key | {"member_flow_id": draw(texts)}
    return key


def applied(table: Table, model: dict[Key, StoredRow], wanted: Changes[None]) -> None:
    for key in wanted.delete[table]:
        model.pop(key, None)
    for row in wanted.update[table]:
        if key_of(table, row) in model:
            model[key_of(table, row)] |= row
    for row in wanted.insert[table]:
        model[key_of(table, row)] = dict(row)


@dataclass
class Story:
    """A table with rows, reads of it, and commands in one transaction, each with reads after it."""

    table: Table
    stored: list[StoredRow]
    first: list[Asked]
    then: list[tuple[Changes[None], list[Asked]]]
    caps: Caps


@st.composite
def stories(draw: st.DrawFn, commands: int) -> Story:
    table = draw(st.sampled_from(TABLES))
    stored = draw(rows_of(table))
    first = draw(st.lists(asked(table, stored), min_size=1, max_size=2))
    model = {key_of(table, row): dict(row) for row in stored}
    then = []
    for _ in range(commands):
        wanted = draw(changes(table, model))
        before = list(model.values())
        applied(table, model, wanted)
        then.append((wanted, draw(st.lists(asked(table, before), min_size=1, max_size=2))))
    caps = Caps(
        sample=draw(st.integers(1, 5)),
        times=draw(st.integers(2, 3)),
        together=draw(st.sampled_from([1, 5, 100])),
        values=draw(st.integers(1, 4)),
        page_rows=draw(st.integers(1, 5)),
    )
    return Story(table, stored, first, then, caps)
