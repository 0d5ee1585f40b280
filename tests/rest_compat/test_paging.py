"""Pages joined are the unpaged listing, links lead on, and limits are clamped."""

import re
from typing import Any

import httpx
import pytest

from tests.rest_compat.conftest import PUBLIC_URL
from tests.rest_compat.stories import (
    Json,
    allocate,
    fill,
    put_flow,
    register,
    seconds,
    uuid4,
    video,
)


async def walk(client: httpx.AsyncClient, url: str, key: Any = None) -> list[Json]:
    """All items, page by page, following the links."""
    found: list[Json] = []
    target: str | None = url
    while target is not None:
        response = await client.get(target)
        assert response.status_code == 200, response.text
        items = response.json() if key is None else response.json()[key]
        found += items
        link = re.fullmatch(r'<(.*)>; rel="next"', response.headers.get("link", ""))
        target = None
        if link is not None:
            assert link[1].startswith(PUBLIC_URL + "/")
            target = link[1].removeprefix(PUBLIC_URL)
            assert response.headers["x-paging-nextkey"] in target
        if key is None:
            assert response.headers["x-paging-count"] == str(len(items))
    return found


@pytest.fixture
async def catalogue(client: httpx.AsyncClient) -> None:
    """Seven flows of seven sources; some without a label, some sharing one."""
    labels = ["b", None, "a", "a", None, "c", "ä"]
    for number, label in enumerate(labels):
        body = video(uuid4(number + 1), uuid4(number + 100), tags={"odd": str(number % 2)})
        if label is not None:
            body["label"] = label
        await put_flow(client, body)
        if label is not None:
            await client.put(f"/sources/{uuid4(number + 100)}/label", json=label)


@pytest.mark.usefixtures("catalogue")
@pytest.mark.parametrize("reverse", ["true", "false"])
@pytest.mark.parametrize(
    "listing",
    [
        "/flows?sort_by=created",
        "/flows?sort_by=metadata_updated",
        "/flows?sort_by=label",
        "/flows?tag.odd=1",
        "/sources?sort_by=created",
        "/sources?sort_by=updated",
        "/sources?sort_by=label",
        "/service/storage-backends?",
    ],
)
async def test_pages_joined_are_the_whole_listing(
    client: httpx.AsyncClient, listing: str, reverse: str
) -> None:
    url = f"{listing}&reverse_order={reverse}"
    whole = (await client.get(url)).json()
    assert len(whole) == {"/flows?tag.odd=1": 3, "/service/storage-backends?": 2}.get(listing, 7)
    for limit in (1, 2, 3, 7, 8):
        assert await walk(client, f"{url}&limit={limit}") == whole
    other = "false" if reverse == "true" else "true"
    backwards = (await client.get(f"{listing}&reverse_order={other}")).json()
    assert [item["id"] for item in backwards] == [item["id"] for item in reversed(whole)]


@pytest.mark.parametrize("reverse", ["true", "false"])
async def test_pages_of_segments_joined_are_all_of_them(
    client: httpx.AsyncClient, live_flow: str, reverse: str
) -> None:
    await fill(client, live_flow, 7)
    where = "accept_get_urls=&timerange=[1:500000000_5:0]"
    url = f"/flows/{live_flow}/segments?{where}&reverse_order={reverse}"
    whole = (await client.get(url)).json()
    ids = [f"take-{n}" for n in (1, 2, 3, 4, 5)]
    assert [s["object_id"] for s in whole] == (ids if reverse == "false" else ids[::-1])
    for limit in (1, 2, 5, 6):
        assert await walk(client, f"{url}&limit={limit}") == whole


async def test_a_page_of_segments_tells_what_it_spans(
    client: httpx.AsyncClient, live_flow: str
) -> None:
    await fill(client, live_flow, 3)
    await allocate(client, live_flow, "last")
    await register(client, live_flow, {"object_id": "last", "timerange": "[9:0_10:0]"})
    url = f"/flows/{live_flow}/segments"
    spans = {
        "?limit=2": "[0:0_2:0)",
        "?limit=2&reverse_order=true": "[2:0_10:0]",
        "": "[0:0_10:0]",
        "?timerange=[100:0_": "()",
    }
    for query, span in spans.items():
        response = await client.get(url + query)
        assert response.headers["x-paging-timerange"] == span
    reverse = await client.get(f"{url}?reverse_order=true")
    assert reverse.headers["x-paging-reverse-order"] == "true"


async def test_the_flows_of_an_object_come_in_pages(client: httpx.AsyncClient) -> None:
    flows = [uuid4(n) for n in (1, 2, 3)]
    for flow_id in flows:
        await put_flow(client, video(flow_id, uuid4(100), tags={"n": flow_id[-1]}))
    await fill(client, flows[0], 1, "shared/object")
    for flow_id in flows[1:]:
        post = {"object_id": "shared/object-0", "timerange": seconds(0, 1)}
        await register(client, flow_id, post)
    url = "/objects/shared%2Fobject-0"
    for limit in (1, 2, 3):
        found = await walk(client, f"{url}?limit={limit}", "referenced_by_flows")
        assert found == flows
    tagged = await client.get(f"{url}?flow_tag.n=1,3")
    assert tagged.json()["referenced_by_flows"] == [flows[0], flows[2]]


@pytest.mark.parametrize(
    ("path", "limit", "shown"),
    [
        ("/flows", None, "100"),
        ("/flows", "1001", "1000"),
        ("/sources", "9" * 5000, "1000"),
        ("/service/storage-backends", "007", "7"),
        (f"/flows/{uuid4(1)}/segments", None, "100"),
        (f"/flows/{uuid4(1)}/segments", "10000", "5000"),
    ],
)
async def test_the_limit_in_force_is_shown(
    client: httpx.AsyncClient, path: str, limit: str | None, shown: str
) -> None:
    response = await client.get(path, params={} if limit is None else {"limit": limit})
    assert response.headers["x-paging-limit"] == shown
    assert "link" not in response.headers
    assert "x-paging-nextkey" not in response.headers


@pytest.mark.usefixtures("catalogue")
async def test_links_keep_the_query_and_ignore_the_host(client: httpx.AsyncClient) -> None:
    response = await client.get(
        "/flows?limit=2&tag_exists.odd=true&x=%26%20a",
        headers={"host": "evil.example"},
    )
    key = response.headers["x-paging-nextkey"]
    assert response.headers["link"] == (
        f'<{PUBLIC_URL}/flows?limit=2&tag_exists.odd=true&x=%26%20a&page={key}>; rel="next"'
    )
