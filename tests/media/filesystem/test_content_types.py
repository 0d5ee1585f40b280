"""Pins when two content types are the same."""

import pytest

from tams_graphql.media.filesystem.content_types import same_content_type


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("video/mp2t", "video/mp2t", True),
        ("video/mp2t", " Video/MP2T ", True),
        ("video/mp2t", "video/mp4", False),
        ("video/mp2t", "", False),
        ("video/mp2t", "video/mp2t;", True),
        ("video/mp2t", "video/mp2t; charset=utf-8", False),
        ('video/mp4;codecs="avc1.4d401e, mp4a"', 'video/mp4; Codecs="avc1.4d401e, mp4a"', True),
        ('video/mp4; codecs="avc1"', "video/mp4; codecs=avc1", True),
        ("video/mp4; codecs=avc1", "video/mp4; codecs=AVC1", False),
        ("text/plain; charset=UTF-8", "text/plain;charset=utf-8", True),
        ("a/b; x=1; y=2", "a/b; y=2; x=1", True),
        ('a/b; x="\\"1;2"', 'a/b;x="\\"1;2"', True),
        ("a/b; garbage", "a/b", False),
    ],
)
def test_same_content_type(one: str, other: str, same: bool) -> None:
    assert same_content_type(one, other) is same
    assert same_content_type(other, one) is same
