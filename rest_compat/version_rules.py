"""The rules of `versions.DIFFERENCES`: what a version shows, what it takes, what it leaves alone.

Everything here is pure, and gives back the newest version's values untouched. Values to be
taken come as JSON that nobody has looked at yet: what has no form that a rule is about is left
to the model, which refuses it.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from rest_compat.version_parameters import strict_times
from rest_compat.versions import NEWEST, Version
from tams_graphql.model.errors import InvalidInput, Problem
from tams_graphql.model.records import Flow, Tags, TagValue
from tams_graphql.model.segment_input import SegmentPost, UnlabelledSegmentPost
from tams_graphql.model.storage_input import MIME_TYPE_PATTERN
from tams_graphql.model.tags import joined_tag
from tams_graphql.model.unseen import Unseen
from tams_graphql.model.vocabulary import ContentFormat

Json = dict[str, Any]

_STRICT_MIME = re.compile(MIME_TYPE_PATTERN)
_TOP_LEVEL = (
    *("application", "audio", "font", "example", "image"),
    *("message", "model", "multipart", "text", "video"),
)
_NO_TOKEN = re.compile(r"[^0-9A-Za-z!#$%&'*+.^_`|~-]")
_MIME_MEMBERS = ("codec", "container")
_TIMES = ("timerange", "ts_offset", "last_duration")


def shown_tags(version: Version, tags: Tags) -> Tags:
    """Tags as `version` shows them."""
    if not version.has("joined_tags"):
        return tags
    return {name: joined_tag(value) for name, value in tags.items()}


def shown_tag(version: Version, value: TagValue) -> TagValue:
    """A tag's value as `version` shows it by itself."""
    return joined_tag(value) if version.has("joined_single_tags") else value


def shown_role(version: Version, role: str | None) -> str | None:
    """The role of a member of a collection as `version` shows it."""
    return "" if role is None and version.has("role_required") else role


def shown_mime(version: Version, text: str | None) -> str | None:
    """A codec or container as `version` shows it."""
    if text is None or not version.has("strict_mime"):
        return text
    return strict_mime(text)


def strict_mime(text: str) -> str:
    """`text` itself if versions 8.0 and 8.1 can show it, otherwise what stands for it there."""
    if _STRICT_MIME.fullmatch(text):
        return text
    kind, _, subtype = (_NO_TOKEN.sub("_", part) for part in text.partition("/"))
    return (
        f"{kind}/{subtype}"
        if kind in _TOP_LEVEL
        else f"x-{kind.removeprefix('x-') or '_'}/{subtype}"
    )


def shown_essence(version: Version, flow: Flow) -> Mapping[str, Any] | None:
    """A Flow's `essence_parameters` as `version` shows them."""
    essence = flow.essence_parameters
    if essence is None or not (unknown := version.unknown["essence"]):
        return essence
    if flow.format is ContentFormat.MULTI and version.has("no_multi_essence"):
        return None
    return {name: value for name, value in essence.items() if name not in unknown}


def shown_formats(version: Version) -> tuple[ContentFormat, ...] | None:
    """The formats that `version` has; ``None`` for all."""
    if not version.has("no_images"):
        return None
    return tuple(one for one in ContentFormat if one is not ContentFormat.IMAGE)


def taken_flow(version: Version, body: Json) -> Json:
    """The body of a PUT of a Flow without what `version` ignores.

    Raises:
        InvalidInput: it holds what the version's schema refuses.
    """
    if version is NEWEST:
        return body
    _refuse(_flow_problems(version, body))
    kept = {k: v for k, v in body.items() if k not in version.unknown["flow"]}
    if body.get("format") == ContentFormat.MULTI and version.has("no_multi_essence"):
        kept.pop("essence_parameters", None)
    return _with_strict_times(version, kept)


def taken_tag(version: Version, name: str, value: Any) -> Any:
    """The value of a tag that is put by itself.

    Raises:
        InvalidInput: it is a list, which `version` does not have there.
    """
    if version.has("joined_single_tags"):
        _refuse(_tag_problems(version, {name: value}))
    return value


def taken_collection(version: Version, items: Any) -> Any:
    """A flow collection.

    Raises:
        InvalidInput: a role is missing that `version` requires.
    """
    _refuse(_role_problems(version, items))
    return items


def taken_segment(version: Version, post: Any) -> Any:
    """One segment of a POST without what `version` ignores."""
    if version is NEWEST or not isinstance(post, dict):
        return post
    unknown = version.unknown["segment_post"]
    return _with_strict_times(version, {k: v for k, v in post.items() if k not in unknown})


def taken_segments(version: Version, body: Any) -> Any:
    """The body of a POST of segments.

    Raises:
        InvalidInput: a list, or `get_urls`, that version 6.0 refuses.
    """
    if version.has("single_segments"):
        _refuse(_single_segment_problems(body))
    if isinstance(body, list):
        return [taken_segment(version, post) for post in body]
    return taken_segment(version, body)


def segment_model(version: Version) -> type[SegmentPost]:
    """How a segment is read."""
    return UnlabelledSegmentPost if version.has("unlabelled_urls") else SegmentPost


def taken_storage(version: Version, body: Json) -> Json:
    """The body of an allocation without what `version` ignores."""
    unknown = version.unknown["storage_post"]
    return {k: v for k, v in body.items() if k not in unknown} if unknown else body


def unseen(version: Version, seen_members: Iterable[str] | None = None) -> Unseen | None:
    """What a client of `version` can't see of a Flow; ``None`` if it sees everything.

    Args:
        version: the client's.
        seen_members: ids of all collected flows that it can see; ``None`` if it sees each.
    """
    if version is NEWEST:
        return None
    return Unseen(
        members=version.unknown["flow"] - {"profile_id"},
        essence=version.unknown["essence"],
        multi_essence=version.has("no_multi_essence"),
        joins_tags=version.has("joined_tags"),
        fills_roles=version.has("role_required"),
        cuts_profile=version.has("profiles_unseen"),
        mime=strict_mime if version.has("strict_mime") else None,
        seen_members=None if seen_members is None else frozenset(seen_members),
    )


def unseen_tag(version: Version) -> Unseen | None:
    """What a client of `version` can't see of a tag by itself; ``None`` if it sees everything."""
    return Unseen(joins_tags=True) if version.has("joined_single_tags") else None


def _refuse(problems: Iterable[Problem]) -> None:
    found = list(problems)
    if found:
        raise InvalidInput.of(found)


def _flow_problems(version: Version, body: Json) -> Iterator[Problem]:
    if version.has("no_images") and body.get("format") == ContentFormat.IMAGE:
        yield Problem("format", "enum", f"version {version.name} has no image format")
    if version.has("strict_mime"):
        yield from _mime_problems(body)
    tags = body.get("tags")
    if version.has("joined_tags") and isinstance(tags, dict):
        yield from _tag_problems(version, tags)
    yield from _role_problems(version, body.get("flow_collection"))
    yield from _essence_problems(version, body)


def _mime_problems(body: Json) -> Iterator[Problem]:
    for name in _MIME_MEMBERS:
        value = body.get(name)
        if isinstance(value, str) and not _STRICT_MIME.fullmatch(value):
            yield Problem(name, "pattern", "must be a MIME type of the IANA form, without spaces")


def _tag_problems(version: Version, tags: Mapping[str, Any]) -> Iterator[Problem]:
    for name, value in tags.items():
        if isinstance(value, list):
            message = f"is a string here in version {version.name}, not a list"
            yield Problem(f"tags.{name}", "type", message)


def _role_problems(version: Version, items: Any) -> Iterator[Problem]:
    if version.has("role_required") and isinstance(items, list):
        for index, item in enumerate(items):
            if isinstance(item, dict) and "role" not in item:
                yield Problem(f"flow_collection.{index}.role", "required", "is required")


def _essence_problems(version: Version, body: Json) -> Iterator[Problem]:
    essence = body.get("essence_parameters")
    if isinstance(essence, dict) and body.get("format") != ContentFormat.MULTI:
        for name in sorted(version.unknown["essence"] & essence.keys()):
            message = f"is not a property of this object in version {version.name}"
            yield Problem(f"essence_parameters.{name}", "unknown", message)


def _single_segment_problems(body: Any) -> Iterator[Problem]:
    if isinstance(body, list):
        yield Problem("body", "type", "must be one segment: lists came with version 7.0")
    urls = body.get("get_urls") if isinstance(body, dict) else None
    for index, url in enumerate(urls if isinstance(urls, list) else ()):
        for name in sorted(set(url) - {"url", "label"} if isinstance(url, dict) else ()):
            yield Problem(f"get_urls.{index}.{name}", "unknown", "is not a property of this object")


def _with_strict_times(version: Version, body: Json) -> Json:
    if not version.has("loose_times"):
        return body
    times = {n: strict_times(body[n]) for n in _TIMES if isinstance(body.get(n), str)}
    return {**body, **times}
