"""What a PUT of a flow says, and how its problems are named."""

from dataclasses import replace
from typing import Any

import pytest

from tams_graphql.model.errors import InvalidInput
from tams_graphql.model.flow_input import flow_collection, flow_input
from tams_graphql.model.records import CollectionItem
from tams_graphql.model.vocabulary import ContentFormat, FlowStatus

FLOW = "41d7f7eb-c48d-4513-9b37-17b418d26d7f"
SOURCE = "6101df05-06bb-41b8-8af4-cf7cd33df209"


def video(**changes: Any) -> dict[str, Any]:
    essence = {"frame_width": 64, "frame_height": 36, "frame_rate": {"numerator": 25}}
    return {
        "id": FLOW,
        "source_id": SOURCE,
        "format": "urn:x-nmos:format:video",
        "codec": "video/h264",
        "essence_parameters": essence,
    } | changes


def refused(body: Any) -> list[tuple[str, str]]:
    with pytest.raises(InvalidInput) as refusal:
        flow_input(body)
    return [(problem.field, problem.rule) for problem in refusal.value.problems]


def test_content_is_kept_as_given_and_the_servers_properties_are_not() -> None:
    mapping = {"mp2ts_container": {"pid": 256.0, "extra": [True]}, "more": None}
    given = flow_input(
        video(
            status="ingesting",
            generation=0,
            tags={"a": ["x"]},
            segment_duration={"numerator": 6},
            container_mapping=mapping,
            flow_collection=[{"id": SOURCE, "role": "left"}],
            created_by="me",
            metadata_version="1",
            created="whenever",
            timerange="[0:0_1:0)",
            collected_by=[SOURCE],
            unheard_of=1,
        )
    )
    assert (given.id, given.created_by, given.updated_by) == (FLOW, "me", None)
    assert given.metadata_version == "1"
    content = given.content
    assert (content.format, content.status) == (ContentFormat.VIDEO, FlowStatus.INGESTING)
    assert content.segment_duration == {"numerator": 6}
    assert content.container_mapping == {
        "mp2ts_container": {"pid": 256, "extra": [True]},
        "more": None,
    }
    assert content.flow_collection == (CollectionItem(id=SOURCE, role="left"),)
    assert (content.tags, content.generation, content.read_only) == ({"a": ["x"]}, 0, None)


def test_tags_left_out_are_none_at_all() -> None:
    assert flow_input(video()).content.tags == {}
    assert flow_input(video()).content.flow_collection is None
    assert flow_input(video(flow_collection=[])).content.flow_collection == ()


def test_problems_name_the_property_within_the_body() -> None:
    essence = {"frame_width": 0, "frame_height": 36, "frame_rate": {}, "depth": 8}
    body = video(
        id="x",
        tags={"a": ["x", 1]},
        flow_collection=[{"id": SOURCE}, {}],
        essence_parameters=essence,
    )
    assert refused(body) == [
        ("id", "pattern"),
        ("tags.a", "type"),
        ("flow_collection.1.id", "required"),
        ("essence_parameters.frame_width", "minimum"),
        ("essence_parameters.frame_rate.numerator", "required"),
        ("essence_parameters.depth", "unknown"),
    ]


def test_a_fixed_rate_needs_a_frame_rate_and_a_variable_one_must_not_have_it() -> None:
    size = {"frame_width": 64, "frame_height": 36}
    field = "essence_parameters.frame_rate"
    assert refused(video(essence_parameters=size)) == [(field, "required")]
    assert refused(video(essence_parameters=size | {"vfr": False})) == [(field, "required")]
    both = size | {"vfr": True, "frame_rate": {"numerator": 25}}
    assert refused(video(essence_parameters=both)) == [(field, "forbidden")]
    assert flow_input(video(essence_parameters=size | {"vfr": True})).id == FLOW


DEPTH, PACKING = "essence_parameters.bit_depth", "essence_parameters.unc_parameters"
CHROMA = [
    ("essence_parameters.horiz_chroma_subs", "required"),
    ("essence_parameters.vert_chroma_subs", "required"),
]
SUBSAMPLED = {"horiz_chroma_subs": 2, "vert_chroma_subs": 1}


@pytest.mark.parametrize(
    ("codec", "given", "problems"),
    [
        ("video/raw", {}, [(DEPTH, "required"), (PACKING, "required")]),
        ("video/raw", {"bit_depth": 10}, [(PACKING, "required")]),
        ("video/raw", {"bit_depth": 8, "unc_parameters": {"unc_type": "RGB"}}, []),
        ("video/raw", {"bit_depth": 8, "unc_parameters": {"unc_type": "planar"}}, []),
        ("video/raw", {"bit_depth": 8, "unc_parameters": {"unc_type": "UYVY"}}, CHROMA),
        ("video/raw", {"bit_depth": 8, "unc_parameters": {"unc_type": "v210"}} | SUBSAMPLED, []),
        ("video/x", {"unc_parameters": {"unc_type": "AYUV"}, "vert_chroma_subs": 1}, CHROMA[:1]),
        ("video/h264", {}, []),
    ],
)
def test_uncompressed_video_says_how_it_is_packed(
    codec: str, given: dict[str, Any], problems: list[tuple[str, str]]
) -> None:
    essence = video()["essence_parameters"] | given
    body = video(codec=codec, essence_parameters=essence)
    if problems:
        assert refused(body) == problems
    else:
        assert flow_input(body).content.essence_parameters == essence


@pytest.mark.parametrize(
    ("codec", "given", "problems"),
    [
        ("audio/x-raw-int", {}, [(DEPTH, "required"), (PACKING, "required")]),
        ("audio/x-raw-float", {}, [(DEPTH, "required"), (PACKING, "required")]),
        ("audio/x-raw-int", {"bit_depth": 24, "unc_parameters": {"unc_type": "pairs"}}, []),
        ("audio/x-raw-float", {"bit_depth": 64, "unc_parameters": {"unc_type": "planar"}}, []),
        (
            "audio/x-raw-float",
            {"bit_depth": 24, "unc_parameters": {"unc_type": "planar"}},
            [(DEPTH, "enum")],
        ),
        ("audio/aac", {}, []),
    ],
)
def test_uncompressed_audio_says_how_its_channels_are_laid_out(
    codec: str, given: dict[str, Any], problems: list[tuple[str, str]]
) -> None:
    essence = {"sample_rate": 48000, "channels": 2, **given}
    sound = {"format": "urn:x-nmos:format:audio", "codec": codec, "essence_parameters": essence}
    body = video(**sound)
    if problems:
        assert refused(body) == problems
    else:
        assert flow_input(body).content.essence_parameters == essence


def test_an_unknown_format_is_told_as_such() -> None:
    assert refused(video(format="video")) == [("format", "enum")]
    assert refused({}) == [("format", "required")]
    assert refused([]) == [("body", "type")]


def test_each_format_has_its_own_essence() -> None:
    body = video(format="urn:x-nmos:format:multi")
    assert [rule for _, rule in refused(body)] == ["unknown"] * 3


TECHNICAL = {
    "format": "urn:x-nmos:format:audio",
    "codec": "audio/aac",
    "avg_bit_rate": 128,
    "essence_parameters": {"sample_rate": 48000, "channels": 2},
}


def test_a_profile_gives_all_of_the_technical_metadata() -> None:
    body = {"id": FLOW, "source_id": SOURCE, "profile_id": SOURCE, "label": "a"}
    given = flow_input(body, {SOURCE: TECHNICAL})
    told = flow_input({"id": FLOW, "source_id": SOURCE, "label": "a", **TECHNICAL})
    assert given.content.profile_id == SOURCE
    assert replace(given.content, profile_id=None) == told.content
    assert not given.unlinks
    assert "format" not in body


@pytest.mark.parametrize("name", sorted({*TECHNICAL, "container", "segment_duration"}))
def test_nothing_of_a_profile_can_be_overridden_even_by_what_it_says(name: str) -> None:
    body = {"id": FLOW, "source_id": SOURCE, "profile_id": SOURCE, name: TECHNICAL.get(name)}
    with pytest.raises(InvalidInput) as refusal:
        flow_input(body, {SOURCE: TECHNICAL})
    problems = [(one.field, one.rule) for one in refusal.value.problems]
    assert problems == [(name, "profile.override")]


def test_an_empty_profile_unlinks_and_needs_technical_metadata() -> None:
    given = flow_input(video(profile_id=""))
    assert (given.content.profile_id, given.unlinks) == (None, True)
    assert flow_input(video()).unlinks is False
    body = {"id": FLOW, "source_id": SOURCE, "profile_id": ""}
    assert refused(body) == [("format", "required")]


def test_profiles_that_are_not_known_do_not_exist() -> None:
    body = {"id": FLOW, "source_id": SOURCE, "profile_id": SOURCE}
    assert refused(body) == [("profile_id", "profile.unknown")]
    assert refused(video(profile_id="x")) == [("profile_id", "pattern")]
    assert refused(video(profile_id=None)) == [("profile_id", "type")]
    assert refused(video(profile_id=None)) == [("profile_id", "type")]


@pytest.mark.parametrize("name", ["id", "source_id", "codec", "container"])
def test_a_trailing_line_break_is_no_part_of_a_pattern(name: str) -> None:
    assert refused(video(container="video/mp4") | {name: video(container="a/b")[name] + "\n"}) == [
        (name, "pattern")
    ]


def test_a_collection_alone_is_read_the_same_way() -> None:
    assert flow_collection([{"id": SOURCE, "other": 1}]) == (CollectionItem(id=SOURCE),)
    with pytest.raises(InvalidInput) as refusal:
        flow_collection([{"id": SOURCE, "role": None}, {"id": SOURCE.upper()}])
    assert [(p.field, p.rule) for p in refusal.value.problems] == [
        ("flow_collection.0.role", "null"),
        ("flow_collection.1.id", "pattern"),
    ]
    with pytest.raises(InvalidInput):
        flow_collection({"id": SOURCE})
