"""Flow Segments: columns in, columns out."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pyarrow as pa

from tams_graphql.metadata.edits import Edits
from tams_graphql.metadata.engine import (
    Aggregate,
    Changes,
    Key,
    Scan,
    View,
    creation,
    flow,
    media_object,
)
from tams_graphql.metadata.tables import FLOWS, SEGMENTS
from tams_graphql.model.errors import InvalidInput, MediaStoreError, Problem, TooLarge
from tams_graphql.model.identifiers import known_form
from tams_graphql.model.segment_input import SegmentPost
from tams_graphql.model.validation import validated
from tams_graphql.resolvers.announcing import Announcer
from tams_graphql.resolvers.authorise import Action, authorise
from tams_graphql.resolvers.context import Context
from tams_graphql.resolvers.deletions import later_than
from tams_graphql.resolvers.flow_changes import writable_flow
from tams_graphql.resolvers.listing import check_text
from tams_graphql.resolvers.occupancy import Occupancy, Segment
from tams_graphql.resolvers.paging import PageRequest, decode_cursor, encode_cursor
from tams_graphql.resolvers.references import ReferencedObjects
from tams_graphql.resolvers.registration import Registrar
from tams_graphql.resolvers.rollup import grown
from tams_graphql.resolvers.segment_loader import SegmentQuery, load_segments
from tams_graphql.resolvers.stamp import Stamp
from tams_graphql.resolvers.storage import backend_labels, container_of
from tams_graphql.resolvers.timelines import timeline_of
from tams_graphql.timeline import ETERNITY, TimelineError, TimeRange

MAX_SEGMENTS_PER_PAGE = 5000
MAX_SEGMENTS_PER_REQUEST = 5000
_NAMING = ("flow_id", "start_ns")
"""The columns that name a segment."""

READ_AT_ONCE = 100
"""How many segments of a request are read before other requests get a turn."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentPage:
    """Segments as columns of `metadata.tables.SEGMENTS`, in the direction of travel."""

    columns: pa.Table
    has_more: bool

    @property
    def next_cursor(self) -> str | None:
        """Where the next page starts, or ``None`` on the last one."""
        if not self.has_more:
            return None
        return encode_cursor("segments", (self.columns["start_ns"][-1].as_py(),))


@dataclass(frozen=True, slots=True)
class FailedSegment:
    """An item of a bulk registration that was refused. `index`: its place in the request."""

    index: int
    object_id: str
    timerange: str | None
    error: MediaStoreError


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """What became of a registration: stored segments (columns) and refused ones.

    `registered` has one row per accepted item in the order of the request, those included that
    were stored already.
    """

    registered: pa.Table
    failed: tuple[FailedSegment, ...]


async def list_segments(
    ctx: Context,
    flow_id: str,
    page: PageRequest,
    *,
    timerange: TimeRange | None = None,
    object_id: str | None = None,
    columns: Collection[str] | None = None,
) -> SegmentPage:
    """Segments that overlap `timerange`, by time. Empty for an unknown flow (DECISIONS).

    One engine read, and one for the timelines of flows that the request has not read yet;
    concurrent calls of one tick with equal arguments but different flows
    share it (dataloader).

    Args:
        ctx: the request.
        flow_id: the flow.
        page: which part.
        timerange: only segments that share an instant with it.
        object_id: only segments of this object.
        columns: which to read, all if ``None``; flow and start are among them in any case.

    Raises:
        NotFound: `flow_id` is malformed.
        InvalidInput: the cursor is malformed, or of another listing.
    """
    authorise(ctx, Action.READ, "flow", flow_id)
    known_form("flow", flow_id)
    check_text("object_id", object_id or "")
    wanted = (timerange or ETERNITY).clamped()
    after: Key | None = None
    if page.after is not None:
        after = decode_cursor("segments", page.after, page.field, (int,))
    query = SegmentQuery(
        start_ns=wanted.start_ns,
        end_ns=wanted.end_ns,
        object_id=object_id,
        after=after,
        limit=page.limit + 1,
        reverse=page.reverse,
        columns=None if columns is None else _read_columns(columns),
    )
    found = await load_segments(ctx, flow_id, query)
    return SegmentPage(columns=found.slice(0, page.limit), has_more=found.num_rows > page.limit)


def _read_columns(asked: Collection[str]) -> tuple[str, ...]:
    """In the order of the schema, so that equal selections share a read."""
    return tuple(name for name in SEGMENTS.columns if name in asked or name in _NAMING)


async def count_segments(ctx: Context, flow_id: str, timerange: TimeRange | None = None) -> int:
    """How many segments overlap `timerange`; from the rollup when it is ``None``."""
    authorise(ctx, Action.READ, "flow", flow_id)
    known_form("flow", flow_id)
    if timerange is None:
        counted = await ctx.metadata.get(FLOWS, [(flow_id,)], ("segment_count",))
        return sum(counted["segment_count"].to_pylist())
    if timerange.is_empty:
        return 0
    window = timerange.clamped()
    span = (window.start_ns, window.end_ns)
    timeline_id = await timeline_of(ctx, flow_id)
    if timeline_id is None:
        return 0
    return await ctx.metadata.count(Scan(table=SEGMENTS, prefix=(timeline_id,), overlapping=span))


async def register_segments(
    ctx: Context,
    flow_id: str,
    posts: Sequence[Any],
    *,
    field_prefix: str = "segments.{}",
    model: type[SegmentPost] = SegmentPost,
) -> Registration:
    """Attach media objects to a flow's timeline.

    `posts` are JSON objects as spec 8.2 `flow-segment-post.json`; each succeeds or fails on its
    own, all that are accepted commit together. `registration` has the rules.

    Args:
        ctx: the request.
        flow_id: the flow.
        posts: the segments.
        field_prefix: what errors call an item, with ``{}`` for its index; empty when a single
            segment was sent by itself.
        model: how a segment is read.

    Raises:
        NotFound: the flow does not exist.
        Forbidden: the flow is read-only.
        InvalidInput: the flow has no container.
        TooLarge: more than `MAX_SEGMENTS_PER_REQUEST`.
    """
    authorise(ctx, Action.WRITE, "flow", flow_id)
    known_form("flow", flow_id)
    if len(posts) > MAX_SEGMENTS_PER_REQUEST:
        message = f"a request has at most {MAX_SEGMENTS_PER_REQUEST} segments"
        raise TooLarge(message, (Problem("segments", "too_many", message),))
    prefixes = [field_prefix.format(index) for index in range(len(posts))]
    read = await _read_all(model, posts, prefixes)
    valid = [post for post in read if isinstance(post, SegmentPost)]
    labels = backend_labels(ctx)
    stamp = Stamp.of(ctx)

    def register(view: View) -> Changes[Registration]:
        target = writable_flow(view, flow_id)
        later_us = later_than(target, stamp.now_us)
        registrar = Registrar(
            flow=target,
            container=container_of(target),
            objects=ReferencedObjects(view, target, _object_ids(valid)),
            occupancy=Occupancy(view, target.timeline_id, [post.timerange for post in valid]),
            backend_labels=labels,
            now_us=later_us,
        )
        admitted = _admit_all(registrar, posts, read, prefixes)
        return _changes(view, registrar, admitted, stamp)

    answer = await ctx.metadata.commit(register, _relied_on(flow_id, valid))
    ctx.loaders.forget()
    return answer


async def _read_all(
    model: type[SegmentPost], posts: Sequence[Any], prefixes: Sequence[str]
) -> list[SegmentPost | InvalidInput]:
    read: list[SegmentPost | InvalidInput] = []
    for first in range(0, len(posts), READ_AT_ONCE):
        part = slice(first, first + READ_AT_ONCE)
        read += map(partial(_read, model), posts[part], prefixes[part])
        # Reading a full request takes 0.3 s, which no other request should have to wait for.
        await asyncio.sleep(0)
    return read


def _read(model: type[SegmentPost], post: Any, prefix: str) -> SegmentPost | InvalidInput:
    try:
        return validated(model, post, prefix)
    except InvalidInput as error:
        return error


def _object_ids(posts: Sequence[SegmentPost]) -> set[str]:
    ids = {post.object_id for post in posts}
    return ids | {post.init_object_id for post in posts if post.init_object_id is not None}


def _relied_on(flow_id: str, posts: Sequence[SegmentPost]) -> list[Aggregate]:
    # Only get_urls can create an object here; whether it exists is known inside the command.
    created = {post.object_id for post in posts if post.get_urls}
    return [
        flow(flow_id),
        *(media_object(object_id) for object_id in _object_ids(posts)),
        *(creation("object", object_id) for object_id in created),
    ]


@dataclass(frozen=True, slots=True)
class _Admitted:
    """Items of a request by what became of them; `added` are those accepted that are new."""

    accepted: list[Segment] = field(default_factory=list)
    added: list[Segment] = field(default_factory=list)
    failed: list[FailedSegment] = field(default_factory=list)


def _admit_all(
    registrar: Registrar,
    posts: Sequence[Any],
    read: Sequence[SegmentPost | InvalidInput],
    prefixes: Sequence[str],
) -> _Admitted:
    admitted = _Admitted()
    for index, (post, prefix) in enumerate(zip(read, prefixes, strict=True)):
        try:
            if isinstance(post, InvalidInput):
                raise post
            segment, is_new = registrar.admit(post, f"{prefix}." if prefix else "")
        except MediaStoreError as error:
            admitted.failed.append(_failed(index, posts[index], error))
            continue
        admitted.accepted.append(segment)
        if is_new:
            admitted.added.append(segment)
    return admitted


def _changes(
    view: View, registrar: Registrar, admitted: _Admitted, stamp: Stamp
) -> Changes[Registration]:
    edits, objects = Edits(), registrar.objects
    if admitted.added:
        added = [objects.with_instances(segment) for segment in admitted.added]
        edits.insert(SEGMENTS, *added)
        edits.update(FLOWS, grown(registrar.flow, admitted.added, registrar.now_us))
        objects.write(edits)
        Announcer(view, edits, stamp).segments(registrar.flow, added)
    rows = [objects.with_instances(segment) for segment in admitted.accepted]
    registered = pa.Table.from_pylist(rows, schema=SEGMENTS.schema)
    return edits.changes(Registration(registered=registered, failed=tuple(admitted.failed)))


def _failed(index: int, post: Any, error: MediaStoreError) -> FailedSegment:
    given: Mapping[Any, Any] = post if isinstance(post, Mapping) else {}
    object_id, timerange = given.get("object_id"), given.get("timerange")
    return FailedSegment(
        index,
        object_id if isinstance(object_id, str) else "",
        timerange if isinstance(timerange, str) and _is_timerange(timerange) else None,
        error,
    )


def _is_timerange(text: str) -> bool:
    try:
        TimeRange.parse(text, clamp=True)
    except TimelineError:
        return False
    return True
