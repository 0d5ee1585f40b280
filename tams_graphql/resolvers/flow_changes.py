"""What a change of a flow entails: its source, its tags, its collections, its segments."""

import uuid
from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from typing import Any

from tams_graphql.metadata import engine, tables
from tams_graphql.metadata.edits import Edits
from tams_graphql.metadata.engine import Scan, View
from tams_graphql.model.errors import Forbidden, InvalidInput, NotFound, Problem
from tams_graphql.model.flow_input import FlowContent, FlowInput
from tams_graphql.model.records import Flow
from tams_graphql.resolvers.collections import (
    edit_collection,
    leave_collections,
    move_member,
)
from tams_graphql.resolvers.flow_rows import changed_columns, flow_from_row, flow_row
from tams_graphql.resolvers.reading import all_rows
from tams_graphql.resolvers.removal import REMOVAL_COLUMNS, remove_segments
from tams_graphql.resolvers.row_values import edit_tags
from tams_graphql.resolvers.source_rows import check_format, join_source, leave_source
from tams_graphql.resolvers.stamp import Stamp, new_version
from tams_graphql.timeline import NEVER


def stored_flow(view: View, flow_id: str) -> Flow | None:
    """The flow as a command sees it."""
    rows = view.get(tables.FLOWS, [(flow_id,)]).to_pylist()
    return flow_from_row(rows[0]) if rows else None


def existing_flow(view: View, flow_id: str) -> Flow:
    """The flow as a command sees it.

    Raises:
        NotFound: there is none.
    """
    flow = stored_flow(view, flow_id)
    if flow is None:
        raise NotFound("flow", flow_id)
    return flow


def writable_flow(view: View, flow_id: str) -> Flow:
    """The flow, if its metadata and segments may change.

    Raises:
        NotFound: there is none.
        Forbidden: it is read-only.
    """
    flow = existing_flow(view, flow_id)
    if flow.read_only:
        raise read_only(flow_id)
    return flow


def read_only(flow_id: str) -> Forbidden:
    """The refusal to change a read-only flow."""
    message = f"flow {flow_id} is read-only"
    return Forbidden(message, (Problem("read_only", "read_only", message),))


def create_flow(
    view: View,
    edits: Edits,
    given: FlowInput,
    stamp: Stamp,
    rollup: Mapping[str, Any] | None = None,
) -> Flow:
    """Add a new flow, which joins its source.

    The command relies on the flow, its source and the creation of both. `rollup`: those
    attributes of `Flow`, when its segments come in the same command.

    Raises:
        InvalidInput: the source or a member of the collection does not fit.
    """
    flow = replace(_new_flow(given, stamp), **(rollup or {}))
    join_source(view, edits, flow, stamp.now_us)
    edits.insert(tables.FLOWS, flow_row(flow))
    edit_tags(edits, "flow", flow.id, {}, flow.tags)
    edit_collection(view, edits, None, flow)
    return flow


def replace_flow(view: View, edits: Edits, current: Flow, given: FlowInput, stamp: Stamp) -> Flow:
    """Replace the metadata of a flow; an equal body changes nothing.

    Who created and updated it, and which version it is, stays or is renewed where the body
    does not say otherwise.

    Raises:
        Forbidden: the flow is read-only, and more than that would change.
        InvalidInput: the source or a member of the collection does not fit.
    """
    creator = current.created_by if given.created_by is None else given.created_by
    wanted = replace(current, **_values(given.content), created_by=creator)
    version = _if_new(given.metadata_version, current.metadata_version)
    updater = _if_new(given.updated_by, current.updated_by)
    named = version is not None or updater is not None
    if not named and changed_columns(current, wanted) is None:
        return current
    locked = replace(current, read_only=wanted.read_only)
    if current.read_only and (named or changed_columns(locked, wanted) is not None):
        raise read_only(current.id)
    after = stamp.on_flow(wanted, version, updater)
    apply_revision(view, edits, current, after, stamp)
    return after


def revise_flow(
    view: View, edits: Edits, current: Flow, change: Callable[[Flow], Flow], stamp: Stamp
) -> Flow:
    """Apply `change` to a flow's metadata, with a new version if it changes anything."""
    wanted = change(current)
    if changed_columns(current, wanted) is None:
        return current
    after = stamp.on_flow(wanted)
    apply_revision(view, edits, current, after, stamp)
    return after


def apply_revision(view: View, edits: Edits, before: Flow, after: Flow, stamp: Stamp) -> None:
    """Add to `edits` what turns the metadata of `before` into that of `after`."""
    moved = before.source_id != after.source_id
    if moved or before.format != after.format:
        _move(view, edits, before, after, stamp)
    changed = changed_columns(before, after)
    if changed is not None:
        edits.update(tables.FLOWS, changed)
    edit_tags(edits, "flow", after.id, before.tags, after.tags)
    if moved or before.flow_collection != after.flow_collection:
        edit_collection(view, edits, before, after)


def remove_timeline(view: View, edits: Edits, flow: Flow, stamp: Stamp) -> None:
    """Remove all segments of a flow; its rollup is the caller's."""
    scan = Scan(table=tables.SEGMENTS, prefix=(flow.timeline_id,), columns=REMOVAL_COLUMNS)
    segments = all_rows(view, scan)
    if segments.num_rows:
        remove_segments(view, edits, flow.timeline_id, segments, stamp.now_us)


def remove_flow(view: View, edits: Edits, flow: Flow, stamp: Stamp) -> None:
    """Remove a flow with what belongs to it, and its source with its last flow.

    Its segments are left on a timeline that no flow has any more.
    """
    view.rely_on(engine.source(flow.source_id))
    edit_collection(view, edits, flow, None)
    leave_collections(view, edits, flow.id, stamp)
    edit_tags(edits, "flow", flow.id, flow.tags, {})
    leave_source(view, edits, flow.source_id)
    edits.delete(tables.FLOWS, (flow.id,))


def relied_on(given: FlowInput) -> list[engine.Aggregate]:
    """What a PUT relies on as far as its body tells."""
    source_id = given.content.source_id
    collected = given.content.flow_collection or ()
    return [
        engine.flow(given.id),
        engine.creation("flow", given.id),
        engine.source(source_id),
        engine.creation("source", source_id),
        *(engine.flow(item.id) for item in collected),
    ]


def _move(view: View, edits: Edits, before: Flow, after: Flow, stamp: Stamp) -> None:
    if before.format != after.format and before.segment_count:
        raise InvalidInput(
            "format", "format.fixed", f"flow {after.id} has segments of format {before.format}"
        )
    if before.source_id == after.source_id:
        source = view.get(tables.SOURCES, [(after.source_id,)]).to_pylist()
        check_format(after, source[0])
        return
    view.rely_on(
        engine.source(before.source_id),
        engine.source(after.source_id),
        engine.creation("source", after.source_id),
    )
    leave_source(view, edits, before.source_id)
    join_source(view, edits, after, stamp.now_us)
    move_member(view, edits, after)


def _new_flow(given: FlowInput, stamp: Stamp) -> Flow:
    version = given.metadata_version
    return Flow(
        id=given.id,
        timeline_id=str(uuid.uuid4()),
        incarnation=str(uuid.uuid4()),
        created_by=stamp.principal if given.created_by is None else given.created_by,
        updated_by=stamp.principal if given.updated_by is None else given.updated_by,
        metadata_version=new_version() if version is None else version,
        profile_id=None,
        created_us=stamp.now_us,
        metadata_updated_us=stamp.now_us,
        segments_updated_us=None,
        segment_count=0,
        covered_ns=0,
        timerange=NEVER,
        **_values(given.content),
    )


def _values(content: FlowContent) -> dict[str, Any]:
    return {field.name: getattr(content, field.name) for field in fields(content)}


def _if_new(given: str | None, stored: str | None) -> str | None:
    return None if given == stored else given
