"""Reads of VAST, and reads inside a write transaction, against the naive oracle.

The caps are tiny: what takes thousands of rows in life (samples, edges, ties, lists in chunks,
pages of an answer) happens with a handful. Most examples ask a store in memory that knows neither
order nor limit; some ask the emulator, within a transaction that is rolled back in the end, so
that they share one index.
"""

import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, Phase, given, settings

from tams_graphql.metadata.engine import Changes, OneOf, Scan
from tams_graphql.metadata.tables import Table
from tests.metadata import naive, rows
from tests.metadata.vast.stories import (
    EVERYTHING,
    HIGHEST,
    LOWEST,
    SEGMENTS,
    SOURCES,
    Asked,
    Caps,
    StoredRow,
    Story,
    applied,
    key_of,
    stories,
)
from tests.support.vast import fresh_target, needs_vastdb
from tests.vast_emulator.running import Running

pytestmark = needs_vastdb


class Index:
    """An index whose transactions are never committed."""

    def __init__(self, running: Running) -> None:
        from tams_graphql.metadata.vast import schema
        from tams_graphql.metadata.vast.cluster import Cluster

        self.cluster = Cluster(fresh_target(running))
        self.catalogue = schema.prepare(self.cluster)

    @contextmanager
    def holding(self, table: Table, stored: list[StoredRow]) -> Iterator[Any]:
        from tams_graphql.metadata.vast.overlay import Touched
        from tams_graphql.metadata.vast.writing import write

        with self.cluster.reading() as transaction:
            touched = [Touched(dict(row)) for row in stored]
            write(transaction.sdk.table_from_metadata(self.catalogue[table]), table, touched)
            yield transaction


@pytest.fixture(scope="module")
def index(vast: Running) -> Index:
    return Index(vast)


@contextmanager
def capped(caps: Caps) -> Iterator[None]:
    from tams_graphql.metadata.vast import fast_path, partitions, selecting, walking

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(walking, "_SAMPLE", caps.sample)
        patch.setattr(walking, "_TIMES", caps.times)
        patch.setattr(partitions, "_TOGETHER", caps.together)
        patch.setattr(partitions, "_TIMES", 1)
        patch.setattr(selecting, "MOST_VALUES", caps.values)
        patch.setattr(fast_path, "_PAGE_ROWS", caps.page_rows)
        yield


def agree(reading: Any, asked: Asked, known: list[StoredRow]) -> None:
    scan = asked.scan
    table, names = scan.table, scan.columns or scan.table.columns
    expected = naive.rows_of(scan, known)
    assert reading.page(scan).equals(naive.to_table(table, scan.columns, expected))
    whole = replace(scan, limit=EVERYTHING)
    assert reading.count(scan) == len(naive.rows_of(whole, known))
    assert reading.page(whole).to_pylist() == told(names, naive.rows_of(whole, known))
    each = replace(scan, prefix=())
    if asked.prefixes:
        grouped = [
            row
            for prefix in dict.fromkeys(asked.prefixes)
            for row in naive.rows_of(replace(scan, prefix=prefix), known)
        ]
        found = reading.first_per_key(each, asked.prefixes)
        assert found.to_pylist() == told(names, grouped)
    found = reading.get(table, asked.keys, scan.columns)
    wanted = [row for row in known if key_of(table, row) in asked.keys]
    assert sorted(found.to_pylist(), key=repr) == sorted(told(names, wanted), key=repr)


def told(names: Sequence[str], found: list[StoredRow]) -> list[StoredRow]:
    return [{name: row[name] for name in names} for row in found]


class Memory:
    """Rows in memory, asked as the SDK is: any order, any rows if there are more than the cap."""

    def __init__(self, table: Table, stored: list[StoredRow]) -> None:
        from tams_graphql.metadata.vast.catalogue import CONTENDED

        self._stored = list(enumerate(stored))
        self._row_id = pa.uint64() if table in CONTENDED else pa.decimal128(38, 0)
        self._random = random.Random(0)

    def select(self, query: Any) -> Any:
        from tams_graphql.metadata.vast.queries import Answer

        tests = [meaning_of(condition) for condition in query.conditions]
        found = [
            row | {"$row_id": number}
            for number, row in self._stored
            if all(test(row) for test in tests)
        ]
        self._random.shuffle(found)
        complete = query.cap is None or len(found) <= query.cap
        fields = [query.table.schema.field(name) for name in query.columns]
        if query.row_ids:
            fields.append(pa.field("$row_id", self._row_id))
        if not fields:  # only the count is of interest
            return Answer(pa.table({"n": range(len(found))}).select([]), complete)
        rows = pa.Table.from_pylist(found[: query.cap], schema=pa.schema(fields))
        return Answer(rows, complete)


def meaning_of(condition: Any) -> Callable[[StoredRow], bool]:
    """What a condition of a query means, said apart from `queries.matches`."""
    name = condition.column
    if isinstance(condition, OneOf):
        assert condition.values, "an empty list can't be sent"
        assert all(not isinstance(one, int) or LOWEST <= one <= HIGHEST for one in condition.values)
        return lambda row: row[name] in condition.values
    value = getattr(condition, "value", None)
    assert not isinstance(value, int) or LOWEST <= value <= HIGHEST, "no 64-bit number"
    compare: dict[str | None, Callable[[Any], bool]] = {
        None: lambda found: True,
        "<": lambda found: found < value,
        "<=": lambda found: found <= value,
        ">": lambda found: found > value,
        ">=": lambda found: found >= value,
    }
    holds = compare[getattr(condition, "operator", None)]
    return lambda row: row[name] is not None and holds(row[name])


def run(view: Any, accept: Callable[[Changes[None]], Any] | None, story: Story) -> list[StoredRow]:
    """Read, and accept changes and read, always as the oracle has it; what is to be stored."""
    table = story.table
    model = {key_of(table, row): dict(row) for row in story.stored}
    for one in story.first:
        agree(view, one, list(model.values()))
    if accept is not None:
        for wanted, asked in story.then:
            accept(wanted)
            applied(table, model, wanted)
            for one in asked:
                agree(view, one, list(model.values()))
    return list(model.values())


lenient = settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
unshrunk = (Phase.explicit, Phase.reuse, Phase.generate)  # shrinking over HTTP takes minutes
few = settings(lenient, max_examples=max(1, settings().max_examples // 12), phases=unshrunk)


@lenient
@given(story=stories(commands=0))
def test_reads_of_a_store_without_order(story: Story) -> None:
    from tams_graphql.metadata.vast.density import Densities
    from tams_graphql.metadata.vast.reading import Reading
    from tams_graphql.metadata.vast.selecting import in_chunks

    with capped(story.caps):
        stored = in_chunks(Memory(story.table, story.stored).select)
        run(Reading(stored, Densities()), None, story)


@lenient
@given(story=stories(commands=2))
def test_reads_over_changes_not_sent_yet(story: Story) -> None:
    from tams_graphql.metadata.vast.density import Densities
    from tams_graphql.metadata.vast.overlay import Overlay
    from tams_graphql.metadata.vast.reading import Reading
    from tams_graphql.metadata.vast.selecting import in_chunks

    with capped(story.caps):
        overlay = Overlay(in_chunks(Memory(story.table, story.stored).select))
        run(Reading(overlay.select, Densities()), overlay.accept, story)


@few
@given(story=stories(commands=0))
@pytest.mark.parametrize("fast", [True, False])
def test_reads_of_the_cluster(index: Index, story: Story, fast: bool) -> None:
    from tams_graphql.metadata.vast.density import Densities
    from tams_graphql.metadata.vast.reading import Reading
    from tams_graphql.metadata.vast.selecting import select_in

    with capped(story.caps), index.holding(story.table, story.stored) as transaction:
        stored = select_in(transaction, index.catalogue, fast=fast)
        run(Reading(stored, Densities()), None, story)


@few
@given(story=stories(commands=2))
def test_commands_in_one_transaction(index: Index, story: Story) -> None:
    from tams_graphql.metadata.vast.density import Densities
    from tams_graphql.metadata.vast.reading import Reading
    from tams_graphql.metadata.vast.selecting import select_in
    from tams_graphql.metadata.vast.writing import WriteView

    with capped(story.caps), index.holding(story.table, story.stored) as transaction:
        view = WriteView(transaction, index.catalogue, Densities())
        expected = run(view, view.accept, story)
        view.write()
        written = Reading(select_in(transaction, index.catalogue), Densities())
        everything = Scan(table=story.table, limit=EVERYTHING)
        found = written.page(everything).to_pylist()
        assert found == told(story.table.columns, naive.rows_of(everything, expected))


class TestAtTheLimitsOfLife:
    """What the examples found once, told with the caps as they are."""

    def test_a_sample_of_rows_that_are_gone_says_nothing(self, index: Index) -> None:
        from tams_graphql.metadata.vast.density import Densities
        from tams_graphql.metadata.vast.writing import WriteView

        stored = [rows.segment_row("f", n, n + 1) for n in range(2_000)]
        with index.holding(SEGMENTS, stored) as transaction:
            view = WriteView(transaction, index.catalogue, Densities())
            gone = [("f", n) for n in range(1_900)]
            view.accept(Changes(answer=None, delete={SEGMENTS: gone}))
            for reverse, start in ((False, 1_900), (True, 1_999)):
                scan = Scan(table=SEGMENTS, prefix=("f",), limit=1, reverse=reverse)
                assert view.page(scan)["start_ns"].to_pylist() == [start]

    def test_many_ties_and_few_columns(self, index: Index) -> None:
        early = [rows.source_row(f"early {n}", created_us=4) for n in range(3)]
        late = [rows.source_row(f"late {n:04}", created_us=5) for n in range(1_100)]
        scan = Scan(table=SOURCES, order="created", limit=4, columns=("source_id",))
        assert self._ids(index, early + late, scan) == [
            "early 0",
            "early 1",
            "early 2",
            "late 0000",
        ]

    def test_a_value_named_twice_finds_a_row_once(self, index: Index) -> None:
        named = OneOf("source_id", ("one", *(f"none {n}" for n in range(300)), "one"))
        scan = Scan(table=SOURCES, where=(named,))
        assert self._ids(index, [rows.source_row("one")], scan) == ["one"]

    def test_a_guess_may_lie_beyond_all_numbers(self, index: Index) -> None:
        from tams_graphql.metadata.vast.density import Densities
        from tams_graphql.metadata.vast.reading import Reading
        from tams_graphql.metadata.vast.selecting import select_in

        starts = range(HIGHEST - 2_000, HIGHEST)
        stored = [rows.segment_row("f", n, n + 1, object_end_ns=0) for n in starts]
        with index.holding(SEGMENTS, stored) as transaction:
            reading = Reading(select_in(transaction, index.catalogue), Densities())
            scan = Scan(table=SEGMENTS, prefix=("f",))
            assert reading.page(scan).num_rows == 100
            assert reading.page(replace(scan, after=(HIGHEST - 10,))).num_rows == 9
            assert reading.page(replace(scan, overlapping=(2**63, None))).num_rows == 0

    def test_no_value_at_all_finds_nothing_inside_a_command(self, index: Index) -> None:
        from tams_graphql.metadata.vast.density import Densities
        from tams_graphql.metadata.vast.writing import WriteView

        with index.holding(SOURCES, [rows.source_row("one")]) as transaction:
            view = WriteView(transaction, index.catalogue, Densities())
            scan = Scan(table=SOURCES, where=(OneOf("label", ()),))
            assert (view.page(scan).num_rows, view.count(scan)) == (0, 0)

    def _ids(self, index: Index, stored: list[StoredRow], scan: Scan) -> list[str]:
        from tams_graphql.metadata.vast.density import Densities
        from tams_graphql.metadata.vast.reading import Reading
        from tams_graphql.metadata.vast.selecting import select_in

        with index.holding(SOURCES, stored) as transaction:
            reading = Reading(select_in(transaction, index.catalogue), Densities())
            found: list[str] = reading.page(scan)["source_id"].to_pylist()
            assert reading.count(replace(scan, columns=None)) >= len(found)
            return found
