"""What may follow a STAMP test packet (RFC 8972): type-length-values, and how a reflector answers them. Bytes only."""

import hashlib
import hmac
import struct
from typing import NamedTuple, Self

_TLV = struct.Struct("!BBH")
HEADER_OCTETS = _TLV.size
HMAC_OCTETS = 16

# RFC 8972 5.2
UNRECOGNIZED = 0x80
MALFORMED = 0x40
INTEGRITY_FAILED = 0x20

# RFC 8972 5.1. 240 to 251 are for experimental use; those of 252 and up would need an enterprise number.
EXTRA_PADDING = 1
LOCATION = 2
CLASS_OF_SERVICE = 4
HMAC = 8
ANSWER_LATER = 240
"""Ours: answer this packet only after a time. Value: milliseconds, 4 octets. The answer carries it back; flagged as
not understood it comes at once, because the far end will not wait for this sender."""
FAR_DROPS = 241
"""Ours: how many packets the far end itself lost. Value: 4 octets dropped by its kernel (all senders together),
4 octets refused by its limits (this sender's address); zero when sent."""
PROOF = 242
"""Ours: shows that the sender gets what is sent to its address. Value: 8 octets, zero in the first packet; the answer
holds what the next packet must bring back. A late answer is only given for it."""
PROOF_OCTETS = 8

# RFC 8972 5.3, sub-TLVs of Location
SOURCE_ADDRESS = 7
SOURCE_IPV4_ADDRESS = 8
SOURCE_IPV6_ADDRESS = 9


PROOF_HEADER = _TLV.pack(UNRECOGNIZED, PROOF, PROOF_OCTETS)
"What a Proof TLV begins with, as senders send it."


class StampError(ValueError):
    """The bytes are no STAMP packet of the expected kind, or are not signed with the key."""


class Tlv(NamedTuple):
    """One type-length-value (RFC 8972 4). A sender sets UNRECOGNIZED; the reflector clears it where it understood."""

    type: int
    value: bytes
    flags: int = UNRECOGNIZED

    def __bytes__(self) -> bytes:
        return _TLV.pack(self.flags, self.type, len(self.value)) + self.value


class ClassOfService(NamedTuple):
    """RFC 8972 4.4. `asked` is the DSCP the answer should carry, `seen` and `ecn` what reached the reflector.

    refused: the reflector may not send `asked` and answered with what it received.
    """

    asked: int
    seen: int
    ecn: int
    refused: bool

    @classmethod
    def parse(cls, value: bytes) -> Self:
        """Raises StampError."""
        if len(value) != 4:
            raise StampError(f"a Class of Service TLV has 4 octets of value, this one has {len(value)}")
        word = int.from_bytes(value, "big")
        return cls(word >> 26, word >> 20 & 0x3F, word >> 18 & 3, bool(word >> 16 & 3))

    def __bytes__(self) -> bytes:
        word = self.asked << 26 | self.seen << 20 | self.ecn << 18 | self.refused << 16
        return word.to_bytes(4, "big")


class Location(NamedTuple):
    """RFC 8972 4.2: the ports, and the sender's address where it was asked for, as the reflector saw them."""

    destination_port: int
    source_port: int
    source_address: bytes
    "4 or 16 octets; empty where the reflector did not tell."

    @classmethod
    def parse(cls, value: bytes) -> Self:
        """Raises StampError."""
        if len(value) < 4:
            raise StampError(f"a Location TLV has at least 4 octets of value, this one has {len(value)}")
        address = b""
        for tlv in parse_tlvs(value[4:]):
            if tlv.flags & (UNRECOGNIZED | MALFORMED) == 0 and len(tlv.value) == 16:
                if tlv.type == SOURCE_IPV4_ADDRESS:
                    address = tlv.value[:4]
                elif tlv.type == SOURCE_IPV6_ADDRESS:
                    address = tlv.value
        return cls(int.from_bytes(value[0:2], "big"), int.from_bytes(value[2:4], "big"), address)


UNDEFINED = Tlv(251, b"")
"""Nobody has given this type a meaning. A far end that answers it without the flag "unrecognized" clears the flags of
what it does not understand, so its other TLVs say nothing."""

LOCATION_REQUEST = Tlv(LOCATION, bytes(4) + bytes(Tlv(SOURCE_ADDRESS, bytes(16))))
"Asks for both ports and the sender's address."


class Seen(NamedTuple):
    """What a reflector knows of a packet beside its bytes, as far as TLVs ask for it."""

    source_address: bytes
    source_port: int
    destination_port: int
    tos: int
    proof: bytes = bytes(PROOF_OCTETS)


class FarDrops(NamedTuple):
    """Packets that the reflector's machine, not the path, lost. Both counters only grow and wrap at 2^32."""

    kernel: int
    refused: int

    @classmethod
    def parse(cls, value: bytes) -> Self:
        """Raises StampError."""
        if len(value) != 8:
            raise StampError(f"a Far Drops TLV has 8 octets of value, this one has {len(value)}")
        return cls(int.from_bytes(value[:4], "big"), int.from_bytes(value[4:], "big"))

    def __bytes__(self) -> bytes:
        return (self.kernel & 0xFFFFFFFF).to_bytes(4, "big") + (self.refused & 0xFFFFFFFF).to_bytes(4, "big")


def parse_tlvs(data: bytes) -> tuple[Tlv, ...]:
    """All TLVs; one that overruns the packet ends the list and has its M flag set. Never raises."""
    found = []
    at = 0
    while at + HEADER_OCTETS <= len(data):
        flags, kind, length = _TLV.unpack_from(data, at)
        at += HEADER_OCTETS
        if at + length > len(data):
            found.append(Tlv(kind, data[at:], flags | MALFORMED))
            break
        found.append(Tlv(kind, data[at : at + length], flags))
        at += length
    return tuple(found)


def sign(data: bytes, key: bytes) -> bytes:
    """HMAC-SHA-256 truncated to 128 bits (RFC 8762 4.4)."""
    return hmac.digest(key, data, hashlib.sha256)[:HMAC_OCTETS]


def answer_tlvs(tlvs: bytes, sequence: int, seen: Seen, drops: FarDrops, key: bytes | None = None) -> bytes:
    """A request's TLVs as a Session-Reflector returns them (RFC 8972 4), same length; the HMAC is not renewed yet.

    sequence: the request's Sequence Number, which its HMAC TLV covers.
    """
    if key is not None and not signature_holds(sequence.to_bytes(4, "big"), tlvs, key):
        return _copy_flagged(tlvs, INTEGRITY_FAILED)
    answer = bytearray(tlvs)
    at = 0
    while at + HEADER_OCTETS <= len(answer):
        _, kind, length = _TLV.unpack_from(answer, at)
        start, end = at + HEADER_OCTETS, at + HEADER_OCTETS + length
        if end > len(answer) or not _length_is_right(kind, length):
            answer[at] = MALFORMED
            break
        understood = True
        if kind == CLASS_OF_SERVICE:
            asked = answer[start] >> 2
            answer[start:end] = bytes(ClassOfService(asked, seen.tos >> 2, seen.tos & 3, False))
        elif kind == LOCATION:
            answer[start:end] = _located(bytes(answer[start:end]), seen)
        elif kind == FAR_DROPS:
            answer[start:end] = bytes(drops)
        elif kind == PROOF:
            answer[start:end] = seen.proof
        else:
            understood = kind in (EXTRA_PADDING, HMAC, ANSWER_LATER)
        answer[at] = 0 if understood else UNRECOGNIZED
        at = end
    return bytes(answer)


def signature_holds(sequence: bytes, octets: bytes, key: bytes) -> bool:
    """RFC 8972 4.8: the HMAC TLV comes behind all others but Extra Padding; padding on its own needs none."""
    tlvs = parse_tlvs(octets)
    kinds = [tlv.type for tlv in tlvs]
    if HMAC not in kinds:
        return len(kinds) <= 1 and set(kinds) <= {EXTRA_PADDING}
    place = kinds.index(HMAC)
    if any(kind != EXTRA_PADDING for kind in kinds[place + 1 :]):
        return False
    text = octets[: sum(HEADER_OCTETS + len(tlv.value) for tlv in tlvs[:place])]
    return hmac.compare_digest(sign(sequence + text, key), tlvs[place].value)


def signed_again(sequence: bytes, tlvs: bytes, key: bytes) -> bytes:
    """The TLVs with their HMAC renewed under the reflector's own sequence number; untouched where they were refused."""
    at = 0
    while at + HEADER_OCTETS <= len(tlvs):
        flags, kind, length = _TLV.unpack_from(tlvs, at)
        if kind == HMAC and length == HMAC_OCTETS and not flags & INTEGRITY_FAILED:
            mac = sign(sequence + tlvs[:at], key)
            return tlvs[: at + HEADER_OCTETS] + mac + tlvs[at + HEADER_OCTETS + length :]
        at += HEADER_OCTETS + length
    return tlvs


def _copy_flagged(tlvs: bytes, flag: int) -> bytes:
    answer = bytearray(tlvs)
    at = 0
    while at + HEADER_OCTETS <= len(answer):
        answer[at] = flag
        at += HEADER_OCTETS + int.from_bytes(answer[at + 2 : at + 4], "big")
    return bytes(answer)


def _length_is_right(kind: int, length: int) -> bool:
    match kind:
        case _ if kind in (CLASS_OF_SERVICE, ANSWER_LATER):
            return length == 4
        case _ if kind in (FAR_DROPS, PROOF):
            return length == 8
        case _ if kind == HMAC:
            return length == HMAC_OCTETS
        case _ if kind == LOCATION:
            return length >= 4
    return True


def _located(value: bytes, seen: Seen) -> bytes:
    """RFC 8972 4.2.2: the sub-TLV that asks for an address becomes the one of its family."""
    answer = seen.destination_port.to_bytes(2, "big") + seen.source_port.to_bytes(2, "big")
    for tlv in parse_tlvs(value[4:]):
        if tlv.flags & MALFORMED:
            return answer + value[len(answer) :]
        if tlv.type == SOURCE_ADDRESS and len(tlv.value) == 16:
            kind = SOURCE_IPV4_ADDRESS if len(seen.source_address) == 4 else SOURCE_IPV6_ADDRESS
            answer += bytes(Tlv(kind, seen.source_address.ljust(16, b"\0"), 0))
        else:
            answer += bytes(Tlv(tlv.type, bytes(len(tlv.value)), UNRECOGNIZED))
    return answer + bytes(len(value) - len(answer))
