"""What the service tells about itself and its storage backends."""

import pytest

from tams_graphql.media.store import MediaStores, StorageBackend
from tams_graphql.metadata.engine import MetadataEngine
from tams_graphql.model.errors import InvalidInput
from tams_graphql.model.records import ServiceInfo
from tams_graphql.resolvers.context import Context, Service
from tams_graphql.resolvers.filters import TagFilter
from tams_graphql.resolvers.paging import PageRequest
from tams_graphql.resolvers.service import list_storage_backends, service_info
from tests.resolvers.conftest import uuid4
from tests.resolvers.memory_store import MemoryStore


def backend(number: int, label: str | None, **tags: str | list[str]) -> StorageBackend:
    return StorageBackend(
        id=uuid4(number), label=label, provider="here", store_product="memory", tags=tags
    )


BACKENDS = [
    backend(5, None),
    backend(4, "b", place="north"),
    backend(3, None, place=["south", "north"]),
    backend(2, "a", place=[]),
    backend(1, "b"),
]


@pytest.fixture
def stores() -> MediaStores:
    return MediaStores({one.id: MemoryStore(one) for one in BACKENDS})


@pytest.fixture
def engine() -> None:
    """Nothing here is in the index."""


def listed(ctx: Context, *tags: TagFilter, reverse: bool = False) -> list[str]:
    return [one.id for one in list_storage_backends(ctx, PageRequest(reverse=reverse), tags).items]


def test_the_service_describes_itself(stores: MediaStores, engine: MetadataEngine) -> None:
    service = Service(name="n", description="d", version="1.2", min_object_timeout=600)
    ctx = Context(metadata=engine, stores=stores, service=service)
    assert service_info(ctx) == ServiceInfo(
        name="n",
        description="d",
        type="urn:x-tams:service.tams-graphql",
        api_version="8.2",
        service_version="1.2",
        min_object_timeout=600,
        min_presigned_url_timeout=900,
        event_stream_mechanisms=(),
    )


def test_backends_come_by_label_and_those_without_by_id_after_them(ctx: Context) -> None:
    order = [uuid4(number) for number in (2, 1, 4, 3, 5)]
    assert listed(ctx) == order
    assert listed(ctx, reverse=True) == order[::-1]


def test_tags_select_backends(ctx: Context) -> None:
    assert listed(ctx, TagFilter("place", any_of=("north", "x"))) == [uuid4(4), uuid4(3)]
    assert listed(ctx, TagFilter("place", exists=True)) == [uuid4(2), uuid4(4), uuid4(3)]
    assert listed(ctx, TagFilter("place", exists=False)) == [uuid4(1), uuid4(5)]
    both = (TagFilter("place", exists=True), TagFilter("place", any_of=("south",)))
    assert listed(ctx, *both) == [uuid4(3)]


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("limit", [1, 2, 4, 5])
def test_pages_join_to_the_whole(ctx: Context, limit: int, *, reverse: bool) -> None:
    found: list[str] = []
    after: str | None = None
    while True:
        page = list_storage_backends(ctx, PageRequest(limit=limit, after=after, reverse=reverse))
        found += [one.id for one in page.items]
        if page.next_cursor is None:
            break
        assert len(page.items) == limit
        after = page.next_cursor
    assert found == listed(ctx, reverse=reverse)


def test_a_cursor_of_another_listing_is_refused(ctx: Context) -> None:
    with pytest.raises(InvalidInput):
        list_storage_backends(ctx, PageRequest(after="x"))
