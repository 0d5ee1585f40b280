"""Pins that nothing is connected to but addresses that were checked: forged requests end here."""

import asyncio
import ipaddress

import pytest

from tams_graphql.events.guard import GuardedBackend, Refused
from tams_graphql.events.http_sender import HttpSender, Limits
from tests.events.receiving import PUBLIC, Connector, Names, post, receiving, sent
from tests.model.test_webhook_url import REFUSED_HOSTS

URL = "http://hook.example.com/"

MORE_HOSTS = [
    # mixed notations, zeros, capitals, dots at the end
    *("0X7F.0X0.0X0.0X1", "0x7f.000.000.01", "127.0x1", "00000177.1", "127.0.0.1.", "127.1."),
    *("[::FFFF:127.0.0.1]", "[0000::0001]", "[::7f00:1]", "[0:0:0:0:0:ffff:a9fe:a9fe]"),
    *("localhost.", "sub.localhost.", "host.localdomain", "0xA9FEA9FE", "0251.0376.0251.0376"),
    # an IPv4 address inside, twice
    *("[64:ff9b::a9fe:a9fe]", "[64:ff9b::10.0.0.1]", "[2002:a9fe:a9fe::1]", "[::10.0.0.1]"),
    *("[2001:0:7f00:1::]", "[2001:0:a9fe:a9fe:0:0:0:1]", "[::ffff:0:127.0.0.1]"),
    # metadata services: AWS (ECS, IMDS, DNS), Azure, Alibaba, Oracle, Google and its IPv6
    *("169.254.170.2", "169.254.169.253", "169.254.169.123", "[fd00:ec2::253]", "[fd20:ce::254]"),
    # ends of ranges
    *("100.127.255.255", "192.168.255.255", "172.31.0.1", "239.255.255.255", "0.255.255.255"),
    *("[feff::1]", "[fdff:ffff::1]", "[febf::1]", "[ff0e::1]", "[5f00::1]", "192.88.99.1"),
]  # fmt: skip
HOSTS = sorted({*REFUSED_HOSTS, *MORE_HOSTS})

ADDRESSES = [
    *("127.0.0.1", "127.8.8.8", "0.0.0.0", "10.0.0.1", "172.16.0.1", "192.168.0.1", "100.64.0.1"),
    *("169.254.169.254", "169.254.170.2", "100.100.100.200", "168.63.129.16", "192.0.0.192"),
    *("192.0.2.1", "198.51.100.1", "203.0.113.1", "198.18.0.1", "224.0.0.1", "240.0.0.1"),
    *("255.255.255.255", "::", "::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::127.0.0.1"),
    *("64:ff9b::7f00:1", "64:ff9b:1::1", "2002:7f00:1::", "2002:a00:1::1", "2001::1", "fc00::1"),
    *("fd00:ec2::254", "fe80::1", "fec0::1", "ff02::1", "2001:db8::1", "3fff::1", "100::1"),
    # good addresses with a scope, and what is no address at all
    *("2606:4700::1111%2", "fe80::1%eth0", "2606:4700::1111%eth0", "", "127.1", "hook.example.com"),
]


def test_the_tables_are_long() -> None:
    assert len(HOSTS) >= 100
    assert len(ADDRESSES) >= 40


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_hosts_that_are_no_public_address_are_not_connected_to(
    scheme: str, host: str
) -> None:
    connector, names = Connector(), Names()
    outcome = await sent(f"{scheme}://{host}/", connector, names)
    assert outcome.permanent
    assert outcome.status_code is None
    assert outcome.reason is not None
    assert outcome.reason.startswith("a webhook's URL ")
    assert (connector.attempts, names.asked) == ([], [])


@pytest.mark.parametrize("host", [host.strip("[]") for host in HOSTS if "%25" not in host])
async def test_the_way_out_is_guarded_whatever_asks_for_it(host: str) -> None:
    connector, names = Connector(), Names()
    guarded = GuardedBackend(names, (), {80}, connector)
    with pytest.raises(Refused):
        await guarded.connect_tcp(host, 80, 1)
    with pytest.raises(Refused):
        await guarded.connect_unix_socket(f"/{host}")
    assert (connector.attempts, names.asked) == ([], [])


@pytest.mark.parametrize("address", ADDRESSES)
async def test_names_that_lead_to_such_addresses_are_not_connected_to(address: str) -> None:
    for found in ([address], [PUBLIC, address], [address, PUBLIC], [*[PUBLIC] * 9, address]):
        connector, names = Connector(), Names(hook_example_com=[found])
        outcome = await sent(URL, connector, names)
        assert outcome.reason == (
            "hook.example.com leads to an address that is not on the public internet, nor in a"
            " network that the operator allows"
        )
        # Its owner can correct the name.
        assert (outcome.status_code, outcome.permanent) == (None, False)
        assert (connector.attempts, names.asked) == ([], ["hook.example.com"])


async def test_a_name_is_resolved_once_and_its_address_connected_to() -> None:
    names = Names(hook_example_com=[[PUBLIC], ["127.0.0.1"]])
    async with receiving() as receiver:
        connector = Connector({PUBLIC: receiver.port})
        outcome = await sent(URL, connector, names)
    assert (outcome.status_code, outcome.reason) == (200, None)
    assert connector.attempts == [(PUBLIC, 80)]
    assert names.asked == ["hook.example.com"]


async def test_each_connection_is_checked_anew_and_reused_without_asking() -> None:
    names = Names(hook_example_com=[[PUBLIC], ["127.0.0.1"]])
    async with receiving() as receiver:
        connector = Connector({PUBLIC: receiver.port})
        sender = HttpSender(resolver=names, connector=connector)
        for _ in range(3):
            assert (await sender.send(post(URL))).status_code == 200
        assert (receiver.connections, names.asked) == (1, ["hook.example.com"])
        # The same host at another port is another connection.
        outcome = await sender.send(post("http://hook.example.com:8080/"))
        await sender.close()
    assert outcome.status_code is None
    assert len(names.asked) == 2
    assert connector.attempts == [(PUBLIC, 80)]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize(
    "location", ["http://127.0.0.1/", "//169.254.169.254/latest", "/elsewhere", URL]
)
async def test_redirects_are_failures(status: int, location: str) -> None:
    answer = f"HTTP/1.1 {status} X\r\nlocation: {location}\r\ncontent-length: 0\r\n\r\n".encode()
    async with receiving(answer) as receiver:
        connector = Connector({PUBLIC: receiver.port})
        outcome = await sent(URL, connector, Names(hook_example_com=[[PUBLIC]]))
        assert len(receiver.requests) == 1
    assert outcome.reason == (
        f"it answered {status}: redirects are not followed, give the URL that it leads to"
    )
    assert (outcome.status_code, outcome.permanent) == (status, False)
    assert connector.attempts == [(PUBLIC, 80)]


@pytest.mark.parametrize("port", [1, 22, 25, 81, 6379, 9200, 65535])
async def test_ports_that_are_not_open_are_not_connected_to(port: int) -> None:
    connector, names = Connector(), Names(hook_example_com=[[PUBLIC]])
    for host in ("hook.example.com", PUBLIC, "[2606:4700::1111]"):
        outcome = await sent(f"https://{host}:{port}/", connector, names)
        assert outcome.permanent
        assert f"port {port} is not one of 80, 443" in (outcome.reason or "")
    assert (connector.attempts, names.asked) == ([], [])


async def test_only_allowed_networks_are_open_on_any_port() -> None:
    names = Names(inside_example=[["10.0.0.7"]], outside_example=[[PUBLIC]])
    async with receiving() as receiver:
        connector = Connector({"10.0.0.7": receiver.port})
        sender = HttpSender(
            networks=[ipaddress.ip_network("10.0.0.0/8")],
            limits=Limits(connect_s=1, total_s=1),
            resolver=names,
            connector=connector,
        )
        inside = await sender.send(post("http://inside.example:9000/"))
        outside = await sender.send(post("http://outside.example:9000/"))
        await sender.close()
    assert inside.status_code == 200
    assert "port 9000 is not one of" in (outside.reason or "")
    assert not outside.permanent
    assert connector.attempts == [("10.0.0.7", 9000)]


async def test_a_receiver_on_loopback_that_the_operator_allows() -> None:
    async with receiving() as receiver:
        sender = HttpSender(networks=[ipaddress.ip_network("127.0.0.0/8")])
        for host in ("127.0.0.1", "localhost", "2130706433", "[::ffff:127.0.0.1]"):
            outcome = await sender.send(post(f"http://{host}:{receiver.port}/"))
            assert outcome.status_code == 200, host
        await sender.close()
    hosts = [
        next(line for line in request.splitlines() if line.startswith(b"host:"))
        for request in receiver.requests
    ]
    told = ["127.0.0.1", "localhost", "127.0.0.1", "[::ffff:7f00:1]"]
    assert hosts == [f"host: {host}:{receiver.port}".encode() for host in told]


async def test_addresses_are_tried_in_turn() -> None:
    others = ["2606:4700::1", "93.184.215.1", "93.184.215.2"]
    names = Names(hook_example_com=[[*others, PUBLIC, "93.184.215.3"]])
    async with receiving() as receiver:
        connector = Connector({PUBLIC: receiver.port})
        assert (await sent(URL, connector, names)).status_code == 200
    assert [address for address, _ in connector.attempts] == [*others, PUBLIC]
    assert names.asked == ["hook.example.com"]


async def test_no_more_than_four_addresses_are_tried() -> None:
    connector = Connector()
    names = Names(hook_example_com=[[f"93.184.215.{last}" for last in range(1, 200)]])
    outcome = await sent(URL, connector, names)
    assert outcome.reason == "it could not be reached: nothing listens there"
    assert len(connector.attempts) == 4


async def test_an_address_that_swallows_everything_leaves_time_for_the_next() -> None:
    class Swallowing(Connector):
        async def lost(self, seconds: float) -> None:
            await asyncio.sleep(seconds)

    async with receiving() as receiver:
        connector = Swallowing({PUBLIC: receiver.port})
        names = Names(hook_example_com=[["93.184.215.1", PUBLIC]])
        assert (await sent(URL, connector, names)).status_code == 200


async def test_names_without_addresses() -> None:
    for names in (Names(), Names(hook_example_com=[[]])):
        connector = Connector()
        outcome = await sent(URL, connector, names)
        assert outcome.reason == "hook.example.com has no address"
        assert (outcome.permanent, connector.attempts) == (False, [])


async def test_names_that_are_not_resolved_in_time() -> None:
    class Never(Names):
        async def __call__(self, host: str) -> list[str]:
            await asyncio.Event().wait()
            raise AssertionError

    connector = Connector()
    outcome = await sent(URL, connector, Never())
    assert outcome.reason == "it could not be reached in time"
    assert (outcome.permanent, connector.attempts) == (False, [])
