"""Emulated clusters as the probes meet them, and how hard to try there."""

from dataclasses import replace

from tams_graphql.metadata.vast.cluster import Cluster, Target
from tams_graphql.metadata.vast.semantics.classify import Semantics
from tams_graphql.metadata.vast.semantics.sizes import QUICK, Sizes
from tests.vast_emulator.running import ACCESS_KEY, BUCKET, SECRET_KEY, Running

KINDS = {
    "updater": Semantics.FIRST_UPDATER_WINS,
    "committer": Semantics.FIRST_COMMITTER_WINS,
    "cell": Semantics.CONFLICTS_PER_CELL,
    "table": Semantics.CONFLICTS_PER_TABLE,
    "read-committed": Semantics.READ_COMMITTED,
    "none": Semantics.NO_CONFLICTS,
}
"""By the emulator's names."""

# Only where transactions really wait does impatience cost time, and is a slow machine harmless.
IMPATIENT = replace(QUICK, abandoned_seconds=0.2, hot_seconds=0.1, patience=1.0)
PATIENT = replace(IMPATIENT, patience=10.0)


def target_of(running: Running, *, schema: str = "tams") -> Target:
    """Where the emulator is."""
    return Target(
        endpoints=running.urls,
        bucket=BUCKET,
        schema=schema,
        access_key=ACCESS_KEY,
        secret_key=SECRET_KEY,
    )


def sizes_for(semantics: Semantics) -> Sizes:
    """Small numbers; and no verdict that depends on this machine's speed."""
    return IMPATIENT if semantics is Semantics.READ_COMMITTED else PATIENT


def schemas(running: Running) -> list[str]:
    """The names of all schemas there are."""
    with Cluster(target_of(running)).reading() as reader:
        return [schema.name for schema in reader.sdk.bucket(BUCKET).schemas()]
