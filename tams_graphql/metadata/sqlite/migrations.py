"""What takes an older file to the next version, one function for each step.

Everything is spelled out: what version n has must not change when a later version changes a table.
"""

import sqlite3
import uuid
from collections.abc import Callable, Mapping
from typing import TypeAlias

Migration: TypeAlias = Callable[[sqlite3.Connection], None]


def _add_copies(connection: sqlite3.Connection) -> None:
    connection.execute(
        "CREATE TABLE object_copies (copy_id TEXT NOT NULL, object_id TEXT NOT NULL,"
        " incarnation TEXT NOT NULL, storage_id TEXT NOT NULL, state TEXT NOT NULL, error TEXT,"
        " owner TEXT, progress_token TEXT, version INTEGER NOT NULL, bytes_done INTEGER NOT NULL,"
        " bytes_total INTEGER NOT NULL, created_us INTEGER NOT NULL, updated_us INTEGER NOT NULL,"
        " due_us INTEGER NOT NULL, PRIMARY KEY (copy_id)) STRICT, WITHOUT ROWID"
    )
    connection.execute(
        "CREATE INDEX object_copies_by_object"
        " ON object_copies (object_id, incarnation, created_us, copy_id)"
    )
    connection.execute("CREATE INDEX object_copies_by_due ON object_copies (due_us, copy_id)")


def _to_timelines(connection: sqlite3.Connection) -> None:
    """Segments and references are told apart by timelines; and the tables that 3 adds.

    Rewrites all flows, segments, objects and references: about 20 s for a million segments.
    """
    connection.create_function("new_id", 0, lambda: str(uuid.uuid4()))
    _rebuild(connection, "flows", _FLOWS_3, _FLOW_ORDERS, {"timeline_id": "new_id()"})
    waiting = "CASE state WHEN 'allocated' THEN created_us END"
    _rebuild(connection, "objects", _OBJECTS_3, (_ALLOCATED,), {"allocated_us": waiting})
    for statement in (*_SEGMENTS_3, *_REFERENCES_3, *_ADDED_IN_3):
        connection.execute(statement)


def _add_events(connection: sqlite3.Connection) -> None:
    """The event log, which begins now, and what webhooks have been sent of it."""
    for statement in _ADDED_IN_4:
        connection.execute(statement)
    begin_log(connection)


def begin_log(connection: sqlite3.Connection) -> None:
    """Make the rows of the one lane that events have on SQLite."""
    connection.execute(
        "INSERT INTO lanes (lane, epoch, lease_until_us, sequence, hlc) VALUES (0, 0, 0, 0, 0)"
    )
    connection.execute(
        "INSERT INTO event_floors (lane, log_id, version, sequence) VALUES (0, ?, 0, 0)",
        (str(uuid.uuid4()),),
    )


def _rebuild(
    connection: sqlite3.Connection,
    table: str,
    definition: str,
    orders: tuple[str, ...],
    added: Mapping[str, str],
) -> None:
    """Give `table` a new definition, with the expressions `added` for its new columns."""
    columns = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
    indexes = [row[1] for row in connection.execute(f"PRAGMA index_list({table})") if row[3] == "c"]
    for index in indexes:
        connection.execute(f"DROP INDEX {index}")
    connection.execute(f"ALTER TABLE {table} RENAME TO older_{table}")
    connection.execute(definition)
    connection.execute(
        f"INSERT INTO {table} ({', '.join([*columns, *added])})"  # noqa: S608 names of ours
        f" SELECT {', '.join([*columns, *added.values()])} FROM older_{table}"
    )
    connection.execute(f"DROP TABLE older_{table}")
    for order in orders:
        connection.execute(order)


_FLOWS_3 = (
    "CREATE TABLE flows (flow_id TEXT NOT NULL, timeline_id TEXT, incarnation TEXT"
    " NOT NULL, source_id TEXT NOT NULL, format TEXT NOT NULL, codec TEXT, container TEXT,"
    " label TEXT, label_order TEXT NOT NULL, description TEXT, status TEXT, created_by TEXT,"
    " updated_by TEXT, metadata_version TEXT NOT NULL, profile_id TEXT, tags_json TEXT NOT"
    " NULL, essence_json TEXT, collection_json TEXT, technical_json TEXT, version INTEGER NOT"
    " NULL, generation INTEGER, max_bit_rate INTEGER, avg_bit_rate INTEGER, frame_width"
    " INTEGER, frame_height INTEGER, created_us INTEGER NOT NULL, metadata_updated_us INTEGER"
    " NOT NULL, segments_updated_us INTEGER, segment_count INTEGER NOT NULL, start_ns INTEGER,"
    " end_ns INTEGER, bounds INTEGER, covered_ns INTEGER NOT NULL, read_only INTEGER,"
    " init_segments INTEGER, PRIMARY KEY (flow_id)) STRICT, WITHOUT ROWID"
)

_FLOW_ORDERS = (
    "CREATE INDEX flows_by_created ON flows (created_us, flow_id)",
    "CREATE INDEX flows_by_metadata_updated ON flows (metadata_updated_us, flow_id)",
    "CREATE INDEX flows_by_label ON flows (label_order, flow_id)",
    "CREATE INDEX flows_by_source ON flows (source_id, created_us, flow_id)",
    (
        "CREATE INDEX flows_by_profile ON flows (profile_id, created_us, flow_id) WHERE"
        " profile_id IS NOT NULL"
    ),
)

_OBJECTS_3 = (
    "CREATE TABLE objects (object_id TEXT NOT NULL, incarnation TEXT NOT NULL, state TEXT NOT"
    " NULL, role TEXT, flow_id TEXT, first_flow_id TEXT, content_type TEXT, init_object_id"
    " TEXT, instances_json TEXT NOT NULL, version INTEGER NOT NULL, start_ns INTEGER, end_ns"
    " INTEGER, bounds INTEGER, key_frame_count INTEGER, created_us INTEGER NOT NULL,"
    " allocated_us INTEGER, PRIMARY KEY (object_id)) STRICT, WITHOUT ROWID"
)

_ALLOCATED = (
    "CREATE INDEX objects_by_allocated ON objects (allocated_us, object_id) WHERE"
    " allocated_us IS NOT NULL"
)

_SEGMENTS_3 = (
    (
        "CREATE TABLE flow_segments (timeline_id TEXT NOT NULL, start_ns INTEGER NOT NULL,"
        " flow_id TEXT NOT NULL, incarnation TEXT NOT NULL, object_id TEXT NOT NULL,"
        " instances_json TEXT NOT NULL, init_object_id TEXT, init_instances_json TEXT, end_ns"
        " INTEGER NOT NULL, bounds INTEGER NOT NULL, ts_offset_ns INTEGER, last_duration_ns"
        " INTEGER, sample_offset INTEGER, sample_count INTEGER, key_frame_count INTEGER,"
        " object_start_ns INTEGER NOT NULL, object_end_ns INTEGER NOT NULL, object_bounds INTEGER"
        " NOT NULL, created_us INTEGER NOT NULL, PRIMARY KEY (timeline_id, start_ns)) STRICT,"
        " WITHOUT ROWID"
    ),
    (
        "INSERT INTO flow_segments (timeline_id, flow_id, incarnation, object_id, instances_json,"
        " init_object_id, init_instances_json, start_ns, end_ns, bounds, ts_offset_ns,"
        " last_duration_ns, sample_offset, sample_count, key_frame_count, object_start_ns,"
        " object_end_ns, object_bounds, created_us) SELECT flows.timeline_id, segments.flow_id,"
        " segments.incarnation, segments.object_id, segments.instances_json,"
        " segments.init_object_id, segments.init_instances_json, segments.start_ns,"
        " segments.end_ns, segments.bounds, segments.ts_offset_ns, segments.last_duration_ns,"
        " segments.sample_offset, segments.sample_count, segments.key_frame_count,"
        " segments.object_start_ns, segments.object_end_ns, segments.object_bounds,"
        " segments.created_us FROM flows JOIN segments ON segments.flow_id = flows.flow_id"
    ),
    "DROP TABLE segments",
    "CREATE INDEX flow_segments_by_object ON flow_segments (object_id, timeline_id, start_ns)",
    (
        "CREATE INDEX flow_segments_by_init_object ON flow_segments (init_object_id, timeline_id,"
        " start_ns) WHERE init_object_id IS NOT NULL"
    ),
)

_REFERENCES_3 = (
    (
        "CREATE TABLE timeline_objects (object_id TEXT NOT NULL, timeline_id TEXT NOT NULL,"
        " flow_id TEXT NOT NULL, segment_count INTEGER NOT NULL, PRIMARY KEY (object_id,"
        " timeline_id)) STRICT, WITHOUT ROWID"
    ),
    (
        "INSERT INTO timeline_objects (object_id, timeline_id, flow_id, segment_count) SELECT"
        " old.object_id, flows.timeline_id, old.flow_id, old.segment_count FROM object_references"
        " AS old JOIN flows ON flows.flow_id = old.flow_id"
    ),
    "DROP TABLE object_references",
    "CREATE INDEX timeline_objects_by_flow ON timeline_objects (object_id, flow_id, timeline_id)",
    "CREATE INDEX timeline_objects_by_timeline ON timeline_objects (timeline_id, object_id)",
)

_ADDED_IN_3 = (
    (
        "CREATE TABLE instances (storage_id TEXT NOT NULL, storage_key TEXT NOT NULL, object_id"
        " TEXT NOT NULL, incarnation TEXT NOT NULL, created_us INTEGER NOT NULL, PRIMARY KEY"
        " (storage_id, storage_key)) STRICT, WITHOUT ROWID"
    ),
    (
        "INSERT OR IGNORE INTO instances (storage_id, storage_key, object_id, incarnation,"
        " created_us) SELECT one.value ->> '$.storage_id', one.value ->> '$.key', object_id,"
        " incarnation, created_us FROM objects, json_each(instances_json) AS one WHERE one.value"
        " ->> '$.storage_id' IS NOT NULL"
    ),
    (
        "CREATE TABLE profiles (profile_id TEXT NOT NULL, incarnation TEXT NOT NULL, label TEXT,"
        " label_order TEXT NOT NULL, description TEXT, created_by TEXT, format TEXT NOT NULL,"
        " codec TEXT NOT NULL, tags_json TEXT NOT NULL, flow_metadata_json TEXT NOT NULL,"
        " created_us INTEGER NOT NULL, PRIMARY KEY (profile_id)) STRICT, WITHOUT ROWID"
    ),
    "CREATE INDEX profiles_by_label ON profiles (label_order, profile_id)",
    (
        "CREATE TABLE service_info (service_id TEXT NOT NULL, name TEXT, description TEXT,"
        " version INTEGER NOT NULL, updated_us INTEGER NOT NULL, PRIMARY KEY (service_id)) STRICT,"
        " WITHOUT ROWID"
    ),
    (
        "CREATE TABLE webhooks (webhook_id TEXT NOT NULL, incarnation TEXT NOT NULL, url TEXT NOT"
        " NULL, api_key_name TEXT, api_key_encrypted TEXT, identity_digest TEXT NOT NULL,"
        " events_json TEXT NOT NULL, filters_json TEXT NOT NULL, tags_json TEXT NOT NULL, status"
        " TEXT NOT NULL, error_json TEXT, api_version TEXT NOT NULL, created_by TEXT, version"
        " INTEGER NOT NULL, created_us INTEGER NOT NULL, updated_us INTEGER NOT NULL, PRIMARY KEY"
        " (webhook_id)) STRICT, WITHOUT ROWID"
    ),
    "CREATE INDEX webhooks_by_created ON webhooks (created_us, webhook_id)",
    "CREATE INDEX webhooks_by_identity ON webhooks (identity_digest, webhook_id)",
    (
        "CREATE TABLE delete_requests (request_id TEXT NOT NULL, flow_id TEXT NOT NULL,"
        " timeline_id TEXT NOT NULL, object_id TEXT, status TEXT NOT NULL, error_json TEXT,"
        " created_by TEXT, owner TEXT, version INTEGER NOT NULL, start_ns INTEGER, end_ns INTEGER,"
        " bounds INTEGER NOT NULL, remaining_start_ns INTEGER, remaining_end_ns INTEGER,"
        " remaining_bounds INTEGER NOT NULL, up_to_us INTEGER NOT NULL, deleted_count INTEGER NOT"
        " NULL, created_us INTEGER NOT NULL, updated_us INTEGER NOT NULL, expiry_us INTEGER NOT"
        " NULL, due_us INTEGER, delete_flow INTEGER NOT NULL, orphaned INTEGER NOT NULL, PRIMARY"
        " KEY (request_id)) STRICT, WITHOUT ROWID"
    ),
    "CREATE INDEX delete_requests_by_created ON delete_requests (created_us, request_id)",
    "CREATE INDEX delete_requests_by_expiry ON delete_requests (expiry_us, request_id)",
    (
        "CREATE INDEX delete_requests_by_due ON delete_requests (due_us, request_id) WHERE due_us"
        " IS NOT NULL"
    ),
    "CREATE INDEX delete_requests_by_timeline ON delete_requests (timeline_id, request_id)",
)

_ADDED_IN_4 = (
    *(f"ALTER TABLE {table} ADD COLUMN hlc INTEGER" for table in ("sources", "flows", "guards")),
    "ALTER TABLE webhooks ADD COLUMN signing_secret_encrypted TEXT",
    (
        "CREATE TABLE events (lane INTEGER NOT NULL, sequence INTEGER NOT NULL, event_id TEXT NOT"
        " NULL, event_type TEXT NOT NULL, flow_id TEXT, source_id TEXT, actor TEXT, payload_json"
        " TEXT, hlc INTEGER NOT NULL, occurred_us INTEGER NOT NULL, part_count INTEGER NOT NULL,"
        " PRIMARY KEY (lane, sequence)) STRICT, WITHOUT ROWID"
    ),
    (
        "CREATE TABLE event_parts (event_id TEXT NOT NULL, part INTEGER NOT NULL, payload_json"
        " TEXT NOT NULL, PRIMARY KEY (event_id, part)) STRICT, WITHOUT ROWID"
    ),
    (
        "CREATE TABLE lanes (lane INTEGER NOT NULL, owner TEXT, commit_id TEXT, epoch INTEGER NOT"
        " NULL, lease_until_us INTEGER NOT NULL, sequence INTEGER, hlc INTEGER, PRIMARY KEY"
        " (lane)) STRICT, WITHOUT ROWID"
    ),
    (
        "CREATE TABLE event_floors (lane INTEGER NOT NULL, log_id TEXT NOT NULL, version INTEGER"
        " NOT NULL, sequence INTEGER NOT NULL, PRIMARY KEY (lane)) STRICT, WITHOUT ROWID"
    ),
    (
        "CREATE TABLE webhook_queues (webhook_id TEXT NOT NULL, incarnation TEXT NOT NULL,"
        " position TEXT NOT NULL, owner TEXT, failing_event_id TEXT, version INTEGER NOT NULL,"
        " due_us INTEGER, failed_attempts INTEGER NOT NULL, PRIMARY KEY (webhook_id)) STRICT,"
        " WITHOUT ROWID"
    ),
    (
        "CREATE INDEX webhook_queues_by_due ON webhook_queues (due_us, webhook_id) WHERE due_us"
        " IS NOT NULL"
    ),
    (
        "CREATE TABLE webhook_deliveries (webhook_id TEXT NOT NULL, created_us INTEGER NOT NULL,"
        " delivery_id TEXT NOT NULL, incarnation TEXT NOT NULL, event_id TEXT NOT NULL, event_type"
        " TEXT NOT NULL, status TEXT NOT NULL, attempts_json TEXT NOT NULL, lane INTEGER, sequence"
        " INTEGER, updated_us INTEGER NOT NULL, PRIMARY KEY (webhook_id, created_us, delivery_id))"
        " STRICT, WITHOUT ROWID"
    ),
    (
        "CREATE INDEX webhook_deliveries_by_age ON webhook_deliveries (updated_us, webhook_id,"
        " created_us, delivery_id)"
    ),
    (
        "INSERT INTO webhook_queues (webhook_id, incarnation, position, version, due_us,"
        " failed_attempts) SELECT webhook_id, incarnation, '', 0,"
        " CASE WHEN status IN ('created', 'started') THEN 0 END, 0 FROM webhooks"
    ),
)

MIGRATIONS: Mapping[int, Migration] = {1: _add_copies, 2: _to_timelines, 3: _add_events}
"""``MIGRATIONS[n]`` takes a file from version n to n + 1; whoever raises
`tables.SCHEMA_VERSION` adds the step here."""
