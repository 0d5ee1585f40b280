"""What the specification and DECISIONS want of objects and segments, in memory."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count

from tests.parity.spans import Span, nanoseconds, span
from tests.parity.store import Json, Refusal

BACKEND = "local"
CONTROLLED: Json = {"label": BACKEND, "presigned": True, "controlled": True}


@dataclass
class Segment:
    """A segment of one flow."""

    object_id: str
    span: Span
    ts_offset: int
    last_duration: str | None


@dataclass
class Object:
    """An object, allocated for a flow until it is registered."""

    for_flow: str
    instances: list[Json]
    registered: bool = False
    role: str | None = None
    first_flow: str | None = None
    span: Span | None = None
    key_frame_count: int | None = None
    init: str | None = None


@dataclass
class Media:
    """All objects, and which flows use them."""

    objects: dict[str, Object] = field(default_factory=dict)
    uses: list[tuple[str, str]] = field(default_factory=list)
    """Flow and object, once for each segment."""

    _made: Iterator[int] = field(default_factory=lambda: count(1))

    def allocate(self, flow_id: str, body: Json, codes: set[str]) -> list[str]:
        """Objects for a flow, unless a request is refused with these codes anyway."""
        wanted = body.get("object_ids")
        if any(one in self.objects for one in wanted or []):
            codes.add("INVALID_INPUT")
        if codes:
            raise Refusal(*codes)
        if wanted is None:
            wanted = [f"made-{next(self._made)}" for _ in range(body["limit"])]
        for one in wanted:
            self.objects[one] = Object(flow_id, [CONTROLLED])
        return list(wanted)

    def admit(self, flow_id: str, segments: list[Segment], post: Json, *, has_init: bool) -> None:
        """Put one segment on a timeline."""
        try:
            placed = span(post["timerange"])
        except ValueError:
            raise Refusal("INVALID_INPUT") from None
        in_the_way = [one for one in segments if one.span.overlaps(placed)]
        if any(self._is_same(one, placed, post) for one in in_the_way):
            return
        codes = {"OVERLAP"} if in_the_way else set()
        wrong = list(self._wrongs(flow_id, post, placed, has_init=has_init))
        if wrong or not _storable(placed, post["timerange"]):
            codes.add("INVALID_INPUT")
        if codes:
            raise Refusal(*codes)
        self._keep(flow_id, post, placed)
        offset = nanoseconds(post.get("ts_offset", "0:0"))
        segments.append(Segment(post["object_id"], placed, offset, post.get("last_duration")))
        segments.sort(key=lambda one: one.span.start)
        self.uses.append((flow_id, post["object_id"]))

    def _is_same(self, there: Segment, placed: Span, post: Json) -> bool:
        """Whether `there` has everything that `post` gives."""
        used = self.objects[there.object_id]
        given = {
            "last_duration": there.last_duration,
            "key_frame_count": used.key_frame_count,
            "init_object_id": used.init,
        }
        whole = used.span
        return (
            there.object_id == post["object_id"]
            and there.span.same_instants(placed)
            and there.ts_offset == nanoseconds(post.get("ts_offset", "0:0"))
            and all(post.get(name) in {None, value} for name, value in given.items())
            and (
                whole is None or span(post.get("object_timerange", str(whole))).same_instants(whole)
            )
            and all(_uncontrolled(url) in used.instances for url in post.get("get_urls", []))
        )

    def _wrongs(self, flow_id: str, post: Json, placed: Span, *, has_init: bool) -> Iterator[str]:
        """Everything that is wrong with a segment but its place."""
        known = self.objects.get(post["object_id"])
        used = placed.earlier_by(nanoseconds(post.get("ts_offset", "0:0")))
        given = span(post["object_timerange"]) if "object_timerange" in post else None
        yield from self._wrong_urls(post, known)
        yield from self._wrong_init(flow_id, post, known, has_init=has_init)
        whole = given or used
        if known is None:
            if not post.get("get_urls"):
                yield "the object is unknown, and comes without URLs"
        elif not known.registered:
            if known.for_flow != flow_id:
                yield "the object was allocated for another flow"
        else:
            yield from _changes(known, post, given)
            whole = known.span or whole
        if not whole.covers(used):
            yield "the segment is not within its object"

    def _wrong_init(
        self, flow_id: str, post: Json, known: Object | None, *, has_init: bool
    ) -> Iterator[str]:
        init = post.get("init_object_id")
        if known is not None and known.registered:
            if init not in {None, known.init}:
                yield "init_object_id can't change"
            init = known.init
        if (init is not None) != has_init:
            yield "init_segments of the flow says otherwise"
        if init is None:
            return
        found = self.objects.get(init)
        if found is None or (not found.registered and found.for_flow != flow_id):
            yield "the initialisation object is neither allocated for this flow nor registered"
        elif found.role == "media" or init == post["object_id"]:
            yield "the initialisation object is a media object"

    def _wrong_urls(self, post: Json, known: Object | None) -> Iterator[str]:
        given = post.get("get_urls", [])
        if len({url["label"] for url in given}) < len(given):
            yield "a label is given twice"
        for url in given:
            if self._label_is_taken(_uncontrolled(url), known.instances if known else []):
                yield "the label is taken"

    def _label_is_taken(self, new: Json, instances: list[Json]) -> bool:
        if new in instances:
            return False
        return new["label"] in {BACKEND, f"{BACKEND}:head", *(one["label"] for one in instances)}

    def _keep(self, flow_id: str, post: Json, placed: Span) -> None:
        """An object is registered once and for all by the first segment that uses it."""
        used = self.objects.setdefault(post["object_id"], Object(flow_id, []))
        if not used.registered:
            used.registered, used.role, used.first_flow = True, "media", flow_id
            whole = post.get("object_timerange")
            offset = nanoseconds(post.get("ts_offset", "0:0"))
            used.span = span(whole) if whole else placed.earlier_by(offset)
            used.key_frame_count = post.get("key_frame_count")
            used.init = post.get("init_object_id")
        if used.init is not None:
            init = self.objects[used.init]
            if not init.registered:
                init.registered, init.role, init.first_flow = True, "init", flow_id
        for url in post.get("get_urls", []):
            if _uncontrolled(url) not in used.instances:
                used.instances = [*used.instances, _uncontrolled(url)]

    def covered(
        self, segments: list[Segment], timerange: str, object_id: str | None
    ) -> list[Segment]:
        """The segments that lie in a timerange completely, and use an object if it is given."""
        wanted = span(timerange)
        if wanted.start >= wanted.end:
            return []
        return [
            one
            for one in segments
            if wanted.covers(one.span) and object_id in {None, one.object_id}
        ]

    def forget(self, flow_id: str, gone: list[Segment]) -> None:
        """Objects go when nothing uses them any more; those never registered stay allocated."""
        for segment in gone:
            self.uses.remove((flow_id, segment.object_id))
        for role in ("media", "init"):
            unused = [
                name
                for name, one in self.objects.items()
                if one.registered and one.role == role and not self.used_by(name)
            ]
            for name in unused:
                del self.objects[name]

    def used_by(self, object_id: str) -> list[str]:
        """The flows that use an object, also as initialisation object, by id."""
        return sorted(
            {flow for flow, used in self.uses if object_id in {used, self.objects[used].init}}
        )

    def registered(self, object_id: str) -> Object:
        found = self.objects.get(object_id)
        if found is None or not found.registered:
            raise Refusal("NOT_FOUND")
        return found

    def add_instance(self, object_id: str, url: str, label: str) -> None:
        found = self.registered(object_id)
        new = _uncontrolled({"url": url, "label": label})
        if self._label_is_taken(new, found.instances):
            raise Refusal("INVALID_INPUT")
        if new not in found.instances:
            found.instances = [*found.instances, new]

    def remove_instance(self, object_id: str, label: str) -> None:
        found = self.registered(object_id)
        kept = [one for one in found.instances if one["label"] != label]
        if len(kept) == len(found.instances):
            raise Refusal("NOT_FOUND")
        if not kept:
            raise Refusal("INVALID_INPUT")
        found.instances = kept


def _changes(known: Object, post: Json, timerange: Span | None) -> Iterator[str]:
    """What a segment would have another way than the object that is registered."""
    if known.role == "init":
        yield "it is an initialisation object"
    if post.get("key_frame_count") not in {None, known.key_frame_count}:
        yield "key_frame_count can't change"
    if timerange and known.span and not timerange.same_instants(known.span):
        yield "object_timerange can't change"


def _uncontrolled(url: Json) -> Json:
    return {"label": url["label"], "url": url["url"], "presigned": False, "controlled": False}


def _storable(placed: Span, text: str) -> bool:
    """Whether a segment may lie there: it begins with an instant, and ends."""
    return text.startswith("[") and -(2**63) <= placed.start < placed.end <= 2**63 - 1
