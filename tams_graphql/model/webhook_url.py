"""Where webhooks may be sent: the guard against requests forged through this server.

1. The URL is http or https, has a host, and carries no credentials.
2. A host that is an address, in any form that a resolver would take for one (short, octal and
   hexadecimal IPv4; IPv6 with an IPv4 address inside), is on the public internet, or in a network
   that the operator allows.
3. Its port is one that receivers of webhooks listen on, except in those networks: nobody makes
   this server speak to mail servers and databases, or look for them.
4. Names of this machine are refused alike. Other names say nothing yet about where they lead:
   who connects checks the very address with `refusal_of` and `port_refusal_of` again.
"""

import ipaddress
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias
from urllib.parse import SplitResult, urlsplit

from tams_graphql.model.errors import InvalidInput

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network

MAX_URL: Final = 2048
"""The longest URL of a webhook, in characters; it is part of cursors, which travel in headers."""

DEFAULT_PORTS: Final = frozenset({80, 443, 8080, 8443})
"""Where receivers on the public internet may listen unless the operator says otherwise."""

_SCHEME_PORTS: Final = {"http": 80, "https": 443}
_LOOPBACK: Final = ipaddress.ip_address("127.0.0.1")
_NAME: Final = re.compile(r"(?!.{254})[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*")
_NUMBER: Final = re.compile(r"0x[0-9a-f]*|[0-9]+")
_V6_IN_USE: Final = ipaddress.IPv6Network("2000::/3")
"""All of IPv6 that is routed on the public internet."""
_EMBEDDING: Final = {
    ipaddress.IPv6Network("::ffff:0:0/96"): 0,  # mapped
    ipaddress.IPv6Network("::/96"): 0,  # compatible
    ipaddress.IPv6Network("64:ff9b::/96"): 0,  # NAT64
    ipaddress.IPv6Network("2002::/16"): 80,  # 6to4
}
"""IPv6 networks whose addresses hold an IPv4 address, so many bits from the end."""
_REFUSED: Final[tuple[Network, ...]] = tuple(
    ipaddress.ip_network(network)
    for network in (
        "168.63.129.16/32",
        "192.0.0.0/24",
        "192.88.99.0/24",
        "64:ff9b:1::/48",
        "2001::/23",
        "2001:db8::/32",
        "3fff::/20",
    )
)
"""Beyond what Python knows: metadata of Azure's and Oracle's machines, 6to4 relays, local NAT64,
Teredo and other protocol assignments, documentation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """What a webhook's URL says.

    `host`: a name without the dot at its end, or an address as it is usually written. `address`:
    the one that it is; ``None`` for names but those of this machine. `target`: path and query.
    """

    scheme: str
    host: str
    port: int
    target: str
    address: Address | None

    @property
    def authority(self) -> str:
        """Host and port for the ``Host`` header: the port only if it is not the scheme's own."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _SCHEME_PORTS[self.scheme] else f"{host}:{self.port}"


def refusal_of(address: Address, allowed: Sequence[Network] = ()) -> str | None:
    """Why nothing may be sent to `address`; ``None`` if it may.

    Args:
        address: the one that would be connected to.
        allowed: networks beyond the public internet that the operator allows.
    """
    if _is_allowed(address, allowed):
        return None
    inner = _embedded(address)
    if inner is not None:
        return refusal_of(inner, allowed)
    if not _is_public(address):
        return f"{address} is not on the public internet"
    return None


def port_refusal_of(
    port: int,
    address: Address | None,
    allowed: Sequence[Network] = (),
    ports: Collection[int] = DEFAULT_PORTS,
) -> str | None:
    """Why nothing may be sent to `port`; ``None`` if it may.

    Args:
        port: the one that would be connected to.
        address: likewise; ``None``: not known yet, so it may be in one of `allowed`.
        allowed: networks in which any port may be used.
        ports: those that may be used anywhere.
    """
    if port in ports or (_is_allowed(address, allowed) if address else allowed):
        return None
    return f"port {port} is not one of {', '.join(map(str, sorted(ports)))}"


def checked_url(
    url: str, allowed: Sequence[Network] = (), ports: Collection[int] = DEFAULT_PORTS
) -> str:
    """`url` itself, if webhooks may be sent there as far as it can be told without resolving it.

    Raises:
        InvalidInput: as `destination_of`.
    """
    destination_of(url, allowed, ports)
    return url


def destination_of(
    url: str, allowed: Sequence[Network] = (), ports: Collection[int] = DEFAULT_PORTS
) -> Destination:
    """Where `url` leads, if webhooks may be sent there as far as it can be told without resolving.

    Raises:
        InvalidInput: rule ``url.malformed``, ``url.scheme``, ``url.credentials``,
            ``url.too_long``, ``url.address`` or ``url.port``.
    """
    parts = _split(url)
    if parts.scheme not in _SCHEME_PORTS:
        raise _refused("scheme", "must start with http:// or https://")
    if "@" in parts.netloc:
        raise _refused("credentials", "must not hold credentials: use api_key_name and _value")
    host = (parts.hostname or "").rstrip(".")
    if not host:
        raise _refused("malformed", "has no host")
    address = literal_address(host)
    if address is None and ("[" in parts.netloc or not _NAME.fullmatch(host)):
        raise _refused("malformed", "has a host that is neither a name nor an address")
    reason = refusal_of(address, allowed) if address is not None else None
    if reason is not None:
        raise _refused("address", f"{reason}, nor in a network that the operator allows")
    port = _SCHEME_PORTS[parts.scheme] if parts.port is None else parts.port
    reason = port_refusal_of(port, address, allowed, ports)
    if reason is not None:
        raise _refused("port", f"{reason}, nor in a network that the operator allows")
    return Destination(
        scheme=parts.scheme,
        host=host if address is None or _is_own_name(host) else str(address),
        port=port,
        target=f"{parts.path or '/'}{f'?{parts.query}' if parts.query else ''}",
        address=address,
    )


def literal_address(host: str) -> Address | None:
    """The address that `host` is, in any way of writing it; ``None`` for a name.

    Names of this machine (``localhost``) are its loopback address.
    """
    host = host.rstrip(".").lower()
    if _is_own_name(host):
        return _LOOPBACK
    try:
        return ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return _loose_v4(host)


def _is_own_name(host: str) -> bool:
    return host == "localhost" or host.endswith((".localhost", ".localdomain"))


def _split(url: str) -> SplitResult:
    if len(url) > MAX_URL:
        raise _refused("too_long", f"has at most {MAX_URL} characters")
    # What some clients read as a slash or skip, others don't: two readings, two hosts.
    if not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        raise _refused("malformed", "has only printable ASCII, without spaces and backslashes")
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as error:
        raise _refused("malformed", str(error)) from error
    if "%" in parts.netloc:
        raise _refused("malformed", "has no percent-encoding in its host")
    return parts


def _loose_v4(host: str) -> Address | None:
    """IPv4 as C libraries read it: one to four parts, each decimal, octal or hexadecimal."""
    parts = host.split(".")
    if len(parts) > 4 or not all(map(_NUMBER.fullmatch, parts)):
        return None
    try:
        *bytes_, last = (_number(part) for part in parts)
        value = sum(byte << (24 - 8 * place) for place, byte in enumerate(bytes_)) + last
        fits = all(byte < 256 for byte in bytes_) and last < 1 << (8 * (4 - len(bytes_)))
    except ValueError:
        return _LOOPBACK  # nobody can say what it means, so it leads nowhere
    return ipaddress.IPv4Address(value) if fits else _LOOPBACK


def _number(text: str) -> int:
    if text.startswith("0x"):
        return int(text[2:] or "0", 16)
    return int(text, 8 if text.startswith("0") else 10)


def _is_allowed(address: Address, allowed: Sequence[Network]) -> bool:
    if any(address in network for network in allowed):
        return True
    inner = _embedded(address)
    return inner is not None and _is_allowed(inner, allowed)


def _embedded(address: Address) -> ipaddress.IPv4Address | None:
    if isinstance(address, ipaddress.IPv4Address):
        return None
    return next(_found(address), None)


def _found(address: ipaddress.IPv6Address) -> Iterator[ipaddress.IPv4Address]:
    for network, shift in _EMBEDDING.items():
        if address in network and int(address) > 1:
            yield ipaddress.IPv4Address(int(address) >> shift & 0xFFFFFFFF)


def _is_public(address: Address) -> bool:
    if not address.is_global or address.is_multicast or address.is_reserved:
        return False
    if any(address in network for network in _REFUSED):
        return False
    return isinstance(address, ipaddress.IPv4Address) or address in _V6_IN_USE


def _refused(rule: str, message: str) -> InvalidInput:
    return InvalidInput("url", f"url.{rule}", f"a webhook's URL {message}")
