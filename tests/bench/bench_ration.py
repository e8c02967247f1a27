"""`firewall.rtp` over random firewalls behind one hop that quotes once a second after six, on a lossy line.

    python -m tests.bench.bench_ration [FIREWALLS [HOW MANY ALSO WITH NMAP [FIRST SEED [JOBS]]]]
    python -m tests.bench.bench_ration --simulate SITES
    python -m tests.bench.bench_ration --simulate-edges SITES

The first needs root: the ration is the kernel's own, each firewall has a site of its own with full buckets, and one
packet in a hundred is lost each way. A claim is wrong when a port in it is let out. Met are the ranges, blocked towards
a network, in which a claim lies; exact are those whose edges are right. The second visits simulated sites with all
ports open, where every port that is called dropped is false. The third runs the whole search in simulated time, behind
random firewalls and hops of many kinds.
"""

import math
import sys
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass, replace
from ipaddress import ip_address, ip_network
from typing import Any

import msgspec

from tests.bench.bench_firewall import _OTHERS, _nmap, _wrong
from tests.lab.firewalls import NETWORKS, Rule, as_text, blocked_ranges, random_firewall
from tests.lab.site import AS_LINUX, site
from tests.lab.tool import facts_of, run_tool, verdict_of
from tests.unit.probes.firewall import virtual_site
from tests.unit.probes.path.rationing import Site, visit

_LOSS = """
table ip lossy {
    chain both {
        type filter hook prerouting priority -400
        iifname "to-isp" numgen random mod 100 == 0 drop
        iifname "to-lan" numgen random mod 100 == 0 drop
    }
}
"""


@dataclass(frozen=True)
class _Row:
    seed: int
    outcome: str
    seconds: float
    claims: int
    exact: int
    met: int
    wrong: list[str]
    undecided: int
    nmap: str
    reason: str


def _visit(seed: int, with_nmap: bool) -> _Row:
    rules = random_firewall(seed)
    with site(hops=AS_LINUX) as lab:
        lab.enter("ready")
        lab.nft("cpe", as_text(rules))
        lab.nft("cpe", _LOSS)
        lab.flush()
        report = run_tool(lab, "firewall", *(word for other in _OTHERS for word in ("--skip", other)))
        facts = facts_of(report, "firewall_rtp")
        claims = facts.get("blocked", [])
        measured = next(one for one in report["measurements"] if one["probe"] == "firewall_rtp")
        beside = ""
        if with_nmap:
            ports = sorted({*facts["open_ports"], *facts["undecided_ports"], *(c["first"] for c in claims)})
            taken_s, states = _nmap(lab, ports)
            beside = f"{taken_s:.1f} s, {len(ports) - states['open|filtered']} of {len(ports)} decided {dict(states)}"
    met, exact = _ranges_found(rules, claims)
    verdict = verdict_of(report, "firewall.rtp")
    return _Row(
        seed,
        verdict["outcome"],
        measured["elapsed_s"],
        len(claims),
        exact,
        met,
        _wrong(rules, claims),
        len(facts.get("undecided_ports", [])),
        beside,
        verdict["reason"],
    )


def _ranges_found(rules: list[Rule], claims: list[dict[str, Any]]) -> tuple[int, int]:
    """How many blocked ranges, of each network, were met at all, and how many to the port."""
    met = exact = 0
    for network in NETWORKS:
        own = [(c["first"], c["last"]) for c in claims if ip_address(c["destination"]) in ip_network(network)]
        for first, last in blocked_ranges(rules, network):
            met += any(first <= claim[0] <= last for claim in own)
            exact += (first, last) in own
    return met, exact


def main(firewalls: int, with_nmap: int, first: int, jobs: int) -> None:
    totals: Counter[str] = Counter()
    seconds = []
    print(f"{'seed':>5} {'verdict':8} {'s':>5} {'claims':>7} {'exact':>6} {'undecided':>9}  nmap -sU on the same ports")
    with ThreadPoolExecutor(jobs) as pool:
        seeds = range(first, first + firewalls)
        for row in pool.map(lambda seed: _visit(seed, seed < first + with_nmap), seeds):
            seconds.append(row.seconds)
            totals["firewalls"] += 1
            totals[row.outcome] += 1
            totals["claims"] += row.claims
            totals["wrong claims"] += len(row.wrong)
            totals["ports undecided"] += row.undecided
            totals["ranges met"] += row.met
            totals["ranges found to the port"] += row.exact
            totals["longer than 60 s"] += row.seconds > 60
            print(
                f"{row.seed:>5} {row.outcome:8} {row.seconds:5.1f} {row.claims:>7} {row.exact:>4}/{row.met}"
                f" {row.undecided:>9}  {row.nmap}",
                flush=True,
            )
            if row.outcome == "unknown":
                print(f"      {row.reason}")
            for line in row.wrong:
                print(f"      WRONG: {line}")
    for name, number in totals.items():
        print(f"{name}: {number}")
    seconds.sort()
    print(f"seconds: median {seconds[len(seconds) // 2]:.1f}, longest {seconds[-1]:.1f}")


def simulate(sites: int) -> None:
    for loss in (0.02, 0.04, 0.06):
        started_s = time.monotonic()
        outcomes = [visit(Site(loss=loss), seed) for seed in range(sites)]
        took_s = sorted(outcome.took_s for outcome in outcomes)
        print(
            f"{loss:.0%} loss, {sites} sites: {sum(outcome.false > 0 for outcome in outcomes)} with a false block, "
            f"{sum(outcome.undecided > 0 for outcome in outcomes)} undecided; median {took_s[sites // 2]:.1f} s, "
            f"longest {took_s[-1]:.1f} s ({time.monotonic() - started_s:.0f} s to simulate)",
            flush=True,
        )


_HOPS = {
    "2 % loss": virtual_site.Site(loss=0.02),
    "4 % loss": virtual_site.Site(loss=0.04),
    "6 % loss": virtual_site.Site(loss=0.06),
    "two hops": virtual_site.Site(loss=0.02, hops=2),
    "others take 0.3/s of it": virtual_site.Site(loss=0.02, taken_per_s=0.3),
    "silent 1.4 s of every 7": virtual_site.Site(loss=0.02, flaps_every_s=7),
    "stops quoting after 40 s": virtual_site.Site(loss=0.02, quotes_until_s=40),
    "0.5/s after 3": virtual_site.Site(loss=0.02, burst=3, per_s=0.5),
    "10/s after 2": virtual_site.Site(loss=0.02, burst=2, per_s=10),
    "quotes freely": virtual_site.Site(loss=0.02, burst=math.inf),
    "300 ms away": virtual_site.Site(loss=0.02, way_s=0.3),
}


def _search(job: tuple[virtual_site.Site, int]) -> tuple[float, int, int, int, int, int]:
    site, seed = job
    rules = random_firewall(seed)
    visited = virtual_site.visit(replace(site, rules=rules), seed)
    claims = [msgspec.to_builtins(claim) for claim in visited.facts.blocked]
    undecided, wrong = len(visited.facts.undecided_ports), len(_wrong(rules, claims))
    return visited.took_s, len(claims), wrong, undecided, *_ranges_found(rules, claims)


def simulate_edges(sites: int) -> None:
    for name, kind in _HOPS.items():
        with ProcessPoolExecutor() as pool:
            rows = list(pool.map(_search, [(kind, seed) for seed in range(sites)], chunksize=8))
        took_s, claims, wrong, undecided, met, exact = zip(*rows, strict=True)
        print(
            f"{name}: {sites} sites, {sum(claims)} claims, {sum(wrong)} wrong; {sum(undecided)} ports undecided; "
            f"{sum(exact)} of {sum(met)} ranges to the port; median {sorted(took_s)[sites // 2]:.1f} s, "
            f"longest {max(took_s):.1f} s",
            flush=True,
        )


if __name__ == "__main__":
    if sys.argv[1:2] == ["--simulate"]:
        simulate(int(sys.argv[2]))
    elif sys.argv[1:2] == ["--simulate-edges"]:
        simulate_edges(int(sys.argv[2]))
    else:
        main(*(int(word) for word in [*sys.argv[1:], *("100", "10", "0", "4")[len(sys.argv) - 1 :]]))
