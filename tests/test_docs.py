"""The documentation is true: its queries run against a real server and give the answers shown."""

import asyncio
import itertools
import json
import re
import shutil
import subprocess
import time
import tomllib
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import httpx
import pytest

from rest_compat.event_bodies import TRIAL
from tams_graphql.client.demo import demo
from tams_graphql.client.film import FilmFormat
from tams_graphql.client.tams import Server
from tams_graphql.events.signature import new_secret, sign
from tams_graphql.model.errors import ANSWERS
from tams_graphql.model.vocabulary import EventType
from tams_graphql.settings import Settings
from tams_graphql.storage_settings import S3BackendSettings
from tams_graphql.vast_settings import VastSettings
from tests.support.processes import tams

ROOT = Path(__file__).parent.parent
BLOCK = re.compile(r"```(graphql|json|errors)\n(.*?)```", re.DOTALL)
SOME = "…"


@pytest.fixture(scope="module")
def store_with_a_film(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server that holds twenty seconds of the demonstration film; its address.

    It waits for hardly any deletion: the examples show what is told then.
    """
    data = tmp_path_factory.mktemp("docs") / "data"
    with tams(data, async_delete_segments="1") as server:
        film = FilmFormat(seconds=Fraction(20), preset="ultrafast")
        asyncio.run(demo(Server(server.url), film=film))
        yield server.url


def examples(page: str) -> list[tuple[str, str, str]]:
    """(query, kind of answer, answer) of each pair of blocks on the page."""
    blocks = BLOCK.findall((ROOT / page).read_text())
    pairs = itertools.pairwise(blocks)
    return [(a[1], b[0], b[1]) for a, b in pairs if a[0] == "graphql" and b[0] != "graphql"]


def assert_shown(actual: Any, shown: Any, where: str = "data") -> None:
    """`actual` equals `shown`, where "…" matches anything but null."""
    if shown == SOME:
        assert actual is not None, where
    elif isinstance(shown, dict):
        assert isinstance(actual, dict), where
        assert list(actual) == list(shown), where
        for key, value in shown.items():
            assert_shown(actual[key], value, f"{where}.{key}")
    elif isinstance(shown, list):
        assert isinstance(actual, list), where
        assert len(actual) == len(shown), f"{where}: {actual}"
        for index, value in enumerate(shown):
            assert_shown(actual[index], value, f"{where}.{index}")
    else:
        assert actual == shown, where


@pytest.mark.parametrize("page", ["README.md", "docs/graphql.md", "docs/events.md"])
def test_examples_give_the_answers_shown(store_with_a_film: str, page: str) -> None:
    found = examples(page)
    assert found, "the page lost its examples"
    for query, kind, answer in found:
        body = _first_result(store_with_a_film, query)
        if kind == "errors":
            codes = [error["extensions"]["code"] for error in body["errors"]]
            assert codes == answer.split(), body
        else:
            assert "errors" not in body, body
            assert_shown(body["data"], json.loads(answer))


def _first_result(server: str, query: str) -> Any:
    """The answer, or the first event of a subscription, which begins with the oldest one."""
    url = f"{server}/graphql"
    if not query.startswith("subscription"):
        return httpx.post(url, json={"query": query}, timeout=30).json()
    asked = {"query": query, "variables": {"after": _oldest_cursor(server)}}
    accept = {"accept": "text/event-stream"}
    with httpx.stream("POST", url, json=asked, headers=accept, timeout=30) as response:
        for line in response.iter_lines():
            if line.startswith("data: {"):
                return json.loads(line.removeprefix("data: "))
    raise AssertionError("no event came")


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_curl_follows_events_as_the_guide_says(store_with_a_film: str) -> None:
    page = (ROOT / "docs" / "events.md").read_text()
    (command,) = re.findall(r"```sh\n(curl .*?)```", page, re.DOTALL)
    command = command.replace("http://127.0.0.1:8000", store_with_a_film)
    command = command.replace("null", json.dumps(_oldest_cursor(store_with_a_film)))
    with subprocess.Popen(["/bin/sh", "-c", f"exec {command}"], stdout=subprocess.PIPE) as curl:
        assert curl.stdout is not None
        lines = list(itertools.islice(curl.stdout, 5))
        curl.terminate()
    told = b"".join(lines).decode()

    assert told.startswith(": ping\r\n\r\nevent: next\r\ndata: ")
    assert '"__typename":"' in told


def _oldest_cursor(server: str) -> str:
    ends = {"query": "{ eventLog { oldestCursor } }"}
    answer = httpx.post(f"{server}/graphql", json=ends).json()
    return str(answer["data"]["eventLog"]["oldestCursor"])


def test_links_between_pages_lead_somewhere() -> None:
    pages = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
    for page in pages:
        for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_documented_storage_backends_are_valid_and_complete() -> None:
    page = (ROOT / "docs" / "storage-backends.md").read_text()
    (example,) = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    backends = Settings(**tomllib.loads(example)).storage_backends
    assert [one.label for one in backends] == ["studio", "archive"]
    for name in S3BackendSettings.model_fields:
        assert f"`{name}`" in page


def test_the_documented_index_on_vast_is_valid_and_complete() -> None:
    page = (ROOT / "docs" / "run-on-vast.md").read_text()
    (example,) = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    vast = Settings(**tomllib.loads(example)).vast
    assert vast is not None
    assert (vast.bucket, vast.db_schema, len(vast.endpoints)) == ("tams-index", "tams", 2)
    for name, field in VastSettings.model_fields.items():
        assert f"`{field.alias or name}`" in page
    (policy,) = re.findall(r"```json\n(.*?)```", page, re.DOTALL)
    assert {one["Effect"] for one in json.loads(policy)["Statement"]} == {"Allow"}


def test_the_documented_verification_takes_what_is_signed_and_nothing_else() -> None:
    page = (ROOT / "docs" / "webhooks.md").read_text()
    (example,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    names: dict[str, Any] = {}
    exec(example, names)
    genuine, secret, now_s = names["is_genuine"], new_secret(), int(time.time())
    headers = sign(secret, "event-1", now_s, b"{}")
    assert genuine(secret, headers, b"{}")
    assert not genuine(secret, headers, b"{ }")
    assert not genuine(new_secret(), headers, b"{}")
    assert not genuine(secret, headers | {"webhook-id": "event-2"}, b"{}")
    assert not genuine(secret, sign(secret, "event-1", now_s - 400, b"{}"), b"{}")


def test_every_type_of_event_is_documented() -> None:
    page = (ROOT / "docs" / "webhooks.md").read_text()
    for what in (*EventType, TRIAL):
        assert f"`{what}`" in page


def test_every_error_code_is_documented() -> None:
    text = (ROOT / "docs" / "errors.md").read_text()
    for answer in ANSWERS.values():
        assert f"`{answer.code}` | {answer.status}" in text


def test_readme_commands_are_make_targets() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    commands = set(re.findall(r"\bmake ([a-z]+)", (ROOT / "README.md").read_text()))
    assert {"run", "test"} <= commands <= targets


def test_readme_fits_one_screen() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) <= 90
