"""Do large SIP messages get through over UDP? OPTIONS padded to several sizes, a second apart, to one server.

A trunk whose signalling is UDP only has no TCP to fall back on (RFC 3261 18.1.1), and an INVITE easily grows beyond
1300 octets. What is larger than the path carries is cut into fragments, and many edge devices drop those.
"""

import time
from typing import Literal

from gosip_check.probes import probe
from gosip_check.probes.net import sockets
from gosip_check.probes.path import hops
from gosip_check.probes.probe import Context, Probe, ProbeFailed
from gosip_check.probes.sip.exchange import options as options_request
from gosip_check.records import FailureKind, Record
from gosip_check.wire.sip import WireError
from gosip_check.wire.transaction import ClientTransaction

SIZES = (500, 1200, 1400, 1600, 2800)
"""Octets of the UDP payload: a plain OPTIONS, below and around the 1472 that an Ethernet frame holds, two and three
fragments' worth."""

_PAUSE_S = 1.0
_TIMEOUT_S = 4.0


class Options(probe.Options, frozen=True):
    """`transport`: over TCP there is nothing to find out. The server is the first in `networks` that DNS gave."""

    domain: str
    transport: Literal["udp", "tcp"]
    networks: list[str]


class Size(Record, frozen=True):
    """One size: whether it was answered, how often it was sent, and an ICMP error that came instead."""

    octets: int
    answered: bool
    sent: int
    icmp: str | None


class Facts(probe.Facts, frozen=True):
    """all_sizes_answered: None where not even the plain one was. largest_answered: octets of UDP payload."""

    server: str
    sizes: list[Size]
    all_sizes_answered: bool | None
    largest_answered: int | None


def measure(options: Options, context: Context) -> Facts:
    """Raises ProbeFailed: unsupported over TCP, unreachable without a server."""
    if options.transport != "udp":
        raise ProbeFailed(FailureKind.UNSUPPORTED, "Signalling is TCP here, which cuts and joins messages by itself.")
    servers = hops.servers(context, options.networks)
    if not servers:
        raise ProbeFailed(FailureKind.UNREACHABLE, "DNS gave no address of the provider to send to.")
    facts = None
    for server in servers:
        context.say(f"Large SIP messages to {server.address}")
        facts = _facts(server.address, _ask(options, context, server.address, server.port))
        if facts.all_sizes_answered is not None:
            break
    assert facts is not None
    return facts


def _ask(options: Options, context: Context, address: str, port: int) -> list[Size]:
    """The plain size first: where that is not answered, no other is sent. The others side by side, a second apart."""
    first = _ask_sizes(options, context, address, port, SIZES[:1])
    if not first[0].answered:
        return first
    context.wait(_PAUSE_S)
    return first + _ask_sizes(options, context, address, port, SIZES[1:])


def _ask_sizes(options: Options, context: Context, address: str, port: int, sizes: tuple[int, ...]) -> list[Size]:
    socks = [sockets.udp_socket(context.link, sockets.family_of(address)) for _ in sizes]
    try:
        start_s = time.monotonic()
        asked = []
        for number, (sock, size) in enumerate(zip(socks, sizes, strict=True)):
            request = _padded(context, options.domain, address, sockets.local_address(sock)[1], size)
            asked.append(ClientTransaction(request, start_s + number * _PAUSE_S, timeout_s=_TIMEOUT_S))
        icmp: dict[int, str] = {}
        while waits := [next_at for one in asked if (next_at := one.next_at) is not None]:
            for sock, one in zip(socks, asked, strict=True):
                request_due = one.due(time.monotonic())
                if request_due is not None:
                    sockets.send_to(sock, request_due, address, port)
            for sock in sockets.wait_readable(context, socks, min(waits)):
                one = asked[socks.index(sock)]
                for error in sockets.read_icmp_errors(sock):
                    icmp[socks.index(sock)] = f"{error.sender} says {error.name}"
                for datagram in sockets.read_datagrams(sock):
                    try:
                        one.receive(datagram.data)
                    except WireError:
                        continue
        return [
            Size(octets=size, answered=one.final is not None, sent=one.sent, icmp=icmp.get(index))
            for index, (size, one) in enumerate(zip(sizes, asked, strict=True))
        ]
    finally:
        for sock in socks:
            sock.close()


def _padded(context: Context, domain: str, address: str, port: int, size: int) -> bytes:
    """An OPTIONS of exactly `size` octets, filled with a header that servers ignore; each line well below 1000."""
    plain = options_request(context, domain, "UDP", address, port)
    lines: list[str] = []
    left = size - len(plain)
    while left > 0:
        name = f"X-Padding-{len(lines)}: "
        length = left if left < 240 else min(180, left)
        lines.append(name + "x" * max(1, length - len(name) - 2) + "\r\n")
        left -= len(lines[-1])
    head, _, body = plain.partition(b"\r\n\r\n")
    return head + b"\r\n" + "".join(lines).encode() + b"\r\n" + body


def _facts(server: str, sizes: list[Size]) -> Facts:
    answered = [size.octets for size in sizes if size.answered]
    lost = [size for size in sizes if not size.answered]
    if not answered:
        words = (
            f"{server} answers no OPTIONS, not even one of {sizes[0].octets} octets: nothing is known of large ones. "
            "Ask the provider whether it knows the public address of this line."
        )
        return Facts(
            server=server,
            sizes=sizes,
            all_sizes_answered=None,
            largest_answered=None,
            evidence={"all_sizes_answered": words},
        )
    if lost:
        smallest = lost[0].octets
        fragments = smallest > max(answered) and smallest > 1472
        told = f" ({lost[0].icmp})" if lost[0].icmp else ""
        why = (
            "what is cut into fragments does not get through, on the way there or back"
            if fragments
            else "they are lost on the way there or back"
        )
        words = (
            f"{server} answered OPTIONS of {_listed(answered)} octets and none of {_listed([s.octets for s in lost])}, "
            f"each sent {lost[0].sent} times{told}: {why}."
        )
    else:
        words = f"{server} answered OPTIONS of {_listed(answered)} octets."
    return Facts(
        server=server,
        sizes=sizes,
        all_sizes_answered=not lost,
        largest_answered=max(answered),
        evidence={"all_sizes_answered": words},
    )


def _listed(sizes: list[int]) -> str:
    return ", ".join(str(size) for size in sizes)


PROBE = Probe(
    "large_sip",
    Options,
    Facts,
    measure,
    subject=lambda options: f"large SIP messages over {options.transport.upper()} to {options.domain}",
    after=("srv", "path"),
)
