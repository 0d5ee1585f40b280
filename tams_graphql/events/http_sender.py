"""Sends events by HTTP to receivers that nobody trusts.

1. The URL is taken apart and checked as at registration: what the operator allows may have
   changed since.
2. A place among those for its host is waited for, then one among all: who is slow keeps only
   those of his own waiting. The clock starts after that.
3. The connection is guarded (`guard`), or one that is still open from before. There are no
   redirects, no cookies, no proxies and no credentials from the environment.
4. A status in time is the answer. Of the body, as much is read as a person may want to see, never
   decompressed; a longer or slower one is cut off, which changes nothing about the outcome.
"""

import asyncio
import ssl
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Final
from weakref import WeakValueDictionary

import anyio
import httpcore
import httpx

from tams_graphql.events.answer import excerpt_of, retry_after_s
from tams_graphql.events.failures import FAILURES, reason_of, status_reason_of
from tams_graphql.events.guard import GuardedBackend
from tams_graphql.events.resolving import Resolver, SystemResolver
from tams_graphql.events.sending import Outcome, Post
from tams_graphql.model.errors import InvalidInput
from tams_graphql.model.webhook_url import DEFAULT_PORTS, Destination, Network, destination_of

MAX_READ: Final = 64 * 1024
"""How much of a body is read, in bytes, give or take a chunk."""

_IDLE_SECONDS: Final = 30.0
_FRAMING: Final = frozenset({"connection", "content-length", "host", "transfer-encoding"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How long and how many.

    `connect_s`: for name and connection, then again for TLS. `total_s`: from the name to the end
    of the answer. `connections`: at once; `per_host`: of them, to one host.
    """

    connect_s: float = 5.0
    total_s: float = 15.0
    connections: int = 100
    per_host: int = 8


@dataclass(slots=True)
class _Answer:
    status: int | None = None
    headers: tuple[tuple[bytes, bytes], ...] = ()
    body: bytes = b""
    reason: str | None = None
    permanent: bool = False

    def header(self, wanted: bytes) -> str | None:
        found = (value for name, value in self.headers if name.lower() == wanted)
        value = next(found, None)
        return None if value is None else value.decode("latin-1")


class HttpSender:
    """`Sender` over HTTP/1.1, of one event loop.

    Args:
        networks: beyond the public internet, where events may be sent, on any port.
        ports: on which ports elsewhere.
        limits: of time and of connections.
        tls: whose certificates are accepted; default: as `tls_context`.
        resolver: how names become addresses; default: the operating system's.
        connector: how addresses, which are checked by then, become connections.
        clock: the wall clock, in seconds since the Unix epoch.
    """

    def __init__(
        self,
        *,
        networks: Sequence[Network] = (),
        ports: Collection[int] = DEFAULT_PORTS,
        limits: Limits | None = None,
        tls: ssl.SSLContext | None = None,
        resolver: Resolver | None = None,
        connector: httpcore.AsyncNetworkBackend | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._networks, self._ports, self._clock = networks, ports, clock
        self._limits = limits or Limits()
        self._system = SystemResolver()
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=tls or tls_context(),
            # Places bound the connections in use. To wait in the pool as well would be on the
            # receiver's time, and httpcore may lose a connection if a request gives up there.
            max_connections=None,
            max_keepalive_connections=self._limits.connections,
            keepalive_expiry=_IDLE_SECONDS,
            network_backend=GuardedBackend(
                resolver or self._system,
                networks,
                ports,
                connector or httpcore.AnyIOBackend(),
            ),
        )
        self._places = asyncio.Semaphore(self._limits.connections)
        self._places_of: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()

    async def send(self, post: Post) -> Outcome:
        """As `Sender.send`."""
        try:
            destination = destination_of(post.url, self._networks, self._ports)
            request = self._request(destination, post)
        except InvalidInput as refusal:
            return Outcome(duration_us=0, reason=refusal.message, permanent=True)
        except UnicodeEncodeError:
            return Outcome(duration_us=0, reason="a header is not ASCII", permanent=True)
        async with self._host_places(destination.host), self._places:
            started_ns = time.perf_counter_ns()
            answer = await self._exchange(request)
            duration_us = (time.perf_counter_ns() - started_ns) // 1000
        return self._outcome(answer, post, duration_us)

    async def close(self) -> None:
        """As `Sender.close`."""
        await self._pool.aclose()
        self._system.close()

    def _host_places(self, host: str) -> asyncio.Semaphore:
        places = self._places_of.get(host)
        if places is None:
            places = self._places_of[host] = asyncio.Semaphore(self._limits.per_host)
        return places

    def _request(self, to: Destination, post: Post) -> httpcore.Request:
        headers = {"user-agent": "tams-graphql", "accept": "*/*", "accept-encoding": "identity"}
        headers |= {name.lower(): value for name, value in post.headers.items()}
        headers = {name: value for name, value in headers.items() if name not in _FRAMING}
        headers |= {"host": to.authority, "content-length": str(len(post.body))}
        limits = self._limits
        return httpcore.Request(
            "POST",
            httpcore.URL(
                scheme=to.scheme.encode(),
                host=to.host.encode(),
                port=to.port,
                target=to.target.encode(),
            ),
            headers=[
                (name.encode("ascii"), value.encode("ascii")) for name, value in headers.items()
            ],
            content=post.body,
            extensions={
                "timeout": {
                    "connect": limits.connect_s,
                    "read": limits.total_s,
                    "write": limits.total_s,
                }
            },
        )

    async def _exchange(self, request: httpcore.Request) -> _Answer:
        """The answer, within the time that there is.

        Time is anyio's, and a task of its own bears it: httpcore shields its clearing up from no
        other way of being cancelled, and would leave connections open.
        """
        scope = anyio.CancelScope()
        task = asyncio.create_task(self._answer(request, scope))
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            scope.cancel()
            await asyncio.wait([task])
            raise

    async def _answer(self, request: httpcore.Request, scope: anyio.CancelScope) -> _Answer:
        answer = _Answer()
        try:
            with scope, anyio.fail_after(self._limits.total_s):
                await self._ask(request, answer)
        except FAILURES as error:
            # A receiver that broke off after its status had taken the event, or not, by then.
            if answer.status is None:
                answer.reason = reason_of(error, self._limits.total_s)
                answer.permanent = isinstance(error, httpcore.LocalProtocolError)
        return answer

    async def _ask(self, request: httpcore.Request, answer: _Answer) -> None:
        response = await self._pool.handle_async_request(request)
        try:
            answer.status = response.status
            answer.headers = tuple(response.headers)
            async for chunk in response.aiter_stream():
                answer.body += chunk[: MAX_READ - len(answer.body)]
                if len(answer.body) >= MAX_READ:
                    break
        finally:
            await response.aclose()

    def _outcome(self, answer: _Answer, post: Post, duration_us: int) -> Outcome:
        status = answer.status
        if status is None:
            return Outcome(
                duration_us=duration_us, reason=answer.reason, permanent=answer.permanent
            )
        reason = status_reason_of(status)
        coded = (answer.header(b"content-encoding") or "identity").strip().lower() != "identity"
        wait = None if reason is None else answer.header(b"retry-after")
        return Outcome(
            duration_us=duration_us,
            status_code=status,
            reason=reason,
            retry_after_s=retry_after_s(wait, self._clock()),
            response_excerpt=None if coded else excerpt_of(answer.body, post.headers.values()),
            gone=status == HTTPStatus.GONE,
        )


def tls_context(ca_file: Path | None = None) -> ssl.SSLContext:
    """Trust in the well-known certificate authorities, and in those of `ca_file` (PEM).

    Raises:
        OSError: `ca_file` can't be read, or is no certificate.
    """
    context = httpx.create_ssl_context(trust_env=False)
    if ca_file is not None:
        context.load_verify_locations(cafile=ca_file)
    return context
