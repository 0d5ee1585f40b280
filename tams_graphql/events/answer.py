"""What is kept of an answer: how long to wait, and the little that a person may want to read."""

import email.utils
import re
import unicodedata
from collections.abc import Iterable
from datetime import UTC
from typing import Final

EXCERPT: Final = 1000
"""How much of an answer is kept, in characters."""

_DELAY: Final = re.compile(r"\s*([0-9]{1,9})\s*")
_SECRET_FROM: Final = 8
"""Shorter values of headers, in characters, are no secrets, and common in texts."""


def retry_after_s(value: str | None, now_s: float) -> float | None:
    """What ``Retry-After`` asks for (RFC 9110, 10.2.3), in seconds; ``None`` if it makes no sense.

    Args:
        value: of the header: seconds, or a date; one that has passed is 0.
        now_s: the wall clock, in seconds since the Unix epoch.
    """
    if value is None:
        return None
    seconds = _DELAY.fullmatch(value)
    if seconds is not None:
        return float(seconds[1])
    try:
        at = email.utils.parsedate_to_datetime(value)
        aware = at if at.tzinfo is not None else at.replace(tzinfo=UTC)
        return max(0.0, aware.timestamp() - now_s)
    except (ValueError, OverflowError):
        return None


def excerpt_of(body: bytes, sent: Iterable[str]) -> str | None:
    """How `body` starts, on one line; ``None`` if there is nothing to read.

    Args:
        body: as it came.
        sent: values of headers that went out: a receiver that repeats them must not have secrets
            shown to whoever may look at the outcome.
    """
    text = body.decode("utf-8", "replace")
    for value in sorted(sent, key=len, reverse=True):
        if len(value) >= _SECRET_FROM:
            text = text.replace(value, "…")
    readable = "".join(" " if unicodedata.category(c)[0] in "CZ" else c for c in text)
    return " ".join(readable.split())[:EXCERPT] or None
