"""Putting and changing flows: what is kept, what is renewed, what is refused."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest

from tams_graphql.model.errors import Forbidden, InvalidInput, MediaStoreError, NotFound
from tams_graphql.model.records import CollectionItem, Flow
from tams_graphql.model.vocabulary import ContentFormat, FlowStatus
from tams_graphql.resolvers.context import Context, Principal
from tams_graphql.resolvers.filters import SourceFilter
from tams_graphql.resolvers.flows import (
    get_flow,
    put_flow,
    set_flow_property,
    set_flow_tag,
)
from tams_graphql.resolvers.sources import count_sources, get_source
from tams_graphql.timeline import NEVER
from tests.resolvers.conftest import Clock, audio, fresh, multi, uuid4, video

FLOW, SOURCE = uuid4(1), uuid4(101)
FULL = video(
    FLOW,
    SOURCE,
    label="camera",
    description="left of the stage",
    tags={"place": ["stage", "left"], "empty": [], "owner": "news"},
    generation=0,
    status="ingesting",
    read_only=False,
    max_bit_rate=9000,
    avg_bit_rate=5000,
    segment_duration={"numerator": 6},
    container_mapping={"mp2ts_container": {"pid": 256}},
    flow_collection=[],
)

Dump = Callable[[], Awaitable[Any]]


async def test_a_new_flow_is_what_was_put_and_what_the_server_adds(
    ctx: Context, clock: Clock
) -> None:
    ctx.principal = Principal("ann")
    put = await put_flow(ctx, FLOW, FULL)
    assert put.created
    assert put.flow == Flow(
        id=FLOW,
        timeline_id=put.flow.timeline_id,
        incarnation=put.flow.incarnation,
        source_id=SOURCE,
        format=ContentFormat.VIDEO,
        codec="video/h264",
        container="video/mp2t",
        label="camera",
        description="left of the stage",
        status=FlowStatus.INGESTING,
        created_by="ann",
        updated_by="ann",
        metadata_version=put.flow.metadata_version,
        generation=0,
        profile_id=None,
        read_only=False,
        max_bit_rate=9000,
        avg_bit_rate=5000,
        segment_duration={"numerator": 6},
        container_mapping={"mp2ts_container": {"pid": 256}},
        essence_parameters=FULL["essence_parameters"],
        flow_collection=(),
        tags={"place": ["stage", "left"], "empty": [], "owner": "news"},
        created_us=clock.now_us,
        metadata_updated_us=clock.now_us,
        segments_updated_us=None,
        segment_count=0,
        covered_ns=0,
        timerange=NEVER,
    )
    assert await get_flow(ctx, FLOW) == put.flow


async def test_a_source_comes_with_its_first_flow(ctx: Context, clock: Clock) -> None:
    await put_flow(ctx, FLOW, FULL | {"created_by": "bob"})
    source = await get_source(ctx, SOURCE)
    assert (source.format, source.label, source.tags) == (ContentFormat.VIDEO, None, {})
    assert (source.created_by, source.created_us) == ("bob", clock.now_us)
    await put_flow(ctx, uuid4(2), video(uuid4(2), SOURCE))
    assert await get_source(fresh(ctx), SOURCE) == source
    assert await count_sources(ctx, SourceFilter()) == 1


async def test_clients_may_name_creator_and_version_of_a_new_flow(ctx: Context) -> None:
    named = {"created_by": "x", "updated_by": "y", "metadata_version": "v1"}
    flow = (await put_flow(ctx, FLOW, FULL | named)).flow
    assert (flow.created_by, flow.updated_by, flow.metadata_version) == ("x", "y", "v1")


async def test_the_servers_properties_are_ignored_in_a_body(ctx: Context) -> None:
    servers = {
        "created": "1970-01-01T00:00:00Z",
        "metadata_updated": "1970-01-01T00:00:00Z",
        "segments_updated": "1970-01-01T00:00:00Z",
        "timerange": "[0:0_10:0)",
        "collected_by": [uuid4(9)],
    }
    flow = (await put_flow(ctx, FLOW, FULL | servers)).flow
    assert (await put_flow(ctx, FLOW, FULL)).flow == flow
    assert flow.timerange == NEVER


@pytest.mark.parametrize("same", [{}, {"created_by": "anonymous", "updated_by": "anonymous"}])
async def test_an_equal_body_changes_nothing(
    ctx: Context, dump: Dump, same: dict[str, Any]
) -> None:
    flow = (await put_flow(ctx, FLOW, FULL)).flow
    before = await dump()
    again = await put_flow(ctx, FLOW, FULL | same | {"metadata_version": flow.metadata_version})
    assert (again.flow, again.created) == (flow, False)
    assert await dump() == before


async def test_a_change_renews_version_time_and_updater_only(ctx: Context, clock: Clock) -> None:
    before = (await put_flow(ctx, FLOW, FULL | {"updated_by": "first"})).flow
    ctx.principal = Principal("ann")
    put = await put_flow(ctx, FLOW, FULL | {"label": "stage", "updated_by": "first"})
    assert not put.created
    assert put.flow.metadata_version != before.metadata_version
    assert put.flow == replace(
        before,
        label="stage",
        updated_by="ann",
        metadata_version=put.flow.metadata_version,
        metadata_updated_us=clock.now_us,
    )
    assert await get_flow(ctx, FLOW) == put.flow


async def test_a_version_and_updater_of_the_clients_own_are_taken(ctx: Context) -> None:
    await put_flow(ctx, FLOW, FULL)
    flow = (await put_flow(ctx, FLOW, FULL | {"metadata_version": "v2", "updated_by": "z"})).flow
    assert (flow.metadata_version, flow.updated_by) == ("v2", "z")


async def test_what_a_body_leaves_out_is_unset(ctx: Context) -> None:
    created = (await put_flow(ctx, FLOW, FULL)).flow
    flow = (await put_flow(ctx, FLOW, video(FLOW, SOURCE))).flow
    assert (flow.label, flow.status, flow.generation, flow.max_bit_rate) == (None,) * 4
    assert (flow.segment_duration, flow.container_mapping, flow.flow_collection) == (None,) * 3
    assert (flow.tags, flow.created_by) == ({}, created.created_by)
    assert await get_flow(fresh(ctx), FLOW) == flow


async def test_numbers_and_flags_are_told_apart(ctx: Context) -> None:
    body = video(FLOW, SOURCE, container_mapping={"vendor": 1})
    first = (await put_flow(ctx, FLOW, body)).flow
    second = (await put_flow(ctx, FLOW, body | {"container_mapping": {"vendor": True}})).flow
    assert second.container_mapping == {"vendor": True}
    assert second.metadata_version != first.metadata_version


async def refused(
    call: Awaitable[object], kind: type[MediaStoreError], field: str, rule: str
) -> None:
    with pytest.raises(kind) as refusal:
        await call
    assert [(p.field, p.rule) for p in refusal.value.problems] == [(field, rule)]


async def test_refusals_of_a_put_change_nothing(ctx: Context, dump: Dump) -> None:
    await put_flow(ctx, FLOW, FULL)
    before = await dump()
    other = uuid4(2)
    await refused(put_flow(ctx, other, FULL), NotFound, "flow", "not_found")
    await refused(put_flow(ctx, "no-uuid", FULL), NotFound, "flow", "not_found")
    await refused(put_flow(ctx, FLOW[:-1] + "F", FULL), NotFound, "flow", "not_found")
    mismatch = audio(other, SOURCE)
    await refused(put_flow(ctx, other, mismatch), InvalidInput, "format", "source.format")
    await refused(put_flow(ctx, FLOW, audio(FLOW, SOURCE)), InvalidInput, "format", "source.format")
    missing = multi(other, uuid4(102), FLOW, uuid4(77))
    await refused(put_flow(ctx, other, missing), InvalidInput, "flow_collection.1.id", "not_found")
    itself = multi(other, uuid4(102), FLOW, other)
    await refused(put_flow(ctx, other, itself), InvalidInput, "flow_collection.1.id", "cycle")
    await refused(put_flow(ctx, FLOW, FULL | {"label": None}), InvalidInput, "label", "null")
    assert await dump() == before


async def test_a_flow_may_move_to_another_source(ctx: Context) -> None:
    await put_flow(ctx, FLOW, FULL)
    await put_flow(ctx, uuid4(3), multi(uuid4(3), uuid4(103), FLOW))
    flow = (await put_flow(ctx, FLOW, FULL | {"source_id": uuid4(102)})).flow
    assert flow.source_id == uuid4(102)
    with pytest.raises(NotFound):
        await get_source(fresh(ctx), SOURCE)
    assert (await get_source(ctx, uuid4(102))).format is ContentFormat.VIDEO


async def test_a_flow_without_segments_may_change_format_with_its_source(ctx: Context) -> None:
    await put_flow(ctx, FLOW, FULL)
    flow = (await put_flow(ctx, FLOW, audio(FLOW, uuid4(102)))).flow
    assert (flow.format, flow.source_id) == (ContentFormat.AUDIO, uuid4(102))


async def test_a_read_only_flow_only_takes_its_read_only_property(ctx: Context, dump: Dump) -> None:
    await put_flow(ctx, FLOW, FULL | {"read_only": True})
    before = await dump()
    locked = FULL | {"read_only": True}
    for call in (
        put_flow(ctx, FLOW, locked | {"label": "x"}),
        put_flow(ctx, FLOW, FULL | {"label": "x"}),
        put_flow(ctx, FLOW, locked | {"metadata_version": "x"}),
        set_flow_property(ctx, FLOW, "label", "x"),
        set_flow_property(ctx, FLOW, "flow_collection", None),
        set_flow_tag(ctx, FLOW, "owner", "x"),
        set_flow_tag(ctx, FLOW, "owner", None),
    ):
        await refused(call, Forbidden, "read_only", "read_only")
    assert await dump() == before
    assert not (await put_flow(ctx, FLOW, locked)).created
    assert await dump() == before
    assert (await put_flow(ctx, FLOW, FULL)).flow.read_only is False
    assert (await set_flow_property(ctx, FLOW, "read_only", True)).read_only is True
    assert (await set_flow_property(ctx, FLOW, "read_only", False)).read_only is False


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("label", "new"),
        ("label", ""),
        ("description", "new"),
        ("max_bit_rate", 0),
        ("avg_bit_rate", 7),
        ("read_only", True),
    ],
)
async def test_a_property_is_set_alone_and_removed(
    ctx: Context, dump: Dump, name: str, value: Any
) -> None:
    before = (await put_flow(ctx, FLOW, FULL)).flow
    after = await set_flow_property(ctx, FLOW, name, value)
    assert getattr(after, name) == value
    assert after.metadata_version != before.metadata_version
    assert after.metadata_updated_us > before.metadata_updated_us
    assert await get_flow(ctx, FLOW) == after
    stored = await dump()
    assert await set_flow_property(ctx, FLOW, name, value) == after
    assert await dump() == stored
    await set_flow_property(ctx, FLOW, "read_only", False)
    removed = await set_flow_property(ctx, FLOW, name, None)
    assert getattr(removed, name) is None
    stored = await dump()
    assert await set_flow_property(ctx, FLOW, name, None) == removed
    assert await dump() == stored


@pytest.mark.parametrize(
    ("name", "value", "rule"),
    [
        ("label", 1, "type"),
        ("description", ["x"], "type"),
        ("read_only", "true", "type"),
        ("read_only", 1, "type"),
        ("max_bit_rate", -1, "minimum"),
        ("avg_bit_rate", 1.5, "type"),
        ("avg_bit_rate", True, "type"),
        ("flow_collection", {}, "type"),
        ("codec", "video/h265", "unknown"),
    ],
)
async def test_a_property_of_the_wrong_kind_is_refused(
    ctx: Context, dump: Dump, name: str, value: Any, rule: str
) -> None:
    await put_flow(ctx, FLOW, FULL)
    before = await dump()
    await refused(set_flow_property(ctx, FLOW, name, value), InvalidInput, name, rule)
    assert await dump() == before


async def test_a_collection_is_set_alone(ctx: Context, dump: Dump) -> None:
    await put_flow(ctx, FLOW, FULL)
    await put_flow(ctx, uuid4(2), multi(uuid4(2), uuid4(102)))
    items = [{"id": FLOW, "role": "picture", "container_mapping": {"track_index": 1.0}}]
    flow = await set_flow_property(ctx, uuid4(2), "flow_collection", items)
    item = CollectionItem(id=FLOW, role="picture", container_mapping={"track_index": 1})
    assert flow.flow_collection == (item,)
    assert [row["role"] for row in (await dump())["collections"]] == ["picture"]
    assert (await set_flow_property(ctx, uuid4(2), "flow_collection", None)).flow_collection is None
    assert (await dump())["collections"] == []


async def test_tags_are_set_and_removed_one_at_a_time(ctx: Context, dump: Dump) -> None:
    await put_flow(ctx, FLOW, video(FLOW, SOURCE, tags={"a": "1"}))
    await set_flow_tag(ctx, FLOW, "a", ["1", "2", "1"])
    await set_flow_tag(ctx, FLOW, "päth/ ,", "")
    flow = await set_flow_tag(ctx, FLOW, "none", [])
    assert flow.tags == {"a": ["1", "2", "1"], "päth/ ,": "", "none": []}
    rows = [(row["name"], row["value"]) for row in (await dump())["tags"]]
    assert sorted(rows) == [("a", "1"), ("a", "2"), ("none", ""), ("päth/ ,", "")]
    assert (await set_flow_tag(ctx, FLOW, "a", None)).tags == {"päth/ ,": "", "none": []}
    stored = await dump()
    await refused(set_flow_tag(ctx, FLOW, "a", None), NotFound, "tag", "not_found")
    for value in (1, {"x": "y"}, ["x", 1], [None]):
        bad: Any = value
        await refused(set_flow_tag(ctx, FLOW, "b", bad), InvalidInput, "tags.b", "type")
    assert await dump() == stored


async def test_tags_can_not_outgrow_their_cell_bit_by_bit(ctx: Context) -> None:
    await put_flow(ctx, FLOW, video(FLOW, SOURCE))
    await set_flow_tag(ctx, FLOW, "a", "x" * 60_000)
    await refused(set_flow_tag(ctx, FLOW, "b", "x" * 60_000), InvalidInput, "tags", "size")


async def test_everything_under_an_unknown_flow_is_not_found(ctx: Context) -> None:
    for flow_id in (FLOW, "malformed"):
        for call in (
            get_flow(ctx, flow_id),
            set_flow_property(ctx, flow_id, "label", "x"),
            set_flow_tag(ctx, flow_id, "a", "x"),
        ):
            await refused(call, NotFound, "flow", "not_found")
