"""A network for the tests alone: loopback, and a way out that leads nowhere and is watched. A plugin of pytest.

This process and whatever it starts move to a network namespace of their own before the first test: as root, else in a
user namespace. No packet can leave it. Its default route ends in a TUN device that this process reads, so a packet
that would have left the machine fails the run, whichever program sent it. Where neither namespace may be made, the head
of the run says so; then only what the tests' own process sends is guarded (conftest.py).

Side by side (pytest-xdist) the network belongs to the process that spreads the tests; it names a test that ended when
the packet was seen.
"""

import ctypes
import fcntl
import os
import socket
import struct
from pathlib import Path

import pytest

OUTSIDE = "outside"
"The interface towards everything that is not loopback."

LEFT = "GOSIP_TESTS_LEFT_NETWORK"
"The variable that names the network namespace of this machine; there is none where the tests may not leave it."

PROOF = b"gosip-check: proof that nothing leaves"
"A datagram that begins so is sent on purpose, by the test that looks whether one arrives outside."

_CLONE_NEWUSER, _CLONE_NEWNET = 0x10000000, 0x40000000
_TUNSETIFF, _TUN_WITHOUT_HEADER = 0x400454CA, 0x1001
_SIOCSIFADDR, _SIOCSIFNETMASK, _SIOCSIFFLAGS, _SIOCADDRT = 0x8916, 0x891C, 0x8914, 0x890B
_UP, _ROUTE_UP, _ROUTE_BY_GATEWAY = 0x1, 0x1, 0x2
_CAPABILITIES_3 = 0x20080522
_ADDRESS, _NETMASK, _GATEWAY = "10.255.255.1", "255.255.255.0", "10.255.255.254"
_LARGEST_PACKET = 65536


class OwnNetwork:
    """Registered by `pytest_configure` in the process that was started first. `why_not` is None where it holds."""

    def __init__(self) -> None:
        self.leaks: list[str] = []
        self._outside: int | None = None
        left = os.readlink("/proc/self/ns/net")
        self.why_not = _leave_the_machine()
        if self.why_not is None:
            os.environ[LEFT] = left
            self._outside = _way_out()
            _give_up_rights()

    def pytest_report_header(self) -> str:
        if self.why_not is None:
            return "network: one of the tests' own; no packet leaves this machine"
        return f"network: THIS MACHINE'S ({self.why_not}); what a started program sends is not guarded"

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        self.leaks += [f"{packet}, seen at the end of {nodeid}" for packet in self._packets()]

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        self.leaks += [f"{packet}, seen at the end of the run" for packet in self._packets()]
        if self.leaks:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self.leaks:
            terminalreporter.section("packets that would have left this machine", red=True)
            terminalreporter.write("\n".join([*self.leaks, ""]))

    def _packets(self) -> list[str]:
        packets = []
        while self._outside is not None:
            try:
                packet = os.read(self._outside, _LARGEST_PACKET)
            except BlockingIOError:
                break
            if PROOF not in packet:
                packets.append(_words(packet))
        return packets


def pytest_configure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):  # a worker of pytest-xdist inherits the network
        config.pluginmanager.register(OwnNetwork(), "own-network")


def interfaces() -> list[str]:
    """The interfaces of the network that this process is in."""
    return sorted(name for _, name in socket.if_nameindex())


def _leave_the_machine() -> str | None:
    """Why there is no network of our own; None where there is one now."""
    libc = ctypes.CDLL(None, use_errno=True)
    user, group = os.geteuid(), os.getegid()
    if libc.unshare(_CLONE_NEWNET if user == 0 else _CLONE_NEWUSER | _CLONE_NEWNET) != 0:
        return f"no network namespace may be made: {os.strerror(ctypes.get_errno())}"
    if user != 0:
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
        Path("/proc/self/gid_map").write_text(f"{group} {group} 1")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        fcntl.ioctl(sock, _SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", _UP))
    return None


def _way_out() -> int | None:
    """A default route into a device that only this process reads; without /dev/net/tun there is no route at all."""
    try:
        outside = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        fcntl.ioctl(outside, _TUNSETIFF, struct.pack("16sH14x", OUTSIDE.encode(), _TUN_WITHOUT_HEADER))
    except OSError:
        return None
    ipv6 = Path(f"/proc/sys/net/ipv6/conf/{OUTSIDE}/disable_ipv6")
    if ipv6.exists():
        ipv6.write_text("1")  # else the kernel itself asks for routers there
    name = OUTSIDE.encode()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        fcntl.ioctl(sock, _SIOCSIFADDR, struct.pack("16s", name) + _place(_ADDRESS))
        fcntl.ioctl(sock, _SIOCSIFNETMASK, struct.pack("16s", name) + _place(_NETMASK))
        fcntl.ioctl(sock, _SIOCSIFFLAGS, struct.pack("16sH14x", name, _UP))
        everything, flags = _place("0.0.0.0"), _ROUTE_UP | _ROUTE_BY_GATEWAY
        places = (everything, _place(_GATEWAY), everything)
        fcntl.ioctl(sock, _SIOCADDRT, struct.pack("@L16s16s16sHhLPhPLLH", 0, *places, flags, *[0] * 8))
    return outside


def _give_up_rights() -> None:
    """A user namespace brings every right over the network in it; the tests are to have those of their user."""
    if os.geteuid() != 0:
        ctypes.CDLL(None).capset((ctypes.c_uint32 * 2)(_CAPABILITIES_3, 0), (ctypes.c_uint32 * 6)())


def _place(address: str) -> bytes:
    """`struct sockaddr_in` without a port."""
    return struct.pack("=HH4s8x", socket.AF_INET, 0, socket.inet_aton(address))


def _words(packet: bytes) -> str:
    """An IPv4 packet, as a person reads it."""
    if len(packet) < 24 or packet[0] >> 4 != 4:
        return f"a packet of {len(packet)} octets"
    protocol = {1: "ICMP", 6: "TCP", 17: "UDP"}.get(packet[9], f"protocol {packet[9]}")
    port = f" port {int.from_bytes(packet[22:24], 'big')}" if packet[9] in (6, 17) else ""
    return f"{protocol} to {socket.inet_ntoa(packet[16:20])}{port}"
