"""The model's side of every read: what is to be seen of it, in the specification's own JSON."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from tests.parity.media import Object, Segment
from tests.parity.model import Flow, World
from tests.parity.spans import NOTHING, Span, extent, span, written
from tests.parity.store import Json, Listing, Refusal, present

VIDEO = "urn:x-nmos:format:video"


class Model(World):
    """The world, and how it looks."""

    def sources(self, wanted: Listing) -> list[Json]:
        ids = _listed(
            wanted,
            self.all_sources,
            lambda one: self.all_sources[one].properties,
            {
                "created": lambda one: self.all_sources[one].created,
                "updated": lambda one: self.all_sources[one].updated,
            },
            self._source_fits,
        )
        return [self.source(one) for one in ids]

    def source(self, source_id: str) -> Json:
        source = self._source(source_id)
        return present(
            {
                "id": source_id,
                "format": source.format,
                "created_by": source.created_by,
                "updated_by": source.updated_by,
                "created": self.changes["source", source_id, "created"],
                "updated": self.changes["source", source_id, "updated"],
                **source.properties,
                "source_collection": self._source_members(source_id),
                "collected_by": self._source_collectors(source_id),
            }
        )

    def _source_members(self, source_id: str) -> list[Json]:
        """By position, the flows of a source side by side; each once, with its first role."""
        roles: dict[str, str | None] = {}
        for _, _, item in self._edges_from(source_id):
            member = self.all_flows[item["id"]].content["source_id"]
            if member != source_id and roles.get(member) is None:
                roles[member] = item.get("role")
        return [
            {"id": one} if role is None else {"id": one, "role": role}
            for one, role in roles.items()
        ]

    def _edges_from(self, source_id: str) -> list[tuple[int, str, Json]]:
        edges = [
            (position, flow_id, item)
            for flow_id, flow in self.all_flows.items()
            if flow.content["source_id"] == source_id
            for position, item in enumerate(flow.members)
        ]
        return sorted(edges, key=lambda edge: edge[:2])

    def _source_collectors(self, source_id: str) -> list[str]:
        return sorted(
            other
            for other in self.all_sources
            if any(item["id"] == source_id for item in self._source_members(other))
        )

    def _source_fits(self, source_id: str, name: str, value: Any) -> bool:
        if name == "format":
            return bool(self.all_sources[source_id].format == value)
        return _collected(self._source_collectors(source_id), value)

    def flows(self, wanted: Listing) -> list[Json]:
        _filter(wanted.filters.get("timerange", "_"))
        ids = _listed(
            wanted,
            self.all_flows,
            lambda one: self.all_flows[one].content,
            {
                "created": lambda one: self.all_flows[one].created,
                "metadata_updated": lambda one: self.all_flows[one].updated,
            },
            self._flow_fits,
        )
        return [self._shown(one) for one in ids]

    def flow(self, flow_id: str, timerange: str | None = None) -> Json:
        within = _filter(timerange or "_")
        spans = [one.span for one in self._flow(flow_id).segments]
        spans = [one for one in spans if within.overlaps(one)]
        return {**self._shown(flow_id), "timerange": str(extent(spans))}

    def _shown(self, flow_id: str) -> Json:
        flow = self._flow(flow_id)
        changes = ("created", "metadata_updated", "segments_updated")
        told = {name: self.changes["flow", flow_id, name] for name in changes}
        if not flow.had_segments:
            del told["segments_updated"]
        return present(
            {
                "id": flow_id,
                "created_by": flow.created_by,
                "updated_by": flow.updated_by,
                "metadata_version": flow.version,
                **told,
                "read_only": False,
                **flow.content,
                "collected_by": self._flow_collectors(flow_id),
            }
        )

    def _flow_collectors(self, flow_id: str) -> list[str]:
        return sorted(
            other
            for other, flow in self.all_flows.items()
            if any(item["id"] == flow_id for item in flow.members)
        )

    def _flow_fits(self, flow_id: str, name: str, value: Any) -> bool:
        flow = self.all_flows[flow_id]
        essence = flow.content.get("essence_parameters", {})
        if name == "timerange":
            return _has_content(flow, value)
        if name == "collected_by_ids":
            return _collected(self._flow_collectors(flow_id), value)
        if name == "init_segments":
            return bool(flow.has_init == value)
        if name in {"frame_width", "frame_height"}:
            return bool(flow.content["format"] == VIDEO and essence.get(name) == value)
        return bool(flow.content.get(name) == value)

    def segments(self, flow_id: str, wanted: Listing) -> list[Json]:
        within = _filter(wanted.filters.get("timerange", "_"))
        object_id = wanted.filters.get("object_id")
        found = [
            self._segment(one)
            for one in (self.all_flows[flow_id].segments if flow_id in self.all_flows else ())
            if within.overlaps(one.span) and object_id in {None, one.object_id}
        ]
        return found[::-1] if wanted.reverse else found

    def _segment(self, segment: Segment) -> Json:
        used = self.media.objects[segment.object_id]
        return present(
            {
                "object_id": segment.object_id,
                "timerange": str(segment.span),
                "ts_offset": written(segment.ts_offset),
                "last_duration": segment.last_duration,
                "object_timerange": str(used.span),
                "key_frame_count": used.key_frame_count,
                "get_urls": used.instances,
                "init_object": self._init(used, "object_id"),
            }
        )

    def _init(self, used: Object, name: str) -> Json | None:
        if used.init is None:
            return None
        return present({name: used.init, "get_urls": self.media.objects[used.init].instances})

    def object(self, object_id: str, tags: Sequence[tuple[str, Any]] = ()) -> Json:
        found = self.media.registered(object_id)
        flows = self.media.used_by(object_id)
        return present(
            {
                "id": object_id,
                "referenced_by_flows": [
                    one for one in flows if _tagged(self.all_flows[one].content["tags"], tags)
                ],
                "first_referenced_by_flow": (
                    found.first_flow if found.first_flow in self.all_flows else None
                ),
                "timerange": found.span and str(found.span),
                "key_frame_count": found.key_frame_count,
                "get_urls": found.instances,
                "init_object": self._init(found, "id"),
            }
        )

    def profiles(self, wanted: Listing) -> list[Json]:
        ids = _listed(
            wanted,
            self.all_profiles,
            lambda one: self.all_profiles[one],
            {},
            lambda one, name, value: self.all_profiles[one]["flow_metadata"].get(name) == value,
        )
        return [present({"id": one, **self.all_profiles[one]}) for one in ids]

    def webhooks(self, wanted: Listing) -> list[Json]:
        fitting = [
            present({"id": name, **{k: v for k, v in hook.items() if k != "api_key_value"}})
            for name, hook in self.all_webhooks.items()
            if _tagged(hook.get("tags", {}), wanted.tags)
        ]
        return sorted(fitting, key=lambda hook: hook["url"], reverse=wanted.reverse)


def _listed(
    wanted: Listing,
    ids: Iterable[str],
    properties: Callable[[str], Json],
    numbers: Mapping[str, Callable[[str], int]],
    fits: Callable[[str, str, Any], bool],
) -> list[str]:
    """The ids of a listing: dates the latest first; labels from a to z, those without last."""

    def chosen(one: str) -> bool:
        told = properties(one)
        return _tagged(told.get("tags", {}), wanted.tags) and all(
            told.get("label") == value if name == "label" else fits(one, name, value)
            for name, value in wanted.filters.items()
        )

    def by_label(one: str) -> tuple[bool, str, str]:
        label = properties(one).get("label")
        return (label is None, label or "", one)

    found = [one for one in ids if chosen(one)]
    if wanted.sort == "label":
        return sorted(found, key=by_label, reverse=wanted.reverse)
    number = numbers[wanted.sort]
    return sorted(found, key=lambda one: (number(one), one), reverse=not wanted.reverse)


def _tagged(tags: Mapping[str, Any], wanted: Sequence[tuple[str, Any]]) -> bool:
    def fits(name: str, condition: Any) -> bool:
        if isinstance(condition, bool):
            return (name in tags) == condition
        value = tags.get(name, [])
        return not set(condition).isdisjoint([value] if isinstance(value, str) else value)

    return all(fits(name, condition) for name, condition in wanted)


def _collected(collectors: list[str], wanted: Sequence[str]) -> bool:
    return not collectors if not wanted else not set(wanted).isdisjoint(collectors)


def _filter(timerange: str) -> Span:
    try:
        return span(timerange)
    except ValueError:
        raise Refusal("INVALID_INPUT") from None


def _has_content(flow: Flow, timerange: str) -> bool:
    within = _filter(timerange)
    if within == NOTHING:
        return not flow.segments
    return timerange == "_" or any(one.span.overlaps(within) for one in flow.segments)
