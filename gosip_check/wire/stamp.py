"""STAMP test packets (RFC 8762, RFC 8972) as bytes. No socket, no clock: times come and go as Unix nanoseconds.

Both ends use it: a sender fills one `SenderPacket` again and again, a reflector answers with `Request.reply`, a sender
reads the answer with `parse_reply`. TWAMP Light (RFC 5357, unauthenticated) is the same layout as far as it goes.
"""

import hmac
import struct
from collections.abc import Sequence
from typing import NamedTuple

from gosip_check.wire.stamp_tlv import (
    EXTRA_PADDING,
    HEADER_OCTETS,
    HMAC,
    HMAC_OCTETS,
    StampError,
    Tlv,
    parse_tlvs,
    sign,
    signature_holds,
    signed_again,
)

PORT = 862
UNAUTHENTICATED_OCTETS = 44
AUTHENTICATED_OCTETS = 112
SHORTEST_KEY_OCTETS = 16
TWAMP_REPLY_OCTETS = 41
"A TWAMP reflector's unauthenticated answer ends with the sender's TTL (RFC 5357 4.2.1)."

# RFC 8762 4.2 and 4.3: what stands before the HMAC, if there is one.
_SENDER = struct.Struct("!IQHH28x")
_REFLECTOR = struct.Struct("!IQHHQIQHHB3x")
_SENDER_AUTHENTICATED = struct.Struct("!I12xQHH68x")
_REFLECTOR_AUTHENTICATED = struct.Struct("!I12xQHH4xQ8xI12xQH6xB15x")
_TWAMP_REFLECTOR = struct.Struct("!IQHHQIQHHB")
_MBZ = bytes(28)
_MBZ_AUTHENTICATED = bytes(68)
_LONGEST_KEPT_S = 3600
_SIGNED_OCTETS = AUTHENTICATED_OCTETS - HMAC_OCTETS
SEQUENCE_OCTETS = 4
"The Sequence Number that opens every packet; the HMAC TLV covers it too."

_UNIX_TO_NTP_S = 2_208_988_800
_NTP_ERA = 1 << 32
_NS = 1_000_000_000
_ERROR_ESTIMATE_Z = 0x4000


class Reply(NamedTuple):
    """A reflector's packet. T1 to T4 as RFC 8762 counts them: T1 `sender_sent_ns`, T2 `received_ns`, T3 `sent_ns`.

    sequence: the reflector's own count when it is stateful, else a copy of `sender_sequence`.
    """

    sequence: int
    sent_ns: int
    ssid: int
    received_ns: int
    sender_sequence: int
    sender_sent_ns: int
    sender_ttl: int
    tlvs: tuple[Tlv, ...]

    def tlv(self, kind: int) -> bytes | None:
        """The value of the first TLV of a kind that the reflector understood, else None."""
        for tlv in self.tlvs:
            if tlv.type == kind and tlv.flags == 0:
                return tlv.value
        return None


def ntp_timestamp(unix_ns: int) -> int:
    """Unix nanoseconds as the 64-bit NTP timestamp that STAMP uses unless told otherwise (RFC 8762 4.2.1)."""
    seconds, ns = divmod(unix_ns, _NS)
    return (seconds + _UNIX_TO_NTP_S) % _NTP_ERA << 32 | (ns << 32) // _NS


def unix_ns(timestamp: int, error_estimate: int) -> int:
    """A packet's timestamp as Unix nanoseconds. The Z bit of its error estimate tells NTP from PTPv2."""
    seconds, fraction = timestamp >> 32, timestamp & 0xFFFFFFFF
    if error_estimate & _ERROR_ESTIMATE_Z:
        return seconds * _NS + fraction
    if seconds < _NTP_ERA >> 1:  # era 1 begins in 2036
        seconds += _NTP_ERA
    return (seconds - _UNIX_TO_NTP_S) * _NS + (fraction * _NS + (1 << 31) >> 32)


def error_estimate(error_s: float, synchronized: bool = False) -> int:
    """RFC 4656 4.1.2: S, Z = 0, and the smallest scale whose multiplier, never 0, fits in 8 bits."""
    units = max(1, round(error_s * 2**32))
    scale = max(0, units.bit_length() - 8)
    return synchronized << 15 | min(scale, 63) << 8 | min(units >> scale, 255)


UNSYNCHRONIZED = error_estimate(0.01)
"What both our ends claim: 10 ms, not synchronised. Nothing here rests on synchronised clocks."


def key_of(text: str) -> bytes:
    """The shared key as a key file writes it: the text without the white space around it. Raises StampError."""
    key = text.strip().encode()
    if len(key) < SHORTEST_KEY_OCTETS:
        raise StampError(f"a key needs at least {SHORTEST_KEY_OCTETS} characters, this one has {len(key)}")
    return key


class SenderPacket:
    """A Session-Sender's packet of a fixed size, built once. `fill` writes what changes from packet to packet.

    length: UDP payload octets; an Extra Padding TLV fills up what the TLVs leave.
    key: authenticated mode; the TLVs are then signed too (RFC 8972 4.8).
    """

    def __init__(self, *, length: int, ssid: int = 0, tlvs: Sequence[Tlv] = (), key: bytes | None = None) -> None:
        self._key = key
        self._layout = _SENDER if key is None else _SENDER_AUTHENTICATED
        self._ssid = ssid
        base = UNAUTHENTICATED_OCTETS if key is None else AUTHENTICATED_OCTETS
        body = b"".join(map(bytes, tlvs))
        self._tlv_mac: int | None = None
        if key is not None and tlvs:
            self._tlv_mac = base + len(body) + HEADER_OCTETS
            body += bytes(Tlv(HMAC, bytes(HMAC_OCTETS)))
        room = length - base - len(body)
        if room < 0 or 0 < room < HEADER_OCTETS:
            raise StampError(
                f"{length} octets hold no packet with {len(body)} octets of TLVs, or leave a gap of {room}"
            )
        if room:
            body += bytes(Tlv(EXTRA_PADDING, bytes(room - HEADER_OCTETS)))
        self.octets = bytearray(base) + body

    def fill(self, sequence: int, sent_ns: int) -> bytearray:
        """The packet with this number and time; the same buffer every time."""
        octets = self.octets
        self._layout.pack_into(octets, 0, sequence & 0xFFFFFFFF, ntp_timestamp(sent_ns), UNSYNCHRONIZED, self._ssid)
        if self._key is not None:
            octets[_SIGNED_OCTETS:AUTHENTICATED_OCTETS] = sign(bytes(octets[:_SIGNED_OCTETS]), self._key)
            if self._tlv_mac is not None:
                text = octets[:SEQUENCE_OCTETS] + octets[AUTHENTICATED_OCTETS : self._tlv_mac - HEADER_OCTETS]
                octets[self._tlv_mac : self._tlv_mac + HMAC_OCTETS] = sign(bytes(text), self._key)
        return octets


class Request(NamedTuple):
    """A sender's packet as a reflector reads it. `tlvs` are the octets behind the base packet, still unread."""

    sequence: int
    timestamp: int
    error_estimate: int
    ssid: int
    strict: bool
    "False where the MBZ octets are not zero: a TWAMP sender's padding. What stands in the SSID field is then no SSID."
    is_answer: bool
    "Laid out as a reflector's packet is. Whoever answers it may begin an exchange without end."
    tlvs: bytes

    def reply(
        self, sequence: int, sent_ns: int, received_ns: int, ttl: int, tlvs: bytes, key: bytes | None = None
    ) -> bytes:
        """The reflector's packet, exactly as long as the request. `tlvs` comes from `stamp_tlv.answer_tlvs`."""
        values = (
            sequence & 0xFFFFFFFF, ntp_timestamp(sent_ns), UNSYNCHRONIZED, self.ssid, ntp_timestamp(received_ns),
            self.sequence, self.timestamp, self.error_estimate,
        )  # fmt: skip
        if key is None:
            return _REFLECTOR.pack(*values, 0, ttl) + tlvs
        base = _REFLECTOR_AUTHENTICATED.pack(*values, ttl)
        return base + sign(base, key) + signed_again(base[:SEQUENCE_OCTETS], tlvs, key)


def parse_request(data: bytes, key: bytes | None = None) -> Request:
    """A sender's packet. Raises StampError when it is too short, or not signed with the key."""
    if key is None:
        if len(data) < UNAUTHENTICATED_OCTETS:
            raise StampError(f"{len(data)} octets are too few for a STAMP packet")
        sequence, timestamp, estimate, ssid = _SENDER.unpack_from(data)
        strict = data[16:UNAUTHENTICATED_OCTETS] == _MBZ
        # A time of arrival not long before the time that it was sent, and two MBZ fields: no padding looks like that.
        kept_s = int.from_bytes(data[4:8], "big") - int.from_bytes(data[16:20], "big")
        is_answer = not strict and 0 <= kept_s <= _LONGEST_KEPT_S and data[38:40] + data[41:44] == bytes(5)
        return Request(sequence, timestamp, estimate, ssid, strict, is_answer, data[UNAUTHENTICATED_OCTETS:])
    _verify(data, key)
    sequence, timestamp, estimate, ssid = _SENDER_AUTHENTICATED.unpack_from(data)
    is_answer = data[28:_SIGNED_OCTETS] != _MBZ_AUTHENTICATED
    return Request(sequence, timestamp, estimate, ssid, True, is_answer, data[AUTHENTICATED_OCTETS:])


def parse_reply(data: bytes, key: bytes | None = None) -> Reply:
    """A reflector's packet; a TWAMP Light one of 41 octets too. Raises StampError."""
    if key is not None:
        _verify(data, key)
        sequence, sent, estimate, ssid, received, sender_sequence, sender_sent, sender_estimate, ttl = (
            _REFLECTOR_AUTHENTICATED.unpack_from(data)
        )
        rest = data[AUTHENTICATED_OCTETS:]
    else:
        if len(data) < TWAMP_REPLY_OCTETS:
            raise StampError(f"{len(data)} octets are too few for a reflector's packet")
        sequence, sent, estimate, ssid, received, sender_sequence, sender_sent, sender_estimate, _, ttl = (
            _TWAMP_REFLECTOR.unpack_from(data)
        )
        rest = data[UNAUTHENTICATED_OCTETS:]
    tlvs = parse_tlvs(rest)
    if key is not None and tlvs and not signature_holds(data[:SEQUENCE_OCTETS], rest, key):
        tlvs = ()
    return Reply(
        sequence, unix_ns(sent, estimate), ssid, unix_ns(received, estimate),
        sender_sequence, unix_ns(sender_sent, sender_estimate), ttl, tlvs,
    )  # fmt: skip


def _verify(data: bytes, key: bytes) -> None:
    if len(data) < AUTHENTICATED_OCTETS:
        raise StampError(f"{len(data)} octets are too few for an authenticated STAMP packet")
    if not hmac.compare_digest(sign(data[:_SIGNED_OCTETS], key), data[_SIGNED_OCTETS:AUTHENTICATED_OCTETS]):
        raise StampError("the packet is not signed with this key")
