"""Certificates made by the openssl program, and broken ones made here."""

import contextlib
import shutil
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gosip_check.wire.sip_fields import WireError
from gosip_check.wire.x509 import MAX_CERTIFICATE_BYTES, Certificate, read_certificate

needs_openssl = pytest.mark.skipif(shutil.which("openssl") is None, reason="the openssl program is not installed")

CONFIG = """\
[ca]
default_ca = here
[here]
database = {folder}/index.txt
new_certs_dir = {folder}
rand_serial = yes
default_md = sha256
policy = any
unique_subject = no
x509_extensions = leaf
[any]
countryName = optional
organizationName = optional
commonName = optional
[req]
prompt = no
distinguished_name = name
string_mask = {string_mask}
[name]
{name}
[leaf]
{extensions}
"""

TRUNK_NAME = "O = GO Test p.l.c.\nCN = trunk.example.net"
YEARS = ("20260101000000Z", "20270101000000Z")


@dataclass(frozen=True)
class OpenSsl:
    """Makes certificates in a folder: every call one certificate, self-signed unless `issuer` names an earlier one."""

    folder: Path

    def run(self, *arguments: str) -> None:
        subprocess.run(["openssl", *arguments], check=True, capture_output=True, cwd=self.folder, timeout=60)

    def make(
        self,
        stem: str,
        name: str = TRUNK_NAME,
        extensions: str = "",
        dates: tuple[str, str] = YEARS,
        key: tuple[str, ...] = ("EC", "-pkeyopt", "ec_paramgen_curve:P-256"),
        string_mask: str = "utf8only",
        issuer: str | None = None,
    ) -> bytes:
        config = CONFIG.format(folder=self.folder, name=name, extensions=extensions, string_mask=string_mask)
        (self.folder / "index.txt").write_text("")
        (self.folder / "openssl.cnf").write_text(config)
        self.run("genpkey", "-out", f"{stem}.key", "-algorithm", *key)
        self.run("req", "-new", "-utf8", "-config", "openssl.cnf", "-key", f"{stem}.key", "-out", f"{stem}.csr")
        signer = ["-selfsign", "-keyfile", f"{stem}.key"]
        if issuer:
            signer = ["-cert", f"{issuer}.pem", "-keyfile", f"{issuer}.key"]
        ca = ["ca", "-batch", "-utf8", "-preserveDN", "-config", "openssl.cnf", *signer]
        self.run(*ca, "-startdate", dates[0], "-enddate", dates[1], "-in", f"{stem}.csr", "-out", f"{stem}.pem")
        self.run("x509", "-in", f"{stem}.pem", "-outform", "DER", "-out", f"{stem}.der")
        return (self.folder / f"{stem}.der").read_bytes()


@pytest.fixture
def openssl(tmp_path: Path) -> OpenSsl:
    return OpenSsl(tmp_path)


@needs_openssl
@pytest.mark.parametrize(
    "key",
    [
        ("RSA", "-pkeyopt", "rsa_keygen_bits:2048"),
        ("EC", "-pkeyopt", "ec_paramgen_curve:P-384"),
        ("ED25519",),
    ],
    ids=["RSA", "EC", "Ed25519"],
)
def test_a_self_signed_certificate(openssl: OpenSsl, key: tuple[str, ...]) -> None:
    certificate = read_certificate(openssl.make("self", key=key))
    assert (certificate.subject.common_name, certificate.subject.organisation) == (
        "trunk.example.net",
        "GO Test p.l.c.",
    )
    assert certificate.issuer == certificate.subject
    assert certificate.is_self_signed
    assert certificate.not_before == datetime(2026, 1, 1, tzinfo=UTC)
    assert certificate.not_after == datetime(2027, 1, 1, tzinfo=UTC)
    assert (certificate.dns_names, certificate.uris, certificate.ip_addresses) == ((), (), ())


@needs_openssl
def test_a_certificate_from_another_issuer(openssl: OpenSsl) -> None:
    openssl.make("root", name="O = Test Authority\nCN = Test Root", extensions="basicConstraints = critical,CA:TRUE")
    certificate = read_certificate(openssl.make("leaf", issuer="root"))
    assert certificate.subject.common_name == "trunk.example.net"
    assert (certificate.issuer.common_name, certificate.issuer.organisation) == ("Test Root", "Test Authority")
    assert not certificate.is_self_signed


@needs_openssl
@pytest.mark.parametrize("critical", ["", "critical,"])
def test_subject_alternative_names(openssl: OpenSsl, critical: str) -> None:
    names = "DNS:trunk.example.net,DNS:*.example.net,URI:sip:example.net,IP:192.0.2.1,IP:2001:db8::1,email:a@b.example"
    extensions = (
        f"basicConstraints = critical,CA:FALSE\nkeyUsage = digitalSignature\nsubjectAltName = {critical}{names}"
    )
    certificate = read_certificate(openssl.make("names", extensions=extensions))
    assert certificate.dns_names == ("trunk.example.net", "*.example.net")
    assert certificate.uris == ("sip:example.net",)
    assert certificate.ip_addresses == ("192.0.2.1", "2001:db8::1")


@needs_openssl
@pytest.mark.parametrize(
    ("dates", "not_before", "not_after"),
    [
        # An expired one; both forms of UTCTime years; GeneralizedTime from 2050 on (RFC 5280 4.1.2.5).
        (("20190203040506Z", "20200203040506Z"), (2019, 2, 3, 4, 5, 6), (2020, 2, 3, 4, 5, 6)),
        (("19991231235959Z", "20491231235959Z"), (1999, 12, 31, 23, 59, 59), (2049, 12, 31, 23, 59, 59)),
        (("20260101000000Z", "99991231235959Z"), (2026, 1, 1, 0, 0, 0), (9999, 12, 31, 23, 59, 59)),
    ],
)
def test_dates(
    openssl: OpenSsl,
    dates: tuple[str, str],
    not_before: tuple[int, int, int, int, int, int],
    not_after: tuple[int, int, int, int, int, int],
) -> None:
    certificate = read_certificate(openssl.make("dates", dates=dates))
    assert certificate.not_before == datetime(*not_before, tzinfo=UTC)
    assert certificate.not_after == datetime(*not_after, tzinfo=UTC)


@needs_openssl
@pytest.mark.parametrize(
    ("string_mask", "name", "tag", "expected"),
    [
        ("utf8only", "CN = Ħal Għaxaq", 0x0C, "Ħal Għaxaq"),
        ("nombstr", "CN = trunk.example.net", 0x13, "trunk.example.net"),
        ("pkix", "CN = Ħal Għaxaq", 0x1E, "Ħal Għaxaq"),
    ],
    ids=["UTF8String", "PrintableString", "BMPString"],
)
def test_forms_of_text(openssl: OpenSsl, string_mask: str, name: str, tag: int, expected: str) -> None:
    certificate = read_certificate(openssl.make("text", name=name, string_mask=string_mask))
    assert bytes((0x06, 3, *COMMON_NAME, tag)) in certificate.subject.der
    assert certificate.subject.common_name == expected
    assert certificate.subject.organisation == ""


def element(tag: int, *parts: bytes) -> bytes:
    content = b"".join(parts)
    return bytes((tag, 0x82)) + len(content).to_bytes(2) + content


def attribute(oid: bytes, value: bytes, tag: int = 0x0C) -> bytes:
    return element(0x31, element(0x30, element(0x06, oid), element(tag, value)))


COMMON_NAME = bytes((0x55, 0x04, 0x03))
NAME = element(0x30, attribute(COMMON_NAME, b"trunk.example.net"))
VALIDITY = element(0x30, element(0x17, b"260101000000Z"), element(0x17, b"270101000000Z"))
IP = element(0x87, bytes((192, 0, 2, 1)))


def certificate_of(
    subject: bytes = NAME,
    validity: bytes = VALIDITY,
    names: bytes = IP,
    version: bytes = element(0xA0, b"\x02\x01\x02"),
) -> bytes:
    """A certificate whose lengths all take two octets; without a signature, which nobody looks at."""
    extension = element(0x30, element(0x06, b"\x55\x1d\x11"), element(0x04, element(0x30, names)))
    return element(
        0x30,
        element(
            0x30,
            version,
            element(0x02, b"\x01"),
            element(0x30, b""),
            NAME,
            validity,
            subject,
            element(0x30, b""),
            element(0xA3, element(0x30, extension)),
        ),
    )


VALID = certificate_of()


def test_the_one_made_here_is_valid() -> None:
    certificate = read_certificate(VALID)
    assert certificate.subject.common_name == "trunk.example.net"
    assert certificate.ip_addresses == ("192.0.2.1",)
    assert read_certificate(certificate_of(version=b"")) == certificate  # version 1 has no version field


def test_the_last_common_name_counts() -> None:
    subject = element(0x30, attribute(COMMON_NAME, b"users"), attribute(COMMON_NAME, b"joe"))
    assert read_certificate(certificate_of(subject)).subject.common_name == "joe"


@pytest.mark.parametrize(
    ("tag", "content"),
    [(0x0C, b"Ren\xe9"), (0x1C, b"Ren\xe9"), (0x1E, b"Ren\xe9s"), (0x14, b"Ren\xe9"), (0x13, b"Ren\xe9")],
    ids=["UTF8String", "UniversalString", "BMPString of odd length", "T61String", "PrintableString"],
)
def test_text_that_its_tag_does_not_allow_is_shown_all_the_same(tag: int, content: bytes) -> None:
    subject = element(0x30, attribute(COMMON_NAME, content, tag))
    assert read_certificate(certificate_of(subject)).subject.common_name == content.decode("latin-1")


@pytest.mark.parametrize(
    ("der", "error"),
    [
        (b"", "the certificate ends within an element"),
        (b"\x30", "the certificate ends within an element"),
        (VALID[:-1], "the certificate ends within an element"),
        (b"\x30\x80\x00\x00", "the certificate has an element of unreadable length"),
        (b"\x30\x89" + 9 * b"\x00", "the certificate has an element of unreadable length"),
        (b"\x30\x84\xff", "the certificate has an element of unreadable length"),
        (b"\x30\x84\xff\xff\xff\xff", "the certificate ends within an element"),
        (b"-----BEGIN CERTIFICATE-----" + 99 * b"A", "the certificate has tag 0x2d where 0x30 belongs"),
        (bytes(MAX_CERTIFICATE_BYTES + 1), "a certificate of 65537 octets, more than 65536"),
        (
            certificate_of(subject=element(0x30, element(0x30))),
            "a name in the certificate has tag 0x30 where 0x31 belongs",
        ),
        (certificate_of(names=element(0x87, b"\x01\x02\x03")), "an IP address of 3 octets in the certificate"),
        (
            certificate_of(validity=element(0x30, element(0x17, b"2601010000Z"), element(0x17, b"270101000000Z"))),
            "the certificate has the unreadable time '2601010000Z'",
        ),
        (
            certificate_of(validity=element(0x30, element(0x18, b"260101000000Z"), element(0x17, b"270101000000Z"))),
            "the certificate has the unreadable time '260101000000Z'",
        ),
        (
            certificate_of(validity=element(0x30, element(0x17, b"261301000000Z"), element(0x17, b"270101000000Z"))),
            "the certificate has the impossible time '20261301000000Z'",
        ),
    ],
)
def test_what_is_no_certificate(der: bytes, error: str) -> None:
    with pytest.raises(WireError) as raised:
        read_certificate(der)
    assert str(raised.value) == error


def test_nesting_is_not_followed() -> None:
    nested = b""
    for _ in range(5000):
        nested = element(0x30, nested)
    with pytest.raises(WireError):
        read_certificate(nested)


@settings(deadline=None, max_examples=500)
@given(st.lists(st.tuples(st.integers(0, len(VALID) - 1), st.integers(0, 255)), max_size=6), st.integers(0, len(VALID)))
def test_mutated_certificates(changes: list[tuple[int, int]], cut: int) -> None:
    der = bytearray(VALID)
    for position, octet in changes:
        der[position] = octet
    for data in (bytes(der), bytes(der[:cut]), bytes(der[cut:])):
        with contextlib.suppress(WireError):
            certificate = read_certificate(data)
            assert isinstance(certificate, Certificate)
            "".join((certificate.subject.common_name, *certificate.dns_names, *certificate.uris)).encode()


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_random_bytes(data: bytes) -> None:
    with contextlib.suppress(WireError):
        read_certificate(data)
