"""What is said of whatever answers at the reflector's address, and that nothing it says ends in an exception."""

import struct
from collections.abc import Callable
from contextlib import ExitStack

import pytest

from gosip_check.probes import far_end
from gosip_check.probes.far_end import FarEnd, Reflector
from gosip_check.probes.firewall.port_range import reach
from gosip_check.probes.media import channels
from gosip_check.probes.media.options import Options
from gosip_check.probes.nat.binding_lifetime import wait_for_answers
from gosip_check.probes.nat.lifetimes import Lifetimes
from gosip_check.probes.probe import Context
from gosip_check.records import Link
from tests.unit.probes.media import lying
from tests.unit.probes.media.lying import Asked, Lie, Packet, truth

pytestmark = pytest.mark.waits

CONTEXT = Context(Link(name="Internet-1", source="127.0.0.1", interface="lo"))
KEY = b"0123456789abcdef"


def asked(lie: Lie, key: bytes | None = None) -> far_end.Replies:
    with lying.far_end(lie) as port:
        return far_end.ask_closely(CONTEXT, Reflector("127.0.0.1", port, key))


def seen(lie: Lie) -> FarEnd:
    found = asked(lie).far_end
    assert found is not None
    return found


def with_tlvs(make: Callable[[Asked], bytes]) -> Lie:
    return lambda packet, asked: bytes(packet)[:44] + make(asked)


def tlv(kind: int, value: bytes) -> bytes:
    return struct.pack("!BBH", 0, kind, len(value)) + value


def flags_cleared(asked: Asked) -> bytes:
    """All TLVs as they came, and each said to be understood."""
    tlvs = bytearray(asked.data[44:])
    at = 0
    while at < len(tlvs):
        tlvs[at] = 0
        at += 4 + int.from_bytes(tlvs[at + 2 : at + 4], "big")
    return bytes(tlvs)


def numbered(number: Callable[[Packet, Asked], int]) -> Lie:
    def lie(packet: Packet, asked: Asked) -> Packet:
        packet.sequence = number(packet, asked)
        return packet

    return lie


def test_an_honest_reflector() -> None:
    assert seen(truth) == FarEnd(stateful=True, mapped=None, drops=None)


def test_an_echo_is_called_one() -> None:
    found = seen(lying.echo)
    assert (found.is_echo, found.stateful, found.mapped, found.drops) == (True, False, None, None)


@pytest.mark.parametrize(
    ("number", "is_stateful"),
    [
        (lambda packet, asked: asked.count, True),
        (lambda packet, asked: 1_000 + 7 * asked.count, True),  # one counter for all: the losses show it
        (lambda packet, asked: packet.sender_sequence, False),
        (lambda packet, asked: 0, False),
        (lambda packet, asked: 2**31, False),
        (lambda packet, asked: 9 - asked.count, False),
    ],
)
def test_what_counts_and_what_does_not(number: Callable[[Packet, Asked], int], is_stateful: bool) -> None:
    assert seen(numbered(number)).stateful is is_stateful


@pytest.mark.parametrize(
    ("lie", "says"),
    [
        (lambda packet, asked: b"HTTP/1.1 400 Bad Request\r\n\r\n", "28 octets are too few"),
        (lying.first_octets(37), "37 octets are too few"),
        (lambda packet, asked: bytes(range(100, 200)), "100 octets, which belong to no packet that was sent"),
    ],
)
def test_what_is_no_answer_is_described(lie: Lie, says: str) -> None:
    replies = asked(lie)
    assert replies.far_end is None
    assert replies.unusable is not None
    assert says in replies.unusable


@pytest.mark.parametrize("lie", [truth, lying.echo, lying.first_octets(38)])
def test_nothing_unsigned_is_taken_for_signed(lie: Lie) -> None:
    """An echo brings back our own signature, and is an echo all the same."""
    replies = asked(lie, KEY)
    if lie is lying.echo:
        assert replies.far_end is not None
        assert replies.far_end.is_echo
    else:
        assert replies.far_end is None
        assert "signed with this key" in str(replies.unusable) or "too few" in str(replies.unusable)


def test_one_that_understands_everything_is_believed_in_nothing() -> None:
    found = seen(with_tlvs(flags_cleared))
    assert (found.tells_tlvs, found.mapped, found.drops) == (False, None, None)
    with lying.far_end(with_tlvs(flags_cleared)) as port:
        options = Options(
            domain="trunk.example", transport="udp", channels=1, duration_s=1.0, reflector=f"127.0.0.1:{port}"
        )
        facts = channels.measure(options, CONTEXT)
    assert (facts.received, facts.dscp_at_far_end, facts.dscp_survives) == (50, {}, None)


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"\x03",
        bytes(4),
        struct.pack("!HH", 862, 0) + tlv(8, bytes([192, 0, 2, 1]).ljust(16, b"\0")),
        struct.pack("!HH", 862, 40000) + tlv(8, bytes(16)),
        struct.pack("!HH", 862, 40000) + tlv(8, bytes([239, 1, 2, 3]).ljust(16, b"\0")),
        struct.pack("!HH", 862, 40000) + tlv(8, b"\x01"),
        struct.pack("!HH", 862, 40000) + tlv(9, b"\xff\x02".ljust(16, b"\0")),
    ],
)
def test_a_place_that_cannot_be_ours_is_not_told(value: bytes) -> None:
    found = seen(with_tlvs(lambda asked: tlv(2, value) + tlv(241, value)))
    assert (found.mapped, found.drops) == (None, None)


def test_a_place_that_can_be_ours_is() -> None:
    value = struct.pack("!HH", 862, 40000) + tlv(8, bytes([192, 0, 2, 1]).ljust(16, b"\0"))
    assert seen(with_tlvs(lambda asked: tlv(2, value))).mapped == ("192.0.2.1", 40000)


@pytest.mark.parametrize("lie", [lying.echo, with_tlvs(flags_cleared), with_tlvs(lambda asked: tlv(2, b"\1"))])
def test_a_port_that_answers_is_proven_whatever_it_says_of_itself(lie: Lie) -> None:
    with ExitStack() as opened:
        ports = [opened.enter_context(lying.far_end(lie)) for _ in range(6)]
        reached = reach(CONTEXT, Reflector("127.0.0.1", ports[0]), ports)
    assert (reached.proven, reached.elsewhere, reached.blocked) == (frozenset(ports), {}, frozenset())


def test_one_that_says_it_waited_and_did_not_proves_no_binding() -> None:
    def claims(packet: Packet, asked: Asked) -> bytes:
        packet.sent += int.from_bytes(asked.data[48:52], "big") * (1 << 32) // 1000
        return bytes(packet)[:44] + flags_cleared(asked)

    with lying.far_end(claims) as port:
        found = wait_for_answers(CONTEXT, Reflector("127.0.0.1", port), (0.5, 1.0))
    assert found == Lifetimes([], [], False)
