"""Pins what a signed URL permits, until when, and that nothing in it can be altered."""

import base64
import hashlib
import hmac
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tams_graphql.media.filesystem.signing import Grant, UrlSigner
from tams_graphql.model.errors import Forbidden
from tests.media.filesystem.site import SECRET, Clock

KEY = "0123456789abcdef" * 2
OTHER = "f" * 32


def signer(clock: Clock | None = None, secret: bytes = SECRET) -> UrlSigner:
    return UrlSigner(secret, "https://tams.test/base/", clock=clock or Clock())


def query_of(url: str) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(url).query, keep_blank_values=True))


def verify(url: str, method: str = "GET", /, **changes: str) -> Grant:
    return signer().verify(method, "disk-1", KEY, urlencode(query_of(url) | changes))


def refused(url: str, method: str = "GET", /, **changes: str) -> tuple[str, str]:
    with pytest.raises(Forbidden) as caught:
        verify(url, method, **changes)
    return caught.value.problems[0].field, caught.value.problems[0].rule


def get_url() -> str:
    return signer().urls("GET", "disk-1", [KEY])[0]


def put_url() -> str:
    return signer().put_url("disk-1", KEY, "object 1", "video/mp2t")


def test_the_url_is_what_the_module_says() -> None:
    mac = hmac.new(SECRET, f"GET\n1700003600\ndisk-1\n{KEY}".encode(), hashlib.sha256).digest()
    signature = base64.urlsafe_b64encode(mac).decode().rstrip("=")
    assert get_url() == (
        f"https://tams.test/base/media/disk-1/{KEY}"
        f"?method=GET&expires=1700003600&signature={signature}"
    )


def test_an_upload_signs_object_and_content_type_too() -> None:
    lines = f"PUT\n1700003600\ndisk-1\n{KEY}\nobject%201\nvideo%2Fmp2t"
    mac = hmac.new(SECRET, lines.encode(), hashlib.sha256).digest()
    assert query_of(put_url()) == {
        "method": "PUT",
        "expires": "1700003600",
        "object_id": "object 1",
        "content_type": "video/mp2t",
        "signature": base64.urlsafe_b64encode(mac).decode().rstrip("="),
    }


def test_a_batch_is_signed_in_the_order_of_its_keys() -> None:
    assert signer().urls("HEAD", "disk-1", [KEY, OTHER]) == [
        signer().urls("HEAD", "disk-1", [KEY])[0],
        signer().urls("HEAD", "disk-1", [OTHER])[0],
    ]


@pytest.mark.parametrize(
    ("signed", "permitted"),
    [("GET", ["GET", "HEAD"]), ("HEAD", ["HEAD"]), ("PUT", ["PUT"])],
)
def test_methods_that_a_url_permits(signed: str, permitted: list[str]) -> None:
    url = put_url() if signed == "PUT" else signer().urls(signed, "disk-1", [KEY])[0]
    for method in ("GET", "HEAD", "PUT", "DELETE"):
        if method in permitted:
            assert verify(url, method).expires == 1_700_003_600
        else:
            assert refused(url, method) == ("method", "mismatch")


@pytest.mark.parametrize(
    ("change", "refusal"),
    [
        ({"method": "HEAD"}, ("signature", "mismatch")),
        ({"method": "PUT"}, ("signature", "mismatch")),
        ({"method": "DELETE"}, ("method", "enum")),
        ({"method": "GET\n1700003600"}, ("method", "enum")),
        ({"expires": "1700003601"}, ("signature", "mismatch")),
        ({"expires": "01700003600"}, ("signature", "mismatch")),
        ({"expires": "１７００００３６００"}, ("expires", "format")),
        ({"expires": "-1"}, ("expires", "format")),
        ({"expires": ""}, ("expires", "format")),
        ({"signature": ""}, ("signature", "mismatch")),
        ({"signature": "é" * 43}, ("signature", "mismatch")),
        ({"object_id": "x"}, ("signature", "mismatch")),
        ({"content_type": "x"}, ("signature", "mismatch")),
    ],
)
def test_a_download_with_one_parameter_altered(
    change: dict[str, str], refusal: tuple[str, str]
) -> None:
    assert refused(get_url(), **change) == refusal


@pytest.mark.parametrize(
    "change",
    [
        {"object_id": "object 2"},
        {"object_id": ""},
        {"content_type": "text/html"},
        {"expires": "1700009999"},
        {"object_id": "object 1\nvideo/mp2t", "content_type": ""},
    ],
)
def test_an_upload_with_parameters_altered(change: dict[str, str]) -> None:
    assert refused(put_url(), "PUT", **change) == ("signature", "mismatch")


@pytest.mark.parametrize("name", ["method", "expires", "signature"])
def test_a_parameter_missing(name: str) -> None:
    rest = {key: value for key, value in query_of(get_url()).items() if key != name}
    with pytest.raises(Forbidden) as caught:
        signer().verify("GET", "disk-1", KEY, urlencode(rest))
    problem = caught.value.problems[0]
    assert (problem.field, problem.rule) == (name, "required")


@pytest.mark.parametrize("name", ["object_id", "content_type"])
def test_an_upload_parameter_missing(name: str) -> None:
    rest = {key: value for key, value in query_of(put_url()).items() if key != name}
    with pytest.raises(Forbidden) as caught:
        signer().verify("PUT", "disk-1", KEY, urlencode(rest))
    assert caught.value.problems[0].field == "signature"


def test_a_signed_parameter_may_come_only_once_others_as_they_like() -> None:
    query = urlsplit(get_url()).query
    assert signer().verify("GET", "disk-1", KEY, query + "&CMCD=br&CMCD=d").expires == 1_700_003_600
    with pytest.raises(Forbidden) as caught:
        signer().verify("GET", "disk-1", KEY, query + "&expires=1700003600")
    assert caught.value.problems[0].rule == "repeated"


@pytest.mark.parametrize(("storage_id", "key"), [("disk-2", KEY), ("disk-1", OTHER)])
def test_the_path_is_signed(storage_id: str, key: str) -> None:
    with pytest.raises(Forbidden) as caught:
        signer().verify("GET", storage_id, key, urlsplit(get_url()).query)
    assert caught.value.problems[0].field == "signature"


def test_another_secret_signs_nothing_for_us() -> None:
    foreign = signer(secret=b"t" * 32).urls("GET", "disk-1", [KEY])[0]
    assert refused(foreign) == ("signature", "mismatch")
    with pytest.raises(ValueError, match="32 bytes"):
        signer(secret=b"short")


@pytest.mark.parametrize(("late", "good"), [(3600, True), (3660, True), (3660.5, False)])
def test_a_url_ends_with_its_lifetime_and_a_minute_of_grace(late: float, good: bool) -> None:
    clock = Clock()
    query = urlsplit(signer(clock).urls("GET", "disk-1", [KEY])[0]).query
    clock.now += late
    if good:
        grant = signer(clock).verify("GET", "disk-1", KEY, query)
        assert signer(clock).seconds_left(grant) == 0
    else:
        with pytest.raises(Forbidden, match="expired at 2023-11-14T23:13:20") as caught:
            signer(clock).verify("GET", "disk-1", KEY, query)
        assert caught.value.problems[0].field == "expires"


@given(object_id=st.text(), content_type=st.text(), storage_id=st.text(min_size=1))
def test_any_object_id_travels_unharmed(object_id: str, content_type: str, storage_id: str) -> None:
    url = signer().put_url(storage_id, KEY, object_id, content_type)
    assert url.isascii()
    assert urlsplit(url).path == f"/base/media/{quote(storage_id, safe='')}/{KEY}"
    grant = signer().verify("PUT", storage_id, KEY, urlsplit(url).query)
    assert grant == Grant(1_700_003_600, object_id, content_type)
