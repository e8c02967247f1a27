"""Uplinks of a site with what a router may do for voice, and what `--under-load` must say of each.

HTB and u32 stand in for what this kernel lacks: a queue per flow is one for large packets and one for all others.
"""

import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .media_rooms import ETHERNET_OCTETS
from .site import Lab
from .tool import gosip_check

_OUT = "to-isp"
_EF = "match ip tos 0xb8 0xfc"
_BY_ADDRESS = ("match ip dst 217.22.184.0/24", "match ip dst 217.22.185.0/24")
_ICMP = "match ip protocol 1 0xff"
_SMALL = "match u16 0x0000 0xfc00 at 2"
"Up to 1023 octets."


@dataclass(frozen=True)
class Uplink:
    """first: what u32 puts into the class that goes first; None: one queue for all. rules: room -> nftables.

    right: what the tool must say; None: it must leave it open.
    """

    first: Sequence[str] | None
    right: str | None
    by: Sequence[str] = ()
    rules: Mapping[str, str] = field(default_factory=dict)
    is_wide: bool = False
    is_equal: bool = False
    queue_s: float = 0.2


def _unmark(room_hook: str) -> str:
    return (
        f"table ip state {{\n chain unmark {{\n type filter hook {room_hook} priority -160\n ip dscp set cs0\n }}\n}}\n"
    )


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
    "a queue per flow": Uplink([_SMALL], "shared fairly", is_equal=True),
    "class for ping": Uplink([_ICMP], "held up"),
    "class for EF, mark removed before": Uplink([_EF], "held up", rules={"cpe": _unmark("prerouting")}),
    "class for EF, mark removed behind": Uplink([_EF], "priority", ["mark"], rules={"isp": _unmark("prerouting")}),
    "never full": Uplink(None, None, is_wide=True),
    "never full, quotes limited by octets": Uplink(None, None, rules={"isp": _FEWER_OCTETS_OF_QUOTES}, is_wide=True),
}


@contextmanager
def uplink(lab: Lab, name: str, kbps: int) -> Iterator[None]:
    """The way out of the site as it is named, at so many kb/s."""
    row = UPLINKS[name]
    for room, text in row.rules.items():
        lab.nft(room, text)
    for command in _commands(row, kbps * (50 if row.is_wide else 1)):
        lab.run("cpe", ["tc", *command.split()])
    try:
        yield
    finally:
        lab.run("cpe", ["tc", "qdisc", "del", "dev", _OUT, "root"], check=False)
        for room in row.rules:
            lab.nft(room, "delete table ip state")


def _commands(row: Uplink, kbps: int) -> list[str]:
    burst = 2 * (1500 + ETHERNET_OCTETS)
    limit = int(kbps * 125 * row.queue_s) + burst
    if row.first is None:
        return [f"qdisc replace dev {_OUT} root tbf rate {kbps}kbit burst {burst} limit {limit}"]
    rank = 0 if row.is_equal else 1
    return [
        f"qdisc replace dev {_OUT} root handle 1: htb default 20",
        f"class add dev {_OUT} parent 1: classid 1:1 htb rate {kbps}kbit ceil {kbps}kbit burst {burst}",
        f"class add dev {_OUT} parent 1:1 classid 1:10 htb rate {kbps // 2}kbit ceil {kbps}kbit prio 0",
        f"class add dev {_OUT} parent 1:1 classid 1:20 htb rate {kbps // 2}kbit ceil {kbps}kbit prio {rank}",
        f"qdisc add dev {_OUT} parent 1:10 bfifo limit {limit}",
        f"qdisc add dev {_OUT} parent 1:20 bfifo limit {limit}",
        *(
            f"filter add dev {_OUT} parent 1: protocol ip prio {n} u32 {match} flowid 1:10"
            for n, match in enumerate(row.first, 1)
        ),
    ]


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
