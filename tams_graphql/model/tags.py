"""Tags: a free-form name with a string or a list of strings (spec 8.2, `tags.json`)."""

from typing import Annotated, Any, TypeAlias

from pydantic import AfterValidator
from pydantic_core import PydanticCustomError

from tams_graphql.model.records import TagValue
from tams_graphql.model.validation import canonical, strict, validated_value


def _tag_value(value: Any) -> TagValue:
    if isinstance(value, str):
        return value
    if isinstance(value, list) and all(isinstance(part, str) for part in value):
        return value
    raise PydanticCustomError("type", "a tag is a string or a list of strings")


TagValueField: TypeAlias = Annotated[Any, AfterValidator(_tag_value)]
TagsField: TypeAlias = dict[str, TagValueField]

_TAG = strict(TagValueField)


def tag_value(name: str, value: Any) -> TagValue:
    """`value` as the value of the tag `name`.

    Raises:
        InvalidInput: it is neither a string nor a list of strings, or too large.
    """
    canonical({"tags": {name: value}})
    checked: TagValue = validated_value(_TAG, value, f"tags.{name}")
    return checked


def joined_tag(value: TagValue) -> str:
    """A tag as one string, the values of a list joined with commas (versions 6.0 and 7.0)."""
    return value if isinstance(value, str) else ",".join(value)


def tag_values(value: TagValue) -> list[str]:
    """The values of a tag, whether it is a list or not."""
    return [value] if isinstance(value, str) else value
