"""Certificates made by the openssl program, and the same with octets changed: nobody here looks at a signature."""

import contextlib
import shutil
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gosip_check.wire.sip_fields import WireError
from gosip_check.wire.x509 import MAX_CERTIFICATE_BYTES, read_certificate

pytestmark = [
    pytest.mark.waits,
    pytest.mark.filterwarnings("ignore::UserWarning"),  # pytest sets aside what the module ignores
]

needs_openssl = pytest.mark.skipif(shutil.which("openssl") is None, reason="the openssl program is not installed")

CONFIG = """\
[ca]
default_ca = here
[here]
database = {folder}/index.txt
new_certs_dir = {folder}
serial = {folder}/serial
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
        serial: str = "01",
    ) -> bytes:
        config = CONFIG.format(folder=self.folder, name=name, extensions=extensions, string_mask=string_mask)
        (self.folder / "index.txt").write_text("")
        (self.folder / "serial").write_text(serial)
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


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """One certificate with a name of each kind, for changing octets in it."""
    names = "subjectAltName = DNS:trunk.example.net,URI:sip:example.net,IP:192.0.2.1\nissuerAltName = DNS:x"
    return OpenSsl(tmp_path_factory.mktemp("good")).make("good", extensions=names, dates=(YEARS[0], "99991231235959Z"))


def changed(der: bytes, old: bytes, new: bytes, *, last: bool = False) -> bytes:
    """The first or the last occurrence of `old` is the issuer's or the subject's; all lengths stay."""
    assert len(old) == len(new)
    at = der.rindex(old) if last else der.index(old)
    return der[:at] + new + der[at + len(old) :]


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
    assert (certificate.subject, certificate.issuer) == ("trunk.example.net", "trunk.example.net")
    assert certificate.self_signed
    assert certificate.not_after == datetime(2027, 1, 1, tzinfo=UTC)
    assert (certificate.names, certificate.unreadable) == ((), ())


@needs_openssl
def test_a_certificate_from_another_issuer(openssl: OpenSsl) -> None:
    openssl.make("root", name="O = Test Authority\nCN = Test Root", extensions="basicConstraints = critical,CA:TRUE")
    certificate = read_certificate(openssl.make("leaf", issuer="root"))
    assert (certificate.subject, certificate.issuer) == ("trunk.example.net", "Test Root")
    assert certificate.self_signed is False


@needs_openssl
@pytest.mark.parametrize("critical", ["", "critical,"])
def test_alternative_names(openssl: OpenSsl, critical: str) -> None:
    names = "DNS:trunk.example.net,URI:sip:example.net,DNS:*.example.net,IP:192.0.2.1,IP:2001:db8::1,email:a@b.example"
    extensions = (
        f"basicConstraints = critical,CA:FALSE\nkeyUsage = digitalSignature\nsubjectAltName = {critical}{names}"
    )
    certificate = read_certificate(openssl.make("names", extensions=extensions))
    assert certificate.names == (
        "trunk.example.net", "*.example.net", "sip:example.net", "192.0.2.1", "2001:db8::1",
    )  # fmt: skip


@needs_openssl
def test_a_name_that_stands_there_twice(openssl: OpenSsl) -> None:
    certificate = read_certificate(openssl.make("twice", extensions="subjectAltName = DNS:a.example,DNS:a.example"))
    assert (certificate.names, certificate.unreadable) == (("a.example", "a.example"), ())


@needs_openssl
@pytest.mark.parametrize(
    ("dates", "not_after"),
    [
        # An expired one; both forms of UTCTime years; GeneralizedTime from 2050 on (RFC 5280 4.1.2.5).
        (("20190203040506Z", "20200203040506Z"), (2020, 2, 3, 4, 5, 6)),
        (("19991231235959Z", "20491231235959Z"), (2049, 12, 31, 23, 59, 59)),
        (("20260101000000Z", "99991231235959Z"), (9999, 12, 31, 23, 59, 59)),
    ],
)
def test_dates(openssl: OpenSsl, dates: tuple[str, str], not_after: tuple[int, int, int, int, int, int]) -> None:
    assert read_certificate(openssl.make("dates", dates=dates)).not_after == datetime(*not_after, tzinfo=UTC)


@needs_openssl
@pytest.mark.parametrize(
    ("string_mask", "name", "tag", "subject"),
    [
        ("utf8only", "CN = Ħal Għaxaq", 0x0C, "Ħal Għaxaq"),
        ("nombstr", "CN = trunk.example.net", 0x13, "trunk.example.net"),
        ("pkix", "CN = Ħal Għaxaq", 0x1E, "Ħal Għaxaq"),
        ("utf8only", "CN = xn--al-naa.example", 0x0C, "xn--al-naa.example"),
        ("utf8only", "O = GO Test", 0x0C, "GO Test"),
        ("utf8only", "0.CN = users\n1.CN = joe", 0x0C, "joe"),
        ("utf8only", "C = MT", 0x13, ""),
    ],
    ids=["UTF8String", "PrintableString", "BMPString", "an IDN", "no CN", "two CN", "neither CN nor O"],
)
def test_what_a_subject_is_called(openssl: OpenSsl, string_mask: str, name: str, tag: int, subject: str) -> None:
    der = openssl.make("text", name=name, string_mask=string_mask)
    assert any(bytes((0x06, 3, 0x55, 0x04, kind, tag)) in der for kind in (3, 6, 10))
    certificate = read_certificate(der)
    assert (certificate.subject, certificate.unreadable) == (subject, ())


@needs_openssl
@pytest.mark.parametrize("serial", ["00", "7F" * 100], ids=["zero", "100 octets"])
def test_a_serial_number_that_no_authority_gives_out(openssl: OpenSsl, serial: str) -> None:
    certificate = read_certificate(openssl.make("serial", serial=serial))
    assert (certificate.subject, certificate.unreadable) == ("trunk.example.net", ())


@needs_openssl
def test_octets_that_are_no_text_leave_the_rest_readable(openssl: OpenSsl) -> None:
    """T61String in Latin-1, as openssl writes it when it must do without UTF-8."""
    der = openssl.make("latin", name="CN = René", string_mask="nombstr", extensions="subjectAltName = DNS:a.example")
    assert b"\x14\x04Ren\xe9" in der
    certificate = read_certificate(der)
    assert certificate.unreadable == ("subject", "issuer")
    assert (certificate.subject, certificate.issuer, certificate.self_signed) == ("", "", None)
    assert (certificate.names, certificate.not_after) == (("a.example",), datetime(2027, 1, 1, tzinfo=UTC))


SUBJECT = b"\x0c\x11trunk.example.net"


@needs_openssl
@pytest.mark.parametrize(
    "octets",
    [
        b"\x0c\x11trunk.example.n\xff\xff",
        b"\x16\x11trunk.example.n\xe9t",
        b"\x02\x11trunk.example.net",
        b"\x03\x11\x00runk.example.net",
        b"\x24\x11trunk.example.net",
    ],
    ids=["not UTF-8", "IA5String with Latin-1", "INTEGER", "BIT STRING", "constructed"],
)
def test_an_odd_subject_does_not_take_the_rest_with_it(good: bytes, octets: bytes) -> None:
    certificate = read_certificate(changed(good, SUBJECT, octets, last=True))
    assert certificate.unreadable == ("subject",)
    assert (certificate.subject, certificate.self_signed) == ("", None)
    assert certificate.issuer == "trunk.example.net"
    assert certificate.names == ("trunk.example.net", "sip:example.net", "192.0.2.1")
    assert certificate.not_after is not None


@needs_openssl
@pytest.mark.parametrize("name", ["*.example.net", "a@example.net", "Bell & Sons"])
def test_a_printable_string_with_a_letter_that_it_must_not_hold(openssl: OpenSsl, name: str) -> None:
    """Common on devices; OpenSSL reads it."""
    der = openssl.make("odd", name=f"CN = {name}")
    held = bytes((len(name),)) + name.encode()
    assert der.count(b"\x0c" + held) == 2
    der = der.replace(b"\x0c" + held, b"\x13" + held)
    certificate = read_certificate(der)
    assert (certificate.subject, certificate.issuer, certificate.self_signed) == (name, name, True)
    assert certificate.unreadable == ()


@needs_openssl
@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"\x87\x04\xc0\x00\x02\x01", b"\x87\x02\xc0\x00\x82\x00"),
        (b"\x82\x11trunk", b"\x82\x11tru\xffk"),
        (b"\x82\x11trunk", b"\xa3\x11trunk"),
        (b"\x82\x11trunk", b"\x9d\x11trunk"),
        (b"\x55\x1d\x12", b"\x55\x1d\x11"),
    ],
    ids=["IP address of two octets", "not ASCII", "x400Address", "no kind of name", "two extensions"],
)
def test_odd_alternative_names_do_not_take_the_rest_with_them(good: bytes, old: bytes, new: bytes) -> None:
    certificate = read_certificate(changed(good, old, new))
    assert (certificate.names, certificate.unreadable) == ((), ("alternative names",))
    assert (certificate.subject, certificate.self_signed) == ("trunk.example.net", True)


@needs_openssl
def test_a_last_day_that_no_calendar_has(good: bytes) -> None:
    certificate = read_certificate(changed(good, b"99991231235959Z", b"00001231235959Z"))
    assert (certificate.not_after, certificate.unreadable) == (None, ("last day",))
    assert certificate.subject == "trunk.example.net"


@needs_openssl
@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"99991231235959Z", b"99991331235959Z"),
        (b"99991231235959Z", b"9999123123595+1"),
        (b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x09"),
        (b"\x30\x82", b"\x30\x80"),
        (b"\x30\x82", b"\x2d\x82"),
    ],
    ids=["month 13", "no Z", "version 10", "no length", "no sequence"],
)
def test_what_is_refused_as_a_whole(good: bytes, old: bytes, new: bytes) -> None:
    with pytest.raises(WireError, match="not a certificate as RFC 5280 describes it"):
        read_certificate(changed(good, old, new))


@pytest.mark.parametrize("der", [b"", b"\x30", b"\x30\x84\xff\xff\xff\xff", b"-----BEGIN CERTIFICATE-----" + 99 * b"A"])
def test_what_is_no_certificate(der: bytes) -> None:
    with pytest.raises(WireError, match="not a certificate as RFC 5280 describes it"):
        read_certificate(der)


def test_one_that_is_too_large() -> None:
    with pytest.raises(WireError, match="a certificate of 65537 octets, more than 65536"):
        read_certificate(bytes(MAX_CERTIFICATE_BYTES + 1))


def test_deep_nesting() -> None:
    nested = b""
    while len(nested) < MAX_CERTIFICATE_BYTES - 8:
        nested = b"\x30\x83" + len(nested).to_bytes(3) + nested
    with pytest.raises(WireError):
        read_certificate(nested)


@needs_openssl
def test_an_oddity_is_not_printed_over_the_report(openssl: OpenSsl) -> None:
    """The library warns of such a number, and of such a name, on standard error."""
    openssl.make("odd", serial="00", name=f"CN = {'x' * 64}\nO = x")
    odd = openssl.folder / "odd.der"
    odd.write_bytes(odd.read_bytes().replace(b"\x55\x04\x0a", b"\x55\x04\x06"))  # an organisation is now a country
    script = "import pathlib, sys; from gosip_check.wire.x509 import read_certificate as read\n"
    script += "print(read(pathlib.Path(sys.argv[1]).read_bytes()).subject)"
    done = subprocess.run([sys.executable, "-c", script, odd], capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.stderr) == ("x" * 64 + "\n", "")


@needs_openssl
@settings(deadline=None, max_examples=1000, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_mutated_certificates(good: bytes, data: st.DataObject) -> None:
    """Nothing but WireError escapes, and what is read can be written in a report."""
    der = bytearray(good)
    for position, bit in data.draw(st.lists(st.tuples(st.integers(0, len(der) - 1), st.integers(0, 7)), max_size=6)):
        der[position] ^= 1 << bit
    cut = data.draw(st.integers(0, len(der)))
    for octets in (bytes(der), bytes(der[:cut]), bytes(der[cut:])):
        with contextlib.suppress(WireError):
            certificate = read_certificate(octets)
            " ".join((certificate.subject, certificate.issuer, *certificate.names)).encode()


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_random_bytes(data: bytes) -> None:
    with contextlib.suppress(WireError):
        read_certificate(data)
