"""What can go wrong in the media client, as exceptions a person can act on."""

from collections.abc import Mapping, Sequence
from typing import Any


class ClientError(Exception):
    """Anything the media client refuses or cannot do; the message says what to change."""


class MediaError(ClientError):
    """A media file or object that cannot be read, split or written as asked."""


class NoKeyFrameError(MediaError):
    """The first picture wanted refers to pictures of an earlier segment."""


class RequestError(ClientError):
    """A TAMS server (or its storage) answered a request with an error.

    Attributes:
        status: HTTP status of the answer; ``None`` if there was no answer at all.
    """

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class RegistrationError(ClientError):
    """Some segments of a bulk registration were refused (spec 8.2, POST segments, status 200).

    Attributes:
        failed: the refused segments as the server described them: ``object_id``, and where
            known ``timerange`` and ``error``.
        registered: number of segments of the same request that were stored.
    """

    def __init__(self, failed: Sequence[Mapping[str, Any]], registered: int) -> None:
        super().__init__(f"{len(failed)} segments refused, {registered} stored: {_reasons(failed)}")
        self.failed = failed
        self.registered = registered


def _reasons(failed: Sequence[Mapping[str, Any]]) -> str:
    told = [
        f"{item.get('timerange') or item['object_id']}: "
        f"{(item.get('error') or {}).get('summary', 'no reason given')}"
        for item in failed[:3]
    ]
    return "; ".join(told) + (" …" if len(failed) > len(told) else "")
