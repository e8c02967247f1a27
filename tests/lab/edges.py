"""What an edge device may do to SIP, and what the router behind it may quote: the kernel's ALG, and emulated others.

Rule sets for the room `cpe`, and two small programs (alg_program.py, hop_program.py) that forward or quote as no kernel
does. Every function brings its state about on top of `lab.enter("ready")` and is undone by the next `enter()`, programs
included when they are used as context managers.
"""

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from .site import Lab

_HERE = Path(__file__).parent


def kernel_alg(protocol: str = "udp", port: int = 5060) -> str:
    """Linux's own SIP helper on one port: nf_conntrack_sip, and nf_nat_sip where the flow is translated."""
    return f"""
table ip sipalg {{
    ct helper sip {{
        type "sip" protocol {protocol}
    }}
    chain arriving {{
        type filter hook prerouting priority -150
        {protocol} dport {port} ct helper set "sip"
    }}
}}
"""


def translate(out: str, ports: str = "") -> str:
    """Another source NAT on what leaves through an interface; `ports` such as `to :20000-30000` changes every port."""
    return f"""
table ip translate {{
    chain leaving {{
        type nat hook postrouting priority 90
        oifname "{out}" meta l4proto {{ tcp, udp }} masquerade {ports}
        oifname "{out}" masquerade
    }}
}}
"""


LET_ALL_IN = """
table ip state {
    chain arriving {
        type nat hook prerouting priority -110
        iifname "to-isp" udp dport 1024-65535 dnat to 192.168.1.10
    }
}
add rule ip firewall forward ct status dnat accept
"""
"A NAT that lets in whoever sends: from any address, to any port."

SILENT_HOP = """
table ip quiet {
    chain leaving {
        type filter hook output priority 0
        icmp type time-exceeded drop
    }
}
"""

_OWN_QUOTES_ONLY = SILENT_HOP.replace("icmp type", "meta mark != 7 icmp type")

_THROUGH_THE_PROGRAM = """
table ip program {
    chain untracked {
        type filter hook prerouting priority -300
        iifname "to-lan" udp dport 5060 notrack
        iifname "alg0" udp sport 5060 notrack
    }
    chain marked {
        type filter hook prerouting priority -90
        iifname "to-lan" udp dport 5060 meta mark set 5060
        iifname "to-isp" udp sport 5060 meta mark set 5060
    }
}
add rule ip firewall forward iifname "alg0" accept
add rule ip firewall forward oifname "alg0" accept
"""

_TO_THE_PROGRAM = """
table ip program {
    chain arriving {
        type nat hook prerouting priority -110
        iifname "to-lan" udp dport 5060 redirect to :5070
    }
}
"""


@contextlib.contextmanager
def without_translation(lab: Lab) -> Iterator[None]:
    """The home router stops translating. Its table is the lab's own, so it is put right again here."""
    lab.nft("cpe", "flush chain ip nat leaving\n")
    try:
        yield
    finally:
        lab.nft("cpe", 'add rule ip nat leaving oifname "to-isp" masquerade\n')


@contextlib.contextmanager
def quoting_hop(lab: Lab, room: str, interface: str, style: str) -> Iterator[None]:
    """The room quotes what dies in it in a style of hop_program.py instead of the kernel's."""
    lab.nft(room, _OWN_QUOTES_ONLY)
    with _program(lab, room, "hop_program.py", interface, style):
        yield


@contextlib.contextmanager
def vendor_alg(lab: Lab, style: str) -> Iterator[None]:
    """What passes `cpe` to or from port 5060 goes through alg_program.py in one of its styles."""
    if style == "answers":
        lab.nft("cpe", _TO_THE_PROGRAM)
        with _program(lab, "cpe", "alg_program.py", style):
            yield
        return
    with _program(lab, "cpe", "alg_program.py", style):
        lab.nft("cpe", _THROUGH_THE_PROGRAM)
        for rule in ("rule add fwmark 5060 table 5060", "route add default dev alg0 table 5060"):
            lab.run("cpe", ["ip", *rule.split()])
        lab.flush()
        try:
            yield
        finally:
            lab.run("cpe", ["ip", "rule", "delete", "fwmark", "5060", "table", "5060"])


@contextlib.contextmanager
def _program(lab: Lab, room: str, name: str, *arguments: str) -> Iterator[None]:
    command = lab.rooms.command(room, [sys.executable, str(_HERE / name), *arguments])
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True)
    assert process.stdout is not None
    try:
        said = process.stdout.readline()
        if said != b"ready\n":
            raise RuntimeError(f"{name} did not start:\n{(said + process.stdout.read()).decode()}")
        yield
    finally:
        process.terminate()
        process.wait(5)
        process.stdout.close()
