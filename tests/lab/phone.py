"""A second line for the laptop behind a NAT of its own, as a phone's hotspot is, and STUN servers at the provider's.

lan -- cpe ---- isp       Internet-1: 192.168.1.10, translated to 192.88.99.2
lan -- phone -- isp       the phone: 10.20.0.10, translated to 198.18.2.2; coturn at two addresses of `go`
"""

import json
import re
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from .edges import translate
from .media_rooms import shape
from .site import Lab
from .states import OUTSIDE, SITES
from .tool import gosip_check

LINE, SECOND = "Internet-1=to-cpe", "phone=second"
OUTSIDE_OF = {"line": "192.88.99.2", "phone": "198.18.2.2"}
STUN = (SITES[0], OUTSIDE)
_LAN, _PHONE, _PHONE_OUT, _ISP = "10.20.0.10", "10.20.0.1", OUTSIDE_OF["phone"], "198.18.2.1"
_UP_WITHIN_S = 15.0

_INPUT = """
table ip guard {
    chain input {
        type filter hook input priority 0
        ct state established,related accept
        iifname "to-isp" drop
    }
}
"""


def _nat(ports: str = "") -> str:
    return translate("to-isp", ports)


def _by_address(inside: str) -> str:
    """Lets in whoever was sent something, from any of its ports. The kernel has no such filter of its own."""
    return f"""
table ip cone {{
    set spoken {{
        type ipv4_addr
    }}
    chain leaving {{
        type filter hook forward priority -10
        oifname "to-isp" ip protocol udp add @spoken {{ ip daddr }}
    }}
    chain arriving {{
        type nat hook prerouting priority -110
        iifname "to-isp" ip protocol udp ip saddr @spoken dnat to {inside}
    }}
}}
"""


PHONES = {
    "masquerade": _nat(),
    "masquerade, input dropped": _nat() + _INPUT,
    "masquerade random": _nat("random"),
    "filter by address": _nat() + _by_address(_LAN),
}
"""What the phone does with what leaves and arrives. The kernel's masquerade keeps the port where it is free. It lets in
only whom was spoken to, by address and port: it is the filter by port (RFC 4787 5)."""
LINES = {
    "masquerade": "",
    "masquerade random": _nat("random"),
    "filter by address": _by_address("192.168.1.10") + "add rule ip firewall forward ct status dnat accept\n",
}
"What the edge of the line under test does; a home router drops what arrives for itself."
UNKNOWN_TO_THE_PROVIDER = f"""
table ip stranger {{
    chain arriving {{
        type filter hook input priority 0
        ip saddr {_PHONE_OUT} udp dport 5060 drop
    }}
}}
"""


@contextmanager
def phone(lab: Lab, kind: str = "masquerade") -> Iterator[None]:
    """The phone is there, and both lines lead out; the first one first."""
    there = lab.rooms.namespace("phone")
    ip = ["ip", "netns"]
    subprocess.run([*ip, "add", there], check=True)
    try:
        for room, interface, address, peer in (
            ("lan", "second", _LAN, "to-lan"),
            ("isp", "second", _ISP, "to-isp"),
        ):
            pair = f"link add {interface} type veth peer name {peer} netns {there}"
            lab.run(room, ["ip", *pair.split()])
            lab.run(room, ["ip", "address", "add", f"{address}/24", "dev", interface])
            lab.run(room, ["ip", "link", "set", interface, "up"])
        for interface, address in (("to-lan", _PHONE), ("to-isp", _PHONE_OUT)):
            lab.run("phone", ["ip", "address", "add", f"{address}/24", "dev", interface])
            lab.run("phone", ["ip", "link", "set", interface, "up"])
        lab.run("phone", ["ip", "route", "add", "default", "via", _ISP])
        lab.run("phone", ["sysctl", "-qw", "net.ipv4.ip_forward=1"])
        lab.run("lan", ["ip", "route", "add", "default", "via", _PHONE, "dev", "second", "metric", "200"])
        behind = [cable.left for cable in lab.rooms.cables].index("isp")
        for cable in lab.rooms.cables[behind:]:
            lab.run(cable.right, ["ip", "route", "replace", "198.18.2.0/24", "via", cable.left_address])
        be_phone(lab, kind)
        yield
    finally:
        lab.run("lan", ["ip", "link", "delete", "second"], check=False)
        lab.run("isp", ["ip", "link", "delete", "second"], check=False)
        subprocess.run([*ip, "delete", there], check=False)


def be_phone(lab: Lab, kind: str) -> None:
    """One of PHONES, without what it knew of flows."""
    lab.nft("phone", "flush ruleset\n" + PHONES[kind])
    lab.run("phone", ["conntrack", "-F"])


@contextmanager
def stun_servers(lab: Lab) -> Iterator[None]:
    """coturn, without TURN, on both of STUN."""
    listen = [word for address in STUN for word in ("-L", address)]
    log = lab.rooms.folder / "turnserver.log"
    argv = ["turnserver", "-n", "--stun-only", *listen, "--no-tls", "--no-dtls", "--no-cli", "--log-file", "stdout"]
    server = lab.rooms.start("go", argv, log)
    try:
        give_up_s = time.monotonic() + _UP_WITHIN_S
        while lab.run("go", ["ss", "-Hlun", "sport = :3478"]).stdout.count(":3478") < len(STUN):
            if server.poll() is not None or time.monotonic() > give_up_s:
                raise RuntimeError(f"coturn did not come up: {log.read_text()}")
            time.sleep(0.05)
        yield
    finally:
        server.terminate()
        server.wait(10)


def nat_of(lab: Lab, side: str) -> tuple[str, str]:
    """How the NAT of `line` or `phone` maps and filters, as coturn's natdiscovery names it (RFC 5780 4.3, 4.4).

    It is asked for the filter first: what it sends to see the mapping would open the filter.
    """
    own = {"line": "192.168.1.10", "phone": _LAN}[side]
    if side == "phone":  # the program knows no interface
        lab.run("lan", ["ip", "rule", "add", "from", own, "lookup", "77"])
        lab.run("lan", ["ip", "route", "replace", "default", "via", _PHONE, "dev", "second", "table", "77"])
    said = ""
    for question in ("-f", "-m"):
        said += lab.run("lan", ["turnutils_natdiscovery", question, "-L", own, STUN[0]], timeout_s=30).stdout
    if side == "phone":
        lab.run("lan", ["ip", "rule", "delete", "from", own])
    found = [re.search(f"NAT with (.*) {what}", said) for what in ("Mapping", "Filtering")]
    mapping, filtering = (match[1] if match else "not seen" for match in found)
    return mapping, filtering


@contextmanager
def forgetful(lab: Lab, room: str, seconds: int) -> Iterator[None]:
    """The room's NAT forgets a UDP flow that was silent for so long."""
    names = [f"net.netfilter.nf_conntrack_udp_timeout{more}" for more in ("", "_stream")]
    before = [lab.run(room, ["sysctl", "-n", name]).stdout.strip() for name in names]
    for name in names:
        lab.run(room, ["sysctl", "-qw", f"{name}={seconds}"])
    try:
        yield
    finally:
        for name, value in zip(names, before, strict=True):
            lab.run(room, ["sysctl", "-qw", f"{name}={value}"])


def punched(lab: Lab, stun: Sequence[str] = STUN, seconds: float = 0) -> dict[str, Any]:
    """What `punch_once` says, from the laptop. seconds: of ten channels."""
    command = gosip_check(LINE, SECOND, f"{seconds:g}", *stun, module="tests.lab.punch_once")
    done = lab.run("lan", command, timeout_s=60 + seconds)
    said: dict[str, Any] = json.loads(done.stdout)
    return said


_SENDS = {"up": ("cpe", "to-isp"), "down": ("isp", "to-cpe")}
"Way of the line under test -> the room and the interface that send there."


def rate(lab: Lab, way: str, kbps: float) -> None:
    """Let so much go through the line under test, one way, for packets of 250 octets."""
    shape(lab.rooms, *_SENDS[way], kbps)


def dropped(lab: Lab, way: str) -> int:
    """Packets that the shaped line had no room for since `rate`, by the kernel's count."""
    room, interface = _SENDS[way]
    shown = json.loads(lab.run(room, ["tc", "-s", "-j", "qdisc", "show", "dev", interface]).stdout)
    return sum(int(qdisc["drops"]) for qdisc in shown if qdisc["kind"] == "tbf")


def widen(lab: Lab) -> None:
    """Both ways as fast as they go."""
    for room, interface in _SENDS.values():
        lab.run(room, ["tc", "qdisc", "del", "dev", interface, "root"], check=False)
