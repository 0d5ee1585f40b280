"""Checksums that a client sends along with an upload, so that damage on the way is noticed.

`Content-Digest` (RFC 9530, SHA-256 and SHA-512; other algorithms are ignored, as it says),
`Content-MD5` (RFC 1864) and `x-amz-checksum-sha256` (which S3 clients send). A URL may also have
been signed for one digest.
"""

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass

from tams_graphql.model.errors import InvalidInput

_SIZES = {"sha256": 32, "sha512": 64, "md5": 16}
_CONTENT_DIGEST = {"sha-256": "sha256", "sha-512": "sha512"}
_WHOLE_HEADERS = {"content-md5": "md5", "x-amz-checksum-sha256": "sha256"}
# One member of a dictionary of byte sequences (RFC 8941), with parameters that mean nothing here.
_MEMBER = re.compile(r"\s*([a-z*][a-z0-9_.*-]*)=:([A-Za-z0-9+/=]*):(?:;[^,]*)?\s*")


@dataclass(frozen=True, slots=True)
class Expected:
    """A digest that the body must have: `header` said so; `algorithm` is hashlib's name."""

    header: str
    algorithm: str
    digest: bytes

    def compare(self, computed: bytes) -> None:
        """Refuse bytes whose digest is another.

        Raises:
            InvalidInput: the digests differ.
        """
        if computed != self.digest:
            raise InvalidInput(
                self.header,
                "digest.mismatch",
                f"the body received has {self.algorithm} {base64.b64encode(computed).decode()}",
            )


def expected_digests(headers: Mapping[str, str], sha256: str = "") -> list[Expected]:
    """What `headers` (names in lower case), and the signed URL, say the body's digests are.

    Args:
        headers: of the request.
        sha256: the digest in the URL, as base64; empty if it has none.

    Raises:
        InvalidInput: one of them is malformed.
    """
    expected = [
        Expected(header, algorithm, _decoded(header, algorithm, headers[header].strip()))
        for header, algorithm in _WHOLE_HEADERS.items()
        if header in headers
    ]
    if sha256:
        expected.append(Expected("sha256", "sha256", _decoded("sha256", "sha256", sha256)))
    return expected + _content_digests(headers.get("content-digest", ""))


def _content_digests(value: str) -> list[Expected]:
    if not value.strip():
        return []
    header = "content-digest"
    given: dict[str, str] = {}
    for member in value.split(","):
        match = _MEMBER.fullmatch(member)
        if match is None:
            raise _malformed(header, "must look like sha-256=:<base64>:")
        given[match[1]] = match[2]
    return [
        Expected(header, algorithm, _decoded(header, algorithm, given[name]))
        for name, algorithm in _CONTENT_DIGEST.items()
        if name in given
    ]


def _decoded(header: str, algorithm: str, text: str) -> bytes:
    try:
        digest = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise _malformed(header, f"{text!r} is not base64") from None
    if len(digest) != _SIZES[algorithm]:
        raise _malformed(header, f"{algorithm} has {_SIZES[algorithm]} bytes, not {len(digest)}")
    return digest


def _malformed(header: str, message: str) -> InvalidInput:
    return InvalidInput(header, "digest.format", message)
