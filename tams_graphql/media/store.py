"""The port of a storage backend: URLs to hand out, and what the server does to bytes itself.

A `key` names the bytes within one backend. Keys are random (`new_key`) and never derived from
an object id (DECISIONS: a client's id, which may hold ``/`` and any Unicode, never meets a
file system or a bucket).
"""

import re
import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

_KEY = re.compile("[0-9a-f]{32}")


@dataclass(frozen=True, slots=True, kw_only=True)
class StorageBackend:
    """What is told about a backend (spec 8.2, `storage-backend.json`)."""

    id: str
    label: str | None
    store_type: str = "http_object_store"
    provider: str
    store_product: str
    region: str | None = None
    availability_zone: str | None = None
    default_storage: bool = False
    tags: Mapping[str, str | list[str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class UploadRequest:
    """How a client puts an object's bytes: PUT `url` with `content_type` as its content type.

    All of `headers` have to be sent as well.
    """

    url: str
    content_type: str
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class StoredBytes:
    """What a backend knows of stored bytes. `size` in bytes; `etag` as HTTP has it, in quotes."""

    size: int
    content_type: str | None
    etag: str


@dataclass(frozen=True, slots=True)
class ListedBytes:
    """What a backend's listing tells: about `size` bytes, put there at `modified_us`.

    `size` is what they take up, which may be a little more than they are. `modified_us` is in
    microseconds since the Unix epoch, by the backend's clock.
    """

    key: str
    size: int
    modified_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyOrder:
    """Bytes to bring into a backend, to be found there under `key`.

    They are under `source_key` in `source`, which tells their `size` in bytes and their `etag`.
    """

    source: "MediaStore"
    source_key: str
    key: str
    size: int
    etag: str
    content_type: str


@dataclass(frozen=True, slots=True)
class CopyProgress:
    """How many bytes of a copy are safe, and the token with which a later run goes on from there.

    Without a token a later run begins anew.
    """

    bytes_done: int
    token: str | None = None


class MediaStore(Protocol):
    """One storage backend."""

    @property
    def backend(self) -> StorageBackend:
        """Its description."""

    def put_request(
        self, key: str, object_id: str, content_type: str, sha256: str | None = None
    ) -> UploadRequest:
        """A presigned upload, valid for at least the service's `min_presigned_url_timeout`.

        With `sha256` (base64) only bytes that have this digest are stored.

        It stops working once the object is registered, or deleted (DECISIONS).
        """

    def get_urls(self, keys: Sequence[str]) -> list[str]:
        """Presigned GET URLs, in the order of `keys`."""

    def head_urls(self, keys: Sequence[str]) -> list[str]:
        """Presigned HEAD URLs, in the order of `keys`."""

    def direct_urls(self, keys: Sequence[str]) -> list[str] | None:
        """URLs that need no signature, in the order of `keys`; ``None`` if there are none."""

    async def stat(self, key: str) -> StoredBytes | None:
        """What is stored under `key`, or ``None``."""

    def read(self, key: str, start: int = 0) -> AsyncIterator[bytes]:
        """The bytes under `key` from offset `start` on, in pieces of bounded size.

        Raises:
            KeyError: nothing is stored there.
        """

    def copy(
        self, order: CopyOrder, token: str | None = None
    ) -> AsyncGenerator[CopyProgress, None]:
        """Bring bytes here, in bounded memory, or within a server that both backends are on.

        Tells each step that is safe; when it ends all bytes are there, and nothing is seen under
        the key before. With the `token` of an earlier run of the same order it goes on from
        there, if the backend can. Several runs at once do no harm.

        Raises:
            KeyError: the source has nothing.
            Unavailable: either side failed; run it again.
        """

    async def abandon(self, key: str, token: str) -> None:
        """Free what an unfinished `copy` to `key` holds; harmless if it is finished or gone."""

    async def delete(self, keys: Sequence[str]) -> None:
        """Delete the bytes; keys that hold nothing are fine."""

    def listed(self, after: str = "") -> AsyncIterator[Sequence[ListedBytes]]:
        """All that is stored under keys after `after`, by key.

        It comes in pages of 1 to `LISTED_AT_ONCE`. What is stored under anything but a key of
        ours (`is_key`) is left out. What comes or goes meanwhile may be told or not.

        Raises:
            Unavailable: the backend did not answer.
        """

    async def check(self) -> None:
        """Raise `Unavailable` if the backend can't be used now."""


LISTED_AT_ONCE: Final = 1000
"""How much one page of a listing has at most: what S3 tells at a time."""

CHECKSUM_HEADER: Final = "x-amz-checksum-sha256"
"""What an upload tells the SHA-256 of its bytes in, as base64."""


def new_key() -> str:
    """A fresh random key: 32 hexadecimal digits, fit for a path or a bucket as it is."""
    return uuid.uuid4().hex


def is_key(text: str) -> bool:
    """Whether `text` can be a key (32 lower-case hexadecimal digits), so never a path."""
    return _KEY.fullmatch(text) is not None


@dataclass(frozen=True, slots=True)
class MediaStores:
    """All storage backends of this server, by id, in configuration order."""

    by_id: Mapping[str, MediaStore]

    @property
    def default(self) -> MediaStore | None:
        """The backend used when a client names none."""
        return next((s for s in self.by_id.values() if s.backend.default_storage), None)
