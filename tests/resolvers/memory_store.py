"""A storage backend that keeps bytes in a dictionary: the whole `MediaStore` port, no HTTP."""

import hashlib
from collections.abc import AsyncGenerator, AsyncIterator, Sequence

from tams_graphql.media.store import (
    CHECKSUM_HEADER,
    CopyOrder,
    CopyProgress,
    ListedBytes,
    StorageBackend,
    StoredBytes,
    UploadRequest,
)


class MemoryStore:
    """Signed URLs are readable: ``memory://<backend>/<method>/<key>``."""

    def __init__(self, backend: StorageBackend) -> None:
        self._backend = backend
        self.contents: dict[str, tuple[bytes, str]] = {}
        self.signed: list[tuple[str, int]] = []
        self.direct_base: str | None = None
        self.abandoned: list[tuple[str, str]] = []
        self.modified_us: dict[str, int] = {}
        self.page = 2

    @property
    def backend(self) -> StorageBackend:
        return self._backend

    def put_request(
        self, key: str, object_id: str, content_type: str, sha256: str | None = None
    ) -> UploadRequest:
        headers = {CHECKSUM_HEADER: sha256} if sha256 else {}
        return UploadRequest(self._url("put", key), content_type, headers)

    def get_urls(self, keys: Sequence[str]) -> list[str]:
        self.signed.append(("get", len(keys)))
        return [self._url("get", key) for key in keys]

    def head_urls(self, keys: Sequence[str]) -> list[str]:
        self.signed.append(("head", len(keys)))
        return [self._url("head", key) for key in keys]

    def direct_urls(self, keys: Sequence[str]) -> list[str] | None:
        if self.direct_base is None:
            return None
        return [self.direct_base + key for key in keys]

    async def stat(self, key: str) -> StoredBytes | None:
        if key not in self.contents:
            return None
        content, content_type = self.contents[key]
        return StoredBytes(len(content), content_type, hashlib.sha256(content).hexdigest())

    async def read(self, key: str, start: int = 0) -> AsyncIterator[bytes]:
        yield self.contents[key][0][start:]

    async def copy(
        self, order: CopyOrder, token: str | None = None
    ) -> AsyncGenerator[CopyProgress, None]:
        content = b"".join([piece async for piece in order.source.read(order.source_key)])
        yield CopyProgress(len(content), f"token of {order.key}")
        self.contents[order.key] = (content, order.content_type)

    async def abandon(self, key: str, token: str) -> None:
        self.abandoned.append((key, token))

    async def delete(self, keys: Sequence[str]) -> None:
        for key in keys:
            self.contents.pop(key, None)

    async def listed(self, after: str = "") -> AsyncGenerator[Sequence[ListedBytes], None]:
        while keys := sorted(key for key in self.contents if key > after)[: self.page]:
            yield [
                ListedBytes(key, len(self.contents[key][0]), self.modified_us.get(key, 0))
                for key in keys
                if key in self.contents
            ]
            after = keys[-1]

    async def check(self) -> None:
        pass

    def _url(self, method: str, key: str) -> str:
        return f"memory://{self._backend.id}/{method}/{key}"
