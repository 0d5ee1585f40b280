"""Sources: read, listed, relabelled; they come and go with their flows (see test_flows*)."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest

from tams_graphql.model.errors import InvalidInput, MediaStoreError, NotFound
from tams_graphql.resolvers.context import Context, Principal
from tams_graphql.resolvers.filters import FlowFilter, SourceFilter
from tams_graphql.resolvers.flows import delete_flow, flows_of_source, list_flows, put_flow
from tams_graphql.resolvers.paging import PageRequest
from tams_graphql.resolvers.sources import (
    count_sources,
    get_source,
    list_sources,
    set_source_property,
    set_source_tag,
)
from tests.resolvers.conftest import Clock, fresh, uuid4, video

SOURCE = uuid4(101)
Dump = Callable[[], Awaitable[Any]]


@pytest.fixture
async def camera(ctx: Context) -> Context:
    """One source with three flows."""
    for number in range(1, 4):
        await put_flow(ctx, uuid4(number), video(uuid4(number), SOURCE))
    return fresh(ctx)


@pytest.mark.parametrize("name", ["label", "description"])
async def test_a_property_is_set_and_removed(
    camera: Context, clock: Clock, dump: Dump, name: str
) -> None:
    before = await get_source(camera, SOURCE)
    camera.principal = Principal("ann")
    after = await set_source_property(camera, SOURCE, name, "stage")
    stamped = replace(before, updated_by="ann", updated_us=clock.now_us)
    assert after == replace(stamped, **{name: "stage"})  # type: ignore[arg-type]
    assert await get_source(camera, SOURCE) == after
    stored = await dump()
    assert await set_source_property(camera, SOURCE, name, "stage") == after
    assert await dump() == stored
    removed = await set_source_property(camera, SOURCE, name, None)
    assert getattr(removed, name) is None
    assert await set_source_property(camera, SOURCE, name, None) == removed


async def test_tags_are_set_and_removed_one_at_a_time(camera: Context, dump: Dump) -> None:
    before = await get_source(camera, SOURCE)
    await set_source_tag(camera, SOURCE, "a", "x")
    after = await set_source_tag(camera, SOURCE, "b", ["y", "z"])
    assert after.tags == {"a": "x", "b": ["y", "z"]}
    assert after.updated_us > before.updated_us
    rows = [(row["kind"], row["name"], row["value"]) for row in (await dump())["tags"]]
    assert sorted(rows) == [("source", "a", "x"), ("source", "b", "y"), ("source", "b", "z")]
    assert (await set_source_tag(camera, SOURCE, "b", None)).tags == {"a": "x"}
    stored = await dump()
    with pytest.raises(NotFound):
        await set_source_tag(camera, SOURCE, "b", None)
    assert await dump() == stored


async def test_refusals_change_nothing(camera: Context, dump: Dump) -> None:
    before = await dump()
    number: Any = 1
    refusals: list[tuple[Awaitable[object], type[MediaStoreError], str]] = [
        (set_source_property(camera, SOURCE, "label", number), InvalidInput, "label"),
        (set_source_property(camera, SOURCE, "format", "x"), InvalidInput, "format"),
        (set_source_tag(camera, SOURCE, "a", number), InvalidInput, "tags.a"),
        (set_source_property(camera, uuid4(9), "label", "x"), NotFound, "source"),
        (set_source_tag(camera, "malformed", "a", "x"), NotFound, "source"),
        (get_source(camera, uuid4(9)), NotFound, "source"),
    ]
    for call, kind, field in refusals:
        with pytest.raises(kind) as refused:
            await call
        assert [problem.field for problem in refused.value.problems] == [field]
    assert await dump() == before


async def test_flows_of_a_source_are_the_first_page_of_their_listing(camera: Context) -> None:
    await put_flow(camera, uuid4(4), video(uuid4(4), uuid4(102)))
    filters = FlowFilter(source_id=SOURCE)
    for limit in (1, 2, 3, 4):
        page = await flows_of_source(fresh(camera), SOURCE, limit)
        assert page == await list_flows(camera, filters, PageRequest(limit=limit))
    assert [flow.id for flow in page.items] == [uuid4(3), uuid4(2), uuid4(1)]
    first = await flows_of_source(fresh(camera), SOURCE, 2)
    rest = await list_flows(camera, filters, PageRequest(after=first.next_cursor))
    assert [flow.id for flow in rest.items] == [uuid4(1)]
    assert (await flows_of_source(camera, uuid4(9), 2)).items == []


async def test_one_read_serves_all_sources_of_a_tick(
    camera: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads: list[int] = []
    get = camera.metadata.get

    async def counted(table: Any, keys: Any, columns: Any = None) -> Any:
        reads.append(len(keys))
        return await get(table, keys, columns)

    await put_flow(camera, uuid4(4), video(uuid4(4), uuid4(102)))
    monkeypatch.setattr(camera.metadata, "get", counted)
    found = await asyncio.gather(*(get_source(camera, s) for s in (SOURCE, uuid4(102), SOURCE)))
    assert [source.id for source in found] == [SOURCE, uuid4(102), SOURCE]
    assert reads == [2]


async def test_racing_flows_of_one_source_are_all_counted(ctx: Context) -> None:
    flows = [uuid4(number) for number in range(1, 9)]
    await asyncio.gather(*(put_flow(fresh(ctx), f, video(f, SOURCE)) for f in flows))
    assert await count_sources(ctx, SourceFilter()) == 1
    await asyncio.gather(*(delete_flow(fresh(ctx), f) for f in flows[1:]))
    assert (await get_source(fresh(ctx), SOURCE)).id == SOURCE
    await delete_flow(ctx, flows[0])
    assert (await list_sources(ctx, SourceFilter(), PageRequest())).items == []
