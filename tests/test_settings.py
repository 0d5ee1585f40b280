"""Pins precedence and the refusals of the configuration."""

import json
import uuid
from pathlib import Path

import pytest
from pydantic import ValidationError

from tams_graphql.settings import Settings, env_example, setting_sources


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory and environment: nothing of the developer's leaks in."""
    monkeypatch.chdir(tmp_path)
    for name in Settings.model_fields:
        monkeypatch.delenv(f"TAMS_{name.upper()}", raising=False)
    return tmp_path


def test_flags_beat_environment_beats_file(
    elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (elsewhere / "tams.toml").write_text('port = 1001\nname = "from file"\nhost = "127.0.0.2"\n')
    monkeypatch.setenv("TAMS_PORT", "1002")
    monkeypatch.setenv("TAMS_NAME", "from environment")
    settings = Settings(port=1003)
    assert (settings.port, settings.name, settings.host) == (1003, "from environment", "127.0.0.2")
    sources = setting_sources({"port"})
    assert [sources[name] for name in ("port", "name", "host", "data")] == [
        "flag",
        "TAMS_NAME",
        "tams.toml",
        "default",
    ]


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "media.example"])
def test_listening_beyond_loopback_needs_the_flag(host: str) -> None:
    with pytest.raises(ValidationError, match="--insecure-no-auth"):
        Settings(host=host)
    assert Settings(host=host, insecure_no_auth=True).host == host


@pytest.mark.parametrize(
    ("given", "url"),
    [
        ({}, "http://127.0.0.1:8000"),
        ({"host": "::1", "port": 9}, "http://[::1]:9"),
        ({"public_url": "https://tams.example/prefix/"}, "https://tams.example/prefix"),
    ],
)
def test_every_url_starts_with_the_public_one(given: dict[str, object], url: str) -> None:
    assert Settings(**given).base_url == url


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"min_object_timeout": 299}, "300"),
        ({"min_presigned_url_timeout": 29}, "30"),
        ({"min_object_timeout": 400, "min_presigned_url_timeout": 401}, "must not exceed"),
        ({"log_level": "loud"}, "debug, info"),
        ({"port": 0}, "1"),
        ({"no_such_setting": 1}, "Extra inputs"),
    ],
)
def test_what_cannot_work_is_refused(given: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Settings(**given)


def test_env_example_names_every_setting_with_its_default() -> None:
    lines = env_example().splitlines()
    for name in Settings.model_fields:
        assert any(line.startswith(f"#TAMS_{name.upper()}=") for line in lines)
    assert "#TAMS_PORT=8000" in lines


BUCKET = {"id": "0d4b8c1e-8a53-4f6e-9d7a-0d5f0a3a1f00", "label": "s3", "bucket": "media"}


def bucket(**more: object) -> dict[str, object]:
    return {**BUCKET, "provider": "studio", **more}


def test_buckets_come_from_the_file_or_as_json(
    elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = "\n".join(f'{name} = "{value}"' for name, value in bucket().items())
    (elsewhere / "tams.toml").write_text(f"[[storage_backends]]\n{table}\n")
    (found,) = Settings().storage_backends
    assert (str(found.id), found.bucket, found.write_once) == (BUCKET["id"], "media", True)
    monkeypatch.setenv("TAMS_STORAGE_BACKENDS", json.dumps([bucket(bucket="other")]))
    assert [one.bucket for one in Settings().storage_backends] == ["other"]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"storage_backends": [bucket(label="local")]}, "the same label"),
        ({"storage_backends": [bucket(), bucket(label="b")]}, "the same id"),
        (
            {
                "storage_backends": [
                    bucket(default_storage=True),
                    bucket(id=str(uuid.uuid4()), label="b", default_storage=True),
                ]
            },
            "the default one",
        ),
        ({"storage_backends": [bucket(secret_access_key="hush")]}, "secret_access_key"),
        ({"storage_backends": [bucket(endpoint="https://a:hush@s3.example")]}, "no credentials"),
        ({"storage_backends": [bucket(profile="a", credentials_env="B_")]}, "not both"),
        ({"storage_backends": [bucket(verify_tls=False, tls_ca_file="x")]}, "verify_tls"),
        ({"embedded_storage": False}, "no storage_backends"),
        (
            {
                "storage_backends": [bucket()],
                "min_presigned_url_timeout": 604_801,
                "min_object_timeout": 700_000,
            },
            "604800",
        ),
    ],
)
def test_backends_that_contradict_each_other_are_refused(
    given: dict[str, object], message: str
) -> None:
    with pytest.raises(ValidationError, match=message) as refused:
        Settings(**given)
    assert "hush" not in str(refused.value)


VAST = {"endpoints": ["https://vip1.example", "https://vip2.example:8443/"], "bucket": "index"}


def test_an_index_in_vast_db_comes_from_the_file_or_as_json(
    elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert Settings().vast is None
    (elsewhere / "tams.toml").write_text(
        '[vast]\nendpoints = ["http://127.0.0.1:9090"]\nbucket = "index"\nschema = "other"\n'
    )
    found = Settings().vast
    assert found is not None
    assert (found.bucket, found.db_schema, found.timeout, found.threads) == (
        "index", "other", 10.0, 8,
    )  # fmt: skip
    assert setting_sources(())["vast"] == "tams.toml"
    (elsewhere / "tams.toml").unlink()
    monkeypatch.setenv("TAMS_VAST", json.dumps(VAST))
    found = Settings().vast
    assert found is not None
    assert (found.db_schema, found.verify_tls) == ("tams", True)
    assert [str(url) for url in found.endpoints] == [
        "https://vip1.example/",
        "https://vip2.example:8443/",
    ]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"endpoints": []}, "at least 1"),
        ({"endpoints": ["https://a:hush@vip1.example"]}, "no credentials"),
        ({"endpoints": ["https://vip1.example/?hush"]}, "no credentials"),
        ({"endpoints": ["https://vip1.example/hush"]}, "no path"),
        ({"endpoints": ["https://vip1.example", "https://vip1.example/"]}, "the same"),
        ({"secret_key": "hush"}, "secret_key"),
        ({"schema": "a/b"}, "pattern"),
        ({"verify_tls": False, "tls_ca_file": "x"}, "verify_tls"),
        ({"timeout": 0}, "greater than 0"),
        ({"threads": 0}, "greater than 0"),
    ],
)
def test_a_vast_db_that_cannot_be_is_refused(given: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message) as refused:
        Settings(vast={**VAST, **given})
    assert "hush" not in str(refused.value)


def test_networks_for_webhooks_are_a_list_of_cidrs(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Settings().webhook_networks == []
    monkeypatch.setenv("TAMS_WEBHOOK_NETWORKS", '["10.0.0.0/8", "fd00::/8"]')
    found = [str(network) for network in Settings().webhook_networks]
    assert found == ["10.0.0.0/8", "fd00::/8"]
    monkeypatch.setenv("TAMS_WEBHOOK_NETWORKS", '["10.0.0.1/8"]')
    with pytest.raises(ValidationError, match="webhook_networks"):
        Settings()


def test_ports_for_webhooks_are_a_list_of_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Settings().webhook_ports == [80, 443, 8080, 8443]
    monkeypatch.setenv("TAMS_WEBHOOK_PORTS", "[443, 9000]")
    assert Settings().webhook_ports == [443, 9000]
    monkeypatch.setenv("TAMS_WEBHOOK_PORTS", "[0]")
    with pytest.raises(ValidationError, match="webhook_ports"):
        Settings()
