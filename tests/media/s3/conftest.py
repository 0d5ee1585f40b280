"""A real S3 server over HTTP for the session, and buckets and stores in it."""

import os
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import httpx
import pytest
from moto.server import ThreadedMotoServer

from tams_graphql.backends import close_all, open_s3_store
from tams_graphql.media.s3.store import S3Store
from tams_graphql.storage_settings import S3BackendSettings

MakeStore = Callable[..., S3Store]
LIFETIME = 600


@pytest.fixture(scope="session")
def s3_server() -> Iterator[str]:
    """The address of a moto server, or of the one named by ``S3_TEST_ENDPOINT``.

    ``S3_TEST_ACCESS_KEY_ID`` and ``S3_TEST_SECRET_ACCESS_KEY`` must allow to create buckets there.
    """
    given = os.environ.get("S3_TEST_ENDPOINT")
    if given is not None:
        yield given
        return
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def endpoint(s3_server: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The server's address; nothing of the developer's AWS configuration leaks in."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name, default in (("ACCESS_KEY_ID", "studio"), ("SECRET_ACCESS_KEY", "studio-secret")):
        monkeypatch.setenv(f"STUDIO_{name}", os.environ.get(f"S3_TEST_{name}", default))
    return s3_server


@pytest.fixture
def boto(endpoint: str) -> boto3.client:
    """A client of our own, to look behind the store's back."""
    return boto3.client(
        "s3",
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id=os.environ["STUDIO_ACCESS_KEY_ID"],
        aws_secret_access_key=os.environ["STUDIO_SECRET_ACCESS_KEY"],
    )


@pytest.fixture
def bucket(boto: boto3.client) -> str:
    """A fresh bucket."""
    name = f"media-{uuid.uuid4().hex[:12]}"
    boto.create_bucket(Bucket=name)
    return name


def ask(method: str, url: str, **more: Any) -> httpx.Response:
    """One request to the bucket; blocks, which bothers no server: those are in other threads."""
    return httpx.request(method, url, **more)


def settings_of(endpoint: str, bucket: str, **more: object) -> S3BackendSettings:
    """A backend in `bucket`."""
    given = {
        "id": uuid.uuid4(),
        "label": f"in-{bucket}",
        "provider": "moto",
        "bucket": bucket,
        "endpoint": endpoint,
        "credentials_env": "STUDIO_",
    }
    return S3BackendSettings.model_validate({**given, **more})


@pytest.fixture
def make_store(endpoint: str) -> Iterator[MakeStore]:
    """Makes stores from settings, and closes them."""
    stores: list[S3Store] = []

    def make(bucket: str, **more: object) -> S3Store:
        stores.append(
            open_s3_store(
                settings_of(str(more.pop("endpoint", endpoint)), bucket, **more), LIFETIME
            )
        )
        return stores[-1]

    yield make
    close_all(stores)


@pytest.fixture
def store(make_store: MakeStore, bucket: str) -> S3Store:
    """A store in a fresh bucket."""
    return make_store(bucket)
