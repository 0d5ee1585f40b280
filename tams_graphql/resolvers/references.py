"""The objects that a command refers to from a flow's segments, and who refers to them."""

import uuid
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from tams_graphql.metadata.edits import Edits
from tams_graphql.metadata.engine import Key, Row, Scan, View, media_object
from tams_graphql.metadata.tables import INSTANCES, OBJECTS, REFERENCES, SEGMENTS
from tams_graphql.model.records import Flow, Instance
from tams_graphql.resolvers.instances import format_instances

MAX_INSTANCES = 16
"""The most instances of one object: all of them share one cell of the index."""

_ALL = 2**31 - 1


class ReferencedObjects:
    """Rows of OBJECTS as the command leaves them, and the references it adds.

    Nothing is written before `write`; what is refused in between leaves no trace.
    """

    def __init__(self, view: View, flow: Flow, object_ids: Iterable[str]) -> None:
        """Read `object_ids`, which the command relies on already, and their init objects."""
        self._view = view
        self._flow = flow
        self._rows: dict[str, Mapping[str, Any]] = {}
        self._changed: set[str] = set()
        self._uses: Counter[str] = Counter()
        self._read(set(object_ids))
        inits = {row["init_object_id"] for row in self._rows.values()} - {None, *self._rows}
        view.rely_on(*(media_object(object_id) for object_id in sorted(inits)))
        self._read(inits)
        self._stored = dict(self._rows)

    def get(self, object_id: str) -> Mapping[str, Any] | None:
        """The row as it stands now, earlier items of the same request included."""
        return self._rows.get(object_id)

    def put(self, row: Mapping[str, Any]) -> None:
        """Create or change an object."""
        if self._rows.get(row["object_id"]) != row:
            self._rows[row["object_id"]] = row
            self._changed.add(row["object_id"])

    def refer(self, segment: Mapping[str, Any]) -> None:
        """Count one more segment of the flow that uses its objects."""
        self._uses[segment["object_id"]] += 1
        if segment["init_object_id"] is not None:
            self._uses[segment["init_object_id"]] += 1

    def with_instances(self, segment: Mapping[str, Any]) -> dict[str, Any]:
        """A row of SEGMENTS with its copies of the objects' instances."""
        init = self._rows.get(segment["init_object_id"] or "")
        return {
            **segment,
            "instances_json": self._rows[segment["object_id"]]["instances_json"],
            "init_instances_json": init and init["instances_json"],
        }

    def write(self, edits: Edits) -> None:
        """Add the changed objects and the new references to `edits`."""
        for object_id in sorted(self._changed):
            row, before = self._rows[object_id], self._stored.get(object_id)
            if before is None:
                edits.insert(OBJECTS, row)
                continue
            update_object(edits, row)
            if before["instances_json"] != row["instances_json"]:
                spread_instances(self._view, edits, row)
        self._write_uses(edits)

    def _read(self, object_ids: Iterable[str]) -> None:
        keys: list[Key] = [(object_id,) for object_id in sorted(object_ids)]
        if keys:
            rows = self._view.get(OBJECTS, keys).to_pylist()
            self._rows.update((row["object_id"], row) for row in rows)

    def _write_uses(self, edits: Edits) -> None:
        keys: list[Key] = [(object_id, self._flow.timeline_id) for object_id in sorted(self._uses)]
        counted = self._view.get(REFERENCES, keys).to_pylist() if keys else []
        stored = {row["object_id"]: row["segment_count"] for row in counted}
        for object_id, uses in sorted(self._uses.items()):
            row: Row = {
                "object_id": object_id,
                "timeline_id": self._flow.timeline_id,
                "flow_id": self._flow.id,
                "segment_count": stored.get(object_id, 0) + uses,
            }
            (edits.update if object_id in stored else edits.insert)(REFERENCES, row)


def update_object(edits: Edits, row: Mapping[str, Any]) -> None:
    """Store the changed `row` of an object that exists."""
    edits.update(OBJECTS, {name: value for name, value in row.items() if name != "version"})


def index_instance(edits: Edits, row: Mapping[str, Any], place: Instance, now_us: int) -> None:
    """Note that the object of `row` has, or will have, bytes at `place`, which is controlled."""
    key: Row = {
        "storage_id": place.storage_id,
        "storage_key": place.key,
        "object_id": row["object_id"],
        "incarnation": row["incarnation"],
        "created_us": now_us,
    }
    edits.insert(INSTANCES, key)


def spread_instances(view: View, edits: Edits, row: Mapping[str, Any]) -> None:
    """Copy an object's changed instances to all segments that use it.

    Does nothing while the object is only allocated. Costs one update per segment.
    """
    object_id, role = row["object_id"], row["role"]
    order, column = (
        ("init_object", "init_instances_json") if role == "init" else ("object", "instances_json")
    )
    scan = Scan(table=SEGMENTS, order=order, prefix=(object_id,), limit=_ALL, columns=SEGMENTS.key)
    for segment in view.page(scan).to_pylist():
        edits.update(SEGMENTS, {**segment, column: row["instances_json"]})


def uncontrolled_object(
    object_id: str, flow_id: str, content_type: str, now_us: int
) -> dict[str, Any]:
    """The row of an object whose bytes only a client knows; `registered` completes it."""
    return {
        "object_id": object_id,
        "incarnation": str(uuid.uuid4()),
        "state": "allocated",
        "role": None,
        "flow_id": flow_id,
        "first_flow_id": None,
        "content_type": content_type,
        "init_object_id": None,
        "instances_json": format_instances(()),
        "version": 0,
        "start_ns": None,
        "end_ns": None,
        "bounds": None,
        "key_frame_count": None,
        "created_us": now_us,
        "allocated_us": None,
    }


def allocated_object(
    object_id: str, flow_id: str, content_type: str, instance: Instance, now_us: int
) -> dict[str, Any]:
    """The row of an object whose bytes are to be put at `instance`."""
    row = uncontrolled_object(object_id, flow_id, content_type, now_us)
    return row | {"instances_json": format_instances([instance]), "allocated_us": now_us}
