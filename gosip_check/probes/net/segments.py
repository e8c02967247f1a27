"""How large is what leaves on a socket, and has it arrived? Options and figures of Linux's own; opens no socket."""

import socket
import struct
from dataclasses import dataclass

from gosip_check.probes.probe import ProbeFailed
from gosip_check.records import FailureKind
from gosip_check.wire import linux


def forbid_fragments(sock: socket.socket) -> None:
    """Set DF on what an IPv4 UDP socket sends, however small a path MTU the system remembers (ip(7))."""
    sock.setsockopt(socket.IPPROTO_IP, linux.IP_MTU_DISCOVER, linux.IP_PMTUDISC_PROBE)


@dataclass(frozen=True)
class Segments:
    """What Linux knows of an IPv4 connection. segment: octets it may put into a packet; acked: octets the peer has."""

    segment: int
    resent: int
    acked: int
    path_mtu: int


def segments(sock: socket.socket) -> Segments:
    """Read from the kernel (tcp(7), struct tcp_info). Raises ProbeFailed(unsupported) where it does not say."""
    try:
        info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, linux.TCP_INFO.size)
        segment, _, resent, acked = linux.TCP_INFO.unpack(info)
        return Segments(segment, resent, acked, sock.getsockopt(socket.IPPROTO_IP, linux.IP_MTU))
    except (OSError, struct.error) as error:
        raise ProbeFailed(FailureKind.UNSUPPORTED, "This system does not say what a connection has sent.") from error


def kept_back(sock: socket.socket) -> bool:
    """Did this machine itself keep back what a connection sent again, as its own firewall does with `drop`?

    Linux counts each copy that it tries to send (tcpi_total_retrans), and apart from that those on their way that it
    could send (tcpi_retrans). The first SYN is not counted: before the second one, after a second, this is False.
    """
    try:
        info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, linux.TCP_INFO.size)
        _, on_the_way, tried, _ = linux.TCP_INFO.unpack(info)
    except (OSError, struct.error):
        return False
    return bool(tried) and not on_the_way
