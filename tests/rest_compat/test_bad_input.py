"""Bad input: the exact status, a JSON body that names field and rule, and nothing changed."""

import gzip
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest

from tests.rest_compat.conftest import MAX_BODY_BYTES
from tests.rest_compat.stories import fill, seconds, uuid4, video

FLOW = f"/flows/{uuid4(1)}"
SOURCE = f"/sources/{uuid4(100)}"
UNKNOWN = uuid4(999)


async def expect(response: httpx.Response, status: int, field: str, rule: str) -> None:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/json"
    found = {(d["field"], d["rule"]) for d in response.json()["details"]}
    assert (field, rule) in found


QUERIES = [
    ("/flows?limit=abc", "limit", "integer"),
    ("/flows?limit=", "limit", "integer"),
    ("/flows?limit=1.5", "limit", "integer"),
    ("/flows?limit=٣", "limit", "integer"),
    ("/flows?limit=0", "limit", "minimum"),
    ("/sources?limit=-3", "limit", "minimum"),
    ("/service/storage-backends?limit=-0", "limit", "minimum"),
    (f"{FLOW}/segments?limit=0", "limit", "minimum"),
    ("/flows?limit=1&limit=2", "limit", "repeated"),
    ("/flows?sort_by=updated", "sort_by", "enum"),
    ("/sources?sort_by=metadata_updated", "sort_by", "enum"),
    ("/sources?reverse_order=yes", "reverse_order", "boolean"),
    ("/sources?reverse_order=True", "reverse_order", "boolean"),
    ("/sources?reverse_order=", "reverse_order", "boolean"),
    ("/flows?init_segments=1", "init_segments", "boolean"),
    ("/flows?source_id=nobody", "source_id", "pattern"),
    ("/flows?profile_id=", "profile_id", "pattern"),
    ("/flows?format=video", "format", "enum"),
    ("/flows?status=late", "status", "enum"),
    ("/flows?codec=h264", "codec", "mime_type"),
    ("/flows?frame_width=wide", "frame_width", "integer"),
    ("/flows?frame_height=99999999999999999999", "frame_height", "integer.out_of_range"),
    ("/flows?collected_by_ids=a,b", "collected_by_ids", "pattern"),
    (f"/sources?collected_by_ids={UNKNOWN},", "collected_by_ids", "pattern"),
    ("/flows?tag.=x", "tag.", "tag.unnamed"),
    ("/flows?tag_exists.=true", "tag_exists.", "tag.unnamed"),
    ("/flows?tag_exists.x=maybe", "tag_exists.x", "boolean"),
    ("/flows?tag.x=a,,b", "tag.x", "list.empty_item"),
    ("/flows?tag.x=a&tag.x=b", "tag.x", "repeated"),
    ("/service/storage-backends?tag_exists.x=1", "tag_exists.x", "boolean"),
    ("/flows?page=nonsense!", "page", "cursor.malformed"),
    ("/flows?page=WyJlbHNlIiwxXQ", "page", "cursor.foreign"),
    ("/flows?timerange=yesterday", "timerange", "timerange.malformed"),
    ("/flows?timerange=[5:0_1:0)", "timerange", "timerange.reversed"),
    (f"{FLOW}?timerange=2024-01-01T00:00:00Z/P1D", "timerange", "timerange.iso8601"),
    (f"{FLOW}?include_timerange=si", "include_timerange", "boolean"),
    (f"{FLOW}/segments?timerange=1", "timerange", "timerange.malformed"),
    (f"{FLOW}/segments?presigned=no", "presigned", "boolean"),
    (f"{FLOW}/segments?verbose_storage=2", "verbose_storage", "boolean"),
    (f"{FLOW}/segments?accept_storage_ids=disk", "accept_storage_ids", "pattern"),
    (f"{FLOW}/segments?accept_get_urls=a,,b", "accept_get_urls", "list.empty_item"),
    (f"{FLOW}/segments?storage_backend_tag.=x", "storage_backend_tag.", "tag.unnamed"),
    ("/objects/take-0?flow_tag_exists.x=maybe", "flow_tag_exists.x", "boolean"),
    ("/objects/take-0?page=x", "page", "cursor.malformed"),
    ("/flows?label=%FF", "query", "query.malformed"),
    ("/flows?" + "&".join(f"x{n}" for n in range(1001)), "query", "query.malformed"),
]


@pytest.mark.parametrize(("url", "field", "rule"), QUERIES, ids=[q[0][:60] for q in QUERIES])
async def test_bad_query_parameters(
    client: httpx.AsyncClient, live_flow: str, url: str, field: str, rule: str
) -> None:
    await fill(client, live_flow, 1)
    await expect(await client.get(url), 400, field, rule)
    head = await client.head(url)
    assert (head.status_code, head.content) == (400, b"")


Change = tuple[str, str, Any, int, str, str]
CHANGES: list[Change] = [
    ("PUT", FLOW, [], 400, "body", "type"),
    ("PUT", FLOW, None, 400, "body", "type"),
    ("PUT", FLOW, {}, 400, "format", "required"),
    ("PUT", FLOW, video(uuid4(1), uuid4(100), codec=None), 400, "codec", "type"),
    ("PUT", FLOW, video(uuid4(2), uuid4(100)), 404, "flow", "not_found"),
    ("PUT", "/flows/nonsense", video("nonsense", uuid4(100)), 404, "flow", "not_found"),
    ("PUT", FLOW.upper(), {}, 404, "path", "not_found"),
    ("PUT", f"/flows/{uuid4(0xABC).upper()}", {}, 404, "flow", "not_found"),
    ("DELETE", f"/flows/{UNKNOWN}", None, 404, "flow", "not_found"),
    ("DELETE", f"{FLOW}?timerange=_", None, 400, "timerange", "unknown"),
    ("PUT", f"{FLOW}/label", 5, 400, "label", "type"),
    ("PUT", f"{FLOW}/label", None, 400, "label", "null"),
    ("PUT", f"{FLOW}/description", ["x"], 400, "description", "type"),
    ("PUT", f"{FLOW}/read_only", "true", 400, "read_only", "type"),
    ("PUT", f"{FLOW}/max_bit_rate", -1, 400, "max_bit_rate", "minimum"),
    ("PUT", f"{FLOW}/avg_bit_rate", 1.5, 400, "avg_bit_rate", "type"),
    ("PUT", f"{FLOW}/avg_bit_rate", True, 400, "avg_bit_rate", "type"),
    ("PUT", f"{FLOW}/flow_collection", {}, 400, "flow_collection", "type"),
    ("PUT", f"{FLOW}/tags/x", 5, 400, "tags.x", "type"),
    ("PUT", f"{FLOW}/tags/x", [1], 400, "tags.x", "type"),
    ("PUT", f"{FLOW}/tags/x", None, 400, "tags.x", "null"),
    ("DELETE", f"{FLOW}/tags/absent", None, 404, "tag", "not_found"),
    ("PUT", f"/flows/{UNKNOWN}/label", "x", 404, "flow", "not_found"),
    ("PUT", f"{SOURCE}/label", 5, 400, "label", "type"),
    ("PUT", f"{SOURCE}/tags/x", {}, 400, "tags.x", "type"),
    ("PUT", f"/sources/{UNKNOWN}/description", "x", 404, "source", "not_found"),
    ("PUT", "/sources/nonsense/label", "x", 404, "source", "not_found"),
    ("POST", f"{FLOW}/segments", "x", 400, "body", "type"),
    ("POST", f"{FLOW}/segments", {"object_id": "take-0"}, 400, "timerange", "required"),
    (
        "POST",
        f"/flows/{UNKNOWN}/segments",
        {"object_id": "take-0", "timerange": seconds(9, 10)},
        404,
        "flow",
        "not_found",
    ),
    ("DELETE", f"{FLOW}/segments?timerange=never", None, 400, "timerange", "timerange.malformed"),
    ("DELETE", f"{FLOW}/segments?time_range=_", None, 400, "time_range", "unknown"),
    ("DELETE", f"/flows/{UNKNOWN}/segments", None, 404, "flow", "not_found"),
    ("POST", "/service", [], 400, "body", "type"),
    ("POST", "/service", {"name": None}, 400, "name", "null"),
    ("POST", "/service", {"name": "x", "description": 5}, 400, "description", "type"),
    ("POST", f"{FLOW}/storage", [], 400, "body", "type"),
    ("POST", f"{FLOW}/storage", {"limit": 0}, 400, "limit", "minimum"),
    ("POST", f"/flows/{UNKNOWN}/storage", {}, 404, "flow", "not_found"),
    ("POST", "/objects/take-0/instances", {}, 400, "url", "required"),
    ("POST", "/objects/take-0/instances", {"url": "x"}, 400, "label", "required"),
    ("POST", "/objects/take-0/instances", {"storage_id": "disk"}, 400, "storage_id", "pattern"),
    ("POST", "/objects/absent/instances", {"url": "http://x/", "label": "y"}, 404, "object",
     "not_found"),
    ("DELETE", "/objects/absent/instances?label=x", None, 404, "object", "not_found"),
]  # fmt: skip


@pytest.mark.parametrize("change", CHANGES, ids=lambda c: f"{c[0]} {c[1][:50]} {str(c[2])[:30]}")
async def test_refused_changes_change_nothing(
    client: httpx.AsyncClient, live_flow: str, dump: Callable[[], Any], change: Change
) -> None:
    method, url, body, status, field, rule = change
    await fill(client, live_flow, 1)
    before = await dump()
    sent = {} if method == "DELETE" else {"content": json.dumps(body)}
    await expect(await client.request(method, url, **sent), status, field, rule)
    assert await dump() == before


@pytest.mark.parametrize(
    "change",
    [
        ("PUT", "", video(uuid4(1), uuid4(100))),
        ("DELETE", "", None),
        ("PUT", "/label", "x"),
        ("DELETE", "/description", None),
        ("PUT", "/tags/x", "y"),
        ("POST", "/segments", {"object_id": "take-0", "timerange": seconds(5, 6)}),
        ("DELETE", "/segments", None),
        ("POST", "/storage", {}),
    ],
)
async def test_read_only_flows_refuse_every_change(
    client: httpx.AsyncClient,
    live_flow: str,
    dump: Callable[[], Any],
    change: tuple[str, str, Any],
) -> None:
    method, path, body = change
    await fill(client, live_flow, 1)
    assert (await client.put(f"{FLOW}/read_only", json=True)).status_code == 204
    before = await dump()
    sent = {} if body is None else {"json": body}
    response = await client.request(method, FLOW + path, **sent)
    assert (response.status_code, response.json()["type"]) == (403, "FORBIDDEN")
    assert await dump() == before


BODIES = [
    (b"", "json.missing"),
    (b"  ", "json.missing"),
    (b"{", "json.malformed"),
    (b'{"label": NaN}', "json.malformed"),
    (b"Infinity", "json.malformed"),
    (b'"\xff"', "json.malformed"),
    (b'"\\ud800"', "json.malformed"),
    (b"'x'", "json.malformed"),
    (b'{"a": 1, "a": 2}', "json.duplicate"),
    (b'[{"a": [{"b": 1, "b": 1}]}]', "json.duplicate"),
    (b"[" * 65 + b"]" * 65, "json.nesting"),
    (b"[" * 50_000 + b"]" * 50_000, "json.malformed"),
    (b'{"a":' * 20_000 + b"1" + b"}" * 20_000, "json.malformed"),
]


@pytest.mark.parametrize(("content", "rule"), BODIES, ids=[str(b[0][:30]) for b in BODIES])
async def test_bodies_that_are_no_json(
    client: httpx.AsyncClient, live_flow: str, dump: Callable[[], Any], content: bytes, rule: str
) -> None:
    before = await dump()
    await expect(await client.put(f"{FLOW}/label", content=content), 400, "body", rule)
    assert await dump() == before


@pytest.mark.parametrize(
    "content_type",
    ["text/plain", "application/x-www-form-urlencoded", "application/json; charset=latin-1", ""],
)
async def test_other_content_types_are_415(
    client: httpx.AsyncClient, live_flow: str, content_type: str
) -> None:
    headers = {"content-type": content_type}
    response = await client.put(f"{FLOW}/label", content=b'"x"', headers=headers)
    await expect(response, 415, "content-type", "media_type")


async def test_compressed_bodies_are_415(client: httpx.AsyncClient, live_flow: str) -> None:
    headers = {"content-encoding": "gzip"}
    response = await client.put(f"{FLOW}/label", content=gzip.compress(b'"x"'), headers=headers)
    await expect(response, 415, "content-encoding", "identity")


@pytest.mark.parametrize(
    "content_type",
    ["application/json", "Application/JSON;charset=UTF-8", "application/vnd.x+json", None],
)
async def test_json_by_any_of_its_names_is_fine(
    client: httpx.AsyncClient, live_flow: str, content_type: str | None
) -> None:
    headers = {} if content_type is None else {"content-type": content_type}
    response = await client.put(f"{FLOW}/label", content=b'"x"', headers=headers)
    assert response.status_code == 204


async def test_a_body_over_the_limit_is_413_announced_or_not(
    client: httpx.AsyncClient, live_flow: str
) -> None:
    body = json.dumps("x" * MAX_BODY_BYTES).encode()
    await expect(await client.put(f"{FLOW}/label", content=body), 413, "body", "too_large")

    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while True:
            sent += 50_000
            yield b" " * 50_000

    response = await client.put(f"{FLOW}/label", content=endless())
    await expect(response, 413, "body", "too_large")
    assert sent <= MAX_BODY_BYTES + 50_000


async def test_a_body_at_the_limit_is_read(client: httpx.AsyncClient, live_flow: str) -> None:
    body = b'"x"' + b" " * (MAX_BODY_BYTES - 3)
    assert (await client.put(f"{FLOW}/label", content=body)).status_code == 204
