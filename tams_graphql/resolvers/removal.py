"""Taking segments off a timeline, and what that leaves unreferenced with them.

1. Rely on every object that the segments use, as media or for initialisation.
2. Take the segments off each object's references.
3. Delete the objects that nothing refers to any more (spec 8.2, `DELETE /flows/{flowId}/segments`);
   bytes of ours are noted in DISCARDED_MEDIA, for `discard.discard_media` to delete afterwards.
"""

from collections import Counter
from collections.abc import Iterable

import pyarrow as pa

from tams_graphql.metadata.edits import Edits
from tams_graphql.metadata.engine import Key, Row, Scan, View, media_object
from tams_graphql.metadata.tables import DISCARDED_MEDIA, INSTANCES, OBJECTS, REFERENCES, SEGMENTS
from tams_graphql.model.records import Instance
from tams_graphql.resolvers.instances import parse_instances

REMOVAL_COLUMNS = ("start_ns", "object_id", "init_object_id")
"""The columns of SEGMENTS that `remove_segments` needs."""


def remove_segments(
    view: View, edits: Edits, timeline_id: str, segments: pa.Table, now_us: int
) -> None:
    """Add to `edits` the removal of `segments` and of the objects it leaves unreferenced.

    The flow's rollup is the caller's. Call it once per timeline and command: it counts from what is
    stored, not from earlier edits.

    Args:
        view: of a command that relies on the flow already, or on what else has the timeline.
        edits: what the command collects.
        timeline_id: the timeline that all `segments` are on.
        segments: stored rows of SEGMENTS, with at least `REMOVAL_COLUMNS`.
        now_us: when, in microseconds since the Unix epoch.
    """
    uses = object_uses(segments)
    view.rely_on(*(media_object(object_id) for object_id in sorted(uses)))
    edits.delete(SEGMENTS, *((timeline_id, start) for start in segments["start_ns"].to_pylist()))
    released = _release(view, edits, timeline_id, uses)
    _delete_unreferenced(view, edits, timeline_id, released, now_us)


def object_uses(segments: pa.Table) -> Counter[str]:
    """How many of `segments` use each object, as media or as initialisation segment."""
    uses = Counter(segments["object_id"].to_pylist())
    uses.update(segments["init_object_id"].drop_null().to_pylist())
    return uses


def discard(edits: Edits, instances: Iterable[Instance], now_us: int) -> None:
    """Note the bytes of the controlled ones among `instances` for deletion."""
    for instance in instances:
        if instance.controlled:
            row: Row = {
                "storage_id": instance.storage_id,
                "storage_key": instance.key,
                "discarded_us": now_us,
            }
            edits.insert(DISCARDED_MEDIA, row)
            edits.delete(INSTANCES, (instance.storage_id, instance.key))


def _release(view: View, edits: Edits, timeline_id: str, uses: Counter[str]) -> list[str]:
    """Lower the timeline's reference counts; the objects that it stops using."""
    keys: list[Key] = [(object_id, timeline_id) for object_id in uses]
    released = []
    for row in view.get(REFERENCES, keys).to_pylist():
        object_id = row["object_id"]
        left = row["segment_count"] - uses[object_id]
        if left > 0:
            edits.update(REFERENCES, row | {"segment_count": left})
        else:
            edits.delete(REFERENCES, (object_id, timeline_id))
            released.append(object_id)
    return released


def _delete_unreferenced(
    view: View, edits: Edits, timeline_id: str, released: list[str], now_us: int
) -> None:
    if not released:
        return
    # Two rows tell "nobody else": at most one of them is this timeline's own.
    scan = Scan(table=REFERENCES, limit=2, columns=REFERENCES.key)
    references = view.first_per_key(scan, [(object_id,) for object_id in released])
    others = (row for row in references.to_pylist() if row["timeline_id"] != timeline_id)
    kept = {row["object_id"] for row in others}
    gone: list[Key] = [(object_id,) for object_id in released if object_id not in kept]
    for row in view.get(OBJECTS, gone, ("object_id", "instances_json")).to_pylist():
        edits.delete(OBJECTS, (row["object_id"],))
        discard(edits, parse_instances(row["instances_json"]), now_us)
