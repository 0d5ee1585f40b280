"""Deleting segments: which go, which objects go with them, and when their bytes do."""

from collections.abc import AsyncIterator, Callable
from typing import Any, cast

import pytest

from tams_graphql.media.store import UploadRequest
from tams_graphql.metadata.engine import Scan
from tams_graphql.metadata.tables import DISCARDED_MEDIA, OBJECTS, REFERENCES
from tams_graphql.model.errors import Forbidden, NotFound, Unavailable
from tams_graphql.resolvers.context import Context
from tams_graphql.resolvers.discard import discard_media
from tams_graphql.resolvers.flows import delete_flow, set_flow_property
from tams_graphql.resolvers.instances import parse_instances
from tams_graphql.resolvers.segment_deletion import Deletion, delete_segments
from tams_graphql.timeline import NEVER, TimeRange
from tests.resolvers.conftest import DISK
from tests.resolvers.memory_store import MemoryStore
from tests.resolvers.segment_stories import (
    FLOW,
    OTHER,
    allocated,
    flow_now,
    fmp4_flow,
    post,
    recorded,
    registered,
    timeline,
    video_flow,
)


def disk(ctx: Context) -> MemoryStore:
    return cast("MemoryStore", ctx.stores.by_id[DISK])


async def objects(ctx: Context) -> list[str]:
    rows = await ctx.metadata.page(Scan(table=OBJECTS, limit=1000))
    return cast("list[str]", rows["object_id"].to_pylist())


async def upload(ctx: Context, object_id: str) -> str:
    """Put bytes where the object's storage is; its key."""
    (row,) = (await ctx.metadata.get(OBJECTS, [(object_id,)])).to_pylist()
    key = str(parse_instances(row["instances_json"])[0].key)
    disk(ctx).contents[key] = (b"media", "video/mp2t")
    return key


@pytest.mark.parametrize(
    ("timerange", "left"),
    [
        ("_", []),
        ("[0:0_3:0)", ["o3"]),
        ("[0:0_3:0]", []),
        ("[0:1_3:0)", ["o0", "o3"]),
        ("[0:0_2:999999998]", ["o2", "o3"]),
        ("_2:0)", ["o2", "o3"]),
        ("(1:0_", ["o0", "o1"]),
        ("[1:2_1:3)", ["o0", "o1", "o2", "o3"]),
        ("()", ["o0", "o1", "o2", "o3"]),
        ("[7:0_8:0)", ["o0", "o1", "o2", "o3"]),
    ],
)
async def test_only_covered_segments_go(ctx: Context, timerange: str, left: list[str]) -> None:
    await video_flow(ctx)
    await recorded(ctx, "[0:0_1:0)", "[1:0_2:0)", "[2:0_3:0)", "[3:0]")
    count = (await delete_segments(ctx, FLOW, timerange=TimeRange.parse(timerange))).count
    assert count == 4 - len(left)
    assert [name for name, _ in await timeline(ctx)] == left
    assert await objects(ctx) == left


async def test_the_rollup_follows(ctx: Context) -> None:
    await video_flow(ctx)
    await recorded(ctx, "[0:0_1:0)", "[1:0_2:0)", "[2:0_3:0)", "[5:0_6:0]")
    for timerange, count, covered_ns, span in (
        ("[1:0_2:0)", 3, 3_000_000_001, "[0:0_6:0]"),
        ("[5:0_9:0)", 2, 2_000_000_000, "[0:0_3:0)"),
        ("[0:0_1:0)", 1, 1_000_000_000, "[2:0_3:0)"),
        ("_", 0, 0, "()"),
    ):
        await delete_segments(ctx, FLOW, timerange=TimeRange.parse(timerange))
        flow = await flow_now(ctx)
        assert (flow.segment_count, flow.covered_ns) == (count, covered_ns)
        assert str(flow.timerange) == span
    assert flow.timerange == NEVER


async def test_by_object(ctx: Context) -> None:
    await video_flow(ctx)
    await recorded(ctx, "[0:0_1:0)", "[1:0_2:0)")
    again = [post("o0", f"[{n}:0_{n + 1}:0)", ts_offset=f"{n}:0") for n in (4, 6)]
    await registered(ctx, *again)
    within = TimeRange.parse("[3:0_")
    assert await delete_segments(ctx, FLOW, object_id="o0", timerange=within) == Deletion(2)
    assert await timeline(ctx) == [("o0", "[0:0_1:0)"), ("o1", "[1:0_2:0)")]
    assert str((await flow_now(ctx)).timerange) == "[0:0_2:0)"
    assert await delete_segments(ctx, FLOW, object_id="o0") == Deletion(1)
    assert await objects(ctx) == ["o1"]
    assert str((await flow_now(ctx)).timerange) == "[1:0_2:0)"


async def test_objects_stay_while_any_flow_uses_them(ctx: Context) -> None:
    await video_flow(ctx)
    await video_flow(ctx, OTHER)
    await recorded(ctx, "[0:0_1:0)")
    key = await upload(ctx, "o0")
    await registered(ctx, post("o0", "[0:0_1:0)"), flow_id=OTHER)
    await delete_segments(ctx, FLOW)
    assert await objects(ctx) == ["o0"]
    assert key in disk(ctx).contents
    await delete_segments(ctx, OTHER)
    assert await objects(ctx) == []
    assert disk(ctx).contents == {}
    for table in (REFERENCES, DISCARDED_MEDIA):
        assert (await ctx.metadata.page(Scan(table=table))).num_rows == 0


async def test_init_objects_go_with_the_last_segment_that_needs_them(ctx: Context) -> None:
    await fmp4_flow(ctx)
    await allocated(ctx, "init", "a", "b")
    await registered(
        ctx,
        post("a", "[0:0_1:0)", init_object_id="init"),
        post("b", "[1:0_2:0)", init_object_id="init"),
    )
    await delete_segments(ctx, FLOW, object_id="a")
    assert await objects(ctx) == ["b", "init"]
    await delete_segments(ctx, FLOW)
    assert await objects(ctx) == []


async def test_an_id_can_be_used_again(ctx: Context) -> None:
    await video_flow(ctx)
    await recorded(ctx, "[0:0_1:0)")
    await delete_segments(ctx, FLOW)
    await recorded(ctx, "[0:0_1:0)")
    assert await timeline(ctx) == [("o0", "[0:0_1:0)")]


async def test_a_flow_takes_its_objects_with_it(ctx: Context) -> None:
    await video_flow(ctx)
    await recorded(ctx, "[0:0_1:0)", "[1:0_2:0)")
    await upload(ctx, "o1")
    await delete_flow(ctx, FLOW)
    assert await objects(ctx) == []
    assert disk(ctx).contents == {}


async def test_refusals_change_nothing(ctx: Context, dump: Callable[[], Any]) -> None:
    with pytest.raises(NotFound):
        await delete_segments(ctx, FLOW)
    await video_flow(ctx)
    await recorded(ctx, "[0:0_1:0)")
    await set_flow_property(ctx, FLOW, "read_only", True)
    before = await dump()
    with pytest.raises(Forbidden):
        await delete_segments(ctx, FLOW)
    with pytest.raises(Forbidden):
        await delete_segments(ctx, FLOW, timerange=NEVER)
    assert await dump() == before


class Away(MemoryStore):
    """A backend that does not answer."""

    async def delete(self, keys: Any) -> None:
        raise Unavailable("away")

    def put_request(self, key: str, object_id: str, content_type: str) -> UploadRequest:
        return UploadRequest("", content_type)

    async def read(self, key: str) -> AsyncIterator[bytes]:
        raise Unavailable("away")
        yield b""


async def test_bytes_are_deleted_later_when_the_backend_is_away(ctx: Context) -> None:
    await video_flow(ctx)
    await recorded(ctx, "[0:0_1:0)")
    key = await upload(ctx, "o0")
    there, stores = disk(ctx), ctx.stores.by_id
    cast("dict[str, Any]", stores)[DISK] = Away(there.backend)
    assert await delete_segments(ctx, FLOW) == Deletion(1)
    assert await timeline(ctx) == []
    notes = await ctx.metadata.page(Scan(table=DISCARDED_MEDIA))
    assert notes["storage_key"].to_pylist() == [key]
    cast("dict[str, Any]", stores)[DISK] = there
    await discard_media(ctx)
    await discard_media(ctx)
    assert there.contents == {}
    assert (await ctx.metadata.page(Scan(table=DISCARDED_MEDIA))).num_rows == 0
