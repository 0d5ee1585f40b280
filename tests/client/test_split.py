"""Splitting: contiguous timeranges, exact to the nanosecond, and objects that say the same."""

from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import pytest

from tams_graphql.client.assemble import assemble
from tams_graphql.client.errors import MediaError
from tams_graphql.client.packets import closed_points, read_tracks
from tams_graphql.client.split import Container, objects, plan, zero_of
from tams_graphql.timeline import ETERNITY, TimeRange

from . import media

CONTAINERS = list(Container)


def object_pictures(item_bytes: bytes, path: Path) -> list[media.Picture]:
    path.write_bytes(item_bytes)
    return media.pictures_of(path)


@pytest.mark.parametrize("container", CONTAINERS)
def test_segments_cover_the_film_without_gap_or_overlap(
    minute: media.Film, container: Container
) -> None:
    parts = media.split(minute.path, container)
    ranges = [str(cut.timerange) for cut in parts["video"].cuts]
    assert ranges == [f"[{n}:0_{n + 4}:0)" for n in range(0, 60, 4)]
    for part in parts.values():
        assert part.cuts[0].timerange.start_ns == 0
        assert part.cuts[-1].timerange.end_ns == 60_000_000_000
        for one, after in pairwise(part.cuts):
            assert one.timerange.end_ns == after.timerange.start_ns


def test_sound_is_cut_at_the_first_packet_after_each_cut_of_the_pictures(
    minute: media.Film,
) -> None:
    parts = media.split(minute.path, Container.FMP4)
    starts = [cut.timerange.start_ns for cut in parts["audio"].cuts]
    # 187.5 packets of 1024 samples in 4 s: the next whole packet, to the nearest nanosecond.
    assert starts[:3] == [0, round(Fraction(188 * 1024 * 10**9, 48_000)), 8_000_000_000]


@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize("name", ["minute", "ntsc", "cinema"])
def test_ts_offset_brings_the_first_picture_of_an_object_back_to_the_nanosecond(
    name: str, container: Container, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    film: media.Film = request.getfixturevalue(name)
    shown = iter(film.pictures)
    # 90 kHz ticks, and pts rounded to nanoseconds by the reader in this test.
    tick = 11_112 if container is Container.TS and name == "cinema" else 2
    for item in media.split(film.path, container, 2)["video"].objects:
        pictures = object_pictures((item.init or b"") + item.data, tmp_path / "object")
        assert pictures[0][0] + item.ts_offset_ns == item.cut.timerange.start_ns
        for at, pixels in pictures:
            expected_at, expected_pixels = next(shown)
            assert pixels == expected_pixels
            assert abs(at + item.ts_offset_ns - expected_at) <= tick
    assert next(shown, None) is None


def test_objects_continue_each_other_on_one_clock(minute: media.Film) -> None:
    for container in CONTAINERS:
        parts = media.split(minute.path, container)
        for part in parts.values():
            assert {item.ts_offset_ns for item in part.objects} == {-10_000_000_000}
            assert part.objects[1].object_timerange == part.cuts[1].timerange.shifted(10 * 10**9)


def test_all_objects_of_a_track_share_one_initialisation_object(minute: media.Film) -> None:
    for part in media.split(minute.path, Container.FMP4).values():
        inits = {item.init for item in part.objects}
        assert len(inits) == 1
        assert all(item.data[4:8] == b"moof" for item in part.objects)


def test_priming_samples_are_kept_but_lie_before_the_first_segment(minute: media.Film) -> None:
    part = media.split(minute.path, Container.FMP4)["audio"]
    assert min(part.track.pts) == -1024
    assert str(part.cuts[0].timerange).startswith("[0:0_")


def test_the_origin_may_be_an_instant_of_real_time(ntsc: media.Film) -> None:
    origin = 1_694_429_247_040_000_000
    parts = media.split(ntsc.path, Container.TS, origin_ns=origin)
    assert parts["video"].cuts[0].timerange.start_ns == origin
    item = parts["video"].objects[0]
    assert item.ts_offset_ns == origin - 10_000_000_000


def test_last_duration_is_the_length_of_the_last_picture(minute: media.Film) -> None:
    objects_ = media.split(minute.path, Container.TS)["video"].objects
    assert {item.last_duration_ns for item in objects_} == {40_000_000}
    assert {item.key_frame_count for item in objects_} == {2}


def test_unwanted_cuts_are_passed_over(minute: media.Film) -> None:
    (track,) = [track for track in read_tracks(minute.path) if track.kind == "video"]
    zero = zero_of([track])
    cuts = plan(track, zero=zero)
    wanted = [n in {3, 14} for n in range(len(cuts))]
    made = objects(minute.path, track, cuts, container=Container.TS, zero=zero, wanted=wanted)
    assert [str(item.cut.timerange) for item in made] == ["[12:0_16:0)", "[56:0_60:0)"]


def test_a_key_frame_with_leading_pictures_is_no_place_to_cut(tmp_path: Path) -> None:
    path = tmp_path / "open.mkv"
    open_groups = {"x265-params": "open-gop=1:keyint=10:min-keyint=10:scenecut=0:log-level=none"}
    encode_pictures(path, "libx265", open_groups)
    (track,) = read_tracks(path)
    keys = [n for n, key in enumerate(track.key) if key]
    assert len(keys) > 2, "the encoder made no open groups of pictures"
    assert closed_points(track) == [0]
    assert [cut.timerange for cut in plan(track, zero=zero_of([track]), seconds=Fraction(1))] == [
        TimeRange(0, 2_000_000_000)
    ]


@pytest.mark.parametrize("container", CONTAINERS)
def test_every_object_decodes_alone_even_if_it_begins_with_no_idr_picture(
    container: Container, tmp_path: Path
) -> None:
    path = tmp_path / "open.mp4"
    encode_pictures(path, "libx264", {"g": "10", "bf": "2", "x264-params": "open-gop=1"})
    (part,) = media.split(path, container, 1).values()
    assert len(part.objects) == 2
    pictures = [
        pixels
        for item in part.objects
        for _, pixels in object_pictures((item.init or b"") + item.data, tmp_path / "object")
    ]
    assert pictures == [pixels for _, pixels in media.pictures_of(path)]


@pytest.mark.parametrize("container", CONTAINERS)
def test_an_mpeg_ts_file_can_be_split_as_well(
    minute: media.Film, container: Container, tmp_path: Path
) -> None:
    path = tmp_path / "film.ts"
    tracks = media.stored(media.split(minute.path, Container.TS), minute.rate)
    assemble(tracks, TimeRange(4_000_000_000, 12_000_000_000), path)
    parts = media.split(path, container)
    assert [str(cut.timerange) for cut in parts["video"].cuts] == ["[0:0_4:0)", "[4:0_8:0)"]
    again = assemble(media.stored(parts, minute.rate), ETERNITY, tmp_path / "again.mp4")
    pictures = media.pictures_of(again.path)
    assert [pixels for _, pixels in pictures] == [pixels for _, pixels in minute.pictures[100:300]]


def test_a_codec_that_the_container_cannot_hold_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "pictures.mkv"
    encode_pictures(path, "ffv1", {})
    with pytest.raises(MediaError, match="ts objects cannot hold ffv1"):
        media.split(path, Container.TS)


def test_a_file_that_is_no_media_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("nothing to see")
    with pytest.raises(MediaError, match=r"cannot read notes\.txt"):
        read_tracks(path)


def encode_pictures(path: Path, codec: str, options: dict[str, str], count: int = 50) -> None:
    with av.open(str(path), "w") as out:
        stream = out.add_stream(codec, rate=25, options=options)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for number in range(count):
            frame = av.VideoFrame(64, 48, "yuv420p")
            for plane in frame.planes:
                plane.update(bytes([number * 5 % 256]) * plane.buffer_size)
            frame.pts, frame.time_base = number, Fraction(1, 25)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
