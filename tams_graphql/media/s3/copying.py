"""Copies into a bucket that go on where they stopped, whoever stopped them.

1. What fits in one part is put, or copied within the server, in one request.
2. Anything larger becomes a multipart upload. Its id, the size of its parts and the version of
   the source make the token: with it a later run asks the bucket which parts are there, and adds
   the next one. A token whose upload is unknown may be of one that was completed just before the
   crash: then the bytes are there. Otherwise, and if the source is another version, it begins anew.
3. Parts are copied within the server if the source is there too, as long as it permits that;
   otherwise they pass through this process, one at a time.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial
from typing import Final, Protocol, TypeVar

from tams_graphql.media.s3.connection import FAILURES, Client, failure_code
from tams_graphql.media.s3.multipart import PART_BYTES, MultipartUpload, in_parts, part_bytes
from tams_graphql.media.store import CopyOrder, CopyProgress
from tams_graphql.model.errors import Unavailable

INSIDE_BYTES: Final = 64 << 20
"""The size of a part that the server copies by itself: a request each, so worth its while."""

_CANNOT = frozenset({"403", "405", "501", "AccessDenied", "MethodNotAllowed", "NotImplemented"})
_REFUSED = _CANNOT | {"404", "NoSuchBucket", "NoSuchKey"}
_GONE = frozenset({"404", "NoSuchUpload", "NoSuchKey", "NotFound"})
_T = TypeVar("_T")


class Calling(Protocol):
    """Runs what blocks in a thread, and raises what failed as `Unavailable`."""

    def __call__(self, work: Callable[[], _T]) -> Awaitable[_T]:
        """What `work` gives."""


@dataclass(frozen=True, slots=True)
class Token:
    """What a later run needs to know."""

    part_bytes: int
    upload_id: str
    etag: str

    @classmethod
    def parsed(cls, text: str) -> "Token":
        """From its text, made by `str`."""
        size, upload_id, etag = text.split(" ", 2)
        return cls(int(size), upload_id, etag)

    def __str__(self) -> str:
        return f"{self.part_bytes} {self.upload_id} {self.etag}"


@dataclass(slots=True, kw_only=True)
class BucketCopy:
    """One copy into `bucket`; `inside` is where its source is on the same server, if it is."""

    client: Client
    bucket: str
    order: CopyOrder
    inside: Mapping[str, str] | None
    call: Calling

    async def run(self, token: str | None) -> AsyncGenerator[CopyProgress, None]:
        """See `MediaStore.copy`."""
        order = self.order
        upload = None if token is None else await self._resumed(Token.parsed(token))
        if upload is None:
            if token is not None and await self._is_there():
                return
            if await self._whole():
                yield CopyProgress(order.size)
                return
            upload = await self._begun()
        told = str(Token(upload.size, upload.upload_id, order.etag))
        yield CopyProgress(upload.bytes_done, told)
        async with aclosing(self._added(upload)) as steps:
            async for bytes_done in steps:
                yield CopyProgress(bytes_done, told)
        await self.call(lambda: self._completed(upload))

    async def _whole(self) -> bool:
        """Copy in one request what is small enough for that."""
        order = self.order
        if self.inside is not None and order.size <= INSIDE_BYTES:
            source = dict(self.inside)
            if await self.call(lambda: self._permitted(lambda: self._copied_whole(source))):
                return True
            self.inside = None
        if self.inside is not None or order.size > PART_BYTES:
            return False
        pieces = [piece async for piece in order.source.read(order.source_key)]
        body = b"".join(pieces)
        self._require(len(body))
        await self.call(
            lambda: self.client.put_object(
                Bucket=self.bucket, Key=order.key, Body=body, ContentType=order.content_type
            )
        )
        return True

    async def _added(self, upload: MultipartUpload) -> AsyncGenerator[int, None]:
        total = self.order.size
        while self.inside is not None and upload.bytes_done < total:
            if await self.call(
                partial(self._permitted, partial(upload.add_copy, self.inside, total))
            ):
                yield upload.bytes_done
            else:
                self.inside = None
        if upload.bytes_done == total:
            return
        read = self.order.source.read(self.order.source_key, upload.bytes_done)
        async with aclosing(in_parts(read, upload.size)) as parts:
            async for part in parts:
                await self.call(partial(upload.add, part))
                yield upload.bytes_done
        self._require(upload.bytes_done)

    async def _begun(self) -> MultipartUpload:
        order = self.order
        size = part_bytes(order.size, PART_BYTES if self.inside is None else INSIDE_BYTES)
        return await self.call(
            lambda: MultipartUpload.begun(
                self.client, self.bucket, order.key, size, order.content_type
            )
        )

    async def _resumed(self, token: Token) -> MultipartUpload | None:
        """The upload of an earlier run, unless it is gone or of another version."""
        if token.etag != self.order.etag:
            await self.call(lambda: abandon(self.client, self.bucket, self.order.key, token))
            return None
        upload = MultipartUpload(
            self.client, self.bucket, self.order.key, token.upload_id, token.part_bytes
        )
        if await self.call(lambda: _unless(_GONE | _CANNOT, upload.find_parts)):
            return upload
        # Some servers don't list parts, or not for everybody. Those that are there are of no use.
        await self.call(lambda: abandon(self.client, self.bucket, self.order.key, token))
        return None

    async def _is_there(self) -> bool:
        return await self.call(self._complete_already)

    def _completed(self, upload: MultipartUpload) -> None:
        # An answer that was lost, or another process, may have been faster.
        if not _unless(_GONE, upload.complete) and not self._complete_already():
            raise Unavailable("the upload was thrown away before it was complete; it begins anew")

    def _complete_already(self) -> bool:
        try:
            told = self.client.head_object(Bucket=self.bucket, Key=self.order.key)
        except FAILURES as error:
            if failure_code(error) in _GONE:
                return False
            raise
        size: int = told["ContentLength"]
        return size == self.order.size

    def _copied_whole(self, source: Mapping[str, str]) -> None:
        self.client.copy_object(
            Bucket=self.bucket,
            Key=self.order.key,
            CopySource=dict(source),
            ContentType=self.order.content_type,
            MetadataDirective="REPLACE",
        )

    def _permitted(self, copy: Callable[[], None]) -> bool:
        return _unless(_REFUSED, copy)

    def _require(self, size: int) -> None:
        if size != self.order.size:
            raise Unavailable(f"the source gave {size} bytes instead of {self.order.size}")


def abandon(client: Client, bucket: str, key: str, token: Token) -> None:
    """Throw away the parts of an upload that nobody will complete; blocks.

    A server that can't is left to its lifecycle rules.
    """
    _unless(
        _GONE | _CANNOT,
        lambda: client.abort_multipart_upload(Bucket=bucket, Key=key, UploadId=token.upload_id),
    )


def _unless(codes: frozenset[str], work: Callable[[], object]) -> bool:
    """Do `work`; false if the server refused with one of `codes`."""
    try:
        work()
    except FAILURES as error:
        if failure_code(error) not in codes:
            raise
        return False
    return True
