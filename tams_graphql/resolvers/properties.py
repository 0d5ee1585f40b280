"""The properties that can be set one at a time, and what each takes: one table for all."""

from collections.abc import Callable, Mapping
from typing import Any

from tams_graphql.model.errors import InvalidInput, NotFound
from tams_graphql.model.flow_input import flow_collection
from tams_graphql.model.records import Tags, TagValue
from tams_graphql.model.tags import TagsField, tag_value
from tams_graphql.model.validation import NotNegative, strict, validated_value

Reader = Callable[[Any, str], Any]


def _reads(kind: Any) -> Reader:
    adapter = strict(kind)
    return lambda value, name: validated_value(adapter, value, name)


SERVICE_PROPERTIES: Mapping[str, Reader] = {"name": _reads(str), "description": _reads(str)}
SOURCE_PROPERTIES: Mapping[str, Reader] = {"label": _reads(str), "description": _reads(str)}
FLOW_PROPERTIES: Mapping[str, Reader] = {
    "label": _reads(str),
    "description": _reads(str),
    "read_only": _reads(bool),
    "max_bit_rate": _reads(NotNegative),
    "avg_bit_rate": _reads(NotNegative),
    "flow_collection": flow_collection,
}

_TAGS = strict(TagsField)


def property_value(properties: Mapping[str, Reader], name: str, value: Any | None) -> Any:
    """The value to store for the property `name`; ``None`` removes it.

    Raises:
        InvalidInput: no such property, or it does not take `value`.
    """
    if name not in properties:
        raise InvalidInput(name, "unknown", "is not a property that can be set")
    return None if value is None else properties[name](value, name)


def with_tag(tags: Tags, name: str, value: TagValue | None) -> dict[str, TagValue]:
    """`tags` with the tag `name` set to `value`, or without it.

    Raises:
        NotFound: there is no such tag to remove.
        InvalidInput: the tags would become too large to keep.
    """
    return with_tags(tags, {name: value})


def checked_tags(changes: Mapping[str, TagValue | None]) -> dict[str, TagValue | None]:
    """Tags to set and (``None``) to remove, each value checked.

    Raises:
        InvalidInput: a value is no tag's.
    """
    return {
        name: None if value is None else tag_value(name, value) for name, value in changes.items()
    }


def with_tags(tags: Tags, changes: Mapping[str, TagValue | None]) -> dict[str, TagValue]:
    """`tags` with all of `changes`, as `with_tag` makes each."""
    changed = dict(tags)
    for name, value in changes.items():
        if value is not None:
            changed[name] = value
        elif changed.pop(name, None) is None:
            raise NotFound("tag", name)
    # Once for all: each check reads all of the tags.
    validated_value(_TAGS, changed, "tags")
    return changed
