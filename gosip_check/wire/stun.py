"""STUN binding requests and their answers (RFC 8489) as bytes: which address and port does a packet of ours come from?

No socket and no clock. Only what a client of the Binding method needs: no credentials, no TURN.
"""

import binascii
import struct
from collections.abc import Iterator
from ipaddress import ip_address

PORT = 3478
ID_OCTETS = 12
_COOKIE = 0x2112A442
_HEADER = struct.Struct("!HHI12s")
_ATTRIBUTE = struct.Struct("!HH")
_BINDING_REQUEST, _BINDING_SUCCESS, _BINDING_ERROR = 0x0001, 0x0101, 0x0111
_MAPPED_ADDRESS, _ERROR_CODE, _XOR_MAPPED_ADDRESS, _FINGERPRINT = 0x0001, 0x0009, 0x0020, 0x8028
_FINGERPRINT_XOR, _FINGERPRINT_OCTETS = 0x5354554E, 8
_IPV4, _IPV6 = 1, 2
_FAMILY_OCTETS = {_IPV4: 4, _IPV6: 16}


class StunError(ValueError):
    """The bytes are no answer to that request, or one without an address. The text is a clause."""


def binding_request(transaction: bytes) -> bytes:
    """A request (RFC 8489 5). transaction: 12 octets that nobody can guess. It ends with a FINGERPRINT (14.7)."""
    head = _HEADER.pack(_BINDING_REQUEST, _FINGERPRINT_OCTETS, _COOKIE, transaction)
    return head + _ATTRIBUTE.pack(_FINGERPRINT, 4) + _fingerprint(head).to_bytes(4, "big")


def mapped_address(data: bytes, transaction: bytes) -> tuple[str, int]:
    """The address and port that the server saw. XOR-MAPPED-ADDRESS counts before MAPPED-ADDRESS (RFC 8489 14.1, 14.2).

    Raises StunError.
    """
    if len(data) < _HEADER.size:
        raise StunError(f"{len(data)} octets are too few for STUN")
    kind, length, cookie, answered = _HEADER.unpack_from(data)
    if cookie != _COOKIE or answered != transaction:
        raise StunError("it answers another request")
    if length % 4 or length != len(data) - _HEADER.size:
        raise StunError("its length is wrong")
    attributes: dict[int, bytes] = {}
    for at, attribute, value in _attributes(data):
        if attribute == _FINGERPRINT and value != _fingerprint(data[:at]).to_bytes(4, "big"):
            raise StunError("its fingerprint is wrong")
        attributes.setdefault(attribute, value)
    if kind == _BINDING_ERROR:
        raise StunError(f"it refuses: {_error(attributes.get(_ERROR_CODE, b''))}")
    if kind != _BINDING_SUCCESS:
        raise StunError("it is no answer to a binding request")
    if _XOR_MAPPED_ADDRESS in attributes:
        return _address(attributes[_XOR_MAPPED_ADDRESS], data[4 : _HEADER.size])
    if _MAPPED_ADDRESS in attributes:
        return _address(attributes[_MAPPED_ADDRESS], bytes(_HEADER.size - 4))
    raise StunError("it names no address")


def _attributes(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Where each begins, its type and its value; each is filled up to four octets (RFC 8489 14)."""
    at = _HEADER.size
    while at < len(data):
        attribute, length = _ATTRIBUTE.unpack_from(data, at)
        start = at + _ATTRIBUTE.size
        if start + length > len(data):
            raise StunError("an attribute is longer than the packet")
        yield at, attribute, data[start : start + length]
        at = start + length + -length % 4


def _address(value: bytes, mask: bytes) -> tuple[str, int]:
    """mask: what address and port were combined with: cookie and transaction (RFC 8489 14.2), or zeros."""
    octets = _FAMILY_OCTETS.get(value[1]) if len(value) >= 4 else None
    if octets is None or len(value) != 4 + octets:
        raise StunError("its address cannot be read")
    port = int.from_bytes(value[2:4], "big") ^ int.from_bytes(mask[:2], "big")
    address = bytes(a ^ b for a, b in zip(value[4:], mask, strict=False))
    if port == 0:
        raise StunError("it names port 0")
    return str(ip_address(address)), port


def _error(value: bytes) -> str:
    """RFC 8489 14.8: the hundreds and the rest of a code, and a reason."""
    return f"{value[2] & 7}{value[3]:02}" if len(value) >= 4 else "without a code"


def _fingerprint(before: bytes) -> int:
    return binascii.crc32(before) ^ _FINGERPRINT_XOR
