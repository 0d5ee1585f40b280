"""Which `get_urls` a client wants: the parameters that segments and objects share."""

from collections.abc import Sequence
from typing import Any

from rest_compat import shapes
from rest_compat.parameters import (
    FLAG,
    Parameter,
    TagParameter,
    boolean,
    comma_separated,
    uuids,
)
from rest_compat.resources import Call
from tams_graphql.model.records import Instance
from tams_graphql.resolvers.filters import UrlFilter
from tams_graphql.resolvers.urls import get_urls

VERBOSE = Parameter(
    "verbose_storage", "Tell where the bytes of each URL are kept.", FLAG, boolean, False
)
LABELS: Parameter[tuple[str, ...] | None] = Parameter(
    "accept_get_urls",
    "Only URLs with one of these comma-separated labels; empty: none at all, which is fastest.",
    {"type": "string"},
    comma_separated,
    None,
)
STORAGE_IDS: Parameter[tuple[str, ...]] = Parameter(
    "accept_storage_ids",
    "Only URLs into one of these comma-separated storage backends; empty: no filter.",
    {"type": "string"},
    uuids,
    (),
)
PRESIGNED: Parameter[bool | None] = Parameter(
    "presigned", "Only URLs that are presigned, or only those that are not.", FLAG, boolean, None
)
STORAGE_TAGS = TagParameter("storage_backend_tag", "URLs into storage backends")
PARAMETERS: tuple[Parameter[Any], ...] = (VERBOSE, LABELS, STORAGE_IDS, PRESIGNED, STORAGE_TAGS)


def wanted(call: Call) -> bool:
    """Whether any URL can be asked for at all."""
    return call.query[LABELS] != ()


def urls_of(call: Call, instances: Sequence[Sequence[Instance]]) -> list[list[shapes.Json]]:
    """The `get_urls` of many objects, filtered as the query asks."""
    if not wanted(call):
        return [[] for _ in instances]
    filters = UrlFilter(
        labels=call.query[LABELS],
        storage_ids=call.query[STORAGE_IDS],
        presigned=call.query[PRESIGNED],
        storage_tags=call.query[STORAGE_TAGS],
    )
    verbose = call.query[VERBOSE]
    return [
        shapes.get_urls(found, verbose=verbose) for found in get_urls(call.ctx, instances, filters)
    ]
