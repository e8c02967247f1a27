"""STAMP test packets (RFC 8762, RFC 8972) as bytes. No socket, no clock: times come and go as Unix nanoseconds.

Both ends use it: a sender fills one `SenderPacket` again and again, a reflector answers with `Request.reply`, a sender
reads the answer with `parse_reply`. TWAMP Light (RFC 5357, unauthenticated) is the same layout as far as it goes. What
a reply says is not believed here: only who sent the packet can tell whether it can be true.
"""

import hmac
import struct
from collections.abc import Sequence
from typing import NamedTuple

from gosip_check.wire.stamp_tlv import (
    EXTRA_PADDING,
    FAR_DROPS,
    HEADER_OCTETS,
    HMAC,
    HMAC_OCTETS,
    LOCATION,
    FarDrops,
    Location,
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
SHORTEST_REPLY_OCTETS = 38
"""Up to the sender's error estimate. A TWAMP reflector's answer has 41: it ends with the sender's TTL (RFC 5357 4.2.1).
One that leaves this out and adds no padding sends 38; nothing else is missing."""

# RFC 8762 4.2 and 4.3: what stands before the HMAC, if there is one.
_SENDER = struct.Struct("!IQHH28x")
_REFLECTOR = struct.Struct("!IQHHQIQHHB3x")
_SENDER_AUTHENTICATED = struct.Struct("!I12xQHH68x")
_REFLECTOR_AUTHENTICATED = struct.Struct("!I12xQHH4xQ8xI12xQH6xB15x")
_REFLECTOR_WITHOUT_TTL = struct.Struct("!IQHHQIQH")
_TTL_AT = 40
_MBZ = bytes(28)
_MBZ_AUTHENTICATED = bytes(68)
_MBZ_AT, _MBZ_AUTHENTICATED_AT = 16, 28
"Where a sender's packet has nothing but zeros, up to its HMAC or its TLVs."
_LONGEST_KEPT_S = 3600
_SIGNED_OCTETS = AUTHENTICATED_OCTETS - HMAC_OCTETS
SEQUENCE_OCTETS = 4
"The Sequence Number that opens every packet; the HMAC TLV covers it too."

_UNIX_TO_NTP_S = 2_208_988_800
_NTP_ERA = 1 << 32
_NS = 1_000_000_000
_ERROR_ESTIMATE_Z = 0x4000


class Reply(NamedTuple):
    """What came back. T1 to T4 as RFC 8762 counts them: T1 `sender_timestamp`, T2 `received_ns`, T3 `sent_ns`.

    sequence: the reflector's own count when it is stateful, else a copy of `sender_sequence`.
    """

    sequence: int
    sent_ns: int | None
    "None for what is no time; so is `received_ns`."
    ssid: int
    received_ns: int | None
    sender_sequence: int
    sender_timestamp: int
    "As it came, 64 bits: whoever sent the packet knows what it must be."
    sender_ttl: int | None
    tlvs: tuple[Tlv, ...]
    is_echo: bool = False
    "It is laid out as a sender's packet is: who answers echoes, and is no reflector."

    def tlv(self, kind: int) -> bytes | None:
        """The value of the first TLV of a kind that the reflector understood, else None."""
        for tlv in self.tlvs:
            if tlv.type == kind and tlv.flags == 0:
                return tlv.value
        return None

    @property
    def location(self) -> Location | None:
        """None where the reflector does not tell, or what it tells is no place."""
        value = self.tlv(LOCATION)
        try:
            location = None if value is None else Location.parse(value)
        except StampError:
            return None
        return location if location and location.destination_port and location.source_port else None

    @property
    def far_drops(self) -> FarDrops | None:
        """None where the reflector does not tell."""
        value = self.tlv(FAR_DROPS)
        try:
            return None if value is None else FarDrops.parse(value)
        except StampError:
            return None


def ntp_timestamp(unix_ns: int) -> int:
    """Unix nanoseconds as the 64-bit NTP timestamp that STAMP uses unless told otherwise (RFC 8762 4.2.1)."""
    seconds, ns = divmod(unix_ns, _NS)
    return (seconds + _UNIX_TO_NTP_S) % _NTP_ERA << 32 | (ns << 32) // _NS


def unix_ns(timestamp: int, error_estimate: int) -> int | None:
    """A packet's timestamp as Unix nanoseconds. The Z bit of its error estimate tells NTP from PTPv2 (RFC 8186 2.3).

    None for what is no time: all zeros (RFC 5905 6), or more nanoseconds than a second has.
    """
    seconds, fraction = timestamp >> 32, timestamp & 0xFFFFFFFF
    if timestamp == 0:
        return None
    if error_estimate & _ERROR_ESTIMATE_Z:
        return seconds * _NS + fraction if fraction < _NS else None
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


def ssid_of(data: bytes) -> int | None:
    """The SSID of an unauthenticated packet of either end (RFC 8972 3); None of what is too short for one."""
    return int.from_bytes(data[14:16], "big") if len(data) >= UNAUTHENTICATED_OCTETS else None


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
    """A reflector's packet, a TWAMP Light one of 38 octets too; or our own, echoed. Raises StampError."""
    if key is not None:
        _verify(data, key)
        if data[_MBZ_AUTHENTICATED_AT:_SIGNED_OCTETS] == _MBZ_AUTHENTICATED:
            return _echo(*_SENDER_AUTHENTICATED.unpack_from(data))
        sequence, sent, estimate, ssid, received, sender_sequence, sender_sent, _, ttl = (
            _REFLECTOR_AUTHENTICATED.unpack_from(data)
        )
        rest = data[AUTHENTICATED_OCTETS:]
    else:
        if len(data) < SHORTEST_REPLY_OCTETS:
            raise StampError(f"{len(data)} octets are too few for a reflector's packet")
        if not any(data[_MBZ_AT:UNAUTHENTICATED_OCTETS]):
            return _echo(*_SENDER.unpack_from(data.ljust(UNAUTHENTICATED_OCTETS, b"\0")))
        sequence, sent, estimate, ssid, received, sender_sequence, sender_sent, _ = _REFLECTOR_WITHOUT_TTL.unpack_from(
            data
        )
        ttl = data[_TTL_AT] if len(data) > _TTL_AT else None
        rest = data[UNAUTHENTICATED_OCTETS:]
    tlvs = parse_tlvs(rest)
    if key is not None and tlvs and not signature_holds(data[:SEQUENCE_OCTETS], rest, key):
        tlvs = ()
    received_ns, sent_ns = unix_ns(received, estimate), unix_ns(sent, estimate)
    return Reply(sequence, sent_ns, ssid, received_ns, sender_sequence, sender_sent, ttl, tlvs)


def _echo(sequence: int, timestamp: int, _: int, ssid: int) -> Reply:
    """A sender's packet, read as the answer that it is to itself: without T2, T3 and TLVs that anybody understood."""
    return Reply(sequence, None, ssid, None, sequence, timestamp, None, (), is_echo=True)


def _verify(data: bytes, key: bytes) -> None:
    if len(data) < AUTHENTICATED_OCTETS:
        raise StampError(f"{len(data)} octets are too few for an authenticated STAMP packet")
    if not hmac.compare_digest(sign(data[:_SIGNED_OCTETS], key), data[_SIGNED_OCTETS:AUTHENTICATED_OCTETS]):
        raise StampError("the packet is not signed with this key")
