"""The body of a storage allocation, and what an object id may look like."""

import unicodedata
from typing import Annotated, Final, TypeAlias

from pydantic import AfterValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from tams_graphql.model.identifiers import UUIDText
from tams_graphql.model.validation import Body, Omittable

MAX_OBJECT_ID: Final = 1024
"""The longest object id, in characters."""

_TOKEN: Final = "[0-9A-Za-z!#$%&'*+.^_`|~-]+"  # noqa: S105 - what RFC 7231 calls so
MIME_TYPE_PATTERN: Final = (
    "^(application|audio|font|example|image|message|model|multipart|text|video"
    f"|x-{_TOKEN})/{_TOKEN}$"
)
"""A registered kind of media type, or ``x-`` and a token (spec 8.2, `mime-type.json`)."""


def _object_id(value: str) -> str:
    if not value:
        raise PydanticCustomError("object_id.empty", "an object id has at least one character")
    if len(value) > MAX_OBJECT_ID:
        raise PydanticCustomError(
            "object_id.too_long",
            "an object id has at most {limit} characters",
            {"limit": MAX_OBJECT_ID},
        )
    if any(unicodedata.category(char) == "Cc" for char in value):
        raise PydanticCustomError(
            "object_id.control_character", "an object id has no control characters"
        )
    return value


ObjectId: TypeAlias = Annotated[str, AfterValidator(_object_id)]


class StoragePost(Body):
    """Spec 8.2, `flow-storage-post.json`."""

    limit: Omittable[Annotated[int, Field(ge=1)]] = None
    object_ids: Omittable[list[ObjectId]] = None
    storage_id: Omittable[UUIDText] = None
    content_type: Omittable[Annotated[str, Field(pattern=MIME_TYPE_PATTERN)]] = None
    presigned: Omittable[bool] = None

    @model_validator(mode="after")
    def _limit_or_object_ids(self) -> "StoragePost":
        if self.limit is not None and self.object_ids is not None:
            raise PydanticCustomError(
                "limit_or_object_ids",
                "give either limit or object_ids, not both",
                {"field": "object_ids"},
            )
        return self
