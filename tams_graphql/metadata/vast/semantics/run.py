"""All probes, one after the other, in a schema of their own."""

from collections.abc import Callable
from typing import TypeVar

from tams_graphql.metadata.vast.cluster import Target
from tams_graphql.metadata.vast.faults import RowConflict, TransactionLost
from tams_graphql.metadata.vast.semantics.commits import abandoned_writer, commit_replies
from tams_graphql.metadata.vast.semantics.duels import Ring
from tams_graphql.metadata.vast.semantics.observations import Observations, Untested
from tams_graphql.metadata.vast.semantics.races import hot_row, races
from tams_graphql.metadata.vast.semantics.row_ids import chosen_row_ids, sorted_rows
from tams_graphql.metadata.vast.semantics.scratch import scratch_schema
from tams_graphql.metadata.vast.semantics.sizes import FULL, Sizes
from tams_graphql.metadata.vast.semantics.snapshots import snapshots, visibility
from tams_graphql.metadata.vast.semantics.titles import TITLES
from tams_graphql.metadata.vast.semantics.updates import (
    apart,
    deletes,
    other_columns,
    same_cell,
    two_updates,
)
from tams_graphql.model.errors import Unavailable

Seen = TypeVar("Seen")
Progress = Callable[[int, str], None]
"""Told the number and the title of each probe before it starts."""


def silent(number: int, title: str) -> None:
    """Tells nobody."""
    del number, title


def probe_everything(
    target: Target, sizes: Sizes = FULL, progress: Progress = silent
) -> Observations:
    """Play all 13 probes; a probe that fails is `Untested`, and the others go on.

    Args:
        target: the cluster; the probes' schema is made in its bucket, beside its schema.
        sizes: how long and how often to try.
        progress: told before each probe.

    Raises:
        Unavailable: the cluster can't be reached, or the probes' schema not be made or dropped.
    """

    def played(number: int, probe: Callable[[], Seen]) -> Seen | Untested:
        progress(number, TITLES[number])
        try:
            return probe()
        except (Unavailable, RowConflict, TransactionLost) as error:
            return Untested(str(error))

    with scratch_schema(target) as scratch:
        table = scratch.create("rows")
        ring = Ring(scratch.cluster, sizes.patience)
        return Observations(
            same_cell=played(1, lambda: same_cell(scratch, ring, table)),
            other_columns=played(2, lambda: other_columns(scratch, ring, table)),
            deletes=played(3, lambda: deletes(scratch, ring, table)),
            apart=played(4, lambda: apart(scratch, ring, table)),
            snapshots=played(5, lambda: snapshots(scratch, table)),
            visibility=played(6, lambda: visibility(scratch, sizes)),
            commits=played(7, lambda: commit_replies(scratch, table)),
            abandoned=played(8, lambda: abandoned_writer(scratch, table, sizes)),
            two_updates=played(9, lambda: two_updates(scratch, table)),
            sorted_rows=played(10, lambda: sorted_rows(scratch, sizes)),
            chosen_row_ids=played(11, lambda: chosen_row_ids(scratch, ring)),
            races=played(12, lambda: races(scratch, table, sizes)),
            hot_row=played(13, lambda: hot_row(scratch, table, sizes)),
        )
