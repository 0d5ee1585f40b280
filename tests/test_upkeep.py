"""Pins `tams gc` and `tams reconcile` on real data folders, also while a server runs."""

import asyncio
import json
import os
import re
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
import structlog
from typer.testing import CliRunner, Result

from tams_graphql.app import Server
from tams_graphql.cli import cli
from tams_graphql.metadata.engine import Scan
from tams_graphql.metadata.tables import DISCARDED_MEDIA, OBJECTS
from tams_graphql.resolvers.segment_deletion import delete_segments
from tams_graphql.resolvers.storage import allocate_storage
from tests.resolvers.segment_stories import FLOW, post, registered, video_flow
from tests.support.engines import environment_on, settings_on
from tests.support.processes import free_port, tams

runner = CliRunner()
LONG_AGO = 1_600_000_000
LOST = "lost\u202e"
"""An id that would turn around what a terminal shows behind it."""


@dataclass
class Folder:
    """A data folder; `keys` says where the bytes of its objects are."""

    data: Path
    keys: dict[str, str] = field(default_factory=dict)

    def server(self) -> Server:
        return Server(settings_on(self.data))

    def path(self, key: str) -> Path:
        return self.data / "media" / key[:2] / key[2:4] / key

    def held(self) -> set[str]:
        media = self.data / "media"
        return {path.name for path in media.glob("??/??/*") if path.is_file()}

    def put_unknown(self, key: str, content: bytes = b"nobody's") -> None:
        """Bytes as an older program or a restored backup may leave them."""
        self.path(key).parent.mkdir(parents=True, exist_ok=True)
        self.path(key).write_bytes(content)
        os.utime(self.path(key), (LONG_AGO, LONG_AGO))

    async def allocate(self, *names: str, then_us: int | None = None) -> None:
        """Allocate objects, now or then, and upload their bytes."""
        server = self.server()
        async with server.opened():
            ctx = server.context()
            if then_us is not None:
                ctx.clock = lambda: then_us
            await video_flow(ctx)
            for one in await allocate_storage(ctx, FLOW, {"object_ids": list(names)}):
                self.keys[one.object_id] = one.key
                await server.embedded[0].write(one.key, _content(), one.content_type)

    async def register(self, *names: str) -> None:
        server = self.server()
        async with server.opened():
            posts = [post(name, f"[{n}:0_{n + 1}:0)") for n, name in enumerate(names)]
            await registered(server.context(), *posts)

    async def forget_bytes(self) -> None:
        """Delete all segments, and die before their bytes are deleted."""
        server = self.server()
        async with server.opened():
            ctx = server.context()
            ctx.stores = type(ctx.stores)({})
            await delete_segments(ctx, FLOW)

    async def rows(self, table: Any) -> list[dict[str, Any]]:
        server = self.server()
        async with server.opened():
            found = await server.context().metadata.page(Scan(table=table, limit=100))
        return list(found.to_pylist())


async def _content() -> AsyncIterator[bytes]:
    yield b"media"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Folder]:
    data = tmp_path / "data"
    data.mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    for name, value in environment_on(data).items():
        monkeypatch.setenv(name, value)
    yield Folder(data)
    structlog.reset_defaults()


def run(*arguments: str) -> tuple[Result, list[dict[str, Any]]]:
    """A command with ``--json``, and what it printed."""
    result = runner.invoke(cli, [*arguments, "--data", "data", "--json"])
    return result, [json.loads(line) for line in result.stdout.splitlines()]


def whats(lines: Sequence[dict[str, Any]], what: str) -> set[tuple[str | None, str]]:
    return {(one["object_id"], one["key"]) for one in lines if one["what"] == what}


def test_gc_deletes_expired_allocations_and_all_bytes_that_wait(folder: Folder) -> None:
    asyncio.run(folder.allocate("expired", "kept", "dead", then_us=LONG_AGO * 1_000_000))
    asyncio.run(folder.register("dead"))
    asyncio.run(folder.forget_bytes())
    asyncio.run(folder.register("kept"))
    asyncio.run(folder.allocate("new"))
    everything = {folder.keys[name] for name in ("expired", "kept", "dead", "new")}

    result, lines = run("gc", "--dry-run")
    assert (result.exit_code, lines) == (0, [{"expired_allocations": 1, "bytes_waiting": 1}])
    assert folder.held() == everything

    result, lines = run("gc")
    assert result.exit_code == 0, result.output
    assert lines == [{"collected_allocations": 1, "deleted_bytes_of": 2, "bytes_waiting": 0}]
    assert folder.held() == {folder.keys[name] for name in ("kept", "new")}
    left = asyncio.run(folder.rows(OBJECTS))
    assert [row["object_id"] for row in left] == ["kept", "new"]
    assert asyncio.run(folder.rows(DISCARDED_MEDIA)) == []
    result, lines = run("gc")
    assert lines == [{"collected_allocations": 0, "deleted_bytes_of": 0, "bytes_waiting": 0}]


@pytest.mark.embedded
def test_doctor_tells_what_waits(folder: Folder) -> None:
    asyncio.run(folder.allocate("dead"))
    asyncio.run(folder.register("dead"))
    asyncio.run(folder.forget_bytes())
    arguments = ["doctor", "--data", "data", "--port", str(free_port())]
    told = runner.invoke(cli, arguments).output
    assert "upkeep: bytes of 1 objects wait to be deleted (servers" in told
    asyncio.run(folder.allocate("forgotten", then_us=LONG_AGO * 1_000_000))
    told = runner.invoke(cli, arguments).output
    minutes = int(time.time() - LONG_AGO) // 60
    assert re.search(f"waited to be registered for ({minutes - 1}|{minutes}) min", told)


def test_gc_puts_off_what_a_backend_cannot_do_now(folder: Folder) -> None:
    asyncio.run(folder.allocate("expired", then_us=LONG_AGO * 1_000_000))
    shard = folder.path(folder.keys["expired"]).parent
    aside = shard.with_name("aside")
    shard.rename(aside)
    shard.write_text("a file where a folder should be")
    result, lines = run("gc")
    assert result.exit_code == 1
    assert lines == [{"collected_allocations": 1, "deleted_bytes_of": 0, "bytes_waiting": 1}]
    assert "put off:" in result.stderr
    shard.unlink()
    aside.rename(shard)
    result, lines = run("gc")
    assert result.exit_code == 0
    assert lines == [{"collected_allocations": 0, "deleted_bytes_of": 1, "bytes_waiting": 0}]
    assert folder.held() == set()


def test_reconcile_tells_both_directions_and_deletes_only_what_nobody_knows(
    folder: Folder,
) -> None:
    asyncio.run(folder.allocate("good", LOST, "waiting"))
    asyncio.run(folder.register("good", LOST))
    unknown, damaged = "0" * 32, "f" * 32
    folder.put_unknown(unknown)
    folder.put_unknown(damaged, b"")
    folder.path(folder.keys[LOST]).unlink()
    everything = folder.held()

    with tams(folder.data) as server:
        result, lines = run("reconcile", "--dry-run")
        assert result.exit_code == 1
        assert whats(lines, "missing") == {(LOST, folder.keys[LOST])}
        assert whats(lines, "unknown") == {(None, unknown), (None, damaged)}
        (summary,) = [one for one in lines if one["what"] == "summary"]
        assert summary["unknown_bytes"] == 8
        assert (summary["stored"], summary["deleted"], summary["missing"]) == (4, 0, 1)
        assert folder.held() == everything

        result, lines = run("reconcile")
        (summary,) = [one for one in lines if one["what"] == "summary"]
        assert (result.exit_code, summary["deleted"], summary["missing"]) == (1, 2, 1)
        assert folder.held() == {folder.keys["good"], folder.keys["waiting"]}
        assert httpx.get(f"{server.url}/objects/good").status_code == 200

    table = runner.invoke(cli, ["reconcile", "--data", "data"])
    assert table.exit_code == 1
    assert r"object 'lost\u202e'" in table.stdout
    assert "\u202e" not in table.stdout
    row = next(line for line in table.stdout.splitlines() if "│ local" in line)
    assert [cell.strip() for cell in row.split("│")[2:-1]] == ["2", "0", "0", "0", "0", "1"]


def test_reconcile_is_quiet_and_content_where_all_is_well(folder: Folder) -> None:
    asyncio.run(folder.allocate("good"))
    asyncio.run(folder.register("good"))
    result, lines = run("reconcile", "--storage-backend", "local")
    assert result.exit_code == 0, result.output
    assert [one["what"] for one in lines] == ["summary"]
    assert folder.held() == {folder.keys["good"]}


def test_reconcile_with_the_wrong_index_deletes_nothing(folder: Folder) -> None:
    asyncio.run(folder.allocate("own"))
    theirs = {f"{digit}{'0' * 31}" for digit in "abc"}
    for key in theirs:
        folder.put_unknown(key)
    result, lines = run("reconcile")
    assert result.exit_code == 1
    assert "wrong index" in lines[-1]["refused"]
    assert theirs < folder.held()
    told = runner.invoke(cli, ["reconcile", "--data", "data"])
    assert "local: nothing is deleted: more than half" in told.stdout
    result, lines = run("reconcile", "--even-most")
    assert (result.exit_code, lines[-1]["deleted"]) == (0, 3)
    assert folder.held() == {folder.keys["own"]}


def test_an_unknown_backend_is_a_sentence(folder: Folder) -> None:
    asyncio.run(folder.allocate("own"))
    result, _ = run("reconcile", "--storage-backend", "elsewhere")
    assert result.exit_code == 1
    assert "there is no storage backend 'elsewhere', only local (" in result.stderr


@pytest.mark.embedded
@pytest.mark.parametrize("command", ["gc", "reconcile"])
def test_a_mistyped_folder_does_not_become_an_empty_store(folder: Folder, command: str) -> None:
    result, _ = run(command)
    assert result.exit_code == 1
    assert "there is no index in data" in result.stderr
    assert list(folder.data.iterdir()) == []
