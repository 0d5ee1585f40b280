"""Why an attempt failed, in words for the webhook's owner: nothing of what else answers there."""

import ssl
from http import HTTPStatus

import httpcore

from tams_graphql.events.guard import Refused, Unresolved

FAILURES = (
    Refused,
    TimeoutError,
    httpcore.TimeoutException,
    httpcore.NetworkError,
    httpcore.ProtocolError,
    OSError,
)
"""All that the network and receivers can do, as exceptions."""


_SAID: tuple[tuple[type[Exception] | tuple[type[Exception], ...], str], ...] = (
    (httpcore.ConnectTimeout, "it could not be reached in time"),
    ((TimeoutError, httpcore.TimeoutException), "it did not answer within {total_s:g} s"),
    (httpcore.LocalProtocolError, "a header is none that HTTP can carry"),
    (httpcore.ConnectError, "it could not be reached: nothing listens there"),
    (Exception, "the connection broke before it answered, or what it answered is not HTTP/1.1"),
)


def reason_of(error: Exception, total_s: float) -> str:
    """What to say of one of `FAILURES`, if all together may take `total_s` seconds."""
    if isinstance(error, Refused | Unresolved):
        return str(error)
    tls = _tls_error(error)
    if isinstance(tls, ssl.SSLCertVerificationError):
        return f"its TLS certificate is not accepted: {tls.verify_message}"
    if tls is not None:
        return f"TLS failed: {tls.reason or 'no handshake'}"
    said = next(text for kinds, text in _SAID if isinstance(error, kinds))
    return said.format(total_s=total_s)


def status_reason_of(status: int) -> str | None:
    """What to say of an answer; ``None`` if the event was taken."""
    if 200 <= status < 300:
        return None
    if 300 <= status < 400:
        return f"it answered {status}: redirects are not followed, give the URL that it leads to"
    if status == HTTPStatus.GONE:
        return "it answered 410: it wants no more events"
    return f"it answered {status}"


def _tls_error(error: BaseException | None) -> ssl.SSLError | None:
    # httpcore drops the causes of its exceptions, but keeps them as arguments. Contexts say
    # nothing: where TLS is spoken, they are full of its wishes to read on.
    while error is not None and not isinstance(error, ssl.SSLError):
        causes = (one for one in error.args if isinstance(one, BaseException))
        error = next(causes, error.__cause__)
    return error
