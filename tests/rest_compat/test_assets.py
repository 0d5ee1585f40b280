"""Vendored files are unmodified, and nothing but the listed ones is served."""

import hashlib
import re
from pathlib import Path

import httpx
import pytest

import rest_compat
from rest_compat.pages import ASSETS, POLICY

FOLDER = Path(rest_compat.__file__).parent / "assets"
OWN = {"swagger-start.js", "redoc-start.js"}


def _vendored() -> dict[str, str]:
    rows = re.findall(r"^\| `([^`]+)` \|.*\| `([0-9a-f]{64})` \|$",
                      (FOLDER / "VENDORED.md").read_text(), re.MULTILINE)  # fmt: skip
    return dict(rows)


def test_every_vendored_file_has_its_checksum() -> None:
    vendored = _vendored()
    assert vendored.keys() == ASSETS.keys() - OWN
    for name, checksum in vendored.items():
        assert hashlib.sha256((FOLDER / name).read_bytes()).hexdigest() == checksum, name


@pytest.mark.parametrize("name", sorted(ASSETS))
async def test_assets_are_served_with_type_and_caching(
    client: httpx.AsyncClient, name: str
) -> None:
    response = await client.get(f"/docs/assets/{name}")
    assert response.status_code == 200
    checksum = hashlib.sha256((FOLDER / name).read_bytes()).hexdigest()
    assert hashlib.sha256(response.content).hexdigest() == checksum
    assert response.headers["content-type"].partition(";")[0] == ASSETS[name]
    assert response.headers["cache-control"] == "public, max-age=86400"
    assert response.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    "path", ["VENDORED.md", "..%2Fpages.py", "%2e%2e/pages.py", "absent.js", "..%5Cpages.py", "."]
)
async def test_nothing_else_is_served(client: httpx.AsyncClient, path: str) -> None:
    assert (await client.get(f"/docs/assets/{path}")).status_code == 404


@pytest.mark.parametrize("path", ["/docs", "/redoc"])
async def test_the_pages_forbid_themselves_the_network(
    client: httpx.AsyncClient, path: str
) -> None:
    page = await client.get(path)
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert page.headers["content-security-policy"] == POLICY
    assert "http" not in page.text.replace("http-equiv", "")
    assert (await client.head(path)).headers == page.headers
