"""A small client of the TAMS REST API: what ingest and export need of it, and no more.

It speaks to any server of version 6.0 or later and never to ours in particular.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import quote, urljoin, urlsplit

import httpx

from tams_graphql.client.errors import RegistrationError, RequestError
from tams_graphql.timeline import TimeRange, parse_timestamp

Json = dict[str, Any]

_RETRIED_STATUS: Final = frozenset({429, 500, 502, 503, 504})


@dataclass(frozen=True, slots=True)
class Server:
    """How to reach a TAMS server.

    Attributes:
        url: address of the API, e.g. ``https://tams.example/v8.2``.
        token: bearer token; excludes `username`.
        username: name for basic authentication, with `password`.
        password: password for basic authentication.
        attempts: how often a request is tried before its failure is reported.
        backoff_s: seconds before the first retry; doubled before each further one.
        timeout_s: seconds to wait for a connection or for the next bytes.
    """

    url: str
    token: str | None = field(default=None, repr=False)
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    attempts: int = 5
    backoff_s: float = 0.25
    timeout_s: float = 60.0


@dataclass(frozen=True, slots=True)
class Allocation:
    """Storage for one object: where its bytes go (spec 8.2, ``schemas/flow-storage.json``)."""

    object_id: str
    put_url: Json
    presigned: bool


@dataclass(frozen=True, slots=True)
class RemoteSegment:
    """A registered segment, with the times in nanoseconds (spec 8.2, ``flow-segment.json``).

    Attributes:
        object_id: the media object.
        timerange: the part of the flow's timeline that it fills.
        ts_offset_ns: nanoseconds to add to timestamps inside the object.
        key_frame_count: number of key frames in the object; ``None`` if not told.
        get_urls: addresses of its bytes, the preferred one first.
        init_object_id: the initialisation object, if the flow has such.
        init_get_urls: addresses of the initialisation object's bytes.
    """

    object_id: str
    timerange: TimeRange
    ts_offset_ns: int
    key_frame_count: int | None
    get_urls: tuple[Json, ...]
    init_object_id: str | None = None
    init_get_urls: tuple[Json, ...] = ()


class TamsClient:
    """Talks to one TAMS server; use as an async context manager.

    Requests that may be repeated safely are repeated on connection errors and on status 429,
    500, 502, 503 and 504, with exponential backoff.

    Args:
        server: the server and the credentials for it.
        transport: replaces the network; for a server that runs in the same process.
    """

    def __init__(self, server: Server, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._server = server
        self._base = server.url.rstrip("/")
        self._http = httpx.AsyncClient(
            timeout=server.timeout_s, transport=transport, follow_redirects=True
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._http.aclose()

    async def service(self) -> Json:
        """Describe the server (GET ``/service``)."""
        return await self._json("GET", "/service")

    async def flow(self, flow_id: str) -> Json:
        """Read one flow.

        Raises:
            RequestError: status 404 if there is no such flow.
        """
        return await self._json("GET", f"/flows/{quote(flow_id, safe='')}")

    async def source(self, source_id: str) -> Json:
        """Read one source.

        Raises:
            RequestError: status 404 if there is no such source.
        """
        return await self._json("GET", f"/sources/{quote(source_id, safe='')}")

    async def flows_of(self, source_id: str) -> list[Json]:
        """All flows of a source."""
        params = {"source_id": source_id}
        return [flow async for flow in self._paged("/flows", params)]

    async def put_flow(self, flow: Json) -> None:
        """Create a flow or replace its metadata."""
        await self._api("PUT", f"/flows/{quote(flow['id'], safe='')}", json=flow)

    async def allocate(
        self,
        flow_id: str,
        count: int,
        *,
        object_ids: Sequence[str] | None = None,
        content_type: str | None = None,
    ) -> list[Allocation]:
        """Allocate storage for objects of a flow (POST ``/flows/{id}/storage``).

        Args:
            flow_id: the flow, which must have a container.
            count: number of objects wanted; a server that gives fewer at a time is asked again.
            object_ids: ids to use instead of the server's; `count` of them.
            content_type: of initialisation objects whose type differs from the container.

        Raises:
            RequestError: refused, or the server allocates nothing.
        """
        got: list[Allocation] = []
        while len(got) < count:
            body: Json = {} if content_type is None else {"content_type": content_type}
            if object_ids is None:
                body["limit"] = count - len(got)
            else:
                body["object_ids"] = list(object_ids)
            path = f"/flows/{quote(flow_id, safe='')}/storage"
            # Asking twice for the same ids would be refused; asking twice for any is only waste.
            response = await self._api("POST", path, json=body, repeat=object_ids is None)
            batch = [_allocation(item) for item in _decoded(response).get("media_objects", ())]
            if not batch or (object_ids is not None and len(batch) < count):
                raise RequestError(f"the server allocated {len(batch)} of {count} objects")
            got.extend(batch)
        return got[:count]

    async def upload(self, allocation: Allocation, data: bytes, content_type: str) -> None:
        """Store the bytes of an object where its allocation says.

        Args:
            allocation: from `allocate`.
            data: the whole object.
            content_type: used if the allocation does not prescribe one.

        Raises:
            RequestError: the storage refused the object.
        """
        put = allocation.put_url
        headers = {
            "content-type": put.get("content-type") or content_type,
            **{str(name): str(value) for name, value in (put.get("headers") or {}).items()},
        }
        url = self._absolute(put["url"])
        await self._send(
            "PUT", url, content=data, headers=headers, signed_in=not allocation.presigned
        )

    async def register(self, flow_id: str, segments: Sequence[Json]) -> None:
        """Register segments in one request (POST ``/flows/{id}/segments``).

        Registering the same segment twice is harmless, so the request is repeated on failure.

        Raises:
            RegistrationError: some or all were refused; the others are stored.
            RequestError: the request as a whole was refused.
        """
        path = f"/flows/{quote(flow_id, safe='')}/segments"
        response = await self._api("POST", path, json=list(segments))
        if response.status_code == httpx.codes.OK and response.content:
            answer = _decoded(response)
            failed = answer.get("failed_segments", ()) if isinstance(answer, dict) else ()
            if failed:
                raise RegistrationError(failed, len(segments) - len(failed))

    async def segments(
        self,
        flow_id: str,
        timerange: TimeRange | None = None,
        *,
        reverse: bool = False,
        urls: bool = True,
    ) -> AsyncIterator[RemoteSegment]:
        """Iterate the segments of a flow that touch a timerange, page by page, in time order.

        Args:
            flow_id: the flow; one that does not exist has no segments.
            timerange: all segments if ``None``.
            reverse: latest first.
            urls: ask for the addresses of the bytes; without them answers come faster.
        """
        params: dict[str, str] = {}
        if timerange is not None:
            params["timerange"] = str(timerange)
        if reverse:
            params["reverse_order"] = "true"
        if not urls:
            params["accept_get_urls"] = ""
        async for item in self._paged(f"/flows/{quote(flow_id, safe='')}/segments", params):
            yield _segment(item)

    async def download(self, get_urls: Sequence[Json]) -> bytes:
        """Fetch an object's bytes from the first address that gives them.

        Raises:
            RequestError: no address works; the message is the last one's.
        """
        failure = RequestError("the object has no get_urls")
        for item in get_urls:
            url = self._absolute(item["url"])
            try:
                response = await self._send("GET", url, signed_in=not item.get("presigned", False))
            except RequestError as error:
                failure = error
            else:
                return response.content
        raise failure

    async def _paged(self, path: str, params: Mapping[str, str]) -> AsyncIterator[Json]:
        url, query = self._base + path, dict(params)
        seen: set[str] = set()
        while True:
            response = await self._send("GET", url, params=query or None, signed_in=True)
            for item in _decoded(response):
                yield item
            # Both forms name the same next page; Link is the one with the whole query in it.
            link = response.links.get("next", {}).get("url")
            key = response.headers.get("x-paging-nextkey")
            if link is not None:
                url, query = urljoin(str(response.url), link), {}
            elif key:
                query = {**params, "page": key}
            position = link or key
            if not position or position in seen:
                return
            seen.add(position)

    async def _json(self, method: str, path: str) -> Json:
        answer: Json = _decoded(await self._api(method, path))
        return answer

    async def _api(
        self, method: str, path: str, *, json: object = None, repeat: bool = True
    ) -> httpx.Response:
        return await self._send(method, self._base + path, json=json, repeat=repeat, signed_in=True)

    def _absolute(self, url: str) -> str:
        return urljoin(self._base + "/", url)

    def _credentials(self, url: str, *, signed_in: bool) -> dict[str, str]:
        """The Authorization header for `url`: only for the API's own origin."""
        if not signed_in or _origin(url) != _origin(self._base):
            return {}
        if self._server.token is not None:
            return {"authorization": f"Bearer {self._server.token}"}
        if self._server.username is not None:
            basic = httpx.BasicAuth(self._server.username, self._server.password or "")
            signed = next(basic.auth_flow(httpx.Request("GET", url)))
            return {"authorization": signed.headers["authorization"]}
        return {}

    async def _send(
        self,
        method: str,
        url: str,
        *,
        signed_in: bool,
        repeat: bool = True,
        headers: Mapping[str, str] | None = None,
        **body: Any,
    ) -> httpx.Response:
        attempts = self._server.attempts if repeat else 1
        sent = {**self._credentials(url, signed_in=signed_in), **(headers or {})}
        for attempt in range(attempts):
            if attempt:
                await asyncio.sleep(self._server.backoff_s * 2 ** (attempt - 1))
            try:
                response = await self._http.request(method, url, headers=sent, **body)
            except httpx.TransportError as error:
                failure = _unreachable(method, url, error)
                continue
            if response.is_success or (attempt and _stored_before(response)):
                return response
            failure = _refused(method, url, response)
            if response.status_code not in _RETRIED_STATUS:
                break
        raise failure


def _stored_before(refusal: httpx.Response) -> bool:
    """Whether an upload was refused because one before it, whose answer was lost, succeeded."""
    once = "if-none-match" in refusal.request.headers
    return once and refusal.status_code == httpx.codes.PRECONDITION_FAILED


def _unreachable(method: str, url: str, error: httpx.TransportError) -> RequestError:
    hint = "; is the server running?" if isinstance(error, httpx.ConnectError) else ""
    return RequestError(f"{method} {_shown(url)}: {error or type(error).__name__}{hint}")


def _decoded(response: httpx.Response) -> Any:
    try:
        return response.json()
    except ValueError:
        message = f"{_shown(str(response.url))} did not answer in JSON: is it a TAMS server?"
        raise RequestError(message, response.status_code) from None


def _allocation(item: Json) -> Allocation:
    put_url = item["put_url"]
    # Servers before 7.0 sign without saying so; a query string with a signature tells.
    presigned = item.get("presigned", "signature" in put_url["url"].lower())
    return Allocation(item["object_id"], put_url, presigned)


def _segment(item: Json) -> RemoteSegment:
    init = item.get("init_object") or {}
    return RemoteSegment(
        object_id=item["object_id"],
        timerange=TimeRange.parse(item["timerange"]),
        ts_offset_ns=parse_timestamp(item.get("ts_offset") or "0:0"),
        key_frame_count=item.get("key_frame_count"),
        get_urls=tuple(item.get("get_urls") or ()),
        init_object_id=init.get("object_id"),
        init_get_urls=tuple(init.get("get_urls") or ()),
    )


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or {"http": 80, "https": 443}.get(parts.scheme)


def _shown(url: str) -> str:
    """The address without its query, which may hold a signature."""
    return url.split("?", 1)[0]


def _refused(method: str, url: str, response: httpx.Response) -> RequestError:
    """The server's own words where it has some (spec 8.2, ``schemas/error.json``)."""
    try:
        body = response.json()
    except ValueError:
        body = response.text[:300]
    if isinstance(body, dict):
        body = body.get("summary") or body.get("message") or body.get("detail") or body
    message = f"{method} {_shown(url)}: {response.status_code} {body}".rstrip()
    return RequestError(message, response.status_code)
