"""Pins what the settings of a backend become: where it is, how to get in, and what is missing."""

import subprocess
import sys
from pathlib import Path

import pytest

from tams_graphql.backends import vast_target
from tams_graphql.model.errors import Unavailable
from tams_graphql.vast_settings import VastSettings
from tests.support.vast import needs_vastdb

NODES = ["https://vip1.example:8443/", "https://vip2.example:8443"]


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for prefix in ("AWS_", "VAST_"):
        for name in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY"):
            monkeypatch.delenv(prefix + name, raising=False)


@needs_vastdb
def test_the_target_of_an_index_in_vast_db(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "who")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hush")
    ca = Path("ca.pem")
    target = vast_target(VastSettings(endpoints=NODES, bucket="index", tls_ca_file=ca, timeout=3))
    assert target.endpoints == ("https://vip1.example:8443", "https://vip2.example:8443")
    assert (target.bucket, target.schema, target.timeout) == ("index", "tams", 3)
    assert (target.access_key, target.secret_key, target.verify) == ("who", "hush", "ca.pem")
    assert "hush" not in repr(target)


@needs_vastdb
def test_credentials_from_variables_of_another_name(monkeypatch: pytest.MonkeyPatch) -> None:
    given = VastSettings(endpoints=NODES, bucket="index", credentials_env="VAST_")
    monkeypatch.setenv("VAST_ACCESS_KEY_ID", "who")
    with pytest.raises(Unavailable, match="set VAST_SECRET_ACCESS_KEY in the environment"):
        vast_target(given)
    monkeypatch.setenv("VAST_SECRET_ACCESS_KEY", "hush")
    assert vast_target(given).secret_key == "hush"


def test_without_the_sdk_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tams_graphql.backends.find_spec", lambda _: None)
    with pytest.raises(Unavailable, match=r"pip install 'tams-graphql\[vast\]'"):
        vast_target(VastSettings(endpoints=NODES, bucket="index"))


def test_the_command_line_imports_neither_sdk() -> None:
    imports = "import sys, tams_graphql.cli, tams_graphql.app"
    code = f"{imports}; print({{'vastdb', 'boto3'}} & {{*sys.modules}})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
