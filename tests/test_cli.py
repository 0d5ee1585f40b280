"""Pins the command line: what it prints, what it refuses, with which exit status."""

import gc
import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from typer.testing import CliRunner

from tams_graphql.cli import calm_collector, cli
from tests.support.processes import free_port

runner = CliRunner()


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    yield
    structlog.reset_defaults()


def test_help_names_every_command() -> None:
    result = runner.invoke(cli, ["--help"])
    assert result.exit_code == 0
    for command in (
        "serve",
        "demo",
        "ingest",
        "export",
        "schema",
        "doctor",
        "config",
        "gc",
        "reconcile",
    ):
        assert command in result.output


def test_config_tells_where_values_come_from(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAMS_NAME", "from the environment")
    result = runner.invoke(cli, ["config", "--port", "9000"])
    assert result.exit_code == 0
    rows = {line.split("│")[1].strip(): line for line in result.output.splitlines() if "│" in line}
    assert "9000" in rows["port"]
    assert "flag" in rows["port"]
    assert "from the environment" in rows["name"]
    assert "TAMS_NAME" in rows["name"]
    assert "default" in rows["host"]


def test_serving_beyond_loopback_is_refused() -> None:
    result = runner.invoke(cli, ["serve", "--host", "0.0.0.0"])
    assert result.exit_code == 2
    assert "--insecure-no-auth" in result.stderr


@pytest.mark.parametrize("command", ["config", "doctor", "serve"])
@pytest.mark.parametrize(
    ("variable", "file", "named"),
    [
        ("not a list", "", "trusted_proxies"),
        ("[]", 'name = "no end', "tams.toml"),
        ("[]", "nonsense = 5", "nonsense"),
    ],
)
def test_a_configuration_that_cannot_be_read_is_told_in_one_line(  # noqa: PLR0917 - a table
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    command: str,
    variable: str,
    file: str,
    named: str,
) -> None:
    monkeypatch.setenv("TAMS_TRUSTED_PROXIES", variable)
    (tmp_path / "tams.toml").write_text(file)
    result = runner.invoke(cli, [command])
    assert result.exit_code == 2
    assert named in result.stderr
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize("damaged", ["url_signing_key", "storage_backend_id", "secret_key"])
def test_serving_from_a_damaged_data_folder_is_refused(tmp_path: Path, damaged: str) -> None:
    (tmp_path / damaged).write_bytes(b"")
    result = runner.invoke(cli, ["serve", "--port", str(free_port()), "--data", str(tmp_path)])
    assert result.exit_code == 1
    assert damaged in result.stderr


def test_serving_from_a_data_folder_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    result = runner.invoke(cli, ["serve", "--port", str(free_port()), "--data", "file"])
    assert result.exit_code == 1
    assert "File exists" in result.stderr


def test_serving_on_a_taken_port_is_refused_before_addresses_are_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        result = runner.invoke(cli, ["serve", "--port", port, "--data", "fresh"])
    assert result.exit_code == 1
    assert result.stdout == ""
    assert f"127.0.0.1:{port}: Address already in use" in result.stderr
    assert "--port" in result.stderr


def test_doctor_finds_nothing_wrong_with_a_fresh_folder() -> None:
    result = runner.invoke(cli, ["doctor", "--port", str(free_port()), "--data", "fresh"])
    assert result.exit_code == 0, result.output
    assert "fix" not in result.output


def test_doctor_says_what_to_fix(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    result = runner.invoke(cli, ["doctor", "--port", str(free_port()), "--data", "file/data"])
    assert result.exit_code == 1
    assert "choose another with --data" in result.output


def test_a_bucket_without_credentials_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    bucket = {
        "id": "0d4b8c1e-8a53-4f6e-9d7a-0d5f0a3a1f00",
        "label": "s3",
        "bucket": "media",
        "provider": "studio",
        "credentials_env": "NOBODY_",
    }
    monkeypatch.setenv("TAMS_STORAGE_BACKENDS", json.dumps([bucket]))
    for command in ("serve", "doctor"):
        result = runner.invoke(cli, [command, "--port", str(free_port()), "--data", "fresh"])
        assert result.exit_code == 1
        assert "NOBODY_ACCESS_KEY_ID" in result.output
        assert "Traceback" not in result.output


def test_schema_prints_the_committed_contracts() -> None:
    root = Path(__file__).parent.parent
    for name, path in (
        ("graphql", "schema/tams.graphql"),
        ("openapi", "schema/openapi.json"),
        ("events", "schema/events.json"),
        ("env", "deploy/env.example"),
        ("rest-compat", "docs/rest-compat.md"),
    ):
        result = runner.invoke(cli, ["schema", name])
        assert result.output == (root / path).read_text(), f"{path} is stale: make schema"


def test_unknown_contract_is_refused_with_the_known_ones() -> None:
    result = runner.invoke(cli, ["schema", "nonsense"])
    assert result.exit_code == 2
    assert "graphql, openapi, events, env, rest-compat" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["export", "x", "out.mp4", "--timerange", "[2:0_1:0)"], "timerange"),
        (["ingest", "missing.mp4"], "does not exist"),
    ],
)
def test_bad_arguments_are_refused(arguments: list[str], message: str) -> None:
    result = runner.invoke(cli, arguments)
    assert result.exit_code == 2
    assert message in result.stderr


def test_a_server_that_is_not_there_is_a_sentence(tmp_path: Path) -> None:
    address = f"http://127.0.0.1:{free_port()}"
    result = runner.invoke(cli, ["export", "x", "out.mp4", "--server", address])
    assert result.exit_code == 1
    assert "failed:" in result.stderr
    assert "Traceback" not in result.output


@pytest.mark.embedded
def test_serving_another_programs_index_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "index.sqlite").write_bytes(b"not a database" * 100)
    arguments = ["serve", "--data", "data", "--port", str(free_port())]
    result = runner.invoke(cli, arguments)
    assert result.exit_code == 1
    assert "restore index.sqlite from a backup" in result.stderr
    assert "Traceback" not in result.output


def test_the_collector_is_spared_what_was_imported() -> None:
    before = gc.get_threshold()
    try:
        calm_collector()
        assert gc.get_freeze_count() > 10_000
        assert gc.get_threshold() == (100_000, 20, 50)
    finally:
        gc.unfreeze()
        gc.set_threshold(*before)
