"""A media file into a TAMS server.

1. Read the file's packet times and plan the segments (`split`).
2. Derive all ids from the file's content and the options, so that a second run of the same
   ingest finds what the first one left behind.
3. Put one flow per audio and video stream, and a multi-essence flow that collects them.
4. For each flow ask which segments are registered, and make, upload and register the others,
   a batch at a time: whatever interrupts it, at most a batch is uploaded again.

Objects get their ids from the server: an object allocated by an interrupted run can't be
allocated again under the same id, and the server collects it.
"""

import asyncio
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import Any, Final
from uuid import UUID, uuid5

import httpx

from tams_graphql.client.errors import ClientError, RequestError
from tams_graphql.client.packets import VIDEO, Track, read_tracks
from tams_graphql.client.parallel import Progress, gathered, silent
from tams_graphql.client.split import (
    DEFAULT_SEGMENT_S,
    Container,
    Cut,
    MediaObject,
    cut_times,
    objects,
    plan,
    zero_of,
)
from tams_graphql.client.tams import Allocation, Server, TamsClient
from tams_graphql.client.technical import Essence, describe
from tams_graphql.timeline import TimeRange, format_timestamp

Json = dict[str, Any]

_NAMESPACE: Final = UUID("6f1b1d0e-52a7-5b0c-9a35-0b5f6c1f7a11")
_INIT_SINCE: Final = (8, 2)


@dataclass(frozen=True, slots=True)
class IngestOptions:
    """How to ingest.

    Attributes:
        container: how objects are wrapped; fragmented MP4 needs a server of version 8.2.
        segment_s: target duration of segments in seconds.
        origin_ns: where the file's first picture lies on the timeline, in nanoseconds (TAI if
            it is an instant of real time).
        label: name of the flows; the file's name if ``None``.
        tags: put on every flow.
        generation: how many lossy encodings the file has been through; untold if ``None``.
        parallel: uploads at the same time.
        batch: objects per allocation and per registration, and held in memory at most.
        source_ids: ids of existing sources by role (``"video"``, ``"audio"``, ``"audio 2"``,
            ``"multi"``), for another rendition of them; derived from the content otherwise.
    """

    container: Container = Container.TS
    segment_s: Fraction = DEFAULT_SEGMENT_S
    origin_ns: int = 0
    label: str | None = None
    tags: dict[str, str | list[str]] = field(default_factory=dict)
    generation: int | None = None
    parallel: int = 4
    batch: int = 16
    source_ids: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class IngestedFlow:
    """One flow that was filled.

    Attributes:
        role: ``"video"``, ``"audio"``, ``"audio 2"``, ….
        flow_id: the flow.
        source_id: its source.
        timerange: all of it, on its timeline.
        segments: number of segments in all.
        uploaded: number of segments that this run uploaded.
    """

    role: str
    flow_id: str
    source_id: str
    timerange: TimeRange
    segments: int
    uploaded: int


@dataclass(frozen=True, slots=True)
class Ingested:
    """What an ingest made.

    Attributes:
        flows: one per stream.
        multi_flow_id: the flow that collects them; ``None`` for a single stream.
        multi_source_id: its source.
    """

    flows: tuple[IngestedFlow, ...]
    multi_flow_id: str | None
    multi_source_id: str | None


@dataclass(frozen=True, slots=True)
class _Job:
    role: str
    flow_id: str
    source_id: str
    track: Track
    cuts: list[Cut]
    essence: Essence


@dataclass(frozen=True, slots=True)
class _Plan:
    path: Path
    zero: Fraction
    jobs: list[_Job]
    multi_flow_id: str
    multi_source_id: str
    options: IngestOptions


async def ingest(
    path: Path,
    server: Server,
    options: IngestOptions | None = None,
    *,
    progress: Progress = silent,
    transport: httpx.AsyncBaseTransport | None = None,
) -> Ingested:
    """Split a media file and store it in a TAMS server, or finish an ingest that was interrupted.

    Args:
        path: a file that FFmpeg can read.
        server: where to.
        options: how.
        progress: told after each batch of segments.
        transport: replaces the network; for a server in the same process.

    Raises:
        MediaError: the file can't be read, or its codec doesn't fit the container.
        RegistrationError: the server refused segments, e.g. as the flow holds others there.
        RequestError: the server refused something else, or can't be reached.
        ClientError: the server is too old for fragmented MP4.
    """
    chosen = options or IngestOptions()
    planned = await asyncio.to_thread(_planned, path, chosen)
    async with TamsClient(server, transport) as client:
        await _require_version(client, chosen)
        await _put_flows(client, planned)
        flows = [await _fill(client, planned, job, progress) for job in planned.jobs]
    many = len(flows) > 1
    return Ingested(
        tuple(flows),
        planned.multi_flow_id if many else None,
        planned.multi_source_id if many else None,
    )


def _planned(path: Path, options: IngestOptions) -> _Plan:
    tracks = sorted(read_tracks(path), key=lambda track: (track.kind != VIDEO, track.index))
    zero = zero_of(tracks)
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    how = f"{options.container} {options.segment_s} {options.origin_ns}"
    jobs: list[_Job] = []
    targets: list[Fraction] | None = None
    for track, role in zip(tracks, _roles(tracks), strict=True):
        cuts = plan(
            track,
            zero=zero,
            origin_ns=options.origin_ns,
            seconds=options.segment_s,
            targets=targets,
        )
        if targets is None and track.kind == VIDEO:
            targets = cut_times(track, cuts)
        jobs.append(
            _Job(
                role,
                _id(f"flow {digest} {how} {role} {options.source_ids.get(role, '')}"),
                options.source_ids.get(role) or _id(f"source {digest} {role}"),
                track,
                cuts,
                describe(path, track, cuts, options.container, options.segment_s),
            )
        )
    return _Plan(
        path,
        zero,
        jobs,
        _id(f"flow {digest} {how} multi {options.source_ids.get('multi', '')}"),
        options.source_ids.get("multi") or _id(f"source {digest} multi"),
        options,
    )


def _id(name: str) -> str:
    return str(uuid5(_NAMESPACE, name))


def _roles(tracks: Sequence[Track]) -> Iterator[str]:
    """``video``, ``audio``, ``audio 2``, …: the streams' places in the collection."""
    seen: dict[str, int] = {}
    for track in tracks:
        seen[track.kind] = seen.get(track.kind, 0) + 1
        yield track.kind if seen[track.kind] == 1 else f"{track.kind} {seen[track.kind]}"


async def _require_version(client: TamsClient, options: IngestOptions) -> None:
    if not options.container.has_init:
        return
    version = str((await client.service()).get("api_version", "0"))
    numbers = tuple(int(part) for part in version.split(".")[:2] if part.isdigit())
    if numbers < _INIT_SINCE:
        raise ClientError(
            f"the server speaks TAMS {version}, which has no initialisation objects; "
            "use MPEG-TS segments"
        )


async def _put_flows(client: TamsClient, planned: _Plan) -> None:
    label = planned.options.label or planned.path.stem
    common: Json = {"tags": planned.options.tags}
    if planned.options.generation is not None:
        common["generation"] = planned.options.generation
    for job in planned.jobs:
        flow = {"id": job.flow_id, "source_id": job.source_id, "label": f"{label} ({job.role})"}
        essence = {"format": job.essence.format, **job.essence.technical}
        await _put_new(client, flow | essence | common)
    if len(planned.jobs) > 1:
        multi = {"id": planned.multi_flow_id, "source_id": planned.multi_source_id, "label": label}
        collection = [{"id": job.flow_id, "role": job.role} for job in planned.jobs]
        essence = {"format": "urn:x-nmos:format:multi", "flow_collection": collection}
        await _put_new(client, multi | essence | common)


async def _put_new(client: TamsClient, flow: Json) -> None:
    """Create a flow; one that an earlier run created may have been edited since and stays."""
    try:
        await client.flow(flow["id"])
    except RequestError as error:
        if error.status != httpx.codes.NOT_FOUND:
            raise
        await client.put_flow(flow)


async def _fill(client: TamsClient, planned: _Plan, job: _Job, progress: Progress) -> IngestedFlow:
    """Bring a flow's segments up to the plan."""
    stored: set[TimeRange] = set()
    init_id: str | None = None
    async for segment in client.segments(job.flow_id, urls=False):
        stored.add(segment.timerange)
        init_id = segment.init_object_id or init_id
    wanted = [cut.timerange not in stored for cut in job.cuts]
    done = len(job.cuts) - sum(wanted)
    progress(done, len(job.cuts), job.role)
    made = objects(
        planned.path,
        job.track,
        job.cuts,
        container=planned.options.container,
        zero=planned.zero,
        wanted=wanted,
    )
    while batch := await asyncio.to_thread(_take, made, planned.options.batch):
        if init_id is None and batch[0].init is not None:
            init_id = await _store_init(client, job, batch[0].init)
        await _store(client, job, batch, init_id, planned.options.parallel)
        done += len(batch)
        progress(done, len(job.cuts), job.role)
    whole = TimeRange(job.cuts[0].timerange.start_ns, job.cuts[-1].timerange.end_ns)
    return IngestedFlow(job.role, job.flow_id, job.source_id, whole, len(job.cuts), sum(wanted))


def _take(made: Iterator[MediaObject], count: int) -> list[MediaObject]:
    return list(islice(made, count))


async def _store_init(client: TamsClient, job: _Job, init: bytes) -> str:
    (allocation,) = await client.allocate(job.flow_id, 1)
    await client.upload(allocation, init, job.essence.technical["container"])
    return allocation.object_id


async def _store(
    client: TamsClient,
    job: _Job,
    batch: Sequence[MediaObject],
    init_id: str | None,
    parallel: int,
) -> None:
    allocations = await client.allocate(job.flow_id, len(batch))
    kind = job.essence.technical["container"]
    await gathered(
        parallel,
        [
            client.upload(allocation, item.data, kind)
            for allocation, item in zip(allocations, batch, strict=True)
        ],
    )
    await client.register(
        job.flow_id,
        [
            _segment_post(allocation, item, init_id)
            for allocation, item in zip(allocations, batch, strict=True)
        ],
    )


def _segment_post(allocation: Allocation, item: MediaObject, init_id: str | None) -> Json:
    post: Json = {
        "object_id": allocation.object_id,
        "timerange": str(item.cut.timerange),
        "ts_offset": format_timestamp(item.ts_offset_ns),
        "last_duration": format_timestamp(item.last_duration_ns),
        "key_frame_count": item.key_frame_count,
    }
    return post if init_id is None else post | {"init_object_id": init_id}
