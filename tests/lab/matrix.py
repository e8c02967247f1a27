"""The states of a site that a whole run judges with nothing but the laptop, and what must be said of each.

Every row has a site of its own, whose hops have full buckets. What a row does not name must pass; what was skipped
counts as undecided.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from . import alone, odd_lines
from .alone import FAIL, OPEN, PASS, UNKNOWN, Run, measured
from .edges import SILENT_HOP, kernel_alg
from .rulesets import forward
from .site import Lab, site
from .tool import PLAIN_USER
from .ways import WAYS

NOT_A_FAIL = PASS | UNKNOWN
SYSCTL = "sysctl -w net.ipv4.ping_group_range='0 2147483647'"
_CLOSED = ["sysctl", "-qw", "net.ipv4.ping_group_range=1 0"]

Right = Mapping[str, set[str]]
"What may be said of a requirement."

_NO_SIGNALLING: Right = {
    "firewall.large-sip": UNKNOWN,
    "alg.absent": UNKNOWN,
    "alg.answers-unchanged": UNKNOWN,
}
SILENT: Right = {
    "firewall.signalling": UNKNOWN,
    "firewall.signalling-every-target": UNKNOWN,
    **_NO_SIGNALLING,
}
BLOCKED_5060: Right = {
    "firewall.signalling": FAIL,
    "firewall.signalling-every-target": FAIL,
    "firewall.rtp": FAIL,
    **_NO_SIGNALLING,
}
RANGE: Right = {"firewall.rtp": FAIL}
NO_SERVER: Right = {
    "firewall.signalling": UNKNOWN,
    "firewall.signalling-every-target": UNKNOWN,
    **_NO_SIGNALLING,
    "firewall.rtp": NOT_A_FAIL,
    "media.latency": UNKNOWN,
}
NO_RECORDS: Right = {
    "dns.srv-answers": FAIL,
    "dns.targets-resolve": UNKNOWN,
    "dns.targets-in-networks": UNKNOWN,
    **NO_SERVER,
}
FOREIGN: Right = {"dns.targets-in-networks": FAIL, **NO_SERVER}
EVERYTHING = "everything"
LINES: Mapping[str, alone.Row] = {**alone.ROWS, **odd_lines.ROWS}
_MEDIA = ("media.bandwidth", "media.loss", "media.jitter", "media.latency")


@dataclass(frozen=True)
class Row:
    """way: of WAYS. state: of states.py. line: of alone.py. rules: room -> nftables. right: where that is no pass."""

    name: str
    way: str = "two hops"
    state: str = "ready"
    line: str = "healthy"
    rules: Mapping[str, str] = field(default_factory=dict)
    right: Right = field(default_factory=dict)
    says: Mapping[str, str] = field(default_factory=dict)
    "Words that a reason must have, by id."

    def may_be(self, id_: str, *, closed: bool) -> set[str]:
        """What may be said of one requirement. closed: by a user who may not ping."""
        line = LINES[self.line]
        media = {
            "media.bandwidth": line.bandwidth,
            "media.loss": line.loss,
            "media.jitter": line.jitter,
            "media.latency": line.latency,
        }
        right = self.right.get(id_) or self.right.get(EVERYTHING) or media.get(id_, PASS)
        return right | UNKNOWN if closed and id_ in _MEDIA else right


def _ration(rule: str) -> str:
    """What a room lets out of its quotes, on top of what the kernel's own ration leaves."""
    return SILENT_HOP.replace("icmp type time-exceeded drop", f"icmp type time-exceeded {rule}")


def _dropped(ports: str, verdict: str = "drop") -> str:
    return forward(f'iifname "to-lan" udp dport {ports} {verdict}')


_LOSSY_LAN = """
table ip lan {
    chain arriving {
        type filter hook prerouting priority -400
        iifname "to-lan" numgen random mod 1000 < 30 drop
    }
}
"""
_SHARED = _ration("limit rate over 1/second burst 6 packets drop")
_HALF = _ration("limit rate over 30/minute burst 3 packets drop")
_REJECT = "reject with icmp type admin-prohibited"
_NO_HOP: Right = {
    "media.bandwidth": UNKNOWN,
    "media.loss": UNKNOWN,
    "media.jitter": NOT_A_FAIL,
    "firewall.rtp": NOT_A_FAIL,
    "alg.absent": NOT_A_FAIL,
}

_ROWS = [
    *(Row(name, line=name) for name in LINES),
    Row("one hop limits octets of echoes", way="one hop", line="hop limits octets of echoes",
        right={"media.bandwidth": NOT_A_FAIL}),
    # how hops ration
    Row("28 ports, one hop", way="one hop"),
    Row("shared bucket", rules={"isp": _SHARED}),
    Row("shared buckets, both hops", rules={"isp": _SHARED, "core": _SHARED}),
    Row("half of that, both hops", rules={"isp": _HALF, "core": _HALF}),
    Row("first hop never quotes", rules={"isp": SILENT_HOP}),
    Row(
        "no hop quotes",
        rules={"isp": SILENT_HOP, "core": SILENT_HOP},
        right={"firewall.rtp": NOT_A_FAIL, "alg.absent": NOT_A_FAIL, "media.bandwidth": NOT_A_FAIL,
               "media.loss": NOT_A_FAIL},
    ),
    # the firewall
    Row("16384-20000 dropped", rules={"cpe": _dropped("16384-20000")}, right=RANGE),
    Row("16384-20000 dropped, one hop", way="one hop", rules={"cpe": _dropped("16384-20000")}, right=RANGE),
    Row("16384-20000 rejected", rules={"cpe": _dropped("16384-20000", _REJECT)}, right=RANGE),
    Row("upper half dropped", rules={"cpe": _dropped("32768-65535")}, right=RANGE),
    Row("upper half rejected", rules={"cpe": _dropped("32768-65535", _REJECT)}, right=RANGE),
    Row("only 10000-20000 open", rules={"cpe": _dropped("{ 1024-5059, 5061-9999, 20001-65535 }")}, right=RANGE),
    Row("all media dropped", rules={"cpe": _dropped("{ 1024-5059, 5061-65535 }")}, right=RANGE),
    Row(
        "16384-20000 dropped to one site",
        rules={"cpe": forward('iifname "to-lan" ip daddr 217.22.185.0/24 udp dport 16384-20000 drop')},
        right={"firewall.rtp": OPEN},
    ),
    Row("16384-20000 dropped, loss 2 % up", line="loss 2 % up",
        rules={"cpe": _dropped("16384-20000").replace("ip state", "ip range")}, right=RANGE),
    Row("5060 dropped", state="drop-5060", right=BLOCKED_5060),
    Row("5060 dropped, one hop", way="one hop", state="drop-5060", right=BLOCKED_5060),
    Row("5060 rejected", state="reject-5060", right=BLOCKED_5060),
    Row("SIP ALG", rules={"cpe": kernel_alg()}, right={"alg.absent": FAIL, "alg.answers-unchanged": FAIL | NOT_A_FAIL}),
    # the provider and its records
    Row("a line that the provider does not know", state="all-silent", right=SILENT),
    Row("unknown line, up 0.9", state="all-silent", line="up 0.9", right=SILENT),
    Row("unknown line, 16384-20000 dropped", state="all-silent",
        rules={"cpe": _dropped("16384-20000")}, right={**SILENT, **RANGE}),
    Row("unknown line behind CGNAT", way="CGNAT", state="all-silent", right=SILENT),
    Row("unknown line, one hop", way="one hop", state="all-silent", right=SILENT),
    Row("one site silent", state="site-2-silent", right={"firewall.signalling-every-target": UNKNOWN}),
    Row("one site cut", state="site-2-cut", right={"firewall.signalling-every-target": UNKNOWN}),
    Row("servers answer 403", state="options-403"),
    Row("one site in the records", state="one-site"),
    Row("load sharing", state="load-sharing"),
    Row("no records", state="nxdomain", right=NO_RECORDS),
    Row("no DNS", state="dns-dead", right=NO_RECORDS),
    Row("DNS sends elsewhere", state="dns-hijacked", right=FOREIGN),
    Row("cable out", state="no-network", right={EVERYTHING: UNKNOWN}),
    # the site's own network
    Row("the LAN loses 3 %", rules={"cpe": _LOSSY_LAN}, right={"media.loss": UNKNOWN},
        says={"media.loss": "before the line"}),
    # the shape of the way
    *(Row(way, way=way) for way in WAYS if way not in ("one hop", "two hops", "no hop behind the edge", "VPN")),
    Row("VPN, 5060 dropped", way="VPN", state="drop-5060", right={EVERYTHING: UNKNOWN}),
    Row("no hop behind the edge", way="no hop behind the edge", right=_NO_HOP),
    Row("CGNAT, 16384-20000 dropped", way="CGNAT", rules={"cpe": _dropped("16384-20000")}, right=RANGE),
    Row("DS-Lite, 5060 dropped", way="DS-Lite", state="drop-5060", right=BLOCKED_5060),
    Row("bridge, unknown line", way="bridge", state="all-silent", right=SILENT),
    Row("all hops private, 16384-20000 dropped", way="all hops private", rules={"cpe": _dropped("16384-20000")},
        right=RANGE),
    Row("all hops private, up 0.95", way="all hops private", line="up 0.95"),
    Row("all hops private, unknown line", way="all hops private", state="all-silent", right={**SILENT, **_NO_HOP}),
]  # fmt: skip
ROWS: Mapping[str, Row] = {row.name: row for row in _ROWS}


@contextmanager
def ready_for(row: Row, *, closed: bool) -> Iterator[Lab]:
    """A site of its own, as the row has it but for its line."""
    way = WAYS[row.way]
    with site(way.cables) as lab:
        lab.enter(row.state)
        with way.laid(lab):
            for room, text in row.rules.items():
                lab.nft(room, text)
            if closed:
                lab.run("lan", _CLOSED)
            yield lab


def judged(row: Row, *, closed: bool = False) -> Run:
    """A whole run, by root or by a plain user who may not ping."""
    with ready_for(row, closed=closed) as lab:
        return measured(lab, LINES[row.line], "run", before=PLAIN_USER if closed else ())


def musts(run: Run) -> dict[str, str]:
    """What was said of each requirement that is a must: pass, fail or unknown."""
    return {
        id_: {"warn": "pass", "skipped": "unknown"}.get(verdict["outcome"], verdict["outcome"])
        for id_, verdict in run.verdicts.items()
        if verdict["level"] == "must" and not id_.startswith("account.")
    }


def failed(run: Run) -> list[str]:
    return [id_ for id_, said in musts(run).items() if said == "fail"]


def undecided(run: Run) -> list[str]:
    return [id_ for id_, said in musts(run).items() if said == "unknown"]


def wanted(row: Row, run: Run, *, closed: bool) -> str:
    """What is right, in words: the exit codes, and what does not pass."""
    right = {id_: row.may_be(id_, closed=closed) for id_ in musts(run)}
    others = [f"{id_} {' or '.join(sorted(outcomes))}" for id_, outcomes in right.items() if outcomes != PASS]
    return f"exit {' or '.join(map(str, exit_codes(right.values())))}{''.join(f', {other}' for other in others)}"


def exit_codes(right: Sequence[set[str]] | Any) -> list[int]:
    """What a run may end with: 1 where something may fail, 3 where something may be open, 0 where all may pass."""
    outcomes = list(right)
    if FAIL in outcomes:
        return [1]
    codes = [1] if any("fail" in each for each in outcomes) else []
    codes += [3] if any("unknown" in each for each in outcomes) else []
    return sorted(codes + ([0] if all("pass" in each for each in outcomes) else []))


def wrong(row: Row, run: Run, *, closed: bool = False) -> list[str]:
    """What was said and is not right. A false pass or fail ends in that word."""
    said = musts(run)
    mistakes = [f"{id_} {outcome}" for id_, outcome in said.items() if outcome not in row.may_be(id_, closed=closed)]
    codes = exit_codes([row.may_be(id_, closed=closed) for id_ in said])
    if run.code not in codes:
        mistakes.append(f"exit {run.code}")
    for id_, words in row.says.items():
        if words not in run.verdicts[id_]["reason"]:
            mistakes.append(f"{id_} does not say {words!r}")
    could_be_decided = not row.may_be("media.bandwidth", closed=False) & UNKNOWN
    if closed and could_be_decided and said["media.bandwidth"] == "unknown" and SYSCTL not in _reasons(run):
        mistakes.append("the remedy is not named")
    return mistakes


def _reasons(run: Run) -> str:
    return f"{run.verdicts['media.bandwidth']['reason']} {run.verdicts['media.bandwidth']['hint']}"


def is_false(mistake: str) -> bool:
    """A pass or a fail that is not so; everything else is merely undecided."""
    return mistake.endswith((" pass", " fail"))
