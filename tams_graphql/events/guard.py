"""The only way out: what is connected to is the very address that was checked.

1. A host that is an address, in any way of writing it, is that one. Any other name is resolved,
   once per connection.
2. Every address found is checked. If one is refused, so is the name: else whoever runs its DNS has
   as many tries as he likes, and which address is taken would depend on which answers.
3. The addresses are tried in the resolver's order, each with an equal share of the time left, and
   connected to as addresses: nobody resolves the name again. TLS still asks for the name.
"""

import asyncio
import ipaddress
import ssl
from collections.abc import Collection, Iterable, Sequence
from typing import Any, Final

import anyio
import httpcore

from tams_graphql.events.resolving import Resolver
from tams_graphql.model.webhook_url import (
    Address,
    Network,
    literal_address,
    port_refusal_of,
    refusal_of,
)

_MOST_TRIED: Final = 4
_SECONDS: Final = 5.0


class Refused(Exception):
    """Where the name leads now, nothing may be sent.

    It doesn't say where that is: the names of a network inside are nobody's business.
    """


class Unresolved(httpcore.ConnectError):
    """The name has no address now."""


class GuardedBackend(httpcore.AsyncNetworkBackend):
    """httpcore's way to the network, for a pool whose connections all lead to allowed addresses."""

    def __init__(
        self,
        resolver: Resolver,
        networks: Sequence[Network],
        ports: Collection[int],
        connector: httpcore.AsyncNetworkBackend,
    ) -> None:
        self._resolver = resolver
        self._networks = networks
        self._ports = ports
        self._connector = connector

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's signature
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connect to `host` within `timeout` seconds, resolving included.

        Raises:
            Refused: nothing may be sent there.
            httpcore.ConnectError, httpcore.ConnectTimeout: it can't be reached.
        """
        del local_address, socket_options
        loop = asyncio.get_running_loop()
        deadline = loop.time() + (_SECONDS if timeout is None else timeout)
        addresses = await self._addresses(host, deadline)
        for address in addresses:
            self._check(host, port, address)
        tried = addresses[:_MOST_TRIED]
        failure: Exception = Unresolved(f"{host} has no address")
        for place, address in enumerate(tried):
            share = (deadline - loop.time()) / (len(tried) - place)
            try:
                stream = await self._connector.connect_tcp(str(address), port, max(share, 0.0))
                return _Connected(stream)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        raise failure

    async def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's signature
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Never.

        Raises:
            Refused: always.
        """
        del path, timeout, socket_options
        raise Refused("webhooks are sent over TCP")

    async def sleep(self, seconds: float) -> None:
        """As httpcore wants it."""
        await asyncio.sleep(seconds)

    async def _addresses(self, host: str, deadline: float) -> list[Address]:
        literal = literal_address(host)
        if literal is not None:
            return [literal]
        try:
            with anyio.fail_after(deadline - asyncio.get_running_loop().time()):
                found = await self._found(host)
        except TimeoutError as error:
            raise httpcore.ConnectTimeout(f"{host} was not resolved in time") from error
        return [_unscoped(host, text) for text in found]

    async def _found(self, host: str) -> Sequence[str]:
        try:
            return await self._resolver(host)
        except OSError as error:
            raise Unresolved(f"{host} has no address") from error

    def _check(self, host: str, port: int, address: Address) -> None:
        if refusal_of(address, self._networks) is not None:
            raise _refusal(host)
        reason = port_refusal_of(port, address, self._networks, self._ports)
        if reason is not None:
            raise Refused(f"{reason}, nor does {host} lead to a network that the operator allows")


class _Connected(httpcore.AsyncNetworkStream):
    """A connection that is closed, too, if time is up while TLS begins: httpcore forgets that."""

    def __init__(self, stream: httpcore.AsyncNetworkStream) -> None:
        self._stream = stream

    async def read(
        self,
        max_bytes: int,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's signature
    ) -> bytes:
        return await self._stream.read(max_bytes, timeout)

    async def write(
        self,
        buffer: bytes,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's signature
    ) -> None:
        await self._stream.write(buffer, timeout)

    async def aclose(self) -> None:
        await self._stream.aclose()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's signature
    ) -> httpcore.AsyncNetworkStream:
        try:
            return await self._stream.start_tls(ssl_context, server_hostname, timeout)
        except BaseException:
            with anyio.CancelScope(shield=True):
                await self._stream.aclose()
            raise

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


def _unscoped(host: str, text: str) -> Address:
    try:
        address = ipaddress.ip_address(text)
    except ValueError as error:
        raise _refusal(host) from error
    if isinstance(address, ipaddress.IPv6Address) and address.scope_id is not None:
        raise _refusal(host)
    return address


def _refusal(host: str) -> Refused:
    return Refused(
        f"{host} leads to an address that is not on the public internet, nor in a network that"
        " the operator allows"
    )
