"""Reads that every metadata engine answers alike."""

import pyarrow as pa
import pytest

from tams_graphql.metadata import tables
from tams_graphql.metadata.engine import Between, Key, MetadataEngine, OneOf, Scan
from tams_graphql.metadata.tables import Table
from tests.metadata.rows import SECOND, flow_row, object_row, segment_row, stored

SEGMENTS, SOURCES = tables.SEGMENTS, tables.SOURCES
LOWEST, HIGHEST = -(2**63), 2**63 - 1


async def starts(engine: MetadataEngine, scan: Scan) -> list[int]:
    found: list[int] = (await engine.page(scan)).column("start_ns").to_pylist()
    return found


async def ids(engine: MetadataEngine, scan: Scan) -> list[str]:
    found: list[str] = (await engine.page(scan)).column("source_id").to_pylist()
    return found


async def test_get_returns_the_rows_that_exist_once_each(two_cameras: MetadataEngine) -> None:
    keys: list[Key] = [("right", 20), ("right", 1), ("left", 0), ("right", 20)]
    found = await two_cameras.get(SEGMENTS, keys, ("flow_id", "start_ns"))
    assert sorted(found.to_pylist(), key=str) == [
        {"flow_id": "left", "start_ns": 0},
        {"flow_id": "right", "start_ns": 20},
    ]


async def test_get_takes_thousands_of_keys(two_cameras: MetadataEngine) -> None:
    keys: list[Key] = [("left", number * SECOND) for number in range(-2_500, 2_500)]
    found = await two_cameras.get(SEGMENTS, keys, ("start_ns",))
    assert sorted(found.column("start_ns").to_pylist()) == [n * SECOND for n in range(10)]


@pytest.mark.parametrize("table", tables.TABLES, ids=lambda table: table.name)
async def test_an_empty_result_has_the_exact_schema(engine: MetadataEngine, table: Table) -> None:
    missing: Key = tuple(
        "no such" if pa.types.is_string(table.schema.field(name).type) else -1 for name in table.key
    )
    subset = (table.columns[-1], table.columns[0])
    narrow = pa.schema([table.schema.field(name) for name in subset])
    whole = Scan(table=table, prefix=missing)
    part = Scan(table=table, prefix=missing, columns=subset)
    for found, schema in (
        (await engine.get(table, []), table.schema),
        (await engine.get(table, [missing], subset), narrow),
        (await engine.page(whole), table.schema),
        (await engine.page(part), narrow),
        (await engine.first_per_key(Scan(table=table), [missing]), table.schema),
        (await engine.first_per_key(Scan(table=table, columns=subset), []), narrow),
    ):
        assert found.num_rows == 0
        assert found.schema.equals(schema)
    assert await engine.count(whole) == 0


async def test_values_of_every_kind_come_back_as_they_went_in(engine: MetadataEngine) -> None:
    row = flow_row(
        "flow",
        label='quote " backslash \\ newline \n nul \x00 umlaut ü emoji 🎬',
        description="",
        tags_json='{"a": ["b"]}',
        read_only=True,
        init_segments=False,
        start_ns=LOWEST,
        end_ns=HIGHEST,
        max_bit_rate=None,
    )
    await stored(engine, tables.FLOWS, row)
    for found in (
        await engine.get(tables.FLOWS, [("flow",)]),
        await engine.page(Scan(table=tables.FLOWS)),
        await engine.first_per_key(Scan(table=tables.FLOWS), [("flow",)]),
    ):
        assert found.schema.equals(tables.FLOWS.schema)
        assert found.to_pylist() == [{name: row[name] for name in tables.FLOWS.columns}]


async def test_ids_are_told_apart_by_every_character(engine: MetadataEngine) -> None:
    odd = ["a", "a\x00b", "A", "a ", "ä", "a/b", "a%", "'; --"]
    await stored(engine, tables.OBJECTS, *(object_row(name) for name in odd))
    for name in odd:
        found = await engine.get(tables.OBJECTS, [(name,)], ("object_id",))
        assert found.column("object_id").to_pylist() == [name]
    chosen = OneOf("object_id", ("a\x00b", "A"))
    scan = Scan(table=tables.OBJECTS, where=(chosen,), columns=("object_id",))
    assert (await engine.page(scan)).column("object_id").to_pylist() == ["A", "a\x00b"]


async def test_columns_come_in_the_order_asked_for(two_cameras: MetadataEngine) -> None:
    scan = Scan(table=SEGMENTS, prefix=("right",), columns=("end_ns", "flow_id"), limit=1)
    found = await two_cameras.page(scan)
    assert found.column_names == ["end_ns", "flow_id"]
    assert found.to_pylist() == [{"end_ns": -15, "flow_id": "right"}]


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        ("key", ["anna", "bert", "nobody", "zoe", "émile"]),
        ("created", ["nobody", "anna", "bert", "zoe", "émile"]),
        ("label", ["émile", "zoe", "anna", "bert", "nobody"]),
    ],
)
@pytest.mark.parametrize("limit", [1, 2, 3, 100])
async def test_pages_joined_are_the_whole_order_both_ways(
    labelled_sources: MetadataEngine, order: str, expected: list[str], limit: int
) -> None:
    for reverse in (False, True):
        walked: list[str] = []
        after: Key | None = None
        while True:
            scan = Scan(table=SOURCES, order=order, after=after, limit=limit, reverse=reverse)
            rows = (await labelled_sources.page(scan)).to_pylist()
            assert len(rows) <= limit
            if not rows:
                break
            walked += [row["source_id"] for row in rows]
            after = tuple(rows[-1][name] for name in SOURCES.order(order))
        assert walked == (expected[::-1] if reverse else expected)


async def test_a_prefix_is_one_partition_of_its_order(two_cameras: MetadataEngine) -> None:
    assert await starts(two_cameras, Scan(table=SEGMENTS, prefix=("right",))) == [-20, 0, 20]
    backwards = Scan(table=SEGMENTS, prefix=("right",), after=(20,), reverse=True)
    assert await starts(two_cameras, backwards) == [0, -20]
    by_object = Scan(table=SEGMENTS, order="object", prefix=("left/0", "left"))
    assert await starts(two_cameras, by_object) == [0]
    assert await starts(two_cameras, Scan(table=SEGMENTS, prefix=("middle",))) == []


async def test_the_init_object_order_leaves_out_rows_without_one(engine: MetadataEngine) -> None:
    rows = [
        segment_row("flow", n, n + 1, init_object_id="init" if n % 2 else None) for n in (1, 2, 3)
    ]
    await stored(engine, SEGMENTS, *rows)
    whole = Scan(table=SEGMENTS, order="init_object")
    assert await starts(engine, whole) == [1, 3]
    assert await engine.count(whole) == 2
    reverse = Scan(table=SEGMENTS, order="init_object", prefix=("init",), reverse=True)
    assert await starts(engine, reverse) == [3, 1]


async def test_one_of_matches_any_value_and_null_when_named(
    labelled_sources: MetadataEngine,
) -> None:
    async def labelled(*labels: str | None) -> list[str]:
        return await ids(labelled_sources, Scan(table=SOURCES, where=(OneOf("label", labels),)))

    assert await labelled("Arena", "Studio") == ["anna", "bert", "zoe"]
    assert await labelled("Arena", None) == ["nobody", "zoe"]
    assert await labelled(None) == ["nobody"]
    assert await labelled("") == ["émile"]
    assert await labelled() == []
    assert await labelled("Arena", *(f"label {n}" for n in range(5_000))) == ["zoe"]


async def test_between_is_half_open_and_never_matches_null(two_cameras: MetadataEngine) -> None:
    async def counted(condition: Between, flow: str = "left") -> int:
        return await two_cameras.count(Scan(table=SEGMENTS, prefix=(flow,), where=(condition,)))

    assert await counted(Between("sample_count", 1)) == 6
    assert await counted(Between("sample_count", None, 1)) == 4
    assert await counted(Between("sample_count", 1, 2)) == 3
    assert await counted(Between("sample_count")) == 10
    assert await counted(Between("sample_count"), "right") == 0
    assert await counted(Between("start_ns", SECOND, 3 * SECOND)) == 2


async def test_filters_are_all_required_and_hold_across_pages(
    two_cameras: MetadataEngine,
) -> None:
    where = (OneOf("sample_count", (0, 1)), Between("start_ns", 2 * SECOND, 8 * SECOND))
    expected = [3 * SECOND, 4 * SECOND, 6 * SECOND, 7 * SECOND]
    for reverse in (False, True):
        first = Scan(table=SEGMENTS, prefix=("left",), where=where, limit=3, reverse=reverse)
        head = await starts(two_cameras, first)
        tail = await starts(
            two_cameras,
            Scan(table=SEGMENTS, prefix=("left",), where=where, after=(head[-1],), reverse=reverse),
        )
        assert head + tail == (expected[::-1] if reverse else expected)


async def test_flags_can_be_filtered_on(engine: MetadataEngine) -> None:
    flags = {"open": False, "closed": True, "unsaid": None}
    await stored(engine, tables.FLOWS, *(flow_row(k, read_only=v) for k, v in flags.items()))
    scan = Scan(table=tables.FLOWS, where=(OneOf("read_only", (False, None)),))
    found = await engine.page(scan)
    assert found.column("flow_id").to_pylist() == ["open", "unsaid"]
    assert found.column("read_only").to_pylist() == [False, None]


async def test_first_per_key_gives_each_prefix_its_own_limit(two_cameras: MetadataEngine) -> None:
    scan = Scan(table=SEGMENTS, limit=2, reverse=True, columns=("flow_id", "start_ns"))
    prefixes: list[Key] = [("right",), ("nobody",), ("left",), ("right",)]
    found = await two_cameras.first_per_key(scan, prefixes)
    assert [tuple(row.values()) for row in found.to_pylist()] == [
        ("right", 20),
        ("right", 0),
        ("left", 9 * SECOND),
        ("left", 8 * SECOND),
    ]


async def test_first_per_key_takes_ranges_filters_and_hundreds_of_prefixes(
    two_cameras: MetadataEngine,
) -> None:
    prefixes: list[Key] = [(f"flow {number}",) for number in range(700)]
    prefixes[100], prefixes[600] = ("right",), ("left",)
    scan = Scan(
        table=SEGMENTS, overlapping=(4, SECOND + 1), where=(OneOf("bounds", (0,)),), limit=5
    )
    found = await two_cameras.first_per_key(scan, prefixes)
    assert found.column("flow_id").to_pylist() == ["right", "right", "left", "left"]
    assert found.column("start_ns").to_pylist() == [0, 20, 0, SECOND]


async def test_first_per_key_along_a_secondary_order(labelled_sources: MetadataEngine) -> None:
    scan = Scan(table=SOURCES, order="label", limit=1, columns=("source_id",))
    found = await labelled_sources.first_per_key(scan, [("aStudio",), ("b",), ("aArena",)])
    assert found.column("source_id").to_pylist() == ["anna", "nobody", "zoe"]


async def test_count_ignores_the_limit(two_cameras: MetadataEngine) -> None:
    assert await two_cameras.count(Scan(table=SEGMENTS, limit=1)) == 13
    assert await two_cameras.count(Scan(table=SEGMENTS, prefix=("left",), limit=1)) == 10
    overlapping = Scan(table=SEGMENTS, prefix=("left",), overlapping=(SECOND, 3 * SECOND), limit=1)
    assert await two_cameras.count(overlapping) == 2


async def test_there_is_a_guard_row_for_every_hash(engine: MetadataEngine) -> None:
    found = await engine.page(Scan(table=tables.GUARDS, limit=2_000))
    assert found.column("guard_id").to_pylist() == [f"{n:04d}" for n in range(tables.GUARD_COUNT)]
    assert set(found.column("version").to_pylist()) == {0}
