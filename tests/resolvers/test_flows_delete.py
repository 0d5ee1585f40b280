"""Deleting flows: what goes with them, what stays, what is refused."""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from tams_graphql.metadata.engine import Aggregate, Changes, Command, View
from tams_graphql.metadata.tables import SEGMENTS
from tams_graphql.model.errors import Forbidden, InvalidInput, NotFound
from tams_graphql.model.records import CollectionItem
from tams_graphql.resolvers.context import Context
from tams_graphql.resolvers.deletion_jobs import work_on_deletions
from tams_graphql.resolvers.discard import discard_media
from tams_graphql.resolvers.flows import (
    delete_flow,
    get_flow,
    put_flow,
    set_flow_property,
    set_flow_tag,
)
from tams_graphql.resolvers.segments import count_segments, register_segments
from tams_graphql.resolvers.sources import get_source, set_source_tag
from tams_graphql.resolvers.storage import allocate_storage
from tests.resolvers.conftest import DISK, audio, fresh, multi, uuid4, video, without_log
from tests.resolvers.memory_store import MemoryStore

FLOW, SOURCE, TWIN = uuid4(1), uuid4(101), uuid4(2)

Dump = Callable[[], Awaitable[Any]]


def posts(object_ids: Sequence[str], start: int = 0) -> list[dict[str, str]]:
    """One second of each object, one after the other."""
    return [
        {"object_id": object_id, "timerange": f"[{second}:0_{second + 1}:0)"}
        for second, object_id in enumerate(object_ids, start)
    ]


async def ingested(ctx: Context, flow_id: str, count: int) -> list[str]:
    """Allocate, upload and register `count` objects; their ids."""
    allocated = await allocate_storage(ctx, flow_id, {"limit": count})
    for one in allocated:
        store = ctx.stores.by_id[DISK]
        assert isinstance(store, MemoryStore)
        store.contents[one.key] = (b"media", "video/mp2t")
    object_ids = [one.object_id for one in allocated]
    registration = await register_segments(ctx, flow_id, posts(object_ids))
    assert registration.failed == ()
    return object_ids


def bytes_kept(ctx: Context) -> int:
    store = ctx.stores.by_id[DISK]
    assert isinstance(store, MemoryStore)
    return len(store.contents)


async def test_a_flow_goes_with_everything_that_is_its_own(ctx: Context, dump: Dump) -> None:
    empty = await dump()
    await put_flow(ctx, FLOW, video(FLOW, SOURCE, tags={"a": ["x", "y"], "b": []}))
    await set_source_tag(ctx, SOURCE, "of", "source")
    await ingested(ctx, FLOW, 3)
    assert bytes_kept(ctx) == 3
    await delete_flow(ctx, FLOW)
    assert without_log(await dump()) == without_log(empty)
    assert bytes_kept(ctx) == 0
    with pytest.raises(NotFound):
        await get_flow(ctx, FLOW)


async def test_objects_that_another_flow_uses_stay(ctx: Context, dump: Dump) -> None:
    await put_flow(ctx, FLOW, video(FLOW, SOURCE))
    await put_flow(ctx, TWIN, video(TWIN, SOURCE))
    object_ids = await ingested(ctx, FLOW, 3)
    await register_segments(ctx, TWIN, posts(object_ids[:1]))
    await delete_flow(ctx, FLOW)
    assert [row["object_id"] for row in (await dump())["objects"]] == object_ids[:1]
    assert bytes_kept(ctx) == 1
    assert await count_segments(ctx, TWIN) == 1


async def test_more_segments_than_one_read_brings(ctx: Context, dump: Dump) -> None:
    await put_flow(ctx, FLOW, video(FLOW, SOURCE))
    await ingested(ctx, FLOW, 1)
    for start in (1, 1001):
        await register_segments(
            ctx,
            FLOW,
            [
                post | {"get_urls": [{"url": "https://example.org/o", "label": "web"}]}
                for post in posts(["many"] * 1000, start)
            ],
        )
    await delete_flow(ctx, FLOW)
    rows = await dump()
    assert (rows["flow_segments"], rows["objects"], rows["timeline_objects"]) == ([], [], [])


async def test_a_long_flow_goes_in_commits_of_bounded_size(
    ctx: Context, dump: Dump, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ctx.metadata, "background_rows", 3)
    ctx.service = replace(ctx.service, async_delete_segments=7, deletion_grace=0)
    await put_flow(ctx, FLOW, video(FLOW, SOURCE))
    await ingested(ctx, FLOW, 8)
    removed: list[int] = []
    commit = ctx.metadata.commit

    async def watched(command: Command[Any], relies_on: Iterable[Aggregate], **how: bool) -> Any:
        def counted(view: View) -> Changes[Any]:
            changes = command(view)
            removed.append(len(changes.delete.get(SEGMENTS, ())))
            return changes

        return await commit(counted, relies_on, **how)

    monkeypatch.setattr(ctx.metadata, "commit", watched)
    await delete_flow(ctx, FLOW)
    assert removed == [0]
    await work_on_deletions(ctx)
    await discard_media(ctx)
    assert sum(removed) == 8
    assert max(removed) == 3
    rows = await dump()
    assert (rows["flows"], rows["flow_segments"], rows["objects"]) == ([], [], [])
    assert bytes_kept(ctx) == 0


async def test_a_source_stays_until_its_last_flow_goes(ctx: Context) -> None:
    await put_flow(ctx, FLOW, video(FLOW, SOURCE))
    await put_flow(ctx, TWIN, video(TWIN, SOURCE))
    source = await get_source(ctx, SOURCE)
    await delete_flow(ctx, FLOW)
    assert await get_source(ctx, SOURCE) == source
    await delete_flow(ctx, TWIN)
    with pytest.raises(NotFound):
        await get_source(ctx, SOURCE)


async def test_an_id_is_free_again_and_nothing_comes_back_with_it(ctx: Context) -> None:
    first = (await put_flow(ctx, FLOW, video(FLOW, SOURCE, tags={"a": "x"}))).flow
    await ingested(ctx, FLOW, 1)
    await delete_flow(ctx, FLOW)
    again = await put_flow(ctx, FLOW, audio(FLOW, SOURCE))
    assert (again.created, again.flow.segment_count, again.flow.tags) == (True, 0, {})
    assert again.flow.incarnation != first.incarnation
    assert await count_segments(ctx, FLOW) == 0


async def test_collections_do_not_name_a_flow_that_is_gone(ctx: Context, dump: Dump) -> None:
    await put_flow(ctx, FLOW, video(FLOW, SOURCE))
    await put_flow(ctx, TWIN, audio(TWIN, uuid4(102)))
    await put_flow(ctx, uuid4(3), multi(uuid4(3), uuid4(103), FLOW, TWIN, FLOW))
    before = await set_flow_property(ctx, uuid4(3), "read_only", True)
    await delete_flow(ctx, FLOW)
    after = await get_flow(fresh(ctx), uuid4(3))
    assert after.flow_collection == (CollectionItem(id=TWIN),)
    assert after.metadata_version != before.metadata_version
    assert after.metadata_updated_us > before.metadata_updated_us
    assert [row["member_flow_id"] for row in (await dump())["collections"]] == [TWIN]
    await delete_flow(ctx, TWIN)
    assert (await get_flow(fresh(ctx), uuid4(3))).flow_collection == ()


async def test_a_collecting_flow_goes_alone(ctx: Context, dump: Dump) -> None:
    await put_flow(ctx, FLOW, video(FLOW, SOURCE))
    before = await dump()
    await put_flow(ctx, uuid4(3), multi(uuid4(3), uuid4(103), FLOW))
    await delete_flow(ctx, uuid4(3))
    assert without_log(await dump()) == without_log(before)


async def test_a_read_only_flow_stays(ctx: Context, dump: Dump) -> None:
    await put_flow(ctx, FLOW, video(FLOW, SOURCE, read_only=True))
    before = await dump()
    with pytest.raises(Forbidden):
        await delete_flow(ctx, FLOW)
    assert await dump() == before


@pytest.mark.parametrize("flow_id", [FLOW, "malformed", ""])
async def test_what_does_not_exist_can_not_be_deleted(ctx: Context, flow_id: str) -> None:
    with pytest.raises(NotFound):
        await delete_flow(ctx, flow_id)


async def test_a_flow_with_segments_keeps_its_format(ctx: Context, dump: Dump) -> None:
    await put_flow(ctx, FLOW, video(FLOW, SOURCE))
    await ingested(ctx, FLOW, 1)
    before = await dump()
    for source_id in (SOURCE, uuid4(102)):
        with pytest.raises(InvalidInput):
            await put_flow(ctx, FLOW, audio(FLOW, source_id))
    assert await dump() == before
    moved = (await put_flow(ctx, FLOW, video(FLOW, uuid4(102)))).flow
    assert (moved.source_id, moved.segment_count) == (uuid4(102), 1)


async def test_metadata_and_segments_change_without_touching_each_other(ctx: Context) -> None:
    await put_flow(ctx, FLOW, video(FLOW, SOURCE))
    await ingested(ctx, FLOW, 2)
    before = await get_flow(ctx, FLOW)
    after = await set_flow_tag(ctx, FLOW, "a", "x")
    assert (after.timerange, after.segment_count) == (before.timerange, 2)
    assert after.segments_updated_us == before.segments_updated_us
    assert str(after.timerange) == "[0:0_2:0)"
