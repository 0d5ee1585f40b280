"""The tables of an index on VAST: made once, migrated, refused if they are not ours."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pyarrow as pa
import pytest

from tams_graphql.metadata import tables
from tams_graphql.metadata.engine import Scan
from tams_graphql.metadata.event_tables import LANES
from tams_graphql.metadata.tables import SchemaError
from tams_graphql.metadata.vast import schema
from tams_graphql.metadata.vast.catalogue import LANE_COUNT, TABLES, catalogue_of
from tams_graphql.metadata.vast.cluster import Cluster, Target
from tams_graphql.metadata.vast.queries import Query
from tams_graphql.metadata.vast.selecting import select_in
from tams_graphql.model.errors import Unavailable
from tests.metadata.rows import flow_row, object_row, segment_row
from tests.metadata.vast.conftest import Open


def names(target: Target) -> list[str]:
    with Cluster(target).reading() as transaction:
        found: Any = transaction.sdk.bucket(target.bucket).schema(target.schema).tablenames()
        return sorted(found)


def count(target: Target, table: tables.Table) -> int:
    with Cluster(target).reading() as transaction:
        select = select_in(transaction, catalogue_of(target))
        return int(select(Query(table=table, columns=())).rows.num_rows)


def test_everything_is_made_once(target: Target) -> None:
    assert schema.stored_version(Cluster(target)) is None
    for _ in range(2):
        schema.prepare(Cluster(target))
        assert names(target) == sorted(table.name for table in TABLES)
        assert count(target, tables.GUARDS) == tables.GUARD_COUNT
        assert count(target, LANES) == LANE_COUNT
    assert schema.stored_version(Cluster(target)) == tables.SCHEMA_VERSION


def test_processes_that_start_together_make_one_index(target: Target) -> None:
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: schema.prepare(Cluster(target)), range(4)))
    assert names(target) == sorted(table.name for table in TABLES)
    assert count(target, tables.GUARDS) == tables.GUARD_COUNT


def test_rows_that_are_contended_for_are_in_unsorted_tables(target: Target) -> None:
    schema.prepare(Cluster(target))
    with Cluster(target).reading() as transaction:
        stored_schema = transaction.sdk.bucket(target.bucket).schema(target.schema)
        sorted_tables = {
            table.name for table in TABLES if stored_schema.table(table.name).sorted_table
        }
    assert sorted_tables == {
        "collections", "discarded_media", "event_parts", "events", "flow_segments", "idempotency",
        "instances", "objects", "profiles", "tags", "timeline_objects", "webhook_deliveries",
    }  # fmt: skip


VERSION_1 = {
    "sources", "flows", "objects", "collections", "tags", "discarded_media", "idempotency",
    "guards", "lanes", "probes", "versions",
}  # fmt: skip


def as_version_1() -> list[tables.Table]:
    """The tables as the program of schema version 1 made them."""
    segments = replace(tables.SEGMENTS, name="segments", key=("flow_id", "start_ns"))
    references = replace(tables.REFERENCES, name="object_references", key=("object_id", "flow_id"))
    kept = [table for table in TABLES if table.name in VERSION_1]
    return [without_added_columns(table) for table in (*kept, segments, references)]


def without_added_columns(table: tables.Table) -> tables.Table:
    later = {"timeline_id", "allocated_us", "hlc", "sequence"}
    return replace(table, schema=pa.schema([one for one in table.schema if one.name not in later]))


def made_by_version_1(target: Target, rows: dict[str, list[dict[str, Any]]]) -> None:
    transaction = Cluster(target).begin()
    stored_schema = transaction.sdk.bucket(target.bucket).create_schema(target.schema)
    rows = {**rows, "versions": [{"component": "index", "version": 1}]}
    rows["guards"] = [{"guard_id": f"{n:04d}", "version": 0} for n in range(tables.GUARD_COUNT)]
    rows["lanes"] = [{"lane": n, "epoch": 0, "lease_until_us": 0} for n in range(LANE_COUNT)]
    unsorted = {"flows", "sources", "guards", "lanes", "probes", "versions"}
    for table in as_version_1():
        key = [] if table.name in unsorted else list(table.key)
        made = stored_schema.create_table(table.name, table.schema, sorting_key=key)
        if table.name in rows:
            made.insert(pa.Table.from_pylist(rows[table.name], schema=table.schema))
    transaction.commit()


async def test_an_index_of_version_1_is_migrated_with_its_rows(
    target: Target, open_engine: Open
) -> None:
    instances = '[{"storage_id":"disk","key":"k"},{"url":"https://e.org/o","label":"l"}]'
    used = {"object_id": "used", "segment_count": 3}
    flows = ("left", "right")
    rows = {
        "flows": [flow_row(flow) for flow in flows],
        "objects": [
            object_row("used", instances_json=instances),
            object_row("waiting", state="allocated", created_us=7),
        ],
        "segments": [
            segment_row(flow, n, n + 1, object_id="used") for flow in flows for n in range(3)
        ],
        "object_references": [used | {"flow_id": flow} for flow in flows],
    }
    made_by_version_1(target, rows)
    engine = await open_engine(target)
    found = (await engine.get(tables.FLOWS, [(flow,) for flow in flows])).to_pylist()
    timelines = {row["flow_id"]: row["timeline_id"] for row in found}
    assert len(set(timelines.values()) - {None}) == 2
    for flow, timeline in timelines.items():
        page = await engine.page(Scan(table=tables.SEGMENTS, prefix=(timeline,)))
        before = [row for row in rows["segments"] if row["flow_id"] == flow]
        assert page.to_pylist() == [row | {"timeline_id": timeline} for row in before]
        references = await engine.get(tables.REFERENCES, [("used", timeline)])
        assert references.to_pylist() == [used | {"flow_id": flow, "timeline_id": timeline}]
    (instance,) = (await engine.page(Scan(table=tables.INSTANCES))).to_pylist()
    assert tuple(instance.values()) == ("disk", "k", "used", "first used", 1)
    waiting = await engine.page(Scan(table=tables.OBJECTS, order="allocated"))
    assert waiting.select(["object_id", "allocated_us"]).to_pylist() == [
        {"object_id": "waiting", "allocated_us": 7}
    ]
    assert names(target) == sorted(table.name for table in TABLES)
    assert schema.stored_version(Cluster(target)) == tables.SCHEMA_VERSION


def test_a_newer_index_is_refused_and_left_alone(
    target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    newer = tables.SCHEMA_VERSION + 1
    with monkeypatch.context() as then:
        then.setattr(tables, "SCHEMA_VERSION", newer)
        schema.prepare(Cluster(target), version=newer)
    for look in (schema.prepare, schema.stored_version):
        with pytest.raises(SchemaError, match=f"has schema version {newer}"):
            look(Cluster(target))
    assert schema.stored_version(Cluster(target), newer) == newer


def test_a_schema_of_another_program_is_refused(target: Target) -> None:
    transaction = Cluster(target).begin()
    other = transaction.sdk.bucket(target.bucket).create_schema(target.schema)
    other.create_table("flows", pa.schema([("id", pa.string())]))
    transaction.commit()
    with pytest.raises(SchemaError, match="no index of this program"):
        schema.prepare(Cluster(target))
    assert names(target) == ["flows"]


def test_a_table_with_other_columns_is_refused(target: Target) -> None:
    schema.prepare(Cluster(target))
    transaction = Cluster(target).begin()
    flows = transaction.sdk.bucket(target.bucket).schema(target.schema).table("flows")
    flows.add_column(pa.schema([("surplus", pa.int64())]))
    transaction.commit()
    with pytest.raises(SchemaError, match="'flows' of the index has other columns"):
        schema.prepare(Cluster(target))


def test_a_bucket_that_does_not_exist_is_named(target: Target) -> None:
    with pytest.raises(Unavailable, match="bucket 'nowhere' does not exist"):
        schema.prepare(Cluster(replace(target, bucket="nowhere")))


def test_credentials_that_are_wrong_are_told_without_showing_them(target: Target) -> None:
    wrong = replace(target, secret_key="not-the-secret")
    with pytest.raises(Unavailable, match="403") as refusal:
        schema.prepare(Cluster(wrong))
    assert "not-the-secret" not in str(refusal.value)
    assert "not-the-secret" not in repr(wrong)
