"""Refused segments: each alone, with a precise reason, and without a trace."""

from collections.abc import Callable
from typing import Any

import pytest

from tams_graphql.model.errors import Forbidden, InvalidInput, NotFound, Overlap, TooLarge
from tams_graphql.resolvers.context import Context
from tams_graphql.resolvers.flows import put_flow, set_flow_property
from tams_graphql.resolvers.segments import register_segments
from tests.resolvers.conftest import multi, uuid4
from tests.resolvers.segment_stories import (
    FLOW,
    OTHER,
    allocated,
    fmp4_flow,
    only_problem,
    post,
    recorded,
    registered,
    timeline,
    video_flow,
)

Dump = Callable[[], Any]


async def _refused(ctx: Context, *posts: Any, flow_id: str = FLOW) -> tuple[str, str]:
    """Field and rule of the only failure, which is that of the last post."""
    registration = await register_segments(ctx, flow_id, posts)
    (failed,) = registration.failed
    assert failed.index == len(posts) - 1
    return only_problem(failed.error)


URL = {"url": "https://mirror.example/o", "label": "mirror"}


@pytest.mark.parametrize(
    ("body", "field", "rule"),
    [
        ({"timerange": "[0:0_1:0)"}, "object_id", "required"),
        ({"object_id": "o"}, "timerange", "required"),
        (post("", "[0:0_1:0)"), "object_id", "object_id.empty"),
        (post("o" * 1025, "[0:0_1:0)"), "object_id", "object_id.too_long"),
        (post("o\x00", "[0:0_1:0)"), "object_id", "object_id.control_character"),
        (post("o", "[1:0_0:0)"), "timerange", "timerange.reversed"),
        (post("o", "0:0-1:0"), "timerange", "timerange.malformed"),
        (post("o", "()"), "timerange", "timerange.empty"),
        (post("o", "[1:0_1:0)"), "timerange", "timerange.empty"),
        (post("o", "_"), "timerange", "timerange.unbounded"),
        (post("o", "[0:0_"), "timerange", "timerange.unbounded"),
        (post("o", "(0:0_1:0)"), "timerange", "timerange.start_exclusive"),
        (post("o", "[0:0_9999999999:0)"), "timerange", "timestamp.out_of_range"),
        (post("o", "[0:0_9223372036:854775807]"), "timerange", "timestamp.out_of_range"),
        ({"object_id": "o", "timerange": 1}, "timerange", "type"),
        (post("o", "[0:0_1:0)", ts_offset=None), "ts_offset", "null"),
        (post("o", "[0:0_1:0)", ts_offset="1"), "ts_offset", "timestamp.malformed"),
        (
            post("o", "[-9000000000:0_0:0)", ts_offset="9000000000:0"),
            "ts_offset",
            "timestamp.out_of_range",
        ),
        (post("o", "[0:0_1:0)", last_duration="-0:1"), "last_duration", "minimum"),
        (post("o", "[0:0_1:0)", sample_count="3"), "sample_count", "type"),
        (post("o", "[0:0_1:0)", sample_offset=1.5), "sample_offset", "type"),
        (post("o", "[0:0_1:0)", key_frame_count=2**63), "key_frame_count", "integer.range"),
        (post("o", "[0:0_1:0)", object_timerange="_"), "object_timerange", "timerange.unbounded"),
        (
            post("o", "[0:0_1:0)", object_timerange="[0:0_0:5)"),
            "timerange",
            "timerange.outside_object",
        ),
        (
            post("o", "[0:0_1:0)", ts_offset="0:1", object_timerange="[0:0_1:0)"),
            "timerange",
            "timerange.outside_object",
        ),
        (post("o", "[0:0_1:0)", get_urls={}), "get_urls", "type"),
        (post("o", "[0:0_1:0)", get_urls=[{"label": "x"}]), "get_urls.0.url", "required"),
        (
            post("o", "[0:0_1:0)", get_urls=[{"url": "javascript://x/%0Aalert(1)", "label": "x"}]),
            "get_urls.0.url",
            "url.malformed",
        ),
        (
            post("o", "[0:0_1:0)", get_urls=[URL, URL]),
            "get_urls.1.label",
            "label.duplicate",
        ),
        (
            post("o", "[0:0_1:0)", get_urls=[URL | {"label": "disk"}]),
            "get_urls.0.label",
            "label.reserved",
        ),
        (post("o", "[0:0_1:0)", init_object_id="p"), "init_object_id", "init_object.unexpected"),
        (post("unknown", "[0:0_1:0)"), "object_id", "object.unknown"),
        (post("foreign", "[0:0_1:0)"), "object_id", "object.allocated_elsewhere"),
    ],
)
async def test_a_rule_is_named_and_nothing_changes(
    ctx: Context, dump: Dump, body: Any, field: str, rule: str
) -> None:
    await video_flow(ctx)
    await video_flow(ctx, OTHER)
    await allocated(ctx, "o", "p")
    await allocated(ctx, "foreign", flow_id=OTHER)
    before = await dump()
    assert await _refused(ctx, body) == (f"segments.0.{field}", rule)
    single = await register_segments(ctx, FLOW, [body], field_prefix="")
    assert only_problem(single.failed[0].error) == (field, rule)
    assert await dump() == before


async def test_what_is_no_object_fails_alone(ctx: Context) -> None:
    await video_flow(ctx)
    await allocated(ctx, "o")
    registration = await register_segments(
        ctx, FLOW, [1, {"object_id": 2, "timerange": "x"}, post("o", "[0:0_1:0)")]
    )
    assert [(one.index, one.object_id, one.timerange) for one in registration.failed] == [
        (0, "", None),
        (1, "", None),
    ]
    assert await timeline(ctx) == [("o", "[0:0_1:0)")]


@pytest.mark.parametrize(
    ("timerange", "in_the_way"),
    [
        ("[1:0_2:0)", "[1:0_2:0)"),
        ("[0:0_1:1)", "[1:0_2:0)"),
        ("[0:0_1:0]", "[1:0_2:0)"),
        ("[1:999999999]", "[1:0_2:0)"),
        ("[1:5_1:6)", "[1:0_2:0)"),
        ("[2:0_3:0)", "[2:0]"),
        ("[2:0]", "[2:0]"),
        ("[-9:0_9:0)", "[1:0_2:0)"),
    ],
)
async def test_an_overlap_names_the_segment_in_the_way(
    ctx: Context, dump: Dump, timerange: str, in_the_way: str
) -> None:
    await video_flow(ctx)
    await recorded(ctx, "[1:0_2:0)", "[2:0]")
    await allocated(ctx, "new")
    before = await dump()
    registration = await register_segments(ctx, FLOW, [post("new", timerange)])
    (failed,) = registration.failed
    assert isinstance(failed.error, Overlap)
    assert only_problem(failed.error) == ("segments.0.timerange", "overlap")
    assert failed.error.stored == in_the_way
    assert failed.error.object_id == {"[1:0_2:0)": "o0", "[2:0]": "o1"}[in_the_way]
    assert (failed.object_id, failed.timerange) == ("new", timerange)
    assert await dump() == before


async def test_good_items_are_stored_beside_bad_ones(ctx: Context) -> None:
    await video_flow(ctx)
    await allocated(ctx, "a", "b", "c")
    registration = await register_segments(
        ctx,
        FLOW,
        [
            post("a", "[0:0_2:0)"),
            post("b", "[1:0_3:0)"),
            post("c", "[2:0_3:0)"),
            post("a", "[0:0_2:0)", ts_offset="0:1"),
        ],
    )
    assert [(one.index, type(one.error)) for one in registration.failed] == [
        (1, Overlap),
        (3, Overlap),
    ]
    assert registration.registered["object_id"].to_pylist() == ["a", "c"]
    assert await timeline(ctx) == [("a", "[0:0_2:0)"), ("c", "[2:0_3:0)")]


async def test_a_refused_item_does_not_use_up_its_object(ctx: Context) -> None:
    await video_flow(ctx)
    await recorded(ctx, "[0:0_1:0)")
    await allocated(ctx, "a")
    registration = await register_segments(
        ctx, FLOW, [post("a", "[0:0_1:0)"), post("a", "[5:0_7:0)", key_frame_count=3)]
    )
    assert [one.index for one in registration.failed] == [0]
    assert await timeline(ctx) == [("o0", "[0:0_1:0)"), ("a", "[5:0_7:0)")]


@pytest.mark.parametrize(
    ("properties", "field", "rule"),
    [
        ({"key_frame_count": 1}, "key_frame_count", "object.changed"),
        ({"object_timerange": "[0:0_3:0)"}, "object_timerange", "object.changed"),
        ({"ts_offset": "0:0"}, "timerange", "timerange.outside_object"),
        (
            {"get_urls": [URL | {"url": "https://other.example/"}]},
            "get_urls.0.label",
            "label.taken",
        ),
    ],
)
async def test_reuse_leaves_the_object_as_it_is(
    ctx: Context, dump: Dump, properties: dict[str, Any], field: str, rule: str
) -> None:
    await video_flow(ctx)
    await allocated(ctx, "o")
    await registered(ctx, post("o", "[0:0_2:0)", key_frame_count=2, get_urls=[URL]))
    before = await dump()
    reuse = post("o", "[8:0_10:0)", ts_offset="8:0") | properties
    assert await _refused(ctx, reuse) == (f"segments.0.{field}", rule)
    assert await dump() == before
    same = {"key_frame_count": 2, "object_timerange": "[0:0_2:0)", "get_urls": [URL]}
    await registered(ctx, post("o", "[8:0_9:0)", ts_offset="8:0", **same))


async def test_media_and_init_objects_do_not_mix(ctx: Context, dump: Dump) -> None:
    await fmp4_flow(ctx)
    await allocated(ctx, "init", "o", "p")
    await registered(ctx, post("o", "[0:0_1:0)", init_object_id="init"))
    before = await dump()
    for bad, field in (
        (post("init", "[1:0_2:0)", init_object_id="p"), "object_id"),
        (post("p", "[1:0_2:0)", init_object_id="o"), "init_object_id"),
        (post("p", "[1:0_2:0)", init_object_id="p"), "init_object_id"),
    ):
        assert await _refused(ctx, bad) == (f"segments.0.{field}", "object.role")
    assert await dump() == before
    assert await _refused(
        ctx,
        post("p", "[1:0_2:0)", init_object_id="init"),
        post("p", "[2:0_3:0)", init_object_id="p"),
    ) == ("segments.1.init_object_id", "object.changed")


async def test_roles_hold_within_one_request(ctx: Context) -> None:
    await fmp4_flow(ctx)
    await allocated(ctx, "a", "b", "c")
    assert await _refused(
        ctx,
        post("a", "[0:0_1:0)", init_object_id="b"),
        post("b", "[1:0_2:0)", init_object_id="c"),
    ) == ("segments.1.object_id", "object.role")


async def test_init_objects_come_with_all_segments_or_none(ctx: Context) -> None:
    await fmp4_flow(ctx)
    await video_flow(ctx, OTHER)
    await allocated(ctx, "init", "o", "p")
    assert await _refused(ctx, post("o", "[0:0_1:0)")) == (
        "segments.0.init_object_id",
        "init_object.required",
    )
    assert await _refused(ctx, post("o", "[0:0_1:0)", init_object_id="none")) == (
        "segments.0.init_object_id",
        "object.unknown",
    )
    await registered(ctx, post("o", "[0:0_1:0)", init_object_id="init"))
    assert await _refused(ctx, post("o", "[0:0_1:0)"), flow_id=OTHER) == (
        "segments.0.init_object_id",
        "init_object.unexpected",
    )
    await recorded(ctx, "[0:0_1:0)", flow_id=OTHER, prefix="plain")
    assert await _refused(ctx, post("plain0", "[5:0_6:0)", ts_offset="5:0")) == (
        "segments.0.init_object_id",
        "init_object.required",
    )


async def test_the_flow_must_exist_be_writable_and_have_a_container(
    ctx: Context, dump: Dump
) -> None:
    with pytest.raises(NotFound):
        await register_segments(ctx, FLOW, [])
    await video_flow(ctx)
    await allocated(ctx, "o")
    await set_flow_property(ctx, FLOW, "read_only", True)
    await put_flow(ctx, OTHER, multi(OTHER, uuid4(101)))
    before = await dump()
    with pytest.raises(Forbidden):
        await register_segments(ctx, FLOW, [post("o", "[0:0_1:0)")])
    with pytest.raises(InvalidInput) as refused:
        await register_segments(ctx, OTHER, [post("o", "[0:0_1:0)")])
    assert only_problem(refused.value) == ("container", "flow.no_container")
    with pytest.raises(TooLarge):
        await register_segments(ctx, FLOW, [post("o", "[0:0_1:0)")] * 5001)
    assert await dump() == before
