"""Real S3 servers over HTTP for the session, and buckets and stores in them."""

import os
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import httpx
import pytest

from tams_graphql.backends import close_all, open_s3_store
from tams_graphql.media.s3.store import S3Store
from tams_graphql.storage_settings import S3BackendSettings
from tests.media.s3.servers import START, S3Place

MakeStore = Callable[..., S3Store]
LIFETIME = 600
SERVERS = {
    **dict.fromkeys(
        ("test_store", "test_copying", "test_server", "test_reconciling"),
        ("moto", "s3rver", "seaweedfs"),
    ),
    "test_signatures": ("seaweedfs",),
}
"""Which servers a module's tests run against, if it is not moto alone."""

S3RVER_LACKS = {
    "test_bytes_that_are_there_cannot_be_overwritten_through_their_url": "If-None-Match",
    "test_an_upload_url_is_spent_once_its_object_is_there": "If-None-Match",
    "test_doctor_looks_into_buckets": "If-None-Match",
    "test_nothing_is_seen_before_all_of_it_is_there": "lists of uploads",
    "test_it_goes_on_with_the_next_part": "lists of parts",
    "test_a_copy_inside_a_server_goes_on_too": "lists of parts",
    "test_two_versions_are_never_mixed": "lists of uploads",
    "test_a_server_copies_by_itself_in_parts": "copies of parts",
}
"""Which tests s3rver 3.7 fails, and what it does not know."""


@pytest.fixture(scope="session")
def s3_server(request: pytest.FixtureRequest) -> Iterator[S3Place]:
    """A running server: moto, unless the test asks for others (`pytest_generate_tests`)."""
    with START[getattr(request, "param", "moto")]() as place:
        yield place


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """What the port says holds on every server; the rest is not about servers."""
    if "s3_server" in metafunc.fixturenames:
        names = SERVERS.get(metafunc.module.__name__.rpartition(".")[2], ("moto",))
        if "S3_TEST_ENDPOINT" in os.environ:
            names = ("given",)
        params = [_marked(name, metafunc.function.__name__) for name in names]
        metafunc.parametrize("s3_server", params, indirect=True, scope="session")


def _marked(server: str, test: str) -> Any:
    marks = [pytest.mark.soak] if server == "seaweedfs" else []
    if server == "s3rver" and test in S3RVER_LACKS:
        marks.append(pytest.mark.xfail(reason=S3RVER_LACKS[test], strict=True))
    return pytest.param(server, marks=marks)


@pytest.fixture
def endpoint(s3_server: S3Place, monkeypatch: pytest.MonkeyPatch) -> str:
    """The server's address; nothing of the developer's AWS configuration leaks in."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("STUDIO_ACCESS_KEY_ID", s3_server.access_key)
    monkeypatch.setenv("STUDIO_SECRET_ACCESS_KEY", s3_server.secret_key)
    return s3_server.url


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
