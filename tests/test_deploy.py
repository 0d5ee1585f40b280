"""Without a container engine at hand: the recipes fit together, and bind to loopback alone."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import TypeAdapter

from tams_graphql.vast_settings import VastSettings
from tests.vast_emulator.running import ACCESS_KEY, BUCKET, SECRET_KEY

ROOT = Path(__file__).parent.parent
DOCKERFILE = (ROOT / "Dockerfile").read_text()
Json = dict[str, Any]


@pytest.fixture
def services() -> Json:
    found: Json = yaml.safe_load((ROOT / "deploy" / "compose.yaml").read_text())["services"]
    return found


def stages() -> dict[str, str]:
    """The text of each stage of the Dockerfile, by name; the last one is "final"."""
    parts = re.split(r"^FROM (\S+)(?: AS (\S+))?$", DOCKERFILE, flags=re.MULTILINE)[1:]
    return {name or "final": text for name, text in zip(parts[1::3], parts[2::3], strict=True)}


def copied(stage: str) -> list[str]:
    """What a stage copies from the repository."""
    lines = re.findall(r"^COPY (?!--from)(.*)$", stages()[stage], re.MULTILINE)
    return [source for line in lines for source in line.split()[:-1]]


def test_every_port_is_published_on_loopback_alone(services: Json) -> None:
    ports = {name: one["ports"] for name, one in services.items()}
    assert ports == {
        "tams": ["127.0.0.1:8000:8000"],
        "tams-on-vast": ["127.0.0.1:8001:8000"],
        "vast-emulator": ["127.0.0.1:9090:9090"],
    }


def test_every_service_runs_with_as_little_as_it_needs(services: Json) -> None:
    for one in services.values():
        assert one["read_only"] is True
        assert one["cap_drop"] == ["ALL"]
        assert one["security_opt"] == ["no-new-privileges:true"]


def test_the_emulator_runs_only_when_asked_for(services: Json) -> None:
    profiles = {name: one.get("profiles") for name, one in services.items()}
    asked = ["vast-emulator"]
    assert profiles == {"tams": None, "tams-on-vast": asked, "vast-emulator": asked}


def test_the_server_beside_the_emulator_is_configured_for_it(services: Json) -> None:
    given = services["tams-on-vast"]["environment"]
    vast = TypeAdapter(VastSettings).validate_python(json.loads(given["TAMS_VAST"]))
    assert [str(url) for url in vast.endpoints] == ["http://vast-emulator:9090/"]
    assert vast.bucket == BUCKET
    found = [
        given[f"{vast.credentials_env}{name}"] for name in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY")
    ]
    assert found == [ACCESS_KEY, SECRET_KEY]


def test_images_are_built_of_what_there_is(services: Json) -> None:
    for name in stages():
        for source in copied(name):
            assert (ROOT / source).exists(), source
    builds = [one["build"] for one in services.values() if isinstance(one["build"], dict)]
    for build in builds:
        assert build["args"]["LOCK"] in copied("build")
        assert build.get("target", "final") in stages()
    assert list(stages())[-1] == "final"
    assert not [source for source in copied("final") + copied("base") if "tests" in source]


def test_the_emulator_needs_no_more_than_is_copied(tmp_path: Path) -> None:
    for source in copied("vast-emulator"):
        target = tmp_path / source
        target.parent.mkdir(exist_ok=True)
        copy = shutil.copytree if (ROOT / source).is_dir() else shutil.copy
        copy(ROOT / source, target)
    command = [sys.executable, "-m", "tests.vast_emulator", "--help"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    (entry,) = re.findall(r"^ENTRYPOINT (.*)$", stages()["vast-emulator"], re.MULTILINE)
    assert json.loads(entry)[1:] == command[1:3]


def test_docker_sees_of_the_tests_only_the_emulator() -> None:
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    assert [line for line in ignored if "tests" in line] == [
        "tests/*",
        *(f"!{source}" for source in copied("vast-emulator")),
    ]


def locked(name: str) -> dict[str, set[str]]:
    """The versions of each package in a lock file."""
    found: dict[str, set[str]] = {}
    for line in re.findall(
        r"^([a-z0-9_.-]+)(?:\[.*?\])?==(\S+)", (ROOT / name).read_text(), re.MULTILINE
    ):
        found.setdefault(line[0], set()).add(line[1])
    return found


def test_lock_files_agree_with_one_another() -> None:
    small, cluster, dev = (
        locked(name)
        for name in ("requirements.lock", "requirements-cluster.lock", "requirements-dev.lock")
    )
    assert small.items() <= cluster.items()
    assert {"vastdb", "boto3"} <= cluster.keys() - small.keys()
    sdk_tests = locked("requirements-sdk-tests.lock")
    assert {"pandas", "pytest-check"} <= sdk_tests.keys()
    for other in (cluster, sdk_tests):
        differing = {one: other[one] for one in other.keys() & dev.keys() if other[one] != dev[one]}
        assert differing == {}
