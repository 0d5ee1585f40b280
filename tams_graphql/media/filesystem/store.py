"""The port of a storage backend over a directory: blocking work goes to a few threads."""

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing, asynccontextmanager, contextmanager
from itertools import islice
from pathlib import Path
from typing import ParamSpec, TypeVar

from tams_graphql.media.filesystem.files import Draft, Layout, StoredFile
from tams_graphql.media.filesystem.signing import UrlSigner
from tams_graphql.media.store import (
    CHECKSUM_HEADER,
    LISTED_AT_ONCE,
    CopyOrder,
    CopyProgress,
    ListedBytes,
    StorageBackend,
    StoredBytes,
    UploadRequest,
    is_key,
)
from tams_graphql.model.errors import Unavailable

PIECE_BYTES = 1 << 20
"""How much of a body is held in memory at a time, per transfer."""

_log = logging.getLogger(__name__)
_P = ParamSpec("_P")
_T = TypeVar("_T")
_Open = TypeVar("_Open", bound=Draft | StoredFile | None)


class FilesystemStore:
    """One storage backend in the directory `root` (a `MediaStore`).

    Several processes, and hosts that share a file system, may use one directory at once.

    Args:
        root: made if missing; drafts that dead writers left there are removed.
        backend: the description shown to clients.
        signer: signs the URLs, which `media_routes` answers.
        threads: how many blocking calls may run at once.

    Raises:
        OSError: `root` can't be made or read.
    """

    def __init__(
        self, root: Path, backend: StorageBackend, signer: UrlSigner, *, threads: int = 16
    ) -> None:
        self.signer = signer
        self._backend = backend
        self._layout = Layout(root)
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="media")
        orphans = self._layout.sweep()
        if orphans:
            _log.info("removed %d unfinished uploads of processes that died", orphans)

    @property
    def backend(self) -> StorageBackend:
        """Its description."""
        return self._backend

    def put_request(
        self, key: str, object_id: str, content_type: str, sha256: str | None = None
    ) -> UploadRequest:
        """An upload of `object_id`; whether it may still write is asked when it comes."""
        _require_keys((key,))
        url = self.signer.put_url(
            self._backend.id, key, object_id, content_type, sha256=sha256 or ""
        )
        return UploadRequest(url, content_type, {CHECKSUM_HEADER: sha256} if sha256 else {})

    def get_urls(self, keys: Sequence[str]) -> list[str]:
        """URLs for GET (and HEAD), in the order of `keys`; about 3 µs each."""
        _require_keys(keys)
        return self.signer.urls("GET", self._backend.id, keys)

    def head_urls(self, keys: Sequence[str]) -> list[str]:
        """URLs for HEAD alone, in the order of `keys`."""
        _require_keys(keys)
        return self.signer.urls("HEAD", self._backend.id, keys)

    def direct_urls(self, keys: Sequence[str]) -> list[str] | None:
        """None: every URL of this server is signed."""
        del keys
        return None

    async def stat(self, key: str) -> StoredBytes | None:
        """What is stored under `key`, or ``None``; `etag` is strong, in its quotes."""
        file = await self.open(key)
        if file is None:
            return None
        told = file.description
        file.close()
        return StoredBytes(told.size, told.content_type, told.etag)

    async def open(self, key: str) -> StoredFile | None:
        """The bytes under `key`, to be closed by the caller, or ``None``."""
        path = self._layout.path(key)
        return await self._opened(lambda: _stored(self._layout, path))

    async def read(self, key: str, start: int = 0) -> AsyncGenerator[bytes, None]:
        """The bytes under `key` from `start` on, one version of them, in pieces of at most 1 MiB.

        Raises:
            KeyError: nothing is stored there.
            Unavailable: the disk fails.
        """
        file = await self.open(key)
        if file is None:
            raise KeyError(key)
        with file:
            async for piece in self.pieces(file, start, file.description.size):
                yield piece

    async def pieces(self, file: StoredFile, start: int, end: int) -> AsyncGenerator[bytes, None]:
        """The bytes `[start, end)` of `file`, in pieces of at most 1 MiB."""
        while start < end:
            piece = await self.in_thread(file.read, start, min(PIECE_BYTES, end - start))
            if not piece:
                raise Unavailable("stored bytes were cut short while they were read")
            start += len(piece)
            yield piece

    async def write(self, key: str, content: AsyncIterator[bytes], content_type: str) -> None:
        """Store `content` durably under `key`, all of it or nothing.

        Raises:
            Unavailable: the disk is full, or fails.
        """
        async with self.draft() as draft:
            async for piece in gathered(content):
                await self.in_thread(draft.append, piece)
            await self._publish(draft, key, content_type)

    @asynccontextmanager
    async def draft(self, algorithms: Iterable[str] = ()) -> AsyncIterator[Draft]:
        """Bytes on their way in, forgotten at the end unless they were published."""
        draft = await self._opened(lambda: Draft(self._layout, algorithms))
        try:
            yield draft
        finally:
            # Runs to its end in the thread even if this task is cancelled again meanwhile.
            await asyncio.shield(self._submit(draft.close))

    async def copy(
        self, order: CopyOrder, token: str | None = None
    ) -> AsyncGenerator[CopyProgress, None]:
        """See `MediaStore.copy`; each run begins anew, since a draft dies with its writer."""
        del token
        async with self.draft() as draft, aclosing(_gathered_from(order)) as pieces:
            async for piece in pieces:
                await self.in_thread(draft.append, piece)
                yield CopyProgress(draft.size)
            if draft.size != order.size:
                raise Unavailable(f"the source gave {draft.size} bytes instead of {order.size}")
            await self._publish(draft, order.key, order.content_type)

    async def abandon(self, key: str, token: str) -> None:
        """Nothing to do: an unfinished copy is gone with its draft."""

    async def delete(self, keys: Sequence[str]) -> None:
        """Delete the bytes; keys that hold nothing are fine."""
        await self.in_thread(self._layout.delete, keys)

    async def listed(self, after: str = "") -> AsyncGenerator[Sequence[ListedBytes], None]:
        """See `MediaStore.listed`; sizes count the footer, too."""
        found = self._layout.listed(after)
        while page := await self.in_thread(lambda: list(islice(found, LISTED_AT_ONCE))):
            yield page

    async def check(self) -> None:
        """Raise `Unavailable` if nothing can be written durably now."""
        async with self.draft() as draft:
            await self.in_thread(draft.seal, None)

    async def _publish(self, draft: Draft, key: str, content_type: str) -> None:
        await self.in_thread(draft.seal, content_type)
        await self.in_thread(draft.publish, key)

    def close(self) -> None:
        """End the threads, once what they do now is done."""
        self._threads.shutdown()

    async def in_thread(
        self, work: Callable[_P, _T], *arguments: _P.args, **named: _P.kwargs
    ) -> _T:
        """What `work` gives, run in one of the store's threads.

        Raises:
            Unavailable: the file system failed.
        """
        with self._failures_told():
            return await self._submit(lambda: work(*arguments, **named))

    async def _opened(self, make: Callable[[], _Open]) -> _Open:
        """What `make` opens, closed again if the task is cancelled before it has it."""
        opening = self._submit(make)
        try:
            with self._failures_told():
                return await asyncio.shield(opening)
        except asyncio.CancelledError:
            opening.add_done_callback(_close)
            raise

    @contextmanager
    def _failures_told(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            _log.exception("storage backend %s failed", self._backend.id)
            raise Unavailable(
                f"storage backend {self._backend.id} failed: {error.strerror}"
            ) from error

    def _submit(self, work: Callable[[], _T]) -> asyncio.Future[_T]:
        return asyncio.get_running_loop().run_in_executor(self._threads, work)


async def gathered(content: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
    """`content` in pieces of about 1 MiB: a thread is not worth its while for less."""
    held: list[bytes] = []
    size = 0
    async for piece in content:
        held.append(piece)
        size += len(piece)
        if size >= PIECE_BYTES:
            yield b"".join(held)
            held, size = [], 0
    if held:
        yield b"".join(held)


def _gathered_from(order: CopyOrder) -> AsyncGenerator[bytes, None]:
    return gathered(order.source.read(order.source_key))


def _stored(layout: Layout, path: Path) -> StoredFile | None:
    try:
        return StoredFile(path)
    except FileNotFoundError:
        layout.require()
        return None


def _close(opening: "asyncio.Future[_Open]") -> None:
    if opening.cancelled() or opening.exception() is not None:
        return
    opened = opening.result()
    if opened is not None:
        opened.close()


def _require_keys(keys: Iterable[str]) -> None:
    for key in keys:
        if not is_key(key):
            raise ValueError(f"{key!r} is not 32 hexadecimal digits")
