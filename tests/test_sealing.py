"""Pins what keeps secrets in the index secret: the key, the owner, and no two sealed alike."""

import base64

import pytest

from tams_graphql.resolvers.secrets import SealBroken
from tams_graphql.sealing import SealedSecrets

KEY, OTHER = bytes(range(32)), bytes(32)
SECRET = "Bearer 21238dksdjqwpqscj9 ünïcode"


def test_what_was_sealed_opens_again_in_another_process() -> None:
    sealed = SealedSecrets(KEY).seal(SECRET, "one")
    assert SealedSecrets(KEY).open(sealed, "one") == SECRET
    assert SECRET.encode() not in base64.b64decode(sealed.removeprefix("1."))
    assert SealedSecrets(KEY).seal(SECRET, "one") != sealed


@pytest.mark.parametrize("damaged", ["", "1.", "1.AAAA", "1.!", "no base64"])
def test_what_was_never_sealed_does_not_open(damaged: str) -> None:
    with pytest.raises(SealBroken):
        SealedSecrets(KEY).open(damaged, "one")


def test_nothing_opens_with_another_key_for_another_owner_or_changed() -> None:
    secrets = SealedSecrets(KEY)
    sealed = secrets.seal(SECRET, "one")
    with pytest.raises(SealBroken):
        SealedSecrets(OTHER).open(sealed, "one")
    with pytest.raises(SealBroken):
        secrets.open(sealed, "two")
    flipped = bytearray(base64.b64decode(sealed.removeprefix("1.")))
    flipped[-1] ^= 1
    with pytest.raises(SealBroken) as refusal:
        secrets.open("1." + base64.b64encode(flipped).decode(), "one")
    assert SECRET not in str(refusal.value)


def test_digests_tell_parts_apart_and_need_the_key() -> None:
    secrets = SealedSecrets(KEY)
    digest = secrets.digest("https://a", "b", None)
    assert digest == SealedSecrets(KEY).digest("https://a", "b", None)
    others = [("https://ab", "", None), ("https://a", "b"), ("https://a", "b", "")]
    assert len({digest, *(secrets.digest(*parts) for parts in others)}) == 4
    assert SealedSecrets(OTHER).digest("https://a", "b", None) != digest
