"""Small files that are made once and shared by all processes of a store, such as its secret."""

import os
import secrets
import uuid
from collections.abc import Callable
from pathlib import Path

SECRET_BYTES = 32


def load_or_create_secret(path: Path) -> bytes:
    """The 32 bytes kept at `path`, made at the first call (mode 0600).

    Raises:
        ValueError: the file holds something else than 32 bytes.
        OSError: as `made_once`.
    """
    secret = made_once(path, lambda: secrets.token_bytes(SECRET_BYTES))
    if len(secret) != SECRET_BYTES:
        raise ValueError(f"{path} must hold exactly {SECRET_BYTES} bytes, not {len(secret)}")
    return secret


def made_once(path: Path, content: Callable[[], bytes]) -> bytes:
    """What is kept at `path`, made by `content` at the first call (mode 0600).

    Any number of processes may race: all of them return the same bytes, since the file
    appears under its name only once it is complete and only for the first.

    Raises:
        OSError: the directory can't be written, or the file not be read.
    """
    try:
        return path.read_bytes()
    except FileNotFoundError:
        _create(path, content())
        return path.read_bytes()


def _create(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        _write_durably(draft, content)
        os.link(draft, path)
    except FileExistsError:
        return
    finally:
        draft.unlink(missing_ok=True)
    sync_directory(path.parent)


def _write_durably(path: Path, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(descriptor, "wb") as file:  # noqa: PTH123 - a descriptor, so that the mode is ours
        file.write(content)
        file.flush()
        os.fsync(descriptor)


def sync_directory(directory: Path) -> None:
    """Make the names in `directory` survive a power cut."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
