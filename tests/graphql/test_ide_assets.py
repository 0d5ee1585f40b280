"""GraphiQL's files: what is vendored is unmodified, what is served is exactly that."""

import hashlib
import json
import re
import shutil
import subprocess
from pathlib import Path
from urllib.parse import urljoin

import pytest

import tams_graphql.graphql.ide
from tests.graphql.conftest import Api
from tests.support.asgi import event_source

IDE = Path(tams_graphql.graphql.ide.__file__).parent
ASSETS = IDE / "assets"
HTML = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


def test_vendored_files_have_the_sums_that_are_written_down() -> None:
    told = dict(
        re.findall(
            r"^\| (\S+) \|.*\| ([0-9a-f]{64}) \|$",
            (ASSETS / "VENDORED.md").read_text(),
            re.MULTILINE,
        )
    )
    found = {
        file.name: hashlib.sha256(file.read_bytes()).hexdigest()
        for file in ASSETS.iterdir()
        if file.suffix in {".js", ".css"}
    }
    assert found == told
    assert len(found) == 6


@pytest.mark.parametrize(("path", "files"), [("/graphql", 10), ("/live", 3)])
async def test_a_page_loads_only_from_here_and_may_be_kept(api: Api, path: str, files: int) -> None:
    page = await api.http.get(path, headers=HTML)
    assert page.status_code == 200
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    policy = page.headers["content-security-policy"].split("; ")
    assert "default-src 'none'" in policy
    assert "script-src 'self'" in policy
    links = re.findall(r'(?:src|href)="(?!data:)([^"]+)"', page.text)
    assert len(links) == files
    assert "@" not in page.text
    for link in links:
        asset = await api.http.get(urljoin("http://tams.test/graphql", link))
        assert asset.status_code == 200
        assert asset.headers["cache-control"] == "public, max-age=31536000, immutable"
        kind = "text/css" if link.endswith(".css") else "text/javascript"
        assert asset.headers["content-type"] == f"{kind}; charset=utf-8"


@pytest.mark.parametrize(
    "name",
    [
        "VENDORED.md",
        "page.js",
        "page.html",
        "..%2Fpage.js",
        "..%2f..%2frouter.py",
        "%2e%2e%2f__init__.py",
        "%2Fetc%2Fpasswd",
        "",
    ],
)
async def test_nothing_else_is_served(api: Api, name: str) -> None:
    answer = await api.http.get(f"/graphql/assets/{name}")
    assert answer.status_code == 404


def examples() -> list[dict[str, str]]:
    """What `examples.js` offers, as a browser would read it."""
    node = shutil.which("node")
    assert node is not None
    script = "globalThis.window = {}; require(process.argv[1]); console.log(JSON.stringify(window))"
    command = [node, "-e", script, str(IDE / "examples.js")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found: list[dict[str, str]] = json.loads(done.stdout)["TAMS_EXAMPLES"]
    return found


@pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")
async def test_the_examples_work_as_they_are_one_after_the_other_and_again(api: Api) -> None:
    offered = examples()
    assert len(offered) == 8
    for example in offered[:6] * 2:
        body = await api.post(example["query"], json.loads(example.get("variables", "{}")))
        assert "errors" not in body, (body, example["query"])
        for payload in body["data"].values():
            assert payload.get("errors", []) == [], example["query"]
            assert payload.get("failed", []) == [], example["query"]
    oldest = (await api.data("{ eventLog { oldestCursor } }"))["eventLog"]["oldestCursor"]
    async with api.telling():
        for example in offered[6:]:
            variables = json.loads(example["variables"]) | {"after": oldest}
            asked = {"query": example["query"], "variables": variables}
            async with event_source(api.app, "/graphql", asked) as source:
                result = await source.next()
            assert "errors" not in result, (result, example["query"])
