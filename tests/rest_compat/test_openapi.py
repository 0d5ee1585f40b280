"""The published contract: committed, complete, and closed over its references."""

import json
import re
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
from jsonschema import Draft202012Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from rest_compat.catalogue import RESOURCES
from rest_compat.openapi import openapi_document
from rest_compat.schemas import COMPONENTS
from tests.rest_compat.official import Official
from tests.rest_compat.stories import fill, video

COMMITTED = Path(__file__).parents[2] / "schema" / "openapi.json"


def test_the_committed_contract_is_the_generated_one() -> None:
    text = json.dumps(openapi_document(), indent=2, ensure_ascii=False) + "\n"
    if COMMITTED.read_text() != text:  # pytest's own diff of so long a text takes minutes
        pytest.fail(f"{COMMITTED.name} differs from the code: run `make schema`")


async def test_it_is_served(client: httpx.AsyncClient) -> None:
    response = await client.get("/openapi.json")
    assert response.json().keys() == openapi_document().keys()
    served_alike = response.content == orjson.dumps(openapi_document())
    assert served_alike
    assert response.headers["content-type"] == "application/json"
    head = await client.head("/openapi.json")
    assert (head.content, head.headers) == (b"", response.headers)


def test_every_operation_is_described_once() -> None:
    paths = openapi_document()["paths"]
    described = {(p, m.upper()) for p, item in paths.items() for m in item if m != "parameters"}
    served = {(r.path, m) for r in RESOURCES for m in r.operations}
    assert described == served | {(p, "HEAD") for p, m in served if m == "GET"}
    ids = [o["operationId"] for i in paths.values() for m, o in i.items() if m != "parameters"]
    assert len(ids) == len(set(ids))


def _references(value: Any) -> set[str]:
    return set(re.findall(r'"\$ref": "([^"]*)"', json.dumps(value)))


def test_every_reference_leads_somewhere() -> None:
    document = openapi_document()
    for reference in _references(document):
        target: Any = document
        for part in reference.removeprefix("#/").split("/"):
            target = target[part]
        assert target


def test_every_schema_is_one() -> None:
    for schema in COMPONENTS.values():
        Draft202012Validator.check_schema(schema)


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("/service", ""),
        ("/service/storage-backends", ""),
        ("/service/profiles", ""),
        ("/sources", ""),
        ("/flows", ""),
        ("/flows/{flowId}", "?include_timerange=true"),
        ("/flows/{flowId}/segments", "?verbose_storage=true&include_object_timerange=true"),
        ("/objects/{objectId}", "?verbose_storage=true"),
        ("/flows/{flowId}/max_bit_rate", ""),
    ],
)
async def test_answers_are_what_it_says(
    client: httpx.AsyncClient, live_flow: str, path: str, query: str
) -> None:
    await fill(client, live_flow, 2)
    document = openapi_document()
    response = await client.get(path.format(flowId=live_flow, objectId="take-1") + query)
    told = document["paths"][path]["get"]["responses"]
    schema = told["200"]["content"]["application/json"]["schema"]
    if response.status_code == 404:
        schema = document["components"]["schemas"]["error"]
    uri = "urn:ours"
    resource = Resource.from_contents(document, default_specification=DRAFT202012)
    absolute = json.loads(json.dumps(schema).replace('"#/', f'"{uri}#/'))
    registry: Registry[Any] = Registry().with_resource(uri, resource)
    Draft202012Validator(absolute, registry=registry).validate(response.json())


def test_the_flow_schema_tells_right_from_wrong() -> None:
    document = {"$ref": "#/components/schemas/flow-put", **openapi_document()}
    validator = Draft202012Validator(document)
    good = video("4f79cfd1-c057-47f4-8e4d-1b126ca7bf34", "4f79cfd1-c057-47f4-8e4d-1b126ca7bf35")
    assert validator.is_valid(good)
    assert not validator.is_valid({**good, "codec": "h264"})
    assert not validator.is_valid({**good, "label": None})
    assert not validator.is_valid({**good, "format": "video"})


EXTENSIONS = {"include_head_urls"}


def test_parameters_have_the_official_names(official: Official) -> None:
    """Everything the official document offers is offered, and beyond it only what we added."""
    ours = openapi_document()["paths"]
    for path, item in official.implemented["paths"].items():
        for method in item.keys() - {"parameters"}:
            names = _names(ours[path][method])
            added = EXTENSIONS if "accept_get_urls" in names else set()
            assert names == _official_names(official, item[method]) | added, path


def _names(operation: dict[str, Any]) -> set[str]:
    return {p["name"] for p in operation.get("parameters", [])}


def _official_names(official: Official, operation: dict[str, Any]) -> set[str]:
    shared = official.document["components"]["parameters"]
    listed = [
        shared[p["$ref"].rpartition("/")[2]] if "$ref" in p else p
        for p in operation.get("parameters", [])
    ]
    return {p["name"] for p in listed if p["in"] == "query"}
