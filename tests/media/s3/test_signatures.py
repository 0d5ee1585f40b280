"""A server that checks signatures honours our URLs, and nobody else's."""

from dataclasses import replace
from typing import Any

from tams_graphql.media.s3.signing import Presigner
from tams_graphql.media.s3.store import S3Store
from tests.media.s3.conftest import LIFETIME, ask

KEY = "0123456789abcdef0123456789abcdef"


def test_good_urls_are_honoured_and_forged_ones_are_not(
    store: S3Store, boto: Any, bucket: str
) -> None:
    boto.put_object(Bucket=bucket, Key=KEY, Body=b"frames")
    boto.put_object(Bucket=bucket, Key="other", Body=b"secret")
    (get_url,), (head_url,) = store.get_urls([KEY]), store.head_urls([KEY])
    assert ask("GET", get_url).content == b"frames"
    assert ask("HEAD", head_url).status_code == 200
    forged = [
        get_url.replace(KEY, "other"),
        get_url.replace(f"X-Amz-Expires={LIFETIME}", "X-Amz-Expires=604800"),
        get_url[:-1] + ("0" if get_url[-1] != "0" else "1"),
        get_url.partition("?")[0],
        head_url,
    ]
    assert [ask("GET", url).status_code for url in forged] == [403] * len(forged)
    assert ask("DELETE", get_url).status_code == 403
    assert ask("PUT", get_url, content=b"mine").status_code == 403


def test_an_upload_must_be_sent_as_it_was_signed(store: S3Store, boto: Any, bucket: str) -> None:
    digest = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
    request = store.put_request(KEY, "an object", "video/mp4", digest)
    headers = {"content-type": "video/mp4", **request.headers}
    for name, value in (("content-type", "text/html"), ("x-amz-checksum-sha256", "A" * 43 + "=")):
        answer = ask("PUT", request.url, content=b"", headers={**headers, name: value})
        assert answer.status_code == 403
    assert boto.list_objects_v2(Bucket=bucket)["KeyCount"] == 0
    assert ask("PUT", request.url, content=b"", headers=headers).status_code == 200


def test_another_secret_opens_nothing(store: S3Store, boto: Any, bucket: str) -> None:
    boto.put_object(Bucket=bucket, Key=KEY, Body=b"frames")
    connection = store.connection
    guess = replace(connection.credentials(), secret_key="guess")
    forger = Presigner(
        connection.base_url, connection.bucket.region, lambda: guess, lifetime=LIFETIME
    )
    assert ask("GET", forger.urls("GET", [KEY])[0]).status_code == 403
