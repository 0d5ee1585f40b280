"""URLs of objects: which are handed out, in which order, and what is signed for that."""

from typing import cast

import pytest

from tams_graphql.media.store import MediaStores, StorageBackend
from tams_graphql.model.records import Instance
from tams_graphql.resolvers.context import Context
from tams_graphql.resolvers.filters import TagFilter, UrlFilter
from tams_graphql.resolvers.instances import format_instances
from tams_graphql.resolvers.urls import get_urls, parse_instances
from tests.resolvers.conftest import uuid4
from tests.resolvers.memory_store import MemoryStore

FIRST, SECOND, NAMELESS = uuid4(1), uuid4(2), uuid4(3)
EVERYWHERE = (
    Instance(url="https://x.example/1", label="x"),
    Instance(NAMELESS, "k3"),
    Instance(SECOND, "k2"),
    Instance(FIRST, "k1"),
    Instance(uuid4(4), "gone"),
)


@pytest.fixture
def stores() -> MediaStores:
    kinds: tuple[tuple[str, str | None, dict[str, str | list[str]]], ...] = (
        (FIRST, "first", {"tier": "hot", "sites": ["a", "b"]}),
        (SECOND, "second", {"tier": "cold"}),
        (NAMELESS, None, {}),
    )
    backends = [
        StorageBackend(id=one, label=label, provider="p", store_product="s", tags=tags)
        for one, label, tags in kinds
    ]
    return MediaStores({backend.id: MemoryStore(backend) for backend in backends})


def signed(ctx: Context) -> dict[str, list[tuple[str, int]]]:
    """What each backend was asked to sign: method and number."""
    stores = {one: cast("MemoryStore", store) for one, store in ctx.stores.by_id.items()}
    return {one: store.signed for one, store in stores.items() if store.signed}


def test_controlled_urls_come_first_in_the_order_of_the_backends(ctx: Context) -> None:
    (urls,) = get_urls(ctx, [EVERYWHERE], UrlFilter())
    assert [one.url for one in urls] == [
        f"memory://{FIRST}/get/k1",
        f"memory://{SECOND}/get/k2",
        f"memory://{NAMELESS}/get/k3",
        "https://x.example/1",
    ]
    assert [one.label for one in urls] == ["first", "second", None, "x"]
    assert [one.presigned for one in urls] == [True, True, True, False]
    assert [one.controlled for one in urls] == [True, True, True, False]
    assert [one.backend and one.backend.id for one in urls] == [FIRST, SECOND, NAMELESS, None]
    assert [one.head_url for one in urls] == [None] * 4


@pytest.mark.parametrize(
    ("filters", "labels"),
    [
        (UrlFilter(labels=("second", "x")), ["second", "x"]),
        (UrlFilter(labels=("nobody",)), []),
        (UrlFilter(labels=()), []),
        (UrlFilter(storage_ids=(FIRST, NAMELESS)), ["first", None]),
        (UrlFilter(presigned=True), ["first", "second", None]),
        (UrlFilter(presigned=False), ["x"]),
        (UrlFilter(storage_tags=(TagFilter("tier", any_of=("hot", "warm")),)), ["first"]),
        (UrlFilter(storage_tags=(TagFilter("sites", any_of=("b",)),)), ["first"]),
        (UrlFilter(storage_tags=(TagFilter("tier", exists=True),)), ["first", "second"]),
        (UrlFilter(storage_tags=(TagFilter("tier", exists=False),)), [None, "x"]),
        (UrlFilter(labels=("first", "x"), presigned=True), ["first"]),
        (UrlFilter(labels=("x",), storage_ids=(FIRST,)), []),
    ],
)
def test_filters_are_an_and_and_save_signatures(
    ctx: Context, filters: UrlFilter, labels: list[str | None]
) -> None:
    (urls,) = get_urls(ctx, [EVERYWHERE], filters)
    assert [one.label for one in urls] == labels
    assert sum(len(batches) for batches in signed(ctx).values()) == len(
        [label for label in labels if label != "x"]
    )


def test_a_page_is_signed_in_one_batch_per_backend(ctx: Context) -> None:
    objects = [(Instance(FIRST, f"k{n}"), Instance(SECOND, f"k{n}")) for n in range(100)]
    urls = get_urls(ctx, [*objects, ()], UrlFilter(), head=True)
    assert len(urls) == 101
    assert urls[100] == []
    assert urls[7][1].url == f"memory://{SECOND}/get/k7"
    assert urls[7][1].head_url == f"memory://{SECOND}/head/k7"
    assert signed(ctx) == {one: [("head", 100), ("get", 100)] for one in (FIRST, SECOND)}


@pytest.mark.parametrize(
    ("filters", "shown"),
    [
        (UrlFilter(), [("first", True), ("second", True), ("second", False), (None, True)]),
        (UrlFilter(presigned=True), [("first", True), ("second", True), (None, True)]),
        (UrlFilter(presigned=False), [("second", False)]),
        (UrlFilter(labels=("second",)), [("second", True), ("second", False)]),
        (UrlFilter(presigned=False, storage_ids=(FIRST,)), []),
    ],
)
def test_direct_urls_stand_beside_presigned_ones(
    ctx: Context, filters: UrlFilter, shown: list[tuple[str | None, bool]]
) -> None:
    cast("MemoryStore", ctx.stores.by_id[SECOND]).direct_base = "https://cdn.example/"
    (urls,) = get_urls(ctx, [EVERYWHERE[1:]], filters, head=True)
    assert [(one.label, one.presigned) for one in urls] == shown
    for one in urls:
        assert one.controlled
        assert (one.head_url is not None) == one.presigned
        assert one.presigned or one.url == "https://cdn.example/k2"
    assert (filters.presigned is False) == (signed(ctx) == {})


def test_instances_survive_their_column() -> None:
    assert parse_instances(format_instances(EVERYWHERE)) == EVERYWHERE
    assert parse_instances(None) == ()
