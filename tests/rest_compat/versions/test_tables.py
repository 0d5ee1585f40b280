"""The tables of differences are those of the official documents, and the documentation's."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rest_compat.compatibility import compatibility_table
from rest_compat.versions import (
    DIFFERENCES,
    NEWEST,
    OPERATIONS,
    SINCE_MEMBER,
    SINCE_PARAMETER,
    VERSIONS,
    Version,
)
from tams_graphql.resolvers.service import API_VERSION
from tests.rest_compat.official import find_official
from tests.rest_compat.versions.world import each_version

COMMITTED = Path(__file__).parents[3] / "docs" / "rest-compat.md"
METHODS = {"get", "head", "put", "post", "delete"}
# Where each kind of the table is declared: a component, and properties on the way.
WHERE: dict[str, tuple[str, ...]] = {
    "service": ("service",),
    "flow": ("flow-get flow",),
    "essence": ("flow-video", "essence_parameters"),
    "segment": ("flow-segment",),
    "segment_post": ("flow-segment-post flow-segment",),
    "url": ("flow-segment", "get_urls"),
    "object": ("object",),
    "storage_backend": ("storage-backend",),
    "storage_answer": ("flow-storage", "media_objects"),
    "storage_post": ("flow-storage-post",),
    "webhook": ("webhook-get webhook",),
}


def test_the_documentation_is_the_generated_one() -> None:
    if COMMITTED.read_text() != compatibility_table():
        pytest.fail(f"{COMMITTED.name} differs from the code: run `make schema`")


def test_its_links_lead_somewhere() -> None:
    page = compatibility_table()
    titles = re.findall(r"^### (.*)$", page, re.MULTILINE)
    anchors = {title.lower().replace(" ", "-") for title in titles}
    assert anchors == {name.replace("_", "-") for name in DIFFERENCES}
    assert set(re.findall(r"\(#([^)]*)\)", page)) <= anchors


def test_the_newest_lacks_nothing_and_is_what_the_service_says() -> None:
    assert NEWEST.name == API_VERSION
    assert NEWEST.differences == frozenset()
    assert set(NEWEST.unknown.values()) == {frozenset()}


@each_version
def test_the_operations_are_counted_right(version: Version) -> None:
    paths = find_official(version.name).document["paths"]
    assert OPERATIONS[version.name] == sum(len(METHODS & item.keys()) for item in paths.values())


def test_parameters_are_those_of_paths_that_exist() -> None:
    paths = find_official().document["paths"]
    assert {path for path, _ in SINCE_PARAMETER} <= set(paths)


@pytest.mark.parametrize("kind", SINCE_MEMBER)
def test_members_came_when_the_official_schemas_have_them(kind: str) -> None:
    declared = {v.name: _declared(find_official(v.name).document, *WHERE[kind]) for v in VERSIONS}
    with_any = [v for v in VERSIONS if declared[v.name]]
    for member, since in SINCE_MEMBER[kind].items():
        first = next(v.name for v in with_any if member in declared[v.name])
        assert first == since, member
    later = declared[NEWEST.name] - declared[with_any[0].name]
    assert later == set(SINCE_MEMBER[kind])


def _declared(document: Any, names: str, *inside: str) -> set[str]:
    """The properties of the first of the components `names` that exists, or of one `inside` it."""
    schemas = document["components"]["schemas"]
    name = next((one for one in names.split() if one in schemas), None)
    parts = list(_parts(document, schemas[name])) if name else []
    for step in inside:
        found = [part["properties"][step] for part in parts if step in part.get("properties", {})]
        parts = [part for one in found for part in _parts(document, one.get("items", one))]
    return {member for part in parts for member in part.get("properties", {})}


def _parts(document: Any, schema: Any) -> Iterator[Any]:
    """A schema and all that it is put together from."""
    if "$ref" in schema:
        yield from _parts(
            document, document["components"]["schemas"][schema["$ref"].split("/")[-1]]
        )
        return
    yield schema
    for word in ("allOf", "anyOf", "oneOf"):
        for part in schema.get(word, ()):
            yield from _parts(document, part)
