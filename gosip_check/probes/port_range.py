"""Which UDP ports of a far end that answers on all of them can be reached, both ways? Every port gets a packet.

Needs a reflector with `--all-ports`. An answer proves both directions: it came back from the very port that was asked,
and says which port the packet reached. A port that stays silent in every round is not proven, which may be loss or a
block; whoever asks looks at the neighbours.

One flow from one socket of ours: a NAT on the way keeps an entry for every port that is asked, for half a minute or so.
"""

import secrets
import socket
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from gosip_check.probes import net
from gosip_check.probes.probe import Context, ProbeFailed
from gosip_check.wire import stamp
from gosip_check.wire.stamp_tlv import LOCATION, Location, StampError, Tlv

PACKETS_PER_S = 6_000
"Together with the answers less than ten channels of a thousand; a home router takes it."
ROUNDS = 3
_ANSWERS_WITHIN_S = 1.0
_BATCH_S = 0.005
_OCTETS = 52


@dataclass(frozen=True)
class Reached:
    """proven: ports that were reached and answered. elsewhere: port asked -> port that the packet reached instead."""

    proven: frozenset[int]
    elsewhere: dict[int, int]
    asked: int
    elapsed_s: float


def reach(context: Context, address: str, ports: Sequence[int], key: bytes | None = None) -> Reached:
    """Ask every port, and the silent ones again. Raises ProbeFailed when this machine cannot send, or was stopped."""
    started_s = time.monotonic()
    octets = _OCTETS if key is None else stamp.AUTHENTICATED_OCTETS + 28
    location = Tlv(LOCATION, bytes(4))
    packet = stamp.SenderPacket(length=octets, ssid=secrets.randbelow(65535) + 1, tlvs=[location], key=key)
    found: dict[int, int] = {}
    for number in range(ROUNDS):
        silent = [port for port in ports if port not in found]
        if not silent:
            break
        context.say(f"RTP ports: asking {len(silent)}, round {number + 1}")
        # A fresh socket each round: whatever a NAT made of the last flow, it makes something else of this one.
        with net.udp_socket(context.link, net.family_of(address)) as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
            _ask(context, sock, packet, address, silent, found, key)
    proven = frozenset(port for port, arrived in found.items() if port == arrived)
    elsewhere = {port: arrived for port, arrived in found.items() if port != arrived}
    return Reached(proven, elsewhere, len(ports), time.monotonic() - started_s)


def ranges(ports: Iterable[int]) -> list[tuple[int, int]]:
    """The ports as ranges, first and last, in order."""
    found: list[tuple[int, int]] = []
    for port in sorted(ports):
        if found and port == found[-1][1] + 1:
            found[-1] = (found[-1][0], port)
        else:
            found.append((port, port))
    return found


def _ask(
    context: Context,
    sock: socket.socket,
    packet: stamp.SenderPacket,
    address: str,
    ports: Sequence[int],
    found: dict[int, int],
    key: bytes | None,
) -> None:
    started_s, sent = time.monotonic(), 0
    while sent < len(ports):
        due = min(len(ports), int((time.monotonic() - started_s + _BATCH_S) * PACKETS_PER_S))
        for port in ports[sent:due]:
            try:
                net.send_to(sock, bytes(packet.fill(port, time.time_ns())), address, port)
            except ProbeFailed:
                if context.stop.is_set() or not sent:
                    raise
            sent += 1
        _read(sock, found, key)
        context.wait(_BATCH_S)
    until_s = time.monotonic() + _ANSWERS_WITHIN_S
    wanted = len(found) + len(ports)
    while time.monotonic() < until_s and len(found) < wanted:
        net.wait_readable(context, [sock], until_s)
        if _read(sock, found, key):
            until_s = time.monotonic() + _ANSWERS_WITHIN_S


def _read(sock: socket.socket, found: dict[int, int], key: bytes | None) -> int:
    """How many answers came; each must come from the port that its own number names."""
    net.read_icmp_errors(sock)
    count = 0
    for datagram in net.read_datagrams(sock):
        try:
            reply = stamp.parse_reply(datagram.data, key)
        except StampError:
            continue
        if reply.sender_sequence != datagram.port:
            continue
        count += 1
        value = reply.tlv(LOCATION)
        found[datagram.port] = Location.parse(value).destination_port if value else datagram.port
    return count
