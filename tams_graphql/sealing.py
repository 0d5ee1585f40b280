"""Secrets at rest: AES-256-GCM under a key that lies beside the index, not in it.

1. Two keys are derived from the one given: one seals, the other makes digests.
2. A sealed text is ``1.`` (this format), then base64 of a random nonce and the ciphertext.
3. What it belongs to is authenticated with it, so that nobody who can write to the index moves a
   secret to where he can read it: to a webhook of his own.
"""

import base64
import binascii
import hashlib
import hmac
import os
from typing import Final

import orjson
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tams_graphql.resolvers.secrets import SealBroken

_FORMAT: Final = "1."
_NONCE_BYTES: Final = 12


class SealedSecrets:
    """`resolvers.secrets.Secrets` under a key of 32 bytes, the same for all processes."""

    def __init__(self, key: bytes) -> None:
        self._cipher = AESGCM(_derived(key, "seal"))
        self._digest_key = _derived(key, "digest")

    def seal(self, text: str, about: str) -> str:
        """As `Secrets.seal`."""
        nonce = os.urandom(_NONCE_BYTES)
        sealed = nonce + self._cipher.encrypt(nonce, text.encode(), about.encode())
        return _FORMAT + base64.b64encode(sealed).decode()

    def open(self, sealed: str, about: str) -> str:
        """As `Secrets.open`."""
        try:
            given = base64.b64decode(sealed.removeprefix(_FORMAT), validate=True)
            nonce, rest = given[:_NONCE_BYTES], given[_NONCE_BYTES:]
            return self._cipher.decrypt(nonce, rest, about.encode()).decode()
        except (binascii.Error, ValueError, InvalidTag) as error:
            raise SealBroken(f"the secret of {about} can't be opened with this key") from error

    def digest(self, *parts: str | None) -> str:
        """As `Secrets.digest`: an HMAC-SHA256 in hexadecimal."""
        return hmac.new(self._digest_key, orjson.dumps(parts), hashlib.sha256).hexdigest()


def _derived(key: bytes, purpose: str) -> bytes:
    return hmac.digest(key, f"tams-graphql {purpose}".encode(), "sha256")
