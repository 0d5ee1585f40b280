"""The npm clients `graphql-ws` and `graphql-sse`, unmodified, against a server process."""

import asyncio
import shutil
import signal
import time
from asyncio.subprocess import PIPE, Process, create_subprocess_exec
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest

from tests.support.processes import TamsProcess, tams

CLIENTS = Path(__file__).parent / "clients"
NODE = shutil.which("node")
FLOW = "11111111-1111-4111-8111-111111111111"
SOURCE = "22222222-2222-4222-8222-222222222222"
PUT = """mutation P($label: String) { putFlow(input: {
  flowId: "%s", sourceId: "%s", label: $label, codec: "video/h264", container: "video/mp2t",
  essence: {video: {frameWidth: 1920, frameHeight: 1080, vfr: true}}
}) { flow { label } errors { message } } }""" % (FLOW, SOURCE)  # noqa: UP031 - braces
LABELS = """subscription L($after: String) { events(after: $after, filter: {
  types: [FLOWS_CREATED, FLOWS_UPDATED]
}) { ... on LoggedEvent { cursor } ... on FlowCreated { flow { label } }
  ... on FlowUpdated { flow { label } } } }"""

pytestmark = [
    pytest.mark.skipif(NODE is None, reason="node is not installed"),
    pytest.mark.skipif(
        not (CLIENTS / "node_modules" / "graphql-ws").is_dir(),
        reason="run `npm ci` in tests/graphql/clients first",
    ),
]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TamsProcess]:
    with tams(tmp_path_factory.mktemp("clients") / "data") as process:
        yield process


class Client:
    """One npm client in a process of its own."""

    def __init__(self, process: Process) -> None:
        self._process = process

    async def do(self, what: str, **asked: Any) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(orjson.dumps({"do": what, **asked}) + b"\n")
        await self._process.stdin.drain()

    async def heard(self) -> Any:
        assert self._process.stdout is not None
        async with asyncio.timeout(20):
            line = await self._process.stdout.readline()
        return orjson.loads(line)

    async def of(self, id: int) -> Any:  # noqa: A002
        """What comes next for one operation."""
        while (told := await self.heard()).get("id") != id:
            pass
        return told

    async def labels(self, id: int, count: int) -> list[tuple[str, str]]:  # noqa: A002
        """The labels and cursors of so many results of `LABELS`."""
        found = []
        for _ in range(count):
            told = await self.of(id)
            event = told["next"]["data"]["events"]
            found.append((event["flow"]["label"], event["cursor"]))
        return found


@asynccontextmanager
async def client(kind: str, url: str) -> AsyncIterator[Client]:
    assert NODE is not None
    process = await create_subprocess_exec(
        NODE, "run.mjs", kind, url, cwd=CLIENTS, stdin=PIPE, stdout=PIPE
    )
    try:
        yield Client(process)
    finally:
        assert process.stdin is not None
        process.stdin.close()
        await process.wait()


async def put(url: str, label: str) -> None:
    async with httpx.AsyncClient() as http:
        body = {"query": PUT, "variables": {"label": label}}
        answer = (await http.post(f"{url}/graphql", json=body)).json()
    assert answer["data"]["putFlow"]["errors"] == []


async def cursor(url: str) -> str:
    async with httpx.AsyncClient() as http:
        answer = await http.post(f"{url}/graphql", json={"query": "{ eventLog { cursor } }"})
    return str(answer.json()["data"]["eventLog"]["cursor"])


@pytest.mark.parametrize("kind", ["ws", "sse"])
async def test_queries_mutations_and_subscriptions(server: TamsProcess, kind: str) -> None:
    async with client(kind, server.url) as it:
        await it.do("run", id=1, query="{ service { type } }")
        assert (await it.heard())["next"]["data"]["service"][
            "type"
        ] == "urn:x-tams:service.tams-graphql"
        assert await it.of(1) == {"id": 1, "complete": True}
        await it.do("run", id=2, query=PUT, variables={"label": f"by {kind}"})
        assert (await it.of(2))["next"]["data"]["putFlow"] == {
            "flow": {"label": f"by {kind}"},
            "errors": [],
        }
        assert await it.of(2) == {"id": 2, "complete": True}
        after = await cursor(server.url)
        await it.do("run", id=3, query=LABELS, variables={"after": after})
        await put(server.url, f"{kind} one")
        await put(server.url, f"{kind} two")
        assert [label for label, _ in await it.labels(3, 2)] == [f"{kind} one", f"{kind} two"]
        await it.do("unsubscribe", id=3)
        assert await it.of(3) == {"id": 3, "complete": True}


@pytest.mark.parametrize("kind", ["ws", "sse"])
async def test_whoever_reconnects_with_a_cursor_misses_nothing(
    server: TamsProcess, kind: str
) -> None:
    after = await cursor(server.url)
    async with client(kind, server.url) as it:
        await it.do("run", id=1, query=LABELS, variables={"after": after})
        await put(server.url, "before")
        ((label, last),) = await it.labels(1, 1)
        await it.do("reconnect")
        while "reconnected" not in await it.heard():
            pass
        await put(server.url, "meanwhile")
        await it.do("run", id=2, query=LABELS, variables={"after": last})
        missed = await it.labels(2, 1)
        await put(server.url, "after that")
        missed += await it.labels(2, 1)

    assert [label, *(label for label, _ in missed)] == ["before", "meanwhile", "after that"]


@pytest.mark.parametrize("kind", ["ws", "sse"])
async def test_refusals_are_typed(server: TamsProcess, kind: str) -> None:
    async with client(kind, server.url) as it:
        await it.do("run", id=1, query="subscription { nothing }")
        told = await it.heard()
        errors = told["error"] if kind == "ws" else told["next"]["errors"]
        assert errors[0]["extensions"]["code"] == "GRAPHQL_VALIDATION_FAILED"
        if kind == "sse":
            assert await it.of(1) == {"id": 1, "complete": True}
        await it.do("run", id=2, query=LABELS, variables={"after": "nonsense"})
        (error,) = (await it.of(2))["next"]["errors"]
        assert error["extensions"]["problems"][0]["rule"] == "cursor.malformed"
        assert await it.of(2) == {"id": 2, "complete": True}


@pytest.mark.parametrize("kind", ["ws", "sse"])
async def test_a_server_that_is_told_to_stop_says_so_first(tmp_path: Path, kind: str) -> None:
    with tams(tmp_path / "data", shutdown_timeout="10") as process:
        async with client(kind, process.url) as it:
            after = await cursor(process.url)
            await it.do("run", id=1, query=LABELS, variables={"after": after})
            await put(process.url, "last")
            ((_, last),) = await it.labels(1, 1)
            began = time.monotonic()
            process.process.send_signal(signal.SIGTERM)
            (error,) = (await it.heard())["next"]["errors"]
            assert await it.of(1) == {"id": 1, "complete": True}
            status = await asyncio.to_thread(process.process.wait, 30)
            took = time.monotonic() - began

    assert (error["extensions"]["code"], error["extensions"]["cursor"]) == ("STOPPING", last)
    assert status in {0, -signal.SIGTERM}
    # Not a measurement: half of the time it has is what it waits for clients that don't go.
    assert took < 5
