"""What the spec takes for an identifier."""

import re
from typing import Annotated, Final, TypeAlias

from pydantic import Field

from tams_graphql.model.errors import InvalidInput, NotFound

UUID_PATTERN: Final = "^[0-9a-f]{8}-[0-9a-f]{4}-[1-5][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$"
"""Lower-case UUIDs of versions 1 to 5 (spec 8.2, `uuid.json`)."""

MIME_PATTERN: Final = r"^[^\s/]+/[^\s/]+$"
"""A codec or container (spec 8.2, `flow-technical.json`)."""

UUIDText: TypeAlias = Annotated[str, Field(pattern=UUID_PATTERN)]
MimeText: TypeAlias = Annotated[str, Field(pattern=MIME_PATTERN)]

_UUID: Final = re.compile(UUID_PATTERN[1:-1])


def is_uuid(text: str) -> bool:
    """Whether `text` is a UUID as the spec writes them."""
    return _UUID.fullmatch(text) is not None


def known_form(kind: str, identifier: str) -> str:
    """`identifier` itself, if it can name a resource at all.

    Raises:
        NotFound: it is malformed (DECISIONS: a malformed id in a path is 404).
    """
    if not is_uuid(identifier):
        raise NotFound(kind, identifier)
    return identifier


def required_uuid(field: str, text: str) -> str:
    """`text` itself, if it is a UUID; for ids in bodies and query parameters.

    Raises:
        InvalidInput: rule ``pattern``.
    """
    if not is_uuid(text):
        raise InvalidInput(field, "pattern", f"{text!r} is not a lower-case UUID")
    return text
