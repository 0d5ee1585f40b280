"""Signed URLs that expire, for the bytes that this server keeps itself.

1. A URL is ``{public_url}/media/{storage_id}/{key}?method=…&expires=…&signature=…``; `expires`
   is in Unix seconds. An upload's URL also carries ``object_id`` and ``content_type``, and
   ``sha256`` if the digest of its bytes was told in advance.
2. The signature is HMAC-SHA256 (base64url, unpadded) over the method, the expiry, the backend
   and the key, one a line, then for an upload the object id, the content type and the digest.
   They are percent-encoded there, so that no value can contain a line break and shift the
   others, nor a colon, which tells the digest from them.
3. `verify` recomputes it from what the request says, compares in constant time, and only then
   looks at the method and the clock.

A URL signed for GET answers HEAD as well (players ask for the size first); one signed for HEAD
answers only that. Parameters that we did not sign are ignored, since players add their own
(CMCD reports, for example); ours may come only once.
"""

import hmac
import re
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import parse_qsl, quote

from tams_graphql.model.errors import Forbidden, Problem

_PERMITS = {"GET": ("GET", "HEAD"), "HEAD": ("HEAD",), "PUT": ("PUT",)}
_UPLOAD = ("object_id", "content_type")
_DIGEST = "sha256"
_SIGNED = ("method", "expires", "signature", *_UPLOAD, _DIGEST)
_SIGNATURE_CHARACTERS = 43
_SECONDS = re.compile(r"[0-9]{1,11}")


@dataclass(frozen=True, slots=True)
class Grant:
    """What a verified URL permits, until `expires` (Unix seconds).

    `object_id` and `content_type` are those of an upload, otherwise empty; `sha256` (base64) is
    empty unless it was told in advance.
    """

    expires: int
    object_id: str = ""
    content_type: str = ""
    sha256: str = ""


class UrlSigner:
    """Signs and verifies media URLs.

    Args:
        secret: at least 32 random bytes (`load_or_create_secret`), shared by every process
            that answers these URLs.
        public_url: what clients reach this server by, path prefix included.
        lifetime: seconds for which a URL is good.
        grace: seconds after that in which it is still honoured, for clocks that differ.
        clock: the time in Unix seconds.
    """

    def __init__(
        self,
        secret: bytes,
        public_url: str,
        *,
        lifetime: int = 3600,
        grace: int = 60,
        clock: Callable[[], float] = time.time,
    ) -> None:
        if len(secret) < 32:
            raise ValueError("the secret for media URLs must have at least 32 bytes")
        self._keyed = hmac.new(secret, digestmod="sha256")
        self._base = public_url.rstrip("/")
        self.lifetime = lifetime
        self._grace = grace
        self._clock = clock

    def seconds_left(self, grant: Grant) -> int:
        """For how many whole seconds `grant` stays good, at least 0."""
        return max(0, grant.expires - int(self._clock()))

    def urls(self, method: str, storage_id: str, keys: Iterable[str]) -> list[str]:
        """URLs for `method` (GET or HEAD), in the order of `keys`."""
        expires = self._expiry()
        storage = quote(storage_id, safe="")
        head = f"{self._base}/media/{storage}/"
        tail = f"?method={method}&expires={expires}&signature="
        keyed = self._keyed.copy()
        keyed.update(_common_lines(method, expires, storage))
        return [f"{head}{key}{tail}{_signature(keyed, key.encode())}" for key in keys]

    def put_url(
        self, storage_id: str, key: str, object_id: str, content_type: str, *, sha256: str = ""
    ) -> str:
        """A URL for the upload of `object_id`, sent as `content_type`, with the digest `sha256`."""
        expires = self._expiry()
        storage = quote(storage_id, safe="")
        upload = [quote(value, safe="") for value in (object_id, content_type)]
        digest = quote(sha256, safe="")
        signature = self._sign("PUT", expires, storage, key, upload + _digest_lines(digest))
        return (
            f"{self._base}/media/{storage}/{key}?method=PUT&expires={expires}"
            f"&object_id={upload[0]}&content_type={upload[1]}"
            f"{f'&{_DIGEST}={digest}' if digest else ''}&signature={signature}"
        )

    def verify(self, method: str, storage_id: str, key: str, query: str) -> Grant:
        """What the URL with this path and `query` string grants, if it permits `method`.

        Raises:
            Forbidden: a parameter is missing or repeated, the signature is not ours for
                these values, the URL is for another method, or it has expired; the problem's
                field names the parameter.
        """
        given = _parameters(query)
        signed = [quote(given[name], safe="") for name in _UPLOAD if name in given]
        signed += _digest_lines(quote(given.get(_DIGEST, ""), safe=""))
        storage = quote(storage_id, safe="")
        genuine = self._sign(given["method"], given["expires"], storage, key, signed)
        if not hmac.compare_digest(genuine, given["signature"].encode("ascii", "replace").decode()):
            raise _refusal("signature", "mismatch", "the signature does not match the URL")
        if method not in _PERMITS[given["method"]]:
            raise _refusal(
                "method", "mismatch", f"the URL is signed for {given['method']}, not {method}"
            )
        upload = [given.get(name, "") for name in (*_UPLOAD, _DIGEST)]
        grant = Grant(int(given["expires"]), *upload)
        self._refuse_expired(grant)
        return grant

    def _refuse_expired(self, grant: Grant) -> None:
        if self._clock() > grant.expires + self._grace:
            ended = datetime.fromtimestamp(grant.expires, UTC).isoformat()
            raise _refusal("expires", "expired", f"the URL expired at {ended}; ask for a new one")

    def _expiry(self) -> int:
        return int(self._clock()) + self.lifetime

    def _sign(
        self, method: str, expires: int | str, storage: str, key: str, upload: Sequence[str]
    ) -> str:
        keyed = self._keyed.copy()
        keyed.update(_common_lines(method, expires, storage))
        return _signature(keyed, "\n".join((key, *upload)).encode())


def _digest_lines(digest: str) -> list[str]:
    return [f"{_DIGEST}:{digest}"] if digest else []


def _common_lines(method: str, expires: int | str, storage: str) -> bytes:
    return f"{method}\n{expires}\n{storage}\n".encode()


def _signature(keyed: hmac.HMAC, rest: bytes) -> str:
    mac = keyed.copy()
    mac.update(rest)
    return urlsafe_b64encode(mac.digest())[:_SIGNATURE_CHARACTERS].decode()


def _parameters(query: str) -> dict[str, str]:
    given: dict[str, str] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        if name in given and name in _SIGNED:
            raise _refusal(name, "repeated", f"{name} may be given only once")
        given[name] = value
    for name in ("method", "expires", "signature"):
        if name not in given:
            raise _refusal(name, "required", f"the URL lacks {name}: it must be a signed one")
    # Neither may hold a line break when the signed text is put together again.
    if given["method"] not in _PERMITS:
        raise _refusal("method", "enum", "method must be GET, HEAD or PUT")
    if not _SECONDS.fullmatch(given["expires"]):
        raise _refusal("expires", "format", "expires must be a number of Unix seconds")
    return given


def _refusal(field: str, rule: str, message: str) -> Forbidden:
    return Forbidden(message, (Problem(field, rule, message),))
