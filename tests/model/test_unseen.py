"""`Unseen` puts back what a client could not see, and nothing that it could."""

from dataclasses import replace
from typing import Any

import pytest

from tams_graphql.model.flow_input import flow_input
from tams_graphql.model.records import Flow
from tams_graphql.model.unseen import Unseen
from tams_graphql.timeline import NEVER

ID, SOURCE, A, B, C = (f"00000000-0000-4000-8000-00000000000{number}" for number in range(5))
BODY: dict[str, Any] = {
    "id": ID,
    "source_id": SOURCE,
    "format": "urn:x-nmos:format:audio",
    "codec": "audio/aac",
    "essence_parameters": {"sample_rate": 48000, "channels": 2},
}


def stored(profile_id: str | None = None, **changes: Any) -> Flow:
    """The flow of `BODY` with `changes`."""
    content = replace(flow_input({**BODY, **changes}).content, profile_id=profile_id)
    values = {name: getattr(content, name) for name in content.__slots__}
    return Flow(
        id=ID,
        incarnation="1",
        timeline_id="1",
        created_by=None,
        updated_by=None,
        metadata_version="1",
        created_us=0,
        metadata_updated_us=0,
        segments_updated_us=None,
        segment_count=0,
        covered_ns=0,
        timerange=NEVER,
        **values,
    )


def test_nothing_unseen_changes_nothing() -> None:
    body = {**BODY, "tags": {"a": "b"}, "flow_collection": [{"id": A, "role": ""}]}
    flow = stored(status="ingesting", flow_collection=[{"id": A}])
    assert Unseen().flow(body, flow) == body


def test_hidden_members_are_those_stored_whatever_was_sent() -> None:
    unseen = Unseen(members=frozenset({"status"}))
    assert unseen.flow(BODY, stored(status="ingesting")) == {**BODY, "status": "ingesting"}
    assert unseen.flow(BODY, stored()) == BODY


def test_the_body_itself_is_left_alone() -> None:
    body = {**BODY, "tags": {"a": "b,c"}}
    Unseen(joins_tags=True, members=frozenset({"status"})).flow(
        body, stored(status="ingesting", tags={"a": ["b", "c"]})
    )
    assert body == {**BODY, "tags": {"a": "b,c"}}


@pytest.mark.parametrize(
    ("change", "profile_id"),
    [
        ({"label": "new"}, None),
        ({"max_bit_rate": 5}, None),
        ({"codec": "audio/opus"}, ""),
        ({"avg_bit_rate": 5}, ""),
        ({"essence_parameters": {"sample_rate": 44100, "channels": 2}}, ""),
    ],
)
def test_new_technical_metadata_cut_the_link_to_a_profile(
    change: dict[str, Any], profile_id: str | None
) -> None:
    unseen = Unseen(cuts_profile=True, essence=frozenset({"init_segments"}))
    flow = stored(
        profile_id=A, essence_parameters={**BODY["essence_parameters"], "init_segments": True}
    )
    assert unseen.flow({**BODY, **change}, flow).get("profile_id") == profile_id
    unlinked = stored()
    assert "profile_id" not in unseen.flow({**BODY, **change}, unlinked)


def test_each_occurrence_of_a_member_keeps_its_own_role() -> None:
    flow = stored(flow_collection=[{"id": A}, {"id": A, "role": ""}, {"id": B}])
    given = [{"id": A, "role": ""}, {"id": A, "role": ""}, {"id": B, "role": "new"}]
    restored = Unseen(fills_roles=True).collection(given, flow)
    assert restored == [{"id": A}, {"id": A, "role": ""}, {"id": B, "role": "new"}]


@pytest.mark.parametrize(
    ("given", "woven"),
    [
        (None, [C, C]),
        ([], [C, C]),
        ([A, B], [C, A, B, C]),
        ([B, A], [C, B, C, A]),
        ([A], [C, A, C]),
        ([B], [C, B, C]),
    ],
)
def test_unseen_members_follow_the_one_they_followed(
    given: list[str] | None, woven: list[str]
) -> None:
    flow = stored(flow_collection=[{"id": one} for one in (C, A, B, C)])
    items = None if given is None else [{"id": one} for one in given]
    restored = Unseen(seen_members=frozenset({A, B})).collection(items, flow)
    assert [item["id"] for item in restored] == woven


@pytest.mark.parametrize("items", [5, "x", [5, None, {}], [{"id": 5, "role": ""}]])
def test_what_is_no_collection_is_left_to_the_model(items: Any) -> None:
    flow = stored(flow_collection=[{"id": A}])
    unseen = Unseen(fills_roles=True, seen_members=frozenset({A}))
    assert unseen.collection(items, flow) == items
    body = {**BODY, "tags": 5, "essence_parameters": items, "flow_collection": items}
    assert unseen.flow(body, flow) == body
