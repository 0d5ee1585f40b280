"""Pins the command line: what it prints, what it refuses, with which exit status."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from tams_graphql.cli import cli
from tests.support.processes import free_port

runner = CliRunner()


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")


def test_help_names_every_command() -> None:
    result = runner.invoke(cli, ["--help"])
    assert result.exit_code == 0
    for command in ("serve", "demo", "ingest", "export", "schema", "doctor", "config"):
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


def test_doctor_finds_nothing_wrong_with_a_fresh_folder() -> None:
    result = runner.invoke(cli, ["doctor", "--port", str(free_port()), "--data", "fresh"])
    assert result.exit_code == 0, result.output
    assert "fix" not in result.output


def test_doctor_says_what_to_fix(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    result = runner.invoke(cli, ["doctor", "--port", str(free_port()), "--data", "file/data"])
    assert result.exit_code == 1
    assert "choose another with --data" in result.output


def test_schema_prints_the_committed_contracts() -> None:
    root = Path(__file__).parent.parent
    for name, path in (
        ("graphql", "schema/tams.graphql"),
        ("openapi", "schema/openapi.json"),
        ("env", "deploy/env.example"),
    ):
        result = runner.invoke(cli, ["schema", name])
        assert result.output == (root / path).read_text(), f"{path} is stale: make schema"


def test_unknown_contract_is_refused_with_the_known_ones() -> None:
    result = runner.invoke(cli, ["schema", "nonsense"])
    assert result.exit_code == 2
    assert "graphql, openapi, env" in result.stderr


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
