"""Uploads of any length in parts, of which the bucket shows nothing until they are complete."""

from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

from tams_graphql.media.s3.connection import FAILURES, Client

PART_BYTES = 8 << 20
"""The size of all parts but the last; 10,000 of them, S3's limit, make 78 GiB."""


class MultipartUpload:
    """One upload to `key`; its methods block, and are called one after the other."""

    def __init__(self, client: Client, bucket: str, key: str) -> None:
        self._client = client
        self._place = {"Bucket": bucket, "Key": key}
        self._id: str | None = None
        self._parts: list[dict[str, Any]] = []

    def begin(self, content_type: str) -> None:
        """Open it."""
        told = self._client.create_multipart_upload(**self._place, ContentType=content_type)
        self._id = told["UploadId"]

    def add(self, part: bytes) -> None:
        """Append a part."""
        number = len(self._parts) + 1
        told = self._client.upload_part(
            **self._place, UploadId=self._id, PartNumber=number, Body=part
        )
        self._parts.append({"ETag": told["ETag"], "PartNumber": number})

    def complete(self) -> None:
        """Make it what `key` holds."""
        self._client.complete_multipart_upload(
            **self._place, UploadId=self._id, MultipartUpload={"Parts": self._parts}
        )
        self._id = None

    def abandon(self) -> None:
        """Throw the parts away, unless it is complete or never began."""
        if self._id is None:
            return
        try:
            self._client.abort_multipart_upload(**self._place, UploadId=self._id)
        except FAILURES:
            # The bucket's lifecycle rule has to (docs/storage-backends.md); the reason for
            # giving up is worth more than this one.
            return


async def in_parts(content: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
    """`content` in parts of exactly `PART_BYTES`, the last one excepted."""
    held = bytearray()
    async for piece in content:
        held += piece
        while len(held) >= PART_BYTES:
            yield bytes(held[:PART_BYTES])
            del held[:PART_BYTES]
    if held:
        yield bytes(held)
