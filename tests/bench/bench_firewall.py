"""`firewall.rtp` over random outbound firewalls, and nmap -sU beside it on some of them. Needs root; prints a table.

    python -m tests.bench.bench_firewall [FIREWALLS [HOW MANY ALSO WITH NMAP]]

A claim is wrong when a port in it is let out. A miss is a firewall whose blocks the sample did not meet: the verdict
then passes, and says how many ports were tried.
"""

import re
import sys
import time
from collections import Counter

from tests.lab.firewalls import Rule, as_text, is_blocked, random_firewall
from tests.lab.site import GENEROUS, Lab, site
from tests.lab.tool import facts_of, run_tool, verdict_of

_SERVER = "217.22.184.27"
_OTHERS = ("firewall.signalling", "firewall.signalling-every-target", "firewall.large-sip")


def _nmap(lab: Lab, ports: list[int]) -> tuple[float, Counter[str]]:
    started_s = time.monotonic()
    listed = ",".join(str(port) for port in ports)
    said = lab.run("lan", ["nmap", "-sU", "-Pn", "-n", "-p", listed, _SERVER], timeout_s=300).stdout
    states = Counter(re.findall(r"^\d+/udp\s+(\S+)", said, re.MULTILINE))
    for count, state in re.findall(r"^Not shown: (\d+) (\S+)", said, re.MULTILINE):
        states[state] += int(count)
    if not states:
        for count, state in re.findall(
            r"All (\d+) scanned ports .* in (?:ignored|\S+)? ?states?\.?\s*(?:\S+: \d+ (\S+))?", said
        ):
            states[state or "one state"] += int(count)
    return time.monotonic() - started_s, states


def _wrong(rules: list[Rule], claims: list[dict[str, object]]) -> list[str]:
    found = []
    for claim in claims:
        first, last, towards = int(str(claim["first"])), int(str(claim["last"])), str(claim["destination"])
        let_out = [port for port in range(first, last + 1) if not is_blocked(rules, towards, port)]
        if let_out:
            found.append(
                f"{first}-{last} towards {towards}: {len(let_out)} ports of it are let out, {let_out[0]} first"
            )
    return found


def main(firewalls: int, with_nmap: int) -> None:
    totals: Counter[str] = Counter()
    seconds = []
    print(f"{'seed':>5} {'verdict':8} {'s':>5} {'claims':>7} {'exact':>6}  nmap -sU on the same ports of {_SERVER}")
    with site(hops=GENEROUS) as lab:
        for seed in range(firewalls):
            rules = random_firewall(seed)
            lab.enter("ready")
            lab.nft("cpe", as_text(rules))
            lab.flush()
            report = run_tool(lab, "firewall", *(word for other in _OTHERS for word in ("--skip", other)))
            facts = facts_of(report, "firewall_rtp")
            outcome = verdict_of(report, "firewall.rtp")["outcome"]
            claims = facts.get("blocked", [])
            wrong = _wrong(rules, claims)
            exact = sum(any((c["first"], c["last"]) == (rule.first, rule.last) for c in claims) for rule in rules)
            totals["firewalls"] += 1
            totals[outcome] += 1
            totals["claims"] += len(claims)
            totals["ports claimed"] += sum(c["last"] - c["first"] + 1 for c in claims)
            totals["rules"] += len(rules)
            totals["rules found to the port"] += exact
            totals["wrong claims"] += len(wrong)
            totals["misses"] += outcome == "pass"
            seconds.append(report["elapsed_s"])
            beside = ""
            if seed < with_nmap:
                ports = sorted({*facts["open_ports"], *facts["undecided_ports"], *(c["first"] for c in claims)})
                taken_s, states = _nmap(lab, ports)
                undecided = states["open|filtered"]
                beside = f"{taken_s:6.1f} s, {len(ports) - undecided} of {len(ports)} decided {dict(states)}"
            print(
                f"{seed:>5} {outcome:8} {seconds[-1]:5.1f} {len(claims):>7} {exact:>3}/{len(rules)}  {beside}",
                flush=True,
            )
            for line in wrong:
                print(f"      WRONG, {rules}: {line}")
    for name, number in totals.items():
        print(f"{name}: {number}")
    seconds.sort()
    print(f"seconds: median {seconds[len(seconds) // 2]:.1f}, longest {seconds[-1]:.1f}")


if __name__ == "__main__":
    main(*(int(word) for word in [*sys.argv[1:], *("100", "10")[len(sys.argv) - 1 :]]))
