"""Ingest into a real server over HTTP: complete, resumable, and never twice."""

from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import httpx
import pytest

from tams_graphql.client.errors import ClientError, RequestError
from tams_graphql.client.film import FilmFormat, make_film
from tams_graphql.client.ingest import IngestOptions, ingest
from tams_graphql.client.split import Container
from tams_graphql.client.tams import RemoteSegment, Server, TamsClient

from . import media

FMP4 = IngestOptions(container=Container.FMP4, segment_s=Fraction(1), batch=2)


class Counted(httpx.AsyncHTTPTransport):
    """The network; breaks for good after so many uploads, and counts them."""

    def __init__(self, breaks_after: int = 10**9) -> None:
        super().__init__()
        self.uploads: list[str] = []
        self._left = breaks_after

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if self._left <= 0:
            raise httpx.ConnectError("the cable is out", request=request)
        response = await super().handle_async_request(request)
        if request.method == "PUT" and "/flows/" not in request.url.path:
            self.uploads.append(str(request.url))
            self._left -= 1
        return response


async def segments_of(server: Server, flow_id: str) -> list[RemoteSegment]:
    async with TamsClient(server) as tams:
        return [item async for item in tams.segments(flow_id)]


async def test_flows_carry_the_films_facts_and_a_multi_flow_collects_them(
    server: Server, minute: media.Film
) -> None:
    options = IngestOptions(label="Minute", tags={"show": "test"}, generation=2)
    done = await ingest(minute.path, server, options)
    video, audio = done.flows
    assert [flow.role for flow in done.flows] == ["video", "audio"]
    assert [(flow.segments, flow.uploaded) for flow in done.flows] == [(15, 15), (15, 15)]
    assert done.multi_flow_id is not None
    async with TamsClient(server) as tams:
        multi = await tams.flow(done.multi_flow_id)
        flow = await tams.flow(video.flow_id)
    assert multi["flow_collection"] == [
        {"id": video.flow_id, "role": "video"},
        {"id": audio.flow_id, "role": "audio"},
    ]
    assert flow["label"] == "Minute (video)"
    assert flow["tags"] == {"show": "test"}
    assert flow["generation"] == 2
    assert flow["essence_parameters"]["frame_rate"] == {"numerator": 25, "denominator": 1}
    stored = await segments_of(server, video.flow_id)
    assert [str(item.timerange) for item in stored] == [
        f"[{n}:0_{n + 4}:0)" for n in range(0, 60, 4)
    ]


async def test_an_interrupted_ingest_is_finished_by_the_next_run(
    server: Server, cinema: media.Film
) -> None:
    broken = Counted(breaks_after=9)
    impatient = Server(server.url, attempts=1)
    with pytest.raises(RequestError, match="the cable is out"):
        await ingest(cinema.path, impatient, FMP4, transport=broken)
    again = Counted()
    done = await ingest(cinema.path, server, FMP4, transport=again)
    # 8 segments of video and audio and two initialisation objects; what was uploaded
    # but not yet registered when it broke (less than a batch) is uploaded once more.
    assert [flow.segments for flow in done.flows] == [8, 8]
    assert sum(flow.uploaded for flow in done.flows) < 16
    assert 18 <= len(broken.uploads) + len(again.uploads) <= 18 + FMP4.batch + 1
    for flow in done.flows:
        stored = await segments_of(server, flow.flow_id)
        assert len(stored) == 8
        assert len({item.object_id for item in stored}) == 8
        assert len({item.init_object_id for item in stored}) == 1
        assert stored[0].timerange.start_ns == flow.timerange.start_ns
        assert stored[-1].timerange.end_ns == flow.timerange.end_ns
        for one, after in pairwise(stored):
            assert one.timerange.end_ns == after.timerange.start_ns


async def test_a_finished_ingest_run_again_changes_nothing(
    server: Server, ntsc: media.Film
) -> None:
    first = await ingest(ntsc.path, server)
    async with TamsClient(server) as tams:
        before = await tams.flow(first.flows[0].flow_id)
        await tams.put_flow({**before, "label": "renamed"})
        renamed = await tams.flow(first.flows[0].flow_id)
    network = Counted()
    again = await ingest(ntsc.path, server, transport=network)
    assert [flow.uploaded for flow in again.flows] == [0, 0]
    assert network.uploads == []
    async with TamsClient(server) as tams:
        assert await tams.flow(first.flows[0].flow_id) == renamed


async def test_other_options_make_other_flows_of_the_same_sources(
    server: Server, ntsc: media.Film
) -> None:
    one = await ingest(ntsc.path, server)
    later = await ingest(ntsc.path, server, IngestOptions(origin_ns=100 * 10**9))
    assert {flow.flow_id for flow in one.flows}.isdisjoint(flow.flow_id for flow in later.flows)
    assert [flow.source_id for flow in one.flows] == [flow.source_id for flow in later.flows]
    assert later.flows[0].timerange.start_ns == 100 * 10**9


async def test_progress_is_told_per_batch(server: Server, tmp_path: Path) -> None:
    path = tmp_path / "short.mp4"
    make_film(path, FilmFormat(Fraction(4), 64, 48, key_frame_s=Fraction(1)))
    told = []
    options = IngestOptions(segment_s=Fraction(1), batch=3)
    await ingest(
        path, server, options, progress=lambda done, total, what: told.append((done, total, what))
    )
    assert told == [
        *[(done, 4, "video") for done in (0, 3, 4)],
        *[(done, 4, "audio") for done in (0, 3, 4)],
    ]


async def test_a_server_without_initialisation_objects_is_told_apart(ntsc: media.Film) -> None:
    def serve(request: httpx.Request) -> httpx.Response:
        assert request.url.path == "/service"
        return httpx.Response(200, json={"api_version": "7.0"})

    with pytest.raises(ClientError, match=r"speaks TAMS 7\.0"):
        await ingest(
            ntsc.path, Server("http://old.example"), FMP4, transport=httpx.MockTransport(serve)
        )
