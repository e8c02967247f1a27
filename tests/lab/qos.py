"""Uplinks of a site with what a router may do for voice, and what `--under-load` must say of each.

This kernel has HTB, u32 and nftables, but no fq_codel. So a queue per flow is what fq_codel is without CoDel: nftables
hashes addresses, protocol and ports, as RFC 8290 4.1 has it, onto 1024 queues that HTB serves in turn.
"""

import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .media_rooms import ETHERNET_OCTETS
from .phone import LINE, SECOND
from .site import Lab
from .tool import gosip_check

TO_PHONE = ("--link", LINE, "--far-end-link", SECOND)
"What fills the line by a second one (see phone.py)."
_OUT = "to-isp"
_SEGMENTED = ["ethtool", "-K", "to-cpe", "tso", "off", "gso", "off"]
"""What leaves a laptop's card is no larger than a packet. A virtual one passes on 64 kB at once. HTB takes that for one
packet, and gives such a flow forty times its part."""
_EF = "match ip tos 0xb8 0xfc"
_BY_ADDRESS = ("match ip dst 217.22.184.0/24", "match ip dst 217.22.185.0/24")
_ICMP = "match ip protocol 1 0xff"
_FLOWS, _FIRST_FLOW = 1024, 0x100
"As many queues as fq_codel has by itself (tc-fq_codel(8)); the first class of HTB that is one."


@dataclass(frozen=True)
class Uplink:
    """first: what u32 puts into the class that goes first; None: one queue for all. rules: room -> nftables.

    is_fair: each flow has a queue of its own. right: what the tool must say; None: it must leave it open.
    """

    first: Sequence[str] | None
    right: str | None
    by: Sequence[str] = ()
    rules: Mapping[str, str] = field(default_factory=dict)
    is_wide: bool = False
    is_fair: bool = False
    queue_s: float = 0.2


def _unmark(room_hook: str) -> str:
    return (
        f"table ip state {{\n chain unmark {{\n type filter hook {room_hook} priority -160\n ip dscp set cs0\n }}\n}}\n"
    )


def _hashed(port: str) -> str:
    """Puts a packet into a class of the qdisc `1:`. port: what tells a flow from others of the same two hosts."""
    offset = (1 << 16) + _FIRST_FLOW
    return f"meta priority set jhash ip saddr . ip daddr . meta l4proto . {port} mod {_FLOWS} offset {offset}"


_BY_FLOW = f"""
table ip state {{
    chain flows {{
        type filter hook postrouting priority 0
        meta l4proto {{ tcp, udp }} {_hashed("@th,0,32")}
        meta l4proto icmp {_hashed("icmp id")}
    }}
}}
"""

_FEWER_QUOTES = """
table ip state {
    chain quotes {
        type filter hook output priority 0
        icmp type time-exceeded limit rate over 1/second burst 6 packets drop
    }
}
"""
"As Linux rations by itself; the next hop may not."

_FEWER_OCTETS_OF_QUOTES = """
table ip state {
    chain quotes {
        type filter hook output priority 0
        icmp type time-exceeded limit rate over 60 kbytes/second burst 5 kbytes drop
    }
}
"""
"Enough for small packets; of as many large ones less than half is quoted."

UPLINKS: Mapping[str, Uplink] = {
    "one queue": Uplink(None, "held up"),
    "one short queue": Uplink(None, None, queue_s=0.02),  # few small packets find no place; which ones, is chance
    "class for EF": Uplink([_EF], "priority", ["mark"]),
    "class by address": Uplink(_BY_ADDRESS, "priority", ["addresses"]),
    "class for EF and by address": Uplink([_EF, *_BY_ADDRESS], "priority", ["mark", "addresses"]),
    "a queue per flow": Uplink(None, "shared fairly", rules={"cpe": _BY_FLOW}, is_fair=True),
    "class for ping": Uplink([_ICMP], "held up"),
    "class for EF, mark removed before": Uplink([_EF], "held up", rules={"cpe": _unmark("prerouting")}),
    "class for EF, mark removed behind": Uplink([_EF], "priority", ["mark"], rules={"isp": _unmark("prerouting")}),
    "one queue, first hop rations": Uplink(None, "held up", rules={"isp": _FEWER_QUOTES}),
    "never full": Uplink(None, None, is_wide=True),
    "never full, quotes limited by octets": Uplink(None, None, rules={"isp": _FEWER_OCTETS_OF_QUOTES}, is_wide=True),
}


@contextmanager
def uplink(lab: Lab, name: str, kbps: int) -> Iterator[None]:
    """The way out of the site as it is named, at so many kb/s."""
    row = UPLINKS[name]
    lab.run("lan", _SEGMENTED)
    for room, text in row.rules.items():
        lab.nft(room, text)
    lab.run("cpe", ["tc", "-batch", "-"], stdin="\n".join(_commands(row, kbps * (50 if row.is_wide else 1))))
    try:
        yield
    finally:
        lab.run("cpe", ["tc", "qdisc", "del", "dev", _OUT, "root"], check=False)
        for room in row.rules:
            lab.nft(room, "delete table ip state")


def _commands(row: Uplink, kbps: int) -> list[str]:
    burst = 2 * (1500 + ETHERNET_OCTETS)
    limit = int(kbps * 125 * row.queue_s) + burst
    if row.is_fair:
        return [*_root(kbps, burst), *_flows(kbps, limit)]
    if row.first is None:
        return [f"qdisc replace dev {_OUT} root tbf rate {kbps}kbit burst {burst} limit {limit}"]
    return [
        *_root(kbps, burst),
        f"class add dev {_OUT} parent 1:1 classid 1:10 htb rate {kbps // 2}kbit ceil {kbps}kbit prio 0",
        f"class add dev {_OUT} parent 1:1 classid 1:20 htb rate {kbps // 2}kbit ceil {kbps}kbit prio 1",
        f"qdisc add dev {_OUT} parent 1:10 bfifo limit {limit}",
        f"qdisc add dev {_OUT} parent 1:20 bfifo limit {limit}",
        *(
            f"filter add dev {_OUT} parent 1: protocol ip prio {n} u32 {match} flowid 1:10"
            for n, match in enumerate(row.first, 1)
        ),
    ]


def _root(kbps: int, burst: int) -> list[str]:
    return [
        f"qdisc replace dev {_OUT} root handle 1: htb default 20",
        f"class add dev {_OUT} parent 1: classid 1:1 htb rate {kbps}kbit ceil {kbps}kbit burst {burst}",
    ]


def _flows(kbps: int, limit: int) -> Iterator[str]:
    """Next to nothing is owed to any, so whoever has something to send borrows a packet in turn."""
    for flow in range(_FIRST_FLOW, _FIRST_FLOW + _FLOWS):
        part = f"rate 1kbit ceil {kbps}kbit quantum {1500 + ETHERNET_OCTETS}"
        yield f"class add dev {_OUT} parent 1:1 classid 1:{flow:x} htb {part}"
        yield f"qdisc add dev {_OUT} parent 1:{flow:x} bfifo limit {limit}"


def voice_first(lab: Lab, name: str, kbps: int, *more: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The verdict and the facts of one run with nothing but `--under-load`."""
    with tempfile.TemporaryDirectory() as folder, uplink(lab, name, kbps):
        Path(folder).chmod(0o777)
        lab.flush()
        state = ["env", f"XDG_STATE_HOME={folder}"]
        argv = [*state, *gosip_check("run", "--under-load", "--skip", "[!q]*", *more, "--json", "-", "--quiet")]
        ended = lab.run("lan", argv, check=False, timeout_s=90)
        if ended.returncode not in (0, 1, 3):
            raise RuntimeError(f"exit code {ended.returncode}: {ended.stderr}")
    report = json.loads(ended.stdout)
    verdict = next(each for each in report["verdicts"] if each["id"] == "qos.voice-first")
    measured = next(each for each in report["measurements"] if each["probe"] == "qos")
    return verdict, measured["facts"] or {"failure": measured["failure"]}


_STOOD_STILL = ("too busy", "was uneven before", "neither clearly", "less than the rest", "fell silent", "loses small")


def stood_still(verdict: Mapping[str, Any]) -> bool:
    """Whether it was left open, and may have been because a router of the lab got no processor time for a moment."""
    return verdict["outcome"] == "unknown" and any(words in verdict["reason"] for words in _STOOD_STILL)


def is_late(verdict: Mapping[str, Any]) -> bool:
    """Whether the tool says that this machine was too busy to send evenly: nothing is proven, and it is no mistake."""
    return "too busy" in verdict["reason"]
