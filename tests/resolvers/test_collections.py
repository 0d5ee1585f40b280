"""Collections: no cycles, edges that follow their flows, sources inferred from flows."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from tams_graphql.model.errors import InvalidInput, NotFound
from tams_graphql.model.records import CollectionItem
from tams_graphql.resolvers.context import Context
from tams_graphql.resolvers.flows import (
    delete_flow,
    flow_collected_by,
    get_flow,
    put_flow,
    set_flow_property,
)
from tams_graphql.resolvers.sources import source_collected_by, source_collection
from tests.resolvers.conftest import audio, fresh, multi, uuid4, video

PICTURE, SOUND, PROGRAMME, SHOW = (uuid4(number) for number in range(1, 5))


def source(flow_id: str) -> str:
    """The source of a story's flow."""
    return {f: uuid4(100 + i) for i, f in enumerate((PICTURE, SOUND, PROGRAMME, SHOW))}[flow_id]


@pytest.fixture
async def show(ctx: Context) -> Context:
    """A show collects a programme, which collects picture and sound."""
    await put_flow(ctx, PICTURE, video(PICTURE, source(PICTURE)))
    await put_flow(ctx, SOUND, audio(SOUND, source(SOUND)))
    items = [{"id": SOUND, "role": "mix"}, {"id": PICTURE}, {"id": SOUND, "role": "clean"}]
    await put_flow(ctx, PROGRAMME, multi(PROGRAMME, source(PROGRAMME), flow_collection=items))
    await put_flow(ctx, SHOW, multi(SHOW, source(SHOW), PROGRAMME))
    return fresh(ctx)


async def test_collections_of_sources_follow_from_those_of_flows(show: Context) -> None:
    assert await source_collection(show, source(PROGRAMME)) == (
        CollectionItem(id=source(SOUND), role="mix"),
        CollectionItem(id=source(PICTURE)),
    )
    assert await source_collection(show, source(PICTURE)) == ()
    assert await source_collected_by(show, source(SOUND)) == (source(PROGRAMME),)
    assert await source_collected_by(show, source(SHOW)) == ()
    assert await flow_collected_by(show, SOUND) == (PROGRAMME,)
    assert await flow_collected_by(show, SHOW) == ()


async def test_a_member_that_several_flows_collect_comes_once(show: Context) -> None:
    low = uuid4(5)
    items = [{"id": PICTURE, "role": "main"}, {"id": SHOW}]
    with pytest.raises(InvalidInput):
        await put_flow(show, SHOW, multi(SHOW, source(SHOW), PROGRAMME, SHOW))
    await put_flow(show, low, multi(low, source(PROGRAMME), flow_collection=items[:1]))
    assert await source_collection(show, source(PROGRAMME)) == (
        CollectionItem(id=source(SOUND), role="mix"),
        CollectionItem(id=source(PICTURE), role="main"),
    )
    assert await source_collected_by(show, source(PICTURE)) == (source(PROGRAMME),)
    assert await flow_collected_by(show, PICTURE) == (PROGRAMME, low)


async def test_a_source_does_not_collect_itself(show: Context) -> None:
    inner = uuid4(5)
    await put_flow(show, inner, multi(inner, source(SHOW)))
    await set_flow_property(show, SHOW, "flow_collection", [{"id": inner}, {"id": PROGRAMME}])
    assert await flow_collected_by(show, inner) == (SHOW,)
    assert await source_collection(show, source(SHOW)) == (CollectionItem(id=source(PROGRAMME)),)
    assert await source_collected_by(show, source(SHOW)) == ()


async def test_edges_follow_a_flow_to_another_source(show: Context) -> None:
    await put_flow(show, SOUND, audio(SOUND, uuid4(200)))
    await put_flow(show, PROGRAMME, multi(PROGRAMME, uuid4(201), SOUND))
    assert await source_collection(show, uuid4(201)) == (CollectionItem(id=uuid4(200)),)
    assert await source_collection(show, source(SHOW)) == (CollectionItem(id=uuid4(201)),)
    assert await source_collected_by(show, uuid4(200)) == (uuid4(201),)
    assert await source_collected_by(show, source(PICTURE)) == ()


async def test_a_collection_of_more_members_than_one_read_brings(ctx: Context) -> None:
    numbers = range(10, 240)
    for number in numbers:
        await put_flow(ctx, uuid4(number), audio(uuid4(number), uuid4(1000 + number)))
    await put_flow(ctx, SHOW, multi(SHOW, source(SHOW), *map(uuid4, numbers)))
    collected = await source_collection(ctx, source(SHOW))
    assert [item.id for item in collected] == [uuid4(1000 + number) for number in numbers]
    assert await source_collected_by(ctx, uuid4(1239)) == (source(SHOW),)
    await set_flow_property(ctx, SHOW, "flow_collection", [{"id": uuid4(239)}])
    assert await flow_collected_by(ctx, uuid4(10)) == ()
    assert await flow_collected_by(ctx, uuid4(239)) == (SHOW,)


@pytest.mark.parametrize("closing", [PICTURE, PROGRAMME])
async def test_a_longer_cycle_is_refused_naming_the_item(
    show: Context, dump: Callable[[], Awaitable[Any]], closing: str
) -> None:
    before = await dump()
    with pytest.raises(InvalidInput) as refused:
        await set_flow_property(show, closing, "flow_collection", [{"id": SOUND}, {"id": SHOW}])
    assert [(p.field, p.rule) for p in refused.value.problems] == [
        ("flow_collection.1.id", "cycle")
    ]
    assert await dump() == before


async def outcomes(*calls: Awaitable[object]) -> list[bool]:
    """Which of the concurrent calls succeeded; the others were refused."""
    results = await asyncio.gather(*calls, return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException) and not isinstance(result, InvalidInput):
            raise result
    return [not isinstance(result, BaseException) for result in results]


@pytest.mark.parametrize("length", [2, 3, 4])
async def test_concurrent_changes_never_close_a_cycle(ctx: Context, length: int) -> None:
    ring = [uuid4(number) for number in range(1, length + 1)]
    for number, flow_id in enumerate(ring):
        await put_flow(ctx, flow_id, multi(flow_id, uuid4(100 + number)))
    done = await outcomes(
        *(
            set_flow_property(ctx, one, "flow_collection", [{"id": following}])
            for one, following in zip(ring, [*ring[1:], ring[0]], strict=True)
        )
    )
    assert done.count(False) == 1


async def test_a_member_deleted_meanwhile_is_never_left_dangling(
    ctx: Context, dump: Callable[[], Awaitable[Any]]
) -> None:
    for number in range(10, 20):
        member, collector = uuid4(number), uuid4(number + 100)
        await put_flow(ctx, member, audio(member, uuid4(1000)))
        put, deleted = await outcomes(
            put_flow(fresh(ctx), collector, multi(collector, uuid4(1001), member)),
            delete_flow(fresh(ctx), member),
        )
        assert deleted
        if put:
            assert (await get_flow(fresh(ctx), collector)).flow_collection == ()
        else:
            with pytest.raises(NotFound):
                await get_flow(fresh(ctx), collector)
    assert (await dump())["collections"] == []
