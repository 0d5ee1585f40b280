"""Conditional and range requests (RFC 9110, sections 13 and 14), as questions about headers."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import formatdate, parsedate_to_datetime

from starlette.datastructures import Headers

_ETAGS = re.compile(r'(W/)?("[^"]*")')
_RANGE = re.compile(r"bytes=\s*(?:([0-9]{1,999})-([0-9]{0,999})|-([0-9]{1,999}))\s*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Version:
    """The validators of what is stored: `etag` strong, in quotes; `modified` in Unix seconds."""

    etag: str
    modified: float

    @property
    def last_modified(self) -> str:
        """`modified` as an HTTP date, which has whole seconds."""
        return formatdate(int(self.modified), usegmt=True)


def merged(headers: Headers) -> dict[str, str]:
    """Headers by name in lower case, those sent in several lines joined (RFC 9110, 5.2)."""
    return {name: ", ".join(headers.getlist(name)) for name in headers}


def failed(headers: Mapping[str, str], current: Version | None) -> str | None:
    """The precondition that asks for 412, if any: If-Match, else If-Unmodified-Since.

    Args:
        headers: of the request, names in lower case.
        current: what is stored, if anything is.
    """
    if "if-match" in headers:
        return None if _listed(headers["if-match"], current, weakly=False) else "if-match"
    since = _seconds(headers.get("if-unmodified-since"))
    late = since is not None and current is not None and int(current.modified) > since
    return "if-unmodified-since" if late else None


def unchanged(headers: Mapping[str, str], current: Version | None) -> bool:
    """Whether the client has this version: If-None-Match, else If-Modified-Since.

    GET and HEAD answer 304 then, PUT 412.
    """
    if "if-none-match" in headers:
        return _listed(headers["if-none-match"], current, weakly=True)
    since = _seconds(headers.get("if-modified-since"))
    return since is not None and current is not None and int(current.modified) <= since


def wants_range(headers: Mapping[str, str], current: Version) -> bool:
    """Whether `Range` counts: not if `If-Range` names another version."""
    if "range" not in headers:
        return False
    condition = headers.get("if-range")
    return condition is None or condition.strip() in (current.etag, current.last_modified)


def byte_range(header: str, size: int) -> tuple[int, int] | None:
    """The bytes `[start, end)` that a `Range` header asks for, of `size` bytes in all.

    Returns:
        ``None`` if all of them are to be sent: several ranges, another unit or a malformed
        header, which a server may (or must) ignore.

    Raises:
        IndexError: no byte of it exists (status 416).
    """
    match = _RANGE.fullmatch(header.strip())
    if match is None:
        return None
    first, last, suffix = match.groups()
    if suffix is not None:
        start, end = max(0, size - int(suffix)), size
    else:
        start, end = int(first), min(int(last) + 1, size) if last else size
        if last and int(last) < start:
            return None
    if start >= size:
        raise IndexError(header)
    return start, end


def _listed(header: str, current: Version | None, *, weakly: bool) -> bool:
    if current is None:
        return False
    if header.strip() == "*":
        return True
    return any(tag == current.etag and (weakly or not weak) for weak, tag in _ETAGS.findall(header))


def _seconds(date: str | None) -> float | None:
    """An HTTP date in Unix seconds; a malformed one counts as absent, as RFC 9110 says."""
    if date is None:
        return None
    try:
        moment = parsedate_to_datetime(date)
    except ValueError:
        return None
    aware: datetime = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return aware.timestamp()
