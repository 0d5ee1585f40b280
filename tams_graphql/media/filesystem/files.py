"""Bytes in a directory, safe against crashes and concurrent writers. Blocking calls only.

1. A `Draft` is a file under ``drafts/``, locked (flock) for as long as its writer lives, so
   that what a dead process left behind is recognised by its free lock (`sweep`).
2. The bytes are followed by a footer that describes them: JSON (content type, SHA-256), its
   length, a magic number. Bytes and description are thus one file: a crash or a second writer
   can never pair one version's bytes with another's description, as a side file could.
3. `seal` writes the footer and fsyncs the file; `publish` renames it to ``ab/cd/<key>`` and
   fsyncs the directories. A name that exists therefore names whole, described, durable bytes.
4. Readers keep the file open: they see one version to the end, whatever replaces or deletes it.
"""

import contextlib
import errno
import fcntl
import hashlib
import json
import os
import re
import stat
import struct
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from tams_graphql.media.filesystem.secret import sync_directory
from tams_graphql.media.store import ListedBytes, is_key

_SHARD = re.compile("[0-9a-f]{2}")
_MAGIC = b"TAMSbyt1"
_TRAILER = struct.Struct(">I8s")
_LONGEST_DESCRIPTION = 1 << 16
_DAY = 86_400


class DamagedError(OSError):
    """A stored file was truncated or altered from outside: its footer can't be read."""


@dataclass(frozen=True, slots=True)
class Description:
    """What is known of stored bytes: `size` in bytes, `sha256` in hexadecimal."""

    size: int
    content_type: str | None
    sha256: str

    @property
    def etag(self) -> str:
        """The strong entity tag, in its quotes."""
        return f'"{self.sha256}"'


class Layout:
    """Where things are below one directory."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.drafts = root / "drafts"
        self.drafts.mkdir(parents=True, exist_ok=True)

    def path(self, key: str) -> Path:
        """Where the bytes of `key` are.

        Raises:
            ValueError: `key` is no key, and might be a path.
        """
        if not is_key(key):
            raise ValueError(f"{key!r} is not 32 hexadecimal digits")
        return self.root / key[:2] / key[2:4] / key

    def delete(self, keys: Iterable[str]) -> None:
        """Delete the bytes of `keys` durably; keys that hold nothing are fine.

        Raises:
            FileNotFoundError: the directory itself is gone, say an unmounted disk.
        """
        self.require()
        paths = [self.path(key) for key in keys]
        changed = {path.parent for path in paths if _unlinked(path)}
        for directory in changed:
            sync_directory(directory)

    def require(self) -> None:
        """Tell bytes that do not exist from a directory that is not there now.

        Raises:
            FileNotFoundError: it is not there.
        """
        self.drafts.stat()

    def listed(self, after: str = "") -> Iterator[ListedBytes]:
        """What is stored under keys after `after`, by key; looked up as it is asked for.

        Raises:
            FileNotFoundError: the directory itself is gone, say an unmounted disk.
        """
        self.require()
        for first in _names(self.root, after[:2], _is_shard):
            from_second = after[2:4] if first == after[:2] else ""
            for second in _names(self.root / first, from_second, _is_shard):
                for key in _names(self.root / first / second, after, is_key):
                    if key > after and key.startswith(first + second):
                        yield from _described(self.path(key))

    def sweep(self) -> int:
        """Delete the drafts of writers that died, and say how many."""
        return sum(_deleted_if_orphaned(path) for path in self.drafts.iterdir())


class StoredFile:
    """Open bytes: one version, unchanged until `close`. Threads may share it."""

    def __init__(self, path: Path) -> None:
        """Open the bytes at `path`.

        Raises:
            FileNotFoundError: nothing is stored there.
            DamagedError: what is there was not written by a `Draft`, or is cut short.
        """
        self._file = path.open("rb", buffering=0)
        self._lock = threading.Lock()
        try:
            self.modified = os.fstat(self._file.fileno()).st_mtime
            self.description = _description(self._file.fileno(), path)
        except BaseException:
            self._file.close()
            raise

    def read(self, offset: int, length: int) -> bytes:
        """At most `length` bytes from `offset`, empty only at the end."""
        within = min(length, self.description.size - offset)
        with self._lock:
            return os.pread(self._file.fileno(), within, offset)

    def close(self) -> None:
        """Give the file back; waits for a read under way in another thread."""
        with self._lock:
            self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class Draft:
    """Bytes on their way in. Threads may share it; after `close`, nothing of it is left.

    The lock matters when a request is cancelled: its last write may still be under way in a
    thread while the draft is closed, and must not meet a descriptor that is in use again.
    """

    def __init__(self, layout: Layout, algorithms: Iterable[str] = ()) -> None:
        """Begin.

        Args:
            layout: where to write.
            algorithms: hashes to compute besides SHA-256 (names of `hashlib`).
        """
        self._layout = layout
        self._lock = threading.Lock()
        self._hashes = {
            name: hashlib.new(name, usedforsecurity=False) for name in {"sha256", *algorithms}
        }
        self.size = 0
        self._path, self._descriptor = _locked_file(layout.drafts)
        self._open = True

    def append(self, piece: bytes) -> None:
        """Add `piece`."""
        with self._lock:
            self._write(piece)
            for running in self._hashes.values():
                running.update(piece)
            self.size += len(piece)

    def digest(self, algorithm: str) -> bytes:
        """The digest of what was appended so far."""
        return self._hashes[algorithm].digest()

    def seal(self, content_type: str | None) -> Description:
        """Describe the bytes and make them durable; nothing may be appended afterwards."""
        with self._lock:
            told = Description(self.size, content_type, self._hashes["sha256"].hexdigest())
            self._write(_footer(told))
            os.fsync(self._descriptor)
            return told

    def publish(self, key: str, *, replace: bool = True) -> bool:
        """Give the sealed bytes their name, at once and durably.

        Returns:
            False, with nothing done, if `key` holds bytes already and `replace` is false.
        """
        target = self._layout.path(key)
        with self._lock:
            self._require_open()
            target.parent.mkdir(parents=True, exist_ok=True)
            if replace:
                self._path.rename(target)
            elif not _linked(self._path, target):
                return False
        # Another writer may have made these directories and not synced them yet.
        for directory in (target.parent, target.parent.parent, self._layout.root):
            sync_directory(directory)
        return True

    def close(self) -> None:
        """Forget what was not published; waits for a write under way in another thread."""
        with self._lock:
            if self._open:
                self._open = False
                # Before the lock goes with the descriptor, lest `sweep` should count it.
                # If it can't be deleted now, the next start does.
                with contextlib.suppress(OSError):
                    self._path.unlink()
                os.close(self._descriptor)

    def _write(self, content: bytes) -> None:
        self._require_open()
        rest = memoryview(content)
        while rest:
            rest = rest[os.write(self._descriptor, rest) :]

    def _require_open(self) -> None:
        if not self._open:
            raise OSError(errno.EBADF, "the draft is closed")


def _locked_file(directory: Path) -> tuple[Path, int]:
    while True:
        path = directory / uuid.uuid4().hex
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        _try_lock(descriptor, wait=True)
        # `sweep` may have come between the two calls and taken the file for an orphan.
        if os.fstat(descriptor).st_nlink:
            return path, descriptor
        os.close(descriptor)


def _try_lock(descriptor: int, *, wait: bool) -> bool | None:
    """Whether the lock was got; ``None`` where the file system has no locks."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno in (errno.ENOLCK, errno.ENOTSUP, errno.EINVAL, errno.ENOSYS):
            return None
        raise
    return True


def _deleted_if_orphaned(path: Path) -> bool:
    try:
        # Network file systems grant an exclusive lock only to those who may write.
        descriptor = os.open(path, os.O_RDWR)
    except FileNotFoundError:
        return False
    try:
        orphaned = _try_lock(descriptor, wait=False)
        if orphaned is None:
            orphaned = time.time() - os.fstat(descriptor).st_mtime > _DAY
        return orphaned and _unlinked(path)
    finally:
        os.close(descriptor)


def _is_shard(name: str) -> bool:
    return _SHARD.fullmatch(name) is not None


def _names(directory: Path, at_least: str, wanted: Callable[[str], bool]) -> list[str]:
    try:
        found = [path.name for path in directory.iterdir()]
    except (FileNotFoundError, NotADirectoryError):
        return []
    return sorted(name for name in found if name >= at_least and wanted(name))


def _described(path: Path) -> Iterator[ListedBytes]:
    with contextlib.suppress(FileNotFoundError):
        told = path.stat()
        if stat.S_ISREG(told.st_mode):
            yield ListedBytes(path.name, told.st_size, told.st_mtime_ns // 1000)


def _linked(path: Path, target: Path) -> bool:
    try:
        os.link(path, target)
    except FileExistsError:
        return False
    return True


def _unlinked(path: Path) -> bool:
    try:
        path.unlink()
    except FileNotFoundError:
        return False
    return True


def _footer(told: Description) -> bytes:
    text = json.dumps({"content_type": told.content_type, "sha256": told.sha256}).encode()
    return text + _TRAILER.pack(len(text), _MAGIC)


def _description(descriptor: int, path: Path) -> Description:
    end = os.fstat(descriptor).st_size - _TRAILER.size
    try:
        length, magic = _TRAILER.unpack(os.pread(descriptor, _TRAILER.size, max(0, end)))
        credible = magic == _MAGIC and length <= min(end, _LONGEST_DESCRIPTION)
        told = json.loads(os.pread(descriptor, length, end - length) if credible else b"")
        return Description(end - length, told["content_type"], told["sha256"])
    except (struct.error, ValueError, KeyError, TypeError) as error:
        raise DamagedError(errno.EIO, "the stored bytes are damaged", str(path)) from error
