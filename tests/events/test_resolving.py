"""Pins how names are resolved: once at a time, off the loop, and with the scope of an address."""

import asyncio
import socket
import threading

import pytest

from tams_graphql.events.resolving import SystemResolver


async def test_names_of_this_machine() -> None:
    resolver = SystemResolver()
    assert set(await resolver("localhost")) <= {"127.0.0.1", "::1"}
    resolver.close()


@pytest.mark.parametrize("host", ["no-such-name.invalid", "a..b", "a" * 64 + ".example"])
async def test_names_without_addresses(host: str) -> None:
    resolver = SystemResolver()
    with pytest.raises(OSError):
        await resolver(host)
    assert resolver._asked == {}
    resolver.close()


async def test_addresses_come_once_each_in_order_and_with_their_scope(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = [
        ("2606:4700::1", 0, 0, 0),
        ("fe80::1", 0, 0, 3),
        ("1.2.3.4", 0),
        ("fe80::1%e", 0, 0, 2),
    ]
    kind = (socket.AF_INET6, socket.SOCK_STREAM, 6, "")
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [(*kind, one) for one in found * 2])
    resolver = SystemResolver()
    assert await resolver("x.example") == ["2606:4700::1", "fe80::1%3", "1.2.3.4", "fe80::1%e"]
    resolver.close()


async def test_a_name_that_takes_long_takes_one_thread_and_leaves_the_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    release, asked = threading.Event(), list[str]()

    def slowly(host: str, *_: object, **__: object) -> list[tuple[object, ...]]:
        asked.append(host)
        if host == "slow.example":
            release.wait(10)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("1.2.3.4", 0))]

    monkeypatch.setattr(socket, "getaddrinfo", slowly)
    resolver = SystemResolver()
    impatient = [asyncio.create_task(resolver("slow.example")) for _ in range(50)]
    await asyncio.sleep(0)
    for task in impatient[1:]:
        task.cancel()
    await asyncio.wait(impatient[1:])
    assert await resolver("quick.example") == ["1.2.3.4"]
    assert sorted(asked) == ["quick.example", "slow.example"]
    release.set()
    assert await impatient[0] == ["1.2.3.4"]
    # Answers are not kept: the next connection asks again.
    assert await resolver("slow.example") == ["1.2.3.4"]
    assert asked.count("slow.example") == 2
    resolver.close()
