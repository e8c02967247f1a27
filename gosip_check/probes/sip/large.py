"""Do large SIP messages get through over UDP? OPTIONS padded to several sizes, a second apart, to one server.

A trunk whose signalling is UDP only has no TCP to fall back on (RFC 3261 18.1.1), and an INVITE easily grows beyond
1300 octets. What is larger than the path carries is cut into fragments, and many edge devices drop those.
"""

from collections.abc import Sequence
from contextlib import ExitStack
from typing import Literal

from msgspec.structs import replace

from gosip_check.probes import probe
from gosip_check.probes.dns.servers import Server, servers_inside
from gosip_check.probes.net import sockets
from gosip_check.probes.path.stand_in import without_stand_ins
from gosip_check.probes.probe import Context, Probe, ProbeFailed
from gosip_check.probes.sip.exchange import options as options_request
from gosip_check.probes.sip.transactions import Transaction, run
from gosip_check.records import FailureKind, Record

SIZES = (500, 1200, 1400, 1600, 2800)
"""Octets of the UDP payload: a plain OPTIONS, below and around the 1472 that an Ethernet frame holds, two and three
fragments' worth."""

_LARGEST_IN_ONE_PACKET = 1472
"Octets of UDP payload in an Ethernet frame."

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
    """all_sizes_answered: None where the plain one was not answered each time. largest_answered: UDP octets."""

    server: str
    sizes: list[Size]
    all_sizes_answered: bool | None
    largest_answered: int | None


def measure(options: Options, context: Context) -> Facts:
    """Raises ProbeFailed: unsupported over TCP, unreachable without a server."""
    if options.transport != "udp":
        raise ProbeFailed(FailureKind.UNSUPPORTED, "Signalling is TCP here, which cuts and joins messages by itself.")
    servers = servers_inside(context, options.networks)
    if not servers:
        raise ProbeFailed(FailureKind.UNREACHABLE, "DNS gave no address of the provider to send to.")
    servers = without_stand_ins(context, servers)
    if not servers:
        raise ProbeFailed(FailureKind.UNSUPPORTED, "Something on the way answers in the name of every server.")
    facts = None
    for server in servers:
        context.say(f"Large SIP messages to {server.address}")
        facts = _facts(server.address, _ask(options, context, server))
        if facts.all_sizes_answered is not None:
            break
    assert facts is not None
    return facts


def _ask(options: Options, context: Context, server: Server) -> list[Size]:
    """The plain size first: where that is not answered, no other is sent. The others side by side, a second apart.

    Sizes that stay silent are asked once more between two plain ones, which vouch for that silence: a line that was
    away, or a limit on requests, silences these as well, and then the plain size counts as not answered.
    """
    first = _ask_sizes(options, context, server, SIZES[:1])
    if not first[0].answered:
        return first
    context.wait(_PAUSE_S)
    sizes = first + _ask_sizes(options, context, server, SIZES[1:])
    silent = [size.octets for size in sizes if not size.answered]
    if not silent:
        return sizes
    context.wait(_PAUSE_S)
    before, *again, after = _ask_sizes(options, context, server, [SIZES[0], *silent, SIZES[0]])
    by_octets = {size.octets: size for size in again}
    if not (before.answered and after.answered):
        by_octets[SIZES[0]] = before if after.answered else after
    return [_joined(size, by_octets.get(size.octets)) for size in sizes]


def _joined(size: Size, again: Size | None) -> Size:
    """The later look decides; what was sent is added up."""
    return size if again is None else replace(again, sent=size.sent + again.sent, icmp=again.icmp or size.icmp)


def _ask_sizes(options: Options, context: Context, server: Server, sizes: Sequence[int]) -> list[Size]:
    with ExitStack() as opened:
        transactions = []
        for number, size in enumerate(sizes):
            sock = opened.enter_context(sockets.udp_socket(context.link, sockets.family_of(server.address)))
            request = _padded(context, options.domain, server.address, sockets.local_address(sock)[1], size)
            delay_s = number * _PAUSE_S
            transactions.append(
                Transaction(context, sock, server, request, _TIMEOUT_S, delay_s=delay_s, any_source=True)
            )
        run(context, transactions)
    return [_size(octets, transaction) for octets, transaction in zip(sizes, transactions, strict=True)]


def _size(octets: int, transaction: Transaction) -> Size:
    icmp = f"{transaction.errors[-1].sender} says {transaction.errors[-1].name}" if transaction.errors else None
    return Size(octets=octets, answered=transaction.final is not None, sent=transaction.sent, icmp=icmp)


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
    return Facts(
        server=server,
        sizes=sizes,
        all_sizes_answered=not lost if sizes[0].answered else None,
        largest_answered=max(answered, default=None),
        evidence={"all_sizes_answered": _sentence(server, answered, lost)},
    )


def _sentence(server: str, answered: list[int], lost: list[Size]) -> str:
    if not answered and len(lost) == 1:  # no other was sent
        return (
            f"{server} answers no OPTIONS, not even one of {lost[0].octets} octets: nothing is known of large ones. "
            "Ask the provider whether it knows the public address of this line."
        )
    if lost and lost[0].octets == SIZES[0]:
        return (
            f"{server} answered no OPTIONS of {_listed([s.octets for s in lost])} octets, at times not even a small "
            "one: nothing is known of large ones."
        )
    if not lost:
        return f"{server} answered OPTIONS of {_listed(answered)} octets."
    in_fragments = lost[0].octets > max(max(answered), _LARGEST_IN_ONE_PACKET)
    why = (
        "what is cut into fragments does not get through, on the way there or back"
        if in_fragments
        else "they are lost on the way there or back"
    )
    icmp = f" ({lost[0].icmp})" if lost[0].icmp else ""
    return (
        f"{server} answered OPTIONS of {_listed(answered)} octets and none of {_listed([s.octets for s in lost])}, "
        f"each sent {lost[0].sent} times{icmp}: {why}."
    )


def _listed(sizes: list[int]) -> str:
    return ", ".join(str(size) for size in sizes)


PROBE = Probe(
    "large_sip",
    Options,
    Facts,
    measure,
    subject=lambda options: f"large SIP messages over {options.transport.upper()} to {options.domain}",
    after=("srv", "path", "stand_in"),
    rest_s=lambda _: 4.0,
)
