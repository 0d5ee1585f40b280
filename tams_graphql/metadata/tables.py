"""Every table of the index: its Arrow schema, its sort orders, its schema version.

Units: columns named ``*_ns`` are integer nanoseconds on a media timeline, ``*_us`` integer
microseconds since the Unix epoch (UTC). ``*_bounds`` keeps how a timerange was written
(`timeline.Bounds`). Columns of type JSON text end in ``_json``. Columns of a sort order are
never null, so that all engines agree on what comes first; ``label_order`` is ``"a" + label``,
or ``"b"`` for a resource without a label, which puts those last (spec 8.2, `sort_by`). ``hlc`` is
that of the last event about a row (see `event_tables`), where engines have several lanes.
"""

from tams_graphql.metadata import event_tables
from tams_graphql.metadata.table import Table, table_schema

__all__ = ["Table"]

SCHEMA_VERSION = 4
"""Version of everything in this file; engines store it and migrate from older ones."""


class SchemaError(RuntimeError):
    """The index was written by a newer version of this program, or is none of ours."""


SOURCES = Table(
    "sources",
    table_schema(
        text="source_id incarnation format label label_order description created_by updated_by"
        " tags_json",
        number="version created_us updated_us flow_count",
        late_number="hlc",
        required="source_id incarnation format label_order tags_json version created_us"
        " updated_us flow_count",
    ),
    key=("source_id",),
    orders={
        "created": ("created_us", "source_id"),
        "updated": ("updated_us", "source_id"),
        "label": ("label_order", "source_id"),
    },
)

FLOWS = Table(
    "flows",
    table_schema(
        text="flow_id timeline_id incarnation source_id format codec container label label_order"
        " description status created_by updated_by metadata_version profile_id tags_json"
        " essence_json collection_json technical_json",
        number="version generation max_bit_rate avg_bit_rate frame_width frame_height"
        " created_us metadata_updated_us segments_updated_us"
        " segment_count start_ns end_ns bounds covered_ns",
        flag="read_only init_segments",
        late_number="hlc",
        required="flow_id incarnation source_id format label_order metadata_version tags_json"
        " version created_us metadata_updated_us segment_count covered_ns",
    ),
    key=("flow_id",),
    orders={
        "created": ("created_us", "flow_id"),
        "metadata_updated": ("metadata_updated_us", "flow_id"),
        "label": ("label_order", "flow_id"),
        "source": ("source_id", "created_us", "flow_id"),
        "profile": ("profile_id", "created_us", "flow_id"),
    },
)
"""``timeline_id``: made by the server, of the segments that the flow has now. A flow that loses
all of them at once gets another one; what is still stored under the old one can't be reached
from any flow any more, and goes in the background (DELETE_REQUESTS). It is never null, but
columns that come late can't be declared so on VAST. The order ``profile`` leaves out flows without
a profile.

``essence_json``: essence_parameters. ``collection_json``: flow_collection.
``technical_json``: container_mapping and segment_duration. Rollup over the segments, kept in
the transaction that changes them: ``segment_count``, ``start_ns``/``end_ns``/``bounds`` (null
without segments) and ``covered_ns`` (the sum of their durations)."""

SEGMENTS = Table(
    "flow_segments",
    table_schema(
        text="timeline_id flow_id incarnation object_id instances_json init_object_id"
        " init_instances_json",
        number="start_ns end_ns bounds ts_offset_ns last_duration_ns sample_offset sample_count"
        " key_frame_count object_start_ns object_end_ns object_bounds created_us",
        required="timeline_id flow_id incarnation object_id instances_json start_ns end_ns bounds"
        " object_start_ns object_end_ns object_bounds created_us",
    ),
    key=("timeline_id", "start_ns"),
    orders={
        "object": ("object_id", "timeline_id", "start_ns"),
        "init_object": ("init_object_id", "timeline_id", "start_ns"),
    },
    interval=("start_ns", "end_ns"),
)
"""``flow_id`` and ``incarnation`` are those of the flow whose timeline it is, or was (see FLOWS).
``*instances_json`` are copies of the objects' own (see
OBJECTS), so that a page of segments needs no look-up of objects to build its URLs.
``key_frame_count`` and ``object_*`` are copies of the object's properties.
The order ``init_object`` leaves out rows whose ``init_object_id`` is null."""

OBJECTS = Table(
    "objects",
    table_schema(
        text="object_id incarnation state role flow_id first_flow_id content_type"
        " init_object_id instances_json",
        number="version start_ns end_ns bounds key_frame_count created_us allocated_us",
        required="object_id incarnation state instances_json version created_us",
    ),
    key=("object_id",),
    orders={"allocated": ("allocated_us", "object_id")},
)
"""``state``: ``allocated`` (storage handed out, no reference yet: 404 to readers) or
``registered``. ``allocated_us``: since when it waits to be registered, null as soon as it is; the
order ``allocated`` has only objects that wait. ``role``: ``media`` or ``init``, null while
allocated. ``flow_id``: the flow it was allocated for. ``instances_json``: a list of
``{"storage_id", "key"}`` (controlled: a key in a storage backend) and ``{"url", "label"}``
(uncontrolled)."""

REFERENCES = Table(
    "timeline_objects",
    table_schema(
        text="object_id timeline_id flow_id",
        number="segment_count",
        required="object_id timeline_id flow_id segment_count",
    ),
    key=("object_id", "timeline_id"),
    orders={
        "flow": ("object_id", "flow_id", "timeline_id"),
        "timeline": ("timeline_id", "object_id"),
    },
)
"""How many segments of a timeline use an object, as media or as initialisation segment. An object
without a row here is referenced by nothing; a row whose ``timeline_id`` is not (or no longer)
that of the flow ``flow_id`` keeps the object's bytes, but is no reference that anybody sees."""

INSTANCES = Table(
    "instances",
    table_schema(
        text="storage_id storage_key object_id incarnation",
        number="created_us",
        required="storage_id storage_key object_id incarnation created_us",
    ),
    key=("storage_id", "storage_key"),
)
"""Whose bytes are under a key of a storage backend: the controlled instances of OBJECTS, looked
up the other way round. ``incarnation`` is the object's."""

COLLECTIONS = Table(
    "collections",
    table_schema(
        text="collector_flow_id member_flow_id collector_source_id member_source_id role",
        number="position",
        required="collector_flow_id member_flow_id collector_source_id member_source_id position",
    ),
    key=("collector_flow_id", "position"),
    orders={
        "member": ("member_flow_id", "collector_flow_id", "position"),
        "collector_source": ("collector_source_id", "collector_flow_id", "position"),
        "member_source": (
            "member_source_id",
            "collector_source_id",
            "collector_flow_id",
            "position",
        ),
    },
)
"""The edges of all flow collections; the collections of sources are inferred from them."""

TAGS = Table(
    "tags",
    table_schema(text="kind name value resource_id", required="kind name value resource_id"),
    key=("kind", "name", "value", "resource_id"),
)
"""One row per tag value (a tag with an empty list has one row with value ``""`` and is told
apart by the owner's ``tags_json``). ``kind``: ``source``, ``flow`` or ``webhook``."""

DISCARDED_MEDIA = Table(
    "discarded_media",
    table_schema(
        text="storage_id storage_key",
        number="discarded_us",
        required="storage_id storage_key discarded_us",
    ),
    key=("storage_id", "storage_key"),
)
"""Bytes whose object is gone from the index, written in the transaction that removed it and
taken away once the storage backend has deleted them: a crash in between loses nothing."""

COPIES = Table(
    "object_copies",
    table_schema(
        text="copy_id object_id incarnation storage_id state error owner progress_token",
        number="version bytes_done bytes_total created_us updated_us due_us",
        required="copy_id object_id incarnation storage_id state version bytes_done bytes_total"
        " created_us updated_us due_us",
    ),
    key=("copy_id",),
    orders={
        "object": ("object_id", "incarnation", "created_us", "copy_id"),
        "due": ("due_us", "copy_id"),
    },
)
"""Copies of objects to further storage backends: one row from the request until a day after its
end. ``copy_id`` is also the key of the bytes in backend ``storage_id``. ``incarnation`` is the
object's. ``state``: ``running`` (waiting included), ``cancelled`` (its bytes are to be thrown
away), ``done`` or ``failed``. ``due_us``: when somebody should look at it; whoever works on it,
the ``owner``, keeps moving that ahead, so that nobody else does. ``progress_token``: what the
backend goes on from after a crash (`media.store.CopyProgress`)."""

PROFILES = Table(
    "profiles",
    table_schema(
        text="profile_id incarnation label label_order description created_by format codec"
        " tags_json flow_metadata_json",
        number="created_us",
        required="profile_id incarnation label_order format codec tags_json flow_metadata_json"
        " created_us",
    ),
    key=("profile_id",),
    orders={"label": ("label_order", "profile_id")},
)
"""Technical metadata that flows take over (spec 8.2, `profile.json`). Rows never change and never
go; ``format`` and ``codec`` are copies out of ``flow_metadata_json``."""

SERVICE_INFO = Table(
    "service_info",
    table_schema(
        text="service_id name description",
        number="version updated_us",
        required="service_id version updated_us",
    ),
    key=("service_id",),
)
"""What clients said about the service (spec 8.2, `POST /service`): no row, or the one row
``service``. A null column leaves the say to the operator's settings."""

WEBHOOKS = Table(
    "webhooks",
    table_schema(
        text="webhook_id incarnation url api_key_name api_key_encrypted identity_digest events_json"
        " filters_json tags_json status error_json api_version created_by",
        late_text="signing_secret_encrypted",
        number="version created_us updated_us",
        required="webhook_id incarnation url identity_digest events_json filters_json tags_json"
        " status api_version version created_us updated_us",
    ),
    key=("webhook_id",),
    orders={
        "created": ("created_us", "webhook_id"),
        "identity": ("identity_digest", "webhook_id"),
    },
)
"""Registered webhooks (spec 8.2, `webhook.json`). ``*_encrypted``: sealed with a key that is not in
the index. ``identity_digest``: an HMAC of URL, key name and key value, which are one and the same
webhook to clients of version 7.0 and older. ``filters_json``: which events, and how the URLs in
them look. ``status``: as in the spec. ``api_version``: under which it was registered, which says
what its bodies look like."""

DELETE_REQUESTS = Table(
    "delete_requests",
    table_schema(
        text="request_id flow_id timeline_id object_id status error_json created_by owner",
        number="version start_ns end_ns bounds remaining_start_ns remaining_end_ns"
        " remaining_bounds up_to_us deleted_count created_us updated_us expiry_us due_us",
        flag="delete_flow orphaned",
        required="request_id flow_id timeline_id status version bounds remaining_bounds up_to_us"
        " deleted_count created_us updated_us expiry_us delete_flow orphaned",
    ),
    key=("request_id",),
    orders={
        "created": ("created_us", "request_id"),
        "expiry": ("expiry_us", "request_id"),
        "due": ("due_us", "request_id"),
        "timeline": ("timeline_id", "request_id"),
    },
)
"""Deletions that go on after the answer (spec 8.2, `deletion-request.json`): the segments of
``timeline_id`` between ``start_ns`` and ``end_ns`` (null: open; of ``object_id`` only, unless
null) that were registered up to ``up_to_us``. ``orphaned``: the timeline belongs to no flow any
more, all of it goes. ``remaining_*``: what has not been looked at; ``status``: ``created``,
``started``, ``done`` or ``error``. ``due_us``: when somebody should look at it, null once it is
over; whoever works on it, the ``owner``, keeps moving that ahead, so that nobody else does.
``expiry_us``: when the row may go."""

IDEMPOTENCY = Table(
    "idempotency",
    table_schema(
        text="idempotency_key body_digest answer_json",
        number="created_us",
        required="idempotency_key body_digest answer_json created_us",
    ),
    key=("idempotency_key",),
)

GUARDS = Table(
    "guards",
    table_schema(text="guard_id", number="version", late_number="hlc", required="guard_id version"),
    key=("guard_id",),
)
"""1,024 pre-made rows; the creation of an id relies on the one its hash chooses, so that two
creations of one id never both commit on a database without unique constraints."""

GUARD_COUNT = 1024

TABLES: tuple[Table, ...] = (
    SOURCES, FLOWS, SEGMENTS, OBJECTS, REFERENCES, INSTANCES, COLLECTIONS, TAGS, DISCARDED_MEDIA,
    COPIES, PROFILES, SERVICE_INFO, WEBHOOKS, DELETE_REQUESTS, IDEMPOTENCY, GUARDS,
    *event_tables.TABLES,
)  # fmt: skip
