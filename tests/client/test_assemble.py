"""Export, the pure half: what comes out is exactly what went in, inside the timerange."""

import io
import random
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import pytest

from tams_graphql.client.assemble import SegmentMedia, TrackMedia, assemble
from tams_graphql.client.errors import MediaError, NoKeyFrameError
from tams_graphql.client.split import Container
from tams_graphql.timeline import ETERNITY, TimeRange

from . import media

CONTAINERS = list(Container)


def random_ranges(film: media.Film, count: int) -> list[TimeRange]:
    """Half of them at borders of pictures, half anywhere; up to 150 pictures long."""
    chance = random.Random(film.path.name)
    borders = [at for at, _ in film.pictures]
    ranges = []
    for number in range(count):
        first = chance.randrange(len(borders) - 1)
        stop = chance.randrange(first + 1, min(first + 150, len(borders)))
        start, end = borders[first], borders[stop]
        if number % 2:
            start, end = start + chance.randrange(10**7), end + chance.randrange(10**7)
        ranges.append(TimeRange(start, end))
    return ranges


@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize("name", ["minute", "ntsc", "cinema"])
def test_any_timerange_decodes_to_exactly_its_pictures_at_their_times(
    name: str, container: Container, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    film: media.Film = request.getfixturevalue(name)
    tracks = media.stored(media.split(film.path, container, 2), film.rate)
    # Instants that are no whole nanoseconds are rounded twice, on the way in and out.
    slack = 0 if name == "minute" else 1
    for wanted in random_ranges(film, 10):
        assert wanted.start_ns is not None
        assert wanted.end_ns is not None
        expected = media.within(film.pictures, wanted.start_ns, wanted.end_ns)
        if not expected:  # the range lies between two pictures
            continue
        made = assemble(tracks, wanted, tmp_path / "cut.mp4")
        got = media.pictures_of(made.path)
        assert [pixels for _, pixels in got] == [pixels for _, pixels in expected]
        for (at, _), (due, _) in zip(got, expected, strict=True):
            assert abs(at + made.start_ns - due) <= slack


@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize("name", ["minute", "cinema"])
def test_sound_of_a_cut_is_that_of_the_film_sample_by_sample(
    name: str, container: Container, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    film: media.Film = request.getfixturevalue(name)
    tracks = media.stored(media.split(film.path, container, 2), film.rate)
    for start, end in ((2_700_000_000, 5_300_000_000), (4_000_000_000, 6_000_000_000)):
        made = assemble(tracks, TimeRange(start, end), tmp_path / "cut.mp4")
        at, samples = media.sound_of(made.path)
        assert at == 0
        first = round(Fraction(made.start_ns * film.sample_rate, 10**9))
        whole = film.samples[first : first + len(samples)]
        # The last packet comes whole: FFmpeg does not cut it at the end of the edit list.
        wanted = (end - made.start_ns) * film.sample_rate // 10**9
        assert wanted <= len(samples) <= wanted + 1024 + 1
        assert media.farthest(samples, whole) < 1e-4


@pytest.mark.parametrize("container", CONTAINERS)
def test_the_whole_film_comes_back_packet_by_packet(
    minute: media.Film, container: Container, tmp_path: Path
) -> None:
    tracks = media.stored(media.split(minute.path, container), minute.rate)
    made = assemble(tracks, ETERNITY, tmp_path / "film.mp4")
    assert (made.start_ns, made.end_ns, made.tracks) == (0, 60_000_000_000, 2)
    assert media.pictures_of(made.path) == minute.pictures
    assert media.sound_of(made.path) == (0, minute.samples)


def test_without_a_known_rate_pictures_are_exact_and_times_within_a_tick(
    cinema: media.Film, tmp_path: Path
) -> None:
    tracks = media.stored(media.split(cinema.path, Container.TS, 2), None)
    wanted = TimeRange(cinema.pictures[31][0], cinema.pictures[77][0])
    made = assemble(tracks, wanted, tmp_path / "cut.mp4")
    got = media.pictures_of(made.path)
    assert [pixels for _, pixels in got] == [pixels for _, pixels in cinema.pictures[31:77]]
    for (at, _), (due, _) in zip(got, cinema.pictures[31:77], strict=True):
        assert abs(at + made.start_ns - due) <= 11_112


def test_one_track_can_be_exported_alone(minute: media.Film, tmp_path: Path) -> None:
    video, audio = media.stored(media.split(minute.path, Container.TS), minute.rate)
    wanted = TimeRange(10_100_000_000, 12_900_000_000)
    made = assemble([video], wanted, tmp_path / "silent.mp4")
    assert media.pictures_of(made.path) == [
        (at - 10_120_000_000, pixels) for at, pixels in minute.pictures[253:323]
    ]
    made = assemble([audio], wanted, tmp_path / "sound.m4a")
    assert made.start_ns == 10_100_000_000
    at, samples = media.sound_of(made.path)
    assert at == 0
    assert media.farthest(samples[:1000], minute.samples[484_800:485_800]) < 1e-4


def test_segments_may_reuse_parts_of_objects_in_another_order(
    minute: media.Film, tmp_path: Path
) -> None:
    """An edit by reference: two stretches of the film swapped, neither at a key frame."""
    (video, _) = media.stored(media.split(minute.path, Container.FMP4), minute.rate)
    later, earlier = video.segments[3], video.segments[0]
    cut = [
        # Film time 13.00 to 14.52 at the start of the new timeline, then 1.20 to 3.04.
        SegmentMedia(TimeRange(0, 1_520_000_000), -23_000_000_000, later.media),
        SegmentMedia(TimeRange(1_520_000_000, 3_360_000_000), -9_680_000_000, earlier.media),
    ]
    made = assemble([TrackMedia("video", cut, minute.rate)], ETERNITY, tmp_path / "edit.mp4")
    got = media.pictures_of(made.path)
    expected = [pixels for _, pixels in minute.pictures[325:363] + minute.pictures[30:76]]
    assert [pixels for _, pixels in got] == expected
    assert [at for at, _ in got] == [n * 40_000_000 for n in range(84)]


def test_a_gap_in_the_timeline_stays_a_gap(minute: media.Film, tmp_path: Path) -> None:
    (video, _) = media.stored(media.split(minute.path, Container.TS), minute.rate)
    holed = replace(video, segments=[video.segments[0], video.segments[2]])
    made = assemble([holed], ETERNITY, tmp_path / "gap.mp4")
    assert media.pictures_of(made.path) == minute.pictures[:100] + minute.pictures[200:300]


def test_a_gap_beside_cuts_inside_groups_of_pictures_shows_no_hidden_picture(
    minute: media.Film, tmp_path: Path
) -> None:
    (video, _) = media.stored(media.split(minute.path, Container.TS), minute.rate)
    cut = [
        SegmentMedia(TimeRange(0, 1_000_000_000), -10_480_000_000, video.segments[0].media),
        SegmentMedia(
            TimeRange(3_000_000_000, 4_000_000_000), -11_720_000_000, video.segments[1].media
        ),
    ]
    made = assemble([TrackMedia("video", cut, minute.rate)], ETERNITY, tmp_path / "gap.mp4")
    expected = [(at - 480_000_000, pixels) for at, pixels in minute.pictures[12:37]]
    expected += [(at - 1_720_000_000, pixels) for at, pixels in minute.pictures[118:143]]
    assert media.pictures_of(made.path) == expected


def test_pictures_that_begin_after_the_sound_keep_their_distance(
    minute: media.Film, tmp_path: Path
) -> None:
    video, audio = media.stored(media.split(minute.path, Container.TS), minute.rate)
    late = replace(video, segments=video.segments[1:3])
    made = assemble([late, audio], TimeRange(1_000_000_000, 9_000_000_000), tmp_path / "late.mp4")
    assert made.start_ns == 1_000_000_000
    assert media.pictures_of(made.path) == [
        (at - 1_000_000_000, pixels) for at, pixels in minute.pictures[100:225]
    ]
    at, samples = media.sound_of(made.path)
    assert at == 0
    assert media.farthest(samples[:48_000], minute.samples[48_000:96_000]) < 1e-4


def test_pictures_that_refer_to_a_missing_segment_are_refused(
    minute: media.Film, tmp_path: Path
) -> None:
    (video, _) = media.stored(media.split(minute.path, Container.TS), minute.rate)
    headless = headless_copy(video.segments[0])
    track = TrackMedia("video", [headless], minute.rate)
    with pytest.raises(NoKeyFrameError):
        assemble([track], TimeRange(500_000_000, 900_000_000), tmp_path / "cut.mp4")


def headless_copy(segment: SegmentMedia) -> SegmentMedia:
    """The same segment, its object without its first packet."""
    assert isinstance(segment.media, bytes)
    out_bytes = io.BytesIO()
    with (
        av.open(io.BytesIO(segment.media)) as source,
        av.open(out_bytes, "w", format="mpegts", options={"mpegts_copyts": "1"}) as out,
    ):
        stream = out.add_stream_from_template(source.streams.video[0])
        packets = [packet for packet in source.demux(video=0) if packet.size]
        for packet in packets[1:]:
            packet.stream = stream
            out.mux_one(packet)
    return replace(segment, media=out_bytes.getvalue())


@pytest.mark.parametrize("suffix", [".ts", ".mkv"])
def test_formats_without_edit_lists_take_cuts_at_closed_key_frames_only(
    minute: media.Film, suffix: str, tmp_path: Path
) -> None:
    tracks = media.stored(media.split(minute.path, Container.TS), minute.rate)
    path = tmp_path / f"cut{suffix}"
    assemble(tracks, TimeRange(4_000_000_000, 8_000_000_000), path)
    assert [pixels for _, pixels in media.pictures_of(path)] == [
        pixels for _, pixels in minute.pictures[100:200]
    ]
    with pytest.raises(MediaError, match="cannot hide"):
        assemble(tracks, TimeRange(4_040_000_000, 8_000_000_000), path)


@pytest.mark.parametrize("name", ["cut.webm", "cut"])
def test_a_suffix_that_stands_for_no_known_format_is_refused(
    minute: media.Film, name: str, tmp_path: Path
) -> None:
    tracks = media.stored(media.split(minute.path, Container.TS), minute.rate)
    with pytest.raises(MediaError, match=rf"cannot write {name}: its suffix must be \.mp4, "):
        assemble(tracks, TimeRange(4_000_000_000, 8_000_000_000), tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_a_change_of_coding_inside_the_range_is_refused(
    minute: media.Film, ntsc: media.Film, tmp_path: Path
) -> None:
    (one, _) = media.stored(media.split(minute.path, Container.FMP4), minute.rate)
    (other, _) = media.stored(media.split(ntsc.path, Container.FMP4, 8), ntsc.rate)
    moved = SegmentMedia(
        TimeRange(4_000_000_000, 12_000_000_000),
        other.segments[0].ts_offset_ns + 4_000_000_000,
        other.segments[0].media,
    )
    mixed = TrackMedia("video", [one.segments[0], moved])
    with pytest.raises(MediaError, match="coding changes"):
        assemble([mixed], ETERNITY, tmp_path / "mixed.mp4")


def test_a_track_that_objects_need_not_have_is_left_out(minute: media.Film, tmp_path: Path) -> None:
    (video, _) = media.stored(media.split(minute.path, Container.TS), minute.rate)
    silent = replace(video, kind="audio", frame_rate=None, required=False)
    wanted = TimeRange(0, 1_000_000_000)
    assert assemble([video, silent], wanted, tmp_path / "cut.mp4").tracks == 1
    with pytest.raises(MediaError, match="has no audio stream"):
        assemble([video, replace(silent, required=True)], wanted, tmp_path / "cut.mp4")


def test_a_timerange_without_media_is_refused(minute: media.Film, tmp_path: Path) -> None:
    tracks = media.stored(media.split(minute.path, Container.TS), minute.rate)
    with pytest.raises(MediaError, match="no media in"):
        assemble(tracks, TimeRange(70_000_000_000, 80_000_000_000), tmp_path / "no.mp4")
    assert list(tmp_path.iterdir()) == []
