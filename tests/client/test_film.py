"""The test film: what demonstrations show and the other tests here rely on."""

from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av

from tams_graphql.client.film import FilmFormat, make_film

from . import media


def test_every_picture_is_there_at_its_time_and_differs_from_every_other(
    minute: media.Film,
) -> None:
    assert [at for at, _ in minute.pictures] == [n * 40_000_000 for n in range(1500)]
    assert len({pixels for _, pixels in minute.pictures}) == 1500


def test_pictures_are_reordered_and_refer_to_later_ones(minute: media.Film) -> None:
    with av.open(str(minute.path)) as container:
        pts = [packet.pts for packet in container.demux(video=0) if packet.size]
    assert any(after < before for before, after in pairwise(pts))


def test_a_proxy_shows_the_same_pictures_at_a_quarter_of_the_width(tmp_path: Path) -> None:
    main, small = tmp_path / "film.mp4", tmp_path / "proxy.mp4"
    make_film(main, FilmFormat(Fraction(1), 640, 360), small)
    with av.open(str(small)) as container:
        assert len(container.streams) == 1
        video = container.streams.video[0]
        assert (video.width, video.height) == (160, 90)
        assert [frame.pts * frame.time_base for frame in container.decode(video)] == [
            Fraction(n, 25) for n in range(25)
        ]


def test_the_same_film_made_again_is_the_same_file(tmp_path: Path) -> None:
    for name in ("one.mp4", "other.mp4"):
        make_film(tmp_path / name, FilmFormat(Fraction(3), 320, 180))
    assert (tmp_path / "one.mp4").read_bytes() == (tmp_path / "other.mp4").read_bytes()
