"""Sessions with the nodes of a VAST cluster, and transactions that begin on one that answers."""

import itertools
import logging
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import vastdb
from vastdb.config import BackoffConfig
from vastdb.session import Session

from tams_graphql.metadata.vast.faults import (
    Busy,
    RowConflict,
    TransactionLost,
    Unreachable,
    errors_told,
)
from tams_graphql.model.errors import Unavailable

_AVOIDED = 1.0
"""Seconds for which a node that did not answer is asked last."""

_PROMPT = 0.5
"""Seconds within which a failure to begin is worth another round."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where the index is and how to get there.

    Args:
        endpoints: base URLs of the cluster's nodes; at least one.
        bucket: the database bucket, which must exist.
        schema: the schema of our tables in it.
        access_key: who we are.
        secret_key: what proves it.
        verify: whether certificates are checked, or a file of the authorities to trust.
        timeout: seconds that any one request may take.
    """

    endpoints: tuple[str, ...]
    bucket: str
    schema: str
    access_key: str
    secret_key: str = field(repr=False)
    verify: bool | str = True
    timeout: float = 10.0


class Transaction:
    """An open transaction of the SDK (`sdk`), which ends only when told to.

    The SDK's own context manager would log each conflict as an error with its traceback.
    """

    def __init__(self, session: Session) -> None:
        self.session = session
        self.sdk: Any = session.transaction()
        with errors_told():
            self.sdk.__enter__()
        self.txid: int = self.sdk.txid

    @property
    def endpoint(self) -> str:
        """The node that all requests of this transaction go to."""
        return str(self.session.api.endpoints[0])

    def commit(self) -> None:
        """Make everything durable and visible.

        Raises:
            RowConflict: nothing was stored.
            TransactionLost: nothing was stored, unless an earlier try did.
            Unreachable: the outcome is unknown.
        """
        with errors_told():
            self.session.api.commit_transaction(self.txid)
        self.sdk.txid = None

    def rollback(self) -> None:
        """Undo everything; a cluster that does not answer will do so by itself."""
        # Whoever rolls back has something to tell already, and nothing hangs on the answer.
        with suppress(Exception):
            self.session.api.rollback_transaction(self.txid)
        self.sdk.txid = None


class _Node:
    """One endpoint and the session with it, made when first needed."""

    def __init__(self, target: Target, endpoint: str) -> None:
        self._target = target
        self._endpoint = endpoint
        self._session: Session | None = None
        self._connecting = threading.Lock()
        self.avoided_until = 0.0

    def begin(self) -> Transaction:
        try:
            return Transaction(self._connected())
        except (Unreachable, Busy):
            self.avoided_until = time.monotonic() + _AVOIDED
            raise

    def _connected(self) -> Session:
        asked = time.monotonic()
        with self._connecting:
            if self._session is None:
                if self.avoided_until > asked:
                    # Somebody else has just waited for it in vain.
                    raise Unreachable("the metadata store (VAST DB) does not answer; try again")
                with errors_told():
                    self._session = _connect(self._target, self._endpoint)
            return self._session


def _connect(target: Target, endpoint: str) -> Session:
    try:
        return vastdb.connect(
            endpoint=endpoint,
            access=target.access_key,
            secret=target.secret_key,
            ssl_verify=target.verify,
            timeout=target.timeout,
            # Callers are told to come back rather than kept waiting for a minute.
            backoff_config=BackoffConfig(max_value=0.5, max_tries=4, max_time=3.0),
        )
    except NotImplementedError as error:
        raise Unavailable(f"{endpoint} is no VAST DB that this SDK can talk to") from error


class Cluster:
    """All nodes of one cluster; transactions take turns among those that answer."""

    def __init__(self, target: Target) -> None:
        # Each refused request is a warning there, conflicts and our own probes included.
        logging.getLogger("vastdb").setLevel(logging.CRITICAL)
        self.target = target
        self._nodes = [_Node(target, endpoint) for endpoint in target.endpoints]
        self._turn = itertools.count()

    def begin(self) -> Transaction:
        """A new transaction on the next node that answers.

        Raises:
            Unavailable: none does.
        """
        began = time.monotonic()
        failure: Unavailable = Unreachable("the metadata store (VAST DB) has no endpoint")
        nodes = self._in_turn()
        # Twice: to begin is harmless, and a connection that was kept alive may have been closed.
        for count, node in enumerate([*nodes, *nodes]):
            if count >= len(nodes) and time.monotonic() - began > _PROMPT:
                break
            try:
                return node.begin()
            except (Unreachable, Busy) as error:
                failure = error
        raise failure

    @contextmanager
    def reading(self) -> Iterator[Transaction]:
        """A transaction for reads, whose end nobody has to wait for in doubt."""
        transaction = self.begin()
        try:
            yield transaction
        finally:
            transaction.rollback()

    @contextmanager
    def writing(self) -> Iterator[Transaction]:
        """A transaction, committed at the end of the block or rolled back by what that raises.

        Raises, besides what the block does:
            RowConflict, TransactionLost, Unavailable: see `Transaction.commit`.
        """
        transaction = self.begin()
        try:
            yield transaction
            transaction.commit()
        except BaseException:
            transaction.rollback()
            raise

    def committed(
        self, change: Callable[[Transaction], None], *, tries: int, pauses: tuple[float, float]
    ) -> bool:
        """Make `change` in a transaction, again after each conflict; whether it came to be.

        Args:
            change: what to do; it may run several times.
            tries: how often at most.
            pauses: seconds to wait in between, at least and at most.
        """
        for _ in range(tries):
            try:
                with self.writing() as transaction:
                    change(transaction)
            except (RowConflict, TransactionLost):
                time.sleep(random.uniform(*pauses))  # noqa: S311 jitter, not a secret
            else:
                return True
        return False

    def _in_turn(self) -> list[_Node]:
        first = next(self._turn) % len(self._nodes)
        now = time.monotonic()
        turns = [*self._nodes[first:], *self._nodes[:first]]
        return sorted(turns, key=lambda node: node.avoided_until > now)
