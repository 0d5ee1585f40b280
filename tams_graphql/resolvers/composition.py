"""A new flow out of pieces of others: the same objects, placed anew.

1. Each clip's flow must fit the new flow: format, codec, container, use of init objects.
2. The clip's segments are cut at its ends and shifted to where the clip before it ended;
   `ts_offset` takes up the shift, so that the objects' own timelines stay as they are.
3. The flow, its segments and the references to their objects are written together.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tams_graphql.metadata.edits import Edits
from tams_graphql.metadata.engine import Row, Scan, View, media_object
from tams_graphql.metadata.tables import SEGMENTS
from tams_graphql.model.errors import InvalidInput, Problem, TooLarge
from tams_graphql.model.flow_input import FlowInput
from tams_graphql.model.records import Flow
from tams_graphql.resolvers.announcing import Announcer
from tams_graphql.resolvers.flow_changes import create_flow, existing_flow, stored_flow
from tams_graphql.resolvers.references import ReferencedObjects
from tams_graphql.resolvers.rollup import union_of
from tams_graphql.resolvers.stamp import Stamp
from tams_graphql.timeline import MAX_NS, MIN_NS, Bounds, TimeRange

MAX_COMPOSED_SEGMENTS = 10_000
"""The most segments of one composition, which is one commit."""


@dataclass(frozen=True, slots=True)
class Clip:
    """A piece of a flow to reuse. `timerange` is on that flow's timeline; bounded."""

    flow_id: str
    timerange: TimeRange


def compose(
    view: View,
    edits: Edits,
    given: FlowInput,
    clips: Sequence[Clip],
    *,
    start_ns: int,
    stamp: Stamp,
) -> Flow:
    """Add to `edits` the new flow that plays `clips`; the rules are this module's.

    The command relies on what a PUT of the flow relies on, and on the clips' flows.

    Raises:
        NotFound: a clip's flow does not exist.
        InvalidInput: the flow exists, or a clip does not fit.
        TooLarge: more than `MAX_COMPOSED_SEGMENTS`.
    """
    if stored_flow(view, given.id) is not None:
        raise InvalidInput("flow_id", "flow.exists", f"flow {given.id!r} exists already")
    placed: list[dict[str, Any]] = []
    for index, clip in enumerate(clips):
        source = existing_flow(view, clip.flow_id)
        _check_fit(source, given, f"clips.{index}.flow_id")
        shift = _shift(clip, start_ns, f"clips.{index}.timerange")
        placed += _placed(view, source, clip.timerange, shift, f"clips.{index}.timerange")
        start_ns += clip.timerange.duration_ns or 0
        _refuse_too_many(placed)
    flow = create_flow(view, edits, given, stamp, _rollup(placed, stamp.now_us))
    _write(view, edits, flow, placed, stamp)
    return flow


def _refuse_too_many(placed: Sequence[object]) -> None:
    if len(placed) > MAX_COMPOSED_SEGMENTS:
        message = f"a composition has at most {MAX_COMPOSED_SEGMENTS} segments"
        raise TooLarge(message, (Problem("clips", "too_many", message),))


def _check_fit(source: Flow, given: FlowInput, field: str) -> None:
    content = given.content
    new = {
        "format": content.format,
        "codec": content.codec,
        "container": content.container,
        "init_segments": bool((content.essence_parameters or {}).get("init_segments")),
    }
    for name, wanted in new.items():
        if getattr(source, name) != wanted:
            raise InvalidInput(
                field,
                "clip.mismatch",
                f"flow {source.id!r} has {name} {_told(getattr(source, name))},"
                f" the new flow {_told(wanted)}",
            )


def _told(value: object) -> str:
    return "unset" if value is None else str(value)


def _shift(clip: Clip, start_ns: int, field: str) -> int:
    """From the clip's own timeline to the new one, in nanoseconds."""
    start, end = clip.timerange.start_ns, clip.timerange.end_ns
    if clip.timerange.is_empty:
        raise InvalidInput(field, "timerange.empty", "the clip holds no instant")
    if start is None or end is None:
        raise InvalidInput(field, "timerange.unbounded", "the clip needs a start and an end")
    shift = start_ns - start
    if min(start, start_ns) < MIN_NS or max(end, end + shift) > MAX_NS:
        message = "the clip lies, or would be placed, beyond what can be stored"
        raise InvalidInput(field, "timestamp.out_of_range", message)
    return shift


def _placed(
    view: View, source: Flow, timerange: TimeRange, shift: int, field: str
) -> list[dict[str, Any]]:
    """The clip's segments where they belong; ids and instances are filled in by `_write`."""
    span = (timerange.start_ns, timerange.end_ns)
    scan = Scan(
        table=SEGMENTS,
        prefix=(source.timeline_id,),
        overlapping=span,
        limit=MAX_COMPOSED_SEGMENTS + 1,
    )
    found = view.page(scan).to_pylist()
    if not found:
        message = f"flow {source.id!r} has no segment in {timerange}"
        raise InvalidInput(field, "clip.no_segments", message)
    return [_cut(segment, timerange, shift, field) for segment in found]


def _cut(segment: Mapping[str, Any], clip: TimeRange, shift: int, field: str) -> dict[str, Any]:
    whole = TimeRange(segment["start_ns"], segment["end_ns"], segment["bounds"])
    piece = whole.intersection(clip)
    placed = piece.shifted(shift)
    ts_offset = (segment["ts_offset_ns"] or 0) + shift
    if not MIN_NS <= ts_offset <= MAX_NS:
        message = "the ts_offset of a segment would be beyond what can be stored"
        raise InvalidInput(field, "timestamp.out_of_range", message)
    samples = ("sample_offset", "sample_count", "last_duration_ns")
    # What counts samples, or measures the last one, no longer holds for a part of them.
    forgotten = {} if piece == whole else dict.fromkeys(samples)
    return {
        **segment,
        **forgotten,
        "start_ns": placed.start_ns,
        "end_ns": placed.end_ns,
        "bounds": int(placed.bounds & Bounds.END_INCLUSIVE),
        "ts_offset_ns": ts_offset or None,
    }


def _rollup(placed: Sequence[Mapping[str, Any]], now_us: int) -> dict[str, Any]:
    return {
        "segment_count": len(placed),
        "covered_ns": sum(one["end_ns"] - one["start_ns"] for one in placed),
        "timerange": union_of(placed[0], placed[-1]),
        "segments_updated_us": now_us,
    }


def _write(
    view: View, edits: Edits, flow: Flow, placed: Sequence[Mapping[str, Any]], stamp: Stamp
) -> None:
    used = {one["object_id"] for one in placed} | {one["init_object_id"] for one in placed}
    object_ids = sorted(used - {None})
    view.rely_on(*(media_object(object_id) for object_id in object_ids))
    objects = ReferencedObjects(view, flow, object_ids)
    added: list[Row] = []
    for one in placed:
        segment = {
            **one,
            "timeline_id": flow.timeline_id,
            "flow_id": flow.id,
            "incarnation": flow.incarnation,
            "created_us": stamp.now_us,
        }
        objects.refer(segment)
        added.append(objects.with_instances(segment))
    edits.insert(SEGMENTS, *added)
    objects.write(edits)
    Announcer(view, edits, stamp).segments(flow, added)
