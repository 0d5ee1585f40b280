"""Real server processes send events to a real receiver, also when one of them is killed."""

import json
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from signal import SIGTERM
from typing import Any

import httpx

from tests.rest_compat.stories import uuid4, video
from tests.support.processes import TamsProcess, start_tams, tams

ALLOWED = {"webhook_networks": '["127.0.0.0/8"]'}


@dataclass
class Arrivals:
    url: str = ""
    ids: list[str] = field(default_factory=list)
    flows: list[str] = field(default_factory=list)

    def until(self, done: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 60
        while not done():
            assert time.monotonic() < deadline, self
            time.sleep(0.02)


@contextmanager
def receiving() -> Iterator[Arrivals]:
    arrivals = Arrivals()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body: Any = json.loads(self.rfile.read(int(self.headers["content-length"])))
            arrivals.ids.append(self.headers["webhook-id"])
            arrivals.flows.append(body["event"]["flow"]["id"])
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    arrivals.url = f"http://127.0.0.1:{server.server_port}/"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield arrivals
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def put_flow(server: TamsProcess, number: int) -> str:
    body = video(uuid4(number), str(uuid.uuid4()))
    response = httpx.put(f"{server.url}/flows/{body['id']}", json=body)
    assert response.status_code == 201, response.text
    return str(body["id"])


def test_two_processes_serve_a_webhook_and_one_survives_the_other(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with receiving() as hook, tams(data, **ALLOWED) as first:
        body = {"url": hook.url, "events": ["flows/created"]}
        posted = httpx.post(f"{first.url}/service/webhooks", json=body)
        assert posted.status_code == 201, posted.text
        told = [put_flow(first, 1)]
        hook.until(lambda: len(hook.flows) == 1)
        with tams(data, **ALLOWED) as second:
            told.append(put_flow(second, 2))
            hook.until(lambda: len(hook.flows) >= 2)
            first.kill()
            told.append(put_flow(second, 3))
            hook.until(lambda: told[2] in hook.flows)
            webhook = httpx.get(f"{second.url}/service/webhooks/{posted.json()['id']}").json()
            assert webhook["status"] == "started"
            assert second.stop() in {0, -SIGTERM}
    assert list(dict.fromkeys(hook.flows)) == told
    assert len(set(hook.ids)) == 3


def test_a_server_that_stops_lets_go_and_the_next_one_goes_on_at_once(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with receiving() as hook:
        server = start_tams(data, **ALLOWED)
        body = {"url": hook.url, "events": ["flows/created"]}
        assert httpx.post(f"{server.url}/service/webhooks", json=body).status_code == 201
        told = [put_flow(server, number) for number in range(1, 6)]
        hook.until(lambda: len(hook.flows) == 5)
        told.append(put_flow(server, 6))
        assert server.stop() in {0, -SIGTERM}
        with tams(data, **ALLOWED) as again:
            told.append(put_flow(again, 7))
            hook.until(lambda: len(set(hook.flows)) == 7)
            assert again.stop() in {0, -SIGTERM}
    assert list(dict.fromkeys(hook.flows)) == told
