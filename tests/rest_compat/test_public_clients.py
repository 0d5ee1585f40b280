"""Pins what the public TAMS example clients (ingest, edit, outgest) send and rely on.

1. The flow, storage and segments go in as JSON with credentials of whatever kind; segments go
   one by one, and only the status of an answer is looked at.
2. Bytes go to `put_url` with its content-type, and come from the first of `get_urls`; both
   without credentials, and with URLs that the HTTP library has quoted anew.
3. Segments are read by timerange alone, and `Link` is followed until there is none.
"""

import uuid
from collections.abc import Iterator, Sequence
from typing import Any

import httpx
import pytest
from mediatimestamp.immutable import TimeRange, Timestamp

from tests.rest_compat.stories import video
from tests.support.processes import tams

Json = dict[str, Any]
Outgest = list[tuple[str, str, bytes]]
"""Timerange, `ts_offset` and bytes of each segment."""
LOOSE_IN_QUERIES = {"%2F": "/", "%3A": ":", "%28": "(", "%29": ")", "%2C": ","}
DETAILS = {"bit_depth": 8, "interlace_mode": "progressive", "component_type": "YCbCr"}
SUBSAMPLING = {"horiz_chroma_subs": 2, "vert_chroma_subs": 2}
BASIC, BEARER = "Basic ZGVtbzpkZW1v", "Bearer issued-elsewhere"


def quoted_anew(url: str) -> str:
    """`url` as clients send it whose library decodes what a query need not encode."""
    for encoded, character in LOOSE_IN_QUERIES.items():
        url = url.replace(encoded, character)
    return url


def ends(segment: Json) -> tuple[Timestamp, Timestamp]:
    timerange = TimeRange.from_str(segment["timerange"])
    assert isinstance(timerange.start, Timestamp)
    assert isinstance(timerange.end, Timestamp)
    return timerange.start, timerange.end


class ExampleClient:
    """The habits of the examples, which read and write times by the same library."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.headers = {"Content-Type": "application/json", "Authorization": BASIC}
        self.http = httpx.Client(headers={"User-Agent": "aiohttp", "Accept": "*/*"}, timeout=30)

    def send(self, method: str, path: str, body: Json | None = None) -> httpx.Response:
        """A request with JSON or without any body: the content type is declared either way."""
        url = path if path.startswith("http") else self.url + path
        return self.http.request(method, quoted_anew(url), headers=self.headers, json=body)

    def put_flow(self, **members: Any) -> str:
        flow = video(str(uuid.uuid4()), str(uuid.uuid4()), label="Example", **members)
        flow["essence_parameters"] |= DETAILS | SUBSAMPLING
        self.send("PUT", f"/flows/{flow['id']}", flow).raise_for_status()
        return str(flow["id"])

    def storage(self, flow_id: str, limit: int) -> Iterator[Json]:
        """Objects to fill, asked for in batches for as long as they are needed."""
        while True:
            answer = self.send("POST", f"/flows/{flow_id}/storage", {"limit": limit})
            yield from answer.raise_for_status().json()["media_objects"]

    def upload(self, allocated: Json, data: bytes) -> None:
        put_url = allocated["put_url"]
        headers = {"Content-Type": put_url["content-type"]}
        self.http.put(quoted_anew(put_url["url"]), content=data, headers=headers).raise_for_status()

    def register(self, flow_id: str, object_id: str, **members: Any) -> httpx.Response:
        body = {"object_id": object_id, **members}
        return self.send("POST", f"/flows/{flow_id}/segments", body)

    def ingest(self, parts: Sequence[tuple[str, bytes]], limit: int, **members: Any) -> str:
        """A flow of these timeranges and bytes."""
        flow_id = self.put_flow()
        for (timerange, data), allocated in zip(parts, self.storage(flow_id, limit), strict=False):
            self.upload(allocated, data)
            posted = {"timerange": timerange} | members
            self.register(flow_id, allocated["object_id"], **posted).raise_for_status()
        return flow_id

    def page(self, flow_id: str, timerange: str = "_") -> list[Json]:
        answer = self.send("GET", f"/flows/{flow_id}/segments?timerange={timerange}")
        found: list[Json] = answer.raise_for_status().json()
        return found

    def edit(self, first: str, second: str) -> str:
        """A flow of all segments of `first` where they are, and those of `second` behind them."""
        flow_id = self.put_flow(tags={})
        segments = self.page(first)
        for segment in segments:
            members = {"timerange": segment["timerange"]}
            self.register(flow_id, segment["object_id"], **members).raise_for_status()
        _, behind = ends(segments[-1])
        segments = self.page(second)
        shift = behind - ends(segments[0])[0]
        for segment in segments:
            ts_offset = Timestamp.from_str(segment["ts_offset"]) + shift
            start, end = ends(segment)
            members = {"timerange": f"[{start + shift}_{end + shift})", "ts_offset": str(ts_offset)}
            self.register(flow_id, segment["object_id"], **members).raise_for_status()
        return flow_id

    def outgest(self, flow_id: str, timerange: str = "_") -> Outgest:
        """What the flow holds in a timerange, over all pages."""
        flow = self.send("GET", f"/flows/{flow_id}").raise_for_status().json()
        assert (flow["format"], flow["container"]) == ("urn:x-nmos:format:video", "video/mp2t")
        assert flow["essence_parameters"]["frame_rate"]["numerator"] == 25
        assert "container_mapping" not in flow
        found: Outgest = []
        url = f"/flows/{flow_id}/segments?timerange={timerange}"
        while url:
            answer = self.send("GET", url).raise_for_status()
            for segment in answer.json():
                assert not {"sample_offset", "sample_count"} & set(segment)
                data = self.http.get(quoted_anew(segment["get_urls"][0]["url"])).raise_for_status()
                found.append((segment["timerange"], segment["ts_offset"], data.content))
            url = answer.links.get("next", {}).get("url", "")
        return found


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with tams(tmp_path_factory.mktemp("clients") / "data") as server:
        yield server.url


@pytest.fixture
def client(url: str) -> Iterator[ExampleClient]:
    client = ExampleClient(url)
    with client.http:
        yield client


TAKE = [(f"[{s}:66666666_{s + 2}:66666666)", b"G" + bytes([s]) * 187) for s in (0, 2, 4)]


@pytest.mark.parametrize("members", [{}, {"ts_offset": "0:0"}], ids=["no offset", "offset"])
@pytest.mark.parametrize("credentials", [BASIC, BEARER], ids=["basic", "oauth2"])
def test_two_flows_are_ingested_joined_and_read_back(
    client: ExampleClient, credentials: str, members: Json
) -> None:
    client.headers["Authorization"] = credentials
    first = client.ingest(TAKE[:2], 2, **members)
    second = client.ingest(TAKE, 2, **members)
    joined = client.edit(second, first)
    (a, b, c) = [(timerange, "0:0", data) for timerange, data in TAKE]
    assert client.outgest(first) == [a, b]
    assert client.outgest(joined) == [
        *(a, b, c),
        ("[6:66666666_8:66666666)", "6:0", a[2]),
        ("[8:66666666_10:66666666)", "6:0", b[2]),
    ]
    assert client.outgest(joined, "%5B4:66666666_6:66666666)") == [c]
    assert client.outgest(joined, "(2:66666666_2:66666667%5D") == [b]


def test_pages_are_followed_by_link_within_the_timerange(client: ExampleClient) -> None:
    flow_id = client.put_flow()
    allocated = next(client.storage(flow_id, 1))
    client.upload(allocated, b"one second")
    ranges = [f"[{second}:0_{second + 1}:0)" for second in range(104)]
    for second, timerange in enumerate(ranges):
        members = {"timerange": timerange, "ts_offset": f"{second}:0"}
        client.register(flow_id, allocated["object_id"], **members).raise_for_status()
    found = client.outgest(flow_id, "%5B1:0_103:0)")
    assert [timerange for timerange, _, _ in found] == ranges[1:103]
    assert {data for _, _, data in found} == {b"one second"}


def test_cuts_within_an_object_keep_their_samples(client: ExampleClient) -> None:
    source = client.ingest([("[100:0_102:0)", b"fifty frames")], 30, ts_offset="100:0")
    (segment,) = client.page(source, "%5B100:0_108:0)")
    tags = {"_copy_edit_mode": "interval", "_copy_edit_interval": "0:400000000"}
    cut = client.put_flow(tags=tags)
    names = ("timerange", "ts_offset", "sample_offset", "sample_count")
    cuts = [
        ("[0:0_0:400000000)", "-1:600000000", 40, 10),
        ("[0:400000000_2:0)", "0:0", 10, 40),
    ]
    for values in cuts:
        members = dict(zip(names, values, strict=True))
        client.register(cut, segment["object_id"], **members).raise_for_status()
    assert [tuple(segment[name] for name in names) for segment in client.page(cut)] == cuts
    assert client.send("GET", f"/flows/{cut}").json()["tags"] == tags


def test_a_refused_segment_is_told_by_the_status(client: ExampleClient) -> None:
    flow_id = client.ingest(TAKE[:1], 1)
    allocated = next(client.storage(flow_id, 1))
    client.upload(allocated, b"again")
    refused = client.register(flow_id, allocated["object_id"], timerange="[0:0_1:0)")
    assert refused.status_code == 400
    assert client.outgest(flow_id) == [(TAKE[0][0], "0:0", TAKE[0][1])]
