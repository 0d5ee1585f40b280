"""The rules of attaching media objects to a flow's timeline, one segment at a time.

For each segment, in the order of the request:

1. Is its place free? The same segment again is accepted and changes nothing.
2. May the flow use the object: allocated for it, registered anywhere, or brought by `get_urls`?
3. Does it come with the initialisation object that the flow asks for?
4. Does it leave the properties of a registered object alone, and lie within its timerange?

Only a segment that passes all of them changes anything (spec 8.2, `POST /flows/{flowId}/segments`).
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from tams_graphql.model.errors import InvalidInput, Overlap
from tams_graphql.model.records import Flow, Instance
from tams_graphql.model.segment_input import SegmentPost, UncontrolledUrl, UnlabelledUrl
from tams_graphql.resolvers.instances import format_instances, parse_instances
from tams_graphql.resolvers.occupancy import Occupancy, Segment
from tams_graphql.resolvers.references import (
    MAX_INSTANCES,
    ReferencedObjects,
    uncontrolled_object,
)
from tams_graphql.timeline import MAX_NS, MIN_NS, TimeRange, format_timerange


@dataclass(frozen=True, slots=True, kw_only=True)
class Registrar:
    """What the segments of one request are checked against; `admit` changes it."""

    flow: Flow
    container: str
    objects: ReferencedObjects
    occupancy: Occupancy
    backend_labels: Collection[str]
    now_us: int

    def admit(self, post: SegmentPost, field: str) -> tuple[Segment, bool]:
        """Accept a segment, or refuse it without a trace.

        Args:
            post: the segment.
            field: the path of the segment within the request, with a final dot; may be empty.

        Returns:
            Its row (the copies of instances still to be filled in), and whether it is new.

        Raises:
            Overlap: its place is taken.
            InvalidInput: any other rule of this module.
        """
        taken = self.occupancy.first_in(post.timerange)
        if taken is not None:
            if self._is_same(taken, post):
                return taken, False
            raise _overlap(post, taken, field)
        media = self._media(post, field)
        init = self._init(post, media, field)
        media = self._with_urls(post, self._registered(post, media, init, field), field)
        return self._accepted(post, media, init), True

    def _is_same(self, taken: Segment, post: SegmentPost) -> bool:
        """Whether `post` is the segment in its place: equal in everything that it gives."""
        media = self.objects.get(post.object_id)
        if media is None or not _has_all_of(taken, post):
            return False
        instances = parse_instances(media["instances_json"])
        urls = [Instance(url=one.url, label=one.label) for one in post.get_urls or ()]
        return all(instance in instances for instance in urls)

    def _accepted(
        self, post: SegmentPost, media: Mapping[str, Any], init: Mapping[str, Any] | None
    ) -> Segment:
        self.objects.put(media)
        if init is not None:
            self.objects.put(init)
        segment = segment_row(self.flow, post, media, self.now_us)
        self.objects.refer(segment)
        self.occupancy.add(segment)
        return segment

    def _media(self, post: SegmentPost, field: str) -> Mapping[str, Any]:
        """The object's row, which this flow may use as media."""
        row = self.objects.get(post.object_id)
        if row is None:
            if not post.get_urls:
                raise InvalidInput(
                    f"{field}object_id",
                    "object.unknown",
                    f"object {post.object_id!r} is neither allocated for this flow nor registered,"
                    " and comes without get_urls",
                )
            return uncontrolled_object(post.object_id, self.flow.id, self.container, self.now_us)
        self._refuse_foreign(row, f"{field}object_id")
        _refuse_role(row, "media", f"{field}object_id")
        return row

    def _init(
        self, post: SegmentPost, media: Mapping[str, Any], field: str
    ) -> Mapping[str, Any] | None:
        """The initialisation object's row, registered as such."""
        name = f"{field}init_object_id"
        object_id = post.init_object_id
        if media["state"] == "registered":
            if object_id not in {None, media["init_object_id"]}:
                raise _changed(name, media, "init_object_id")
            object_id = media["init_object_id"]
        self._refuse_unexpected_init(object_id, name)
        if object_id is None:
            return None
        row = self.objects.get(object_id)
        if row is None:
            raise InvalidInput(
                name,
                "object.unknown",
                f"object {object_id!r} is neither allocated for this flow nor registered",
            )
        self._refuse_foreign(row, name)
        _refuse_role(row if object_id != post.object_id else {**row, "role": "media"}, "init", name)
        if row["state"] == "registered":
            return row
        first = {"allocated_us": None, "first_flow_id": self.flow.id}
        return {**row, **first, "state": "registered", "role": "init"}

    def _refuse_unexpected_init(self, object_id: str | None, field: str) -> None:
        if object_id is None and self.flow.init_segments:
            raise InvalidInput(
                field,
                "init_object.required",
                "the flow's init_segments is true: its media objects need an init object",
            )
        if object_id is not None and not self.flow.init_segments:
            raise InvalidInput(
                field,
                "init_object.unexpected",
                "the flow's init_segments is not true: its media objects have no init object",
            )

    def _refuse_foreign(self, row: Mapping[str, Any], field: str) -> None:
        if row["state"] == "allocated" and row["flow_id"] != self.flow.id:
            raise InvalidInput(
                field,
                "object.allocated_elsewhere",
                f"object {row['object_id']!r} was allocated for flow {row['flow_id']!r}"
                " and is not registered yet",
            )

    def _registered(
        self,
        post: SegmentPost,
        media: Mapping[str, Any],
        init: Mapping[str, Any] | None,
        field: str,
    ) -> Mapping[str, Any]:
        """The object with its properties, as given once and for all at its first registration."""
        if media["state"] == "registered":
            _refuse_changes(post, media, field)
        else:
            timerange = post.object_timerange or _whole_object(post, field)
            media = {
                **media,
                "state": "registered",
                "role": "media",
                "first_flow_id": self.flow.id,
                "allocated_us": None,
                "start_ns": timerange.start_ns,
                "end_ns": timerange.end_ns,
                "bounds": int(timerange.bounds),
                "key_frame_count": post.key_frame_count,
                "init_object_id": init and init["object_id"],
            }
        if not _timerange(media).contains(post.on_object):
            raise InvalidInput(
                f"{field}timerange",
                "timerange.outside_object",
                f"the segment is {post.on_object} on the object's timeline,"
                f" which is only {_timerange(media)}",
            )
        return media

    def _with_urls(
        self, post: SegmentPost, media: Mapping[str, Any], field: str
    ) -> Mapping[str, Any]:
        instances = parse_instances(media["instances_json"])
        for index, given in enumerate(post.get_urls or ()):
            earlier = {one.label for one in (post.get_urls or ())[:index]}
            if given.label is not None and given.label in earlier:
                message = f"label {given.label!r} is given twice"
                raise InvalidInput(f"{field}get_urls.{index}.label", "label.duplicate", message)
            instances = with_uncontrolled(
                instances, given, self.backend_labels, f"{field}get_urls.{index}."
            )
        return {**media, "instances_json": format_instances(instances)}


def with_uncontrolled(
    instances: tuple[Instance, ...],
    given: UncontrolledUrl | UnlabelledUrl,
    backend_labels: Collection[str],
    field: str,
) -> tuple[Instance, ...]:
    """An object's instances and one more; the same one again changes nothing.

    Args:
        instances: what the object has.
        given: what is to be added.
        backend_labels: the labels of our storage backends, which are not to be had.
        field: the path of `given` within the request, with a final dot; may be empty.

    Raises:
        InvalidInput: the label is taken, or there would be more than `MAX_INSTANCES`.
    """
    instance = Instance(url=given.url, label=given.label)
    if instance in instances:
        return instances
    if given.label is not None and given.label in backend_labels:
        message = f"label {given.label!r} is kept for a storage backend"
        raise InvalidInput(f"{field}label", "label.reserved", message)
    if given.label is not None and any(given.label == one.label for one in instances):
        message = f"label {given.label!r} is taken by another URL of the object"
        raise InvalidInput(f"{field}label", "label.taken", message)
    if len(instances) >= MAX_INSTANCES:
        message = f"an object has at most {MAX_INSTANCES} instances"
        raise InvalidInput(f"{field}url", "instances.too_many", message)
    return (*instances, instance)


def segment_row(
    flow: Flow, post: SegmentPost, media: Mapping[str, Any], now_us: int
) -> dict[str, Any]:
    """The row of SEGMENTS, but for its copies of instances."""
    return {
        "timeline_id": flow.timeline_id,
        "flow_id": flow.id,
        "incarnation": flow.incarnation,
        "object_id": post.object_id,
        "init_object_id": media["init_object_id"],
        "start_ns": post.timerange.start_ns,
        "end_ns": post.timerange.end_ns,
        "bounds": int(post.timerange.bounds),
        "ts_offset_ns": post.ts_offset,
        "last_duration_ns": post.last_duration,
        "sample_offset": post.sample_offset,
        "sample_count": post.sample_count,
        "key_frame_count": media["key_frame_count"],
        "object_start_ns": media["start_ns"],
        "object_end_ns": media["end_ns"],
        "object_bounds": media["bounds"],
        "created_us": now_us,
    }


def _has_all_of(taken: Segment, post: SegmentPost) -> bool:
    """Whether `taken` has every property that `post` gives; `get_urls` are another matter."""
    given = {
        "object_id": post.object_id,
        "start_ns": post.timerange.start_ns,
        "end_ns": post.timerange.end_ns,
        "init_object_id": post.init_object_id,
        "key_frame_count": post.key_frame_count,
        "last_duration_ns": post.last_duration,
        "sample_offset": post.sample_offset,
        "sample_count": post.sample_count,
    }
    whole = TimeRange(taken["object_start_ns"], taken["object_end_ns"])
    return (
        all(taken[name] == value for name, value in given.items() if value is not None)
        and (taken["ts_offset_ns"] or 0) == (post.ts_offset or 0)
        and post.object_timerange in {None, whole}
    )


def _overlap(post: SegmentPost, taken: Segment, field: str) -> Overlap:
    stored = format_timerange(taken["start_ns"], taken["end_ns"], taken["bounds"])
    return Overlap(f"{field}timerange", str(post.timerange), taken["object_id"], stored)


def _whole_object(post: SegmentPost, field: str) -> TimeRange:
    """What an object spans of which nothing is known but that the segment uses all of it."""
    whole = post.on_object
    if (whole.start_ns or 0) < MIN_NS or (whole.end_ns or 0) > MAX_NS:
        raise InvalidInput(
            f"{field}ts_offset",
            "timestamp.out_of_range",
            "timerange - ts_offset is beyond what can be stored",
        )
    return whole


def _timerange(media: Mapping[str, Any]) -> TimeRange:
    return TimeRange(media["start_ns"], media["end_ns"], media["bounds"])


def _refuse_changes(post: SegmentPost, media: Mapping[str, Any], field: str) -> None:
    if post.key_frame_count not in {None, media["key_frame_count"]}:
        raise _changed(f"{field}key_frame_count", media, "key_frame_count")
    if post.object_timerange not in {None, _timerange(media)}:
        raise _changed(f"{field}object_timerange", media, "object_timerange")


def _changed(field: str, media: Mapping[str, Any], name: str) -> InvalidInput:
    stored = _timerange(media) if name == "object_timerange" else media[name]
    return InvalidInput(
        field,
        "object.changed",
        f"object {media['object_id']!r} is registered with {name} {stored}, which can't change",
    )


def _refuse_role(row: Mapping[str, Any], role: str, field: str) -> None:
    if row["role"] not in {None, role}:
        uses = {"media": "a media segment", "init": "an initialisation segment"}
        raise InvalidInput(
            field,
            "object.role",
            f"object {row['object_id']!r} is registered as {uses[row['role']]}"
            f" and can't be used as {uses[role]}",
        )
