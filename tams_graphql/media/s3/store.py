"""The port of a storage backend over an S3 bucket: blocking calls go to a few threads.

Clients' bytes never pass through here: their URLs lead to the bucket. An upload's URL is signed
with ``If-None-Match: *`` (unless the operator said that the server can't do that), so that the
bucket itself refuses to overwrite what is there: once bytes are stored, their URL is spent.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from typing import Any, TypeVar
from urllib.parse import quote

from tams_graphql.media.s3.connection import FAILURES, Connection, failure_code
from tams_graphql.media.s3.copying import BucketCopy, Token, abandon
from tams_graphql.media.s3.signing import Presigner
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
    new_key,
)
from tams_graphql.model.errors import Unavailable

PIECE_BYTES = 1 << 20
"""How much of a body is read at a time."""

_DELETED_AT_ONCE = 1000
_NOTHING_THERE = frozenset({"404", "NoSuchKey", "NotFound"})
_ADVICE = {
    "404": "the bucket does not exist",
    "403": "the credentials may not use the bucket",
    "301": "the bucket is in another region",
    "400": "the server rejects the credentials or the region",
}

_log = logging.getLogger(__name__)
_T = TypeVar("_T")


class S3Store:
    """One storage backend in the bucket of `connection` (a `MediaStore`).

    Args:
        connection: how the bucket is reached.
        backend: the description shown to clients.
        lifetime: seconds for which a URL is good.
        direct_base: what comes before a key in URLs that need no signature (a public bucket, a
            CDN, a gateway with its own authentication); ``None``: there are none.
        write_once: sign uploads with ``If-None-Match: *``.
        threads: how many blocking calls may run at once.
    """

    def __init__(
        self,
        connection: Connection,
        backend: StorageBackend,
        *,
        lifetime: int = 3600,
        direct_base: str | None = None,
        write_once: bool = True,
        threads: int = 16,
    ) -> None:
        self.connection = connection
        self._backend = backend
        self._bucket = connection.bucket.name
        self._direct_base = direct_base
        self._upload_headers = {"If-None-Match": "*"} if write_once else {}
        self._presigner = Presigner(
            connection.base_url,
            connection.bucket.region,
            connection.credentials,
            lifetime=lifetime,
        )
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="s3")
        # A check must not wait behind transfers, or a busy backend looks like a dead one.
        self._probing = ThreadPoolExecutor(1, thread_name_prefix="s3-check")

    @property
    def backend(self) -> StorageBackend:
        """Its description."""
        return self._backend

    def put_request(
        self, key: str, object_id: str, content_type: str, sha256: str | None = None
    ) -> UploadRequest:
        """An upload to `key`, to be sent with all of its headers; they are signed.

        With `write_once` it can succeed once, and not at all where bytes are stored. That bytes
        have the digest `sha256` is the bucket's to check.
        """
        del object_id
        headers = dict(self._upload_headers)
        if sha256 is not None:
            headers[CHECKSUM_HEADER] = sha256
        url = self._presigner.url("PUT", key, {"Content-Type": content_type, **headers})
        return UploadRequest(url, content_type, headers)

    def get_urls(self, keys: Sequence[str]) -> list[str]:
        """URLs for GET alone, in the order of `keys`; about 3 µs each."""
        return self._presigner.urls("GET", keys)

    def head_urls(self, keys: Sequence[str]) -> list[str]:
        """URLs for HEAD alone, in the order of `keys`."""
        return self._presigner.urls("HEAD", keys)

    def direct_urls(self, keys: Sequence[str]) -> list[str] | None:
        """Unsigned URLs, in the order of `keys`; ``None`` if none are configured."""
        if self._direct_base is None:
            return None
        return [f"{self._direct_base}{quote(key, safe='/~')}" for key in keys]

    async def stat(self, key: str) -> StoredBytes | None:
        """What is stored under `key`, or ``None``; gives up after about 2 s."""
        probe, bucket = self.connection.probe, self._bucket
        try:
            told = await self._submit(lambda: probe.head_object(Bucket=bucket, Key=key))
        except FAILURES as error:
            if failure_code(error) in _NOTHING_THERE:
                return None
            raise self._failed(error) from error
        return StoredBytes(told["ContentLength"], told.get("ContentType"), told["ETag"])

    async def read(self, key: str, start: int = 0) -> AsyncGenerator[bytes, None]:
        """The bytes under `key` from `start` on, one version of them, in pieces of at most 1 MiB.

        Raises:
            KeyError: nothing is stored there.
            Unavailable: the server failed.
        """
        part = {"Range": f"bytes={start}-"} if start else {}
        told = await self._call("get_object", missing=_NOTHING_THERE, Key=key, **part)
        if told is None:
            raise KeyError(key)
        body = told["Body"]
        try:
            while piece := await self._in_thread(lambda: body.read(PIECE_BYTES)):
                yield piece
        finally:
            body.close()

    async def copy(
        self, order: CopyOrder, token: str | None = None
    ) -> AsyncGenerator[CopyProgress, None]:
        """See `MediaStore.copy`; holds a part of 8 MiB or more at most (`multipart.part_bytes`)."""
        copying = BucketCopy(
            client=self.connection.client,
            bucket=self._bucket,
            order=order,
            inside=self._inside(order),
            call=self._in_thread,
        )
        async with aclosing(copying.run(token)) as steps:
            async for step in steps:
                yield step

    async def abandon(self, key: str, token: str) -> None:
        """Throw away the parts of an unfinished copy."""
        await self._in_thread(
            lambda: abandon(self.connection.client, self._bucket, key, Token.parsed(token))
        )

    async def delete(self, keys: Sequence[str]) -> None:
        """Delete the bytes; keys that hold nothing are fine."""
        for start in range(0, len(keys), _DELETED_AT_ONCE):
            batch = [{"Key": key} for key in keys[start : start + _DELETED_AT_ONCE]]
            told = await self._call("delete_objects", Delete={"Objects": batch, "Quiet": True})
            for refused in (told or {}).get("Errors", ()):
                if refused.get("Code") not in _NOTHING_THERE:
                    raise Unavailable(f"{self._name} did not delete: {refused.get('Code')}")

    async def listed(self, after: str = "") -> AsyncGenerator[Sequence[ListedBytes], None]:
        """See `MediaStore.listed`; each page is one request."""
        more = True
        while more:
            # The older of two operations: every server knows it, and it needs no tokens.
            told = await self._call("list_objects", Marker=after, MaxKeys=LISTED_AT_ONCE)
            found = (told or {}).get("Contents", [])
            if page := [_listed(one) for one in found if is_key(one["Key"])]:
                yield page
            more = bool(found) and (told or {}).get("IsTruncated", False)
            after = found[-1]["Key"] if found else after

    async def check(self) -> None:
        """Raise `Unavailable` if the bucket does not answer within about 2 s, saying why."""
        probe = self.connection.probe
        loop = asyncio.get_running_loop()
        try:
            await loop.run_in_executor(
                self._probing, lambda: probe.head_bucket(Bucket=self._bucket)
            )
        except FAILURES as error:
            reason = _ADVICE.get(failure_code(error) or "", str(error))
            raise Unavailable(f"bucket {self._bucket!r}: {reason}") from error

    async def refuses_overwriting(self) -> bool:
        """Try whether the bucket honours ``If-None-Match: *``, with an object of our own.

        Raises:
            Unavailable: it could not be written at all.
        """
        key = f"tams-doctor-{new_key()}"
        refused = frozenset({"PreconditionFailed", "412"})
        try:
            for _ in range(2):
                told = await self._call("put_object", missing=refused, Key=key, IfNoneMatch="*")
            return told is None
        finally:
            await self._call("delete_object", Key=key)

    def close(self) -> None:
        """End the threads, once what they do now is done."""
        self._threads.shutdown(cancel_futures=True)
        self._probing.shutdown(cancel_futures=True)
        self.connection.close()

    def _inside(self, order: CopyOrder) -> dict[str, str] | None:
        """Where the order's source is, if it is a bucket of the same server."""
        there, here = getattr(order.source, "connection", None), self.connection
        if not isinstance(there, Connection) or there.bucket.server != here.bucket.server:
            return None
        return {"Bucket": there.bucket.name, "Key": order.source_key}

    @property
    def _name(self) -> str:
        return f"storage backend {self._backend.label or self._backend.id}"

    async def _call(
        self, operation: str, *, missing: frozenset[str] = frozenset(), **arguments: Any
    ) -> dict[str, Any] | None:
        """What an operation on the bucket answers; ``None`` for an error code in `missing`."""
        call = getattr(self.connection.client, operation)
        try:
            told: dict[str, Any] = await self._submit(
                lambda: call(Bucket=self._bucket, **arguments)
            )
        except FAILURES as error:
            if failure_code(error) in missing:
                return None
            raise self._failed(error) from error
        return told

    async def _in_thread(self, work: Callable[[], _T]) -> _T:
        try:
            return await self._submit(work)
        except FAILURES as error:
            raise self._failed(error) from error

    def _failed(self, error: Exception) -> Unavailable:
        _log.warning("%s failed: %s", self._name, error)
        reason = failure_code(error) or type(error).__name__
        return Unavailable(f"{self._name} failed ({reason}); try again")

    def _submit(self, work: Callable[[], _T]) -> asyncio.Future[_T]:
        return asyncio.get_running_loop().run_in_executor(self._threads, work)


def _listed(told: Mapping[str, Any]) -> ListedBytes:
    return ListedBytes(told["Key"], told["Size"], int(told["LastModified"].timestamp()) * 1_000_000)
