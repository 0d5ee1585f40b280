"""Two transactions that overlap in time, step by step."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from tams_graphql.metadata.vast.cluster import Cluster
from tams_graphql.metadata.vast.semantics.observations import Duel, Ending
from tams_graphql.metadata.vast.semantics.replies import Kind, Pending, Reply, reply_of
from tams_graphql.metadata.vast.semantics.writers import Act, Row, Writer, writing


@dataclass(frozen=True, slots=True)
class Ring:
    """Where duels are fought.

    Args:
        patience: seconds without an answer that mean: it waits for the other transaction.
    """

    cluster: Cluster
    patience: float

    def duel(self, seen: Row | None, first: Act, second: Act, *, overlapping: bool = True) -> Duel:
        """Both begin; the first acts; the second acts; both commit.

        Args:
            seen: read by the second at its start, so that its snapshot is that old for sure.
            first: what the first transaction does.
            second: what the second does, which may have to wait.
            overlapping: whether the second acts before the first commits, or after.

        Raises:
            RowConflict: of the first, whom nobody was in the way of.
        """
        with writing(self.cluster) as one, writing(self.cluster) as two:
            if seen is not None:
                two.value(seen)
            first(one)
            if not overlapping:
                one.commit()
            pending = Pending(lambda: second(two))
            # Once the first is over there is nobody to wait for, and slow is only slow.
            reply = pending.within(self.patience if overlapping else self._longest)
            committed = reply_of(one.commit) if overlapping else Reply(Kind.DONE)
            waited = reply is None
            if reply is None:
                reply = pending.within(self._longest) or Reply(Kind.UNANSWERED)
            return _ending(committed, reply, two, waited=waited)

    @property
    def _longest(self) -> float:
        return self.cluster.target.timeout + 1.0


def _ending(first_commit: Reply, second: Reply, two: Writer, *, waited: bool) -> Duel:
    if second.kind is Kind.CONFLICT:
        return Duel(Ending.WAITED_THEN_REFUSED if waited else Ending.REFUSED_AT_ONCE)
    commit = reply_of(two.commit) if second.done else second
    if not commit.done:
        return Duel(_NOT_COMMITTED[commit.kind], "" if _conflict(commit) else commit.words)
    if not first_commit.done:
        return Duel(Ending.FIRST_REFUSED, first_commit.words)
    return Duel(Ending.WAITED_THEN_STORED if waited else Ending.BOTH_STORED)


def _conflict(reply: Reply) -> bool:
    return reply.kind is Kind.CONFLICT


_NOT_COMMITTED: Final[Mapping[Kind, Ending]] = MappingProxyType(
    {
        Kind.CONFLICT: Ending.REFUSED_AT_COMMIT,
        Kind.REFUSED: Ending.REFUSED_OTHERWISE,
        Kind.LOST: Ending.REFUSED_OTHERWISE,
        Kind.UNANSWERED: Ending.UNANSWERED,
    }
)
