"""STAMP packets against the layouts of RFC 8762 and RFC 8972, written out by offset, and against scapy's dissector."""

import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gosip_check.wire import stamp, stamp_tlv
from gosip_check.wire.stamp_tlv import FarDrops, Seen, StampError, Tlv

KEY = b"a shared secret"
T1 = 1_700_000_000_123_456_789
SEEN = Seen(bytes([192, 0, 2, 7]), 40000, 862, 46 << 2 | 1)
NO_DROPS = FarDrops(0, 0)


def answer(packet: bytes, sequence: int = 5, key: bytes | None = None) -> bytes:
    request = stamp.parse_request(packet, key)
    tlvs = stamp_tlv.answer_tlvs(request.tlvs, request.sequence, SEEN, FarDrops(3, 4), key)
    return request.reply(sequence, T1 + 6_000_000, T1 + 5_000_000, 61, tlvs, key)


def test_unauthenticated_sender_packet_by_offset() -> None:
    octets = bytes(stamp.SenderPacket(length=44, ssid=0xBEEF).fill(7, T1))
    assert octets[0:4] == (7).to_bytes(4, "big")
    assert octets[4:8] == (1_700_000_000 + 2_208_988_800).to_bytes(4, "big")
    assert int.from_bytes(octets[8:12], "big") == 123_456_789 * 2**32 // 10**9
    assert octets[12:14] == bytes.fromhex("12a3")
    assert octets[14:16] == b"\xbe\xef"
    assert octets[16:44] == bytes(28)
    assert len(octets) == 44


def test_unauthenticated_reflector_packet_by_offset() -> None:
    octets = answer(bytes(stamp.SenderPacket(length=44, ssid=9).fill(7, T1)))
    assert len(octets) == 44
    assert octets[0:4] == (5).to_bytes(4, "big")
    assert octets[4:12] == stamp.ntp_timestamp(T1 + 6_000_000).to_bytes(8, "big")
    assert octets[14:16] == b"\0\x09"
    assert octets[16:24] == stamp.ntp_timestamp(T1 + 5_000_000).to_bytes(8, "big")
    assert octets[24:28] == (7).to_bytes(4, "big")
    assert octets[28:36] == stamp.ntp_timestamp(T1).to_bytes(8, "big")
    assert octets[36:38] == bytes.fromhex("12a3")
    assert octets[38:40] == bytes(2)
    assert octets[40] == 61
    assert octets[41:44] == bytes(3)


def test_authenticated_packets_by_offset() -> None:
    sent = bytes(stamp.SenderPacket(length=112, key=KEY).fill(7, T1))
    assert sent[4:16] == bytes(12)
    assert sent[16:24] == stamp.ntp_timestamp(T1).to_bytes(8, "big")
    assert sent[26:96] == bytes(70)
    assert sent[96:112] == hmac.new(KEY, sent[:96], hashlib.sha256).digest()[:16]
    reply = answer(sent, key=KEY)
    assert len(reply) == 112
    assert reply[4:16] == bytes(12)
    assert reply[16:24] == stamp.ntp_timestamp(T1 + 6_000_000).to_bytes(8, "big")
    assert reply[32:40] == stamp.ntp_timestamp(T1 + 5_000_000).to_bytes(8, "big")
    assert reply[40:48] == bytes(8)
    assert reply[48:52] == (7).to_bytes(4, "big")
    assert reply[64:72] == stamp.ntp_timestamp(T1).to_bytes(8, "big")
    assert reply[74:80] == bytes(6)
    assert reply[80] == 61
    assert reply[81:96] == bytes(15)
    assert reply[96:112] == hmac.new(KEY, reply[:96], hashlib.sha256).digest()[:16]


@pytest.mark.parametrize("key", [None, KEY])
def test_what_both_ends_say_survives_the_way_there_and_back(key: bytes | None) -> None:
    tlvs = [Tlv(stamp_tlv.CLASS_OF_SERVICE, bytes([46 << 2, 0, 0, 0])), stamp_tlv.LOCATION_REQUEST]
    tlvs.append(Tlv(stamp_tlv.FAR_DROPS, bytes(8)))
    packet = bytes(stamp.SenderPacket(length=222, ssid=3, tlvs=tlvs, key=key).fill(7, T1))
    assert len(packet) == 222
    octets = answer(packet, key=key)
    assert len(octets) == len(packet)
    reply = stamp.parse_reply(octets, key)
    assert (reply.sequence, reply.sender_sequence, reply.ssid, reply.sender_ttl) == (5, 7, 3, 61)
    assert reply.sender_timestamp == stamp.ntp_timestamp(T1)
    assert reply.received_ns == pytest.approx(T1 + 5_000_000, abs=1)
    assert reply.sent_ns == pytest.approx(T1 + 6_000_000, abs=1)
    seen = stamp_tlv.ClassOfService.parse(reply.tlv(stamp_tlv.CLASS_OF_SERVICE) or b"")
    assert seen == stamp_tlv.ClassOfService(asked=46, seen=46, ecn=1, refused=False)
    assert reply.location == stamp_tlv.Location(862, 40000, bytes([192, 0, 2, 7]))
    assert reply.far_drops == FarDrops(3, 4)


def test_the_hmac_tlv_covers_the_sequence_number_and_the_tlvs_before_it() -> None:
    cos = Tlv(stamp_tlv.CLASS_OF_SERVICE, bytes([46 << 2, 0, 0, 0]))
    packet = bytes(stamp.SenderPacket(length=222, tlvs=[cos], key=KEY).fill(7, T1))
    assert packet[112:120] == bytes(cos)
    assert packet[120:124] == bytes([0x80, 8, 0, 16])
    assert packet[124:140] == hmac.new(KEY, packet[0:4] + packet[112:120], hashlib.sha256).digest()[:16]
    assert packet[140:144] == bytes([0x80, 1, 0, 78])


def test_tlvs_that_were_changed_on_the_way_come_back_flagged_and_are_not_believed() -> None:
    cos = Tlv(stamp_tlv.CLASS_OF_SERVICE, bytes([46 << 2, 0, 0, 0]))
    packet = bytearray(stamp.SenderPacket(length=222, tlvs=[cos], key=KEY).fill(7, T1))
    packet[116] ^= 1
    reply = answer(bytes(packet), key=KEY)
    assert {tlv.flags for tlv in stamp_tlv.parse_tlvs(reply[112:])} == {stamp_tlv.INTEGRITY_FAILED}
    assert stamp.parse_reply(reply, KEY).tlv(stamp_tlv.CLASS_OF_SERVICE) is None


def test_unknown_and_overlong_tlvs_come_back_flagged_at_the_same_length() -> None:
    unknown = bytes(Tlv(199, b"what"))
    overrun = bytes([0x80, stamp_tlv.CLASS_OF_SERVICE, 0, 200]) + b"xy"
    tlvs = stamp_tlv.answer_tlvs(unknown + overrun, 0, SEEN, NO_DROPS)
    assert tlvs == bytes([0x80]) + unknown[1:] + bytes([0x40]) + overrun[1:]


@pytest.mark.parametrize("octets", [b"", bytes(43)])
def test_a_short_packet_is_no_request(octets: bytes) -> None:
    with pytest.raises(StampError, match="too few"):
        stamp.parse_request(octets)


def test_a_wrong_key_is_refused_at_both_ends() -> None:
    packet = bytes(stamp.SenderPacket(length=112, key=b"another key").fill(0, T1))
    with pytest.raises(StampError, match="not signed"):
        stamp.parse_request(packet, KEY)
    with pytest.raises(StampError, match="not signed"):
        stamp.parse_reply(packet, KEY)


def test_a_twamp_light_reply_of_41_octets_is_read_and_one_of_38_but_for_the_ttl() -> None:
    whole = answer(bytes(stamp.SenderPacket(length=44).fill(7, T1)))
    assert stamp.parse_reply(whole[:41]) == stamp.parse_reply(whole)
    assert stamp.parse_reply(whole[:38]) == stamp.parse_reply(whole)._replace(sender_ttl=None)
    with pytest.raises(StampError, match="37 octets are too few"):
        stamp.parse_reply(whole[:37])


def test_a_twamp_senders_random_padding_makes_no_ssid() -> None:
    packet = bytes(stamp.SenderPacket(length=44).fill(7, T1))[:14] + bytes(range(100, 130))
    assert not stamp.parse_request(packet).strict


@pytest.mark.parametrize(
    ("error_s", "synchronized", "word"),
    [
        (0.01, False, 0x12A3),
        (2**-32, False, 0x0001),
        (0, False, 0x0001),
        (255 / 2**32, True, 0x80FF),
        (1.0, True, 0x9980),
    ],
)
def test_error_estimates(error_s: float, synchronized: bool, word: int) -> None:
    assert stamp.error_estimate(error_s, synchronized) == word
    scale, multiplier = word >> 8 & 0x3F, word & 0xFF
    assert multiplier * 2**scale / 2**32 == pytest.approx(max(error_s, 2**-32), rel=1 / 128)


@given(st.integers(min_value=0, max_value=4_000_000_000 * 10**9))
def test_ntp_timestamps_keep_the_nanosecond_beyond_2036(unix_ns: int) -> None:
    assert stamp.unix_ns(stamp.ntp_timestamp(unix_ns), 0) == pytest.approx(unix_ns, abs=1)


def test_ptp_timestamps_are_told_by_the_z_bit() -> None:
    assert stamp.unix_ns(1_700_000_000 << 32 | 123_456_789, 0x4001) == T1


@given(st.binary(max_size=300))
def test_garbage_raises_nothing_but_stamp_errors_and_never_grows(octets: bytes) -> None:
    for key in (None, KEY):
        try:
            request = stamp.parse_request(octets, key)
        except StampError:
            continue
        tlvs = stamp_tlv.answer_tlvs(request.tlvs, request.sequence, SEEN, NO_DROPS, key)
        assert len(request.reply(0, T1, T1, 64, tlvs, key)) == len(octets)


@given(st.binary(max_size=200))
def test_hostile_tlvs_behind_a_good_packet_never_grow(octets: bytes) -> None:
    packet = bytes(stamp.SenderPacket(length=44).fill(0, T1)) + octets
    reply = answer(packet)
    assert len(reply) == len(packet)
    parsed = stamp.parse_reply(reply)
    for kind, read in ((2, stamp_tlv.Location.parse), (4, stamp_tlv.ClassOfService.parse), (241, FarDrops.parse)):
        value = parsed.tlv(kind)
        if value is not None:
            read(value)


@pytest.mark.parametrize("key", [None, KEY])
def test_our_own_packet_that_comes_back_is_an_echo_and_no_answer(key: bytes | None) -> None:
    """Signed with our key, too: it is our signature."""
    tlvs = [stamp_tlv.LOCATION_REQUEST, Tlv(stamp_tlv.FAR_DROPS, bytes(8))]
    packet = bytes(stamp.SenderPacket(length=222, ssid=9, tlvs=tlvs, key=key).fill(7, T1))
    reply = stamp.parse_reply(packet, key)
    assert (reply.is_echo, reply.sender_sequence, reply.ssid) == (True, 7, 9)
    assert reply.sender_timestamp == stamp.ntp_timestamp(T1)
    assert (reply.received_ns, reply.sent_ns, reply.location, reply.far_drops) == (None, None, None, None)
    assert not stamp.parse_reply(answer(packet, key=key), key).is_echo


@pytest.mark.parametrize(
    ("timestamp", "estimate"), [(0, 0x0001), (0, 0x4001), (1_700_000_000 << 32 | 1_000_000_000, 0x4001)]
)
def test_what_is_no_time_is_none(timestamp: int, estimate: int) -> None:
    assert stamp.unix_ns(timestamp, estimate) is None


@pytest.mark.parametrize("value", [b"", b"\0", bytes(3), bytes(4), bytes([0, 5, 0, 0]), bytes([0, 0, 0, 5]), bytes(7)])
def test_a_tlv_whose_value_cannot_be_is_not_read(value: bytes) -> None:
    tlvs = bytes(Tlv(stamp_tlv.LOCATION, value, 0)) + bytes(Tlv(stamp_tlv.FAR_DROPS, value, 0))
    reply = stamp.parse_reply(answer(bytes(stamp.SenderPacket(length=44).fill(7, T1))) + tlvs)
    assert (reply.location, reply.far_drops) == (None, None)


@given(st.binary(max_size=300))
def test_any_octets_are_read_or_refused_as_an_answer(octets: bytes) -> None:
    for key in (None, KEY):
        try:
            reply = stamp.parse_reply(octets, key)
        except StampError:
            continue
        assert reply.location is None or reply.location.source_port > 0
        assert reply.far_drops is None or max(reply.far_drops) < 1 << 32
        for time_ns in (reply.received_ns, reply.sent_ns):
            assert time_ns is None or abs(time_ns) < 1 << 63


@pytest.mark.parametrize("length", [43, 45, 47])
def test_a_size_that_no_tlv_can_fill_is_refused(length: int) -> None:
    with pytest.raises(StampError):
        stamp.SenderPacket(length=length)
