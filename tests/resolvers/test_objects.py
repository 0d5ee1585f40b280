"""Objects and their instances: who uses them, where their bytes are, how that changes."""

from collections.abc import Callable
from typing import Any, cast

import pytest

from tams_graphql.model.errors import InvalidInput, NotFound
from tams_graphql.model.records import Instance
from tams_graphql.resolvers.context import Context
from tams_graphql.resolvers.copies import copy_instance
from tams_graphql.resolvers.filters import TagFilter
from tams_graphql.resolvers.flows import set_flow_tag
from tams_graphql.resolvers.instances import parse_instances
from tams_graphql.resolvers.objects import (
    add_uncontrolled_instance,
    get_object,
    object_flows,
    remove_instance,
)
from tams_graphql.resolvers.paging import PageRequest
from tams_graphql.resolvers.segment_deletion import delete_segments
from tams_graphql.resolvers.segments import list_segments
from tams_graphql.timeline import TimeRange
from tests.resolvers.conftest import ARCHIVE, DISK, fresh, uuid4
from tests.resolvers.memory_store import MemoryStore
from tests.resolvers.segment_stories import (
    FLOW,
    OTHER,
    allocated,
    fmp4_flow,
    only_problem,
    post,
    recorded,
    registered,
    video_flow,
)

Dump = Callable[[], Any]
MIRROR = "https://mirror.example/o0"


def store(ctx: Context, storage_id: str) -> MemoryStore:
    return cast("MemoryStore", ctx.stores.by_id[storage_id])


async def uploaded(ctx: Context, object_id: str) -> str:
    """The key of bytes put where the object's storage is."""
    instance = (await get_object(fresh(ctx), object_id)).instances[0]
    store(ctx, DISK).contents[str(instance.key)] = (b"media", "video/mp2t")
    return str(instance.key)


async def segment_labels(ctx: Context, column: str = "instances_json") -> list[list[str | None]]:
    """What the flow's segments know of their objects' instances: URL or backend id."""
    page = await list_segments(fresh(ctx), FLOW, PageRequest())
    return [
        [one.url or one.storage_id for one in parse_instances(text)]
        for text in page.columns[column].to_pylist()
    ]


async def test_an_object_is_what_it_was_registered_as(ctx: Context) -> None:
    await fmp4_flow(ctx)
    await allocated(ctx, "init", "o")
    segment = post("o", "[10:0_11:0)", ts_offset="10:0", init_object_id="init", key_frame_count=1)
    await registered(ctx, segment)
    media, init = await get_object(ctx, "o"), await get_object(ctx, "init")
    assert (media.role, init.role) == ("media", "init")
    assert media.timerange == TimeRange.parse("[0:0_1:0)")
    assert init.timerange is None
    assert (media.init_object_id, init.init_object_id) == ("init", None)
    assert (media.key_frame_count, media.content_type) == (1, "video/mp2t")
    assert (media.first_referenced_by_flow, init.first_referenced_by_flow) == (FLOW, FLOW)
    assert [one.storage_id for one in media.instances] == [DISK]


async def test_allocated_objects_are_not_found(ctx: Context, dump: Dump) -> None:
    await video_flow(ctx)
    await allocated(ctx, "o")
    before = await dump()
    for object_id in ("o", "unknown", "", "\ud800"):
        with pytest.raises(NotFound):
            await get_object(ctx, object_id)
        with pytest.raises(NotFound):
            await add_uncontrolled_instance(ctx, object_id, MIRROR, "mirror")
        with pytest.raises(NotFound):
            await copy_instance(ctx, object_id, ARCHIVE)
        with pytest.raises(NotFound):
            await remove_instance(ctx, object_id, storage_id=DISK)
    assert await dump() == before


async def test_flows_of_an_object_come_in_pages(ctx: Context) -> None:
    flows = [uuid4(n) for n in range(1, 6)]
    for flow_id in flows:
        await video_flow(ctx, flow_id)
    await recorded(ctx, "[0:0_1:0)")
    for flow_id in flows[1:]:
        await registered(ctx, post("o0", "[0:0_1:0)"), flow_id=flow_id)
    for flow_id in (flows[1], flows[3], flows[4]):
        await set_flow_tag(ctx, flow_id, "edit", ["a", "b"])
    page = await object_flows(ctx, "o0", PageRequest(limit=3))
    assert list(page.items) == flows[:3]
    page = await object_flows(ctx, "o0", PageRequest(limit=3, after=page.next_cursor))
    assert (list(page.items), page.has_more) == (flows[3:], False)
    tags = (TagFilter("edit", any_of=("b",)),)
    page = await object_flows(ctx, "o0", PageRequest(limit=2), tags)
    assert list(page.items) == [flows[1], flows[3]]
    page = await object_flows(ctx, "o0", PageRequest(limit=2, after=page.next_cursor), tags)
    assert (list(page.items), page.has_more) == ([flows[4]], False)
    untagged = (TagFilter("edit", exists=False),)
    page = await object_flows(ctx, "o0", PageRequest(reverse=True), untagged)
    assert list(page.items) == [flows[2], flows[0]]
    await delete_segments(ctx, FLOW)
    assert FLOW not in (await object_flows(ctx, "o0", PageRequest())).items
    assert (await get_object(fresh(ctx), "o0")).first_referenced_by_flow == FLOW


async def test_a_mirror_is_advertised_everywhere(ctx: Context, dump: Dump) -> None:
    await video_flow(ctx)
    await recorded(ctx, "[0:0_1:0)")
    await registered(ctx, post("o0", "[5:0_6:0)", ts_offset="5:0"))
    changed = await add_uncontrolled_instance(ctx, "o0", MIRROR, "mirror")
    assert changed.instances[1] == Instance(url=MIRROR, label="mirror")
    assert changed == await get_object(fresh(ctx), "o0")
    assert await segment_labels(ctx) == [[DISK, MIRROR]] * 2
    before = await dump()
    await add_uncontrolled_instance(ctx, "o0", MIRROR, "mirror")
    assert await dump() == before


async def test_init_objects_have_mirrors_too(ctx: Context) -> None:
    await fmp4_flow(ctx)
    await allocated(ctx, "init", "o")
    await registered(ctx, post("o", "[0:0_1:0)", init_object_id="init"))
    await add_uncontrolled_instance(ctx, "init", MIRROR, "mirror")
    assert await segment_labels(ctx, "init_instances_json") == [[DISK, MIRROR]]
    assert await segment_labels(ctx) == [[DISK]]


@pytest.mark.parametrize(
    ("url", "label", "field", "rule"),
    [
        (MIRROR, "archive", "label", "label.reserved"),
        (MIRROR, "archive:head", "label", "label.reserved"),
        (MIRROR, ARCHIVE, "label", "label.reserved"),
        ("https://other.example/", "mirror", "label", "label.taken"),
        ("ftp://mirror.example/", "new", "url", "url.malformed"),
        ("https://a b/", "new", "url", "url.malformed"),
        ("https://", "new", "url", "url.malformed"),
        ("https://mirror.example/" + "x" * 4096, "new", "url", "url.too_long"),
        (MIRROR, "", "label", "string_too_short"),
    ],
)
async def test_bad_mirrors_are_refused(
    ctx: Context, dump: Dump, *, url: str, label: str, field: str, rule: str
) -> None:
    await video_flow(ctx)
    await recorded(ctx, "[0:0_1:0)")
    await add_uncontrolled_instance(ctx, "o0", MIRROR, "mirror")
    before = await dump()
    with pytest.raises(InvalidInput) as refused:
        await add_uncontrolled_instance(ctx, "o0", url, label)
    assert only_problem(refused.value) == (field, rule)
    assert await dump() == before


async def test_an_object_has_at_most_sixteen_instances(ctx: Context) -> None:
    await video_flow(ctx)
    await recorded(ctx, "[0:0_1:0)")
    for number in range(15):
        await add_uncontrolled_instance(ctx, "o0", f"{MIRROR}/{number}", f"m{number}")
    with pytest.raises(InvalidInput) as refused:
        await add_uncontrolled_instance(ctx, "o0", MIRROR, "one more")
    assert only_problem(refused.value) == ("url", "instances.too_many")


async def test_instances_are_removed_by_backend_or_label(ctx: Context) -> None:
    await video_flow(ctx)
    await recorded(ctx, "[0:0_1:0)")
    key = await uploaded(ctx, "o0")
    await copy_instance(ctx, "o0", ARCHIVE)
    await add_uncontrolled_instance(ctx, "o0", MIRROR, "mirror")
    await remove_instance(ctx, "o0", storage_id=DISK)
    assert key not in store(ctx, DISK).contents
    assert await segment_labels(ctx) == [[ARCHIVE, MIRROR]]
    await remove_instance(ctx, "o0", label="archive")
    assert store(ctx, ARCHIVE).contents == {}
    assert await segment_labels(ctx) == [[MIRROR]]


@pytest.mark.parametrize(
    ("which", "error", "rule"),
    [
        ({}, InvalidInput, "storage_id_or_label"),
        ({"storage_id": DISK, "label": "disk"}, InvalidInput, "storage_id_or_label"),
        ({"storage_id": DISK}, InvalidInput, "instance.last"),
        ({"label": "disk"}, InvalidInput, "instance.last"),
        ({"storage_id": ARCHIVE}, NotFound, "not_found"),
        ({"label": "mirror"}, NotFound, "not_found"),
    ],
)
async def test_the_last_instance_stays(
    ctx: Context, dump: Dump, which: dict[str, str], error: type[Exception], rule: str
) -> None:
    await video_flow(ctx)
    await video_flow(ctx, OTHER)
    await recorded(ctx, "[0:0_1:0)")
    before = await dump()
    with pytest.raises(error) as refused:
        await remove_instance(ctx, "o0", **which)
    assert only_problem(refused.value)[1] == rule
    assert await dump() == before
