"""The two APIs, each used alone and without a client library, to store and to read media."""

import uuid
from collections.abc import Iterator, Sequence
from fractions import Fraction
from functools import cache
from typing import Any, Protocol

import httpx

from tams_graphql.client.assemble import SegmentMedia, TrackMedia
from tams_graphql.client.split import Container, MediaObject
from tams_graphql.timeline import TimeRange, format_timestamp, parse_timestamp

Json = dict[str, Any]
Place = tuple[str, str, str]
"""An allocated object: its id, where its bytes go, and with which content type."""

SIZE = (320, 180)
RATE = 25
CODECS = {"video": "video/h264", "audio": "audio/aac"}


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
            codec=CODECS[kind],
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

    def essence(self, kind: str, container: Container) -> Json:
        essence: Json = {"sampleRate": 48_000, "channels": 2}
        if kind == "video":
            rate = {"numerator": RATE}
            essence = {"frameWidth": SIZE[0], "frameHeight": SIZE[1], "frameRate": rate}
        return essence | ({"initSegments": True} if container.has_init else {})

    def put_flow(self, flow_id: str, kind: str, container: Container) -> None:
        self.mutate(
            "putFlow",
            "created",
            flowId=flow_id,
            codec=CODECS[kind],
            container=mime_type(kind, container),
            essence={kind: self.essence(kind, container)},
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
