"""A second address of this machine's interface for as long as a rehearsal lasts, so that the two sites have one each.

Root only. It is never the source of anything else (preferred_lft 0, RFC 4862 5.5.4), and the kernel takes it away by
itself should this program be killed.
"""

import contextlib
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

_ARP = Path("/proc/net/arp")
_COMPLETE = 0x2  # ATF_COM, <linux/if_arp.h>
_DISCARD = 9
"The port of a service that throws away what it gets (RFC 863)."
_RESOLVES_WITHIN_S = 3.5
"Linux asks three times, a second apart."
_LOOK_S = 0.1
_LASTS_S = 2 * 60 * 60


def is_taken(address: str) -> bool:
    """Does a machine of this network have the address? Linux asks by ARP where a datagram is to go there."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock, contextlib.suppress(OSError):
        sock.sendto(b"", (address, _DISCARD))
    until_s = time.monotonic() + _RESOLVES_WITHIN_S
    while time.monotonic() < until_s:
        if _is_resolved(address, _ARP.read_text()):
            return True
        time.sleep(_LOOK_S)
    return False


def _is_resolved(address: str, table: str) -> bool:
    rows = [line.split() for line in table.splitlines()[1:]]
    return any(row[0] == address and int(row[2], 16) & _COMPLETE for row in rows if len(row) > 2)


@contextlib.contextmanager
def added(address: str, prefix_length: int, interface: str) -> Iterator[None]:
    """The interface has it until the block ends. OSError with a sentence where it cannot be added."""
    place = [f"{address}/{prefix_length}", "dev", interface]
    _ip("add", *place, "valid_lft", str(_LASTS_S), "preferred_lft", "0")
    try:
        yield
    finally:
        with contextlib.suppress(OSError):  # somebody was quicker
            _ip("del", *place)


def _ip(*arguments: str) -> None:
    """ip-address(8). A signal for this program is none for it."""
    command = ["ip", "-4", "address", *arguments]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, errors="replace", check=False, start_new_session=True
        )
    except FileNotFoundError as error:
        raise OSError(f"{' '.join(command)}: there is no program ip (package iproute2)") from error
    if done.returncode != 0:
        raise OSError(f"{' '.join(command)}: {done.stderr.strip()}")
