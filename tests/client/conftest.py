"""The films that all tests of the client share, each made and decoded once."""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import pytest

from tams_graphql.client.film import FilmFormat, make_film
from tams_graphql.client.tams import Server
from tests.support.processes import tams

from . import media


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("films")


@pytest.fixture(scope="session")
def minute(folder: Path) -> media.Film:
    """60 s at 25 pictures per second, key frames every 2 s, B-frames, AAC at 48 kHz."""
    path = folder / "minute.mp4"
    made = FilmFormat(Fraction(60), 320, 180, key_frame_s=Fraction(2), preset="ultrafast")
    make_film(path, made)
    return media.film(path, Fraction(25))


@pytest.fixture(scope="session")
def ntsc(folder: Path) -> media.Film:
    """8 s at 30000/1001 pictures per second."""
    path = folder / "ntsc.mp4"
    rate = Fraction(30_000, 1001)
    make_film(path, FilmFormat(Fraction(8), 320, 180, rate=rate, key_frame_s=Fraction(1)))
    return media.film(path, rate)


@pytest.fixture(scope="session")
def cinema(folder: Path) -> media.Film:
    """8 s at 24000/1001 pictures per second and 44.1 kHz: no whole number of 90 kHz ticks."""
    path = folder / "cinema.mp4"
    rate = Fraction(24_000, 1001)
    made = FilmFormat(Fraction(8), 320, 180, rate, key_frame_s=Fraction(1), sample_rate=44_100)
    make_film(path, made)
    return media.film(path, rate, 44_100)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A real server process; tests keep apart by the ids of what they ingest."""
    with tams(tmp_path_factory.mktemp("server") / "data") as process:
        yield Server(process.url, backoff_s=0.01)
