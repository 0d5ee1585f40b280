"""Flows of one source collect the same sources in the same roles and order."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from tams_graphql.model.errors import InvalidInput
from tams_graphql.resolvers.context import Context
from tams_graphql.resolvers.flows import get_flow, put_flow, set_flow_property
from tests.resolvers.conftest import audio, fresh, multi, uuid4, video

HIGH, LOW, SOURCE = uuid4(1), uuid4(2), uuid4(100)
PICTURE, PROXY, SOUND, TITLES = (uuid4(number) for number in range(3, 7))
SOURCES = {PICTURE: uuid4(103), PROXY: uuid4(103), SOUND: uuid4(105), TITLES: uuid4(106)}

Items = list[dict[str, str]]
Dump = Callable[[], Awaitable[Any]]


def items(*members: tuple[str, str | None]) -> Items:
    return [
        {"id": member} if role is None else {"id": member, "role": role} for member, role in members
    ]


STORED = items((PICTURE, "video"), (SOUND, "main"), (SOUND, "mix"))


@pytest.fixture
async def programme(ctx: Context) -> Context:
    """A programme of high quality, and what one of low quality can be made of."""
    for flow_id in (PICTURE, PROXY):
        await put_flow(ctx, flow_id, video(flow_id, SOURCES[flow_id]))
    for flow_id in (SOUND, TITLES):
        await put_flow(ctx, flow_id, audio(flow_id, SOURCES[flow_id]))
    await put_flow(ctx, HIGH, multi(HIGH, SOURCE, flow_collection=STORED))
    return fresh(ctx)


def problems(error: InvalidInput) -> list[tuple[str, str]]:
    return [(problem.field, problem.rule) for problem in error.problems]


@pytest.mark.parametrize(
    "collection",
    [
        [],
        items((PROXY, "video"), (SOUND, "main")),
        items((PROXY, None), (SOUND, "")),
        items((SOUND, "mix")),
        items((TITLES, "titles"), (PROXY, "video"), (TITLES, "more"), (SOUND, "mix")),
        items((PROXY, "video"), (SOUND, "foreign"), (SOUND, "mix")),
    ],
)
async def test_what_agrees_is_taken(programme: Context, collection: Items) -> None:
    await put_flow(programme, LOW, multi(LOW, SOURCE, flow_collection=collection))
    flow = await get_flow(fresh(programme), LOW)
    assert [item.id for item in flow.flow_collection or ()] == [one["id"] for one in collection]


@pytest.mark.parametrize(
    ("collection", "expected"),
    [
        (items((PROXY, "film")), [("flow_collection.0.role", "source.role")]),
        (
            items((PROXY, "video"), (TITLES, "x"), (SOUND, "x"), (SOUND, "y")),
            [("flow_collection.2.role", "source.role")],
        ),
        (items((SOUND, "main"), (PROXY, "video")), [("flow_collection.0.id", "source.order")]),
        (
            items((TITLES, None), (SOUND, None), (PROXY, "film")),
            [("flow_collection.2.role", "source.role"), ("flow_collection.1.id", "source.order")],
        ),
    ],
)
async def test_what_contradicts_is_refused_however_it_comes(
    programme: Context, dump: Dump, collection: Items, expected: list[tuple[str, str]]
) -> None:
    before = await dump()
    with pytest.raises(InvalidInput) as refused:
        await put_flow(programme, LOW, multi(LOW, SOURCE, flow_collection=collection))
    assert problems(refused.value) == expected
    assert HIGH in refused.value.problems[0].message
    assert await dump() == before

    await put_flow(programme, LOW, multi(LOW, uuid4(200), flow_collection=collection))
    before = await dump()
    with pytest.raises(InvalidInput) as moved:
        await put_flow(programme, LOW, multi(LOW, SOURCE, flow_collection=collection))
    assert problems(moved.value) == expected
    assert await dump() == before

    await put_flow(programme, LOW, multi(LOW, SOURCE))
    before = await dump()
    with pytest.raises(InvalidInput) as set_alone:
        await set_flow_property(programme, LOW, "flow_collection", collection)
    assert problems(set_alone.value) == expected
    assert await dump() == before


async def test_a_flow_does_not_contradict_what_it_was(programme: Context) -> None:
    turned = items((SOUND, "sound"), (PICTURE, "film"))
    await set_flow_property(programme, HIGH, "flow_collection", turned)
    flow = await get_flow(fresh(programme), HIGH)
    assert [item.id for item in flow.flow_collection or ()] == [SOUND, PICTURE]


async def test_members_of_the_source_itself_have_no_role_in_it(programme: Context) -> None:
    inner = uuid4(50)
    await put_flow(programme, inner, multi(inner, SOURCE))
    for collector, role in ((uuid4(51), "a"), (uuid4(52), "b")):
        collection = items((inner, role))
        await put_flow(programme, collector, multi(collector, SOURCE, flow_collection=collection))


@pytest.mark.parametrize("new", [True, False])
async def test_of_two_at_once_that_contradict_each_other_one_is_taken(
    ctx: Context, *, new: bool
) -> None:
    stereo = uuid4(7)
    for flow_id in (PICTURE, PROXY):
        await put_flow(ctx, flow_id, video(flow_id, SOURCES[flow_id]))
    for flow_id in (SOUND, stereo):
        await put_flow(ctx, flow_id, audio(flow_id, SOURCES[SOUND]))
    # They share no flow, only sources.
    orders = [items((PICTURE, None), (SOUND, None)), items((stereo, None), (PROXY, None))]
    for number in range(300, 306):
        pair = (uuid4(number), uuid4(number + 100))
        if not new:
            for flow_id in pair:
                await put_flow(ctx, flow_id, multi(flow_id, uuid4(number + 200)))

        async def write(flow_id: str, collection: Items, source_id: str) -> None:
            if new:
                body = multi(flow_id, source_id, flow_collection=collection)
                await put_flow(fresh(ctx), flow_id, body)
            else:
                await set_flow_property(fresh(ctx), flow_id, "flow_collection", collection)

        writes = (
            write(flow_id, order, uuid4(number + 200))
            for flow_id, order in zip(pair, orders, strict=True)
        )
        answers = await asyncio.gather(*writes, return_exceptions=True)
        assert sorted(type(answer).__name__ for answer in answers) == ["InvalidInput", "NoneType"]
