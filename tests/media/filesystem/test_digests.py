"""Pins which checksum headers are understood, and which are refused as malformed."""

import base64
import hashlib

import pytest

from tams_graphql.media.filesystem.digests import Expected, expected_digests
from tams_graphql.model.errors import InvalidInput

BODY = b"some media"
SHA256 = hashlib.sha256(BODY).digest()
SHA512 = hashlib.sha512(BODY).digest()
MD5 = hashlib.md5(BODY).digest()


def b64(digest: bytes) -> str:
    return base64.b64encode(digest).decode()


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, []),
        ({"content-digest": ""}, []),
        (
            {"content-digest": f"sha-256=:{b64(SHA256)}:"},
            [Expected("content-digest", "sha256", SHA256)],
        ),
        (
            {"content-digest": f"sha-512=:{b64(SHA512)}:;x=1,  sha-256=:{b64(SHA256)}:"},
            [
                Expected("content-digest", "sha256", SHA256),
                Expected("content-digest", "sha512", SHA512),
            ],
        ),
        ({"content-digest": "unixsum=:AAAA:"}, []),
        ({"content-md5": b64(MD5)}, [Expected("content-md5", "md5", MD5)]),
        (
            {"x-amz-checksum-sha256": b64(SHA256)},
            [Expected("x-amz-checksum-sha256", "sha256", SHA256)],
        ),
    ],
)
def test_digests_understood(headers: dict[str, str], expected: list[Expected]) -> None:
    assert expected_digests(headers) == expected


@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("content-digest", "sha-256"),
        ("content-digest", b64(SHA256)),
        ("content-digest", f"sha-256={b64(SHA256)}"),
        ("content-digest", f"sha-256=:{b64(SHA256)[:-4]}:"),
        ("content-digest", f"sha-256=:{b64(SHA256)[:-1]}:"),
        ("content-digest", f"sha-512=:{b64(SHA256)}:"),
        ("content-digest", f"sha-256=:{b64(SHA256)}:,"),
        ("content-digest", f"SHA-256=:{b64(SHA256)}:"),
        ("content-md5", MD5.hex()),
        ("content-md5", ""),
        ("content-md5", "é"),
        ("x-amz-checksum-sha256", b64(MD5)),
    ],
)
def test_digests_malformed(header: str, value: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        expected_digests({header: value})
    problem = caught.value.problems[0]
    assert (problem.field, problem.rule) == (header, "digest.format")


def test_a_mismatch_says_what_came_instead() -> None:
    Expected("content-md5", "md5", MD5).compare(MD5)
    with pytest.raises(InvalidInput, match="the body received has md5 ") as caught:
        Expected("content-md5", "md5", MD5).compare(b"\0" * 16)
    assert caught.value.problems[0].rule == "digest.mismatch"
