"""Linux's numbers for socket options that Python's `socket` does not name, and the layouts of what they give.

Sources: <asm-generic/socket.h>, <linux/in.h>, <linux/in6.h>, <linux/errqueue.h>, <linux/tcp.h>; socket(7), ip(7).
"""

import struct
import sys

SO_RCVBUFFORCE = 33
SO_TIMESTAMPNS = 35
SO_MEMINFO = 55
SO_RCVMARK = 75
IP_PKTINFO = 8
IP_MTU_DISCOVER = 10
IP_RECVERR = 11
IP_RECVTTL = 12
IP_MTU = 14
IP_RECVERR_RFC4884 = 26
IPV6_RECVERR = 25

IP_PMTUDISC_PROBE = 3
"A value of IP_MTU_DISCOVER: DF is set, and no remembered path MTU is obeyed."

SO_EE_ORIGIN_ICMP = 2
SO_EE_ORIGIN_ICMP6 = 3
EXTENDED_ERR = struct.Struct("=IBBBBIHBB")
"struct sock_extended_err, with what IP_RECVERR_RFC4884 puts into its ee_data."

TCP_INFO = struct.Struct("=16xI16xI60xI16xQ")
"struct tcp_info: tcpi_snd_mss, tcpi_retrans, tcpi_total_retrans, tcpi_bytes_acked."

PKTINFO = struct.Struct("=I4s4s")
"struct in_pktinfo: interface, local address, address in the header."

MEMINFO_OCTETS = 36
_DROPS_AT = 32
_TIMESPEC = struct.Struct("=qq")


def arrival_ns(value: bytes) -> int:
    """Unix nanoseconds of a control message SO_TIMESTAMPNS."""
    seconds, ns = _TIMESPEC.unpack_from(value)
    return int(seconds) * 1_000_000_000 + int(ns)


def drops(meminfo: bytes) -> int:
    """SK_MEMINFO_DROPS: packets that the kernel dropped because the socket's buffer was full."""
    return int.from_bytes(meminfo[_DROPS_AT : _DROPS_AT + 4], sys.byteorder)
