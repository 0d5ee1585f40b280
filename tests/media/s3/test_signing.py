"""Presigned URLs are botocore's own, byte for byte, whatever the key, the site and the time."""

import random
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import botocore.auth
import pytest
from botocore.config import Config
from botocore.session import Session

from tams_graphql.media.s3.connection import base_url
from tams_graphql.media.s3.signing import MAX_LIFETIME, Credentials, Presigner

SITES = 55
CASES_PER_SITE = 200
REGIONS = ("us-east-1", "eu-west-1", "ap-southeast-3", "us-gov-west-1", "cn-north-1", "vast-1")
ENDPOINTS = (
    None,
    "https://s3.example.com",
    "http://127.0.0.1:9000",
    "https://store.example.com:443",
    "http://Vast.Example.com:80",
    "http://[::1]:7480",
    "https://gateway.example.com:8443/s3/prefix",
)
BUCKETS = ("media", "a-b.c", "tams-2026", "with.dots.in.it", "under_score")
LATEST = 4_000_000_000


@dataclass
class Clock:
    """A time that the test moves, for botocore and for us alike."""

    now: float = 0.0

    def __call__(self) -> float:
        return self.now

    def as_datetime(self, **_: Any) -> datetime:
        return datetime.fromtimestamp(self.now, UTC).replace(tzinfo=None)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(botocore.auth, "get_current_datetime", clock.as_datetime)
    return clock


@dataclass(frozen=True)
class Site:
    """A bucket somewhere, reached with some credentials: a client of botocore and a presigner."""

    client: Any
    bucket: str
    region: str
    credentials: Credentials

    @classmethod
    def random(cls, rng: random.Random) -> "Site":
        region = rng.choice(REGIONS)
        credentials = Credentials(
            "".join(rng.choices("ABCDEFGHIJ0123456789", k=rng.randint(3, 128))),
            "".join(rng.choices("abcXYZ019/+=é", k=rng.randint(1, 90))),
            rng.choice([None, "".join(rng.choices("abcXYZ019/+= &", k=rng.randint(1, 400)))]),
        )
        return cls(
            make_client(
                region, credentials, rng.choice(["path", "virtual", "auto"]), rng.choice(ENDPOINTS)
            ),
            rng.choice(BUCKETS),
            region,
            credentials,
        )

    def presigner(self, lifetime: int, clock: Callable[[], float]) -> Presigner:
        base = base_url(self.client, self.bucket)
        return Presigner(
            base, self.region, lambda: self.credentials, lifetime=lifetime, clock=clock
        )

    def botocores(self, method: str, key: str, lifetime: int, **more: str) -> str:
        url: str = self.client.generate_presigned_url(
            f"{method.lower()}_object",
            Params={"Bucket": self.bucket, "Key": key, **more},
            ExpiresIn=lifetime,
        )
        return url


def make_client(
    region: str, credentials: Credentials, style: str, endpoint: str | None = None
) -> Any:
    return Session().create_client(
        "s3",
        region_name=region,
        endpoint_url=endpoint,
        aws_access_key_id=credentials.access_key,
        aws_secret_access_key=credentials.secret_key,
        aws_session_token=credentials.session_token,
        config=Config(
            signature_version="s3v4",
            s3={"addressing_style": style},
            request_checksum_calculation="when_required",
        ),
    )


def any_text(rng: random.Random, most: int) -> str:
    """Any Unicode scalar values, ASCII and what URLs find special often among them."""
    kinds: list[Callable[[], str]] = [
        lambda: chr(rng.randint(0x20, 0x7E)),
        lambda: rng.choice("/.?#%&=+ ~:;@'\"()*!$,[]{}|\\^`<>\n\t\0"),
        lambda: chr(rng.randint(0x80, 0xD7FF)),
        lambda: chr(rng.randint(0xE000, 0x10FFFF)),
        lambda: rng.choice(("..", "/", "//", "/./", "%2F", "é", "e\u0301", "🎬")),
    ]
    return "".join(rng.choice(kinds)() for _ in range(rng.randint(1, most)))


def some_headers(rng: random.Random) -> Iterator[tuple[str, str, str]]:
    """Headers of a PUT: botocore's parameter, the header's name and its value."""
    every = [
        ("ContentType", "Content-Type", rng.choice(["video/mp4", "audio/x-a; b=c", "a/b  c"])),
        ("IfNoneMatch", "If-None-Match", "*"),
        ("ChecksumSHA256", "x-amz-checksum-sha256", "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="),
        ("ChecksumCRC32", "X-Amz-Checksum-Crc32", "AAAAAA=="),
        ("ContentMD5", "content-md5", "1B2M2Y8AsgTpgAmY7PhCfg=="),
        ("CacheControl", "Cache-Control", "max-age=60,  private "),
    ]
    return (one for one in every if rng.random() < 0.5)


@pytest.mark.parametrize("site_number", range(SITES))
def test_equal_to_botocore(clock: Clock, site_number: int) -> None:
    rng = random.Random(site_number)
    site = Site.random(rng)
    for _ in range(CASES_PER_SITE):
        clock.now = rng.uniform(0, LATEST)
        key, lifetime = any_text(rng, 60), rng.randint(1, MAX_LIFETIME)
        method = rng.choice(["GET", "HEAD", "PUT"])
        headers = list(some_headers(rng)) if method == "PUT" else []
        more = {parameter: value for parameter, _, value in headers}
        presigner = site.presigner(lifetime, clock)
        mine = presigner.url(method, key, {name: value for _, name, value in headers})
        assert mine == site.botocores(method, key, lifetime, **more), (key, headers)
        if not headers:
            other = presigner.url(method, f"{key}x")
            assert presigner.urls(method, [key, f"{key}x", key]) == [mine, other, mine]


def test_the_example_in_amazons_documentation() -> None:
    """The presigned URL of "Authenticating Requests: Using Query Parameters"."""
    presigner = Presigner(
        "https://examplebucket.s3.amazonaws.com/",
        "us-east-1",
        lambda: Credentials("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"),
        lifetime=86_400,
        clock=lambda: datetime(2013, 5, 24, tzinfo=UTC).timestamp(),
    )
    signature = presigner.urls("GET", ["test.txt"])[0].partition("&X-Amz-Signature=")[2]
    assert signature == "aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"


def test_one_presigner_crosses_midnight_and_goes_back(clock: Clock) -> None:
    site = Site.random(random.Random("midnight"))
    presigner = site.presigner(60, clock)
    midnight = 20_000 * 86_400
    for now in (midnight - 0.001, midnight, midnight + 86_399.999, midnight + 86_400, midnight - 1):
        clock.now = now
        assert presigner.urls("GET", ["a", "é"]) == [
            site.botocores("GET", "a", 60),
            site.botocores("GET", "é", 60),
        ]


def test_new_credentials_are_used_from_the_next_batch_on(clock: Clock) -> None:
    found = [Credentials("OLD", "old", "token"), Credentials("OLD", "new"), Credentials("A", "new")]
    held = [found[0]]
    base = base_url(make_client("eu-west-1", found[0], "path"), "media")
    presigner = Presigner(base, "eu-west-1", lambda: held[0], lifetime=60, clock=clock)
    for credentials in (*found, found[0]):
        held[0] = credentials
        site = Site(
            make_client("eu-west-1", credentials, "path"), "media", "eu-west-1", credentials
        )
        assert presigner.urls("GET", ["k"]) == [site.botocores("GET", "k", 60)]


def test_threads_around_midnight_give_what_one_thread_gives(clock: Clock) -> None:
    site = Site.random(random.Random("threads"))
    midnight = 20_000 * 86_400
    keys = [f"{number:032x}" for number in range(50)]
    expected = {}
    for now in (midnight - 1, midnight):
        clock.now = now
        expected[now] = [site.botocores("GET", key, 60) for key in keys]
    local = threading.local()
    shared = site.presigner(60, lambda: local.now)
    wrong: list[str] = []

    def sign(seed: int) -> None:
        rng = random.Random(seed)
        for _ in range(100):
            local.now = rng.choice([midnight - 1, midnight])
            if shared.urls("GET", keys) != expected[local.now]:
                wrong.append(f"thread {seed} at {local.now}")

    threads = [threading.Thread(target=sign, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_secrets_are_never_printed() -> None:
    shown = repr(Credentials("AKID", "hush", "hushed"))
    assert "hush" not in shown
    assert "AKID" in shown


@pytest.mark.parametrize("lifetime", [0, -1, MAX_LIFETIME + 1])
def test_a_lifetime_that_s3_refuses_is_refused_at_once(lifetime: int) -> None:
    with pytest.raises(ValueError, match="604800"):
        Presigner("https://x.example/", "r", lambda: Credentials("a", "b"), lifetime=lifetime)
