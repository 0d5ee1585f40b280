"""The filters that listings share, as plain values."""

from collections.abc import Sequence
from dataclasses import dataclass

from tams_graphql.model.records import Tags
from tams_graphql.model.tags import joined_tag, tag_values
from tams_graphql.model.vocabulary import ContentFormat, FlowSort, FlowStatus, SourceSort
from tams_graphql.timeline import TimeRange


@dataclass(frozen=True, slots=True)
class TagFilter:
    """Resources whose tag `name` has one of `any_of`, or (`exists`) has or lacks the tag.

    Exactly one of `any_of`, `exists` and `joined` is given. A tag that is a list matches if one
    of its values does (spec 8.2, ``tag.{name}`` and ``tag_exists.{name}``). `joined` is what
    `joined_tag` shows of the tag (DECISIONS: versions 6.0 and 7.0).
    """

    name: str
    any_of: tuple[str, ...] | None = None
    exists: bool | None = None
    joined: str | None = None


def matches_tags(tags: Tags, filters: Sequence[TagFilter]) -> bool:
    """Whether `tags` match all of `filters`."""
    return all(_matches_tag(tags, one) for one in filters)


def _matches_tag(tags: Tags, one: TagFilter) -> bool:
    if one.joined is not None:
        return one.name in tags and joined_tag(tags[one.name]) == one.joined
    if one.any_of is None:
        return (one.name in tags) == bool(one.exists)
    return one.name in tags and not set(tag_values(tags[one.name])).isdisjoint(one.any_of)


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFilter:
    """An AND of what is given. `collected_by`: ids of collecting sources, empty: top level.

    `formats`: any of these.
    """

    label: str | None = None
    format: ContentFormat | None = None
    formats: tuple[ContentFormat, ...] | None = None
    tags: tuple[TagFilter, ...] = ()
    collected_by: tuple[str, ...] | None = None
    sort: SourceSort = SourceSort.CREATED


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowFilter:
    """An AND of what is given. An empty `timerange` asks for flows without content.

    `collected_by`: ids of collecting flows; empty: only flows that no flow collects. `formats`:
    any of these.
    """

    source_id: str | None = None
    timerange: TimeRange | None = None
    format: ContentFormat | None = None
    formats: tuple[ContentFormat, ...] | None = None
    codec: str | None = None
    container: str | None = None
    profile_id: str | None = None
    label: str | None = None
    status: FlowStatus | None = None
    frame_width: int | None = None
    frame_height: int | None = None
    init_segments: bool | None = None
    tags: tuple[TagFilter, ...] = ()
    collected_by: tuple[str, ...] | None = None
    sort: FlowSort = FlowSort.CREATED


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileFilter:
    """An AND of what is given."""

    format: ContentFormat | None = None
    codec: str | None = None
    label: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class UrlFilter:
    """Which of an object's URLs to hand out (spec 8.2, `GET /flows/{flowId}/segments`).

    ``None`` filters nothing. `labels` empty: no URLs at all. `storage_ids` empty: no filter.
    """

    labels: tuple[str, ...] | None = None
    storage_ids: tuple[str, ...] = ()
    presigned: bool | None = None
    storage_tags: tuple[TagFilter, ...] = ()
