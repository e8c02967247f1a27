"""What answers at the reflector's address, and as what does it see us? A few packets before the media, one after it.

Says nothing about the path: a reflector that does not answer may be down as well as blocked.
"""

import secrets
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import ip_address
from itertools import pairwise

from gosip_check.probes.dns import names
from gosip_check.probes.net import flow, peers, sockets
from gosip_check.probes.probe import Context, ProbeFailed
from gosip_check.probes.secret import read_private
from gosip_check.records import FailureKind
from gosip_check.wire import stamp
from gosip_check.wire.stamp import Reply
from gosip_check.wire.stamp_sent import Sent
from gosip_check.wire.stamp_tlv import FAR_DROPS, LOCATION_REQUEST, UNDEFINED, FarDrops, StampError, Tlv

_ROUNDS = 4
_ROUND_S = 0.6
_SKIP = 5
"A stateful reflector counts 0, 1, 2; a stateless one copies these numbers: 0, 5, 10."
_OCTETS = 180


@dataclass(frozen=True)
class Reflector:
    """Its address and port, and the key that it wants packets signed with."""

    address: str
    port: int
    key: bytes | None = None

    def __str__(self) -> str:
        return f"[{self.address}]:{self.port}" if ":" in self.address else f"{self.address}:{self.port}"


@dataclass(frozen=True)
class FarEnd:
    """stateful: None where too few answers came to tell. mapped: our address and port as the far end saw them.

    drops: how many packets it had lost by itself so far; None where it does not tell.
    is_echo: it sends back what it is sent, and is no reflector. oddities: what else is not as it should be, clauses.
    tells_tlvs: False where it says that it understands even a TLV that nobody has defined.
    """

    stateful: bool | None
    mapped: tuple[str, int] | None
    drops: FarDrops | None
    is_echo: bool = False
    oddities: tuple[str, ...] = ()
    tells_tlvs: bool = True


_NOT_IN_A_HOST = frozenset("/\\@?# ")
"Of a path or a URL."


def host_and_port(text: str, otherwise: int = stamp.PORT) -> tuple[str, int]:
    """`HOST`, `HOST:PORT` or `[ADDRESS]:PORT`. otherwise: the port where the text names no port. Raises ValueError."""
    host, port = text.strip(), str(otherwise)
    if host.startswith("["):
        host, _, rest = host[1:].partition("]")
        if rest:
            colon, port = rest[0], rest[1:]
            if colon != ":":
                raise ValueError(f"{text!r}: HOST or HOST:PORT would be right.")
    elif host.count(":") == 1:
        host, _, port = host.partition(":")
    if (
        not host
        or _NOT_IN_A_HOST.intersection(host)
        or not port.isascii()
        or not port.isdigit()
        or not 1 <= int(port) <= 65535
        or not text.isprintable()
    ):
        raise ValueError(f"{text!r}: HOST or HOST:PORT would be right, such as 192.0.2.10:{otherwise}.")
    return host, int(port)


def read_key(file: str) -> bytes:
    """The key in a key file. Raises ValueError with a sentence."""
    try:
        octets = read_private(file)
    except ValueError as error:
        raise ValueError(f"{file}: {error}") from error
    try:
        return stamp.key_of(octets.decode())
    except ValueError as error:
        raise ValueError(f"{file}: {error}.") from error


def reflector_of(context: Context, named: str, key_file: str | None) -> Reflector:
    """named: HOST[:PORT], as the options have it. Raises ProbeFailed for a name without address or an unusable key."""
    try:
        key = None if key_file is None else read_key(key_file)
    except ValueError as error:
        raise ProbeFailed(FailureKind.UNSUPPORTED, f"The reflector's key cannot be used: {error}") from error
    host, port = host_and_port(named)
    return Reflector(resolve(context, host), port, key)


def resolve(context: Context, host: str) -> str:
    """The address of the host, of the family of the link. Raises ProbeFailed(unsupported): it was named wrongly."""
    source = context.link.source
    try:
        address = str(ip_address(host))
    except ValueError:
        address = ""
    if address and source is not None and (":" in address) != (":" in source):
        message = f"The reflector {address} cannot be reached from {source}: one is IPv4, the other IPv6."
        raise ProbeFailed(FailureKind.UNSUPPORTED, message)
    if address:
        return address
    if context.link.is_loopback:
        peers.refuse_elsewhere(host)
    return names.address_of(context, host)


@dataclass(frozen=True)
class Replies:
    """far_end: None where no reply could be used. unusable: what is wrong with one that could not, a clause."""

    far_end: FarEnd | None
    unusable: str | None = None


def ask(context: Context, reflector: Reflector) -> FarEnd | None:
    """None when nothing answers. Raises ProbeFailed when this machine cannot send, or was stopped."""
    return ask_closely(context, reflector).far_end


def ask_closely(context: Context, reflector: Reflector) -> Replies:
    """What is there, and whether something replied in a way that cannot be used. Raises as `ask` does."""
    ssid = secrets.randbelow(65535) + 1
    tlvs = [UNDEFINED, LOCATION_REQUEST, Tlv(FAR_DROPS, bytes(8))]
    packet = stamp.SenderPacket(length=_OCTETS, ssid=ssid, tlvs=tlvs, key=reflector.key)
    sent = Sent()
    replies: dict[int, Reply] = {}
    unusable: str | None = None
    oddities: dict[str, None] = {}
    with flow.open_flow(context.link, reflector.address, reflector.port, dscp=0) as sock:
        for number in range(_ROUNDS):
            sent_ns = time.time_ns()
            sent.add(number * _SKIP, sent_ns)
            _send(sock, bytes(packet.fill(number * _SKIP, sent_ns)))
            until_s = time.monotonic() + _ROUND_S
            while number * _SKIP not in replies and time.monotonic() < until_s:
                context.wait(0.01)
                while received := flow.receive(sock):
                    data, arrived_ns, _ = received
                    try:
                        reply = stamp.parse_reply(data, reflector.key)
                    except StampError as error:
                        unusable = str(error)
                        continue
                    match = sent.match(reply, arrived_ns)
                    if match is None:
                        unusable = f"{len(data)} octets, which belong to no packet that was sent"
                        continue
                    replies[match.number] = reply
                    oddities |= dict.fromkeys(_oddities(reply, len(data), ssid, match.number, match.is_certain))
    if not replies:
        return Replies(None, unusable)
    return Replies(_far_end(replies, tuple(oddities)), unusable)


def _send(sock: socket.socket, data: bytes) -> None:
    try:
        flow.send(sock, data)
    except OSError as error:
        raise sockets.local_trouble(error, "sending to the reflector") from error


def _oddities(reply: Reply, octets: int, ssid: int, number: int, has_t1: bool) -> Iterator[str]:
    """What of an answer is not as RFC 8762, RFC 8972 or RFC 5357 have it. It can be used all the same."""
    if reply.is_echo:
        return
    if reply.ssid not in (ssid, 0):
        yield "carry another session identifier (SSID) than ours"
    if reply.sender_ttl is None:
        yield f"have {octets} octets, so they do not tell with which TTL packets arrived"
    if reply.sender_sequence != number:
        yield "carry numbers that were not sent"
    if not has_t1:
        yield "do not bring back when packets were sent"


def _far_end(replies: dict[int, Reply], oddities: tuple[str, ...]) -> FarEnd:
    tells_tlvs = all(reply.tlv(UNDEFINED.type) is None for reply in replies.values())
    return FarEnd(
        stateful=_stateful(replies),
        mapped=_mapped(replies) if tells_tlvs else None,
        drops=replies[max(replies)].far_drops if tells_tlvs else None,
        is_echo=all(reply.is_echo for reply in replies.values()),
        oddities=oddities,
        tells_tlvs=tells_tlvs,
    )


def _stateful(replies: dict[int, Reply]) -> bool | None:
    """Does it count what it sends? Copies of our numbers are no count, nor is anything that does not rise."""
    if len(replies) < 2:
        return None
    counts = [replies[number].sequence for number in sorted(replies)]
    return counts != sorted(replies) and all(earlier < later for earlier, later in pairwise(counts))


def _mapped(replies: dict[int, Reply]) -> tuple[str, int] | None:
    for reply in replies.values():
        location = reply.location
        if location is not None and location.source_address:
            address = ip_address(location.source_address)
            if not (address.is_unspecified or address.is_multicast):
                return str(address), location.source_port
    return None
