"""`tams gc` and `tams reconcile`: what a store needs now and then, from the command line.

Findings go to standard output, progress to standard error.
"""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from typing import Any

import orjson
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from tams_graphql.app import Server
from tams_graphql.media.store import StorageBackend
from tams_graphql.metadata.engine import Scan
from tams_graphql.metadata.tables import DISCARDED_MEDIA
from tams_graphql.model.errors import Unavailable
from tams_graphql.resolvers.allocations import collect_allocations, expired_allocations
from tams_graphql.resolvers.context import Context
from tams_graphql.resolvers.discard import discard_media
from tams_graphql.resolvers.reconcile import Discrepancy, Found, Reconciled, Watch
from tams_graphql.resolvers.reconcile import reconcile as compare
from tams_graphql.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """How to reconcile; `only`: id or label of one storage backend."""

    only: str | None = None
    dry_run: bool = False
    even_most: bool = False
    as_json: bool = False


async def collect(
    settings: Settings, out: Console, errors: Console, *, dry_run: bool, as_json: bool
) -> bool:
    """Delete expired allocations and all discarded bytes; whether nothing had to be put off.

    Raises:
        OSError, ValueError, Unavailable: data folder or index can't be used.
    """
    async with _opened(settings) as ctx:
        if dry_run:
            expired, waiting = await expired_allocations(ctx), await _discarded(ctx)
            _tell(out, {"expired_allocations": expired, "bytes_waiting": waiting}, as_json=as_json)
            return True
        with _Bars(errors) as told:
            collected = await collect_allocations(ctx, lambda done: told("allocations", done))
            before = await _discarded(ctx)
            problem = await _discard(ctx, lambda done: told("bytes of objects", done))
        waiting = await _discarded(ctx)
    deleted = {"deleted_bytes_of": max(0, before - waiting), "bytes_waiting": waiting}
    _tell(out, {"collected_allocations": collected, **deleted}, as_json=as_json)
    if problem is not None:
        errors.print(f"[red]put off:[/] {problem}", highlight=False)
    return problem is None


async def reconcile(settings: Settings, wish: Wish, out: Console, errors: Console) -> bool:
    """Compare storage backends with the index; whether nothing is missing or was refused.

    Raises:
        OSError, ValueError, Unavailable: data folder, index or a backend can't be used.
    """
    wrong = 0

    def found(one: Found) -> None:
        nonlocal wrong
        wrong += one.what is not Discrepancy.UNKNOWN
        _tell_found(out, one, as_json=wish.as_json)

    async with _opened(settings) as ctx:
        backends = _chosen(ctx, wish.only)
        with _Bars(errors) as told:
            reports = await compare(
                ctx,
                list(backends),
                delete=not wish.dry_run,
                even_most=wish.even_most,
                watch=Watch(found=found, progress=told),
            )
    refused = not wish.dry_run and any(one.refused and one.unknown for one in reports)
    if wish.as_json:
        for one in reports:
            _print_json(out, {"what": "summary", **asdict(one)})
    else:
        _print_reports(out, reports, backends)
    return not wrong and not refused


@asynccontextmanager
async def _opened(settings: Settings) -> AsyncIterator[Context]:
    # Nobody wants an empty store that a mistyped folder would become.
    if settings.vast is None and not (settings.data / "index.sqlite").exists():
        raise ValueError(f"there is no index in {settings.data}; name its folder with --data")
    server = Server(settings)
    async with server.opened():
        yield server.context()


def _chosen(ctx: Context, only: str | None) -> Mapping[str, StorageBackend]:
    every = {name: store.backend for name, store in ctx.stores.by_id.items()}
    if only is None:
        return every
    chosen = {name: one for name, one in every.items() if only in {name, one.label}}
    if not chosen:
        known = ", ".join(f"{one.label} ({name})" for name, one in every.items())
        raise ValueError(f"there is no storage backend {only!r}, only {known}")
    return chosen


async def _discarded(ctx: Context) -> int:
    return await ctx.metadata.count(Scan(table=DISCARDED_MEDIA))


async def _discard(ctx: Context, told: Callable[[int], None]) -> Unavailable | None:
    try:
        await discard_media(ctx, told)
    except Unavailable as error:
        return error
    return None


class _Bars:
    """One line per kind of work, with how much of it is done."""

    def __init__(self, console: Console) -> None:
        columns = (SpinnerColumn(), TextColumn("{task.description}: {task.completed}"))
        self._progress = Progress(*columns, TimeElapsedColumn(), console=console)
        self._tasks: dict[str, Any] = {}

    def __enter__(self) -> Callable[[str, int], None]:
        self._progress.start()
        return self._told

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def _told(self, what: str, done: int) -> None:
        if what not in self._tasks:
            self._tasks[what] = self._progress.add_task(what, total=None)
        self._progress.update(self._tasks[what], completed=done)


def _tell(out: Console, numbers: Mapping[str, int], *, as_json: bool) -> None:
    if as_json:
        _print_json(out, numbers)
        return
    for name, number in numbers.items():
        out.print(f"{number:>10}  {name.replace('_', ' ')}", highlight=False)


def _tell_found(out: Console, found: Found, *, as_json: bool) -> None:
    if as_json:
        _print_json(out, asdict(found))
        return
    # Ids are text of clients: escaped, it can not play tricks on a terminal.
    whose = f"object {found.object_id!r}" if found.size is None else f"{found.size} bytes"
    line = f"{found.what:<9} {found.storage_id} {found.key}  {whose}"
    out.print(line, highlight=False, markup=False)


def _print_reports(
    out: Console, reports: list[Reconciled], backends: Mapping[str, StorageBackend]
) -> None:
    names = ("stored", "unknown", "unknown_bytes", "young", "deleted", "missing")
    table = Table("storage backend", *(name.replace("_", " ") for name in names))
    for one in reports:
        label = backends[one.storage_id].label or one.storage_id
        table.add_row(label, *(str(getattr(one, name)) for name in names))
    out.print(table)
    for one in reports:
        if one.refused and one.unknown:
            label = backends[one.storage_id].label or one.storage_id
            out.print(f"{label}: nothing is deleted: {one.refused}", highlight=False, markup=False)


def _print_json(out: Console, value: Mapping[str, Any]) -> None:
    text = orjson.dumps(value).decode()
    out.print(text, highlight=False, markup=False, soft_wrap=True)
