"""What an ICMP error about one of our packets says, as Linux hands it to the socket that sent it. Opens no socket."""

import socket
from dataclasses import dataclass

from gosip_check.records import FailureKind
from gosip_check.wire import linux

_UNREACHABLE, _REFUSED, _PROHIBITED = FailureKind.UNREACHABLE, FailureKind.REFUSED, FailureKind.PROHIBITED

# (IP version, type, code) -> the error in words, and what it means for the packet.
# RFC 792, RFC 1122 3.2.2.1, RFC 1812 5.2.7.1; RFC 4443 3.
_MEANINGS = {
    (4, 3, 0): ("network unreachable", _UNREACHABLE),
    (4, 3, 1): ("host unreachable", _UNREACHABLE),
    (4, 3, 2): ("protocol unreachable", _REFUSED),
    (4, 3, 3): ("port unreachable", _REFUSED),
    (4, 3, 4): ("fragmentation needed", _UNREACHABLE),
    (4, 3, 9): ("network administratively prohibited", _PROHIBITED),
    (4, 3, 10): ("host administratively prohibited", _PROHIBITED),
    (4, 3, 13): ("administratively prohibited", _PROHIBITED),
    (4, 11, 0): ("time exceeded in transit", _UNREACHABLE),
    (4, 11, 1): ("fragment reassembly time exceeded", _UNREACHABLE),
    (6, 1, 0): ("no route to destination", _UNREACHABLE),
    (6, 1, 1): ("administratively prohibited", _PROHIBITED),
    (6, 1, 3): ("address unreachable", _UNREACHABLE),
    (6, 1, 4): ("port unreachable", _REFUSED),
    (6, 1, 5): ("source address failed ingress/egress policy", _PROHIBITED),
    (6, 1, 6): ("reject route to destination", _PROHIBITED),
    (6, 2, 0): ("packet too big", _UNREACHABLE),
    (6, 3, 0): ("hop limit exceeded in transit", _UNREACHABLE),
}


@dataclass(frozen=True)
class IcmpError:
    """An ICMP error about one of our packets. version: of IP, 4 or 6.

    quoted: what the sender quoted of our payload, as it saw it; may be short or empty.
    quoted_length: RFC 4884 length of the original datagram field behind the IP and transport header, 0 where not given.
    arrived_ns: Unix time by the kernel, 0 where the socket does not ask for it (SO_TIMESTAMPNS).
    """

    version: int
    type: int
    code: int
    sender: str
    quoted: bytes = b""
    quoted_length: int = 0
    arrived_ns: int = 0

    @property
    def kind(self) -> FailureKind:
        """What it means for the packet; unreachable for an error without a name."""
        return _MEANINGS.get((self.version, self.type, self.code), ("", _UNREACHABLE))[1]

    @property
    def name(self) -> str:
        """The error in words, such as `administratively prohibited`."""
        unnamed = f"ICMP type {self.type} code {self.code}"
        return _MEANINGS.get((self.version, self.type, self.code), (unnamed,))[0]

    @property
    def is_time_exceeded(self) -> bool:
        """The packet died on the way, because its TTL ran out."""
        return (self.version, self.type, self.code) in ((4, 11, 0), (6, 3, 0))


def parse_error(value: bytes, quoted: bytes) -> IcmpError | None:
    """Reads struct sock_extended_err and the address of the sender behind it (ip(7)). None: not an ICMP error."""
    if len(value) < linux.EXTENDED_ERR.size:
        return None
    _, origin, kind, code, _, _, length, _, _ = linux.EXTENDED_ERR.unpack_from(value)
    sender = value[linux.EXTENDED_ERR.size :]
    if origin == linux.SO_EE_ORIGIN_ICMP and len(sender) >= 8:
        return IcmpError(4, kind, code, socket.inet_ntop(socket.AF_INET, sender[4:8]), quoted, length)
    if origin == linux.SO_EE_ORIGIN_ICMP6 and len(sender) >= 24:
        return IcmpError(6, kind, code, socket.inet_ntop(socket.AF_INET6, sender[8:24]), quoted, length)
    return None
