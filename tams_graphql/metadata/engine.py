"""The port of the metadata engine: two shapes of read, and commands that can be re-run.

It is shaped like what VAST DB can do (no unique keys, no server-side order, no upsert;
predicates are an AND of per-column ORs), so that the embedded engine is the one that adapts.
ARCHITECTURE and INVARIANTS give the reasons; the contract suite in `tests/metadata` pins it.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeAlias, TypeVar

import pyarrow as pa

from tams_graphql.metadata import event_tables, tables
from tams_graphql.metadata.tables import Table

Scalar: TypeAlias = str | int | bool | None
Key: TypeAlias = tuple[Scalar, ...]
Row: TypeAlias = Mapping[str, Scalar]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class OneOf:
    """Rows whose `column` equals one of `values`; ``None`` among them matches null."""

    column: str
    values: tuple[Scalar, ...]


@dataclass(frozen=True, slots=True)
class Between:
    """Rows with ``at_least <= column < below``; a missing bound is open, null never matches."""

    column: str
    at_least: Scalar = None
    below: Scalar = None


Filter: TypeAlias = OneOf | Between


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """A read along one sort order of one table.

    Args:
        table: which table.
        order: which of its sort orders; rows come in that order, descending if `reverse`.
        prefix: fixed values of the first columns of the order (one partition); may be empty.
        overlapping: half-open ``[start, end)`` in nanoseconds, with ``None`` for an open end:
            only rows whose interval shares an instant with it. Needs ``order="key"``, a table
            with an interval, and a prefix that fixes all of the key but its last column.
        after: the remaining columns of the order of the last row already seen; rows beyond it
            in the direction of travel (keyset paging).
        limit: at most this many rows, at least 1 (per prefix in `first_per_key`).
        where: an AND of filters.
        columns: which columns to return, in this order; all if ``None``.
    """

    table: Table
    order: str = "key"
    prefix: Key = ()
    overlapping: tuple[int | None, int | None] | None = None
    after: Key | None = None
    limit: int = 100
    reverse: bool = False
    where: tuple[Filter, ...] = ()
    columns: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True, order=True)
class Aggregate:
    """A row that a command relies on: two commands relying on one never both commit unseen."""

    kind: str
    identifier: str

    @property
    def table(self) -> Table:
        """The table whose `version` column is the conflict row."""
        return _CONFLICT_TABLES[self.kind]


_CONFLICT_TABLES: dict[str, Table] = {
    "copy": tables.COPIES,
    "delete_request": tables.DELETE_REQUESTS,
    "flow": tables.FLOWS,
    "guard": tables.GUARDS,
    "object": tables.OBJECTS,
    "service": tables.SERVICE_INFO,
    "source": tables.SOURCES,
    "webhook": tables.WEBHOOKS,
    "webhook_queue": event_tables.WEBHOOK_QUEUES,
}


def flow(flow_id: str) -> Aggregate:
    """The flow whose metadata or segments change."""
    return Aggregate("flow", flow_id)


def source(source_id: str) -> Aggregate:
    """The source that a flow joins or leaves, or that changes."""
    return Aggregate("source", source_id)


def media_object(object_id: str) -> Aggregate:
    """The object whose references or instances change."""
    return Aggregate("object", object_id)


def copy(copy_id: str) -> Aggregate:
    """The copy of an object that somebody works on, or ends."""
    return Aggregate("copy", copy_id)


def delete_request(request_id: str) -> Aggregate:
    """The request for deletion that somebody works on."""
    return Aggregate("delete_request", request_id)


def webhook(webhook_id: str) -> Aggregate:
    """The webhook that changes."""
    return Aggregate("webhook", webhook_id)


def webhook_queue(webhook_id: str) -> Aggregate:
    """How far a webhook is in the event log, and who works on it."""
    return Aggregate("webhook_queue", webhook_id)


def service(service_id: str = "service") -> Aggregate:
    """What clients said about the service; who may be the first relies on its creation too."""
    return Aggregate("service", service_id)


def creation(kind: str, identifier: str) -> Aggregate:
    """The guard row for creating the id `identifier` of `kind` (INVARIANTS, conflict rows).

    `kind`: what the id names: ``flow``, ``source``, ``object``, ``profile``, ``service``, …
    """
    digest = hashlib.blake2b(f"{kind}\0{identifier}".encode(), digest_size=4).digest()
    return Aggregate("guard", f"{int.from_bytes(digest) % tables.GUARD_COUNT:04d}")


class View(Protocol):
    """What a command sees: one consistent snapshot inside the write transaction."""

    def get(
        self, table: Table, keys: Sequence[Key], columns: tuple[str, ...] | None = None
    ) -> pa.Table:
        """The rows with these primary keys, in any order; missing ones are left out."""

    def page(self, scan: Scan) -> pa.Table:
        """One partition (or the whole order) along a sort order."""

    def first_per_key(self, scan: Scan, prefixes: Sequence[Key]) -> pa.Table:
        """`scan` run for each of `prefixes` (its own is empty), `limit` rows of each.

        Rows come grouped, in the order of `prefixes`, which are all of one length; a repeated
        prefix counts once.
        """

    def count(self, scan: Scan) -> int:
        """How many rows `scan` would yield without its limit."""

    def rely_on(self, *aggregates: Aggregate) -> None:
        """Rely on more rows than were named at `commit`, before reading them.

        An engine that can lock only before reading re-runs the command from its start with the
        larger set; a command must therefore have no effects of its own.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes(Generic[T]):
    """What a command wants done, applied as a whole: deletes, then updates, then inserts.

    `insert`: full rows; columns left out are null. `update`: rows with the key columns and the
    columns to change; neither the primary key nor `version` ever changes, columns of the other
    sort orders may. Rows that do not exist are passed over. `delete`: primary keys.
    Each names a row at most once. `events`: rows of EVENTS for the log, in this order; the engine
    fills in what places them there (`event_tables.PLACED`).
    """

    answer: T
    insert: Mapping[Table, Sequence[Row]] = field(default_factory=dict)
    update: Mapping[Table, Sequence[Row]] = field(default_factory=dict)
    delete: Mapping[Table, Sequence[Key]] = field(default_factory=dict)
    events: Sequence[Row] = ()


Command: TypeAlias = Callable[[View], Changes[T]]


class MetadataEngine(Protocol):
    """The index. Reads are snapshots of their own; commands see and change one snapshot."""

    @property
    def background_rows(self) -> int:
        """How many rows a job in the background should take into one commit.

        Few enough that whoever writes beside it waits little, and enough to be worth a commit.
        """

    async def get(
        self, table: Table, keys: Sequence[Key], columns: tuple[str, ...] | None = None
    ) -> pa.Table:
        """As `View.get`. No keys: an empty table without a read."""

    async def page(self, scan: Scan) -> pa.Table:
        """As `View.page`."""

    async def first_per_key(self, scan: Scan, prefixes: Sequence[Key]) -> pa.Table:
        """As `View.first_per_key`: one engine read, however many prefixes."""

    async def count(self, scan: Scan) -> int:
        """As `View.count`; may cost a scan."""

    async def commit(
        self, command: Command[T], relies_on: Iterable[Aggregate], *, background: bool = False
    ) -> T:
        """Run `command` and apply its changes durably, or change nothing.

        The engine first updates the `version` of each aggregate of `relies_on` that exists, in
        sorted order, then runs the command; on a conflict with a concurrent writer it re-runs
        it. Several commands may share one transaction, each answered on its own. Whatever the
        command raises is raised here. One of the `background` lets others go first, and joins
        no transaction of theirs; see `background_rows`.

        Raises:
            Unavailable: the retry budget is spent or the store does not answer.
        """

    async def check(self) -> None:
        """Return if the store can be read now.

        Raises:
            Unavailable: it can't.
        """

    async def close(self) -> None:
        """Finish what is in flight and let go of the store."""
