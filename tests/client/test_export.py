"""Export from a real server over HTTP: the pictures of the original, whatever is asked for."""

from pathlib import Path

import pytest

from tams_graphql.client.assemble import assemble
from tams_graphql.client.errors import MediaError, RequestError
from tams_graphql.client.export import export
from tams_graphql.client.ingest import Ingested, IngestOptions, ingest
from tams_graphql.client.packets import nanoseconds, read_tracks
from tams_graphql.client.split import Container
from tams_graphql.client.tams import Server, TamsClient
from tams_graphql.timeline import ETERNITY, TimeRange, format_timestamp

from . import media

ORIGIN = 1_694_429_247 * 10**9


@pytest.fixture(params=list(Container))
async def ingested(request: pytest.FixtureRequest, server: Server, minute: media.Film) -> Ingested:
    options = IngestOptions(container=request.param, origin_ns=ORIGIN)
    return await ingest(minute.path, server, options)


async def test_a_timerange_of_a_multi_flow_is_exactly_the_originals(
    ingested: Ingested, server: Server, minute: media.Film, tmp_path: Path
) -> None:
    assert ingested.multi_flow_id is not None
    wanted = TimeRange(ORIGIN + 13_333_333_333, ORIGIN + 21_777_777_777)
    made = await export(server, ingested.multi_flow_id, wanted, tmp_path / "cut.mp4")
    expected = media.within(minute.pictures, 13_333_333_333, 21_777_777_777)
    start = expected[0][0]
    assert made.start_ns == ORIGIN + start
    assert media.pictures_of(made.path) == [(at - start, pixels) for at, pixels in expected]
    at, samples = media.sound_of(made.path)
    first = start * 48_000 // 10**9
    assert at == 0
    assert media.farthest(samples, minute.samples[first : first + len(samples)]) < 1e-4
    assert files_in(tmp_path) == ["cut.mp4"]


async def test_everything_comes_back(
    ingested: Ingested, server: Server, minute: media.Film, tmp_path: Path
) -> None:
    assert ingested.multi_source_id is not None
    told = []
    made = await export(
        server,
        ingested.multi_source_id,
        ETERNITY,
        tmp_path / "all.mp4",
        progress=lambda done, total, what: told.append((done, total)),
    )
    assert media.pictures_of(made.path) == minute.pictures
    assert media.sound_of(made.path) == (0, minute.samples)
    assert told[-1] == (30, 30)


async def test_a_segment_that_starts_without_a_key_frame_is_decoded_from_the_one_before(
    server: Server, minute: media.Film, tmp_path: Path
) -> None:
    """Segments cut by somebody else, in the middle of a group of pictures."""
    whole = await ingest(minute.path, server, IngestOptions(container=Container.FMP4))
    async with TamsClient(server) as tams:
        flow = await tams.flow(whole.flows[0].flow_id)
        stored = [item async for item in tams.segments(flow["id"])]
        copy = {name: flow[name] for name in ("source_id", "format", "codec", "container")}
        copy |= {"id": "7d1e64f2-63c4-4b0b-9c7c-2f6a3cc6ce01"}
        copy |= {"essence_parameters": flow["essence_parameters"]}
        await tams.put_flow(copy)
        await tams.register(
            copy["id"],
            [
                {
                    "object_id": stored[0].object_id,
                    "timerange": f"[0:0_{format_timestamp(3_000_000_000)})",
                    "ts_offset": format_timestamp(stored[0].ts_offset_ns),
                },
                {
                    "object_id": stored[0].object_id,
                    "timerange": "[3:0_4:0)",
                    "ts_offset": format_timestamp(stored[0].ts_offset_ns),
                },
            ],
        )
    wanted = TimeRange(3_000_000_000, 3_500_000_000)
    made = await export(server, copy["id"], wanted, tmp_path / "cut.mp4")
    assert [pixels for _, pixels in media.pictures_of(made.path)] == [
        pixels for _, pixels in minute.pictures[75:88]
    ]


async def test_a_multi_flow_whose_own_objects_hold_picture_and_sound(
    server: Server, minute: media.Film, tmp_path: Path
) -> None:
    """Muxed by somebody else: 4 s to 8 s of the film as one MPEG-TS object."""
    tracks = media.stored(media.split(minute.path, Container.TS), minute.rate)
    muxed = assemble(tracks, TimeRange(4 * 10**9, 8 * 10**9), tmp_path / "object.ts").path
    (first,) = [track.start for track in read_tracks(muxed) if track.kind == "video"]
    flow = {
        "id": "7d1e64f2-63c4-4b0b-9c7c-2f6a3cc6ce02",
        "source_id": "7d1e64f2-63c4-4b0b-9c7c-2f6a3cc6ce03",
        "format": "urn:x-nmos:format:multi",
        "container": "video/mp2t",
    }
    async with TamsClient(server) as tams:
        await tams.put_flow(flow)
        (allocation,) = await tams.allocate(flow["id"], 1)
        await tams.upload(allocation, contents(muxed), "video/mp2t")
        post = {"object_id": allocation.object_id, "timerange": "[4:0_8:0)"}
        post["ts_offset"] = format_timestamp(4 * 10**9 - nanoseconds(first))
        await tams.register(flow["id"], [post])
    wanted = TimeRange(5_000_000_000, 6_000_000_000)
    made = await export(server, flow["id"], wanted, tmp_path / "cut.mp4")
    assert (made.tracks, made.start_ns) == (2, 5_000_000_000)
    assert media.pictures_of(made.path) == [
        (at - 5_000_000_000, pixels) for at, pixels in minute.pictures[125:150]
    ]
    at, samples = media.sound_of(made.path)
    assert at == 0
    assert media.farthest(samples[:40_000], minute.samples[240_000:280_000]) < 1e-4


def contents(path: Path) -> bytes:
    return path.read_bytes()


async def test_the_best_flow_of_a_source_is_chosen(
    server: Server, ntsc: media.Film, tmp_path: Path
) -> None:
    source = "52b8bd09-9a26-4e4b-8f4c-58e8e2b6a001"
    ours = {"video": source}
    worse = IngestOptions(generation=3, origin_ns=7 * 10**9, source_ids=ours)
    await ingest(ntsc.path, server, worse)
    await ingest(ntsc.path, server, IngestOptions(generation=1, source_ids=ours))
    made = await export(server, source, ETERNITY, tmp_path / "best.mp4")
    assert (made.start_ns, made.tracks) == (0, 1)


async def test_an_unknown_suffix_is_refused_before_anything_is_asked(tmp_path: Path) -> None:
    nowhere = Server("http://127.0.0.1:1", attempts=1)
    with pytest.raises(MediaError, match=r"cannot write cut\.avi"):
        await export(nowhere, "any", ETERNITY, tmp_path / "cut.avi")


async def test_what_is_not_there_is_refused_and_leaves_no_file(
    server: Server, ntsc: media.Film, tmp_path: Path
) -> None:
    with pytest.raises(RequestError) as caught:
        await export(
            server, "7d1e64f2-63c4-4b0b-9c7c-2f6a3cc6cfff", ETERNITY, tmp_path / "none.mp4"
        )
    assert caught.value.status == 404
    stored = await ingest(ntsc.path, server)
    with pytest.raises(MediaError, match="no audio or video in"):
        await export(
            server, stored.flows[0].flow_id, TimeRange(10**12, 10**12 + 1), tmp_path / "none.mp4"
        )
    assert files_in(tmp_path) == []


def files_in(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]
