"""Instances of an object that is only at URLs which this service does not control."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tests.rest_compat.conftest import ARCHIVE, DISK
from tests.rest_compat.official import Official
from tests.rest_compat.stories import register, seconds

PATH = "/objects/elsewhere/instances"
URL = {"url": "http://169.254.169.254/secret", "label": "elsewhere"}


@pytest.fixture
async def elsewhere(client: httpx.AsyncClient, live_flow: str) -> httpx.AsyncClient:
    """The client of a store with such an object."""
    post = {"object_id": "elsewhere", "timerange": seconds(0, 1), "get_urls": [URL]}
    await register(client, live_flow, post)
    return client


@pytest.mark.parametrize("storage_id", [DISK, ARCHIVE])
async def test_nothing_is_fetched_from_there(
    elsewhere: httpx.AsyncClient, dump: Callable[[], Any], official: Official, storage_id: str
) -> None:
    before = await dump()
    refused = await elsewhere.post(PATH, json={"storage_id": storage_id})
    official.check_answer("/objects/{objectId}/instances", "POST", refused)
    assert refused.status_code == 400
    (detail,) = refused.json()["details"]
    assert (detail["field"], detail["rule"]) == ("storage_id", "instance.uncontrolled")
    assert await dump() == before


async def test_it_can_be_advertised_at_further_urls(elsewhere: httpx.AsyncClient) -> None:
    mirror = {"url": "https://mirror.example/x", "label": "mirror"}
    assert (await elsewhere.post(PATH, json=mirror)).status_code == 201
    urls = (await elsewhere.get("/objects/elsewhere")).json()["get_urls"]
    assert [one["label"] for one in urls] == ["elsewhere", "mirror"]
    assert (await elsewhere.delete(f"{PATH}?label=elsewhere")).status_code == 204
    last = await elsewhere.delete(f"{PATH}?label=mirror")
    assert last.status_code == 400
    assert last.json()["details"][0]["rule"] == "instance.last"
