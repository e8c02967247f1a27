"""What a certificate says: names, dates, issuer (RFC 5280), from DER. No cryptography: nothing here proves anything.

Needed because `ssl` describes a peer's certificate only after verifying it, and the certificate that fails verification
is the one worth describing. Reads what it needs and ignores the rest; only `WireError` escapes.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import ip_address

from gosip_check.wire.sip_fields import WireError

MAX_CERTIFICATE_BYTES = 65536
"""Far above real ones (1 to 4 KiB); a certificate with thousands of names is not described."""

# Tags, ITU-T X.690 8.1.2 and RFC 5280 4.1.
_BOOLEAN = 0x01
_OCTET_STRING = 0x04
_OBJECT = 0x06
_UTF8_STRING = 0x0C
_UTC_TIME = 0x17
_GENERALIZED_TIME = 0x18
_UNIVERSAL_STRING = 0x1C
_BMP_STRING = 0x1E
_SEQUENCE = 0x30
_SET = 0x31
_VERSION = 0xA0
_EXTENSIONS = 0xA3
_DNS_NAME = 0x82
_URI = 0x86
_IP_ADDRESS = 0x87

# Object identifiers as their DER bytes: 2.5.4.3, 2.5.4.10, 2.5.29.17.
_COMMON_NAME = bytes((0x55, 0x04, 0x03))
_ORGANISATION = bytes((0x55, 0x04, 0x0A))
_SUBJECT_ALT_NAME = bytes((0x55, 0x1D, 0x11))


@dataclass(frozen=True)
class Name:
    """The parts of a distinguished name that people look at, "" where missing. `der` is the whole, for comparing."""

    common_name: str
    organisation: str
    der: bytes


@dataclass(frozen=True)
class Certificate:
    subject: Name
    issuer: Name
    not_before: datetime
    not_after: datetime
    dns_names: tuple[str, ...] = ()
    uris: tuple[str, ...] = ()
    ip_addresses: tuple[str, ...] = ()

    @property
    def is_self_signed(self) -> bool:
        """Subject and issuer are the same name (RFC 5280 3.2 "self-issued"): the signature is not looked at."""
        return self.subject.der == self.issuer.der


def read_certificate(der: bytes) -> Certificate:
    """One certificate, as `SSLSocket.getpeercert(binary_form=True)` gives it. Raises WireError and nothing else."""
    if len(der) > MAX_CERTIFICATE_BYTES:
        raise WireError(f"a certificate of {len(der)} octets, more than {MAX_CERTIFICATE_BYTES}")
    fields = _Reader(_Reader(_Reader(der).take(_SEQUENCE)).take(_SEQUENCE))  # Certificate, tbsCertificate
    fields.take_if(_VERSION)
    fields.skip()  # serialNumber
    fields.skip()  # signature
    issuer = _name(fields.take(_SEQUENCE))
    validity = _Reader(fields.take(_SEQUENCE))
    not_before, not_after = _time(*validity.any()), _time(*validity.any())
    subject = _name(fields.take(_SEQUENCE))
    fields.skip()  # subjectPublicKeyInfo
    names: list[tuple[int, bytes]] = []
    for tag, content in fields.rest():
        if tag == _EXTENSIONS:
            names = _subject_alt_names(_Reader(content).take(_SEQUENCE))
    return Certificate(
        subject,
        issuer,
        not_before,
        not_after,
        dns_names=tuple(_latin(content) for tag, content in names if tag == _DNS_NAME),
        uris=tuple(_latin(content) for tag, content in names if tag == _URI),
        ip_addresses=tuple(_ip(content) for tag, content in names if tag == _IP_ADDRESS),
    )


class _Reader:
    """Walks the elements of one constructed value, never deeper than its caller asks: no recursion."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def any(self) -> tuple[int, bytes]:
        """Tag and content of the next element. Definite lengths only (X.690 10.1)."""
        data, at = self._data, self._at
        if len(data) < at + 2:
            raise WireError("the certificate ends within an element")
        tag, length = data[at], data[at + 1]
        at += 2
        if length >= 0x80:
            octets = length & 0x7F
            if not 1 <= octets <= 4 or len(data) < at + octets:
                raise WireError("the certificate has an element of unreadable length")
            length = int.from_bytes(data[at : at + octets])
            at += octets
        if len(data) < at + length:
            raise WireError("the certificate ends within an element")
        self._at = at + length
        return tag, data[at : at + length]

    def take(self, wanted: int) -> bytes:
        tag, content = self.any()
        if tag != wanted:
            raise WireError(f"the certificate has tag 0x{tag:02x} where 0x{wanted:02x} belongs")
        return content

    def take_if(self, wanted: int) -> bytes | None:
        return self.any()[1] if self._data[self._at : self._at + 1] == bytes((wanted,)) else None

    def skip(self) -> None:
        self.any()

    def rest(self) -> Iterator[tuple[int, bytes]]:
        while self._at < len(self._data):
            yield self.any()


def _name(content: bytes) -> Name:
    """Name: SEQUENCE OF SET OF { type, value }; the last of several common names counts, being the most specific."""
    found = {_COMMON_NAME: "", _ORGANISATION: ""}
    for tag, relative in _Reader(content).rest():
        if tag != _SET:
            raise WireError(f"a name in the certificate has tag 0x{tag:02x} where 0x{_SET:02x} belongs")
        for _, attribute in _Reader(relative).rest():
            pair = _Reader(attribute)
            kind = pair.take(_OBJECT)
            if kind in found:
                found[kind] = _string(*pair.any())
    return Name(found[_COMMON_NAME], found[_ORGANISATION], content)


def _subject_alt_names(content: bytes) -> list[tuple[int, bytes]]:
    for _, extension in _Reader(content).rest():
        reader = _Reader(extension)
        kind = reader.take(_OBJECT)
        reader.take_if(_BOOLEAN)  # critical
        if kind == _SUBJECT_ALT_NAME:
            return list(_Reader(_Reader(reader.take(_OCTET_STRING)).take(_SEQUENCE)).rest())
    return []


def _string(tag: int, content: bytes) -> str:
    """A DirectoryString. Bytes that the tag does not allow are shown as Latin-1: a bad name is still worth reading."""
    encoding = {_UTF8_STRING: "utf-8", _BMP_STRING: "utf-16-be", _UNIVERSAL_STRING: "utf-32-be"}.get(tag, "latin-1")
    try:
        return content.decode(encoding)
    except UnicodeDecodeError:
        return _latin(content)


def _latin(content: bytes) -> str:
    return content.decode("latin-1")


def _ip(content: bytes) -> str:
    try:
        return str(ip_address(content))
    except ValueError:
        raise WireError(f"an IP address of {len(content)} octets in the certificate") from None


def _time(tag: int, content: bytes) -> datetime:
    """UTCTime YYMMDDHHMMSSZ, where YY below 50 is 20YY, or GeneralizedTime YYYYMMDDHHMMSSZ (RFC 5280 4.1.2.5)."""
    text = _latin(content)
    if tag == _UTC_TIME and len(text) == 13:
        text = ("20" if text[:2] < "50" else "19") + text
    elif tag != _GENERALIZED_TIME:
        text = ""
    digits = text[:14]
    if len(text) != 15 or text[14] != "Z" or not (digits.isascii() and digits.isdigit()):
        raise WireError(f"the certificate has the unreadable time {_latin(content)[:20]!r}")
    try:
        return datetime.strptime(digits, "%Y%m%d%H%M%S").replace(tzinfo=UTC)
    except ValueError:
        raise WireError(f"the certificate has the impossible time {text!r}") from None
