"""What the service tells about itself and its storage backends."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from tams_graphql.events.http_sender import HttpSender
from tams_graphql.media.store import MediaStores, StorageBackend
from tams_graphql.metadata.engine import MetadataEngine
from tams_graphql.model.errors import InvalidInput
from tams_graphql.model.records import ServiceInfo
from tams_graphql.resolvers.context import Context, Service
from tams_graphql.resolvers.filters import TagFilter
from tams_graphql.resolvers.paging import PageRequest
from tams_graphql.resolvers.service import list_storage_backends, service_info, update_service
from tests.resolvers.conftest import fresh, uuid4
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


def listed(ctx: Context, *tags: TagFilter, reverse: bool = False) -> list[str]:
    return [one.id for one in list_storage_backends(ctx, PageRequest(reverse=reverse), tags).items]


async def test_the_service_describes_itself(stores: MediaStores, engine: MetadataEngine) -> None:
    service = Service(name="n", description="d", version="1.2", min_object_timeout=600)
    ctx = Context(metadata=engine, stores=stores, service=service)
    assert await service_info(ctx) == ServiceInfo(
        name="n",
        description="d",
        type="urn:x-tams:service.tams-graphql",
        api_version="8.2",
        service_version="1.2",
        min_object_timeout=600,
        min_presigned_url_timeout=900,
        event_stream_mechanisms=(),
    )


async def test_webhooks_are_named_where_events_are_sent(ctx: Context) -> None:
    assert (await service_info(ctx)).event_stream_mechanisms == ()
    ctx.sender = HttpSender()
    assert (await service_info(ctx)).event_stream_mechanisms == ({"name": "webhooks"},)
    await ctx.sender.close()


async def told(ctx: Context) -> tuple[str | None, str | None]:
    found = await service_info(fresh(ctx))
    return found.name, found.description


async def test_what_clients_say_comes_before_the_settings_for_each_property(ctx: Context) -> None:
    ctx.service = Service(name="configured", description="by the operator")
    assert await told(ctx) == ("configured", "by the operator")
    after = await update_service(ctx, {"name": "said"})
    assert (after.name, after.description) == ("said", "by the operator")
    assert await told(ctx) == ("said", "by the operator")
    await update_service(ctx, {"description": ""})
    assert await told(ctx) == ("said", "")
    ctx.service = Service(name="reconfigured", description="again")
    assert await told(ctx) == ("said", "")
    await update_service(ctx, {"name": None})
    assert await told(ctx) == ("reconfigured", "")


async def test_saying_the_same_or_nothing_writes_nothing(
    ctx: Context, dump: Callable[[], Awaitable[Any]]
) -> None:
    empty = await dump()
    await update_service(ctx, {})
    await update_service(ctx, {"name": None})
    assert await dump() == empty
    await update_service(ctx, {"name": "said"})
    said = await dump()
    await update_service(ctx, {"name": "said"})
    assert await dump() == said != empty


async def test_two_who_speak_first_at_once_are_both_heard(ctx: Context) -> None:
    await asyncio.gather(
        update_service(ctx, {"name": "said"}), update_service(fresh(ctx), {"description": "too"})
    )
    assert await told(ctx) == ("said", "too")


@pytest.mark.parametrize(
    ("properties", "rule"),
    [
        ({"name": "ok", "type": "urn:mine"}, "unknown"),
        ({"name": 7}, "type"),
        ({"description": "\ud800"}, "unicode"),
        ({"description": "x" * 200_000}, "size"),
    ],
)
async def test_what_is_no_name_or_description_changes_nothing(
    ctx: Context, dump: Callable[[], Awaitable[Any]], properties: Any, rule: str
) -> None:
    before = await dump()
    with pytest.raises(InvalidInput) as refusal:
        await update_service(ctx, properties)
    assert [problem.rule for problem in refusal.value.problems] == [rule]
    assert await dump() == before


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
