"""What resolvers hand out for the nouns that are read one at a time.

Times named ``*_us`` are integer microseconds since the Unix epoch (UTC); bit rates are in
1000 bits per second; everything else as spec 8.2 names it. Segments are not here: lists of
them stay in Arrow columns (`resolvers/segments.py`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypeAlias

from tams_graphql.model.vocabulary import ContentFormat, EventType, FlowStatus, WebhookStatus
from tams_graphql.timeline import TimeRange

TagValue: TypeAlias = str | list[str]
Tags: TypeAlias = Mapping[str, TagValue]


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A Source as stored; its collections are read through the dataloaders."""

    id: str
    incarnation: str
    format: ContentFormat
    label: str | None
    description: str | None
    created_by: str | None
    updated_by: str | None
    created_us: int
    updated_us: int
    tags: Tags


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectionItem:
    """One member of a collection of Flows or Sources, in order."""

    id: str
    role: str | None = None
    container_mapping: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """A Flow as stored, with the rollup over its segments.

    `timerange` is what its segments span (``NEVER`` without any). `flow_collection` is ``None``
    when the property is not set. `covered_ns`: sum of the segments' durations in nanoseconds.
    """

    id: str
    timeline_id: str
    incarnation: str
    source_id: str
    format: ContentFormat
    codec: str | None
    container: str | None
    label: str | None
    description: str | None
    status: FlowStatus | None
    created_by: str | None
    updated_by: str | None
    metadata_version: str
    generation: int | None
    profile_id: str | None
    read_only: bool | None
    max_bit_rate: int | None
    avg_bit_rate: int | None
    segment_duration: Mapping[str, int] | None
    container_mapping: Mapping[str, Any] | None
    essence_parameters: Mapping[str, Any] | None
    flow_collection: tuple[CollectionItem, ...] | None
    tags: Tags
    created_us: int
    metadata_updated_us: int
    segments_updated_us: int | None
    segment_count: int
    covered_ns: int
    timerange: TimeRange

    @property
    def init_segments(self) -> bool:
        """Whether its media objects need initialisation objects."""
        return bool((self.essence_parameters or {}).get("init_segments"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """Technical metadata for flows to take over; it never changes.

    `flow_metadata`: as in JSON, the members that `model.technical.TECHNICAL` names.
    """

    id: str
    incarnation: str
    label: str | None
    description: str | None
    created_by: str | None
    created_us: int
    tags: Tags
    flow_metadata: Mapping[str, Any]

    @property
    def format(self) -> ContentFormat:
        """The content of its flows."""
        return ContentFormat(self.flow_metadata["format"])


@dataclass(frozen=True, slots=True)
class Instance:
    """Where an object's bytes are: under `key` in backend `storage_id`, or at a client's `url`."""

    storage_id: str | None = None
    key: str | None = None
    url: str | None = None
    label: str | None = None

    @property
    def controlled(self) -> bool:
        """Whether this server manages the bytes."""
        return self.storage_id is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaObject:
    """A registered Media Object, or initialisation object (`role` ``"init"``, no timerange)."""

    id: str
    incarnation: str
    role: str
    first_referenced_by_flow: str | None
    timerange: TimeRange | None
    key_frame_count: int | None
    content_type: str | None
    init_object_id: str | None
    instances: tuple[Instance, ...]
    created_us: int


class CopyState(StrEnum):
    """How a copy stands; a cancelled one still has bytes to be thrown away."""

    RUNNING = "running"
    CANCELLED = "cancelled"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectCopy:
    """A copy of an object to a storage backend, from the request until a day after its end.

    `error`: why it failed, or what keeps it from going on just now.
    """

    storage_id: str
    state: CopyState
    bytes_done: int
    bytes_total: int
    error: str | None
    created_us: int
    updated_us: int


class DeletionStatus(StrEnum):
    """How a deletion request stands (spec 8.2, `deletion-request.json`)."""

    CREATED = "created"
    STARTED = "started"
    DONE = "done"
    ERROR = "error"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeletionError:
    """What kept a deletion from going on, the last time (spec 8.2, `error.json`).

    `type`: the name of the kind of error; `tries`: how often in a row it went wrong.
    """

    type: str
    summary: str
    time_us: int
    tries: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DeletionRequest:
    """A deletion that goes on after it has been answered (spec 8.2, `deletion-request.json`).

    `timerange`: what is to go; `remaining`: what of it has not been looked at. `error`: what
    went wrong since the last progress.
    """

    id: str
    flow_id: str
    timerange: TimeRange
    remaining: TimeRange
    delete_flow: bool
    status: DeletionStatus
    error: DeletionError | None
    deleted_count: int
    created_by: str | None
    created_us: int
    updated_us: int
    expiry_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceInfo:
    """Spec 8.2, `service.json`. Timeouts in seconds."""

    name: str | None
    description: str | None
    type: str
    api_version: str
    service_version: str
    min_object_timeout: int
    min_presigned_url_timeout: int
    event_stream_mechanisms: tuple[Mapping[str, str], ...] = field(default=())


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookError:
    """Why the service gave up on a webhook (spec 8.2, `error.json`)."""

    type: str
    summary: str
    time_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """A webhook as stored. `filters`: of `webhook_input.FILTERS`, those that are set.

    `sealed_key`: the `api_key_value`, to be opened with the id and only where it is sent.
    `sealed_secret`: what its events are signed with, likewise (`resolvers.webhook_secrets`);
    ``None``: it is from a time before there were any, and gets one with its first event.
    `api_version`: of the spec, whose shape its events have.
    """

    id: str
    incarnation: str
    url: str = field(repr=False)
    api_key_name: str | None
    sealed_key: str | None = field(repr=False)
    events: tuple[EventType, ...]
    filters: Mapping[str, Any]
    tags: Tags
    status: WebhookStatus
    error: WebhookError | None
    api_version: str
    created_by: str | None
    created_us: int
    updated_us: int
    sealed_secret: str | None = field(repr=False)


class DeliveryStatus(StrEnum):
    """What became of an event that was to be sent to a webhook."""

    DELIVERED = "delivered"
    RETRYING = "retrying"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One attempt to deliver. `reason`: why it failed, ``None`` if it did not."""

    at_us: int
    status_code: int | None
    reason: str | None
    duration_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """What was sent to a webhook: one event, with the last attempts, the latest last.

    `event_id` and `event_type` are ``None`` where events were skipped that are no longer kept.
    `lane` and `sequence` say where the event is in the log. `created_us`: when it happened.
    """

    id: str
    webhook_id: str
    event_id: str | None
    event_type: EventType | None
    status: DeliveryStatus
    attempts: tuple[Attempt, ...]
    lane: int | None
    sequence: int | None
    created_us: int
    updated_us: int
