"""URLs of objects: built, filtered and signed only when asked for, a page at a time."""

from collections.abc import Sequence
from typing import NamedTuple

from tams_graphql.media.store import MediaStore, StorageBackend
from tams_graphql.model.records import Instance
from tams_graphql.resolvers.context import Context
from tams_graphql.resolvers.filters import UrlFilter, matches_tags
from tams_graphql.resolvers.instances import parse_instances

__all__ = ["GetUrl", "get_urls", "parse_instances"]


class GetUrl(NamedTuple):
    """One URL of an object.

    `backend` is ``None`` for an uncontrolled one (then `presigned` is false). `head_url` is for
    HEAD requests, ``None`` unless asked for and presigned; a URL without a signature needs none.
    """

    # A tuple because a page has thousands: frozen dataclasses take over twice as long to make.

    url: str
    label: str | None
    presigned: bool
    controlled: bool
    backend: StorageBackend | None
    head_url: str | None = None


def get_urls(
    ctx: Context,
    instances: Sequence[Sequence[Instance]],
    filters: UrlFilter,
    *,
    head: bool = False,
) -> list[list[GetUrl]]:
    """The URLs of many objects at once, controlled ones in backend order first.

    Signs in one batch per backend, and only what passes the filters. Instances in a backend
    that is not configured (any more) are left out.

    Args:
        ctx: the request.
        instances: of each object.
        filters: an AND (spec 8.2, `GET /flows/{flowId}/segments`).
        head: sign HEAD URLs as well.

    Returns:
        The URLs of each object, in the order of `instances`.
    """
    urls: list[list[GetUrl]] = [[] for _ in instances]
    for storage_id, store in ctx.stores.by_id.items():
        if _admits_backend(filters, store.backend):
            places = _places(instances, storage_id)
            if places and filters.presigned is not False:
                _add_presigned(urls, places, store, head=head)
            if places and filters.presigned is not True:
                _add_direct(urls, places, store)
    if _admits_uncontrolled(filters):
        for found, some in zip(urls, instances, strict=True):
            found.extend(_uncontrolled(instance) for instance in some if _admits(filters, instance))
    return urls


def _places(instances: Sequence[Sequence[Instance]], storage_id: str) -> list[tuple[int, str]]:
    """Which of the objects have bytes in a backend, and under which keys."""
    return [
        (index, instance.key)
        for index, some in enumerate(instances)
        for instance in some
        if instance.storage_id == storage_id and instance.key is not None
    ]


def _add_presigned(
    urls: list[list[GetUrl]], places: Sequence[tuple[int, str]], store: MediaStore, *, head: bool
) -> None:
    keys = [key for _, key in places]
    heads = store.head_urls(keys) if head else [None] * len(keys)
    backend = store.backend
    for (index, _), url, head_url in zip(places, store.get_urls(keys), heads, strict=True):
        urls[index].append(GetUrl(url, backend.label, True, True, backend, head_url))


def _add_direct(
    urls: list[list[GetUrl]], places: Sequence[tuple[int, str]], store: MediaStore
) -> None:
    direct = store.direct_urls([key for _, key in places])
    if direct is None:
        return
    backend = store.backend
    for (index, _), url in zip(places, direct, strict=True):
        urls[index].append(GetUrl(url, backend.label, False, True, backend))


def _uncontrolled(instance: Instance) -> GetUrl:
    return GetUrl(instance.url or "", instance.label, False, False, None)


def _admits_backend(filters: UrlFilter, backend: StorageBackend) -> bool:
    return (
        (filters.labels is None or backend.label in filters.labels)
        and (not filters.storage_ids or backend.id in filters.storage_ids)
        and matches_tags(backend.tags, filters.storage_tags)
    )


def _admits_uncontrolled(filters: UrlFilter) -> bool:
    # A URL outside our backends has no storage id and none of their tags.
    return (
        filters.presigned is not True
        and filters.labels != ()
        and not filters.storage_ids
        and matches_tags({}, filters.storage_tags)
    )


def _admits(filters: UrlFilter, instance: Instance) -> bool:
    return not instance.controlled and (filters.labels is None or instance.label in filters.labels)
