"""The body of a segment registration, read once into integer nanoseconds."""

from typing import Annotated, Any, Final, TypeAlias

from pydantic import AfterValidator, BeforeValidator, Field, InstanceOf
from pydantic_core import PydanticCustomError

from tams_graphql.model.storage_input import ObjectId
from tams_graphql.model.validation import Body, NotNegative, Omittable
from tams_graphql.timeline import MAX_NS, Bounds, TimelineError, TimeRange, parse_timestamp

MAX_URL: Final = 4096
"""The longest URL, in characters: all instances of an object share one cell of the index."""

MAX_LABEL: Final = 256
"""The longest label of a URL, in characters."""


def _timestamp(value: Any) -> Any:
    if not isinstance(value, str):
        raise PydanticCustomError("type", "must be a timestamp such as 1694429247:40000000")
    try:
        return parse_timestamp(value)
    except TimelineError as error:
        raise _refused(error) from error


def _timerange(value: Any) -> TimeRange:
    if not isinstance(value, str):
        raise PydanticCustomError("type", "must be a timerange such as [0:0_10:0)")
    try:
        return _storable(TimeRange.parse(value))
    except TimelineError as error:
        raise _refused(error) from error


def _refused(error: TimelineError) -> PydanticCustomError:
    # The rule's name is a literal to pydantic's types only.
    rule: Any = error.rule
    return PydanticCustomError(rule, "{text}", {"text": error.message})


def _storable(timerange: TimeRange) -> TimeRange:
    if timerange.is_empty:
        raise TimelineError("timerange.empty", "the timerange holds no instant")
    if timerange.end_ns is None or timerange.start_ns is None:
        raise TimelineError("timerange.unbounded", "the timerange needs a start and an end")
    if timerange.end_ns > MAX_NS:
        raise TimelineError(
            "timestamp.out_of_range", "the timerange ends beyond what can be stored"
        )
    return timerange


def _from_inclusive(timerange: TimeRange) -> TimeRange:
    if timerange.bounds & Bounds.START_EXCLUSIVE:
        raise PydanticCustomError(
            "timerange.start_exclusive", "a segment's timerange starts with an inclusive ["
        )
    return timerange


def _web_url(value: str) -> str:
    if len(value) > MAX_URL:
        raise PydanticCustomError(
            "url.too_long", "a URL has at most {limit} characters", {"limit": MAX_URL}
        )
    scheme, _, rest = value.partition("://")
    if scheme.lower() not in {"http", "https"} or not rest.strip("/"):
        raise PydanticCustomError("url.malformed", "a URL starts with http:// or https://")
    if not value.isprintable() or " " in value:
        raise PydanticCustomError("url.malformed", "a URL has no spaces or control characters")
    return value


Nanoseconds: TypeAlias = Annotated[int, BeforeValidator(_timestamp)]
StoredTimeRange: TypeAlias = Annotated[InstanceOf[TimeRange], BeforeValidator(_timerange)]


WebUrl: TypeAlias = Annotated[str, AfterValidator(_web_url)]
Label: TypeAlias = Annotated[str, Field(min_length=1, max_length=MAX_LABEL)]


class UncontrolledUrl(Body):
    """Where a client says that an object's bytes are, too."""

    url: WebUrl
    label: Label


class UnlabelledUrl(Body):
    """The same in versions 6.0 and 7.0, where a label may be missing."""

    url: WebUrl
    label: Omittable[Label] = None


class SegmentPost(Body):
    """Spec 8.2, `flow-segment-post.json`; times in nanoseconds."""

    object_id: ObjectId
    timerange: Annotated[StoredTimeRange, AfterValidator(_from_inclusive)]
    init_object_id: Omittable[ObjectId] = None
    ts_offset: Omittable[Nanoseconds] = None
    object_timerange: Omittable[StoredTimeRange] = None
    last_duration: Omittable[Annotated[Nanoseconds, Field(ge=0)]] = None
    sample_offset: Omittable[NotNegative] = None
    sample_count: Omittable[NotNegative] = None
    get_urls: Omittable[list[UncontrolledUrl]] = None
    key_frame_count: Omittable[NotNegative] = None

    @property
    def on_object(self) -> TimeRange:
        """The segment on the media object's own timeline: `timerange` - `ts_offset`."""
        return self.timerange.shifted(-(self.ts_offset or 0))


class UnlabelledSegmentPost(SegmentPost):
    """A segment of versions 6.0 and 7.0."""

    get_urls: Omittable[list[UnlabelledUrl]] = None  # type: ignore[assignment]
