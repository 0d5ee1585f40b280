"""The one writer of this process: a thread in whose transactions commands share (group commit).

1. It takes what waits, up to `MAX_COMMANDS`, and begins a transaction: it locks the union of what
   the commands rely on, in sorted order, and its lane.
2. Commands run one by one; what one raises is its own answer and leaves the others alone.
3. The transaction commits; only then is anyone answered.
4. On a conflict everything is run again, after a pause with jitter. A group that keeps losing is
   split in two, flow by flow; one that the cluster refuses, until the culprit is alone.
5. If the answer to a commit is lost, the lane's `commit_id` tells whether it came to be; if it
   did not, the commands run again, unless that finds in the lane that it did in the meantime.
"""

import contextlib
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from itertools import chain
from typing import Any, TypeAlias, TypeVar

from tams_graphql.metadata.engine import Aggregate, Command
from tams_graphql.metadata.vast.catalogue import Catalogue
from tams_graphql.metadata.vast.cluster import Cluster, Transaction
from tams_graphql.metadata.vast.density import Densities
from tams_graphql.metadata.vast.faults import Busy, RowConflict, TransactionLost, Unreachable
from tams_graphql.metadata.vast.lanes import Lane, LaneLost
from tams_graphql.metadata.vast.writing import WriteView
from tams_graphql.metadata.waiting import CommandQueue, Waiting
from tams_graphql.model.errors import Unavailable

MAX_COMMANDS = 64
MAX_ROWS = 5_000
BUDGET_SECONDS = 20.0
"""How long a command is tried again after conflicts; then its caller is told to come back."""

DOUBT_SECONDS = 5.0
"""How long a cluster that does not answer is asked what became of a commit."""

_NOBODY_KNOWS = (
    "the metadata store (VAST DB) stopped answering while it made this change; look whether it is"
    " there before you try again"
)
_PAUSE, _LONGEST_PAUSE = 0.004, 0.1
_SPLIT_AFTER = 3
_TRIES_WITHOUT_ANSWER = 2

T = TypeVar("T")
Clock: TypeAlias = Callable[[], int]


def now_us() -> int:
    """The wall clock."""
    return time.time_ns() // 1000


class InDoubt(Unavailable):
    """Nobody can say whether a change was made: the cluster stopped answering at its commit."""


class _Outcome:
    """What the commands of a commit in doubt were going to be told."""

    def __init__(self, done: Iterable[Waiting]) -> None:
        self._told = [(waiting, waiting.answer, waiting.failure) for waiting in done]

    def recalled(self) -> list[Waiting]:
        """The commands that are still waiting, with what they are to be told."""
        for waiting, answer, failure in self._told:
            waiting.answer, waiting.failure = answer, failure
        return [waiting for waiting, *_ in self._told if not waiting.future.done()]


class _CameToBe(Exception):
    """A commit that was in doubt turns out to have been made, late."""

    def __init__(self, outcome: _Outcome) -> None:
        super().__init__()
        self.outcome = outcome


class Writer:
    """Owns the lane. Safe to call from any thread.

    Args:
        cluster: where to write.
        catalogue: the tables.
        lane: this process's lane.
        densities: shared with the readers.
        conflict_rows: ``False`` leaves the locking out: the deliberately broken build of tests.
        clock: microseconds since the Unix epoch, by which events are dated.
    """

    def __init__(
        self,
        cluster: Cluster,
        catalogue: Catalogue,
        lane: Lane,
        densities: Densities,
        *,
        conflict_rows: bool = True,
        clock: Clock = now_us,
    ) -> None:
        self._clock = clock
        self._cluster = cluster
        self._catalogue = catalogue
        self._lane = lane
        self._densities = densities
        self._conflict_rows = conflict_rows
        self._queue = CommandQueue()
        self._doubts: dict[str | None, _Outcome] = {}
        self._thread = threading.Thread(target=self._run, name="tams-vast-write", daemon=True)
        self._thread.start()

    def submit(
        self, command: Command[T], relies_on: Iterable[Aggregate], *, background: bool = False
    ) -> "Future[T]":
        """See `CommandQueue.submit`."""
        return self._queue.submit(command, relies_on, background=background)

    def close(self) -> None:
        """Commit what waits and give the lane back. Blocks."""
        self._queue.close()
        self._thread.join()

    def _run(self) -> None:
        try:
            while not self._queue.finished:
                first = self._queue.wait(self._lane.renew_after)
                if first is None:
                    self._lane.renew()
                else:
                    self._answer_all(first)
        finally:
            # Should it ever end otherwise than by `close`, nobody may wait for it in vain.
            self._queue.close()
            _fail(self._queue.all(), Unavailable("the metadata store is closed"))
            self._lane.release()

    def _answer_all(self, first: Waiting) -> None:
        batch = [first]
        while len(batch) < MAX_COMMANDS and (waiting := self._queue.next()) is not None:
            batch.append(waiting)
        try:
            self._answer(batch)
        except Exception as error:  # noqa: BLE001 a thread that died would keep everybody waiting
            _fail((one for one in batch if not one.future.done()), error)
        self._doubts.clear()

    def _answer(self, batch: list[Waiting]) -> None:
        groups = [batch]
        while groups:
            group = groups.pop(0)
            began = time.monotonic()
            for waiting in group:
                waiting.started = waiting.started or began
            try:
                self._lane.require()
                transaction = self._cluster.begin()
            except RowConflict as error:
                groups[:0] = _again(group, error)
            except Unavailable as error:
                # Whoever has waited through this is told now, not after one more each.
                _fail(chain(group, *groups, self._queue.all(arrived_by=began)), error)
                return
            else:
                groups[:0] = self._tried(transaction, group)

    def _tried(self, transaction: Transaction, group: list[Waiting]) -> list[list[Waiting]]:
        """Answer as many of `group` as can be; in which groups to go on with the others."""
        try:
            done = self._perform(transaction, group)
        except _CameToBe as late:
            transaction.rollback()
            done = late.outcome.recalled()
        except (RowConflict, TransactionLost) as error:
            transaction.rollback()
            return _again(group, error)
        except (Busy, InDoubt, LaneLost) as error:
            transaction.rollback()
            _fail(group, error)
            return []
        except Unreachable as error:
            transaction.rollback()
            return _again(group, error)
        except Exception as error:  # noqa: BLE001 somebody's fault: whose, is found out
            transaction.rollback()
            return _bisected(group, error)
        for waiting in done:
            waiting.settle()
        rest = [waiting for waiting in group if not waiting.future.done()]
        return [rest] if rest else []

    def _perform(self, transaction: Transaction, group: list[Waiting]) -> list[Waiting]:
        view = WriteView(transaction, self._catalogue, self._densities)
        if self._conflict_rows:
            view.lock(Counter(chain.from_iterable(waiting.aggregates for waiting in group)))
        # After the rows that are contended for: who loses them has lost little.
        lock = self._lane.lock(transaction, in_doubt=bool(self._doubts))
        if (outcome := self._doubts.get(lock.before)) is not None:
            raise _CameToBe(outcome)
        done = _run_commands(group, view)
        if all(waiting.failure for waiting in done):
            transaction.rollback()
            return done
        last = view.log(lock, self._clock())
        view.write()
        if last is not None:
            self._lane.advance(transaction, *last)
        self._commit(transaction, lock.mine, done)
        return done

    def _commit(self, transaction: Transaction, commit_id: str, done: list[Waiting]) -> None:
        try:
            transaction.commit()
        except Unavailable:
            self._settle(transaction, commit_id, done)

    def _settle(self, transaction: Transaction, commit_id: str, done: list[Waiting]) -> None:
        """Find out what became of a commit whose answer says nothing.

        Raises:
            TransactionLost: so far it did not come to be. If it still does, the lane will tell.
            InDoubt: the cluster can't be asked.
            LaneLost: nor can anybody else.
        """
        until = time.monotonic() + DOUBT_SECONDS
        while True:
            # A repeated commit is answered if the first never arrived; a refusal says nothing.
            with contextlib.suppress(RowConflict, TransactionLost, Unavailable):
                transaction.commit()
                return
            try:
                if self._lane.committed(commit_id):
                    return
                self._doubts[commit_id] = _Outcome(done)
                raise TransactionLost("the commit did not come to be")
            except LaneLost:
                raise
            except Unavailable as error:
                if time.monotonic() > until:
                    raise InDoubt(_NOBODY_KNOWS) from error
                time.sleep(random.uniform(0, _LONGEST_PAUSE))  # noqa: S311 jitter


def _run_commands(group: list[Waiting], view: WriteView) -> list[Waiting]:
    """Run commands until there is enough to write; those that ran."""
    done: list[Waiting] = []
    rows = 0
    for waiting in group:
        rows += _run_command(waiting, view)
        done.append(waiting)
        if rows >= MAX_ROWS:
            break
    return done


def _run_command(waiting: Waiting, view: WriteView) -> int:
    waiting.failure = None
    try:
        view.start(waiting.aggregates)
        changes = waiting.command(view)
        rows = view.accept(changes)
    except (RowConflict, TransactionLost, Unavailable):
        raise
    except Exception as error:  # noqa: BLE001 whatever a command raises is its caller's
        waiting.failure = error
        return 0
    waiting.answer = changes.answer
    return rows


def _again(group: list[Waiting], error: Exception) -> list[list[Waiting]]:
    """Pause, and say in which groups to try again who has time left."""
    now = time.monotonic()
    left = [one for one in group if now - one.started < BUDGET_SECONDS]
    _fail([one for one in group if one not in left], _spent(error))
    for waiting in left:
        waiting.attempts += 1
    attempts = max((waiting.attempts for waiting in left), default=0)
    if isinstance(error, Unreachable) and attempts > _TRIES_WITHOUT_ANSWER:
        _fail(left, error)
        return []
    time.sleep(random.uniform(0, min(_PAUSE * 2**attempts, _LONGEST_PAUSE)))  # noqa: S311 jitter
    if not left:
        return []
    return _by_flow(left) if attempts >= _SPLIT_AFTER else [left]


def _bisected(group: list[Waiting], error: Exception) -> list[list[Waiting]]:
    """Halves of `group`, to find out whose fault it is; who is alone, or out of time, is told."""
    if len(group) == 1 or time.monotonic() - group[0].started > BUDGET_SECONDS:
        _fail(group, error)
        return []
    return [group[: len(group) // 2], group[len(group) // 2 :]]


def _by_flow(group: list[Waiting]) -> list[list[Waiting]]:
    """Halves of `group` with no flow in common; those who share one only hinder each other."""
    flows: dict[Any, list[Waiting]] = {}
    for waiting in group:
        flows.setdefault(next(iter(waiting.aggregates), None), []).append(waiting)
    alike = sorted(flows.values(), key=len)
    halves = [list(chain.from_iterable(half)) for half in (alike[::2], alike[1::2])]
    return [half for half in halves if half]


def _spent(error: Exception) -> Unavailable:
    if isinstance(error, Unavailable):
        return error
    return Unavailable(
        "the metadata store (VAST DB) has too many concurrent writers of the same flows;"
        " nothing was changed, try again"
    )


def _fail(group: Iterable[Waiting], error: Exception) -> None:
    for waiting in group:
        waiting.failure = error
        waiting.settle()
