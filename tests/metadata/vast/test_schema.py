"""The tables of an index on VAST: made once, migrated, refused if they are not ours."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pyarrow as pa
import pytest

from tams_graphql.metadata import tables
from tams_graphql.metadata.engine import Scan
from tams_graphql.metadata.tables import SchemaError
from tams_graphql.metadata.vast import schema
from tams_graphql.metadata.vast.catalogue import LANE_COUNT, LANES, TABLES, catalogue_of
from tams_graphql.metadata.vast.cluster import Cluster, Target
from tams_graphql.metadata.vast.queries import Query
from tams_graphql.metadata.vast.selecting import select_in
from tams_graphql.model.errors import Unavailable
from tests.metadata.rows import flow_row, stored
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
        "collections", "discarded_media", "idempotency", "object_references", "objects",
        "segments", "tags",
    }  # fmt: skip


async def test_an_index_of_version_1_is_migrated(
    target: Target, open_engine: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as then:
        then.setattr(tables, "SCHEMA_VERSION", 1)
        before = tuple(table for table in TABLES if table is not tables.COPIES)
        then.setattr(schema, "TABLES", before)
        schema.prepare(Cluster(target), version=1)
    assert schema.stored_version(Cluster(target)) == 1
    assert "object_copies" not in names(target)
    engine = await open_engine(target)
    await stored(engine, tables.FLOWS, flow_row("flow"))
    assert await engine.count(Scan(table=tables.COPIES)) == 0
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
