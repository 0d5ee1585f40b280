"""Who writes to an index file, of all processes that have it open.

SQLite lets one of them write at a time, too. But before 3.51.3, a commit that begins the
write-ahead log anew while another connection copies it back can lose what was acknowledged (the
WAL-reset bug). With a turn of one's own, no other process of ours commits or copies back.
"""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tams_graphql.model.errors import Unavailable

_PAUSE_SECONDS = 0.001
_LONGEST_PAUSE_SECONDS = 0.02


class Turns:
    """The lock of one index file; the kernel frees it if its holder dies."""

    def __init__(self, path: Path, busy_budget: float) -> None:
        """See `SQLiteEngine.open`.

        Raises:
            Unavailable: the file of the lock can't be made.
        """
        self._busy_budget = busy_budget
        lock = path.with_name(f"{path.name}.lock")
        try:
            self._descriptor = os.open(lock, os.O_RDONLY | os.O_CREAT, 0o644)
        except OSError as error:
            raise Unavailable(
                f"the metadata store is not available: unable to open {lock.name}: {error.strerror}"
            ) from error

    @contextmanager
    def taken(self, *, at_once: bool = False) -> Iterator[None]:
        """Nobody else writes meanwhile.

        Raises:
            Unavailable: others did for as long as one waits; with `at_once`, somebody does now.
        """
        self._wait(0.0 if at_once else self._busy_budget)
        try:
            yield
        finally:
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)

    def close(self) -> None:
        """Let go of the lock's file."""
        os.close(self._descriptor)

    def _wait(self, seconds: float) -> None:
        deadline, pause = time.monotonic() + seconds, _PAUSE_SECONDS
        while True:
            try:
                fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    raise Unavailable(
                        "the metadata store is not available: another process writes to it;"
                        " try again"
                    ) from None
            else:
                return
            time.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)
