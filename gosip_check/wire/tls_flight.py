"""What a TLS server sent before anything was encrypted: enough to say what it demands. Bytes only; never an error."""

from collections.abc import Iterator

_ALERT, _HANDSHAKE = 21, 22
_CERTIFICATE_REQUEST = 13


def is_tls(octets: bytes) -> bool:
    """The first octets are those of a TLS or SSL 3 record: an alert or a handshake (RFC 8446 5.1)."""
    return octets[:1] in (bytes([_ALERT]), bytes([_HANDSHAKE])) and octets[1:2] == b"\3"


def demands_certificate(flight: bytes) -> bool:
    """It holds a CertificateRequest (RFC 5246 7.4.4). In TLS 1.3 that is encrypted, and not seen here."""
    return _CERTIFICATE_REQUEST in _messages(_handshake_of(flight))


def _handshake_of(flight: bytes) -> bytes:
    """The handshake octets of all records up to the first that holds something else."""
    octets = b""
    while len(flight) >= 5 and flight[0] == _HANDSHAKE:
        end = 5 + int.from_bytes(flight[3:5])
        octets, flight = octets + flight[5:end], flight[end:]
    return octets


def _messages(octets: bytes) -> Iterator[int]:
    """The types of the handshake messages (RFC 8446 4)."""
    while len(octets) >= 4:
        yield octets[0]
        octets = octets[4 + int.from_bytes(octets[1:4]) :]
