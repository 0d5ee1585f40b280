"""What the specification and DECISIONS want of flows, sources, profiles and webhooks, in memory.

Nothing here is clever: every rule looks at everything there is. Media are in `media`, listings in
`shown`.
"""

from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from tests.parity.media import Media, Segment
from tests.parity.spans import NOTHING, malformation, span
from tests.parity.store import Json, Refusal

ANONYMOUS = "anonymous"
TECHNICAL = frozenset(
    {
        *("format", "codec", "container", "avg_bit_rate", "segment_duration"),
        *("container_mapping", "essence_parameters"),
    }
)
_ABOUT_CHANGES = ("id", "created_by", "updated_by", "metadata_version")


@dataclass
class Flow:
    """A flow: `content` is its body but for who made it and which version it is."""

    content: Json
    created_by: str
    created: int
    updated_by: str = ANONYMOUS
    updated: int = 0
    version: Any = None
    segments: list[Segment] = field(default_factory=list)
    had_segments: bool = False

    @property
    def read_only(self) -> bool:
        return bool(self.content.get("read_only"))

    @property
    def members(self) -> list[Json]:
        return self.content.get("flow_collection") or []

    @property
    def has_init(self) -> bool:
        return bool(self.content.get("essence_parameters", {}).get("init_segments"))


@dataclass
class Source:
    """A source; what it collects follows from its flows."""

    format: str
    created_by: str
    updated_by: str
    created: int
    updated: int
    properties: Json = field(default_factory=lambda: {"tags": {}})


class World:
    """What there is, and the operations that change it.

    Args:
        later: whether deletions go on after their answer. Such a one renews `segments_updated`
            of its flow even if it finds no segment.
    """

    def __init__(self, *, later: bool = False) -> None:
        self._later = later
        self.all_flows: dict[str, Flow] = {}
        self.all_sources: dict[str, Source] = {}
        self.all_profiles: dict[str, Json] = {}
        self.all_webhooks: dict[str, Json] = {}
        self.media = Media()
        self.changes: Counter[tuple[str, str, str]] = Counter()
        self._clock = count(1)
        self._hooks = count(1)

    def put_flow(self, flow_id: str, body: Json) -> str:
        current = self.all_flows.get(flow_id)
        content = self._content(current, body)
        if current is None:
            self._refuse_misfit(flow_id, None, content)
            self._create(flow_id, body, content)
            return "created"
        creator = body.get("created_by", current.created_by)
        version = _if_new(body.get("metadata_version"), current.version)
        updater = _if_new(body.get("updated_by"), current.updated_by)
        about = version is not None or updater is not None or creator != current.created_by
        if not about and content == current.content:
            return "updated"
        locked = about or _but_lock(content) != _but_lock(current.content)
        codes = {"FORBIDDEN"} if current.read_only and locked else set()
        self._refuse_misfit(flow_id, current, content, *codes)
        current.created_by = creator
        self._replace(flow_id, current, content, version, updater)
        return "updated"

    def set_property(self, noun: str, identifier: str, name: str, value: Any) -> None:
        if noun == "source":
            self._set_source(identifier, name, value)
            return
        flow = self._flow(identifier)
        codes = {"FORBIDDEN"} if flow.read_only and name != "read_only" else set()
        if name == "avg_bit_rate" and flow.content.get("profile_id"):
            codes |= set() if value is None and name not in flow.content else {"INVALID_INPUT"}
        content = {key: old for key, old in flow.content.items() if key != name}
        content |= {} if value is None else {name: value}
        self._refuse_misfit(identifier, flow, content, *codes)
        if content != flow.content:
            self._replace(identifier, flow, content)

    def set_tag(self, noun: str, identifier: str, name: str, value: Any) -> None:
        codes: set[str] = set()
        if noun == "source":
            tags = self._source(identifier).properties["tags"]
        else:
            flow = self._flow(identifier)
            tags = flow.content["tags"]
            codes = {"FORBIDDEN"} if flow.read_only else set()
        if value is None and name not in tags:
            codes.add("NOT_FOUND")
        if codes:
            raise Refusal(*codes)
        after = {key: old for key, old in tags.items() if key != name}
        after |= {} if value is None else {name: value}
        self.set_property(noun, identifier, "tags", after)

    def delete_flow(self, flow_id: str) -> None:
        flow = self._writable(flow_id)
        self.media.forget(flow_id, flow.segments)
        del self.all_flows[flow_id]
        now = next(self._clock)
        for other_id, other in self.all_flows.items():
            kept = [item for item in other.members if item["id"] != flow_id]
            if len(kept) < len(other.members):
                other.content = {**other.content, "flow_collection": kept}
                self._renewed(other_id, other, now)
        self._drop_empty_sources()

    def allocate(self, flow_id: str, body: Json) -> list[str]:
        chosen = body.get("object_ids", [])
        doubled = ["INVALID_INPUT"] if len(set(chosen)) < len(chosen) else []
        flow = self._flow(flow_id, doubled)
        codes = {*doubled, *(["FORBIDDEN"] if flow.read_only else [])}
        if flow.content.get("container") is None:
            codes.add("INVALID_INPUT")
        return self.media.allocate(flow_id, body, codes)

    def register(self, flow_id: str, posts: list[Json]) -> list[tuple[str, str, Any]]:
        """Those that fail: object, timerange, and the kinds of refusal."""
        malformed = {code for post in posts for code in malformation(post["timerange"])}
        flow = self._flow(flow_id, malformed)
        codes = {"FORBIDDEN"} if flow.read_only else set()
        if flow.content.get("container") is None:
            codes.add("INVALID_INPUT")
        if codes:
            raise Refusal(*codes, *malformed)
        before = len(flow.segments)
        failed = []
        for post in posts:
            try:
                self.media.admit(flow_id, flow.segments, post, has_init=flow.has_init)
            except Refusal as refusal:
                failed.append((post["object_id"], post["timerange"], refusal.codes))
        if len(flow.segments) > before:
            flow.had_segments = True
            self.changes["flow", flow_id, "segments_updated"] += 1
        return failed

    def register_one(self, flow_id: str, post: Json) -> None:
        for _, _, codes in self.register(flow_id, [post]):
            raise Refusal(*codes)

    def delete_segments(self, flow_id: str, timerange: str | None, object_id: str | None) -> None:
        malformed = malformation(timerange or "_")
        flow = self._writable(flow_id, malformed)
        if malformed:
            raise Refusal(*malformed)
        doomed = self.media.covered(flow.segments, timerange or "_", object_id)
        if not doomed and not (self._later and span(timerange or "_") != NOTHING):
            return
        flow.had_segments = True
        flow.segments = [one for one in flow.segments if one not in doomed]
        self.media.forget(flow_id, doomed)
        self.changes["flow", flow_id, "segments_updated"] += 1

    def add_instance(self, object_id: str, url: str, label: str) -> None:
        self.media.add_instance(object_id, url, label)

    def remove_instance(self, object_id: str, label: str) -> None:
        self.media.remove_instance(object_id, label)

    def create_profile(self, profile_id: str, body: Json) -> None:
        if profile_id in self.all_profiles:
            raise Refusal("INVALID_INPUT")
        self.all_profiles[profile_id] = {"tags": {}, "created_by": ANONYMOUS, **body}

    def register_webhook(self, body: Json) -> str:
        name = f"hook-{next(self._hooks)}"
        self.all_webhooks[name] = {"status": "created", **body}
        return name

    def replace_webhook(self, name: str, body: Json) -> None:
        if name not in self.all_webhooks:
            raise Refusal("NOT_FOUND")
        self.all_webhooks[name] = dict(body)

    def delete_webhook(self, name: str) -> None:
        if self.all_webhooks.pop(name, None) is None:
            raise Refusal("NOT_FOUND")

    def _flow(self, flow_id: str, also: Collection[str] = ()) -> Flow:
        """A flow that must exist; `also`: what is wrong with the request anyway."""
        if flow_id not in self.all_flows:
            raise Refusal("NOT_FOUND", *also)
        return self.all_flows[flow_id]

    def _writable(self, flow_id: str, also: Collection[str] = ()) -> Flow:
        flow = self._flow(flow_id, also)
        if flow.read_only:
            raise Refusal("FORBIDDEN", *also)
        return flow

    def _source(self, source_id: str) -> Source:
        if source_id not in self.all_sources:
            raise Refusal("NOT_FOUND")
        return self.all_sources[source_id]

    def _content(self, current: Flow | None, body: Json) -> Json:
        """The body with what its profile tells (spec 8.2, `PUT /flows/{flowId}`)."""
        locked = {"FORBIDDEN"} if current is not None and current.read_only else set()
        content = {name: part for name, part in body.items() if name not in _ABOUT_CHANGES}
        content.setdefault("tags", {})
        linked = None if current is None else current.content.get("profile_id")
        if content.get("profile_id"):
            if content["profile_id"] not in self.all_profiles or TECHNICAL & set(content):
                raise Refusal("INVALID_INPUT", *locked)
            return {**content, **self.all_profiles[content["profile_id"]]["flow_metadata"]}
        if "profile_id" not in content and current is not None and linked is not None:
            if any(content.get(name) != current.content.get(name) for name in TECHNICAL):
                raise Refusal("INVALID_INPUT", *locked)
            return {**content, "profile_id": linked}
        content.pop("profile_id", None)
        return content

    def _refuse_misfit(
        self, flow_id: str, current: Flow | None, content: Json, *codes: str
    ) -> None:
        """Refuse a flow that its source, its segments or its collection can't bear."""
        found = {*codes, *self._misfits(flow_id, current, content)}
        if found:
            raise Refusal(*found)

    def _misfits(self, flow_id: str, current: Flow | None, content: Json) -> Iterator[str]:
        source = self.all_sources.get(content["source_id"])
        if source is not None and source.format != content["format"]:
            yield "INVALID_INPUT"
        if current is not None and current.segments:
            after = Flow(content, "", 0)
            same = content["format"] == current.content["format"]
            if not same or after.has_init != current.has_init:
                yield "INVALID_INPUT"
        for item in content.get("flow_collection") or []:
            member = item["id"]
            if member not in self.all_flows or flow_id in {member, *self._below(member)}:
                yield "INVALID_INPUT"

    def _below(self, flow_id: str) -> set[str]:
        """Everything that a flow collects, directly or not."""
        direct = [item["id"] for item in self.all_flows[flow_id].members]
        return {*direct, *(deeper for one in direct for deeper in self._below(one))}

    def _create(self, flow_id: str, body: Json, content: Json) -> None:
        now = next(self._clock)
        flow = Flow(content, body.get("created_by", ANONYMOUS), now)
        self.all_flows[flow_id] = flow
        self.changes["flow", flow_id, "created"] += 1
        self._renewed(flow_id, flow, now, body.get("metadata_version"), body.get("updated_by"))
        self._join(flow, now)

    def _join(self, flow: Flow, now: int) -> None:
        """A source comes with its first flow."""
        source_id = flow.content["source_id"]
        if source_id not in self.all_sources:
            made_by = (flow.created_by, flow.updated_by)
            self.all_sources[source_id] = Source(flow.content["format"], *made_by, now, now)
            self.changes["source", source_id, "created"] += 1
            self.changes["source", source_id, "updated"] += 1

    def _replace(
        self,
        flow_id: str,
        flow: Flow,
        content: Json,
        version: str | None = None,
        updater: str | None = None,
    ) -> None:
        flow.content = content
        now = next(self._clock)
        self._renewed(flow_id, flow, now, version, updater)
        self._drop_empty_sources()
        self._join(flow, now)

    def _renewed(
        self,
        flow_id: str,
        flow: Flow,
        now: int,
        version: str | None = None,
        updater: str | None = None,
    ) -> None:
        flow.updated, flow.updated_by = now, ANONYMOUS if updater is None else updater
        self.changes["flow", flow_id, "metadata_updated"] += 1
        if version is None:
            self.changes["flow", flow_id, "metadata_version"] += 1
        flow.version = version or self.changes["flow", flow_id, "metadata_version"]

    def _drop_empty_sources(self) -> None:
        used = {flow.content["source_id"] for flow in self.all_flows.values()}
        self.all_sources = {k: v for k, v in self.all_sources.items() if k in used}

    def _set_source(self, source_id: str, name: str, value: Any) -> None:
        source = self._source(source_id)
        after = {key: old for key, old in source.properties.items() if key != name}
        after |= {} if value is None else {name: value}
        if after != source.properties:
            source.properties, source.updated_by = after, ANONYMOUS
            source.updated = next(self._clock)
            self.changes["source", source_id, "updated"] += 1


def _but_lock(content: Json) -> Json:
    return {name: part for name, part in content.items() if name != "read_only"}


def _if_new(given: str | None, stored: Any) -> str | None:
    return None if given == stored else given
