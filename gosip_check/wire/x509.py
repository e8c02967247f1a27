"""What a certificate says: names, issuer, last day (RFC 5280), read by `cryptography`. Nothing here verifies anything.

Needed because `ssl` describes a peer's certificate only after verifying it, and the certificate that fails verification
is the one worth describing. Each field is read by itself: one that is refused does not take the others with it.
"""

import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from cryptography import x509
from cryptography.x509.oid import NameOID

from gosip_check.wire.sip_fields import WireError

MAX_CERTIFICATE_BYTES = 65536
"""Far above real ones (1 to 4 KiB); a certificate with thousands of names is not described."""

_REFUSALS = (
    ValueError,
    TypeError,
    KeyError,
    x509.InvalidVersion,
    x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType,
)
"What cryptography raises where something is not as the standards want it; the KeyError before version 50."

_PRINTABLE_STRING = re.compile(rb"(\x06(?:\x03\x55\x04.|\x09\x2a\x86\x48\x86\xf7\x0d\x01\x09\x01))\x13", re.DOTALL)
"An attribute of a name (2.5.4.x, or emailAddress of RFC 2985) and the tag of its value."

# cryptography warns of a serial number of 0 or of a long name, on the user's standard error.
warnings.filterwarnings("ignore", module=re.escape(__name__))

_Field = TypeVar("_Field")


@dataclass(frozen=True)
class Certificate:
    """A field that cannot be read is empty or None, and its name stands in `unreadable`.

    subject, issuer: the common name, else the organisation, "" where there is neither.
    self_signed: subject and issuer are the same name (RFC 5280 3.2 "self-issued"); the signature is not looked at.
    names: what the subject is called besides: DNS names, URIs, IP addresses (RFC 5280 4.2.1.6), in this order.
    """

    subject: str
    issuer: str
    self_signed: bool | None
    not_after: datetime | None
    names: tuple[str, ...]
    unreadable: tuple[str, ...]


def read_certificate(der: bytes) -> Certificate:
    """One certificate, as `SSLSocket.getpeercert(binary_form=True)` gives it. Raises WireError and nothing else."""
    if len(der) > MAX_CERTIFICATE_BYTES:
        raise WireError(f"a certificate of {len(der)} octets, more than {MAX_CERTIFICATE_BYTES}")
    # From version 45 on, one letter that a PrintableString must not hold, such as the * of a wildcard, makes the whole
    # certificate unreadable. The same octets are a good UTF8String, and nobody here looks at the signature.
    certificate = _field(lambda: x509.load_der_x509_certificate(der)) or _field(
        lambda: x509.load_der_x509_certificate(_PRINTABLE_STRING.sub(b"\\1\x0c", der))
    )
    if certificate is None:
        raise WireError("it is not a certificate as RFC 5280 describes it")
    subject = _field(lambda: certificate.subject)
    issuer = _field(lambda: certificate.issuer)
    not_after = _field(lambda: certificate.not_valid_after_utc)
    names = _field(lambda: _alternative_names(certificate))
    fields = {"subject": subject, "issuer": issuer, "last day": not_after, "alternative names": names}
    return Certificate(
        subject=_text(subject),
        issuer=_text(issuer),
        self_signed=None if subject is None or issuer is None else subject == issuer,
        not_after=not_after,
        names=names or (),
        unreadable=tuple(name for name, value in fields.items() if value is None),
    )


def _field(read: Callable[[], _Field]) -> _Field | None:
    """None where cryptography refuses."""
    try:
        return read()
    except _REFUSALS:
        return None


def _text(name: x509.Name | None) -> str:
    """What a person knows somebody by; the last of several common names counts, being the most specific."""
    for kind in (NameOID.COMMON_NAME, NameOID.ORGANIZATION_NAME):
        for attribute in reversed(name.get_attributes_for_oid(kind) if name else []):
            if attribute.value:
                return str(attribute.value)
    return ""


def _alternative_names(certificate: x509.Certificate) -> tuple[str, ...]:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ()
    return (
        *names.get_values_for_type(x509.DNSName),
        *names.get_values_for_type(x509.UniformResourceIdentifier),
        *map(str, names.get_values_for_type(x509.IPAddress)),
    )
