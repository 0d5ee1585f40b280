"""The port through which one event is sent to one receiver, once; when again is others' to say."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    """One attempt. `headers`: all but those that frame the message; they may hold secrets."""

    url: str
    body: bytes = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of an attempt.

    `status_code`: ``None`` if nothing was answered in time. `reason`: why it failed, for the
    owner of the webhook to read; ``None``: it was delivered (2xx). `retry_after_s`: how long the
    receiver asks to be left alone. `response_excerpt`: how its answer starts, without control
    characters. `permanent`: the same again can't succeed, whatever the receiver does: it is the
    URL or a header that is refused here. `gone`: the receiver wants no more (410).
    """

    duration_us: int
    status_code: int | None = None
    reason: str | None = None
    retry_after_s: float | None = None
    response_excerpt: str | None = None
    permanent: bool = False
    gone: bool = False


class Sender(Protocol):
    """Sends; safe to be called any number of times at once."""

    async def send(self, post: Post) -> Outcome:
        """Send `post` once. Whatever the network or the receiver does, is in the outcome."""

    async def close(self) -> None:
        """Close connections; what is being sent fails."""
