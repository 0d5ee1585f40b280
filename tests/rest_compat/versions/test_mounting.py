"""Each version under its prefix, the newest at the bare root, too; links stay where they are."""

import json
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from rest_compat.catalogue import RESOURCES
from rest_compat.version_parameters import parameters
from rest_compat.versions import NEWEST, SINCE_PATH, Version
from tests.rest_compat.conftest import PUBLIC_URL
from tests.rest_compat.official import find_official
from tests.rest_compat.stories import fill, put_flow, uuid4, video
from tests.rest_compat.test_methods import METHODS, NAMES
from tests.rest_compat.versions.world import each_version

EXTENSIONS = {"include_head_urls"}


@each_version
async def test_a_version_says_which_one_it_is(client: httpx.AsyncClient, version: Version) -> None:
    service = (await client.get(f"{version.prefix}/service")).json()
    assert service["api_version"] == version.name


async def test_the_bare_root_is_the_newest(client: httpx.AsyncClient) -> None:
    assert (await client.get("/service")).json()["api_version"] == NEWEST.name == "8.2"


@each_version
async def test_links_stay_within_the_prefix(client: httpx.AsyncClient, version: Version) -> None:
    for number in (1, 2):
        await put_flow(client, video(uuid4(number), uuid4(100)))
    first = await client.get(f"{version.prefix}/flows?limit=1")
    link = first.links["next"]["url"]
    assert link.startswith(f"{PUBLIC_URL}{version.prefix}/flows?")
    second = await client.get(link.removeprefix(PUBLIC_URL))
    assert {f["id"] for f in [*first.json(), *second.json()]} == {uuid4(1), uuid4(2)}
    assert "next" not in second.links


@each_version
async def test_paths_that_a_version_lacks_are_404(
    client: httpx.AsyncClient, live_flow: str, version: Version
) -> None:
    await fill(client, live_flow, 1)
    names = {"flowId": live_flow, "sourceId": uuid4(100), "objectId": "take-0", "name": "x"}
    names |= {"request-id": "y", "profileId": uuid4(105), "webhookId": uuid4(5)}
    for resource in RESOURCES:
        url = version.prefix + resource.path.format(**names)
        response = await client.request("PATCH", url)
        assert response.status_code == (405 if version.serves(resource.path) else 404), url


@pytest.mark.parametrize(
    "path", ["/v6.1/flows", "/v7.0", "/v7.0/nowhere", "/v7.0/flows/", "/v9.0/"]
)
async def test_other_prefixes_and_paths_are_404_in_json(
    client: httpx.AsyncClient, path: str
) -> None:
    response = await client.get(path)
    assert response.status_code == 404
    assert response.json()["details"][0]["field"] == "path"


async def test_a_method_that_a_path_lacks_is_405(client: httpx.AsyncClient) -> None:
    response = await client.delete("/v7.0/flows")
    assert (response.status_code, response.headers["allow"]) == (405, "GET, HEAD")


@each_version
async def test_methods_that_the_official_document_lacks_are_405(
    client: httpx.AsyncClient, version: Version
) -> None:
    for path, item in find_official(version.name).document["paths"].items():
        allowed = {name.upper() for name in item} - {"PARAMETERS"}
        for method in {*METHODS, "HEAD"} - allowed:
            response = await client.request(method, version.prefix + path.format(**NAMES))
            assert response.status_code == 405, (method, path)
            assert response.headers["allow"] == ", ".join(sorted(allowed))


async def test_object_ids_are_routed_from_the_raw_path(
    client: httpx.AsyncClient, live_flow: str
) -> None:
    await client.post(f"/flows/{live_flow}/storage", json={"object_ids": ["a/b %2F"]})
    await client.post(
        f"/flows/{live_flow}/segments", json={"object_id": "a/b %2F", "timerange": "[0:0_1:0)"}
    )
    found = await client.get("/v8.2/objects/a%2Fb%20%252F")
    assert (found.status_code, found.json()["id"]) == (200, "a/b %2F")


@pytest.mark.parametrize("name", ["a/b", "%2F", "\n", "a\nb", "ünï"])
async def test_tag_names_are_routed_from_the_raw_path(
    client: httpx.AsyncClient, live_flow: str, name: str
) -> None:
    url = f"/v7.0/flows/{live_flow}/tags/{quote(name, safe='')}"
    assert (await client.put(url, json="x")).status_code == 204
    assert (await client.get(url)).json() == "x"
    assert (await client.get(f"/flows/{live_flow}/tags")).json() == {name: "x"}


async def test_delete_refuses_parameters_that_its_version_lacks(
    client: httpx.AsyncClient, live_flow: str
) -> None:
    path = f"/flows/{live_flow}/segments"
    ignored = await client.get(f"/v6.0{path}?presigned=maybe")
    assert ignored.status_code == 200
    assert (await client.get(f"/v7.0{path}?presigned=maybe")).status_code == 400
    assert (await client.delete(f"/v6.0{path}?presigned=true")).status_code == 400


@each_version
def test_paths_are_those_of_the_official_document(version: Version) -> None:
    """Also of those that are not served yet: the table knows since when they exist."""
    newest = find_official().document["paths"]
    theirs = set(find_official(version.name).document["paths"])
    assert {path for path in newest if version.serves(path)} == theirs
    assert set(SINCE_PATH) <= set(newest)


@each_version
def test_parameters_are_those_of_the_official_document(version: Version) -> None:
    official = find_official(version.name)
    for resource in RESOURCES:
        if not version.serves(resource.path):
            continue
        for method, operation in resource.operations.items():
            known, _ = parameters(version, resource.path, operation.parameters)
            ours = {name for parameter in known for name in parameter.names} - EXTENSIONS
            theirs = _official_parameters(official.document, resource.path, method)
            assert ours == theirs, (method, resource.path)


def _official_parameters(document: Any, path: str, method: str) -> set[str]:
    resolved = json.loads(json.dumps(document["paths"][path][method.lower()]))
    listed = []
    for parameter in resolved.get("parameters", []):
        if "$ref" in parameter:
            name = parameter["$ref"].rpartition("/")[2]
            parameter = document["components"]["parameters"][name]  # noqa: PLW2901
        listed.append(parameter)
    return {parameter["name"] for parameter in listed if parameter["in"] == "query"}
