"""A demonstration: a test film made here, ingested with a proxy and stills of its pictures."""

import asyncio
import tempfile
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import httpx

from tams_graphql.client.film import FilmFormat, make_film
from tams_graphql.client.ingest import Ingested, IngestOptions, ingest
from tams_graphql.client.packets import VIDEO
from tams_graphql.client.parallel import Progress, silent
from tams_graphql.client.stills import StillsFlow, store_stills
from tams_graphql.client.tams import Server

_SEGMENT_S = Fraction(5)


@dataclass(frozen=True, slots=True)
class Demonstration:
    """What the demonstration left in the server.

    Attributes:
        film: the main video, the sound and the flow that collects them.
        proxy: a small video flow of the same source as the main one.
        stills_flow_id: an image flow, one picture for each segment of the video.
    """

    film: Ingested
    proxy: Ingested
    stills_flow_id: str


async def demo(
    server: Server,
    *,
    film: FilmFormat | None = None,
    origin_ns: int = 0,
    progress: Progress = silent,
    transport: httpx.AsyncBaseTransport | None = None,
) -> Demonstration:
    """Make a test film and ingest it; a second run adds nothing.

    Args:
        server: where to.
        film: how it should be; 30 s of 1280x720 at 25 pictures per second by default.
        origin_ns: where on the timeline the film begins, in nanoseconds.
        progress: told after each batch of segments.
        transport: replaces the network; for a server in the same process.

    Raises:
        ClientError: see `ingest`.
    """
    made = film or FilmFormat()
    options = IngestOptions(
        segment_s=_SEGMENT_S, origin_ns=origin_ns, label="Test film", generation=0
    )
    with tempfile.TemporaryDirectory(prefix="tams-demo-") as folder:
        main, small = Path(folder, "film.mp4"), Path(folder, "proxy.mp4")
        await asyncio.to_thread(make_film, main, made, small)
        stored = await ingest(main, server, options, progress=progress, transport=transport)
        stills = _stills_of(stored)
        await store_stills(main, server, stills, progress=progress, transport=transport)
        of_film = {flow.role: flow.source_id for flow in stored.flows}
        options = replace(
            options,
            label="Test film, proxy",
            generation=1,
            source_ids={"video": of_film["video"]},
        )
        proxy = await ingest(small, server, options, progress=progress, transport=transport)
    return Demonstration(stored, proxy, stills.id)


def _stills_of(stored: Ingested) -> StillsFlow:
    video = next(flow for flow in stored.flows if flow.role == VIDEO)
    return StillsFlow(
        of=video.flow_id,
        label="Test film, stills",
        timerange=video.timerange,
        every_s=_SEGMENT_S,
    )
