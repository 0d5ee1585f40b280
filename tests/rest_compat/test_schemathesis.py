"""Generated requests against the official document: no failure, no answer that it does not allow.

Valid and invalid data for every implemented operation, half of it on resources that exist.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest
import schemathesis
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.python import asgi
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
)

from rest_compat.catalogue import RESOURCES
from rest_compat.versions import VERSIONS, Version
from tests.rest_compat.bridge import Bridge, bridged
from tests.rest_compat.official import ALWAYS_POSSIBLE, Official, find_official
from tests.rest_compat.stories import fill, put_flow, uuid4, video

KNOWN = {
    "flowId": uuid4(1),
    "sourceId": uuid4(100),
    "objectId": "take-0",
    "name": "camera",
    "profileId": uuid4(700),
}
OPERATIONS = [
    (method, resource.path)
    for resource in RESOURCES
    for method in [*resource.operations, *(["HEAD"] if "GET" in resource.operations else [])]
]
CHECKS = [
    not_a_server_error,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]


@pytest.fixture
def bridge(tmp_path: Path) -> Iterator[Bridge]:
    with bridged(tmp_path) as bridge:
        bridge.run(_story(bridge))
        yield bridge


async def _story(bridge: Bridge) -> None:
    async with bridge.client() as client:
        await put_flow(client, video(KNOWN["flowId"], KNOWN["sourceId"], label="live"))
        await fill(client, KNOWN["flowId"], 3)
        still = {"frame_width": 64, "frame_height": 36}
        image = {"format": "urn:x-tam:format:image", "codec": "image/png"}
        profile = {
            "id": KNOWN["profileId"],
            "flow_metadata": {**image, "essence_parameters": still},
        }
        await client.post(f"/service/profiles/{profile['id']}", json=profile)
        for noun in (f"/flows/{KNOWN['flowId']}", f"/sources/{KNOWN['sourceId']}"):
            await client.put(f"{noun}/tags/camera", json="one")
            await client.put(f"{noun}/description", json="a story")


def _cases(operation: Any, path: str) -> st.SearchStrategy[Any]:
    known = {name: value for name, value in KNOWN.items() if f"{{{name}}}" in path}
    modes = [GenerationMode.POSITIVE]
    if operation.query or operation.body or known:
        modes.append(GenerationMode.NEGATIVE)
    strategies = [operation.as_strategy(generation_mode=mode) for mode in modes]
    if known and (operation.query or operation.body):
        strategies += [
            operation.as_strategy(generation_mode=mode, path_parameters=known) for mode in modes
        ]
    elif known:
        strategies.append(operation.as_strategy(path_parameters=known))
    return st.one_of(strategies)


def fuzz(
    bridge: Bridge, official: Official, operation_of: tuple[str, str], examples: int, prefix: str
) -> None:
    """Send `examples` generated requests to an operation below `prefix`."""
    method, path = operation_of
    schema = schemathesis.openapi.from_dict(official.implemented)
    operation = schema[path][method]
    documented = {
        int(status) for status in official.document["paths"][path][method.lower()]["responses"]
    }

    @hypothesis.settings(
        max_examples=examples,
        database=None,
        deadline=None,
        derandomize=True,
        phases=[hypothesis.Phase.generate],
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    @hypothesis.given(_cases(operation, path))
    def sound(case: Any) -> None:
        response = case.call(base_url=f"http://host{prefix}", session=client)
        assert response.status_code in documented | ALWAYS_POSSIBLE
        assert response.headers["content-type"] == ["application/json"]
        checks = CHECKS if method != "HEAD" else CHECKS[:1]
        case.validate_response(response, checks=checks)

    with asgi.get_client(bridge) as client:
        sound()


@pytest.mark.parametrize(("method", "path"), OPERATIONS, ids=[f"{m} {p}" for m, p in OPERATIONS])
def test_generated_requests(bridge: Bridge, official: Official, method: str, path: str) -> None:
    fuzz(bridge, official, (method, path), 5, "")


@pytest.mark.soak
@pytest.mark.parametrize(("method", "path"), OPERATIONS, ids=[f"{m} {p}" for m, p in OPERATIONS])
def test_many_generated_requests(
    bridge: Bridge, official: Official, method: str, path: str
) -> None:
    fuzz(bridge, official, (method, path), 250, "")


OLD_OPERATIONS = [
    (version, method, path)
    for version in VERSIONS[:-1]
    for method, path in OPERATIONS
    if version.serves(path)
]


@pytest.mark.soak
@pytest.mark.parametrize(
    ("version", "method", "path"),
    OLD_OPERATIONS,
    ids=[f"{v.name} {m} {p}" for v, m, p in OLD_OPERATIONS],
)
def test_generated_requests_of_older_versions(
    bridge: Bridge, version: Version, method: str, path: str
) -> None:
    fuzz(bridge, find_official(version.name), (method, path), 200, version.prefix)
