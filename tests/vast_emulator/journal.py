"""Keep commits in a directory, so that the emulator can be killed and started again.

1. Each commit is one record in `journal`: length, CRC-32, pickled changes; flushed, not fsynced
   (it survives the process, not the machine).
2. At start `snapshot` is loaded, the journal's whole records are applied to it, a torn last record
   is dropped, and a new snapshot replaces both, by rename.

Pickle is fine here: the files are the emulator's own, and only tests run it.
"""

import pickle
import struct
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from .catalog import Catalog

_HEAD = struct.Struct("<II")


class Journal:
    """The files of one emulator."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._snapshot = directory / "snapshot"
        self._path = directory / "journal"

    def _records(self) -> Iterator[Sequence[Any]]:
        data = self._path.read_bytes() if self._path.exists() else b""
        at = 0
        while at + _HEAD.size <= len(data):
            length, checksum = _HEAD.unpack_from(data, at)
            body = data[at + _HEAD.size : at + _HEAD.size + length]
            if len(body) < length or zlib.crc32(body) != checksum:
                return
            yield pickle.loads(body)
            at += _HEAD.size + length

    def load(self) -> Catalog:
        """What was committed, and a fresh journal to go on with."""
        catalog = Catalog()
        if self._snapshot.exists():
            catalog = pickle.loads(self._snapshot.read_bytes())
        for changes in self._records():
            for change in changes:
                catalog = change.apply(catalog)
        new = self._snapshot.with_suffix(".new")
        new.write_bytes(pickle.dumps(catalog))
        new.replace(self._snapshot)
        self._file = self._path.open("wb")
        return catalog

    def append(self, changes: Sequence[Any]) -> None:
        """Write one commit."""
        body = pickle.dumps(list(changes))
        self._file.write(_HEAD.pack(len(body), zlib.crc32(body)) + body)
        self._file.flush()

    def close(self) -> None:
        """Let go of the files."""
        self._file.close()
