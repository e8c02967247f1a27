"""What the resolvers' answers come to: the facts of the `srv` probe. Pure; asks nobody.

The machine's own resolvers decide as in libc: the first that gives records or denies them is believed, one that fails
is passed over, and asked again after the others. All other resolvers only decide whether all agree.
"""

from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from typing import Literal

from gosip_check.probes import probe
from gosip_check.probes.dns.query import DnsStatus
from gosip_check.records import Record


class SrvRecord(Record, frozen=True):
    """One SRV record as a resolver gave it."""

    priority: int
    weight: int
    port: int
    target: str
    ttl_s: int


class Target(Record, frozen=True):
    """One SRV target with its addresses. `aliases`: the CNAMEs that stand between its name and them.

    synthesised: what DNS64 made of some of these addresses and gave beside or instead of them (RFC 6147).
    """

    target: str
    port: int
    priority: int
    weight: int
    addresses: list[str]
    aliases: list[str]
    status: DnsStatus
    synthesised: list[str] = []


class Answer(Record, frozen=True):
    """What one resolver said to the SRV question, and where it leads. `is_own`: this machine's libc asks it.

    is_behind_stub: a stub on this machine asks it, for some names or for all. tries: as many questions libc would have
    needed.
    """

    resolver: str
    is_own: bool
    status: DnsStatus
    detail: str
    records: list[SrvRecord]
    rtt_ms: float | None
    truncated: bool
    tcp_retry_worked: bool | None
    targets: list[Target] = []
    is_behind_stub: bool = False
    tries: int = 1


class Facts(probe.Facts, frozen=True):
    """`targets`: those of the resolver that is believed, in the order in which RFC 2782 has them tried.

    srv_found: False also where no resolver of this machine could answer, because a PBX here could not find out either;
    the evidence keeps the reasons apart. None where an answer was cut off and TCP was blocked (EDNS may get it whole),
    and where this machine itself kept a resolver from being asked.
    site_count: networks that targets lie in, of one version of IP: by IPv4 and IPv6 at once, a site is not two.
    ttl_max_s: of the machine's own resolvers, the one that keeps the records the longest.
    resolvers_elsewhere: configured, but belonging to another line than the one that is looked at; not asked.
    """

    name: str
    answers: list[Answer]
    targets: list[Target]
    srv_found: bool | None
    targets_resolve: bool | None
    targets_in_networks: bool | None
    ports_expected: bool | None
    site_count: int | None
    aliases_found: bool | None
    resolvers_agree: bool | None
    resolvers_elsewhere: list[str]
    names_invented: bool | None
    ttl_max_s: int | None
    arrangement: Literal["active-standby", "load-sharing", "single"] | None
    fallback_addresses: list[str]


@dataclass(frozen=True)
class Asked:
    """Everything that was asked. `fallback`: the domain's own address, looked up where the records were denied.

    rotate: any of the machine's resolvers may be asked first.
    """

    name: str
    domain: str
    port: int
    networks: list[str]
    answers: list[Answer]
    rotate: bool
    elsewhere: list[str]
    fallback: Target | None
    invented: dict[str, bool | None]


def in_order(records: list[SrvRecord]) -> list[SrvRecord]:
    """RFC 2782: lowest priority first. Within one priority the draw is random; here the likelier come first."""
    return sorted(records, key=lambda record: (record.priority, -record.weight, record.target))


def facts_of(asked: Asked) -> Facts:
    """All facts with their evidence."""
    own = [answer for answer in asked.answers if answer.is_own]
    believed = _believed(own, asked.rotate)
    records = believed.records if believed else []
    targets = believed.targets if believed else []
    offered = [record for record in records if record.target != "."]
    ttl_max_s, longest = _longest_kept(own)
    open_ = believed is None and any(answer.truncated or answer.status.is_of_this_machine for answer in own)
    resolve = _resolved(targets)
    sites = sorted({n for t in targets for a in t.addresses if (n := _network_of(a, asked.networks))})
    versions = [ip_network(network).version for network in sites]
    ports, which_ports = _ports(offered, asked.port)
    aliased = [f"{t.target} is an alias of {' -> '.join(t.aliases)}" for t in targets if t.aliases]
    in_networks, where = _in_networks(targets, own, asked.networks)
    agree, agreement = _agreement(asked.answers)
    names_invented, invention = _invention(asked.invented, asked.answers)
    evidence = {
        "srv_found": _found(asked, believed, offered),
        "targets_resolve": _led(targets),
        "targets_in_networks": where,
        "ports_expected": which_ports,
        "site_count": f"Targets lie in {len(sites)} of the provider's networks{': ' * bool(sites)}{', '.join(sites)}.",
        "aliases_found": f"{'; '.join(aliased)}." if aliased else "Every target has its addresses under its own name.",
        "resolvers_agree": " ".join([agreement, *([f"{other_line(asked.elsewhere)}."] if asked.elsewhere else [])]),
        "names_invented": invention,
        "ttl_max_s": longest,
    }
    return Facts(
        name=asked.name,
        answers=asked.answers,
        targets=targets,
        srv_found=None if open_ else bool(offered),
        targets_resolve=resolve,
        targets_in_networks=in_networks,
        ports_expected=ports,
        site_count=max(versions.count(4), versions.count(6)) if resolve is not None else None,
        aliases_found=bool(aliased) if targets else None,
        resolvers_agree=agree,
        resolvers_elsewhere=asked.elsewhere,
        names_invented=names_invented,
        ttl_max_s=ttl_max_s,
        arrangement=_arrangement(offered),
        fallback_addresses=asked.fallback.addresses if asked.fallback else [],
        evidence=evidence,
    )


def _believed(own: list[Answer], rotate: bool) -> Answer | None:
    """The answer that libc would come back with; with `rotate` the worst of those that it may come back with."""
    deciding = sorted((a for a in own if a.records or a.status.is_denial), key=lambda answer: answer.tries)
    if rotate:
        deciding.sort(key=lambda answer: not answer.status.is_denial)
    return deciding[0] if deciding else None


def _found(asked: Asked, believed: Answer | None, offered: list[SrvRecord]) -> str:
    if offered:
        return f"{len(offered)} SRV record{'s'[: len(offered) > 1]} for {asked.name}: {_listed(offered)}."
    if believed is None:
        return _nobody_answered(asked)
    if believed.records:
        return f"{asked.name} says that the service is not offered (target '.', RFC 2782)."
    differ = asked.rotate and any(answer.records for answer in asked.answers if answer.is_own)
    rotating = " Any of them may be asked first (options rotate)." if differ else ""
    return f"No SRV record for {asked.name}: {_said(asked.answers)}.{rotating} {_without_srv(asked)}"


def _nobody_answered(asked: Asked) -> str:
    own = [answer for answer in asked.answers if answer.is_own]
    if all(answer.status is DnsStatus.SERVFAIL for answer in own):
        return (
            f"Every resolver of this machine is there and says that it could not find out {asked.name}, asked "
            f"{max(answer.tries for answer in own)} times: {_said(asked.answers)}. Whom it asks in turn does not "
            "answer it, or it does not trust the answer (DNSSEC)."
        )
    if all(answer.status.is_of_this_machine for answer in own):
        return f"This machine could ask no resolver for {asked.name}: {_said(asked.answers)}."
    return (
        f"No resolver of this machine could answer for {asked.name}, asked again where it failed: "
        f"{_said(asked.answers)}."
    )


def _without_srv(asked: Asked) -> str:
    """RFC 3263 4.2: without SRV a client asks for the domain's own address records and takes the default port."""
    if asked.fallback is None or (not asked.fallback.addresses and asked.fallback.status.is_denial):
        return f"{asked.domain} has no address of its own either, so no PBX could find the trunk."
    if not asked.fallback.addresses:
        return f"A PBX would ask for the address of {asked.domain} next (RFC 3263): {asked.fallback.status.in_words}."
    return (
        f"A PBX would fall back on the address of {asked.domain} ({', '.join(asked.fallback.addresses)}), port 5060 "
        "(RFC 3263). It loses the move to the other site when one fails."
    )


def _longest_kept(own: list[Answer]) -> tuple[int | None, str]:
    ttls = [(record.ttl_s, answer.resolver) for answer in own for record in answer.records if record.target != "."]
    if not ttls:
        return None, "No resolver gave records that it could keep."
    ttl_s, resolver = max(ttls)
    return ttl_s, f"{resolver} may keep the records for {ttl_s} s before it notices a change."


def _ports(offered: list[SrvRecord], port: int) -> tuple[bool | None, str]:
    others = [record for record in offered if record.port != port]
    if not offered:
        return None, "There is no record that names a port."
    if others:
        return False, f"The firewall is asked to allow port {port}, but DNS leads to {_listed(others)}."
    return True, f"Every record names port {port}."


def _arrangement(offered: list[SrvRecord]) -> Literal["active-standby", "load-sharing", "single"] | None:
    """One priority for all shares the load, several make one site stand by for the other."""
    if len(offered) < 2:
        return "single" if offered else None
    return "load-sharing" if len({record.priority for record in offered}) == 1 else "active-standby"


def _resolved(targets: list[Target]) -> bool | None:
    """True when every target has an address, False when one surely has none, None when a resolver did not say."""
    if any(not t.addresses and t.status.is_denial for t in targets):
        return False
    return None if not targets or any(not t.addresses for t in targets) else True


def _in_networks(targets: list[Target], own: list[Answer], networks: list[str]) -> tuple[bool | None, str]:
    """A single address outside, from any resolver that this machine uses, may be the one that a PBX is given."""
    outside = {
        address: answer.resolver
        for answer in own
        for target in answer.targets
        for address in target.addresses
        if not _network_of(address, networks)
    }
    allowed = ", ".join(networks)
    if outside:
        listed = ", ".join(f"{address} (from {resolver})" for address, resolver in outside.items())
        return False, f"Outside {allowed}: {listed}."
    if targets and all(target.addresses for target in targets):
        return True, f"Every address lies in {allowed}."
    return None, "There is an address missing, so nothing can be said of it."


def _network_of(address: str, networks: list[str]) -> str | None:
    return next((network for network in networks if ip_address(address) in ip_network(network)), None)


def _agreement(answers: list[Answer]) -> tuple[bool | None, str]:
    """Do all resolvers give the same records, and the same addresses for their targets?

    TTLs count down in caches, so they are left out of the comparison. So is whoever could not be asked, and whoever a
    stub asks in turn and does not give what the stub gives: it may be there for other names only.
    """
    kept_back = [answer for answer in answers if answer.status.is_of_this_machine]
    others_only = [answer for answer in answers if answer.is_behind_stub and not answer.records]
    answers = [answer for answer in answers if answer not in kept_back + others_only]
    records = {frozenset((r.priority, r.weight, r.port, r.target) for r in answer.records) for answer in answers}
    places = {frozenset((t.target, *sorted(t.addresses)) for t in answer.targets) for answer in answers}
    followed = "; ".join(f"{answer.resolver}: {_led(answer.targets)}" for answer in answers)
    failing = [answer for answer in answers if answer.status is not DnsStatus.ANSWERED and not answer.status.is_denial]
    if failing:
        return False, f"Not every resolver answers: {_said(failing)}."
    if len(records) > 1:
        return False, f"The resolvers differ: {_said(answers)}."
    if kept_back:
        return None, f"This machine does not let every resolver be asked: {_said(kept_back)}."
    if any(answer.records for answer in answers) and others_only:
        return None, f"{_said(others_only)}. It is asked through a stub, which may ask it for other names only."
    if any(not t.addresses and not t.status.is_denial for answer in answers for t in answer.targets):
        return None, f"Not every resolver gave the addresses of the targets, so they cannot be compared: {followed}."
    if len(places) > 1:
        return False, f"The resolvers give different addresses: {followed}."
    if len(answers) == 1:
        return True, f"There is one resolver, {answers[0].resolver}; add --dns-server to compare it with another."
    return True, f"{len(answers)} resolvers gave the same answer: {', '.join(answer.resolver for answer in answers)}."


def _invention(invented: dict[str, bool | None], answers: list[Answer]) -> tuple[bool | None, str]:
    """One that fails whatever it is asked is left out where another one tells: `_agreement` names it."""
    telling = [r for r, does in invented.items() if does is not None]
    failing = [a.resolver for a in answers if a.status is not DnsStatus.ANSWERED and not a.status.is_denial]
    inventing = [resolver for resolver, does in invented.items() if does]
    unclear = [r for r, does in invented.items() if does is None and not (telling and r in failing)]
    if inventing:
        return True, f"{', '.join(inventing)} answered for a name that does not exist."
    if unclear:
        return None, f"{', '.join(unclear)} gave no clear answer for a name that does not exist."
    if not invented:
        return None, "No resolver could be asked for a name that does not exist."
    return False, f"{', '.join(telling)} said of a made-up name that it does not exist."


def _led(targets: list[Target]) -> str:
    """`zt.example -> 192.0.2.1 (DNS64: 64:ff9b::c000:201); st.example -> nxdomain`."""
    return "; ".join(
        f"{t.target} -> {', '.join(t.addresses) or t.status.in_words}"
        + (f" (DNS64: {', '.join(t.synthesised)})" if t.synthesised else "")
        for t in targets
    )


def _listed(records: list[SrvRecord]) -> str:
    return ", ".join(f"{r.target}:{r.port} (priority {r.priority}, weight {r.weight})" for r in in_order(records))


def _said(answers: list[Answer]) -> str:
    """`192.168.1.1: no such record; 192.168.1.2: timeout (no answer within 1 s)`."""
    return "; ".join(
        f"{a.resolver}: {_listed(a.records) if a.records else a.status.in_words}{f' ({a.detail})' if a.detail else ''}"
        for a in answers
    )


def other_line(resolvers: list[str]) -> str:
    """Why these are not asked, without the full stop."""
    belong = "belong" if len(resolvers) > 1 else "belongs"
    return f"{', '.join(resolvers)} {belong} to another line, beside whose interface it lies, and was not asked"
