"""The body of a profile: as strict as the technical metadata of a flow."""

from typing import Any

import pytest

from tams_graphql.model.errors import InvalidInput
from tams_graphql.model.profile_input import profile_input

PROFILE = "329b98d6-adeb-418c-8eaf-eca14edc1706"
SIZE = {"frame_width": 1280, "frame_height": 720}
IMAGE = {
    "format": "urn:x-tam:format:image",
    "codec": "image/jpeg",
    "container": "image/jpeg",
    "essence_parameters": SIZE,
}


def body(**changes: Any) -> dict[str, Any]:
    return {"id": PROFILE, "flow_metadata": IMAGE, **changes}


def refused(given: Any) -> list[tuple[str, str]]:
    with pytest.raises(InvalidInput) as refusal:
        profile_input(given)
    return [(problem.field, problem.rule) for problem in refusal.value.problems]


def test_it_keeps_what_is_technical_and_nothing_else() -> None:
    metadata = {**IMAGE, "avg_bit_rate": 2479.0, "max_bit_rate": 3, "label": "x", "urn": "y"}
    given = profile_input(body(flow_metadata=metadata, created="2008-05-27T18:51:00Z", urn="z"))
    assert given.flow_metadata == {**IMAGE, "avg_bit_rate": 2479}
    assert (given.id, given.label, given.created_by, given.tags) == (PROFILE, None, None, {})


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"id": "x"}, [("id", "pattern")]),
        ({"label": None}, [("label", "null")]),
        ({"tags": {"a": 1}}, None),
        ({"flow_metadata": 3}, [("flow_metadata", "type")]),
        ({"flow_metadata": {}}, [("flow_metadata.format", "required")]),
        (
            {"flow_metadata": {"format": "urn:x-nmos:format:multi"}},
            [("flow_metadata.format", "enum")],
        ),
        (
            {"flow_metadata": {"format": "urn:x-nmos:format:data"}},
            [
                ("flow_metadata.codec", "required"),
                ("flow_metadata.essence_parameters", "required"),
            ],
        ),
        (
            {"flow_metadata": {**IMAGE, "codec": "jpeg"}},
            [("flow_metadata.codec", "pattern")],
        ),
        (
            {"flow_metadata": {**IMAGE, "format": "urn:x-nmos:format:video"}},
            [("flow_metadata.essence_parameters.frame_rate", "required")],
        ),
        (
            {"flow_metadata": {**IMAGE, "essence_parameters": {**SIZE, "vfr": True}}},
            [("flow_metadata.essence_parameters.vfr", "unknown")],
        ),
    ],
)
def test_each_problem_is_named(
    changes: dict[str, Any], expected: list[tuple[str, str]] | None
) -> None:
    problems = refused(body(**changes))
    if expected is None:
        assert {field.split(".")[0] for field, _ in problems} == set(changes)
    else:
        assert problems == expected


def test_flow_metadata_is_required() -> None:
    assert refused({"id": PROFILE}) == [("flow_metadata", "required")]
