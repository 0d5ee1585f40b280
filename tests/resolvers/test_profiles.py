"""Profiles never change; what is made from one follows it until it says otherwise."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from tams_graphql.model.errors import Forbidden, InvalidInput, NotFound
from tams_graphql.model.records import Flow
from tams_graphql.model.technical import TECHNICAL, technical_part
from tams_graphql.model.vocabulary import ContentFormat
from tams_graphql.resolvers import flows, profiles
from tams_graphql.resolvers.context import Context
from tams_graphql.resolvers.filters import FlowFilter, ProfileFilter
from tams_graphql.resolvers.paging import PageRequest
from tams_graphql.resolvers.timeline import Clip, compose_flow
from tams_graphql.timeline import TimeRange
from tests.resolvers.conftest import audio, fresh, uuid4, video
from tests.resolvers.segment_stories import recorded

FLOW, SOURCE, PROFILE, OTHER = uuid4(1), uuid4(100), uuid4(700), uuid4(701)
AUDIO = technical_part(audio(FLOW, SOURCE, avg_bit_rate=128, segment_duration={"numerator": 2}))
VIDEO = technical_part(video(FLOW, SOURCE))


def profile(profile_id: str = PROFILE, **changes: Any) -> dict[str, Any]:
    return {"id": profile_id, "flow_metadata": AUDIO, **changes}


def made_from(profile_id: str, **changes: Any) -> dict[str, Any]:
    return {"id": FLOW, "source_id": SOURCE, "profile_id": profile_id, **changes}


async def create(ctx: Context, *bodies: dict[str, Any]) -> None:
    for body in bodies:
        await profiles.create_profile(ctx, body["id"], body)


async def put(ctx: Context, body: dict[str, Any]) -> Flow:
    return (await flows.put_flow(fresh(ctx), body["id"], body)).flow


async def refused(ctx: Context, body: dict[str, Any]) -> list[tuple[str, str]]:
    with pytest.raises(InvalidInput) as refusal:
        await put(ctx, body)
    return [(one.field, one.rule) for one in refusal.value.problems]


async def with_profile(ctx: Context, profile_id: str) -> list[str]:
    page = await flows.list_flows(ctx, FlowFilter(profile_id=profile_id), PageRequest(limit=9))
    return [flow.id for flow in page.items]


def technical(flow: Flow) -> dict[str, Any]:
    return {n: getattr(flow, n) for n in TECHNICAL if getattr(flow, n) is not None}


async def test_a_profile_is_what_it_was_made_as(ctx: Context) -> None:
    body = profile(label="aac", tags={"a": ["b"]}, created="2008-05-27T18:51:00Z")
    created = await profiles.create_profile(ctx, PROFILE, body)
    assert await profiles.get_profile(fresh(ctx), PROFILE) == created
    assert (created.label, created.tags, created.flow_metadata) == ("aac", {"a": ["b"]}, AUDIO)
    assert (created.created_by, created.created_us) == (ctx.principal.name, 1_700_000_001_000_000)
    named = await profiles.create_profile(ctx, OTHER, profile(OTHER, created_by="me"))
    assert named.created_by == "me"


async def test_a_profile_never_changes(ctx: Context, dump: Callable[[], Any]) -> None:
    await create(ctx, profile(label="aac"))
    before = await dump()
    for body in (profile(label="aac"), profile(tags={"a": "b"})):
        with pytest.raises(InvalidInput) as refusal:
            await profiles.create_profile(fresh(ctx), PROFILE, body)
        assert refusal.value.problems[0].rule == "profile.exists"
    with pytest.raises(NotFound):
        await profiles.create_profile(fresh(ctx), OTHER, profile())
    with pytest.raises(NotFound):
        await profiles.get_profile(fresh(ctx), OTHER)
    assert await dump() == before


async def test_of_two_at_once_one_is_made(ctx: Context) -> None:
    bodies = [profile(label=str(number)) for number in range(5)]
    done = await asyncio.gather(
        *(profiles.create_profile(fresh(ctx), PROFILE, body) for body in bodies),
        return_exceptions=True,
    )
    made = [one for one in done if not isinstance(one, BaseException)]
    assert len(made) == 1
    assert [type(one) for one in done if isinstance(one, BaseException)] == [InvalidInput] * 4
    assert await profiles.get_profile(fresh(ctx), PROFILE) == made[0]


async def test_the_listing_is_by_label_in_pages_and_filtered(ctx: Context) -> None:
    labels = ["b", None, "a", "a", None]
    bodies = [profile(uuid4(710 + n)) for n in range(len(labels))]
    for body, label in zip(bodies, labels, strict=True):
        await create(ctx, body if label is None else body | {"label": label})
    await create(ctx, profile(uuid4(720), label="v", flow_metadata=VIDEO))
    order = [uuid4(number) for number in (712, 713, 710, 720, 711, 714)]
    found: list[str] = []
    request = PageRequest(limit=2)
    while True:
        page = await profiles.list_profiles(ctx, ProfileFilter(), request)
        found += [one.id for one in page.items]
        if page.next_cursor is None:
            break
        request = PageRequest(limit=2, after=page.next_cursor)
    assert found == order
    for filters, expected in (
        (ProfileFilter(label="a"), order[:2]),
        (ProfileFilter(label="c"), []),
        (ProfileFilter(codec="video/h264"), [uuid4(720)]),
        (ProfileFilter(format=ContentFormat.VIDEO), [uuid4(720)]),
        (ProfileFilter(format=ContentFormat.VIDEO, codec="audio/aac"), []),
        (ProfileFilter(codec="audio/aac", label="b"), [uuid4(710)]),
    ):
        page = await profiles.list_profiles(ctx, filters, PageRequest(limit=9))
        assert [one.id for one in page.items] == expected
        assert await profiles.count_profiles(ctx, filters) == len(expected)


async def test_a_flow_takes_over_all_of_its_profile_and_nothing_else(ctx: Context) -> None:
    await create(ctx, profile(label="aac", description="d", tags={"a": "b"}))
    flow = await put(ctx, made_from(PROFILE, label="mine", max_bit_rate=9))
    assert (flow.profile_id, technical(flow)) == (PROFILE, AUDIO)
    assert (flow.label, flow.description, flow.tags, flow.max_bit_rate) == ("mine", None, {}, 9)
    assert await flows.get_flow(fresh(ctx), FLOW) == flow
    assert await with_profile(ctx, PROFILE) == [FLOW]
    assert await with_profile(ctx, OTHER) == []


async def test_the_same_again_changes_nothing(ctx: Context, dump: Callable[[], Any]) -> None:
    await create(ctx, profile())
    flow = await put(ctx, made_from(PROFILE, label="mine"))
    before = await dump()
    assert await put(ctx, made_from(PROFILE, label="mine")) == flow
    told = {"id": FLOW, "source_id": SOURCE, "label": "mine", **AUDIO}
    assert await put(ctx, told) == flow
    assert await dump() == before
    renamed = await put(ctx, made_from(PROFILE, label="other"))
    assert (renamed.label, renamed.profile_id, technical(renamed)) == ("other", PROFILE, AUDIO)
    assert renamed.metadata_version != flow.metadata_version


async def test_what_belies_the_profile_is_refused(ctx: Context, dump: Callable[[], Any]) -> None:
    await create(ctx, profile())
    await put(ctx, made_from(PROFILE))
    before = await dump()
    unknown = [("profile_id", "profile.unknown")]
    assert await refused(ctx, made_from(OTHER)) == unknown
    assert await refused(ctx, made_from(PROFILE, codec="audio/aac")) == [
        ("codec", "profile.override")
    ]
    changed = audio(FLOW, SOURCE, **AUDIO | {"codec": "audio/flac", "avg_bit_rate": 1})
    assert await refused(ctx, changed) == [
        ("codec", "profile.linked"),
        ("avg_bit_rate", "profile.linked"),
    ]
    with pytest.raises(InvalidInput, match="an empty profile_id"):
        await put(ctx, changed)
    assert await refused(ctx, made_from("")) == [("format", "required")]
    for value in (128, 129, None):
        with pytest.raises(InvalidInput) as refusal:
            await flows.set_flow_property(ctx, FLOW, "avg_bit_rate", value)
        assert refusal.value.problems[0].rule == "profile.linked"
        with pytest.raises(InvalidInput):
            await flows.update_flow(ctx, FLOW, {"avg_bit_rate": value, "label": "x"}, {})
    assert await dump() == before


async def test_an_empty_profile_id_unlinks(ctx: Context) -> None:
    await create(ctx, profile())
    await put(ctx, made_from(PROFILE))
    changed = audio(FLOW, SOURCE, profile_id="", codec="audio/flac")
    flow = await put(ctx, changed)
    assert (flow.profile_id, technical(flow)) == (None, technical_part(changed))
    assert await with_profile(ctx, PROFILE) == []
    assert await put(ctx, changed) == flow
    await flows.set_flow_property(ctx, FLOW, "avg_bit_rate", 5)


async def test_an_empty_profile_id_unlinks_what_else_stays_equal(ctx: Context) -> None:
    await create(ctx, profile())
    linked = await put(ctx, made_from(PROFILE))
    flow = await put(ctx, {"id": FLOW, "source_id": SOURCE, "profile_id": "", **AUDIO})
    assert (flow.profile_id, technical(flow)) == (None, AUDIO)
    assert flow.metadata_version != linked.metadata_version


async def test_a_bit_rate_that_is_not_there_can_be_removed(ctx: Context) -> None:
    await create(ctx, profile(flow_metadata=VIDEO))
    flow = await put(ctx, made_from(PROFILE))
    assert await flows.set_flow_property(fresh(ctx), FLOW, "avg_bit_rate", None) == flow


async def test_a_flow_can_change_to_a_profile_of_its_source(ctx: Context) -> None:
    await create(ctx, profile(), profile(OTHER, flow_metadata=AUDIO | {"avg_bit_rate": 64}))
    await put(ctx, audio(FLOW, SOURCE))
    assert (await put(ctx, made_from(PROFILE))).avg_bit_rate == 128
    flow = await put(ctx, made_from(OTHER))
    assert (flow.profile_id, flow.avg_bit_rate) == (OTHER, 64)
    assert await with_profile(ctx, PROFILE) == []
    assert await with_profile(ctx, OTHER) == [FLOW]


async def test_the_source_must_be_of_the_profiles_format(ctx: Context) -> None:
    await create(ctx, profile(flow_metadata=VIDEO))
    await put(ctx, audio(uuid4(2), SOURCE))
    assert (await refused(ctx, made_from(PROFILE)))[0][0] == "format"


async def test_read_only_flows_stay_linked(ctx: Context) -> None:
    await create(ctx, profile())
    await put(ctx, made_from(PROFILE, read_only=True))
    with pytest.raises(Forbidden):
        await put(ctx, {"id": FLOW, "source_id": SOURCE, "profile_id": "", **AUDIO})
    assert await with_profile(ctx, PROFILE) == [FLOW]


async def test_a_composition_can_be_made_from_a_profile(ctx: Context) -> None:
    await create(ctx, profile(flow_metadata=VIDEO))
    await put(ctx, video(uuid4(2), uuid4(200)))
    await recorded(ctx, "[0:0_1:0)", "[1:0_2:0)", flow_id=uuid4(2))
    clip = Clip(uuid4(2), TimeRange.parse("[0:0_1:0)"))
    flow = await compose_flow(ctx, FLOW, made_from(PROFILE), [clip], 0)
    assert (flow.profile_id, technical(flow), flow.segment_count) == (PROFILE, VIDEO, 1)


async def test_init_segments_stay_while_there_are_segments(
    ctx: Context, dump: Callable[[], Any]
) -> None:
    await put(ctx, video(FLOW, SOURCE))
    await recorded(ctx, "[0:0_1:0)")
    before = await dump()
    with_init = {**VIDEO["essence_parameters"], "init_segments": True}
    await create(ctx, profile(flow_metadata=VIDEO | {"essence_parameters": with_init}))
    added = await dump()
    fixed = [("essence_parameters.init_segments", "init_segments.fixed")]
    assert await refused(ctx, video(FLOW, SOURCE, essence_parameters=with_init)) == fixed
    assert await refused(ctx, made_from(PROFILE)) == fixed
    assert await refused(ctx, video(FLOW, uuid4(9), essence_parameters=with_init)) == fixed
    assert await dump() == added == before | {"profiles": added["profiles"]}
    said = {**VIDEO["essence_parameters"], "init_segments": False}
    flow = await put(ctx, video(FLOW, SOURCE, essence_parameters=said))
    assert flow.essence_parameters == said
