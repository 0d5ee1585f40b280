"""Stills of a film: an image flow, so that a moment can be seen without a video player.

1. Decode the file, and keep the first picture of each interval.
2. Encode each as JPEG, one media object of its own.
3. Store those that the flow lacks, each for the time until the next one.
"""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import av
import httpx

from tams_graphql.client.parallel import Progress, silent
from tams_graphql.client.tams import Server, TamsClient
from tams_graphql.timeline import NANOSECONDS, TimeRange

JPEG = "image/jpeg"


@dataclass(frozen=True, slots=True)
class Still:
    """A JPEG file, and the part of the timeline that it stands for."""

    data: bytes
    timerange: TimeRange


@dataclass(frozen=True, slots=True, kw_only=True)
class StillsFlow:
    """Which flow the stills go to. `of`: id of the video flow that they are of."""

    of: str
    label: str
    timerange: TimeRange
    every_s: Fraction = Fraction(5)

    @property
    def id(self) -> str:
        """Derived from the video flow, so that a second run finds the first one's flow."""
        return str(uuid5(NAMESPACE_URL, f"{self.of} stills every {self.every_s}"))

    @property
    def source_id(self) -> str:
        """The stills are a source of their own: a source has one format."""
        return str(uuid5(NAMESPACE_URL, f"{self.of} stills"))


async def store_stills(
    path: Path,
    server: Server,
    flow: StillsFlow,
    *,
    progress: Progress = silent,
    transport: httpx.AsyncBaseTransport | None = None,
) -> str:
    """Store a still of every `flow.every_s` seconds of a file; returns the flow's id.

    Raises:
        ClientError: the file can't be decoded, or the server refuses.
    """
    stills = await asyncio.to_thread(lambda: list(_stills(path, flow)))
    async with TamsClient(server, transport) as client:
        await client.put_flow(await asyncio.to_thread(_metadata, path, flow))
        stored = {s.timerange async for s in client.segments(flow.id, urls=False)}
        missing = [still for still in stills if still.timerange not in stored]
        if missing:
            await _store(client, flow.id, missing)
    progress(len(stills), len(stills), "stills")
    return flow.id


async def _store(client: TamsClient, flow_id: str, stills: Sequence[Still]) -> None:
    allocations = await client.allocate(flow_id, len(stills))
    for allocation, still in zip(allocations, stills, strict=True):
        await client.upload(allocation, still.data, JPEG)
    posts = [
        {
            "object_id": allocation.object_id,
            "timerange": str(still.timerange),
        }
        for allocation, still in zip(allocations, stills, strict=True)
    ]
    await client.register(flow_id, posts)


def _metadata(path: Path, flow: StillsFlow) -> dict[str, Any]:
    with av.open(str(path)) as file:
        picture = file.streams.video[0].codec_context
        size = {"frame_width": picture.width, "frame_height": picture.height}
    return {
        "id": flow.id,
        "source_id": flow.source_id,
        "label": flow.label,
        "format": "urn:x-tam:format:image",
        "codec": JPEG,
        "container": JPEG,
        "essence_parameters": size,
        "segment_duration": {
            "numerator": flow.every_s.numerator,
            "denominator": flow.every_s.denominator,
        },
    }


def _stills(path: Path, flow: StillsFlow) -> Iterator[Still]:
    """The first picture of each interval, with the interval."""
    start_ns, end_ns = flow.timerange.start_ns or 0, flow.timerange.end_ns or 0
    every_ns = int(flow.every_s * NANOSECONDS)
    wanted = iter(range(start_ns, end_ns, every_ns))
    at = next(wanted, None)
    with av.open(str(path)) as file:
        pictures: Iterator[Any] = file.decode(file.streams.video[0])
        for picture in pictures:
            if at is None:
                return
            if start_ns + int(Fraction(picture.pts) * picture.time_base * NANOSECONDS) >= at:
                yield Still(_jpeg(picture), TimeRange(at, min(at + every_ns, end_ns)))
                at = next(wanted, None)


def _jpeg(picture: Any) -> bytes:
    encoder = av.CodecContext.create("mjpeg", "w")
    encoder.width, encoder.height = picture.width, picture.height
    encoder.pix_fmt, encoder.time_base = "yuvj420p", Fraction(1, 25)
    still = picture.reformat(format="yuvj420p")
    still.pts = 0
    return b"".join(bytes(packet) for packet in (*encoder.encode(still), *encoder.encode(None)))
