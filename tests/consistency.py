"""One report, one truth: the facts and verdicts of a report against each other.

    python -m tests.consistency REPORT...       # JSON, .gz too; prints what contradicts itself

A rule looks at one link of one report and yields a sentence for each contradiction. Every report that the tests make,
in tests/scenario and in the lab, goes through all of them.
"""

import gzip
import json
import sys
from collections.abc import Callable, Iterator
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

NOT_PUBLIC = [ip_network(text) for text in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10")]

SIGNED = ("offset_ms", "clock_step_ms", "far_clock_step_ms")
"Times that may be below zero: a clock is ahead or behind."


class Seen:
    """One link of a report: outcomes and reasons by requirement, facts by probe (those of failed probes are empty)."""

    def __init__(self, report: dict[str, Any], link: str) -> None:
        verdicts = [verdict for verdict in report["verdicts"] if verdict["link"] == link]
        self.link = next(each for each in report["links"] if each["name"] == link)
        self.outcomes = {verdict["id"]: verdict["outcome"] for verdict in verdicts}
        self.reasons = {verdict["id"]: verdict["reason"] for verdict in verdicts}
        measured = [m for m in report["measurements"] if m["link"] == link and m["facts"] is not None]
        self.all_facts = [(m["probe"], m["facts"]) for m in measured]
        self.facts: dict[str, dict[str, Any]] = {}
        for probe, facts in self.all_facts:
            self.facts.setdefault(probe, facts)

    def fact(self, probe: str, name: str) -> Any:
        return self.facts.get(probe, {}).get(name)

    def passes(self, requirement: str) -> bool:
        return self.outcomes.get(requirement) == "pass"


def public_addresses_are_public(seen: Seen) -> Iterator[str]:
    """A private address that a device wrote into an answer is not where the world sees the site."""
    addresses = {"the link": seen.link["public_address"]}
    addresses |= {probe: facts.get("public_address") for probe, facts in seen.all_facts}
    for where, address in addresses.items():
        if address and any(ip_address(address) in network for network in NOT_PUBLIC):
            yield f"{where} is seen as {address}, which is a private address"


def public_addresses_agree(seen: Seen) -> Iterator[str]:
    known = {facts["public_address"] for _, facts in seen.all_facts if facts.get("public_address")}
    if len(known) > 1:
        yield f"several public addresses: {', '.join(sorted(known))}"


def what_answers_is_not_blocked(seen: Seen) -> Iterator[str]:
    """Signalling that was answered left the site; nobody may say that the edge lets none out."""
    if seen.fact("signalling", "any_server_answers") is not True:
        return
    for requirement, reason in seen.reasons.items():
        if "lets no SIP out" in reason:
            yield f"{requirement} says that the edge lets no SIP out, and a server answered"
    if seen.fact("signalling", "every_server_answers") is not True:
        return
    servers = seen.fact("signalling", "servers") or []
    ports = {server["port"] for server in servers} if seen.fact("signalling", "transport") == "udp" else set()
    for blocked in seen.fact("firewall_rtp", "blocked") or []:
        if any(blocked["first"] <= port <= blocked["last"] for port in ports):
            yield f"ports {blocked['first']}-{blocked['last']} are called blocked, and every server answered there"


def nothing_is_measured_on_a_wrong_server(seen: Seen) -> Iterator[str]:
    """Where names lead elsewhere, whoever answers there says nothing of calls. A reflector was named by the user."""
    if seen.outcomes.get("dns.targets-in-networks") != "fail":
        return
    of_media = () if seen.fact("media", "reflector") else ("media.jitter", "media.latency")
    for requirement in (*of_media, "health.latency", "nat.consistent", "firewall.signalling"):
        if seen.passes(requirement):
            yield f"{requirement} passes, and no name leads into the provider's networks"


def alg_verdicts_agree(seen: Seen) -> Iterator[str]:
    if seen.passes("alg.absent") and seen.outcomes.get("alg.answers-unchanged") in ("fail", "warn"):
        yield "alg.absent passes beside answers that were changed"


def who_answers_in_a_servers_name_passes_nothing(seen: Seen) -> Iterator[str]:
    """An OPTIONS that was answered on its way there: then what is answered is not the server's word."""
    early = [look for look in seen.fact("sip_rewriting", "looks") or [] if look["method"] == "early answer"]
    if any(look["found"] for look in early) and seen.fact("sip_rewriting", "message") == "OPTIONS":
        for requirement in ("firewall.signalling-every-target", "firewall.large-sip", "health.latency"):
            if seen.passes(requirement):
                yield f"{requirement} passes, and something on the way answers in a server's name"


def sizes_and_servers_agree(seen: Seen) -> Iterator[str]:
    if seen.fact("large_sip", "largest_answered") and seen.fact("signalling", "any_server_answers") is False:
        yield "a server answered a large OPTIONS, and signalling says that none answers"
    if seen.fact("nat", "seen_by") and seen.fact("signalling", "any_server_answers") is False:
        yield "a server said where our requests came from, and signalling says that none answers"


def layers_of_nat_agree(seen: Seen) -> Iterator[str]:
    before = seen.fact("nat", "hops_before_public") or []
    if seen.passes("nat.single") and len(before) > 1:
        yield f"nat.single passes with {len(before)} private hops before the public network"


def figures_are_possible(seen: Seen) -> Iterator[str]:
    """No loss above 100 %, no time below 0."""
    for probe, facts in seen.all_facts:
        for name, value in facts.items():
            if not isinstance(value, int | float) or isinstance(value, bool):
                continue
            if name.endswith("_pct") and not 0 <= value <= 100.5:
                yield f"{probe}.{name} is {value} %"
            if name.endswith("_ms") and value < 0 and name not in SIGNED:
                yield f"{probe}.{name} is {value} ms"


def counts_fit(seen: Seen) -> Iterator[str]:
    facts = seen.facts.get("media", {})
    if facts.get("sent") and facts.get("received", 0) > facts["sent"] + (facts.get("duplicates") or 0):
        yield f"{facts['received']} packets came back of {facts['sent']}"


RULES: tuple[Callable[[Seen], Iterator[str]], ...] = (
    public_addresses_are_public,
    public_addresses_agree,
    what_answers_is_not_blocked,
    nothing_is_measured_on_a_wrong_server,
    alg_verdicts_agree,
    who_answers_in_a_servers_name_passes_nothing,
    sizes_and_servers_agree,
    layers_of_nat_agree,
    figures_are_possible,
    counts_fit,
)


def contradictions(report: dict[str, Any]) -> list[str]:
    """A sentence for each, with the link's name."""
    names = [link["name"] for link in report["links"]]
    return [f"{name}: {sentence}" for name in names for rule in RULES for sentence in rule(Seen(report, name))]


def read(path: Path) -> dict[str, Any]:
    content = path.read_bytes()
    report: dict[str, Any] = json.loads(gzip.decompress(content) if path.suffix == ".gz" else content)
    return report


def main() -> None:
    for path in map(Path, sys.argv[1:]):
        for sentence in contradictions(read(path)):
            print(f"{path.name}: {sentence}")


if __name__ == "__main__":
    main()
