"""What takes older tables on VAST to the next version, one function for each step.

Everything is spelled out: what version n has must not change when a later version changes a table.
All steps share one transaction. Version 3 reads and writes every flow, segment, object and
reference in it, which takes about as long as the cluster needs to insert them; no process of an
older version may write meanwhile, and a cluster that ends such a long transaction leaves the
index as it was.
"""

import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from tams_graphql.metadata.vast.queries import ROW_ID
from tams_graphql.metadata.vast.writing import insertable

Migration: TypeAlias = Callable[[Any], None]
"""A step, given the SDK's schema within a transaction."""

_TEXT, _NUMBER, _FLAG = pa.string(), pa.int64(), pa.bool_()
_UPDATED_AT_ONCE = 1_000


def _add_copies(stored: Any) -> None:
    required = "copy_id object_id incarnation storage_id state"
    numbers = "version bytes_done bytes_total created_us updated_us due_us"
    fields = [*_fields(_TEXT, required), *_fields(_NUMBER, numbers)]
    fields += _fields(_TEXT, "error owner progress_token", nullable=True)
    stored.create_table("object_copies", pa.schema(fields))


def _to_timelines(stored: Any) -> None:
    """Segments and references are told apart by timelines; and the tables that 3 adds."""
    timelines = _give_timelines(stored)
    _create_tables(stored, _ADDED_IN_3)
    _copy(stored, "segments", "flow_segments", timelines)
    _copy(stored, "object_references", "timeline_objects", timelines)
    _index_objects(stored)


def _add_events(stored: Any) -> None:
    """The event log, which begins now, and what webhooks have been sent of it."""
    for name, added in _COLUMNS_OF_4.items():
        stored.table(name).add_column(pa.schema(added))
    _create_tables(stored, _ADDED_IN_4)
    _insert(stored.table("event_floors"), pa.Table.from_pylist(new_floors(), schema=_FLOORS))
    found = stored.table("webhooks").select(columns=["webhook_id", "incarnation", "status"])
    schema = stored.table("webhook_queues").columns()
    queues = [_queue(row) for row in found.read_all().to_pylist()]
    _insert(stored.table("webhook_queues"), pa.Table.from_pylist(queues, schema=schema))


def new_floors() -> list[dict[str, Any]]:
    """The rows of EVENT_FLOORS of a log that begins."""
    log_id = str(uuid.uuid4())
    floor = {"log_id": log_id, "version": 0, "sequence": 0}
    return [{"lane": lane, **floor} for lane in range(_LANES)]


def _queue(webhook: Mapping[str, Any]) -> dict[str, Any]:
    enabled = webhook["status"] in {"created", "started"}
    return {
        "webhook_id": webhook["webhook_id"],
        "incarnation": webhook["incarnation"],
        "position": "",
        "version": 0,
        "due_us": 0 if enabled else None,
        "failed_attempts": 0,
    }


def _give_timelines(stored: Any) -> dict[str, str]:
    """Each flow gets a timeline; which ones."""
    found = stored.table("flows").select(columns=["flow_id"], internal_row_id=True).read_all()
    timelines = {flow_id: str(uuid.uuid4()) for flow_id in found["flow_id"].to_pylist()}
    stored.table("flows").add_column(pa.schema([pa.field("timeline_id", _TEXT)]))
    values = [timelines[flow_id] for flow_id in found["flow_id"].to_pylist()]
    _update(stored.table("flows"), found[ROW_ID], "timeline_id", pa.array(values, _TEXT))
    return timelines


def _update(table: Any, row_ids: pa.ChunkedArray, name: str, values: pa.Array) -> None:
    changed = pa.table({ROW_ID: row_ids, name: values})
    for first in range(0, changed.num_rows, _UPDATED_AT_ONCE):
        table.update(changed.slice(first, _UPDATED_AT_ONCE))


def _copy(stored: Any, older: str, newer: str, timelines: Mapping[str, str]) -> None:
    """Move all rows of the table `older` to `newer`, each with the timeline of its flow."""
    schema = stored.table(newer).columns()
    for batch in stored.table(older).select():
        rows = pa.Table.from_batches([batch])
        ids = [timelines.get(flow_id) for flow_id in rows["flow_id"].to_pylist()]
        rows = rows.append_column("timeline_id", pa.array(ids, _TEXT))
        known = rows.filter(pc.is_valid(rows["timeline_id"]))
        _insert(stored.table(newer), known.select(schema.names).cast(schema))
    stored.table(older).drop()


def _insert(table: Any, rows: pa.Table) -> None:
    for part in insertable(rows):
        table.insert(part)


def _index_objects(stored: Any) -> None:
    """Objects that wait to be registered say since when; instances can be looked up by key."""
    columns = ["object_id", "incarnation", "state", "instances_json", "created_us"]
    found = stored.table("objects").select(columns=columns, internal_row_id=True).read_all()
    stored.table("objects").add_column(pa.schema([pa.field("allocated_us", _NUMBER)]))
    waiting = found.filter(pc.equal(found["state"], "allocated"))
    _update(stored.table("objects"), waiting[ROW_ID], "allocated_us", waiting["created_us"])
    fields = _fields(_TEXT, "storage_id storage_key object_id incarnation")
    schema = pa.schema([*fields, *_fields(_NUMBER, "created_us")])
    rows = list(_instances(found.drop_columns([ROW_ID]).to_pylist()))
    _insert(stored.table("instances"), pa.Table.from_pylist(rows, schema=schema))


def _instances(objects: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    for row in objects:
        for one in orjson.loads(row["instances_json"]):
            if "storage_id" in one:
                kept = {name: row[name] for name in ("object_id", "incarnation", "created_us")}
                yield {"storage_id": one["storage_id"], "storage_key": one["key"], **kept}


def _create_tables(stored: Any, added: Sequence[tuple[str, ...]]) -> None:
    for name, key, text, numbers, optional_text, optional_numbers, flags in added:
        fields = [*_fields(_TEXT, text), *_fields(_NUMBER, numbers)]
        fields += _fields(_TEXT, optional_text, nullable=True)
        fields += _fields(_NUMBER, optional_numbers, nullable=True)
        fields += _fields(_FLAG, flags)
        stored.create_table(name, pa.schema(fields), sorting_key=key.split())


def _fields(kind: pa.DataType, names: str, *, nullable: bool = False) -> list[pa.Field]:
    return [pa.field(name, kind, nullable=nullable) for name in names.split()]


_WEBHOOK_TEXT = (
    "webhook_id incarnation url identity_digest events_json filters_json tags_json status"
    " api_version"
)

_ADDED_IN_3 = (
    (
        "flow_segments",
        "timeline_id start_ns",
        "timeline_id flow_id incarnation object_id instances_json",
        "start_ns end_ns bounds object_start_ns object_end_ns object_bounds created_us",
        "init_object_id init_instances_json",
        "ts_offset_ns last_duration_ns sample_offset sample_count key_frame_count",
        "",
    ),
    (
        "timeline_objects",
        "object_id timeline_id",
        "object_id timeline_id flow_id",
        "segment_count",
        "",
        "",
        "",
    ),
    (
        "instances",
        "storage_id storage_key",
        "storage_id storage_key object_id incarnation",
        "created_us",
        "",
        "",
        "",
    ),
    (
        "profiles",
        "profile_id",
        "profile_id incarnation label_order format codec tags_json flow_metadata_json",
        "created_us",
        "label description created_by",
        "",
        "",
    ),
    ("service_info", "", "service_id", "version updated_us", "name description", "", ""),
    (
        "webhooks",
        "",
        _WEBHOOK_TEXT,
        "version created_us updated_us",
        "api_key_name api_key_encrypted error_json created_by",
        "",
        "",
    ),
    (
        "delete_requests",
        "",
        "request_id flow_id timeline_id status",
        "version bounds remaining_bounds up_to_us deleted_count created_us updated_us expiry_us",
        "object_id error_json created_by owner",
        "start_ns end_ns remaining_start_ns remaining_end_ns due_us",
        "delete_flow orphaned",
    ),
)
"""Name, key (none: unsorted), then the columns: text, numbers, optional ones, flags."""

_LANES = 64
_FLOORS = pa.schema([*_fields(_TEXT, "log_id"), *_fields(_NUMBER, "lane version sequence")])
_COLUMNS_OF_4 = {
    **{name: _fields(_NUMBER, "hlc", nullable=True) for name in ("sources", "flows", "guards")},
    "webhooks": _fields(_TEXT, "signing_secret_encrypted", nullable=True),
    "lanes": _fields(_NUMBER, "sequence hlc", nullable=True),
}
_ADDED_IN_4 = (
    (
        "events",
        "lane sequence",
        "event_id event_type",
        "lane sequence hlc occurred_us part_count",
        "flow_id source_id actor payload_json",
        "",
        "",
    ),
    ("event_parts", "event_id part", "event_id payload_json", "part", "", "", ""),
    ("event_floors", "", "log_id", "lane version sequence", "", "", ""),
    (
        "webhook_queues",
        "",
        "webhook_id incarnation position",
        "version failed_attempts",
        "owner failing_event_id",
        "due_us",
        "",
    ),
    (
        "webhook_deliveries",
        "webhook_id created_us delivery_id",
        "webhook_id delivery_id incarnation event_id event_type status attempts_json",
        "created_us updated_us",
        "",
        "lane sequence",
        "",
    ),
)

MIGRATIONS: Mapping[int, Migration] = {1: _add_copies, 2: _to_timelines, 3: _add_events}
"""``MIGRATIONS[n]`` takes the tables from version n to n + 1; whoever raises
`tables.SCHEMA_VERSION` adds the step here."""
