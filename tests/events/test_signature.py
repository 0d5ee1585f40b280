"""Pins signatures against Standard Webhooks' own library, and its published example."""

import base64
import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook, WebhookVerificationError

from tams_graphql.events.signature import PREFIX, new_secret, sign

BYTES = st.binary(min_size=24, max_size=64)
IDS = st.text(
    st.characters(codec="ascii", categories=["L", "N"], include_characters="_-"), min_size=1
)
BODIES = st.text(st.characters(codec="utf-8"))


def secret_of(key: bytes) -> str:
    return PREFIX + base64.b64encode(key).decode()


def test_the_published_example() -> None:
    headers = sign(
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        1614265330,
        b'{"test": 2432232314}',
    )
    assert headers == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


@given(BYTES, IDS, st.integers(0, 2**33), BODIES)
def test_the_library_signs_alike(key: bytes, message_id: str, at_s: int, body: str) -> None:
    when = datetime.datetime.fromtimestamp(at_s, datetime.UTC)
    theirs = Webhook(secret_of(key)).sign(message_id, when, body)
    assert sign(secret_of(key), message_id, at_s, body.encode())["webhook-signature"] == theirs


@given(IDS, st.text(min_size=1))
def test_receivers_verify_with_the_library(message_id: str, rest: str) -> None:
    now_s = int(datetime.datetime.now(datetime.UTC).timestamp())
    secret, body = new_secret(), b'{"event": 1}'
    headers = sign(secret, message_id, now_s, body)
    assert Webhook(secret).verify(body, headers) == {"event": 1}
    old = sign(secret, message_id, now_s - 3600, body)
    for wrong_body, wrong_headers, other in (
        (body + rest.encode("utf-8", "replace"), headers, secret),
        (body, {**headers, "webhook-id": f"{message_id}x"}, secret),
        (body, {**headers, "webhook-timestamp": str(now_s - 1)}, secret),
        (body, headers, new_secret()),
        (body, old, secret),
    ):
        with pytest.raises(WebhookVerificationError):
            Webhook(other).verify(wrong_body, wrong_headers)


def test_secrets_are_new_each_time() -> None:
    found = {new_secret() for _ in range(100)}
    assert len(found) == 100
    for secret in found:
        assert secret.startswith("whsec_")
        assert len(base64.b64decode(secret.removeprefix("whsec_"), validate=True)) == 32


@pytest.mark.parametrize(
    "secret",
    [
        "",
        "whsec_",
        secret_of(bytes(23)),
        secret_of(bytes(65)),
        secret_of(bytes(32)).removeprefix(PREFIX),
        secret_of(bytes(32)) + "!",
        secret_of(bytes(32)).rstrip("="),
        "whsec_ä",
        f"WHSEC_{secret_of(bytes(32)).removeprefix(PREFIX)}",
    ],
)
def test_what_is_no_secret_is_refused_and_not_shown(secret: str) -> None:
    with pytest.raises(
        ValueError, match="a secret is whsec_ and the base64 of 24 to 64"
    ) as refusal:
        sign(secret, "id", 0, b"")
    rest = secret.removeprefix(PREFIX)
    assert not rest or rest not in str(refusal.value)


@pytest.mark.parametrize("message_id", ["", "a.b", "1.2", "."])
def test_ids_that_could_be_read_as_others_are_refused(message_id: str) -> None:
    with pytest.raises(ValueError, match="message id"):
        sign(new_secret(), message_id, 0, b"")
