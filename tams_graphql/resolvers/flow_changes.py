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
from tams_graphql.model.records import Flow, Source
from tams_graphql.model.technical import TECHNICAL
from tams_graphql.model.vocabulary import EventType
from tams_graphql.resolvers.announcing import Announcer
from tams_graphql.resolvers.collections import (
    edit_collection,
    leave_collections,
    move_member,
)
from tams_graphql.resolvers.flow_rows import changed_columns, flow_from_row, flow_row
from tams_graphql.resolvers.reading import all_rows
from tams_graphql.resolvers.removal import REMOVAL_COLUMNS, remove_segments
from tams_graphql.resolvers.row_values import edit_tags
from tams_graphql.resolvers.source_changes import check_format, join_source, leave_source
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
    source = join_source(view, edits, flow, stamp.now_us)
    edits.insert(tables.FLOWS, flow_row(flow))
    edit_tags(edits, "flow", flow.id, {}, flow.tags)
    edges = edit_collection(view, edits, None, flow)
    announcer = Announcer(view, edits, stamp)
    if source is not None:
        announcer.source(EventType.SOURCES_CREATED, source, edges)
    announcer.flow(EventType.FLOWS_CREATED, flow)
    return flow


def replace_flow(view: View, edits: Edits, current: Flow, given: FlowInput, stamp: Stamp) -> Flow:
    """Replace the metadata of a flow; an equal body changes nothing.

    Who created and updated it, and which version it is, stays or is renewed where the body
    does not say otherwise.

    Raises:
        Forbidden: the flow is read-only, and more than that would change.
        InvalidInput: the source or a member of the collection does not fit; technical metadata
            is not that of the profile that the flow is made from.
    """
    creator = current.created_by if given.created_by is None else given.created_by
    link = _link(current, given)
    values = {**_values(given.content), "profile_id": link}
    wanted = replace(current, **values, created_by=creator)
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


def with_values(flow: Flow, values: Mapping[str, Any], *, cuts_profile: bool = False) -> Flow:
    """`flow` with these properties.

    Args:
        flow: as it is.
        values: the properties.
        cuts_profile: the client knows no profiles (ADR 0011): another average bit rate cuts the
            link, and the flow keeps what it has inherited.

    Raises:
        InvalidInput: it is made from a profile, which tells the average bit rate (spec 8.2,
            `PUT /flows/{flowId}/avg_bit_rate`).
    """
    name = "avg_bit_rate"
    after = replace(flow, **values)
    if flow.profile_id is None or name not in values:
        return after
    if cuts_profile:
        changed = after.avg_bit_rate != flow.avg_bit_rate
        return replace(after, profile_id=None) if changed else after
    # Removing what is not there leaves the flow as its profile has it.
    if values[name] is not None or flow.avg_bit_rate is not None:
        raise InvalidInput(name, "profile.linked", linked(flow.id, flow.profile_id))
    return after


def apply_revision(view: View, edits: Edits, before: Flow, after: Flow, stamp: Stamp) -> None:
    """Add to `edits` what turns the metadata of `before` into that of `after`."""
    _check_segments_fit(before, after)
    announcer = Announcer(view, edits, stamp)
    left, joined, edges = None, None, None
    if before.source_id != after.source_id:
        left, joined = _move(view, edits, before, after, stamp)
        announcer.moved(move_member(view, edits, after))
    elif before.format != after.format:
        check_format(after, view.get(tables.SOURCES, [(after.source_id,)]).to_pylist()[0])
    changed = changed_columns(before, after)
    if changed is not None:
        edits.update(tables.FLOWS, changed)
    edit_tags(edits, "flow", after.id, before.tags, after.tags)
    if before.source_id != after.source_id or before.flow_collection != after.flow_collection:
        edges = edit_collection(view, edits, before, after)
    if joined is not None:
        announcer.source(EventType.SOURCES_CREATED, joined, edges)
    announcer.flow(EventType.FLOWS_UPDATED, after)
    if left is not None:
        announcer.source(EventType.SOURCES_DELETED, left)


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
    view.rely_on(engine.source(flow.source_id), engine.creation("flow", flow.id))
    edit_collection(view, edits, flow, None)
    leave_collections(view, edits, flow.id, stamp)
    edit_tags(edits, "flow", flow.id, flow.tags, {})
    source = leave_source(view, edits, flow.source_id)
    edits.delete(tables.FLOWS, (flow.id,))
    announcer = Announcer(view, edits, stamp)
    announcer.flow(EventType.FLOWS_DELETED, flow)
    if source is not None:
        announcer.source(EventType.SOURCES_DELETED, source)


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


def _move(
    view: View, edits: Edits, before: Flow, after: Flow, stamp: Stamp
) -> tuple[Source | None, Source | None]:
    """Change the source; the one that goes, and the one that comes."""
    view.rely_on(
        engine.source(before.source_id),
        engine.source(after.source_id),
        engine.creation("source", after.source_id),
    )
    left = leave_source(view, edits, before.source_id)
    return left, join_source(view, edits, after, stamp.now_us)


def _check_segments_fit(before: Flow, after: Flow) -> None:
    """Refuse what the segments that a flow has would belie (spec 8.2, ``init_segments``)."""
    if not before.segment_count:
        return
    if before.format != after.format:
        raise InvalidInput(
            "format", "format.fixed", f"flow {after.id} has segments of format {before.format}"
        )
    if before.init_segments != after.init_segments:
        has = "with" if before.init_segments else "without"
        raise InvalidInput(
            "essence_parameters.init_segments",
            "init_segments.fixed",
            f"flow {after.id} has segments {has} initialisation objects",
        )


def _link(current: Flow, given: FlowInput) -> str | None:
    """The profile that a flow is made from after a PUT."""
    link = given.content.profile_id
    if link is not None or given.unlinks or current.profile_id is None:
        return link
    changed = [
        Problem(name, "profile.linked", linked(current.id, current.profile_id))
        for name in TECHNICAL
        if getattr(given.content, name) != getattr(current, name)
    ]
    if changed:
        raise InvalidInput.of(changed)
    return current.profile_id


def linked(flow_id: str, profile_id: str) -> str:
    """Why the technical metadata of a flow that is made from a profile can't change."""
    return (
        f"flow {flow_id} is made from profile {profile_id}: to change it, PUT the flow with an"
        ' empty profile_id ("", null in GraphQL) and all of its technical metadata'
    )


def _new_flow(given: FlowInput, stamp: Stamp) -> Flow:
    version = given.metadata_version
    return Flow(
        id=given.id,
        timeline_id=str(uuid.uuid4()),
        incarnation=str(uuid.uuid4()),
        created_by=stamp.principal if given.created_by is None else given.created_by,
        updated_by=stamp.principal if given.updated_by is None else given.updated_by,
        metadata_version=new_version() if version is None else version,
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
