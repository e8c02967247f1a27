"""A second internet line for the laptop, which goes straight to the router `isp`, and what leaves by each of them.

lan -- cpe -- isp       Internet-1: 192.168.1.10, translated to 192.88.99.2
lan --------- isp       Internet-2: 198.18.2.10 is its own public address
"""

import json
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from .media_rooms import shape
from .site import RESOLVER, Lab, site
from .states import TWO_SITES
from .tool import gosip_check

SECOND, SECOND_ROUTER = "198.18.2.10", "198.18.2.1"
FIRST_INTERFACE, SECOND_INTERFACE = "to-cpe", "second"
FAR = "far.gotel.com.mt"
"Where a reflector may stand, at the address of the provider's resolver."

CHANNELS, LOAD_KBPS = 5, 500

# What the kernel sends by itself, in answer to what comes after a socket was closed, is of no socket of the run.
_COUNTED = f"""
table ip lines {{
    counter {FIRST_INTERFACE} {{
    }}
    counter {SECOND_INTERFACE} {{
    }}
    chain out {{
        type filter hook output priority 300
        icmp type destination-unreachable accept
        tcp flags & rst == rst accept
        oifname "{FIRST_INTERFACE}" counter name "{FIRST_INTERFACE}"
        oifname "{SECOND_INTERFACE}" counter name "{SECOND_INTERFACE}"
    }}
}}
"""


@contextmanager
def two_lines() -> Iterator[Lab]:
    """A site with both. The second one has no default route before `both_lead_out`."""
    with site() as lab:
        lab.enter("ready")
        isp = lab.rooms.namespace("isp")
        pair = f"{SECOND_INTERFACE} type veth peer name {SECOND_INTERFACE} netns {isp}"
        lab.run("lan", ["ip", "link", "add", *pair.split()])
        for room, address in (("lan", SECOND), ("isp", SECOND_ROUTER)):
            lab.run(room, ["ip", "address", "add", f"{address}/24", "dev", SECOND_INTERFACE])
            lab.run(room, ["ip", "link", "set", SECOND_INTERFACE, "up"])
        lab.run("go", ["ip", "route", "add", "198.18.2.0/24", "via", "192.31.196.1"])
        yield lab


def both_lead_out(lab: Lab) -> None:
    """Two default routes, the first line's before the second's, and a name for the reflector."""
    lab.knot.serve(f"{TWO_SITES}{FAR.partition('.')[0]} 300 A {RESOLVER}\n")
    route = f"default via {SECOND_ROUTER} dev {SECOND_INTERFACE} metric 200"
    lab.run("lan", ["ip", "route", "replace", *route.split()])


def count_packets(lab: Lab) -> None:
    """Begin to count what leaves by which interface, until the next `enter()`."""
    lab.nft("lan", _COUNTED)


def counted(lab: Lab) -> dict[str, int]:
    """Interface -> packets that left by it since it was last asked."""
    listed = lab.run("lan", ["nft", "reset", "counters", "table", "ip", "lines"]).stdout
    return {name: int(count) for name, count in re.findall(r"counter (\S+) \{\s+packets (\d+)", listed)}


def two_rates(lab: Lab, narrow: int) -> None:
    """Line 1 or 2 takes six tenths of the load downwards, the other twice the load."""
    for number, interface in ((1, "to-cpe"), (2, SECOND_INTERFACE)):
        shape(lab.rooms, "isp", interface, LOAD_KBPS * (0.6 if number == narrow else 2.0))


def measured(lab: Lab, before: Sequence[str] = ()) -> dict[str, Any]:
    """The report of the bandwidth of both lines, with the reflector. before: stands before the tool's command line."""
    options = ["--reflector", FAR, "--channels", str(CHANNELS), "--duration", "2", "--json", "-", "--quiet"]
    options += ["--link", f"Internet-1={FIRST_INTERFACE}", "--link", f"Internet-2={SECOND}"]
    done = lab.run("lan", [*before, *gosip_check("bandwidth", *options)], check=False, timeout_s=90)
    report: dict[str, Any] = json.loads(done.stdout)
    return report
