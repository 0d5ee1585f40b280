"""What commands add to the event log, so that whoever follows it learns of their changes.

What happens to a flow's or a source's metadata, and to a flow's segments, is one event each, of the
types of spec 8.2 (`webhooks`). `payload` is JSON:

- ``tags``, ``flow_collected_by`` and ``source_collected_by`` of what the event is about, at the
  time of the change, for filters (DECISIONS, events), and its ``format``, which old versions of
  the API may not have;
- ``flow`` or ``source``: its row, without nulls; a source's also has ``source_collection``;
- ``segments``: columns of SEGMENTS, at most `SEGMENTS_PER_EVENT` rows;
- ``timerange``: what the deleted segments span, which begins and ends with one of them.
"""

import uuid
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import orjson
import pyarrow as pa

from tams_graphql.metadata.edits import Edits
from tams_graphql.metadata.engine import Row, Scan, View
from tams_graphql.metadata.event_tables import EVENT_PARTS
from tams_graphql.metadata.tables import COLLECTIONS, SEGMENTS
from tams_graphql.model.records import CollectionItem, Flow, Source
from tams_graphql.model.vocabulary import EventType
from tams_graphql.resolvers.flow_rows import flow_row
from tams_graphql.resolvers.reading import Found, all_rows
from tams_graphql.resolvers.rollup import EXTENT_COLUMNS, union_of
from tams_graphql.resolvers.source_collections import inferred_collection
from tams_graphql.resolvers.source_rows import source_row
from tams_graphql.resolvers.stamp import Stamp
from tams_graphql.timeline import TimeRange

SEGMENTS_PER_EVENT = 100
"""A registration of more segments makes several events (DECISIONS)."""

_PART = 24_000
"""Characters of a payload in one cell: at most 96 KB of UTF-8 (FACTS: cells up to 100 KB)."""

_OWN = ("timeline_id", "flow_id", "incarnation")
"""Columns of SEGMENTS that an event's segments share and readers do not see."""

_INTERNAL = frozenset({"version", "label_order"})


class Announcer:
    """Adds events to the `edits` of a command, as changes that `stamp` made."""

    def __init__(self, view: View, edits: Edits, stamp: Stamp) -> None:
        self._view = view
        self._edits = edits
        self._stamp = stamp
        self._read: dict[tuple[str, str], list[Found]] = {}

    def moved(self, edges: Sequence[Found]) -> None:
        """The command lets `edges` name another source of their member, which no read shows yet."""
        for edge in edges:
            self._edges("member_source", edge["member_source_id"]).append(edge)

    def flow(self, what: EventType, flow: Flow) -> None:
        """A flow was created, updated or deleted; `flow` as it is now, or was at last."""
        self._about_flow(what, flow, {"flow": _shown(flow_row(flow))})

    def segments(self, flow: Flow, segments: Sequence[Row]) -> None:
        """`segments`, full rows of SEGMENTS, were added to a flow."""
        for first in range(0, len(segments), SEGMENTS_PER_EVENT):
            columns = _columns(segments[first : first + SEGMENTS_PER_EVENT])
            self._about_flow(EventType.FLOWS_SEGMENTS_ADDED, flow, {"segments": columns})

    def removal(self, flow: Flow, removed: pa.Table, *, dense: bool) -> None:
        """Segments of a flow were deleted: columns `EXTENT_COLUMNS`, in order of time.

        `dense`: none of those between them has stayed. Otherwise each run of adjoining ones is
        an event.
        """
        rows = removed.select(EXTENT_COLUMNS).to_pylist()
        for run in [rows] if dense else _runs(rows):
            self.emptied(flow, union_of(run[0], run[-1]))

    def emptied(self, flow: Flow, timerange: TimeRange) -> None:
        """All segments of a flow in `timerange`, which they span, were deleted."""
        self._about_flow(EventType.FLOWS_SEGMENTS_DELETED, flow, {"timerange": str(timerange)})

    def source(
        self, what: EventType, source: Source, edges: Sequence[Mapping[str, Any]] | None = None
    ) -> None:
        """A source was created, updated or deleted.

        `edges`: rows of COLLECTIONS by which a new source collects others; else the stored ones.
        """
        if edges is None:
            edges = self._edges("collector_source", source.id)
        collection = [_item(one) for one in inferred_collection(source.id, edges)]
        inward = self._edges("member_source", source.id)
        payload = {
            "tags": source.tags,
            "format": source.format.value,
            "source_collected_by": _source_collectors(source.id, inward),
            "source": {**_shown(source_row(source)), "source_collection": collection},
        }
        self._write(what, None, source.id, payload)

    def _about_flow(self, what: EventType, flow: Flow, content: Mapping[str, Any]) -> None:
        # An edge to the flow is one to its source: both kinds of collectors are one read.
        edges = self._edges("member_source", flow.source_id)
        own = [edge for edge in edges if edge["member_flow_id"] == flow.id]
        payload = {
            "tags": flow.tags,
            "format": flow.format.value,
            "flow_collected_by": sorted({edge["collector_flow_id"] for edge in own}),
            "source_collected_by": _source_collectors(flow.source_id, edges),
            **content,
        }
        self._write(what, flow.id, flow.source_id, payload)

    def _edges(self, order: str, source_id: str) -> list[Found]:
        """Read once, however many events a command has."""
        key = (order, source_id)
        if key not in self._read:
            scan = Scan(table=COLLECTIONS, order=order, prefix=(source_id,))
            self._read[key] = all_rows(self._view, scan).to_pylist()
        return self._read[key]

    def _write(
        self, what: EventType, flow_id: str | None, source_id: str, payload: Mapping[str, Any]
    ) -> None:
        text, event_id = orjson.dumps(payload).decode(), str(uuid.uuid4())
        parts = [text[first : first + _PART] for first in range(0, len(text), _PART)]
        large = len(parts) > 1
        self._edits.announce(
            {
                "event_id": event_id,
                "event_type": what.value,
                "occurred_us": self._stamp.now_us,
                "actor": self._stamp.principal,
                "flow_id": flow_id,
                "source_id": source_id,
                "payload_json": None if large else text,
                "part_count": len(parts) if large else 0,
            }
        )
        for n, part in enumerate(parts if large else ()):
            row: Row = {"event_id": event_id, "part": n, "payload_json": part}
            self._edits.insert(EVENT_PARTS, row)


def _shown(row: Mapping[str, Any]) -> dict[str, Any]:
    """What can't be made anew from the rest of the row."""
    kept = {name: value for name, value in row.items() if name not in _INTERNAL}
    return {name: value for name, value in kept.items() if value is not None}


def _source_collectors(source_id: str, edges: Sequence[Found]) -> list[str]:
    return sorted({edge["collector_source_id"] for edge in edges} - {source_id})


def _item(item: CollectionItem) -> dict[str, Any]:
    return {"id": item.id} if item.role is None else {"id": item.id, "role": item.role}


def _columns(segments: Sequence[Row]) -> dict[str, list[Any]]:
    names = [name for name in SEGMENTS.columns if name not in _OWN]
    columns = {name: [row.get(name) for row in segments] for name in names}
    return {name: values for name, values in columns.items() if values.count(None) < len(values)}


def _runs(rows: Sequence[Mapping[str, Any]]) -> Iterator[list[Mapping[str, Any]]]:
    run: list[Mapping[str, Any]] = []
    for row in rows:
        if run and row["start_ns"] != run[-1]["end_ns"]:
            yield run
            run = []
        run.append(row)
    if run:
        yield run
