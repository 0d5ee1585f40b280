"""Probes 5 and 6: what a transaction sees of others."""

import itertools

from vastdb.table_metadata import TableMetadata

from tams_graphql.metadata.vast.semantics.observations import Snapshots, Visibility
from tams_graphql.metadata.vast.semantics.scratch import Scratch
from tams_graphql.metadata.vast.semantics.sizes import Sizes
from tams_graphql.metadata.vast.semantics.writers import Row


def snapshots(scratch: Scratch, table: TableMetadata) -> Snapshots:
    """Probe 5: two transactions begin; one reads at once, one only after A and B changed.

    Then A and B change again in one commit between that one's reads of A and of B.
    """
    a, b = scratch.row(table), scratch.row(scratch.create("other"))
    with scratch.writer() as early, scratch.writer() as late:
        before = (early.value(a), early.value(b))
        _set_both(scratch, a, b, 1)
        first = late.value(a)
        _set_both(scratch, a, b, 2)
        second = late.value(b)
        after = (early.value(a), early.value(b))
    return Snapshots(
        first_read_is_fresh=first != 0, rereads_move=after != before, torn=first != second
    )


def _set_both(scratch: Scratch, a: Row, b: Row, value: int) -> None:
    with scratch.writer() as writer:
        writer.update(a, a=value)
        writer.update(b, a=value)
        writer.commit()


def visibility(scratch: Scratch, sizes: Sizes) -> Visibility:
    """Probe 6: commit through one node, begin through the next, again and again.

    By inserts, which a transaction that begins too early does not conflict with.
    """
    nodes = [scratch.node(endpoint) for endpoint in scratch.cluster.target.endpoints]
    rounds = sizes.rounds if len(nodes) > 1 else sizes.rounds_of_one_node
    table = scratch.create("seen")
    unseen = 0
    for key, (here, there) in zip(
        range(1, rounds + 1), itertools.pairwise(itertools.cycle(nodes)), strict=False
    ):
        with scratch.writer(here) as writer:
            writer.insert(table, k=[key], a=[0], b=[0])
            writer.commit()
        with scratch.writer(there) as reader:
            unseen += not reader.read(table, key)
    return Visibility(len(nodes), rounds, unseen)
