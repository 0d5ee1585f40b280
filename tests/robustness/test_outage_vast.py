"""The cluster that holds the index goes away for a while, or stops answering, and comes back."""

import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.robustness.stories import create_flow, video_flow
from tests.support.processes import TamsProcess, free_port, tams
from tests.support.vast import needs_vastdb, vast_settings
from tests.vast_emulator.running import emulator

pytestmark = needs_vastdb

FAST = 4.0
"""Seconds within which a request is refused: two request timeouts of one second, and some air."""
RECOVERY = 5.0


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[TamsProcess, int]]:
    """A server, and the port of the emulator that it needs and that is not running yet."""
    port = free_port()
    with emulator("--data", str(tmp_path / "cluster"), port=port) as cluster:
        environment = vast_settings(cluster)
        vast = json.loads(environment.pop("TAMS_VAST")) | {"timeout": 1}
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        running = tams(tmp_path / "data", vast=json.dumps(vast))
        server = running.__enter__()
        create_flow(server.url)
        cluster.kill()
    try:
        yield server, port
    finally:
        running.__exit__(None, None, None)


def _refused(server: TamsProcess) -> None:
    """Everything that needs the index says so, soon, and that it is worth another try."""
    body = video_flow()
    asked = [
        ("GET", "/flows", None),
        ("PUT", f"/flows/{body['id']}", body),
        ("POST", "/graphql", {"query": "{ flows { nodes { flowId } } }"}),
    ]
    for method, path, given in asked:
        began = time.monotonic()
        answer = httpx.request(method, server.url + path, json=given, timeout=30)
        assert time.monotonic() - began < FAST, (method, path)
        assert "metadata store (VAST DB)" in answer.text
        assert "try again" in answer.text
        _is_retryable(answer)
    health = httpx.get(f"{server.url}/health", timeout=10)
    assert health.status_code == 503
    assert health.json()["checks"]["index"] != "ok"


def _is_retryable(answer: httpx.Response) -> None:
    told: dict[str, Any] = answer.json()
    if "errors" in told:
        assert [error["extensions"]["code"] for error in told["errors"]] == ["UNAVAILABLE"]
    else:
        assert answer.status_code == 503


def _recovers(server: TamsProcess) -> None:
    deadline = time.monotonic() + RECOVERY
    while httpx.get(f"{server.url}/health", timeout=10).status_code != 200:
        assert time.monotonic() < deadline, "the server did not recover"
        time.sleep(0.1)
    flow_id = create_flow(server.url)
    listed = httpx.get(f"{server.url}/flows").json()
    assert len(listed) == 2
    assert flow_id in {flow["id"] for flow in listed}
    assert time.monotonic() < deadline


@pytest.mark.parametrize("seconds", [1, pytest.param(60, marks=pytest.mark.soak)])
def test_a_cluster_that_is_down(
    server: tuple[TamsProcess, int], tmp_path: Path, seconds: int
) -> None:
    running, port = server
    until = time.monotonic() + seconds
    _refused(running)
    while time.monotonic() < until:
        _refused(running)
    with emulator("--data", str(tmp_path / "cluster"), port=port):
        _recovers(running)


@pytest.mark.parametrize("seconds", [1, pytest.param(60, marks=pytest.mark.soak)])
def test_a_cluster_that_does_not_answer(
    server: tuple[TamsProcess, int], tmp_path: Path, seconds: int
) -> None:
    running, port = server
    with emulator("--data", str(tmp_path / "cluster"), port=port) as cluster:
        httpx.get(f"{running.url}/flows").raise_for_status()
        os.kill(cluster.process.pid, signal.SIGSTOP)
        try:
            until = time.monotonic() + seconds
            _refused(running)
            while time.monotonic() < until:
                _refused(running)
        finally:
            os.kill(cluster.process.pid, signal.SIGCONT)
        _recovers(running)
