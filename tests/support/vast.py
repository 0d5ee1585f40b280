"""A VAST DB session for tests, through the unmodified SDK, and a skip where there is none."""

import itertools
import json
import logging
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import pytest

from tams_graphql.metadata.engine import MetadataEngine
from tests.vast_emulator.running import ACCESS_KEY, BUCKET, SECRET_KEY, Running

needs_vastdb = pytest.mark.skipif(
    find_spec("vastdb") is None,
    reason="vastdb is not installed (pip install 'tams-graphql[vast]')",
)


class Open:
    """A transaction whose end the test decides on."""

    def __init__(self, session: Any) -> None:
        self.tx = session.transaction()
        self.tx.__enter__()
        self.txid = self.tx.txid

    def commit(self) -> None:
        self.tx.__exit__(None, None, None)

    def rollback(self) -> None:
        self.tx._rpc.api.rollback_transaction(self.txid)
        self.tx.txid = None


@dataclass
class Cluster:
    """An emulator, a session with it, and its one table `s/t`."""

    running: Running
    session: Any
    metadata: Any
    semantics: str = "updater"

    def begin(self) -> Open:
        return Open(self.session)

    def table(self, tx: Any) -> Any:
        """The table, without a request (its metadata is read once)."""
        transaction = tx.tx if isinstance(tx, Open) else tx
        if self.metadata.arrow_schema is None:
            self.metadata.load(transaction)
        return transaction.table_from_metadata(self.metadata)

    def plain_table(self, tx: Any) -> Any:
        """The table as the SDK's older interface has it, with DDL."""
        transaction = tx.tx if isinstance(tx, Open) else tx
        return transaction.bucket(BUCKET).schema("s").table("t")

    def rows(self, tx: Any = None) -> list[dict[str, Any]]:
        """All rows, by key; in a transaction of its own unless one is given."""
        if tx is None:
            with self.session.transaction() as own:
                return self.rows(own)
        found: list[dict[str, Any]] = self.table(tx).select().read_all().to_pylist()
        return sorted(found, key=lambda row: row["k"])


def cluster_of(running: Running) -> Cluster:
    """Connect to an emulator; the SDK's chatter is silenced."""
    import vastdb
    from vastdb.table_metadata import TableMetadata, TableRef

    logging.getLogger("vastdb").setLevel(logging.CRITICAL)
    session = vastdb.connect(endpoint=running.url, access=ACCESS_KEY, secret=SECRET_KEY, timeout=10)
    return Cluster(running, session, TableMetadata(TableRef(BUCKET, "s", "t")))


_schemas = itertools.count()


def fresh_target(running: Running) -> Any:
    """An index of its own in an emulator; nothing of it exists yet."""
    from tams_graphql.metadata.vast.cluster import Target

    return Target(
        endpoints=(running.url,),
        bucket=BUCKET,
        schema=f"index_{next(_schemas)}",
        access_key=ACCESS_KEY,
        secret_key=SECRET_KEY,
    )


async def opened(running: Running) -> MetadataEngine:
    """A `VastEngine` with an index of its own in an emulator."""
    from tams_graphql.metadata.vast.engine import VastEngine

    return await VastEngine.open(fresh_target(running), threads=4)


def vast_settings(running: Running, schema: str = "tams") -> dict[str, str]:
    """The environment of a server whose index is in an emulator."""
    vast = {
        "endpoints": [running.url],
        "bucket": BUCKET,
        "schema": schema,
        "credentials_env": "TESTS_VAST_",
    }
    return {
        "TAMS_VAST": json.dumps(vast),
        "TESTS_VAST_ACCESS_KEY_ID": ACCESS_KEY,
        "TESTS_VAST_SECRET_ACCESS_KEY": SECRET_KEY,
    }
