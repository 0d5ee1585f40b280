"""Uploads of any length in parts, of which the bucket shows nothing until they are complete.

Which parts are there is asked of the bucket, so that nothing that it acknowledged is sent again
by a process that takes over from one that died.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from typing import Any, Final

from tams_graphql.media.s3.connection import Client

PART_BYTES: Final = 8 << 20
"""The size of a part that passes through this process; only the last one may be smaller."""

_MOST_PARTS = 10_000


def part_bytes(size: int, smallest: int) -> int:
    """The size of the parts of `size` bytes: S3 takes 10,000 of them."""
    return max(smallest, -(-size // _MOST_PARTS))


class MultipartUpload:
    """One upload to `key` in parts of `size` bytes; its methods block, one after the other."""

    def __init__(self, client: Client, bucket: str, key: str, upload_id: str, size: int) -> None:
        self.upload_id = upload_id
        self.size = size
        self.bytes_done = 0
        self._client = client
        self._place = {"Bucket": bucket, "Key": key, "UploadId": upload_id}
        self._parts: list[dict[str, Any]] = []

    @classmethod
    def begun(
        cls, client: Client, bucket: str, key: str, size: int, content_type: str
    ) -> "MultipartUpload":
        """A new one."""
        told = client.create_multipart_upload(Bucket=bucket, Key=key, ContentType=content_type)
        return cls(client, bucket, key, told["UploadId"], size)

    def find_parts(self) -> None:
        """Learn from the bucket which parts an earlier process has sent.

        Raises:
            ClientError: ``NoSuchUpload``: it is complete, or was thrown away.
        """
        pages = self._client.get_paginator("list_parts").paginate(**self._place)
        for part in (part for page in pages for part in page.get("Parts", ())):
            if part["PartNumber"] != self._next or part["Size"] != self.size:
                # Sent out of turn, or the last and smaller one: sent again, which replaces it.
                return
            self._note(part["ETag"], part["Size"])

    def add(self, part: bytes) -> None:
        """Append a part."""
        told = self._client.upload_part(**self._place, PartNumber=self._next, Body=part)
        self._note(told["ETag"], len(part))

    def add_copy(self, source: Mapping[str, str], total: int) -> None:
        """Append the next part of an object of `total` bytes on the same server."""
        end = min(total, self.bytes_done + self.size)
        told = self._client.upload_part_copy(
            **self._place,
            PartNumber=self._next,
            CopySource=dict(source),
            CopySourceRange=f"bytes={self.bytes_done}-{end - 1}",
        )
        self._note(told["CopyPartResult"]["ETag"], end - self.bytes_done)

    def complete(self) -> None:
        """Make it what `key` holds."""
        self._client.complete_multipart_upload(
            **self._place, MultipartUpload={"Parts": self._parts}
        )

    @property
    def _next(self) -> int:
        return len(self._parts) + 1

    def _note(self, etag: str, size: int) -> None:
        self._parts.append({"ETag": etag, "PartNumber": self._next})
        self.bytes_done += size


async def in_parts(content: AsyncIterator[bytes], size: int) -> AsyncGenerator[bytes, None]:
    """`content` in parts of exactly `size` bytes, the last one excepted."""
    held = bytearray()
    async for piece in content:
        held += piece
        while len(held) >= size:
            yield bytes(held[:size])
            del held[:size]
    if held:
        yield bytes(held)
