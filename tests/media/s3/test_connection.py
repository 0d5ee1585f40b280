"""Where credentials come from, and that temporary ones are renewed before they are missed."""

import json
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tams_graphql.media.s3 import connection
from tams_graphql.media.s3.connection import Bucket, Connection
from tams_graphql.media.s3.signing import Credentials
from tams_graphql.model.errors import Unavailable


def temporary(access_key: str) -> str:
    """What a credential process prints; boto3 renews what has less than a quarter of an hour."""
    expires = datetime.now(UTC) + timedelta(minutes=12)
    return json.dumps(
        {
            "Version": 1,
            "AccessKeyId": access_key,
            "SecretAccessKey": "hush",
            "SessionToken": f"token of {access_key}",
            "Expiration": expires.isoformat(),
        }
    )


def test_temporary_credentials_of_a_profile_are_renewed(
    endpoint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    printed = tmp_path / "credentials.json"
    printed.write_text(temporary("FIRST"))
    config = tmp_path / "config"
    config.write_text(f"[profile studio]\ncredential_process = cat {printed}\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    monkeypatch.setattr(connection, "_RENEW_SECONDS", 0.02)
    bucket = Bucket(name="media", region="us-east-1", endpoint=endpoint, profile="studio")
    found = Connection(bucket, threads=1)
    try:
        assert found.credentials() == Credentials("FIRST", "hush", "token of FIRST")
        printed.write_text(temporary("SECOND"))
        deadline = time.monotonic() + 10
        while found.credentials().access_key == "FIRST":
            assert time.monotonic() < deadline, "never renewed"
            time.sleep(0.01)
        assert found.credentials() == Credentials("SECOND", "hush", "token of SECOND")
    finally:
        found.close()


def test_a_profile_that_does_not_exist_is_told(endpoint: str) -> None:
    bucket = Bucket(name="media", region="us-east-1", endpoint=endpoint, profile="nobody")
    with pytest.raises(Unavailable, match="nobody"):
        Connection(bucket, threads=1)


def test_credentials_of_the_environment(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("ACCESS_KEY_ID", "A"), ("SECRET_ACCESS_KEY", "b"), ("SESSION_TOKEN", "c")):
        monkeypatch.setenv(f"OTHER_{name}", value)
    bucket = Bucket(name="media", region="us-east-1", endpoint=endpoint, credentials_env="OTHER_")
    found = Connection(bucket, threads=1)
    assert found.credentials() == Credentials("A", "b", "c")
    found.close()


def test_a_token_alone_does_not_leak_in(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A session token of the default chain has nothing to do with keys of another prefix."""
    monkeypatch.setenv("AWS_SESSION_TOKEN", "of somebody else")
    bucket = Bucket(name="media", region="us-east-1", endpoint=endpoint, credentials_env="STUDIO_")
    found = Connection(bucket, threads=1)
    assert found.credentials() == Credentials("studio", "studio-secret", None)
    found.close()
