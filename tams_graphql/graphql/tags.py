"""Tags: a list of names and values, and the filters on them."""

from collections.abc import Iterable, Mapping, Sequence

import strawberry

from tams_graphql.graphql.filters import capped
from tams_graphql.model.errors import InvalidInput
from tams_graphql.model.records import TagValue
from tams_graphql.resolvers.filters import TagFilter


@strawberry.type(description="A tag: a name with one value or several.")
class Tag:
    """One tag; `is_list` keeps how the client wrote a single value."""

    name: str
    values: list[str]
    is_list: bool = strawberry.field(
        description="Whether the value was written as a list (also one of a single value)."
    )


@strawberry.input(description="A tag to set.")
class TagInput:
    """One value is stored as a string unless `as_list`; several as a list."""

    name: str
    values: list[str]
    as_list: bool = strawberry.field(
        default=False, description="Store a single value as a list of one."
    )


@strawberry.input(
    name="TagFilter",
    description="Resources whose tag has one of `anyOf`, or that have or lack the tag.",
)
class TagFilterInput:
    """Exactly one of `any_of` and `exists`."""

    name: str
    any_of: list[str] | None = strawberry.field(
        default=None, description="One of the tag's values is one of these."
    )
    exists: bool | None = strawberry.field(
        default=None, description="Whether the resource has the tag."
    )


def shown_tags(tags: Mapping[str, TagValue] | None) -> list[Tag]:
    """Stored tags as a list, by name."""
    return [_shown(name, value) for name, value in sorted((tags or {}).items())]


def shown_tag(tags: Mapping[str, TagValue] | None, name: str) -> Tag | None:
    """One stored tag."""
    return _shown(name, tags[name]) if tags and name in tags else None


def _shown(name: str, value: TagValue) -> Tag:
    if isinstance(value, str):
        return Tag(name=name, values=[value], is_list=False)
    return Tag(name=name, values=list(value), is_list=True)


def tag_value(tag: TagInput) -> TagValue:
    """A tag to set as the spec writes it."""
    return tag.values[0] if len(tag.values) == 1 and not tag.as_list else tag.values


def tags_json(tags: Iterable[TagInput]) -> dict[str, TagValue]:
    """Tags to set as the spec's object.

    Raises:
        InvalidInput: a name occurs twice.
    """
    written: dict[str, TagValue] = {}
    for index, tag in enumerate(tags):
        if tag.name in written:
            raise InvalidInput(f"tags.{index}.name", "tags.unique", "the name occurs twice")
        written[tag.name] = tag_value(tag)
    return written


def tag_filters(filters: Sequence[TagFilterInput] | None, field: str) -> tuple[TagFilter, ...]:
    """Filters for the resolvers.

    Raises:
        InvalidInput: neither or both of `any_of` and `exists`, or too many.
    """
    given = capped(field, filters or ())
    return tuple(_tag_filter(tag, f"{field}.{index}") for index, tag in enumerate(given))


def _tag_filter(tag: TagFilterInput, field: str) -> TagFilter:
    if (tag.any_of is None) == (tag.exists is None):
        raise InvalidInput(field, "tags.filter", "give exactly one of anyOf and exists")
    return TagFilter(
        name=tag.name,
        any_of=capped(f"{field}.anyOf", tag.any_of),
        exists=tag.exists,
    )
