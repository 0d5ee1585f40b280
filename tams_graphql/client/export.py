"""A timerange of a TAMS flow into one playable file.

1. Find the flows to export: the flow itself, those that a multi-essence flow collects, or the
   best flow of a source.
2. List the segments that touch the timerange, and those just before that decoding needs.
3. Download their objects, each once, into a temporary folder.
4. Assemble them (`assemble`); where the first picture turns out to refer to an earlier
   segment, fetch that one and try again.
"""

import asyncio
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Final

import httpx

from tams_graphql.client.assemble import Assembly, SegmentMedia, TrackMedia, assemble
from tams_graphql.client.errors import MediaError, NoKeyFrameError, RequestError
from tams_graphql.client.formats import format_of
from tams_graphql.client.packets import AUDIO, VIDEO
from tams_graphql.client.parallel import Progress, gathered, silent
from tams_graphql.client.tams import Json, RemoteSegment, Server, TamsClient
from tams_graphql.timeline import NANOSECONDS, TimeRange

_FORMAT: Final = "urn:x-nmos:format:"
# Sound is decoded from a little before the range; see `layout`.
_LOOK_BACK_NS: Final = NANOSECONDS // 4


@dataclass(frozen=True, slots=True)
class _Part:
    """One stream of one flow; an object that muxes several need not have every kind."""

    flow_id: str
    kind: str
    frame_rate: Fraction | None
    stream: int
    segments: list[RemoteSegment]
    required: bool


async def export(
    server: Server,
    flow_id: str,
    timerange: TimeRange,
    output: Path,
    *,
    parallel: int = 4,
    progress: Progress = silent,
    transport: httpx.AsyncBaseTransport | None = None,
) -> Assembly:
    """Write a timerange of a flow, or of all that it collects, into one file.

    The file decodes to exactly the pictures whose timestamps lie in the timerange, at their
    times less `Assembly.start_ns`.

    Args:
        server: where from.
        flow_id: a flow, or a source, of which the best flow is taken (the lowest generation,
            then the highest bit rate).
        timerange: what to export; open ends reach as far as the media do.
        output: the file; its suffix chooses the format (see `assemble`). Replaced if it exists.
        parallel: downloads at the same time.
        progress: told after each download.
        transport: replaces the network; for a server in the same process.

    Raises:
        MediaError: nothing in the timerange, media that cannot be assembled, or an unknown suffix.
        RequestError: no such flow or source, or the server can't be reached.
    """
    format_of(output)
    with tempfile.TemporaryDirectory(prefix="tams-export-") as folder:
        async with TamsClient(server, transport) as client:
            parts = await _parts(client, flow_id, timerange)
            store = _Downloads(client, Path(folder), parallel, progress)
            while True:
                tracks = await store.tracks(parts)
                try:
                    return await asyncio.to_thread(_written, tracks, timerange, output)
                except NoKeyFrameError:
                    parts = await _reached_back(client, parts)


def _written(tracks: Sequence[TrackMedia], timerange: TimeRange, output: Path) -> Assembly:
    """Assemble beside the target and move into place, so that no half file is left."""
    draft = output.with_name(f".{output.stem}.part{output.suffix}")
    try:
        assembly = assemble(tracks, timerange, draft)
        draft.replace(output)
    finally:
        draft.unlink(missing_ok=True)
    return replace(assembly, path=output)


async def _parts(client: TamsClient, wanted: str, timerange: TimeRange) -> list[_Part]:
    flow = await _flow(client, wanted)
    flows = await _collected(client, flow) if _kind(flow) == "multi" else [flow]
    parts: list[_Part] = []
    for item in flows:
        parts += await _parts_of(client, item, timerange)
    if not parts:
        raise MediaError(f"no audio or video in {timerange}")
    return parts


async def _flow(client: TamsClient, wanted: str) -> Json:
    try:
        return await client.flow(wanted)
    except RequestError as error:
        if error.status != httpx.codes.NOT_FOUND:
            raise
        flows = await client.flows_of(wanted)
        if not flows:
            raise
        return min(flows, key=_rank)


async def _collected(client: TamsClient, multi: Json) -> list[Json]:
    """The flows to export for a multi-essence flow: itself if it has segments of its own."""
    async for _ in client.segments(multi["id"], urls=False):
        return [multi]
    flows = [await client.flow(item["id"]) for item in multi.get("flow_collection", ())]
    best: dict[str, Json] = {}
    for flow in flows:
        rival = best.get(flow["source_id"])
        if rival is None or _rank(flow) < _rank(rival):
            best[flow["source_id"]] = flow
    return list(best.values())


def _rank(flow: Json) -> tuple[int, int]:
    return flow.get("generation") or 0, -(flow.get("avg_bit_rate") or 0)


async def _parts_of(client: TamsClient, flow: Json, timerange: TimeRange) -> list[_Part]:
    kind = _kind(flow)
    kinds = {VIDEO: (VIDEO,), AUDIO: (AUDIO,), "multi": (VIDEO, AUDIO)}.get(kind, ())
    start = timerange.start_ns
    around = TimeRange(None if start is None else start - _LOOK_BACK_NS, timerange.end_ns)
    segments = [item async for item in client.segments(flow["id"], around)] if kinds else []
    if not any(segment.timerange.overlaps(timerange) for segment in segments):
        return []
    stream = (flow.get("container_mapping") or {}).get("format_track_index", 0)
    alone = len(kinds) == 1
    return [_Part(flow["id"], kind, _rate(flow), stream, segments, alone) for kind in kinds]


def _kind(flow: Json) -> str:
    return str(flow["format"]).removeprefix(_FORMAT)


def _rate(flow: Json) -> Fraction | None:
    rate = (flow.get("essence_parameters") or {}).get("frame_rate")
    return None if rate is None else Fraction(rate["numerator"], rate.get("denominator", 1))


async def _reached_back(client: TamsClient, parts: Sequence[_Part]) -> list[_Part]:
    """The same parts, video with one more segment before."""
    return [await _with_earlier(client, part) if part.kind == VIDEO else part for part in parts]


async def _with_earlier(client: TamsClient, part: _Part) -> _Part:
    first = part.segments[0].timerange
    before = TimeRange(None, first.start_ns)
    async for segment in client.segments(part.flow_id, before, reverse=True):
        if segment.timerange.end_ns == first.start_ns:
            return replace(part, segments=[segment, *part.segments])
        break
    raise MediaError("no key frame before the first picture: the range cannot be decoded")


class _Downloads:
    """Objects in a folder, each fetched once however many segments use it."""

    def __init__(self, client: TamsClient, folder: Path, parallel: int, progress: Progress) -> None:
        self._client = client
        self._folder = folder
        self._parallel = parallel
        self._progress = progress
        self._files: dict[tuple[str, str | None], Path] = {}
        self._inits: dict[str, bytes] = {}

    async def tracks(self, parts: Sequence[_Part]) -> list[TrackMedia]:
        """Download what is missing, and describe the parts with it."""
        needed = {_object_key(item): item for part in parts for item in part.segments}
        for item in needed.values():
            await self._fetch_init(item)
        missing = [(key, item) for key, item in needed.items() if key not in self._files]
        for number, (key, _) in enumerate(missing, start=len(self._files)):
            self._files[key] = self._folder / str(number)
        total = len(self._files)
        done = total - len(missing)

        async def fetch(item: RemoteSegment) -> None:
            nonlocal done
            data = self._inits.get(item.init_object_id or "", b"")
            data += await self._client.download(item.get_urls)
            await asyncio.to_thread(self._files[_object_key(item)].write_bytes, data)
            done += 1
            self._progress(done, total, "objects")

        await gathered(self._parallel, [fetch(item) for _, item in missing])
        return [self._track(part) for part in parts]

    async def _fetch_init(self, item: RemoteSegment) -> None:
        if item.init_object_id is not None and item.init_object_id not in self._inits:
            data = await self._client.download(item.init_get_urls)
            self._inits[item.init_object_id] = data

    def _track(self, part: _Part) -> TrackMedia:
        segments = [
            SegmentMedia(item.timerange, item.ts_offset_ns, self._files[_object_key(item)])
            for item in part.segments
        ]
        return TrackMedia(part.kind, segments, part.frame_rate, part.stream, part.required)


def _object_key(item: RemoteSegment) -> tuple[str, str | None]:
    return item.object_id, item.init_object_id
