"""Packet times: decode times that any order of presentation can have."""

from array import array
from fractions import Fraction
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from tams_graphql.client.packets import Track, closed_points, decode_times


@given(st.lists(st.integers(-(10**12), 10**12), unique=True, min_size=1, max_size=40))
def test_decode_times_increase_and_are_never_after_the_presentation(pts: list[int]) -> None:
    dts = decode_times(pts)
    assert all(earlier < later for earlier, later in pairwise(dts))
    assert all(decoded <= shown for decoded, shown in zip(dts, pts, strict=True))


def test_pictures_in_order_are_decoded_when_they_are_shown() -> None:
    assert decode_times([0, 40, 80]) == [0, 40, 80]
    assert decode_times([0, 120, 40, 80]) == [-40, 0, 40, 80]


def video(pts: list[int], key: list[int]) -> Track:
    track = Track(0, "video", Fraction(1, 25))
    track.pts, track.key = array("q", pts), bytearray(key)
    return track


def test_a_key_frame_followed_by_leading_pictures_is_not_closed() -> None:
    closed = video([0, 2, 1, 3, 5, 4], [1, 0, 0, 1, 0, 0])
    leading = video([0, 2, 1, 5, 3, 4], [1, 0, 0, 1, 0, 0])
    assert closed_points(closed) == [0, 3]
    assert closed_points(leading) == [0]


def test_a_key_frame_before_the_end_of_what_precedes_it_is_not_closed() -> None:
    assert closed_points(video([0, 4, 2, 3], [1, 0, 1, 0])) == [0]
