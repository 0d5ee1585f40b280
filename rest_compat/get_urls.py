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
from tams_graphql.resolvers.storage import HEAD_SUFFIX
from tams_graphql.resolvers.urls import GetUrl, get_urls

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
HEAD_URLS: Parameter[bool | None] = Parameter(
    "include_head_urls",
    "List presigned URLs that are good for HEAD alone, too, their label followed by"
    f" `{HEAD_SUFFIX}`.",
    FLAG,
    boolean,
    None,
)
PARAMETERS: tuple[Parameter[Any], ...] = (
    VERBOSE,
    LABELS,
    STORAGE_IDS,
    PRESIGNED,
    STORAGE_TAGS,
    HEAD_URLS,
)


def wanted(call: Call) -> bool:
    """Whether any URL can be asked for at all."""
    return call.query[LABELS] != ()


def urls_of(call: Call, instances: Sequence[Sequence[Instance]]) -> list[list[shapes.Json]]:
    """The `get_urls` of many objects, filtered as the query asks."""
    if not wanted(call):
        return [[] for _ in instances]
    labels, head = call.query[LABELS], _wants_head(call)
    filters = UrlFilter(
        labels=_with_bare_labels(labels) if head else labels,
        storage_ids=call.query[STORAGE_IDS],
        presigned=call.query[PRESIGNED],
        storage_tags=call.query[STORAGE_TAGS],
    )
    verbose = call.query[VERBOSE]
    found = get_urls(call.ctx, instances, filters, head=head)
    if head:
        found = [_with_head_urls(urls, labels) for urls in found]
    unknown = call.version.unknown["url"]
    return [shapes.get_urls(urls, verbose=verbose, unknown=unknown) for urls in found]


def _wants_head(call: Call) -> bool:
    asked = call.query[HEAD_URLS]
    return call.ctx.service.head_urls_in_rest if asked is None else asked


def _with_bare_labels(labels: tuple[str, ...] | None) -> tuple[str, ...] | None:
    """With the backends' labels of the HEAD-only URLs that `labels` names."""
    if labels is None:
        return None
    return (*labels, *(label.removesuffix(HEAD_SUFFIX) for label in labels))


def _with_head_urls(urls: Sequence[GetUrl], labels: tuple[str, ...] | None) -> list[GetUrl]:
    """`urls` and those for HEAD alone, as far as they have one of `labels`."""
    both: list[GetUrl] = []
    for url in urls:
        both.append(url)
        if url.head_url is not None:
            label = f"{url.label or ''}{HEAD_SUFFIX}"
            both.append(url._replace(url=url.head_url, label=label, head_url=None))
    return both if labels is None else [url for url in both if url.label in labels]
