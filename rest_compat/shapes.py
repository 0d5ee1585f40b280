"""Records and columns in the JSON of the spec: only what is set, and what the version knows."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import repeat
from typing import Any

import pyarrow as pa

from rest_compat import version_rules as rules
from rest_compat.versions import NEWEST, Version
from tams_graphql.media.store import StorageBackend
from tams_graphql.metadata.columns import column_values
from tams_graphql.model.records import (
    CollectionItem,
    DeletionError,
    DeletionRequest,
    Flow,
    MediaObject,
    Profile,
    ServiceInfo,
    Source,
    WebhookError,
)
from tams_graphql.resolvers.urls import GetUrl
from tams_graphql.timeline import TimeRange, format_timeranges, format_timestamps

Json = dict[str, Any]
STORE_TYPE = "http_object_store"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def present(members: Mapping[str, Any], unknown: frozenset[str] = frozenset()) -> Json:
    """The members that are set and not `unknown`."""
    return {n: value for n, value in members.items() if value is not None and n not in unknown}


def date_time(microseconds: int | None) -> str | None:
    """Microseconds since the Unix epoch as RFC 3339 in UTC."""
    if microseconds is None:
        return None
    moment = _EPOCH + timedelta(microseconds=microseconds)
    return moment.isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"


def service(info: ServiceInfo, version: Version = NEWEST) -> Json:
    """`service.json`."""
    return present(
        {
            "name": info.name,
            "description": info.description,
            "type": info.type,
            "api_version": version.name,
            "service_version": info.service_version,
            "event_stream_mechanisms": info.event_stream_mechanisms or None,
            "min_object_timeout": f"{info.min_object_timeout}:0",
            "min_presigned_url_timeout": f"{info.min_presigned_url_timeout}:0",
            "media_store": {"type": STORE_TYPE} if version.has("media_store") else None,
        },
        version.unknown["service"],
    )


def _backend_details(backend: StorageBackend) -> Json:
    return {
        "store_type": backend.store_type,
        "provider": backend.provider,
        "region": backend.region,
        "availability_zone": backend.availability_zone,
        "store_product": backend.store_product,
        "tags": backend.tags or None,
    }


def storage_backend(backend: StorageBackend, version: Version = NEWEST) -> Json:
    """An item of `storage-backends-list.json`."""
    return present(
        {
            "id": backend.id,
            "label": backend.label,
            **_backend_details(backend),
            "default_storage": backend.default_storage,
        },
        version.unknown["storage_backend"],
    )


def deletion_request(request: DeletionRequest) -> Json:
    """Spec 8.2, `deletion-request.json`."""
    return present(
        {
            "id": request.id,
            "flow_id": request.flow_id,
            "timerange_to_delete": str(request.timerange),
            "timerange_remaining": str(request.remaining),
            "delete_flow": request.delete_flow,
            "created": date_time(request.created_us),
            "created_by": request.created_by,
            "updated": date_time(request.updated_us),
            "expiry": date_time(request.expiry_us),
            "status": request.status.value,
            "error": None if request.error is None else failure(request.error),
        }
    )


def profile(record: Profile) -> Json:
    """Spec 8.2, `profile.json`."""
    return present(
        {
            "id": record.id,
            "label": record.label,
            "description": record.description,
            "created_by": record.created_by,
            "created": date_time(record.created_us),
            "tags": record.tags or None,
            "flow_metadata": record.flow_metadata,
        }
    )


def failure(error: DeletionError | WebhookError) -> Json:
    """Spec 8.2, `error.json`, of work that goes on without its client."""
    return {"type": error.type, "summary": error.summary, "time": date_time(error.time_us)}


def collection(items: Iterable[CollectionItem], version: Version = NEWEST) -> list[Json]:
    """`flow-collection.json`, and the like for Sources."""
    return [
        present(
            {
                "id": item.id,
                "role": rules.shown_role(version, item.role),
                "container_mapping": item.container_mapping,
            }
        )
        for item in items
    ]


def source(
    record: Source,
    collects: Sequence[CollectionItem],
    by: Sequence[str],
    version: Version = NEWEST,
) -> Json:
    """`source.json`, with the Sources it collects and those that collect it."""
    return present(
        {
            "id": record.id,
            "format": record.format,
            "label": record.label,
            "description": record.description,
            "created_by": record.created_by,
            "updated_by": record.updated_by,
            "created": date_time(record.created_us),
            "updated": date_time(record.updated_us),
            "tags": rules.shown_tags(version, record.tags) or None,
            "source_collection": collection(collects, version) or None,
            "collected_by": list(by) or None,
        }
    )


def flow(
    record: Flow,
    by: Sequence[str],
    timerange: TimeRange | None = None,
    version: Version = NEWEST,
) -> Json:
    """`flow-get.json`, with the Flows that collect it and, if given, its timerange."""
    collects = record.flow_collection
    return present(
        {
            "id": record.id,
            "source_id": record.source_id,
            "label": record.label,
            "description": record.description,
            "format": record.format,
            "profile_id": record.profile_id,
            "codec": rules.shown_mime(version, record.codec),
            "container": rules.shown_mime(version, record.container),
            "avg_bit_rate": record.avg_bit_rate,
            "max_bit_rate": record.max_bit_rate,
            "segment_duration": record.segment_duration,
            "container_mapping": record.container_mapping,
            "essence_parameters": rules.shown_essence(version, record),
            "generation": record.generation,
            "status": record.status,
            "read_only": record.read_only,
            "tags": rules.shown_tags(version, record.tags) or None,
            "metadata_version": record.metadata_version,
            "created_by": record.created_by,
            "updated_by": record.updated_by,
            "created": date_time(record.created_us),
            "metadata_updated": date_time(record.metadata_updated_us),
            "segments_updated": date_time(record.segments_updated_us),
            "timerange": None if timerange is None else str(timerange),
            "flow_collection": None if collects is None else collection(collects, version),
            "collected_by": list(by) or None,
        },
        version.unknown["flow"],
    )


def get_urls(
    urls: Sequence[GetUrl], *, verbose: bool, unknown: frozenset[str] = frozenset()
) -> list[Json]:
    """The `get_urls` of an object; where the bytes are kept only if `verbose` (spec 8.2)."""
    shape = _verbose_url if verbose else _brief_url
    shown = [shape(url) for url in urls]
    return [present(url, unknown) for url in shown] if unknown else shown


def _brief_url(url: GetUrl) -> Json:
    brief: Json = {"url": url.url, "presigned": url.presigned}
    if url.label is not None:
        brief["label"] = url.label
    return brief


def _verbose_url(url: GetUrl) -> Json:
    backend = url.backend
    details = {} if backend is None else {"storage_id": backend.id, **_backend_details(backend)}
    return present({**_brief_url(url), "controlled": url.controlled, **details})


def media_object(
    record: MediaObject,
    flow_ids: Sequence[str],
    urls: list[Json],
    init_urls: list[Json],
    version: Version = NEWEST,
) -> Json:
    """`object.json`."""
    init = record.init_object_id
    return present(
        {
            "id": record.id,
            "referenced_by_flows": list(flow_ids),
            "first_referenced_by_flow": record.first_referenced_by_flow,
            "timerange": None if record.timerange is None else str(record.timerange),
            "key_frame_count": record.key_frame_count,
            "get_urls": urls,
            "init_object": None if init is None else {"id": init, "get_urls": init_urls},
        },
        version.unknown["object"],
    )


_RANGE = ("start_ns", "end_ns", "bounds")
OBJECT_RANGE_COLUMNS = tuple(f"object_{name}" for name in _RANGE)
SEGMENT_COLUMNS = (
    *("object_id", "init_object_id", "ts_offset_ns", "last_duration_ns"),
    *("sample_offset", "sample_count", "key_frame_count"),
    *_RANGE,
)
"""Of `metadata.tables.SEGMENTS`, what `segments` reads; and for the timerange of the object."""


def segments(
    columns: pa.Table,
    urls: list[list[Json]],
    init_urls: list[list[Json]] | None,
    *,
    object_range: bool,
) -> list[Json]:
    """A list of `flow-segment.json`.

    Args:
        columns: rows of `metadata.tables.SEGMENTS`.
        urls: the `get_urls` of each row.
        init_urls: those of each row's initialisation object; ``None`` not to tell of it.
        object_range: whether to tell the timerange of each row's object.
    """
    members = {
        "object_id": column_values(columns["object_id"]),
        "timerange": _timeranges(columns, _RANGE),
        # Always told, although it may be assumed when missing: clients exist that rely on it.
        "ts_offset": format_timestamps(column_values(columns["ts_offset_ns"].fill_null(0))),
        "last_duration": format_timestamps(column_values(columns["last_duration_ns"])),
        "object_timerange": _timeranges(columns, OBJECT_RANGE_COLUMNS) if object_range else (),
        "sample_offset": column_values(columns["sample_offset"]),
        "sample_count": column_values(columns["sample_count"]),
        "key_frame_count": column_values(columns["key_frame_count"]),
        "get_urls": urls,
        "init_object": ()
        if init_urls is None
        else _init_objects(columns["init_object_id"], init_urls),
    }
    return _rows(members)


def _rows(members: Mapping[str, Sequence[Any]]) -> list[Json]:
    """One object per row; members without any value cost nothing, missing values are left out."""
    kept = {name: c for name, c in members.items() if c.count(None) < len(c)}
    gaps = [name for name, column in kept.items() if None in column]
    rows = list(map(dict, map(zip, repeat(tuple(kept)), zip(*kept.values(), strict=True))))
    for name in gaps:
        for row in rows:
            if row[name] is None:
                del row[name]
    return rows


def _timeranges(columns: pa.Table, names: Iterable[str]) -> list[str]:
    return format_timeranges(*(column_values(columns[name]) for name in names))


def _init_objects(ids: pa.ChunkedArray, urls: list[list[Json]]) -> Sequence[Json | None]:
    if ids.null_count == len(ids):
        return ()
    return [
        None if object_id is None else {"object_id": object_id, "get_urls": found}
        for object_id, found in zip(column_values(ids), urls, strict=True)
    ]
