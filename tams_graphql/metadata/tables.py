"""Every table of the index: its Arrow schema, its sort orders, its schema version.

Units: columns named ``*_ns`` are integer nanoseconds on a media timeline, ``*_us`` integer
microseconds since the Unix epoch (UTC). ``*_bounds`` keeps how a timerange was written
(`timeline.Bounds`). Columns of type JSON text end in ``_json``. Columns of a sort order are
never null, so that all engines agree on what comes first; ``label_order`` is ``"a" + label``,
or ``"b"`` for a resource without a label, which puts those last (spec 8.2, `sort_by`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import pyarrow as pa

SCHEMA_VERSION = 2
"""Version of everything in this file; engines store it and migrate from older ones."""


class SchemaError(RuntimeError):
    """The index was written by a newer version of this program, or is none of ours."""


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """One table: `key` is the primary sort order and unique; `orders` are further ones.

    `interval` names the (start, end) columns of a table whose rows never overlap within one
    prefix of the key; only such a table can be asked for rows `overlapping` a range.
    """

    name: str
    schema: pa.Schema
    key: tuple[str, ...]
    orders: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    interval: tuple[str, str] | None = None

    def order(self, name: str) -> tuple[str, ...]:
        """The columns of the sort order `name` (``"key"`` is the primary one)."""
        return self.key if name == "key" else self.orders[name]

    @property
    def columns(self) -> tuple[str, ...]:
        """All column names, in schema order."""
        return tuple(self.schema.names)


def _schema(text: str = "", number: str = "", flag: str = "", required: str = "") -> pa.Schema:
    needed = set(required.split())
    kinds = ((text, pa.string()), (number, pa.int64()), (flag, pa.bool_()))
    return pa.schema(
        [
            pa.field(name, kind, nullable=name not in needed)
            for names, kind in kinds
            for name in names.split()
        ]
    )


SOURCES = Table(
    "sources",
    _schema(
        text="source_id incarnation format label label_order description created_by updated_by"
        " tags_json",
        number="version created_us updated_us flow_count",
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
    _schema(
        text="flow_id incarnation source_id format codec container label label_order description"
        " status created_by updated_by metadata_version profile_id tags_json essence_json"
        " collection_json technical_json",
        number="version generation max_bit_rate avg_bit_rate frame_width frame_height"
        " created_us metadata_updated_us segments_updated_us"
        " segment_count start_ns end_ns bounds covered_ns",
        flag="read_only init_segments",
        required="flow_id incarnation source_id format label_order metadata_version tags_json"
        " version created_us metadata_updated_us segment_count covered_ns",
    ),
    key=("flow_id",),
    orders={
        "created": ("created_us", "flow_id"),
        "metadata_updated": ("metadata_updated_us", "flow_id"),
        "label": ("label_order", "flow_id"),
        "source": ("source_id", "created_us", "flow_id"),
    },
)
"""``essence_json``: essence_parameters. ``collection_json``: flow_collection.
``technical_json``: container_mapping and segment_duration. Rollup over the segments, kept in
the transaction that changes them: ``segment_count``, ``start_ns``/``end_ns``/``bounds`` (null
without segments) and ``covered_ns`` (the sum of their durations)."""

SEGMENTS = Table(
    "segments",
    _schema(
        text="flow_id incarnation object_id instances_json init_object_id init_instances_json",
        number="start_ns end_ns bounds ts_offset_ns last_duration_ns sample_offset sample_count"
        " key_frame_count object_start_ns object_end_ns object_bounds created_us",
        required="flow_id incarnation object_id instances_json start_ns end_ns bounds"
        " object_start_ns object_end_ns object_bounds created_us",
    ),
    key=("flow_id", "start_ns"),
    orders={
        "object": ("object_id", "flow_id", "start_ns"),
        "init_object": ("init_object_id", "flow_id", "start_ns"),
    },
    interval=("start_ns", "end_ns"),
)
"""``incarnation`` is the flow's. ``*instances_json`` are copies of the objects' own (see
OBJECTS), so that a page of segments needs no look-up of objects to build its URLs.
``key_frame_count`` and ``object_*`` are copies of the object's properties.
The order ``init_object`` leaves out rows whose ``init_object_id`` is null."""

OBJECTS = Table(
    "objects",
    _schema(
        text="object_id incarnation state role flow_id first_flow_id content_type"
        " init_object_id instances_json",
        number="version start_ns end_ns bounds key_frame_count created_us",
        required="object_id incarnation state instances_json version created_us",
    ),
    key=("object_id",),
)
"""``state``: ``allocated`` (storage handed out, no reference yet: 404 to readers) or
``registered``. ``role``: ``media`` or ``init``, null while allocated. ``flow_id``: the flow it
was allocated for. ``instances_json``: a list of ``{"storage_id", "key"}`` (controlled: a key in
a storage backend) and ``{"url", "label"}`` (uncontrolled)."""

REFERENCES = Table(
    "object_references",
    _schema(
        text="object_id flow_id", number="segment_count", required="object_id flow_id segment_count"
    ),
    key=("object_id", "flow_id"),
)
"""How many segments of a flow use an object, as media or as initialisation segment. An object
without a row here is referenced by nothing."""

COLLECTIONS = Table(
    "collections",
    _schema(
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
    _schema(text="kind name value resource_id", required="kind name value resource_id"),
    key=("kind", "name", "value", "resource_id"),
)
"""One row per tag value (a tag with an empty list has one row with value ``""`` and is told
apart by the owner's ``tags_json``). ``kind``: ``source`` or ``flow``."""

DISCARDED_MEDIA = Table(
    "discarded_media",
    _schema(
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
    _schema(
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

IDEMPOTENCY = Table(
    "idempotency",
    _schema(
        text="idempotency_key body_digest answer_json",
        number="created_us",
        required="idempotency_key body_digest answer_json created_us",
    ),
    key=("idempotency_key",),
)

GUARDS = Table(
    "guards",
    _schema(text="guard_id", number="version", required="guard_id version"),
    key=("guard_id",),
)
"""1,024 pre-made rows; the creation of an id relies on the one its hash chooses, so that two
creations of one id never both commit on a database without unique constraints."""

GUARD_COUNT = 1024

TABLES: tuple[Table, ...] = (
    SOURCES, FLOWS, SEGMENTS, OBJECTS, REFERENCES, COLLECTIONS, TAGS, DISCARDED_MEDIA,
    COPIES, IDEMPOTENCY, GUARDS,
)  # fmt: skip
