"""How long does a NAT keep a silent UDP mapping? Sockets that wait for an answer the far end was asked to give late.

Each wait has a socket of its own, so all run at once. An answer that comes proves that the mapping lived that long; one
that does not, while a prompt one on the same socket just before did, that it was gone (RFC 4787 REQ-5, and RFC 5780 4.6
for the method). Needs our own reflector: other far ends do not know how to answer late.
"""

import secrets
import socket
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from gosip_check.probes import net, net_flow
from gosip_check.probes.probe import Context
from gosip_check.wire import stamp
from gosip_check.wire.stamp import Reply
from gosip_check.wire.stamp_tlv import ANSWER_LATER, StampError, Tlv

WAITS_S = (30.0, 60.0, 120.0, 180.0, 240.0, 300.0, 330.0)
PLAIN_WAITS_S = (5.0,)
_COPIES = 3
"Late answers asked for on each socket, a moment apart: one lost packet is no lost mapping."
_APART_S = 0.1
_PROMPT_WITHIN_S = 3.0
_GRACE_S = 3.0


@dataclass(frozen=True)
class Lifetimes:
    """alive, gone: waits after which an answer came, or none did. A wait in neither could not be tried.

    understood: False where the far end answered at once, so it does not know how to wait.
    """

    alive: list[float]
    gone: list[float]
    understood: bool | None


def wait_for_answers(
    context: Context, address: str, port: int, waits_s: Sequence[float], key: bytes | None = None
) -> Lifetimes:
    """Takes as long as the longest wait. Raises ProbeFailed when this machine cannot send, or was stopped."""
    ssid = secrets.randbelow(65535) + 1
    octets = stamp.AUTHENTICATED_OCTETS + 28 if key else 52
    answered: dict[float, bool] = {}
    understood: bool | None = None
    with ExitStack() as stack:
        socks = {wait: stack.enter_context(net_flow.open_flow(context.link, address, port, 0)) for wait in waits_s}
        asked_s = time.monotonic()
        for wait, sock in socks.items():
            _send(sock, ssid, octets, [Tlv(ANSWER_LATER, bytes(4))], key, 0)
            if not _answers(context, sock, ssid, key, time.monotonic() + _PROMPT_WITHIN_S):
                continue
            answered[wait] = False
            asked = Tlv(ANSWER_LATER, round(wait * 1000).to_bytes(4, "big"))
            for number in range(_COPIES):
                _send(sock, ssid, octets, [asked], key, number + 1)
                context.wait(_APART_S)
            asked_s = time.monotonic()
        for wait in sorted(answered):
            replies = _answers(context, socks[wait], ssid, key, asked_s + wait + _GRACE_S)
            late = [reply for reply in replies if reply.sender_sequence]
            for reply in late:
                kept_s = (reply.sent_ns - reply.received_ns) / 1e9
                understood = reply.tlv(ANSWER_LATER) is not None and kept_s >= wait * 0.99
            answered[wait] = bool(late) and understood is True
            if understood is False:
                break
    if understood is False:
        return Lifetimes([], [], False)
    alive = [wait for wait, came in answered.items() if came]
    gone = [wait for wait, came in answered.items() if not came]
    return Lifetimes(sorted(alive), sorted(gone), understood)


def _send(sock: socket.socket, ssid: int, octets: int, tlvs: list[Tlv], key: bytes | None, number: int) -> None:
    packet = stamp.SenderPacket(length=octets, ssid=ssid, tlvs=tlvs, key=key)
    try:
        sock.send(packet.fill(number, time.time_ns()))
    except OSError:  # an ICMP error about an earlier packet; this one counts as lost
        return


def _answers(context: Context, sock: socket.socket, ssid: int, key: bytes | None, until_s: float) -> list[Reply]:
    """The first answers that come, all that wait at that moment; empty when the time is up."""
    while net.wait_readable(context, [sock], until_s):
        net.read_icmp_errors(sock)
        replies = []
        while found := net_flow.receive(sock):
            try:
                reply = stamp.parse_reply(found[0], key)
            except StampError:
                continue
            if reply.ssid in (ssid, 0):
                replies.append(reply)
        if replies:
            return replies
    return []
