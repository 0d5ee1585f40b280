"""Real media through a real server: any timerange decodes to exactly the film's own pictures.

A minute of H.264 with B-frames and AAC is stored as a video, an audio and a multi flow, once by
nothing but REST requests and once by nothing but GraphQL, as MPEG-TS and as fragmented MP4 with
initialisation objects, and asked back from and to instants at which hardly anything was cut.
"""

import re
import subprocess
import sys
import uuid
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import httpx
import pytest

from tams_graphql.client.assemble import assemble
from tams_graphql.client.export import export
from tams_graphql.client.film import FilmFormat, make_film
from tams_graphql.client.packets import read_tracks
from tams_graphql.client.split import Container
from tams_graphql.client.tams import Server
from tams_graphql.timeline import ETERNITY, TimeRange
from tests.client import media
from tests.support.faces import CODECS, RATE, SIZE, Face, Graphql, Rest, mime_type
from tests.support.processes import TamsProcess, tams

ORIGIN = 1_694_429_247 * 10**9
CUTS = (
    (13_333_333_333, 21_777_777_777),  # over three segments
    (7_110_000_000, 7_470_000_001),  # inside one group of pictures, 9 pictures
    (29_999_999_999, 52_013_000_000),  # a nanosecond before a key frame that begins no segment
    (8_000_000_000, 8_040_000_000),  # one picture, the first of a segment, like its sound
    (-5_000_000_000, 1_020_000_000),  # from before the beginning
    (57_001_000_000, 90_000_000_000),  # to beyond the end
)


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> media.Film:
    path = tmp_path_factory.mktemp("film") / "minute.mp4"
    key_frame_s = Fraction(2)
    make_film(
        path, FilmFormat(Fraction(60), *SIZE, Fraction(RATE), key_frame_s, preset="ultrafast")
    )
    video, audio = sorted(read_tracks(path), key=lambda one: one.index)
    assert list(video.pts) != sorted(video.pts), "there are no B-frames in it"
    assert audio.priming > 0, "its sound is no AAC with priming samples"
    made = media.film(path, Fraction(RATE))
    assert len({pixels for _, pixels in made.pictures}) == len(made.pictures) == 60 * RATE
    return made


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("server") / "data"


@pytest.fixture(scope="module")
def server(data: Path) -> Iterator[TamsProcess]:
    with tams(data) as process:
        yield process


@pytest.fixture(scope="module")
def http(server: TamsProcess) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, timeout=30) as client:
        yield client


def store(face: Face, http: httpx.Client, film: media.Film, container: Container) -> dict[str, str]:
    """Video, audio and a multi flow of the film, by one API; their ids by kind."""
    flow_ids: dict[str, str] = {}
    for kind, part in media.split(film.path, container, origin_ns=ORIGIN).items():
        flow_id = flow_ids[kind] = str(uuid.uuid4())
        face.put_flow(flow_id, kind, container)
        inits = sorted({item.init for item in part.objects if item.init is not None})
        contents = [*inits, *(item.data for item in part.objects)]
        allocated = face.allocate(flow_id, len(contents))
        for (_, url, content_type), content in zip(allocated, contents, strict=True):
            put = http.put(url, content=content, headers={"content-type": content_type})
            assert put.is_success
        object_ids = [object_id for object_id, _, _ in allocated]
        init_id = object_ids.pop(0) if inits else ""
        face.register(flow_id, object_ids, part.objects, init_id)
    multi_id = str(uuid.uuid4())
    face.collect(multi_id, flow_ids)
    return {**flow_ids, "multi": multi_id}


@pytest.fixture(scope="module", params=list(Container))
def container(request: pytest.FixtureRequest) -> Container:
    return Container(request.param)


@pytest.fixture(scope="module", params=[Rest, Graphql])
def face(request: pytest.FixtureRequest, http: httpx.Client) -> Face:
    made: Face = request.param(http)
    return made


@pytest.fixture(scope="module")
def stored(
    face: Face, http: httpx.Client, film: media.Film, container: Container
) -> dict[str, str]:
    return store(face, http, film, container)


def on_timeline(start_ns: int, end_ns: int) -> TimeRange:
    return TimeRange(ORIGIN + start_ns, ORIGIN + end_ns)


def test_any_timerange_is_exactly_the_films(
    face: Face, stored: dict[str, str], film: media.Film, tmp_path: Path
) -> None:
    for start, end in CUTS:
        # A decoder of sound needs a moment of what comes before, maybe from another segment.
        tracks = face.read(stored["multi"], on_timeline(start - 250_000_000, end))
        made = assemble(tracks, on_timeline(start, end), tmp_path / "cut.mp4")
        expected = media.within(film.pictures, start, end)
        zero = expected[0][0]
        assert made.start_ns == ORIGIN + zero
        assert media.pictures_of(made.path) == [(at - zero, pixels) for at, pixels in expected]
        assert_sound_of(film, made.path, zero, min(end, 60 * 10**9))


def assert_sound_of(film: media.Film, path: Path, start_ns: int, end_ns: int) -> None:
    """A file has the film's samples from the one instant to the other."""
    at, samples = media.sound_of(path)
    first, stop = (instant * 48 // 10**6 for instant in (start_ns, end_ns))
    assert at == 0
    # The last packet comes whole: FFmpeg does not cut it at the end of the edit list.
    assert stop - first <= len(samples) <= stop - first + 1025
    assert samples == film.samples[first : first + len(samples)]


def test_everything_comes_back_to_the_last_sample(
    face: Face, stored: dict[str, str], film: media.Film, tmp_path: Path
) -> None:
    made = assemble(face.read(stored["multi"], ETERNITY), ETERNITY, tmp_path / "all.mp4")
    assert media.pictures_of(made.path) == film.pictures
    assert_sound_of(film, made.path, 0, 60 * 10**9)


def test_each_api_reads_what_the_other_wrote(stored: dict[str, str], http: httpx.Client) -> None:
    wanted = on_timeline(*CUTS[0])
    rest, graphql = (
        Rest(http).read(stored["multi"], wanted),
        Graphql(http).read(stored["multi"], wanted),
    )
    assert rest == graphql
    assert [len(one.segments) for one in rest] == [3, 3]


async def test_a_flow_composed_of_clips_plays_their_pictures(
    stored: dict[str, str],
    container: Container,
    http: httpx.Client,
    film: media.Film,
    tmp_path: Path,
) -> None:
    graphql = Graphql(http)
    clips = (3_200_000_000, 7_700_000_000), (20_040_000_000, 22_000_000_000)
    composed = {}
    for kind in ("video", "audio"):
        payload = graphql.mutate(
            "composeFlow",
            "flow { flowId timerange { timerange } }",
            codec=CODECS[kind],
            container=mime_type(kind, container),
            essence={kind: graphql.essence(kind, container)},
            clips=[
                {"flowId": stored[kind], "timerange": str(on_timeline(*clip))} for clip in clips
            ],
        )
        assert payload["flow"]["timerange"] == {"timerange": "[0:0_6:460000000)"}
        composed[kind] = payload["flow"]["flowId"]
    multi_id = str(uuid.uuid4())
    graphql.collect(multi_id, composed)
    made = await export(Server(str(http.base_url)), multi_id, ETERNITY, tmp_path / "cut.mp4")
    assert media.pictures_of(made.path) == [
        *((at - 3_200_000_000, pixels) for at, pixels in media.within(film.pictures, *clips[0])),
        *((at - 15_540_000_000, pixels) for at, pixels in media.within(film.pictures, *clips[1])),
    ]
    at, samples = media.sound_of(made.path)
    assert at == 0
    assert samples[:216_000] == film.samples[153_600:369_600]
    # FFmpeg drops the packet in which an edit after the first begins, and plays the next at once.
    following = samples[216_064:]
    assert following == film.samples[940 * 1024 :][: len(following)]


def command(*arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "tams_graphql", *arguments],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return done.stdout


@pytest.mark.parametrize("container", list(Container))
def test_the_command_line_stores_once_and_exports_exactly(
    server: TamsProcess, data: Path, film: media.Film, container: Container, tmp_path: Path
) -> None:
    ingest = ("ingest", str(film.path), "--server", server.url, "--container", container.value)
    told = command(*ingest, "--seconds", "3", "--start", "100:0")
    assert told.count("(15 uploaded now)") == 2
    before = files_of(data / "media")
    assert command(*ingest, "--seconds", "3", "--start", "100:0") == told.replace("15 up", "0 up")
    assert files_of(data / "media") == before
    multi = re.search(r"multi  flow (\S+)", told)
    assert multi is not None
    cut = tmp_path / "cut.mp4"
    wanted = "[131:410000000_139:730000001)"
    told = command("export", multi[1], str(cut), "--server", server.url, "--timerange", wanted)
    assert told.startswith(f"wrote {cut}")
    expected = media.within(film.pictures, 31_410_000_000, 39_730_000_001)
    zero = expected[0][0]
    assert media.pictures_of(cut) == [(at - zero, pixels) for at, pixels in expected]
    assert_sound_of(film, cut, zero, 39_730_000_001)


def files_of(folder: Path) -> set[Path]:
    return {path for path in folder.rglob("*") if path.is_file()}
