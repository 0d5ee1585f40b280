"""A PUT of a flow is accepted if and only if the official schema accepts it.

Documented exceptions: beside a profile all technical metadata is refused, as the descriptions
say, not only what is complete; what uncompressed media needs is needed, as the descriptions say
(`WORDS`); a ``profile_id`` is a UUID or empty; a pattern's ``$`` is the end of the text and not of
its last line; and integers must fit 64 bits.
"""

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from referencing import Registry
from referencing.jsonschema import DRAFT202012

from tams_graphql.model.errors import InvalidInput
from tams_graphql.model.flow_input import flow_input
from tams_graphql.model.technical import technical_part

SPEC = Path(__file__).parents[3] / "shared" / "spec" / "8.2"
if not SPEC.is_dir():
    pytest.skip("the official schemas are not beside this checkout", allow_module_level=True)

BASE = "https://tams.invalid/"
REGISTRY: Registry[Any] = Registry().with_resources(
    (BASE + path.name, DRAFT202012.create_resource(json.loads(path.read_text())))
    for path in (SPEC / "schemas").glob("*.json")
)
SCHEMA = Draft202012Validator({"$ref": BASE + "flow-put.json"}, registry=REGISTRY)


def _of(kind: str, essence: dict[str, Any], **where: Any) -> dict[str, Any]:
    """What flows of a format that are like `where` need in their essence."""
    named = {"format": {"const": f"urn:x-nmos:format:{kind}"}, **where}
    condition = {"properties": named, "required": list(named)}
    return {"if": condition, "then": {"properties": {"essence_parameters": essence}}}


_RAW = {"required": ["bit_depth", "unc_parameters"]}
_PACKING = {"properties": {"unc_type": {"enum": ["YUYV", "UYVY", "AYUV", "v210", "v216"]}}}
_YUV = {"properties": {"unc_parameters": _PACKING}, "required": ["unc_parameters"]}
_CHROMA = {"required": ["horiz_chroma_subs", "vert_chroma_subs"]}
WORDS = Draft202012Validator(
    {
        "allOf": [
            _of("video", _RAW, codec={"const": "video/raw"}),
            _of("video", _CHROMA, essence_parameters=_YUV),
            _of("audio", _RAW, codec={"const": "audio/x-raw-int"}),
            _of(
                "audio",
                {**_RAW, "properties": {"bit_depth": {"enum": [32, 64]}}},
                codec={"const": "audio/x-raw-float"},
            ),
        ]
    }
)
EXAMPLES = [
    body
    for path in sorted((SPEC / "examples").glob("flow-*.json"))
    if isinstance(body := json.loads(path.read_text()), dict) and "source_id" in body
]
BODIES = [body for body in EXAMPLES if "profile_id" not in body]

UUID = "41d7f7eb-c48d-4513-9b37-17b418d26d7f"
VALUES: list[Any] = [
    None, True, False, 0, 1, 7, -1, 1.0, 0.0, 2.5, "", "x", "a/b", "a b/c", UUID, UUID.upper(),
    UUID.replace("-4", "-7"), "urn:x-nmos:format:video", "urn:x-nmos:format:multi", "BT709", "RGB",
    "planar", "progressive", "ingesting", "1_2", "()", "_", "[0:0_1:0)", "[1:0_0:0)", "nonsense",
    "video/raw", "audio/x-raw-int", "audio/x-raw-float", 32,
    [], [1], ["x"], [UUID], [{"id": UUID}], [{"id": UUID, "role": None}], {}, {"a": "b"},
    {"a": ["b", 1]}, {"numerator": 1}, {"numerator": 1, "denominator": 0}, {"unc_type": "planar"},
    {"unc_type": "UYVY"},
    {"mxf_container": {"package_uid": "urn:uuid:" + UUID.upper()}},
    {"mxf_container": {"package_uid": "urn:smpte:umid:" + ".".join(["0aF01234"] * 8)}},
    {"audio_track": {"channel_numbers": []}}, {"audio_track": {"channel_range": "0_1"}},
    {"profile": 1, "level": 2.0, "flags": 3, "more": None},
]  # fmt: skip
NAMES = sorted(
    {name for body in BODIES for name in [*body, *body.get("essence_parameters", {})]}
    | {"vfr", "init_segments", "status", "read_only", "max_bit_rate", "segment_duration",
       "container_mapping", "timerange", "collected_by", "metadata_version", "unheard_of",
       "avc_parameters", "track_index", "role"}
)  # fmt: skip


def valid(body: Any) -> bool:
    return SCHEMA.is_valid(body) and WORDS.is_valid(body)


def accepted(body: Any) -> bool:
    try:
        flow_input(body, {UUID: technical_part(BODIES[0])})
    except InvalidInput:
        return False
    return True


def places(value: Any) -> list[Any]:
    """All objects and lists within `value`, itself included."""
    found = [value] if isinstance(value, dict | list) else []
    parts = value.values() if isinstance(value, dict) else value
    for part in parts if found else ():
        found.extend(places(part))
    return found


@st.composite
def mutated(draw: st.DrawFn) -> Any:
    """An example with one to three properties changed, added or left out."""
    body = copy.deepcopy(draw(st.sampled_from(BODIES)))
    for _ in range(draw(st.integers(1, 3))):
        place = draw(st.sampled_from(places(body)))
        value = copy.deepcopy(draw(st.sampled_from(VALUES)))
        if isinstance(place, list):
            place.append(value)
        elif place and draw(st.booleans()):
            name = draw(st.sampled_from(sorted(place)))
            if draw(st.booleans()):
                del place[name]
            else:
                place[name] = value
        else:
            place[draw(st.sampled_from(NAMES))] = value
    return body


@pytest.mark.parametrize("body", BODIES, ids=lambda body: str(body.get("description")))
def test_every_example_is_accepted(body: dict[str, Any]) -> None:
    assert valid(body)
    assert accepted(body)


def test_there_are_examples_of_all_formats() -> None:
    assert len({body["format"] for body in BODIES}) == 5


@settings(max_examples=400, deadline=None)
@given(mutated())
def test_bodies_are_accepted_as_the_schema_accepts_them(body: Any) -> None:
    assert accepted(body) == valid(body)


@pytest.mark.parametrize("name", NAMES)
def test_every_property_takes_what_its_schema_takes(name: str) -> None:
    """Each property at the top, and within the essence, of a video flow."""
    video = next(body for body in BODIES if body["format"].endswith("video"))
    for value in VALUES:
        essence = {**video["essence_parameters"], name: value}
        for body in ({**video, name: value}, {**video, "essence_parameters": essence}):
            assert accepted(body) == valid(body), body


@pytest.mark.parametrize("profile_id", [UUID, "", None])
@pytest.mark.parametrize("members", [(), ("label", "max_bit_rate"), ("format", "codec")])
def test_profiles_are_accepted_as_the_schema_accepts_them(
    profile_id: str | None, members: tuple[str, ...]
) -> None:
    link = {} if profile_id is None else {"profile_id": profile_id}
    common = {"id": UUID, "source_id": UUID, "label": "x", "max_bit_rate": 1}
    for body in BODIES:
        named = {name: body[name] for name in members if name in body}
        for candidate in (common | named | link, {**body, **link}):
            beside = profile_id == UUID and bool(technical_part(candidate))
            expected = valid(candidate) and not beside
            assert accepted(candidate) == expected, candidate
