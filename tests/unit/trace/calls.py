"""A call as a capture: DNS, REGISTER and INVITE as the guide prints them, RTP both ways with loss and digits.

Its parts are made to a plan, so that what is counted in it is known; tshark counts the same packets.
"""

import random
import struct
from dataclasses import dataclass

import dns.message
import dns.rrset

from tests.unit.probes.pbx.test_guide_examples import INVITE, REGISTER
from tests.unit.trace.test_reading import PBX, SITE, START_S, ethernet, ipv4

RESOLVER = b"\xc0\x00\x02\x01"
_OF_PBX, _OF_SITE = 30000, 20000


@dataclass(frozen=True)
class Voice:
    """RTP of one side. lost: sequence steps that never came. late_ms: the most that a packet comes after its time."""

    ssrc: int
    packets: int = 400
    payload: int = 8
    lost: tuple[int, ...] = ()
    late_ms: int = 0
    digits: str = ""
    first_sequence: int = 65400
    "So that the sequence number begins again at 0 in the middle."


UP = Voice(ssrc=0x1111, lost=(50, 51, 52, 200), late_ms=8, digits="159#")
DOWN = Voice(ssrc=0x2222, lost=(7,), late_ms=15)

Timed = tuple[float, bytes]
"Seconds after START_S, and the frame."


def voice(one: Voice, source: bytes, destination: bytes, ports: tuple[int, int], begins_s: float) -> list[Timed]:
    """20 ms each; a digit is an event of 5 packets with 3 more that end it, in place of sound."""
    chance, frames = random.Random(one.ssrc), []
    events = {100 + 20 * at: "0123456789*#".index(digit) for at, digit in enumerate(one.digits)}
    event = begun = None
    for step in range(one.packets):
        if step in events:
            event, begun = events[step], step
        if step in one.lost:
            continue
        stamp, payload, content, marked = step * 160, one.payload, b"\xd5" * 160, step == 0
        if event is not None and begun is not None:
            since = step - begun
            stamp, payload, marked = begun * 160, 101, since == 0
            content = struct.pack("!BBH", event, 0x80 * (since >= 5) | 10, 160 * min(since + 1, 6))
            if since == 7:
                event = None
        sequence = (one.first_sequence + step) & 0xFFFF
        rtp = struct.pack("!BBHII", 0x80, payload | 0x80 * marked, sequence, stamp, one.ssrc) + content
        head = struct.pack("!HHHH", *ports, 8 + len(rtp), 0)
        time_s = begins_s + step * 0.02 + chance.uniform(0, one.late_ms) / 1000
        frames.append((time_s, ethernet(ipv4(source, destination, head + rtp, step))))
    return frames


def said(text: str, goes_up: bool, time_s: float) -> Timed:
    content = text.strip().replace("\n", "\r\n").encode() + b"\r\n\r\n"
    source, destination = (PBX, SITE) if goes_up else (SITE, PBX)
    return time_s, ethernet(
        ipv4(source, destination, struct.pack("!HHHH", 5060, 5060, 8 + len(content), 0) + content, 1)
    )


def asked(time_s: float) -> list[Timed]:
    question = dns.message.make_query("_sip._udp.trunk.gotel.com.mt", "SRV", id=7)
    answer = dns.message.make_response(question)
    answer.answer = [
        dns.rrset.from_text("_sip._udp.trunk.gotel.com.mt.", 30, "IN", "SRV", "45 50 5060 zt.trunk.gotel.com.mt.")
    ]
    answer.additional = [dns.rrset.from_text("zt.trunk.gotel.com.mt.", 30, "IN", "A", "217.22.184.27")]
    there, back = question.to_wire(), answer.to_wire()
    return [
        (time_s, ethernet(ipv4(PBX, RESOLVER, struct.pack("!HHHH", 40000, 53, 8 + len(there), 0) + there, 1))),
        (
            time_s + 0.01,
            ethernet(ipv4(RESOLVER, PBX, struct.pack("!HHHH", 53, 40000, 8 + len(back), 0) + back, 1)),
        ),
    ]


def media(up: Voice = UP, down: Voice = DOWN) -> list[Timed]:
    there = voice(up, PBX, SITE, (_OF_PBX, _OF_SITE), 3.0)
    return there + voice(down, SITE, PBX, (_OF_SITE, _OF_PBX), 3.005)


def call(up: Voice = UP, down: Voice = DOWN, said_so: str = REGISTER, called_so: str = INVITE) -> bytes:
    """The whole of it. The addresses in the SIP are those of the packets."""
    register, accepted, _ = said_so.replace("203.0.113.7", "192.0.2.50").split("\n\n")
    invite, offer, _ = (called_so.replace("203.0.113.7", "192.0.2.50") + "\n").split("\n\n")
    offer = offer.replace("\n", "\r\n") + "\r\n"
    answer = offer.replace("192.0.2.50", "217.22.184.27").replace("30000", str(_OF_SITE))
    kept = [line for line in invite.split("\n") if line.startswith(("Call-ID", "CSeq", "Via", "From"))]
    to = "To: <sip:79019648@trunk.gotel.com.mt;user=phone>;tag=b"
    ok = ["SIP/2.0 200 OK", *kept, to, "Contact: <sip:s@217.22.184.27:5060>", "Content-Type: application/sdp"]

    def with_body(head: str, body: str) -> str:
        lines = [line for line in head.split("\n") if not line.startswith("Content-Length")]
        return "\n".join([*lines, f"Content-Length: {len(body)}", "", body.replace("\r\n", "\n")])

    frames = [*asked(0.5), said(register, True, 1.0), said(accepted, False, 1.02)]
    frames += [said(with_body(invite, offer), True, 2.5), said(with_body("\n".join(ok), answer), False, 2.9)]
    return timed(frames + media(up, down))


BAD_REGISTER = REGISTER.replace("REGISTER sip:trunk.gotel.com.mt", "REGISTER sip:217.22.184.27").replace(
    "Expires: 300", "Expires: 3600"
)
BAD_INVITE = (
    INVITE.replace("P-Preferred-Identity", "X-Other")
    .replace("From: <sip:21669015@", "From: <sip:101@")
    .replace("RTP/AVP 8 101\na=rtpmap:8 PCMA/8000\na=rtpmap:101 telephone-event/8000", "RTP/AVP 0")
)


def bad_call() -> bytes:
    """What many a PBX says as it comes from its box."""
    return call(Voice(1, payload=0), Voice(2, payload=0), BAD_REGISTER, BAD_INVITE)


def shortened(capture: bytes, octets: int) -> bytes:
    """As with a snaplen of so many octets."""
    parts, at = [capture[:24]], 24
    while at < len(capture):
        seconds, micro, kept, whole = struct.unpack_from("<IIII", capture, at)
        head = struct.pack("<IIII", seconds, micro, min(kept, octets), whole)
        parts.append(head + capture[at + 16 : at + 16 + min(kept, octets)])
        at += 16 + kept
    return b"".join(parts)


def timed(frames: list[Timed]) -> bytes:
    """A pcap in the order of the times."""
    parts = [struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1)]
    for time_s, frame in sorted(frames):
        micro = round(time_s * 1_000_000)
        parts.append(struct.pack("<IIII", START_S + micro // 10**6, micro % 10**6, len(frame), len(frame)) + frame)
    return b"".join(parts)
