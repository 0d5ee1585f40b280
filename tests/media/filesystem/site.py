"""A filesystem backend with its routes, and the few facts about objects that they ask for."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil
from starlette.applications import Starlette

from tams_graphql.media.filesystem.routes import media_routes
from tams_graphql.media.filesystem.signing import UrlSigner
from tams_graphql.media.filesystem.store import FilesystemStore
from tams_graphql.media.store import StorageBackend, new_key

PUBLIC_URL = "http://store.test"
MP2T = "video/mp2t"
SECRET = b"s" * 32
BACKEND = StorageBackend(id="disk-1", label=None, provider="local", store_product="filesystem")


class Clock:
    """Seconds that pass only when told to."""

    def __init__(self, now: float = 1_700_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


@dataclass
class Site:
    """One backend, served; objects named in `registered` may not be written."""

    root: Path
    max_bytes: int = 1 << 20
    base_url: str = PUBLIC_URL
    clock: Clock = field(default_factory=Clock)
    registered: set[str] = field(default_factory=set)
    asked: list[tuple[str, str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.signer = UrlSigner(SECRET, "", clock=self.clock)
        self.store = FilesystemStore(self.root, BACKEND, self.signer)
        self.app = Starlette(
            routes=media_routes({BACKEND.id: self.store}, self.may_write, self.max_bytes)
        )

    async def may_write(self, object_id: str, storage_id: str, key: str) -> bool:
        self.asked.append((object_id, storage_id, key))
        return object_id not in self.registered

    def client(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(transport=httpx.ASGITransport(self.app), base_url=self.base_url)

    def put_url(self, key: str, object_id: str = "object", content_type: str = MP2T) -> str:
        return self.base_url + self.store.put_request(key, object_id, content_type).url

    def get_url(self, key: str) -> str:
        return self.base_url + self.store.get_urls([key])[0]

    async def put(self, key: str, body: Any, **headers: str) -> httpx.Response:
        """PUT `body` with `headers` (underscores for hyphens), by default as MPEG-TS."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        async with self.client() as client:
            return await client.put(
                self.put_url(key), content=body, headers={"content-type": MP2T, **named}
            )

    async def stored(self, content: bytes, content_type: str = MP2T) -> str:
        """The key of `content`, stored directly."""
        key = new_key()
        await self.store.write(key, pieces_of(content), content_type)
        return key

    async def content(self, key: str) -> bytes | None:
        """The bytes under `key`, read directly, or ``None``."""
        if await self.store.stat(key) is None:
            return None
        return b"".join([piece async for piece in self.store.read(key)])

    def opened(self) -> list[str]:
        """Paths of all files that this process has open in the store."""
        paths = (file.path for file in psutil.Process().open_files())
        return [path for path in paths if path.startswith(str(self.root.resolve()))]

    def files(self) -> list[str]:
        """Names of all files kept, drafts included."""
        return sorted(path.name for path in self.root.rglob("*") if path.is_file())


async def pieces_of(*pieces: bytes) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece


def problem(response: httpx.Response) -> tuple[int, str, str, str]:
    """Status, type, and the first problem's field and rule."""
    body = response.json()
    detail = body["details"][0]
    return response.status_code, body["type"], detail["field"], detail["rule"]
