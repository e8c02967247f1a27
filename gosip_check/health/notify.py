"""Tells systemd how a service is doing (sd_notify(3)): ready, alive, stopping. Does nothing where nobody listens."""

import contextlib
import os
import socket


def notify(*states: str) -> None:
    """Such as notify("READY=1", "STATUS=..."). An address that starts with @ is an abstract one."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return
    if address.startswith("@"):
        address = f"\0{address[1:]}"
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.connect(address)
        sock.sendall("\n".join(states).encode("utf-8", errors="replace"))


def watchdog_s() -> float | None:
    """How often to say WATCHDOG=1: half of what systemd allows this process; None when it does not watch."""
    mine = os.environ.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
    allowed_us = os.environ.get("WATCHDOG_USEC", "")
    return int(allowed_us) / 2e6 if mine and allowed_us.isascii() and allowed_us.isdigit() and int(allowed_us) else None
