"""The URLs of Media Objects."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import strawberry

from tams_graphql.graphql.columnar import Column, Columns, Leaves, Lists
from tams_graphql.graphql.context import Info
from tams_graphql.graphql.filters import capped
from tams_graphql.graphql.scalars import URL, UUID
from tams_graphql.graphql.selection import selected_names
from tams_graphql.graphql.storage import StorageBackend, backend_of
from tams_graphql.graphql.tags import TagFilterInput, tag_filters
from tams_graphql.model.records import Instance
from tams_graphql.resolvers import urls as resolvers
from tams_graphql.resolvers.context import Context
from tams_graphql.resolvers.filters import UrlFilter


@strawberry.input(description="Which URLs to hand out; an AND of what is given.")
class GetUrlFilter:
    """Spec 8.2, `GET /flows/{flowId}/segments`."""

    labels: list[str] | None = strawberry.field(
        default=None, description="With one of these labels; an empty list: none at all."
    )
    storage_ids: list[UUID] | None = strawberry.field(
        default=None, description="In one of these storage backends."
    )
    presigned: bool | None = None
    storage_tags: list[TagFilterInput] | None = strawberry.field(
        default=None, description="In storage backends with these tags."
    )


@strawberry.type(description="A URL at which a Media Object's bytes can be had.")
class GetUrl:
    """Spec 8.2, `object-core.json`, `get_urls`."""

    url: URL
    head_url: URL | None = strawberry.field(
        description="For HEAD requests, which a presigned `url` refuses; signed only when selected."
    )
    label: str | None
    presigned: bool
    controlled: bool = strawberry.field(description="Whether this service manages the bytes.")
    storage_backend: StorageBackend | None


def url_filter(given: GetUrlFilter | None) -> UrlFilter:
    """The filter for the resolvers."""
    if given is None:
        return UrlFilter()
    return UrlFilter(
        labels=capped("filter.labels", given.labels),
        storage_ids=capped("filter.storageIds", given.storage_ids or ()),
        presigned=given.presigned,
        storage_tags=tag_filters(given.storage_tags, "filter.storageTags"),
    )


def shown_urls(
    info: Info, instances: Sequence[Instance], given: GetUrlFilter | None
) -> list[GetUrl]:
    """The URLs of one object."""
    head = "headUrl" in selected_names(info)
    urls = resolvers.get_urls(info.context.tams, [instances], url_filter(given), head=head)
    return [_shown(url) for url in urls[0]]


def _shown(url: resolvers.GetUrl) -> GetUrl:
    return GetUrl(
        url=URL(url.url),
        head_url=None if url.head_url is None else URL(url.head_url),
        label=url.label,
        presigned=url.presigned,
        controlled=url.controlled,
        storage_backend=None if url.backend is None else backend_of(url.backend),
    )


class UrlRows(Columns):
    """The URLs of many objects, one after the other."""

    type_name = "GetUrl"

    def __init__(self, urls: list[resolvers.GetUrl]) -> None:
        self._urls = urls

    @classmethod
    def of(
        cls,
        ctx: Context,
        instances: Sequence[Sequence[Instance]],
        given: GetUrlFilter | None,
        *,
        head: bool,
    ) -> Lists:
        """The URLs of many objects as a column of lists."""
        found = resolvers.get_urls(ctx, instances, url_filter(given), head=head)
        return Lists(cls([url for urls in found for url in urls]), [len(urls) for urls in found])

    def __len__(self) -> int:
        return len(self._urls)

    def __iter__(self) -> Iterator[GetUrl]:
        return map(_shown, self._urls)

    def column(
        self, name: str, arguments: Mapping[str, Any], wanted: frozenset[str]
    ) -> Column | None:
        """As `Columns.column`."""
        del arguments, wanted
        attribute = _ATTRIBUTES.get(name)
        return None if attribute is None else Leaves([getattr(u, attribute) for u in self._urls])


_ATTRIBUTES = {
    "url": "url",
    "headUrl": "head_url",
    "label": "label",
    "presigned": "presigned",
    "controlled": "controlled",
}
