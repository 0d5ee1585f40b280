"""Probes 7 and 8: transactions that ended, and one that nobody ends."""

import secrets
import time

from vastdb.table_metadata import TableMetadata

from tams_graphql.metadata.vast.faults import errors_told
from tams_graphql.metadata.vast.semantics.observations import AbandonedWriter, CommitReplies
from tams_graphql.metadata.vast.semantics.replies import Pending, Reply, reply_of
from tams_graphql.metadata.vast.semantics.scratch import Scratch
from tams_graphql.metadata.vast.semantics.sizes import Sizes
from tams_graphql.metadata.vast.semantics.writers import Row, Writer

_PAUSE = 0.1


def commit_replies(scratch: Scratch, table: TableMetadata) -> CommitReplies:
    """Probe 7: commits that come too late, or out of nowhere."""
    row = scratch.row(table)
    with scratch.writer() as done:
        done.update(row, a=1)
        done.commit()
        twice = reply_of(done.transaction.commit)
    with scratch.writer() as undone:
        undone.update(row, a=2)
        undone.rollback()
        after_rollback = reply_of(undone.transaction.commit)
    return CommitReplies(twice, after_rollback, _commit_of_unknown(scratch))


def _commit_of_unknown(scratch: Scratch) -> Reply:
    # Random among 2^62, so that it is nobody's transaction.
    txid = secrets.randbits(62)

    def commit(writer: Writer) -> None:
        with errors_told():
            writer.transaction.session.api.commit_transaction(txid)

    with scratch.writer() as writer:
        return reply_of(lambda: commit(writer))


def abandoned_writer(scratch: Scratch, table: TableMetadata, sizes: Sizes) -> AbandonedWriter:
    """Probe 8: one updates a row and falls silent; when can another update it?"""
    row = scratch.row(table)
    with scratch.writer() as silent:
        silent.update(row, a=1)
        began = time.monotonic()
        deadline = began + sizes.abandoned_seconds
        while time.monotonic() < deadline:
            if _changed(scratch, row, deadline):
                return AbandonedWriter(freed=True, seconds=time.monotonic() - began)
            time.sleep(_PAUSE)
    return AbandonedWriter(freed=False, seconds=sizes.abandoned_seconds)


def _changed(scratch: Scratch, row: Row, deadline: float) -> bool:
    with scratch.writer() as another:
        pending = Pending(lambda: another.update(row, a=2))
        reply = pending.within(max(0.0, deadline - time.monotonic()))
        return reply is not None and reply.done and reply_of(another.commit).done
