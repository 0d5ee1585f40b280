"""Real media through a real server: any timerange decodes to exactly the film's own pictures.

A minute of H.264 with B-frames and AAC is stored as a video, an audio and a multi flow, once by
nothing but REST requests and once by nothing but GraphQL, as MPEG-TS and as fragmented MP4 with
initialisation objects. What is asked back never begins or ends where anything was cut.
"""

import re
import subprocess
import sys
import uuid
from collections.abc import Iterator, Sequence
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any, Protocol

import httpx
import pytest

from tams_graphql.client.assemble import SegmentMedia, TrackMedia, assemble
from tams_graphql.client.export import export
from tams_graphql.client.film import FilmFormat, make_film
from tams_graphql.client.split import Container, MediaObject
from tams_graphql.client.tams import Server
from tams_graphql.timeline import ETERNITY, TimeRange, format_timestamp, parse_timestamp
from tests.client import media
from tests.support.processes import TamsProcess, tams

Json = dict[str, Any]
Place = tuple[str, str, str]
"""An allocated object: its id, where its bytes go, and with which content type."""

ORIGIN = 1_694_429_247 * 10**9
SIZE = (320, 180)
RATE = 25
CUTS = (
    (13_333_333_333, 21_777_777_777),  # over three segments
    (7_110_000_000, 7_470_000_001),  # inside one group of pictures, 9 pictures
    (29_999_999_999, 52_013_000_000),  # a nanosecond before a key frame that begins no segment
    (12_000_000_000, 12_040_000_000),  # one picture; its sound begins in the segment before
    (-5_000_000_000, 1_020_000_000),  # from before the beginning
    (57_001_000_000, 90_000_000_000),  # to beyond the end
)


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> media.Film:
    path = tmp_path_factory.mktemp("film") / "minute.mp4"
    make_film(path, FilmFormat(Fraction(60), *SIZE, Fraction(RATE), preset="ultrafast"))
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


class Face(Protocol):
    """One of the two APIs, used alone, as a client without a library would."""

    def put_flow(self, flow_id: str, kind: str, container: Container) -> None: ...

    def collect(self, flow_id: str, flow_ids: dict[str, str]) -> None: ...

    def allocate(self, flow_id: str, count: int) -> list[Place]: ...

    def register(
        self, flow_id: str, object_ids: Sequence[str], items: Sequence[MediaObject], init: str
    ) -> None: ...

    def read(self, multi_id: str, wanted: TimeRange) -> list[TrackMedia]: ...


class Rest:
    """TAMS 8.2 as the specification has it."""

    def __init__(self, http: httpx.Client) -> None:
        self._http = http

    def put_flow(self, flow_id: str, kind: str, container: Container) -> None:
        essence: Json = {"sample_rate": 48_000, "channels": 2}
        if kind == "video":
            rate = {"numerator": RATE, "denominator": 1}
            essence = {"frame_width": SIZE[0], "frame_height": SIZE[1], "frame_rate": rate}
        self._put(
            flow_id,
            f"urn:x-nmos:format:{kind}",
            codec="video/h264" if kind == "video" else "audio/aac",
            container=mime_type(kind, container),
            essence_parameters=essence | ({"init_segments": True} if container.has_init else {}),
        )

    def collect(self, flow_id: str, flow_ids: dict[str, str]) -> None:
        collection = [{"id": one, "role": kind} for kind, one in flow_ids.items()]
        self._put(flow_id, "urn:x-nmos:format:multi", flow_collection=collection)

    def _put(self, flow_id: str, urn: str, **more: object) -> None:
        body = {"id": flow_id, "source_id": str(uuid.uuid4()), "format": urn, **more}
        assert self._http.put(f"/flows/{flow_id}", json=body).status_code == 201

    def allocate(self, flow_id: str, count: int) -> list[Place]:
        answer = self._http.post(f"/flows/{flow_id}/storage", json={"limit": count})
        assert answer.status_code == 201
        return [
            (one["object_id"], one["put_url"]["url"], one["put_url"]["content-type"])
            for one in answer.json()["media_objects"]
        ]

    def register(
        self, flow_id: str, object_ids: Sequence[str], items: Sequence[MediaObject], init: str
    ) -> None:
        posts = [
            {
                "object_id": object_id,
                "timerange": str(item.cut.timerange),
                "ts_offset": format_timestamp(item.ts_offset_ns),
                "key_frame_count": item.key_frame_count,
                **({"init_object_id": init} if init else {}),
            }
            for object_id, item in zip(object_ids, items, strict=True)
        ]
        assert self._http.post(f"/flows/{flow_id}/segments", json=posts).status_code == 201

    def read(self, multi_id: str, wanted: TimeRange) -> list[TrackMedia]:
        multi = self._http.get(f"/flows/{multi_id}").json()
        assert [one["role"] for one in multi["flow_collection"]] == ["video", "audio"]
        return [self._track(one["id"], wanted) for one in multi["flow_collection"]]

    def _track(self, flow_id: str, wanted: TimeRange) -> TrackMedia:
        flow = self._http.get(f"/flows/{flow_id}").json()
        rate = flow["essence_parameters"].get("frame_rate")
        return track(
            flow["format"].rpartition(":")[2],
            rate,
            [
                segment(
                    one["timerange"],
                    one["ts_offset"],
                    one.get("init_object", {}).get("get_urls", []),
                    one["get_urls"],
                )
                for one in self._segments(f"/flows/{flow_id}/segments", wanted)
            ],
        )

    def _segments(self, path: str, wanted: TimeRange) -> Iterator[Json]:
        page = self._http.get(path, params={"timerange": str(wanted), "limit": "2"})
        while True:
            yield from page.json()
            if "next" not in page.links:
                return
            page = self._http.get(page.links["next"]["url"])


READ = """
query Read($id: UUID!, $wanted: TimeRange!) {
  flow(flowId: $id) {
    flowCollection {
      role
      flow {
        format
        ... on VideoFlow { essenceParameters { frameRate { numerator denominator } } }
        segments(timerange: $wanted) {
          nodes {
            timerange
            tsOffset
            getUrls { url }
            initObject { getUrls { url } }
          }
          pageInfo { hasNextPage }
        }
      }
    }
  }
}
"""


class Graphql:
    """The same by mutations, and everything that an export needs by one query."""

    def __init__(self, http: httpx.Client) -> None:
        self._http = http

    def ask(self, document: str, **variables: object) -> Json:
        body = {"query": document, "variables": variables}
        answer = self._http.post("/graphql", json=body).raise_for_status().json()
        assert "errors" not in answer, answer
        found: Json = answer["data"]
        return found

    def mutate(self, name: str, wanted: str, **given: object) -> Json:
        kind = name[0].upper() + name[1:] + "Input!"
        ask = f"mutation M($input: {kind}) {{ {name}(input: $input) {{ {wanted} errors {{ code"
        payload: Json = self.ask(ask + " field message } } }", input=given)[name]
        assert payload["errors"] == []
        return payload

    def put_flow(self, flow_id: str, kind: str, container: Container) -> None:
        essence: Json = {"sampleRate": 48_000, "channels": 2}
        if kind == "video":
            rate = {"numerator": RATE}
            essence = {"frameWidth": SIZE[0], "frameHeight": SIZE[1], "frameRate": rate}
        self.mutate(
            "putFlow",
            "created",
            flowId=flow_id,
            codec="video/h264" if kind == "video" else "audio/aac",
            container=mime_type(kind, container),
            essence={kind: essence | ({"initSegments": True} if container.has_init else {})},
        )

    def collect(self, flow_id: str, flow_ids: dict[str, str]) -> None:
        collection = [{"flowId": one, "role": kind} for kind, one in flow_ids.items()]
        self.mutate(
            "putFlow", "created", flowId=flow_id, essence={"multi": {}}, flowCollection=collection
        )

    def allocate(self, flow_id: str, count: int) -> list[Place]:
        wanted = "objects { objectId upload { url contentType } }"
        payload = self.mutate("allocateStorage", wanted, flowId=flow_id, count=count)
        return [
            (one["objectId"], one["upload"]["url"], one["upload"]["contentType"])
            for one in payload["objects"]
        ]

    def register(
        self, flow_id: str, object_ids: Sequence[str], items: Sequence[MediaObject], init: str
    ) -> None:
        posts = [
            {
                "objectId": object_id,
                "timerange": str(item.cut.timerange),
                "tsOffset": format_timestamp(item.ts_offset_ns),
                "keyFrameCount": item.key_frame_count,
                "initObjectId": init or None,
            }
            for object_id, item in zip(object_ids, items, strict=True)
        ]
        wanted = "registeredCount failed { index errors { message } }"
        payload = self.mutate("registerSegments", wanted, flowId=flow_id, segments=posts)
        assert (payload["registeredCount"], payload["failed"]) == (len(items), [])

    def read(self, multi_id: str, wanted: TimeRange) -> list[TrackMedia]:
        data = self.ask(READ, id=multi_id, wanted=str(wanted))
        collection = data["flow"]["flowCollection"]
        assert [one["role"] for one in collection] == ["video", "audio"]
        return [self._track(one["flow"]) for one in collection]

    def _track(self, flow: Json) -> TrackMedia:
        assert flow["segments"]["pageInfo"] == {"hasNextPage": False}
        return track(
            flow["format"].lower(),
            flow.get("essenceParameters", {}).get("frameRate"),
            [
                segment(
                    one["timerange"],
                    one["tsOffset"],
                    (one["initObject"] or {}).get("getUrls", []),
                    one["getUrls"],
                )
                for one in flow["segments"]["nodes"]
            ],
        )


def mime_type(kind: str, container: Container) -> str:
    return f"{kind}/mp4" if container.has_init else "video/mp2t"


def track(kind: str, rate: Json | None, segments: list[SegmentMedia]) -> TrackMedia:
    known = rate and Fraction(rate["numerator"], rate.get("denominator") or 1)
    return TrackMedia(kind, segments, known or None)


def segment(timerange: str, ts_offset: str, *get_urls: list[Json]) -> SegmentMedia:
    """One that is to be read from its initialisation object's URLs, if any, then its own."""
    data = b"".join(download(urls[0]["url"]) for urls in get_urls if urls)
    return SegmentMedia(TimeRange.parse(timerange), parse_timestamp(ts_offset), data)


@cache
def download(url: str) -> bytes:
    return httpx.get(url).raise_for_status().content


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
        # A decoder of sound needs a moment of what comes before.
        tracks = face.read(stored["multi"], on_timeline(start - 250_000_000, end))
        made = assemble(tracks, on_timeline(start, end), tmp_path / "cut.mp4")
        expected = media.within(film.pictures, start, end)
        zero = expected[0][0]
        assert made.start_ns == ORIGIN + zero
        assert media.pictures_of(made.path) == [(at - zero, pixels) for at, pixels in expected]
        at, samples = media.sound_of(made.path)
        first = zero * 48 // 10**6
        # The last packet comes whole: FFmpeg does not cut it at the end of the edit list.
        wanted = (min(end, 60 * 10**9) - zero) * 48 // 10**6
        assert at == 0
        assert wanted <= len(samples) <= wanted + 1025
        assert media.farthest(samples, film.samples[first : first + len(samples)]) < 1e-4


def test_everything_comes_back_to_the_last_sample(
    face: Face, stored: dict[str, str], film: media.Film, tmp_path: Path
) -> None:
    made = assemble(face.read(stored["multi"], ETERNITY), ETERNITY, tmp_path / "all.mp4")
    assert media.pictures_of(made.path) == film.pictures
    assert media.sound_of(made.path) == (0, film.samples)


def test_each_api_reads_what_the_other_wrote(stored: dict[str, str], http: httpx.Client) -> None:
    wanted = on_timeline(*CUTS[0])
    rest, graphql = (
        Rest(http).read(stored["multi"], wanted),
        Graphql(http).read(stored["multi"], wanted),
    )
    assert rest == graphql
    assert [len(one.segments) for one in rest] == [3, 3]


COMPOSE = (3_200_000_000, 7_700_000_000), (20_040_000_000, 22_000_000_000)


async def test_a_flow_composed_of_clips_plays_their_pictures(
    stored: dict[str, str], http: httpx.Client, film: media.Film, tmp_path: Path
) -> None:
    payload = Graphql(http).mutate(
        "composeFlow",
        "flow { flowId timerange { timerange } segments { nodes { timerange } } }",
        codec="video/h264",
        container="video/mp2t",
        essence={"video": {"frameWidth": 320, "frameHeight": 180, "frameRate": {"numerator": 25}}},
        clips=[
            {"flowId": stored["video"], "timerange": str(on_timeline(*clip))} for clip in COMPOSE
        ],
    )
    flow = payload["flow"]
    assert flow["timerange"] == {"timerange": "[0:0_6:460000000)"}
    made = await export(Server(str(http.base_url)), flow["flowId"], ETERNITY, tmp_path / "cut.mp4")
    (first, second) = (media.within(film.pictures, *clip) for clip in COMPOSE)
    assert media.pictures_of(made.path) == [
        *((at - 3_200_000_000, pixels) for at, pixels in first),
        *((at - 20_040_000_000 + 4_500_000_000, pixels) for at, pixels in second),
    ]
