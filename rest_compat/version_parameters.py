"""How a version reads its query parameters: those that it knows, each in its own way."""

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from rest_compat.parameters import Parameter, TagParameter, timerange
from rest_compat.versions import Version
from tams_graphql.model.errors import InvalidInput
from tams_graphql.model.vocabulary import ContentFormat
from tams_graphql.resolvers.filters import TagFilter

_LEADING_ZEROS = re.compile(r"(?<![0-9])0+(?=[0-9])")


def parameters(
    version: Version, path: str, declared: Sequence[Parameter[Any]]
) -> tuple[list[Parameter[Any]], list[Parameter[Any]]]:
    """The parameters that `version` reads, and those that it does not know."""
    known = [_reads(version, one) for one in declared if version.takes(path, one.name)]
    return known, [one for one in declared if not version.takes(path, one.name)]


def strict_times(text: str) -> str:
    """Timestamps of version 6.0, which may have leading zeros, as later versions write them."""
    return _LEADING_ZEROS.sub("", text)


def _reads(version: Version, parameter: Parameter[Any]) -> Parameter[Any]:
    if isinstance(parameter, TagParameter):
        return WholeTagParameter(parameter) if version.has("joined_tags") else parameter
    if parameter.parse is timerange and version.has("loose_times"):
        return _copy(parameter, lambda field, text: timerange(field, strict_times(text)))
    if parameter.name == "format" and version.has("no_images"):
        return _copy(parameter, lambda field, text: _known(field, parameter.parse(field, text)))
    return parameter


def _copy(parameter: Parameter[Any], parse: Any) -> Parameter[Any]:
    return replace(parameter, parse=parse)


def _known(field: str, value: ContentFormat) -> ContentFormat:
    if value is ContentFormat.IMAGE:
        raise InvalidInput(field, "enum", "this version has no image format")
    return value


class WholeTagParameter(TagParameter):
    """``tag.{name}`` of versions 6.0 and 7.0: one value, commas are part of it."""

    def __init__(self, newer: TagParameter) -> None:
        super().__init__(newer.name, newer.description.partition(" whose ")[0])

    def valued(self, field: str, name: str, text: str) -> TagFilter:
        """What ``field=text`` asks of the tag `name`."""
        del field
        return TagFilter(name, joined=text)
