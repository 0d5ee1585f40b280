"""Pins where webhooks may be sent: every way to write an address that is not public is refused."""

import ipaddress

import pytest

from tams_graphql.model.errors import InvalidInput
from tams_graphql.model.webhook_url import (
    MAX_URL,
    Destination,
    checked_url,
    destination_of,
    literal_address,
    port_refusal_of,
    refusal_of,
)

REFUSED_HOSTS = [
    # loopback, in all its spellings
    *("127.0.0.1", "127.255.255.254", "127.1", "127.0.1", "0x7f.1", "0x7f000001", "2130706433"),
    *("017700000001", "0177.0.0.1", "127.0.0.1.", "localhost", "LOCALHOST.", "a.b.localhost"),
    *("localhost.localdomain", "[::1]", "[0:0:0:0:0:0:0:1]", "[::ffff:127.0.0.1]"),
    *("[::ffff:7f00:1]", "[::127.0.0.1]", "[64:ff9b::127.0.0.1]", "[64:ff9b::7f00:1]"),
    *("[2002:7f00:1::]", "0", "0.0.0.0", "[::]", "0x0", "00", "[::ffff:0:0]"),
    # private, shared, link-local
    *("10.0.0.1", "10.1", "172.16.0.1", "172.31.255.255", "192.168.0.1", "0xc0.0xa8.0.1"),
    *("3232235521", "100.64.0.1", "169.254.1.1", "[fc00::1]", "[fd12:3456::1]", "[fe80::1]"),
    *("[fe80::1%25eth0]", "[fec0::1]", "[::ffff:10.0.0.1]", "[64:ff9b:1::a00:1]"),
    *("[2002:c0a8:1::]", "[2002:a00:1::1]"),
    # metadata of machines in clouds
    *("169.254.169.254", "0xa9fea9fe", "2852039166", "169.254.43518", "[fd00:ec2::254]"),
    *("100.100.100.200", "168.63.129.16", "192.0.0.192", "[::ffff:169.254.169.254]"),
    # nobody's: documentation, benchmarks, multicast, reserved, broadcast, Teredo
    *("192.0.2.1", "198.51.100.1", "203.0.113.9", "198.18.0.1", "224.0.0.1", "240.0.0.1"),
    *("255.255.255.255", "[ff02::1]", "[2001:db8::1]", "[2001:0:4136:e378::]", "[3fff::1]"),
    *("[4000::1]", "[100::1]"),
    # what one library reads so and another otherwise
    *("256.1.1.1", "08.8.8.8", "0x", "99999999999"),
]


@pytest.mark.parametrize("host", REFUSED_HOSTS)
def test_hosts_that_are_not_public_are_refused(host: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        checked_url(f"https://{host}:8443/hook?x=1")
    (problem,) = refusal.value.problems
    assert problem.field == "url"
    assert problem.rule == ("url.malformed" if "%" in host else "url.address")


@pytest.mark.parametrize(
    "url",
    [
        "https://hook.example.com",
        "http://hook.example.com:8080/a%20b?c=d#e",
        "HTTPS://Hook.Example.COM./",
        "https://xn--mnchen-3ya.example/",
        "https://8.8.8.8/",
        "https://134744072/",
        "https://1.2.3.4./",
        "https://[2606:4700::1111]/hook",
        "https://[64:ff9b::8.8.8.8]/",
        "https://10.example.com/",
        "https://localhost.example.com/",
        "https://intranet/",
    ],
)
def test_public_addresses_and_names_pass_as_they_are(url: str) -> None:
    assert checked_url(url) == url


@pytest.mark.parametrize(
    ("url", "rule"),
    [
        ("", "scheme"),
        ("hook.example.com", "scheme"),
        ("//hook.example.com", "scheme"),
        ("ftp://hook.example.com", "scheme"),
        ("file:///etc/passwd", "scheme"),
        ("gopher://hook.example.com", "scheme"),
        ("javascript:alert(1)", "scheme"),
        ("https://me:secret@hook.example.com/", "credentials"),
        ("https://me@hook.example.com/", "credentials"),
        ("https://@hook.example.com/", "credentials"),
        ("https://", "malformed"),
        ("https:///path", "malformed"),
        ("https://./", "malformed"),
        ("https://:443/", "malformed"),
        ("https://.example.com/", "malformed"),
        ("https://hook..example.com/", "malformed"),
        ("https://hook,example.com/", "malformed"),
        ("https://" + "a" * 64 + ".example/", "malformed"),
        ("https://" + "abc." * 63 + "de/", "malformed"),
        ("https://[v1.x]/", "malformed"),
        ("https://hook.example.com:port/", "malformed"),
        ("https://hook.example.com:0/", "port"),
        ("https://hook.example.com:25/", "port"),
        ("http://8.8.8.8:6379/", "port"),
        ("http://hook.example.com:65535/", "port"),
        ("https://hook.example.com:65536/", "malformed"),
        ("https://[::1/", "malformed"),
        ("https://127.0.0.1%2f@hook.example.com/", "malformed"),
        ("https://127%2e0.0.1/", "malformed"),
        ("https://hook.example.com\\@127.0.0.1/", "malformed"),
        ("https://hook.example.com/a b", "malformed"),
        ("https://hook.example.com/\n", "malformed"),
        ("https://hook.example.com/\x7f", "malformed"),
        ("https://１２７.0.0.1/", "malformed"),
        ("https://hook。example.com/", "malformed"),
        ("https://h/" + "a" * MAX_URL, "too_long"),
    ],
)
def test_what_is_no_plain_web_url_is_refused(url: str, rule: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        checked_url(url)
    assert [problem.rule for problem in refusal.value.problems] == [f"url.{rule}"]
    assert "secret" not in refusal.value.message


@pytest.mark.parametrize(
    ("url", "network"),
    [
        ("http://10.1.2.3/", "10.0.0.0/8"),
        ("http://localhost:9000/", "127.0.0.0/8"),
        ("http://127.1/", "127.0.0.1/32"),
        ("http://[::ffff:10.1.2.3]/", "10.0.0.0/8"),
        ("http://[fd00::7]/", "fd00::/8"),
    ],
)
def test_the_operator_allows_networks_and_no_more(url: str, network: str) -> None:
    allowed = (ipaddress.ip_network("192.168.7.0/24"), ipaddress.ip_network(network))
    assert checked_url(url, allowed) == url
    for host in ("169.254.169.254", "192.168.8.1", "[fe80::1]"):
        with pytest.raises(InvalidInput):
            checked_url(f"http://{host}/", allowed)


def test_an_address_that_was_connected_to_is_judged_alike() -> None:
    assert refusal_of(ipaddress.ip_address("8.8.8.8")) is None
    reason = refusal_of(ipaddress.ip_address("::ffff:10.0.0.1"))
    assert reason == "10.0.0.1 is not on the public internet"
    assert (
        refusal_of(ipaddress.ip_address("10.0.0.1"), [ipaddress.ip_network("10.0.0.0/8")]) is None
    )


@pytest.mark.parametrize("host", ["example.com", "1.2.3.4.5", "0xg", "1..2", "a.1", "intranet"])
def test_names_are_no_addresses(host: str) -> None:
    assert literal_address(host) is None


def test_other_ports_are_for_the_operator_to_open() -> None:
    with pytest.raises(InvalidInput, match="port 9000 is not one of 80, 443, 8080, 8443"):
        checked_url("https://hook.example.com:9000/")
    checked_url("https://hook.example.com:9000/", (), {9000})
    with pytest.raises(InvalidInput, match="port 443 is not one of 9000"):
        checked_url("https://hook.example.com/", (), {9000})


def test_in_networks_that_the_operator_allows_any_port_may_be_used() -> None:
    allowed = (ipaddress.ip_network("10.0.0.0/8"),)
    for host in ("10.1.2.3", "[::ffff:10.1.2.3]", "a-name-that-may-lead-there"):
        checked_url(f"http://{host}:9000/", allowed)
    with pytest.raises(InvalidInput, match="port 9000"):
        checked_url("http://8.8.8.8:9000/", allowed)
    assert port_refusal_of(9000, ipaddress.ip_address("10.1.2.3"), allowed) is None
    assert port_refusal_of(9000, ipaddress.ip_address("8.8.8.8"), allowed) is not None


@pytest.mark.parametrize(
    ("url", "expected", "authority"),
    [
        (
            "HTTPS://Hook.Example.COM.?a=b&c=%20#part",
            Destination(
                scheme="https", host="hook.example.com", port=443, target="/?a=b&c=%20",
                address=None,
            ),
            "hook.example.com",
        ),
        (
            "http://134744072:8080/a//b;c",
            Destination(
                scheme="http", host="8.8.8.8", port=8080, target="/a//b;c",
                address=ipaddress.ip_address("8.8.8.8"),
            ),
            "8.8.8.8:8080",
        ),
        (
            "https://[2606:4700:0::1111]:443",
            Destination(
                scheme="https", host="2606:4700::1111", port=443, target="/",
                address=ipaddress.ip_address("2606:4700::1111"),
            ),
            "[2606:4700::1111]",
        ),
    ],
)  # fmt: skip
def test_where_a_url_leads(url: str, expected: Destination, authority: str) -> None:
    assert destination_of(url) == expected
    assert expected.authority == authority


def test_a_name_of_this_machine_stays_a_name() -> None:
    found = destination_of("https://LOCALHOST.:9443/", (ipaddress.ip_network("127.0.0.0/8"),))
    assert (found.host, found.address) == ("localhost", ipaddress.ip_address("127.0.0.1"))
    assert found.authority == "localhost:9443"
