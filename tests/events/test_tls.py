"""Pins whom TLS is spoken with: the name in the URL, at the address that was checked."""

import datetime
import ipaddress
import ssl
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tams_graphql.events.http_sender import HttpSender, Limits, tls_context
from tams_graphql.events.sending import Outcome
from tests.events.receiving import PUBLIC, Connector, Names, post, receiving

NOW = datetime.datetime(2024, 1, 1, tzinfo=datetime.UTC)
SOON = datetime.timedelta(days=36500)


@dataclass(frozen=True)
class Authority:
    """Issues certificates, and has one to trust in."""

    folder: Path
    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @property
    def file(self) -> Path:
        return self.folder / "ca.pem"

    def server(self, *names: str, until: datetime.datetime = NOW + SOON) -> ssl.SSLContext:
        """What a receiver of these names speaks TLS with."""
        key = ec.generate_private_key(ec.SECP256R1())
        builder = _builder("receiver", self.certificate.subject, key.public_key(), until)
        found = x509.SubjectAlternativeName([_name(name) for name in names])
        certificate = builder.add_extension(found, critical=False).sign(self.key, hashes.SHA256())
        file = self.folder / f"{certificate.serial_number}.pem"
        file.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
            + certificate.public_bytes(serialization.Encoding.PEM)
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)
        return context


def _name(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        return x509.DNSName(text)


def _builder(
    subject: str, issuer: x509.Name | None, key: ec.EllipticCurvePublicKey, until: datetime.datetime
) -> x509.CertificateBuilder:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)])
    builder = x509.CertificateBuilder(name if issuer is None else issuer, name, key)
    builder = builder.serial_number(x509.random_serial_number())
    return builder.not_valid_before(NOW).not_valid_after(until)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    folder, key = tmp_path_factory.mktemp("ca"), ec.generate_private_key(ec.SECP256R1())
    builder = _builder("Test CA", None, key.public_key(), NOW + SOON)
    is_ca = x509.BasicConstraints(ca=True, path_length=0)
    certificate = builder.add_extension(is_ca, critical=True).sign(key, hashes.SHA256())
    made = Authority(folder, key, certificate)
    made.file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    return made


async def answer(
    server: ssl.SSLContext, ca_file: Path | None, url: str = "https://hook.example.com/"
) -> tuple[Outcome, list[bytes], list[tuple[str, int]]]:
    """What comes of an attempt, what the receiver got, and what was connected to."""
    async with receiving(tls=server) as receiver:
        connector = Connector({PUBLIC: receiver.port})
        sender = HttpSender(
            limits=Limits(connect_s=2, total_s=2),
            tls=tls_context(ca_file),
            resolver=Names(hook_example_com=[[PUBLIC]]),
            connector=connector,
        )
        outcome = await sender.send(post(url, b"secret", x_key="secret"))
        await sender.close()
    return outcome, receiver.requests, connector.attempts


async def test_the_certificate_is_of_the_name_and_the_connection_to_the_address(
    authority: Authority,
) -> None:
    asked: list[str | None] = []
    server = authority.server("hook.example.com")
    server.sni_callback = lambda _, name, __: asked.append(name)  # type: ignore[assignment]
    for url in ("https://hook.example.com/", "https://HOOK.example.com./"):
        outcome, requests, attempts = await answer(server, authority.file, url)
        assert (outcome.status_code, len(requests)) == (200, 1)
        assert attempts == [(PUBLIC, 443)]
    assert asked == ["hook.example.com"] * 2


async def test_an_address_has_a_certificate_of_its_own(authority: Authority) -> None:
    server = authority.server(PUBLIC)
    value = str(int(ipaddress.IPv4Address(PUBLIC)))
    for host in (PUBLIC, value):
        outcome, _, attempts = await answer(server, authority.file, f"https://{host}/")
        assert (outcome.status_code, attempts) == (200, [(PUBLIC, 443)])


@pytest.mark.parametrize(
    ("names", "days", "trusted", "reason"),
    [
        (["other.example.com"], 36500, True, "Hostname mismatch"),
        ([PUBLIC], 36500, True, "Hostname mismatch"),
        (["hook.example.com"], 1, True, "certificate has expired"),
        (["hook.example.com"], 36500, False, "unable to get local issuer certificate"),
    ],
)
async def test_nothing_is_said_to_others(
    authority: Authority, names: list[str], days: int, trusted: bool, reason: str
) -> None:
    server = authority.server(*names, until=NOW + datetime.timedelta(days=days))
    outcome, requests, _ = await answer(server, authority.file if trusted else None)
    assert outcome.status_code is None
    assert (outcome.reason or "").startswith(f"its TLS certificate is not accepted: {reason}")
    assert (outcome.permanent, requests) == (False, [])


@pytest.mark.parametrize(
    ("says", "connect_s", "reason"),
    [
        (b"", 0.2, "it could not be reached in time"),
        (b"", 5, "it did not answer within 0.4 s"),
        (b"220 mail.example ESMTP\r\n", 0.2, "TLS failed: "),
    ],
)
async def test_who_speaks_no_tls_gets_nothing(says: bytes, connect_s: float, reason: str) -> None:
    async with receiving(greeting=says) as receiver:
        sender = HttpSender(
            limits=Limits(connect_s=connect_s, total_s=0.4),
            resolver=Names(hook_example_com=[[PUBLIC]]),
            connector=Connector({PUBLIC: receiver.port}),
        )
        outcome = await sender.send(post("https://hook.example.com/"))
        await sender.close()
    assert (outcome.status_code, outcome.permanent) == (None, False)
    assert (outcome.reason or "").startswith(reason)
    assert (receiver.connections, receiver.requests) == (1, [])
    assert sender._pool.connections == []


async def test_we_have_no_certificate_to_show(authority: Authority) -> None:
    server = authority.server("hook.example.com")
    server.load_verify_locations(authority.file)
    server.verify_mode = ssl.CERT_REQUIRED
    outcome, requests, _ = await answer(server, authority.file)
    assert (outcome.status_code, outcome.permanent, requests) == (None, False, [])
    assert outcome.reason is not None


async def test_old_versions_of_tls_are_not_spoken(authority: Authority) -> None:
    assert tls_context().minimum_version >= ssl.TLSVersion.TLSv1_2
    assert tls_context().verify_mode == ssl.CERT_REQUIRED
    assert tls_context().check_hostname


def test_trust_does_not_come_from_the_environment(
    authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    assert len(tls_context().get_ca_certs()) > 50
    assert len(tls_context(authority.file).get_ca_certs()) == len(tls_context().get_ca_certs()) + 1
