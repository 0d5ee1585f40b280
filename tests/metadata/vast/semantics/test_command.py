"""`tams doctor --vast-semantics`: what it prints, and its exit status."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from typer.testing import CliRunner, Result

pytest.importorskip("vastdb", reason="vastdb is not installed (pip install 'tams-graphql[vast]')")

from tams_graphql.cli import cli, out
from tams_graphql.metadata.vast.semantics.titles import TITLES
from tests.metadata.vast.semantics.clusters import schemas
from tests.vast_emulator.running import ACCESS_KEY, BUCKET, SECRET_KEY, Running, emulator

COMMAND = ["doctor", "--vast-semantics", "--quick"]


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(out, "width", 200)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", ACCESS_KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET_KEY)
    yield
    structlog.reset_defaults()


def run(*arguments: str, url: str = "http://127.0.0.1:1") -> Result:
    vast = json.dumps({"endpoints": [url], "bucket": BUCKET})
    return CliRunner().invoke(cli, [*COMMAND, *arguments], env={"TAMS_VAST": vast})


def test_it_says_which_assumptions_hold_and_how_many_writers_are_safe(
    one_updater: Running,
) -> None:
    result = run(url=one_updater.url)
    assert result.exit_code == 0, result.output
    for number, title in TITLES.items():
        assert f"{number:>2}/13 {title}" in result.stderr
        assert title in result.stdout
    assert "while the first is open, after its commit: the second was refused at" in result.stdout
    assert "Any number of writer processes is safe: run as many as you need." in result.stdout
    assert schemas(one_updater) == []


def test_the_exit_status_says_that_only_one_writer_is_safe() -> None:
    with emulator("--conflicts", "none") as running:
        result = run("--json", url=running.url)
    assert result.exit_code == 1
    told = json.loads(result.stdout)
    assert told["semantics"] == "NO_CONFLICTS"
    assert told["many_writers_safe"] is False
    assert told["sentences"][2] == (
        "Only one writer process is safe: run exactly one server that writes."
    )
    first = told["findings"][0]
    assert first == {
        "number": 1,
        "title": TITLES[1],
        "assumption": "one of them is refused, or waits",
        "status": "FAILS",
        "seen": "while the first is open, after its commit: both were stored",
    }


def test_a_cluster_that_is_not_there_is_told() -> None:
    result = run()
    assert result.exit_code == 1
    assert "does not answer" in result.stderr
    assert result.stdout == ""


def test_missing_credentials_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    result = run()
    assert result.exit_code == 1
    assert "set AWS_SECRET_ACCESS_KEY in the environment" in result.stderr


def test_without_a_cluster_in_the_settings_there_is_nothing_to_ask() -> None:
    result = CliRunner().invoke(cli, COMMAND)
    assert result.exit_code == 2
    assert "vast: not set" in result.stderr


@pytest.mark.parametrize("option", ["--quick", "--json"])
def test_its_options_belong_to_it(option: str) -> None:
    result = CliRunner().invoke(cli, ["doctor", option])
    assert result.exit_code == 2
    assert "belong to --vast-semantics" in result.stderr
