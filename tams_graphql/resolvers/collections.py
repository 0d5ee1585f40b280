"""Collections: the edges between flows, and those between sources that follow from them.

An edge is only changed by commands that rely on both its flows. So two commands that together
would close a cycle share a flow that both rely on, and the second one sees the first.
"""

from collections.abc import Sequence
from dataclasses import replace

from tams_graphql.metadata import engine, tables
from tams_graphql.metadata.edits import Edits
from tams_graphql.metadata.engine import Row, Scan, View
from tams_graphql.model.errors import InvalidInput, Problem
from tams_graphql.model.records import CollectionItem, Flow
from tams_graphql.model.vocabulary import EventType
from tams_graphql.resolvers.announcing import Announcer
from tams_graphql.resolvers.collection_conflicts import refuse_conflicts
from tams_graphql.resolvers.flow_rows import (
    changed_columns,
    collection_from_json,
    collection_rows,
    flow_from_row,
)
from tams_graphql.resolvers.loaders import Loaders
from tams_graphql.resolvers.reading import Found, all_per_key, all_rows
from tams_graphql.resolvers.source_collections import inferred_collection
from tams_graphql.resolvers.stamp import Stamp


def members(flow: Flow) -> list[str]:
    """Ids of the flows that `flow` collects, in order."""
    return [item.id for item in flow.flow_collection or ()]


def edit_collection(view: View, edits: Edits, before: Flow | None, after: Flow | None) -> list[Row]:
    """Bring the edges from a flow to its members in line with a change of the flow.

    Args:
        view: of a command that relies on the flow.
        edits: what the command collects.
        before: the flow as stored, ``None`` for a new one.
        after: the flow as it will be, ``None`` if it is deleted.

    Returns:
        The edges that it has now.

    Raises:
        InvalidInput: a member does not exist, or collects the flow, or another flow of its source
            collects the same sources in other roles or another order.
    """
    named = {*(members(before) if before else ()), *(members(after) if after else ())}
    if not named:
        return []
    view.rely_on(*(engine.flow(member) for member in sorted(named)))
    if before is not None:
        _delete_edges(view, edits, before.id)
    if after is None:
        return []
    source_of = _sources_of_members(view, after)
    _refuse_cycles(view, after)
    edges = collection_rows(after, source_of)
    refuse_conflicts(edges, _edges_of_siblings(view, after))
    edits.insert(tables.COLLECTIONS, *edges)
    return edges


def move_member(view: View, edits: Edits, flow: Flow) -> list[Found]:
    """Name the new source of `flow` on the edges from the flows that collect it; these edges."""
    moved = [{**edge, "member_source_id": flow.source_id} for edge in _edges_to(view, flow.id)]
    for edge in moved:
        key = {name: edge[name] for name in tables.COLLECTIONS.key}
        edits.update(tables.COLLECTIONS, {**key, "member_source_id": flow.source_id})
    return moved


def leave_collections(view: View, edits: Edits, flow_id: str, stamp: Stamp) -> None:
    """Take a flow that is deleted out of every collection, read-only ones too.

    A collection must not name a flow that is gone; the collecting flows' metadata changes.
    """
    edges = _edges_to(view, flow_id)
    edits.delete(
        tables.COLLECTIONS, *((edge["collector_flow_id"], edge["position"]) for edge in edges)
    )
    collectors = sorted({edge["collector_flow_id"] for edge in edges})
    for row in view.get(tables.FLOWS, [(collector,) for collector in collectors]).to_pylist():
        before = flow_from_row(row)
        kept = tuple(item for item in before.flow_collection or () if item.id != flow_id)
        after = stamp.on_flow(replace(before, flow_collection=kept))
        changed = changed_columns(before, after)
        if changed is not None:
            edits.update(tables.FLOWS, changed)
            Announcer(view, edits, stamp).flow(EventType.FLOWS_UPDATED, after)


async def load_flow_collected_by(
    loaders: Loaders, flow_ids: Sequence[str]
) -> list[tuple[str, ...]]:
    """Ids of the flows that collect each of `flow_ids`, by id."""
    scan = Scan(
        table=tables.COLLECTIONS, order="member", columns=tables.COLLECTIONS.orders["member"]
    )
    edges = await all_per_key(loaders.metadata, scan, [(flow_id,) for flow_id in flow_ids])
    return _grouped(edges, "member_flow_id", "collector_flow_id", flow_ids)


async def load_source_collected_by(
    loaders: Loaders, source_ids: Sequence[str]
) -> list[tuple[str, ...]]:
    """Ids of the sources that collect each of `source_ids`, by id; never the source itself."""
    order = tables.COLLECTIONS.orders["member_source"]
    scan = Scan(table=tables.COLLECTIONS, order="member_source", columns=order)
    edges = await all_per_key(loaders.metadata, scan, [(source_id,) for source_id in source_ids])
    outward = [e for e in edges if e["collector_source_id"] != e["member_source_id"]]
    return _grouped(outward, "member_source_id", "collector_source_id", source_ids)


async def load_source_collections(
    loaders: Loaders, source_ids: Sequence[str]
) -> list[tuple[CollectionItem, ...]]:
    """What each of `source_ids` collects (`inferred_collection`)."""
    scan = Scan(table=tables.COLLECTIONS, order="collector_source")
    edges = await all_per_key(loaders.metadata, scan, [(source_id,) for source_id in source_ids])
    outward: dict[str, list[Found]] = {source_id: [] for source_id in source_ids}
    for edge in edges:
        outward[edge["collector_source_id"]].append(edge)
    return [inferred_collection(source_id, outward[source_id]) for source_id in source_ids]


def _grouped(
    edges: Sequence[Found], parent: str, child: str, parents: Sequence[str]
) -> list[tuple[str, ...]]:
    children: dict[str, set[str]] = {identifier: set() for identifier in parents}
    for edge in edges:
        children[edge[parent]].add(edge[child])
    return [tuple(sorted(children[identifier])) for identifier in parents]


def _delete_edges(view: View, edits: Edits, collector: str) -> None:
    scan = Scan(table=tables.COLLECTIONS, prefix=(collector,), columns=tables.COLLECTIONS.key)
    keys = all_rows(view, scan).to_pylist()
    edits.delete(tables.COLLECTIONS, *((key["collector_flow_id"], key["position"]) for key in keys))


def _edges_to(view: View, member: str) -> list[Found]:
    """The edges to `member`; the command relies on the flows at both ends from here on."""
    scan = Scan(table=tables.COLLECTIONS, order="member", prefix=(member,))
    edges: list[Found] = all_rows(view, scan).to_pylist()
    view.rely_on(*(engine.flow(edge["collector_flow_id"]) for edge in edges))
    return edges


def _edges_of_siblings(view: View, flow: Flow) -> list[Found]:
    """The edges from the other flows of the source; the command relies on it from here on."""
    view.rely_on(engine.source(flow.source_id))
    scan = Scan(table=tables.COLLECTIONS, order="collector_source", prefix=(flow.source_id,))
    edges: list[Found] = all_rows(view, scan).to_pylist()
    return [edge for edge in edges if edge["collector_flow_id"] != flow.id]


def _sources_of_members(view: View, flow: Flow) -> dict[str, str]:
    wanted = members(flow)
    found = view.get(tables.FLOWS, [(m,) for m in sorted(set(wanted))], ("flow_id", "source_id"))
    source_of = {row["flow_id"]: row["source_id"] for row in found.to_pylist()}
    problems = [
        Problem(f"flow_collection.{index}.id", "not_found", f"flow {member} does not exist")
        for index, member in enumerate(wanted)
        if member not in source_of and member != flow.id
    ]
    if problems:
        raise InvalidInput.of(problems)
    return source_of


def _refuse_cycles(view: View, flow: Flow) -> None:
    """Follow the collections below each member; `flow` must not be among what it reaches."""
    reached_from: dict[str, int] = {}
    for index, member in enumerate(members(flow)):
        reached_from.setdefault(member, index)
    level = dict(reached_from)
    while level:
        if flow.id in level:
            raise InvalidInput(
                f"flow_collection.{level[flow.id]}.id",
                "cycle",
                f"flow {flow.id} would collect itself",
            )
        view.rely_on(*(engine.flow(identifier) for identifier in sorted(level)))
        rows = view.get(
            tables.FLOWS,
            [(identifier,) for identifier in sorted(level)],
            ("flow_id", "collection_json"),
        )
        below: dict[str, int] = {}
        for row in rows.to_pylist():
            for item in collection_from_json(row["collection_json"]) or ():
                if item.id not in reached_from:
                    below[item.id] = reached_from[item.id] = level[row["flow_id"]]
        level = below
