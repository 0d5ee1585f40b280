"""Signatures of what is sent, as Standard Webhooks has them, so that receivers' libraries do.

1. What is signed is ``<id>.<timestamp>.<body>``, with HMAC-SHA256 and the webhook's own secret.
2. ``webhook-id`` is the same at each attempt, for receivers to tell repetitions;
   ``webhook-timestamp`` is the attempt's, for them to refuse what was recorded and is replayed.
3. ``webhook-signature`` is ``v1,`` and the base64 of the digest.
"""

import base64
import binascii
import hmac
import os
from typing import Final

PREFIX: Final = "whsec_"
"""What secrets start with: base64 of 24 to 64 bytes follows."""

_NEW_BYTES: Final = 32


def new_secret() -> str:
    """A secret that nobody can guess."""
    return PREFIX + base64.b64encode(os.urandom(_NEW_BYTES)).decode()


def sign(secret: str, message_id: str, timestamp_s: int, body: bytes) -> dict[str, str]:
    """The headers that say what `body` is and who sent it.

    Args:
        secret: as `new_secret` makes them.
        message_id: the event's, the same at each attempt.
        timestamp_s: the attempt's, in seconds since the Unix epoch.
        body: as it is sent, to the byte.

    Raises:
        ValueError: `secret` is none, or `message_id` could be read as another's.
    """
    if not message_id or "." in message_id:
        raise ValueError(f"message id {message_id!r} is empty or has a dot")
    signed = f"{message_id}.{timestamp_s}.".encode() + body
    digest = hmac.digest(_key(secret), signed, "sha256")
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp_s),
        "webhook-signature": f"v1,{base64.b64encode(digest).decode()}",
    }


def _key(secret: str) -> bytes:
    """The bytes of a secret. Messages never show any of it."""
    try:
        key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not secret.startswith(PREFIX) or not 24 <= len(key) <= 64:
        raise ValueError(f"a secret is {PREFIX} and the base64 of 24 to 64 bytes")
    return key
