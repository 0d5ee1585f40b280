"""Closed vocabularies of the spec: the one place that maps them to their strings."""

from enum import StrEnum


class ContentFormat(StrEnum):
    """What a Source or Flow contains (spec 8.2, `content-format.json`)."""

    VIDEO = "urn:x-nmos:format:video"
    IMAGE = "urn:x-tam:format:image"
    AUDIO = "urn:x-nmos:format:audio"
    DATA = "urn:x-nmos:format:data"
    MULTI = "urn:x-nmos:format:multi"


class FlowStatus(StrEnum):
    """The ingest status of a Flow, as its client maintains it (spec 8.2, `flow-status.json`)."""

    AWAITING_CONTENT = "awaiting_content"
    INGESTING = "ingesting"
    REPLICATION_IN_PROGRESS = "replication_in_progress"
    CLOSED_COMPLETE = "closed_complete"


class InterlaceMode(StrEnum):
    """Interlaced video mode for the frames of a Flow."""

    PROGRESSIVE = "progressive"
    INTERLACED_TFF = "interlaced_tff"
    INTERLACED_BFF = "interlaced_bff"
    INTERLACED_PSF = "interlaced_psf"


class Colorspace(StrEnum):
    """Colorspace of a video Flow."""

    BT601 = "BT601"
    BT709 = "BT709"
    BT2020 = "BT2020"
    BT2100 = "BT2100"


class TransferCharacteristic(StrEnum):
    """Transfer characteristic of a video Flow."""

    SDR = "SDR"
    HLG = "HLG"
    PQ = "PQ"


class ComponentType(StrEnum):
    """Picture component representation."""

    YCBCR = "YCbCr"
    RGB = "RGB"


class SourceSort(StrEnum):
    """What a listing of Sources is ordered by (spec 8.2, `GET /sources`)."""

    CREATED = "created"
    UPDATED = "updated"
    LABEL = "label"


class FlowSort(StrEnum):
    """What a listing of Flows is ordered by (spec 8.2, `GET /flows`)."""

    CREATED = "created"
    METADATA_UPDATED = "metadata_updated"
    LABEL = "label"


class DeletionSort(StrEnum):
    """Orders of deletion requests, all the most recent first (spec 8.2)."""

    CREATED = "created"
    EXPIRY = "expiry"


class EventType(StrEnum):
    """What can happen that others are told of (spec 8.2, `webhook.json`)."""

    FLOWS_CREATED = "flows/created"
    FLOWS_UPDATED = "flows/updated"
    FLOWS_DELETED = "flows/deleted"
    FLOWS_SEGMENTS_ADDED = "flows/segments_added"
    FLOWS_SEGMENTS_DELETED = "flows/segments_deleted"
    SOURCES_CREATED = "sources/created"
    SOURCES_UPDATED = "sources/updated"
    SOURCES_DELETED = "sources/deleted"


class WebhookStatus(StrEnum):
    """How a webhook stands (spec 8.2, `webhook-get.json`).

    Clients set ``created`` and ``disabled``; the service sets ``started`` once it sends events,
    and ``error`` when it gives up.
    """

    CREATED = "created"
    STARTED = "started"
    DISABLED = "disabled"
    ERROR = "error"
