"""The bodies of webhooks: what clients may ask for, checked once for both APIs."""

import re
from typing import Annotated, Any, Final, Literal, TypeAlias

from pydantic import AfterValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from tams_graphql.model.essence import OneOfStrings
from tams_graphql.model.identifiers import UUIDText
from tams_graphql.model.tags import TagsField
from tams_graphql.model.validation import Body, Omittable, validated
from tams_graphql.model.vocabulary import EventType

MAX_HEADER_VALUE: Final = 4096
"""The longest `api_key_value`, in characters."""

_HEADER_NAME: Final = re.compile("[0-9A-Za-z!#$%&'*+.^_`|~-]{1,256}")
_RESERVED: Final = frozenset(
    {
        *("connection", "content-encoding", "content-length", "content-type", "expect", "host"),
        *("keep-alive", "te", "trailer", "transfer-encoding", "upgrade"),
    }
)
"""Headers that say how the message itself is to be read."""


def _header_name(value: str) -> str:
    if not _HEADER_NAME.fullmatch(value):
        raise PydanticCustomError("header.malformed", "is not the name of an HTTP header")
    if value.lower() in _RESERVED or value.lower().startswith("webhook-"):
        raise PydanticCustomError("header.reserved", "is a header that this service sets itself")
    return value


def _header_value(value: str) -> str:
    if len(value) > MAX_HEADER_VALUE:
        raise PydanticCustomError(
            "header.too_long", "has at most {limit} characters", {"limit": MAX_HEADER_VALUE}
        )
    if not value.isascii() or not value.isprintable() or value != value.strip():
        raise PydanticCustomError(
            "header.malformed", "has only printable ASCII, and no space at its ends"
        )
    return value


HeaderName: TypeAlias = Annotated[str, AfterValidator(_header_name)]
HeaderValue: TypeAlias = Annotated[str, AfterValidator(_header_value)]
ClientStatus: TypeAlias = Literal["created", "disabled"]


class WebhookInput(Body):
    """Spec 8.2, `webhook.json` with what clients may add. Empty lists differ from none."""

    url: str
    events: list[OneOfStrings[EventType]]
    api_key_name: Omittable[HeaderName] = None
    api_key_value: Omittable[HeaderValue] = Field(None, repr=False)
    flow_ids: Omittable[list[UUIDText]] = None
    source_ids: Omittable[list[UUIDText]] = None
    flow_collected_by_ids: Omittable[list[UUIDText]] = None
    source_collected_by_ids: Omittable[list[UUIDText]] = None
    accept_get_urls: Omittable[list[str]] = None
    accept_storage_ids: Omittable[list[UUIDText]] = None
    presigned: Omittable[bool] = None
    verbose_storage: Omittable[bool] = None
    include_object_timerange: Omittable[bool] = None
    tags: Omittable[TagsField] = None
    status: Omittable[ClientStatus] = None

    @model_validator(mode="after")
    def _key_has_a_name(self) -> "WebhookInput":
        if self.api_key_value is not None and self.api_key_name is None:
            raise PydanticCustomError(
                "api_key.unnamed",
                "needs api_key_name: the header that it is sent in",
                {"field": "api_key_value"},
            )
        return self


class WebhookPut(WebhookInput):
    """Spec 8.2, `webhook-put.json`."""

    id: UUIDText
    status: ClientStatus


FILTERS: Final = (
    "flow_ids", "source_ids", "flow_collected_by_ids", "source_collected_by_ids",
    "accept_get_urls", "accept_storage_ids", "presigned", "verbose_storage",
    "include_object_timerange",
)  # fmt: skip
"""Which events a webhook gets, and how the URLs in them look."""


def webhook_input(body: Any) -> WebhookInput:
    """`body` as a webhook to register, or as all of one that changes.

    Where its URL leads is for `webhook_url.checked_url` to say.

    Raises:
        InvalidInput: with every problem.
    """
    return validated(WebhookInput, body)


def webhook_put(body: Any) -> WebhookPut:
    """`body` as the replacement of a webhook.

    Raises:
        InvalidInput: with every problem.
    """
    return validated(WebhookPut, body)
