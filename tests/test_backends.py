"""Pins what the settings of a backend become: where it is, how to get in, and what is missing."""

import subprocess
import sys
from pathlib import Path

import pytest

from tams_graphql.backends import open_sender, vast_target
from tams_graphql.model.errors import Unavailable
from tams_graphql.settings import Settings
from tams_graphql.vast_settings import VastSettings
from tests.events.receiving import post, receiving
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


async def test_what_sends_events_is_as_the_settings_say() -> None:
    settings = Settings(webhook_networks=["127.0.0.0/8"], webhook_ports=[443], webhook_timeout=7)
    sender = open_sender(settings)
    async with receiving() as receiver:
        local = await sender.send(post(f"http://127.0.0.1:{receiver.port}/"))
    refused = await sender.send(post("http://8.8.8.8/"))
    await sender.close()
    assert (local.status_code, local.response_excerpt) == (200, "ok")
    assert (refused.permanent, "port 80 is not one of 443" in (refused.reason or "")) == (
        True,
        True,
    )


@pytest.mark.parametrize("text", [None, "no certificate"])
def test_certificates_that_can_not_be_used_are_told(tmp_path: Path, text: str | None) -> None:
    file = tmp_path / "ca.pem"
    if text is not None:
        file.write_text(text)
    with pytest.raises(Unavailable, match="webhook_tls_ca_file"):
        open_sender(Settings(webhook_tls_ca_file=file))
