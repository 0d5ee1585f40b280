"""Pins what comes of an attempt, whatever a receiver does; and that none holds up another."""

import asyncio
import gc
import gzip
import re
import time
from collections.abc import AsyncIterator, Callable
from contextlib import suppress

import pytest

from tams_graphql.events.answer import EXCERPT
from tams_graphql.events.http_sender import HttpSender, Limits
from tams_graphql.events.sending import Outcome, Post
from tests.events.receiving import (
    OK,
    PUBLIC,
    Behaviour,
    Connector,
    Names,
    Receiver,
    post,
    receiving,
    sent,
    writes,
)

URL = "http://hook.example.com/hooks/7?x=%20y"
NOW_S = 1_700_000_000.0
SILENT = "it did not answer within 0.4 s"
BROKEN = "the connection broke before it answered, or what it answered is not HTTP/1.1"


def to(receiver: Receiver, **limits: float) -> HttpSender:
    names = Names(hook_example_com=[[PUBLIC]])
    return HttpSender(
        limits=Limits(**{"connect_s": 0.4, "total_s": 0.4, **limits}),  # type: ignore[arg-type]
        resolver=names,
        connector=Connector({PUBLIC: receiver.port}),
        clock=lambda: NOW_S,
    )


async def outcome_of(behaviour: Behaviour | bytes, body: bytes = b"{}", **headers: str) -> Outcome:
    """What comes of one attempt; it ends in time, and nothing is left of it."""
    async with receiving(behaviour) as receiver:
        sender = to(receiver)
        started = time.monotonic()
        outcome = await sender.send(post(URL, body, **headers))
        # Not a measurement: endless behaviours would never end.
        assert time.monotonic() - started < 10
        assert [one.info() for one in sender._pool.connections if not one.is_idle()] == []
        assert sender._places._value == 100
        await sender.close()
    assert (outcome.reason is None) == (outcome.status_code in range(200, 300))
    return outcome


async def test_what_is_sent() -> None:
    async with receiving() as receiver:
        sender = to(receiver)
        sending = Post(
            url=URL,
            body=b'{"a": 1}',
            headers={
                "Content-Type": "application/json",
                "X-Key": "s3cret",
                # Nobody's but the sender's to set.
                "Host": "evil.example",
                "Transfer-Encoding": "chunked",
                "Content-Length": "1",
                "Connection": "upgrade",
            },
        )
        outcome = await sender.send(sending)
        await sender.close()
    assert (outcome.status_code, outcome.reason, outcome.response_excerpt) == (200, None, "ok")
    assert (outcome.permanent, outcome.gone, outcome.retry_after_s) == (False, False, None)
    assert outcome.duration_us > 0
    head, _, body = receiver.requests[0].partition(b"\r\n\r\n")
    assert body == b'{"a": 1}'
    assert head.splitlines()[0] == b"POST /hooks/7?x=%20y HTTP/1.1"
    assert sorted(head.lower().splitlines()[1:]) == [
        b"accept-encoding: identity",
        b"accept: */*",
        b"content-length: 8",
        b"content-type: application/json",
        b"host: hook.example.com",
        b"user-agent: tams-graphql",
        b"x-key: s3cret",
    ]
    assert "s3cret" not in repr(sending)
    assert '{"a": 1}' not in repr(sending)


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (200, None),
        (202, None),
        (204, None),
        (299, None),
        (304, "it answered 304: redirects are not followed, give the URL that it leads to"),
        (400, "it answered 400"),
        (401, "it answered 401"),
        (404, "it answered 404"),
        (410, "it answered 410: it wants no more events"),
        (429, "it answered 429"),
        (500, "it answered 500"),
        (503, "it answered 503"),
        (999, "it answered 999"),
    ],
)
async def test_statuses(status: int, reason: str | None) -> None:
    outcome = await outcome_of(f"HTTP/1.1 {status} X\r\ncontent-length: 0\r\n\r\n".encode())
    assert (outcome.status_code, outcome.reason) == (status, reason)
    assert (outcome.gone, outcome.permanent) == (status == 410, False)
    assert outcome.response_excerpt is None


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("120", 120.0),
        ("Tue, 14 Nov 2023 22:15:20 GMT", 120.0),
        ("Tue, 14 Nov 2023 22:13:19 GMT", 0.0),
        ("soon", None),
    ],
)
@pytest.mark.parametrize("status", [429, 503])
async def test_receivers_say_when_to_come_back(
    status: int, value: str, expected: float | None
) -> None:
    head = f"HTTP/1.1 {status} X\r\nRetry-After: {value}\r\ncontent-length: 0\r\n\r\n"
    assert (await outcome_of(head.encode())).retry_after_s == expected


async def test_who_took_the_event_has_nothing_to_ask() -> None:
    head = b"HTTP/1.1 200 OK\r\nretry-after: 5\r\ncontent-length: 0\r\n\r\n"
    assert (await outcome_of(head)).retry_after_s is None


HEAD = b"HTTP/1.1 200 OK\r\n"
CHUNKED = HEAD + b"transfer-encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    ("behaviour", "reason"),
    [
        pytest.param(writes(b"", every=60), SILENT, id="silence"),
        pytest.param(writes(*(HEAD[i : i + 1] for i in range(17)), every=0.1), SILENT, id="drip"),
        pytest.param(writes(HEAD, b"x: y\r\n", every=0.05, again=True), SILENT, id="header drip"),
        pytest.param(
            writes(b"HTTP/1.1 100 Continue\r\n\r\n", every=0.01, again=True), SILENT, id="100 drip"
        ),
        pytest.param(writes(HEAD, b"x-a: b\r\n" * 999, again=True), BROKEN, id="headers flood"),
        pytest.param(writes(HEAD, b"a" * 9999, again=True), BROKEN, id="endless header"),
        pytest.param(writes(b""), BROKEN, id="closes"),
        pytest.param(writes(b"HTTP/1.1 2"), BROKEN, id="closes in its status"),
        pytest.param(writes(HEAD + b"x-a"), BROKEN, id="closes in its headers"),
        pytest.param(writes(b"220 mail.example ESMTP\r\n"), BROKEN, id="speaks SMTP"),
        pytest.param(writes(b"HTTP/1.1 101 X\r\nupgrade: x\r\n\r\n"), BROKEN, id="upgrades"),
        pytest.param(writes(b"\0\1\2\3" * 64), BROKEN, id="speaks nothing"),
        pytest.param(writes(b"HTTP/1.1 OK OK\r\n\r\n"), BROKEN, id="no status"),
        pytest.param(writes(b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n"), BROKEN, id="no header"),
        pytest.param(
            writes(HEAD + b"content-length: -1\r\n\r\n"), BROKEN, id="no length"
        ),
    ],
)  # fmt: skip
async def test_who_does_not_answer_did_not_take_the_event(
    behaviour: Behaviour, reason: str
) -> None:
    outcome = await outcome_of(behaviour)
    assert (outcome.status_code, outcome.reason) == (None, reason)
    assert (outcome.response_excerpt, outcome.permanent, outcome.gone) == (None, False, False)


@pytest.mark.parametrize(
    ("behaviour", "excerpt"),
    [
        pytest.param(writes(HEAD + b"\r\n", b"a", every=0.05, again=True), "a+", id="body drip"),
        pytest.param(writes(HEAD + b"\r\n", b"a" * 9999, again=True), "a{1000}", id="endless"),
        pytest.param(writes(CHUNKED, b"1\r\na\r\n", again=True), "a+", id="endless chunks"),
        pytest.param(writes(HEAD + b"content-length: 99999999999\r\n\r\nhi"), "hi", id="too short"),
        pytest.param(writes(CHUNKED + b"2\r\nhi\r\nxyz\r\n"), "hi", id="broken chunks"),
        pytest.param(
            writes(CHUNKED + b"2\r\nhi\r\n0\r\n" + b"a: b\r\n" * 99_999), "hi", id="trailers"
        ),
    ],
)
async def test_who_answered_took_the_event_whatever_follows(
    behaviour: Behaviour, excerpt: str
) -> None:
    outcome = await outcome_of(behaviour)
    assert (outcome.status_code, outcome.reason) == (200, None)
    assert outcome.response_excerpt is not None
    assert re.fullmatch(excerpt, outcome.response_excerpt)
    assert len(outcome.response_excerpt) <= EXCERPT


async def test_what_is_compressed_stays_so() -> None:
    bomb = gzip.compress(bytes(10_000_000))
    for coding in ("gzip", "GZIP", "br", "deflate, gzip"):
        head = (
            f"HTTP/1.1 500 X\r\ncontent-encoding: {coding}\r\ncontent-length: {len(bomb)}\r\n\r\n"
        )
        outcome = await outcome_of(head.encode() + bomb)
        assert (outcome.status_code, outcome.response_excerpt) == (500, None)


async def test_what_a_receiver_repeats_is_blotted_out() -> None:
    body = b"denied: Bearer s3cret-token\x1b[31m\r\n"
    answer = b"HTTP/1.1 401 X\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body)
    outcome = await outcome_of(answer, Authorization="Bearer s3cret-token")
    assert outcome.response_excerpt == "denied: … [31m"


async def test_who_closes_before_all_is_read_may_have_answered() -> None:
    async def refuses(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 413 X\r\nconnection: close\r\ncontent-length: 0\r\n\r\n")
        await writer.drain()

    outcome = await outcome_of(refuses, body=b"x" * 1_000_000)
    assert outcome.status_code == 413


@pytest.mark.parametrize("headers", [{"X-Key": "a\r\nX-Evil: b"}, {"X-Key": "ä"}, {"a b": "c"}])
async def test_headers_that_http_can_not_carry_are_never_sent(headers: dict[str, str]) -> None:
    async with receiving() as receiver:
        sender = to(receiver)
        outcome = await sender.send(Post(url=URL, body=b"", headers=headers))
        await sender.close()
    assert outcome.permanent
    assert (outcome.status_code, receiver.requests) == (None, [])
    assert "header" in (outcome.reason or "")


async def test_proxies_and_credentials_of_the_environment_are_not_used(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    netrc = tmp_path_factory.mktemp("home") / "netrc"
    netrc.write_text("machine hook.example.com login me password hush\n")
    monkeypatch.setenv("NETRC", str(netrc))
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    cookie = b"HTTP/1.1 200 OK\r\nset-cookie: a=b; path=/\r\ncontent-length: 0\r\n\r\n"
    async with receiving(cookie) as receiver:
        sender = to(receiver)
        for _ in range(2):
            assert (await sender.send(post(URL))).status_code == 200
        await sender.close()
    assert len(receiver.requests) == 2
    for request in receiver.requests:
        assert b"authorization" not in request.lower()
        assert b"cookie" not in request.lower()


@pytest.fixture
async def held() -> AsyncIterator[Callable[[], Behaviour]]:
    """Makes receivers that hold every request until the test is over."""
    over = asyncio.Event()

    async def hold(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await over.wait()
        writer.write(OK)

    yield lambda: hold
    over.set()


async def test_a_slow_receiver_holds_up_none_but_itself(
    held: Callable[[], Behaviour],
) -> None:
    async with receiving(held()) as slow, receiving() as quick:
        routes = {PUBLIC: slow.port, "93.184.215.15": quick.port}
        names = Names(slow_example=[[PUBLIC]], quick_example=[["93.184.215.15"]])
        sender = HttpSender(
            limits=Limits(total_s=1.0, connections=4, per_host=2),
            resolver=names,
            connector=Connector(routes),
        )
        waiting = [
            asyncio.create_task(sender.send(post(f"http://slow.example/{place}")))
            for place in range(20)
        ]
        await slow.seen.wait()
        for place in range(10):
            outcome = await sender.send(post(f"http://QUICK.example./{place}"))
            assert outcome.status_code == 200
        assert slow.connections == 2
        assert not any(task.done() for task in waiting[2:])
        for task in waiting:
            task.cancel()
        await asyncio.wait(waiting)
        await sender.close()
    del task, waiting
    gc.collect()
    assert dict(sender._places_of) == {}
    assert sender._places._value == 4


async def test_time_spent_waiting_for_a_place_is_not_the_receivers() -> None:
    async def slowly(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.2)
        writer.write(OK)

    async with receiving(slowly) as receiver:
        sender = to(receiver, per_host=1)
        outcomes = await asyncio.gather(*(sender.send(post(URL)) for _ in range(4)))
        await sender.close()
    assert [outcome.status_code for outcome in outcomes] == [200] * 4


@pytest.mark.parametrize("impatient", ["sender", "caller"])
async def test_many_timeouts_leave_room_for_what_works(
    impatient: str, held: Callable[[], Behaviour]
) -> None:
    async def gives_up(sender: HttpSender) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(0.02 if impatient == "caller" else None):
                assert (await sender.send(post(URL))).status_code is None

    async def queue(sender: HttpSender) -> None:
        for _ in range(20):
            await gives_up(sender)

    async with receiving(held()) as slow, receiving() as quick:
        connector = Connector({PUBLIC: slow.port})
        sender = to(slow, total_s=0.02 if impatient == "sender" else 1, connections=5, per_host=5)
        sender._pool._network_backend._connector = connector  # type: ignore[attr-defined]
        await asyncio.gather(*(queue(sender) for _ in range(5)))
        assert sender._pool.connections == []
        connector.routes[PUBLIC] = quick.port
        sender._limits = Limits()
        assert (await sender.send(post(URL))).status_code == 200
        await sender.close()


async def test_an_endless_answer_is_not_waited_for() -> None:
    for parts in ((HEAD + b"\r\n", b"a" * 9999), (CHUNKED, b"8\r\naaaaaaaa\r\n" * 999)):
        async with receiving(writes(*parts, again=True)) as receiver, asyncio.timeout(20):
            sender = to(receiver, total_s=3600)
            outcome = await sender.send(post(URL))
            await sender.close()
        assert outcome.response_excerpt == "a" * EXCERPT


async def test_open_connections_are_few_however_many_receivers_there_are() -> None:
    async with receiving() as receiver:
        names = Names(**{f"h{place}_example": [[PUBLIC]] for place in range(20)})
        connector = Connector({PUBLIC: receiver.port})
        sender = HttpSender(limits=Limits(connections=3), resolver=names, connector=connector)
        urls = [f"http://h{place}.example/" for place in range(20)]
        outcomes = await asyncio.gather(*(sender.send(post(url)) for url in urls * 3))
        assert {outcome.status_code for outcome in outcomes} == {200}
        assert len(sender._pool.connections) <= 3
        await sender.close()
        assert sender._pool.connections == []


@pytest.mark.parametrize("after_s", [0.0, 0.001, 0.005, 0.02])
async def test_who_stops_sending_leaves_nothing_open(
    after_s: float, held: Callable[[], Behaviour]
) -> None:
    async with receiving(held()) as receiver:
        sender = to(receiver)
        tasks = [asyncio.create_task(sender.send(post(URL))) for _ in range(20)]
        await asyncio.sleep(after_s)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        assert all(task.cancelled() for task in tasks)
        assert sender._pool.connections == []
        assert sender._places._value == 100
        await sender.close()


async def test_nobody_there() -> None:
    outcome = await sent(URL, Connector(), Names(hook_example_com=[[PUBLIC]]))
    assert outcome.reason == "it could not be reached: nothing listens there"
    assert not outcome.permanent
