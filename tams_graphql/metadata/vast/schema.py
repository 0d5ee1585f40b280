"""The tables as VAST DB keeps them: made once, in one transaction, and checked at every start.

1. An absent schema is made with all tables, the guard rows, the lanes and the version.
2. An older one is taken step by step, in the transaction that all steps share.
3. A newer one, or one whose tables are not ours, is refused and left untouched.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pyarrow as pa
from vastdb import errors

from tams_graphql.metadata import tables
from tams_graphql.metadata.event_tables import EVENT_FLOORS, LANES
from tams_graphql.metadata.tables import SchemaError
from tams_graphql.metadata.vast.catalogue import (
    CONTENDED,
    LANE_COUNT,
    TABLES,
    VERSIONS,
    Catalogue,
    catalogue_of,
    with_row_ids,
)
from tams_graphql.metadata.vast.cluster import Cluster, Target, Transaction
from tams_graphql.metadata.vast.faults import RowConflict, errors_told
from tams_graphql.metadata.vast.migrations import MIGRATIONS, Migration, new_floors
from tams_graphql.metadata.vast.queries import ROW_ID, Query
from tams_graphql.metadata.vast.selecting import select_in
from tams_graphql.model.errors import Unavailable

_TRIES = 20


def prepare(
    cluster: Cluster,
    version: int = tables.SCHEMA_VERSION,
    migrations: Mapping[int, Migration] = MIGRATIONS,
) -> Catalogue:
    """Make the schema a current index; several processes may do so at the same time.

    Raises:
        SchemaError: the index is newer than `version`, or its tables are not ours.
        Unavailable: the bucket does not exist, or the cluster does not answer.
    """
    catalogue = catalogue_of(cluster.target)

    def bring(transaction: Transaction) -> None:
        with _sdk_errors_told(cluster.target):
            _bring_to(transaction, catalogue, version, migrations)

    # On a conflict another process makes the same tables; next time they are there.
    if not cluster.committed(bring, tries=_TRIES, pauses=(0.02, 0.2)):
        raise Unavailable("other processes keep changing the index's tables; try again")
    return catalogue


def stored_version(cluster: Cluster, version: int = tables.SCHEMA_VERSION) -> int | None:
    """The version of the index that stands there; ``None``: there is none yet.

    Raises:
        SchemaError: it is newer than `version`, or none of ours.
        Unavailable: the bucket does not exist, or the cluster does not answer.
    """
    target = cluster.target
    with cluster.reading() as transaction, _sdk_errors_told(target):
        schema = transaction.sdk.bucket(target.bucket).schema(target.schema, fail_if_missing=False)
        if schema is None:
            return None
        return _version(transaction, schema, catalogue_of(target), version)


@contextmanager
def _sdk_errors_told(target: Target) -> Iterator[None]:
    with errors_told():
        try:
            yield
        except errors.MissingBucket as error:
            raise Unavailable(
                f"the bucket {target.bucket!r} does not exist on the VAST cluster, or these"
                " credentials may not see it"
            ) from error
        except errors.Exists as error:
            raise RowConflict(str(error)) from error
        except errors.MissingTable as error:
            raise SchemaError(
                f"the schema {target.bucket}/{target.schema} lacks tables of the index: {error}"
            ) from error


def _bring_to(
    transaction: Transaction,
    catalogue: Catalogue,
    version: int,
    migrations: Mapping[int, Migration],
) -> None:
    target = catalogue[VERSIONS].ref
    bucket = transaction.sdk.bucket(target.bucket)
    schema = bucket.schema(target.schema, fail_if_missing=False)
    if schema is None:
        _create(transaction, bucket.create_schema(target.schema), catalogue, version)
        return
    found = _version(transaction, schema, catalogue, version)
    for step in range(found, version):
        migrations[step](schema)
    if found < version:
        _set_version(transaction, catalogue, version)
    _require_columns(schema)


def _create(transaction: Transaction, schema: Any, catalogue: Catalogue, version: int) -> None:
    for table in TABLES:
        key = [] if table in CONTENDED else list(table.key)
        schema.create_table(table.name, table.schema, sorting_key=key)
    guards = [{"guard_id": f"{n:04d}", "version": 0} for n in range(tables.GUARD_COUNT)]
    free = {"epoch": 0, "lease_until_us": 0, "sequence": 0, "hlc": 0}
    lanes = [{"lane": n, **free} for n in range(LANE_COUNT)]
    versions = [{"component": "index", "version": version}]
    for table, rows in (
        (tables.GUARDS, guards),
        (LANES, lanes),
        (EVENT_FLOORS, new_floors()),
        (VERSIONS, versions),
    ):
        added = pa.Table.from_pylist(rows, schema=table.schema)
        transaction.sdk.table_from_metadata(catalogue[table]).insert(added)


def _version(transaction: Transaction, schema: Any, catalogue: Catalogue, newest: int) -> int:
    if VERSIONS.name not in schema.tablenames():
        raise SchemaError(
            f"the schema {schema.name!r} of the bucket exists, but is no index of this program;"
            " choose another schema"
        )
    query = Query(table=VERSIONS, columns=("version",))
    rows = select_in(transaction, catalogue)(query).rows
    if rows.num_rows != 1:
        raise SchemaError(f"the index in the schema {schema.name!r} does not tell its version")
    found = int(rows["version"][0].as_py())
    if found > newest:
        raise SchemaError(
            f"the index has schema version {found}, this program knows up to {newest};"
            " run the newer program"
        )
    return found


def _set_version(transaction: Transaction, catalogue: Catalogue, version: int) -> None:
    query = Query(table=VERSIONS, columns=(), row_ids=True)
    rows = select_in(transaction, catalogue)(query).rows
    changed = with_row_ids(VERSIONS, rows[ROW_ID], {"version": [version]})
    transaction.sdk.table_from_metadata(catalogue[VERSIONS]).update(changed)


def _require_columns(schema: Any) -> None:
    for table in TABLES:
        found = schema.table(table.name).columns()
        missing = {field.name: field.type for field in table.schema} != {
            field.name: field.type for field in found
        }
        if missing:
            raise SchemaError(f"the table {table.name!r} of the index has other columns than ours")
