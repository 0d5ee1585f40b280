"""Storage allocation: which requests are granted, and what each grant is good for."""

from collections.abc import Callable
from typing import Any

import pytest

from tams_graphql.media.store import MediaStores
from tams_graphql.metadata.engine import Scan
from tams_graphql.metadata.tables import INSTANCES, OBJECTS
from tams_graphql.model.errors import Forbidden, InvalidInput, NotFound, TooLarge
from tams_graphql.resolvers.context import Context
from tams_graphql.resolvers.flows import put_flow, set_flow_property
from tams_graphql.resolvers.instances import parse_instances
from tams_graphql.resolvers.segment_deletion import delete_segments
from tams_graphql.resolvers.storage import (
    MAX_OBJECTS_PER_REQUEST,
    allocate_storage,
    may_upload,
    upload_request,
)
from tests.resolvers.conftest import ARCHIVE, DISK, multi, uuid4
from tests.resolvers.segment_stories import (
    FLOW,
    OTHER,
    SOURCE,
    allocated,
    fmp4_flow,
    only_problem,
    post,
    registered,
    video_flow,
)


async def _row(ctx: Context, object_id: str) -> dict[str, Any]:
    (row,) = (await ctx.metadata.get(OBJECTS, [(object_id,)])).to_pylist()
    return dict(row)


async def test_allocates_one_object_in_the_default_backend(ctx: Context) -> None:
    await video_flow(ctx)
    (one,) = await allocate_storage(ctx, FLOW, {})
    row = await _row(ctx, one.object_id)
    (instance,) = parse_instances(row["instances_json"])
    assert instance.storage_id == DISK
    upload = upload_request(ctx, one)
    assert upload.url == f"memory://{DISK}/put/{instance.key}"
    assert upload.content_type == "video/mp2t"
    assert (row["state"], row["flow_id"], row["role"]) == ("allocated", FLOW, None)
    assert one.object_id not in str(instance.key)


async def test_an_object_waits_until_it_is_registered(ctx: Context) -> None:
    await fmp4_flow(ctx)
    await allocated(ctx, "init", "media")
    rows = [await _row(ctx, object_id) for object_id in ("init", "media")]
    assert [row["allocated_us"] for row in rows] == [row["created_us"] for row in rows]
    web = [{"url": "https://example.org/o", "label": "web"}]
    first = post("media", "[0:0_1:0)", init_object_id="init")
    await registered(ctx, first, post("web", "[1:0_2:0)", init_object_id="init", get_urls=web))
    waiting = await ctx.metadata.page(Scan(table=OBJECTS, order="allocated"))
    assert waiting.num_rows == 0
    assert (await ctx.metadata.count(Scan(table=OBJECTS))) == 3


async def test_whose_bytes_are_under_a_key_is_known_until_they_go(ctx: Context) -> None:
    await video_flow(ctx)
    (one,) = await allocate_storage(ctx, FLOW, {})
    row = await _row(ctx, one.object_id)
    (found,) = (await ctx.metadata.get(INSTANCES, [(DISK, one.key)])).to_pylist()
    assert (found["object_id"], found["incarnation"]) == (one.object_id, row["incarnation"])
    await registered(ctx, post(one.object_id, "[0:0_1:0)"))
    await delete_segments(ctx, FLOW)
    assert (await ctx.metadata.get(INSTANCES, [(DISK, one.key)])).num_rows == 0


async def test_clients_choose_ids_backend_and_content_type(ctx: Context) -> None:
    await video_flow(ctx)
    body = {
        "object_ids": ["a/b", "ü"],
        "storage_id": ARCHIVE,
        "content_type": "video/mp4",
        "presigned": True,
    }
    granted = await allocate_storage(ctx, FLOW, body)
    assert [one.object_id for one in granted] == ["a/b", "ü"]
    uploads = [upload_request(ctx, one) for one in granted]
    assert {upload.content_type for upload in uploads} == {"video/mp4"}
    assert all(upload.url.startswith(f"memory://{ARCHIVE}/put/") for upload in uploads)


async def test_a_limit_too_large_is_clamped(ctx: Context) -> None:
    await video_flow(ctx)
    assert len(await allocate_storage(ctx, FLOW, {"limit": 3})) == 3
    granted = await allocate_storage(ctx, FLOW, {"limit": 10**9})
    assert len({one.object_id for one in granted}) == MAX_OBJECTS_PER_REQUEST == 1000


@pytest.mark.parametrize(
    ("body", "field", "rule"),
    [
        ({"limit": 0}, "limit", "minimum"),
        ({"limit": "1"}, "limit", "type"),
        ({"limit": True}, "limit", "type"),
        ({"limit": None}, "limit", "null"),
        ({"limit": 1, "object_ids": ["a"]}, "object_ids", "limit_or_object_ids"),
        ({"object_ids": "a"}, "object_ids", "type"),
        ({"object_ids": [""]}, "object_ids.0", "object_id.empty"),
        ({"object_ids": ["x" * 1025]}, "object_ids.0", "object_id.too_long"),
        ({"object_ids": ["ok", "a\nb"]}, "object_ids.1", "object_id.control_character"),
        ({"object_ids": ["a", "b", "taken"]}, "object_ids.2", "object_id.exists"),
        ({"storage_id": uuid4(9)}, "storage_id", "storage_id.unknown"),
        ({"storage_id": "disk"}, "storage_id", "pattern"),
        ({"content_type": "mp4"}, "content_type", "pattern"),
        ({"content_type": "video/mp4; a=b"}, "content_type", "pattern"),
        ({"presigned": False}, "presigned", "presigned.unsupported"),
        ([], "body", "type"),
    ],
)
async def test_refuses_what_breaks_a_rule(
    ctx: Context, dump: Callable[[], Any], body: Any, field: str, rule: str
) -> None:
    await video_flow(ctx)
    await allocated(ctx, "taken")
    before = await dump()
    with pytest.raises(InvalidInput) as refused:
        await allocate_storage(ctx, FLOW, body)
    assert only_problem(refused.value) == (field, rule)
    assert await dump() == before


async def test_refuses_an_id_given_twice_and_too_many(ctx: Context) -> None:
    await video_flow(ctx)
    with pytest.raises(InvalidInput) as refused:
        await allocate_storage(ctx, FLOW, {"object_ids": ["a", "b", "a"]})
    assert [one.field for one in refused.value.problems] == ["object_ids.0", "object_ids.2"]
    with pytest.raises(TooLarge):
        await allocate_storage(ctx, FLOW, {"object_ids": [str(n) for n in range(1001)]})


async def test_the_flow_must_exist_be_writable_and_have_a_container(
    ctx: Context, dump: Callable[[], Any]
) -> None:
    with pytest.raises(NotFound):
        await allocate_storage(ctx, FLOW, {})
    await video_flow(ctx)
    await set_flow_property(ctx, FLOW, "read_only", True)
    await put_flow(ctx, OTHER, multi(OTHER, uuid4(101)))
    before = await dump()
    with pytest.raises(Forbidden):
        await allocate_storage(ctx, FLOW, {})
    with pytest.raises(InvalidInput) as refused:
        await allocate_storage(ctx, OTHER, {"content_type": "video/mp4"})
    assert only_problem(refused.value) == ("container", "flow.no_container")
    assert await dump() == before


async def test_without_a_default_backend_one_must_be_named(ctx: Context) -> None:
    await video_flow(ctx)
    ctx.stores = MediaStores({ARCHIVE: ctx.stores.by_id[ARCHIVE]})
    with pytest.raises(InvalidInput) as refused:
        await allocate_storage(ctx, FLOW, {})
    assert only_problem(refused.value) == ("storage_id", "required")
    assert len(await allocate_storage(ctx, FLOW, {"storage_id": ARCHIVE})) == 1


async def test_uploads_end_with_registration(ctx: Context) -> None:
    await video_flow(ctx)
    await allocated(ctx, "o")
    (instance,) = parse_instances((await _row(ctx, "o"))["instances_json"])
    key = str(instance.key)
    assert await may_upload(ctx, "o", DISK, key)
    assert not await may_upload(ctx, "o", ARCHIVE, key)
    assert not await may_upload(ctx, "o", DISK, "0" * 32)
    assert not await may_upload(ctx, "unknown", DISK, key)
    await registered(ctx, post("o", "[0:0_1:0)"))
    assert not await may_upload(ctx, "o", DISK, key)


async def test_an_object_id_belongs_to_the_whole_store(ctx: Context) -> None:
    await video_flow(ctx)
    await put_flow(ctx, OTHER, multi(OTHER, SOURCE_OF_MULTI, container="video/mp2t"))
    await allocated(ctx, "o")
    with pytest.raises(InvalidInput):
        await allocated(ctx, "o", flow_id=OTHER)


SOURCE_OF_MULTI = uuid4(101)
assert SOURCE != SOURCE_OF_MULTI


DIGEST = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="


async def test_uploads_can_be_bound_to_the_digests_of_their_bytes(ctx: Context) -> None:
    await video_flow(ctx)
    first, second = await allocate_storage(ctx, FLOW, {"limit": 2}, [DIGEST, "A" * 43 + "="])
    assert upload_request(ctx, first).headers == {"x-amz-checksum-sha256": DIGEST}
    assert upload_request(ctx, second).headers == {"x-amz-checksum-sha256": "A" * 43 + "="}
    (free,) = await allocate_storage(ctx, FLOW, {})
    assert upload_request(ctx, free).headers == {}


@pytest.mark.parametrize(
    ("digests", "field", "rule"),
    [
        ([DIGEST], "sha256", "digest.count"),
        ([DIGEST] * 3, "sha256", "digest.count"),
        ([DIGEST, ""], "sha256.1", "digest.format"),
        ([DIGEST[:-1], DIGEST], "sha256.0", "digest.format"),
        ([DIGEST, "B" * 43 + "="], "sha256.1", "digest.format"),
        ([DIGEST, DIGEST + "\n"], "sha256.1", "digest.format"),
    ],
)
async def test_digests_fit_the_objects(
    ctx: Context, dump: Callable[[], Any], digests: list[str], field: str, rule: str
) -> None:
    await video_flow(ctx)
    before = await dump()
    with pytest.raises(InvalidInput) as refused:
        await allocate_storage(ctx, FLOW, {"limit": 2}, digests)
    assert only_problem(refused.value) == (field, rule)
    assert await dump() == before
