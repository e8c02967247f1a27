"""Where does the trunk's DNS lead? SRV records and their targets' addresses, through every resolver of this machine.

Each resolver is asked on its own. Not a PBX: nothing is contacted but resolvers.
RFC 2782 (SRV), RFC 3263 4 (how a SIP client uses it).
"""

import secrets
from concurrent.futures import ThreadPoolExecutor
from ipaddress import ip_address, ip_network
from typing import Literal

import dns.exception
import dns.message
import dns.rdatatype
from msgspec.structs import replace

from gosip_check.probes import probe
from gosip_check.probes.dns_query import DnsStatus, Reply, Resolver, ask
from gosip_check.probes.probe import Context, Probe, ProbeFailed
from gosip_check.probes.resolvers import parse_resolver, system_resolvers
from gosip_check.records import FailureKind, Record


class Options(probe.Options, frozen=True):
    """`dns_servers` are asked beside the machine's own resolvers, or instead of them without `system_resolvers`."""

    domain: str
    service: str
    transport: Literal["udp", "tcp"]
    networks: list[str]
    dns_servers: list[str] = []
    system_resolvers: bool = True


class SrvRecord(Record, frozen=True):
    """One SRV record as a resolver gave it."""

    priority: int
    weight: int
    port: int
    target: str
    ttl_s: int


class Target(Record, frozen=True):
    """One SRV target with its addresses. `aliases`: the CNAMEs that stand between its name and them."""

    target: str
    port: int
    priority: int
    weight: int
    addresses: list[str]
    aliases: list[str]
    status: DnsStatus


class Answer(Record, frozen=True):
    """What one resolver said to the SRV question. `targets`: where its records lead when the same resolver is asked."""

    resolver: str
    status: DnsStatus
    detail: str
    records: list[SrvRecord]
    rtt_ms: float | None
    truncated: bool
    tcp_retry_worked: bool | None
    targets: list[Target] = []


class Facts(probe.Facts, frozen=True):
    """The targets are those of the first resolver that gave records, in the order in which RFC 2782 has them tried.

    srv_found: False when a resolver denies the records, or none answers at all; None for every other trouble.
    """

    name: str
    answers: list[Answer]
    targets: list[Target]
    srv_found: bool | None
    targets_resolve: bool | None
    targets_in_networks: bool | None
    site_count: int | None
    aliases_found: bool | None
    resolvers_agree: bool | None
    names_invented: bool | None
    ttl_max_s: int | None
    arrangement: Literal["active-standby", "load-sharing", "single"] | None
    fallback_addresses: list[str]


def measure(options: Options, context: Context) -> Facts:
    """Raises ProbeFailed when there is no resolver to ask, this machine cannot send, or the run was stopped."""
    resolvers = [parse_resolver(text) for text in options.dns_servers]
    if options.system_resolvers:
        resolvers = list(dict.fromkeys(system_resolvers() + resolvers))
    if not resolvers:
        raise ProbeFailed(
            FailureKind.UNREACHABLE,
            "This machine has no DNS resolver configured; name one with --dns-server.",
        )
    name = _name(options)
    context.say(f"SRV {name}")
    with ThreadPoolExecutor(len(resolvers)) as pool:
        replies = list(pool.map(lambda resolver: ask(context, resolver, name, "SRV"), resolvers))
    answers = [_answer(resolver, reply) for resolver, reply in zip(resolvers, replies, strict=True)]
    context.say("addresses of the SRV targets")
    with ThreadPoolExecutor(len(resolvers)) as pool:
        answers = list(pool.map(lambda resolver, answer: _follow(context, resolver, answer), resolvers, answers))
    targets = next((answer.targets for answer in answers if answer.records), [])
    fallback: list[str] = []
    if not any(answer.records for answer in answers):
        denying = [r for r, answer in zip(resolvers, answers, strict=True) if answer.status.is_denial]
        fallback = _addresses(context, denying[0], options.domain)[0] if denying else []
    return _facts(name, options, answers, targets, fallback, _invented(context, resolvers, answers, options))


def in_order(records: list[SrvRecord]) -> list[SrvRecord]:
    """RFC 2782: lowest priority first. Within one priority the draw is random; here the likelier come first."""
    return sorted(records, key=lambda record: (record.priority, -record.weight, record.target))


def _answer(resolver: Resolver, reply: Reply) -> Answer:
    records: list[SrvRecord] = []
    if reply.message is not None and reply.status is DnsStatus.ANSWERED:
        for rrset in reply.message.answer:
            if rrset.rdtype == dns.rdatatype.SRV:
                records += [
                    SrvRecord(
                        priority=item.priority,
                        weight=item.weight,
                        port=item.port,
                        target=item.target.to_text(omit_final_dot=len(item.target) > 1).lower(),
                        ttl_s=rrset.ttl,
                    )
                    for item in rrset
                ]
    status = DnsStatus.NO_RECORDS if reply.status is DnsStatus.ANSWERED and not records else reply.status
    return Answer(
        resolver=str(resolver),
        status=status,
        detail=reply.detail,
        records=records,
        rtt_ms=reply.rtt_ms,
        truncated=reply.truncated,
        tcp_retry_worked=reply.tcp_retry_worked,
    )


def _follow(context: Context, resolver: Resolver, answer: Answer) -> Answer:
    """The answer with its targets, resolved by the same resolver: another one may lead elsewhere."""
    offered = [record for record in in_order(answer.records) if record.target != "."]
    return replace(answer, targets=[_resolve(context, resolver, record) for record in offered])


def _resolve(context: Context, resolver: Resolver, record: SrvRecord) -> Target:
    addresses, aliases, status = _addresses(context, resolver, record.target)
    return Target(
        target=record.target,
        port=record.port,
        priority=record.priority,
        weight=record.weight,
        addresses=addresses,
        aliases=aliases,
        status=status,
    )


def _addresses(context: Context, resolver: Resolver, name: str) -> tuple[list[str], list[str], DnsStatus]:
    """A and AAAA of a name, the aliases on the way, and how the A question went when there is no address."""
    addresses: list[str] = []
    aliases: list[str] = []
    statuses = []
    for kind in ("A", "AAAA"):
        reply = ask(context, resolver, name, kind)
        statuses.append(reply.status)
        if reply.message is None:
            continue
        for rrset in reply.message.answer:
            if rrset.rdtype == dns.rdatatype.CNAME:
                aliases += [item.target.to_text(omit_final_dot=True) for item in rrset]
            elif rrset.rdtype == dns.rdatatype.from_text(kind):
                addresses += [item.address for item in rrset]
    if addresses:
        return addresses, list(dict.fromkeys(aliases)), DnsStatus.ANSWERED
    undecided = [status for status in statuses if status is not DnsStatus.ANSWERED and not status.is_denial]
    denied = next((status for status in statuses if status.is_denial), DnsStatus.NO_RECORDS)
    return [], list(dict.fromkeys(aliases)), undecided[0] if undecided else denied


def _invented(
    context: Context, resolvers: list[Resolver], answers: list[Answer], options: Options
) -> dict[str, bool | None]:
    """Resolver -> does it answer for a name that nobody made? None where it did not answer that question."""
    made_up = f"{secrets.token_hex(8)}.{options.domain}"
    found: dict[str, bool | None] = {}
    for resolver, answer in zip(resolvers, answers, strict=True):
        if answer.status in (DnsStatus.TIMEOUT, DnsStatus.UNREACHABLE):
            continue
        statuses = [
            ask(context, resolver, f"_{options.service}._{options.transport}.{made_up}", "SRV").status,
            ask(context, resolver, made_up, "A").status,
        ]
        if DnsStatus.ANSWERED in statuses:
            found[str(resolver)] = True
        else:
            found[str(resolver)] = False if all(status.is_denial for status in statuses) else None
    return found


def _facts(
    name: str,
    options: Options,
    answers: list[Answer],
    targets: list[Target],
    fallback: list[str],
    invented: dict[str, bool | None],
) -> Facts:
    evidence: dict[str, str] = {}
    records = next((answer.records for answer in answers if answer.records), [])
    offered = [record for record in records if record.target != "."]
    srv_found: bool | None = bool(offered)
    if offered:
        evidence["srv_found"] = f"{len(offered)} SRV record{'s'[: len(offered) > 1]} for {name}: {_listed(offered)}."
    elif records:
        evidence["srv_found"] = f"{name} says that the service is not offered (target '.', RFC 2782)."
    elif any(answer.status.is_denial for answer in answers):
        evidence["srv_found"] = f"No SRV record for {name}: {_said(answers)}. {_without_srv(options, fallback)}"
    elif all(answer.status is DnsStatus.TIMEOUT for answer in answers):  # asked, and nobody there: a fault of the site
        asked = ", ".join(answer.resolver for answer in answers)
        evidence["srv_found"] = f"No resolver answered; asked, twice each: {asked}."
    else:
        srv_found = None
        evidence["srv_found"] = (
            f"No resolver could say whether {name} exists: {_said(answers)}. Ask another one with --dns-server."
        )

    resolve, in_networks = _resolved(targets), _in_networks(targets, options.networks)
    evidence["targets_resolve"] = _led(targets)
    outside = [a for t in targets for a in t.addresses if not _network_of(a, options.networks)]
    evidence["targets_in_networks"] = (
        f"Outside {', '.join(options.networks)}: {', '.join(outside)}."
        if outside
        else f"Every address lies in {', '.join(options.networks)}."
        if in_networks
        else "There is an address missing, so nothing can be said of it."
    )
    sites = sorted({n for t in targets for a in t.addresses if (n := _network_of(a, options.networks))})
    evidence["site_count"] = (
        f"The targets lie in {len(sites)} of the provider's networks{': ' * bool(sites)}{', '.join(sites)}."
    )
    aliased = [f"{t.target} is an alias of {' -> '.join(t.aliases)}" for t in targets if t.aliases]
    evidence["aliases_found"] = (
        f"{'; '.join(aliased)}." if aliased else "Every target has its addresses under its own name."
    )
    ttls = [record.ttl_s for record in offered]
    if ttls:
        evidence["ttl_max_s"] = f"A resolver may keep the records for {max(ttls)} s before it notices a change."
    agree, evidence["resolvers_agree"] = _agreement(answers)
    inventing = [resolver for resolver, does in invented.items() if does]
    silent = [resolver for resolver, does in invented.items() if does is None]
    names_invented = True if inventing else None if silent or not invented else False
    evidence["names_invented"] = (
        f"{', '.join(inventing)} answered for a name that does not exist."
        if inventing
        else f"{', '.join(silent) or 'No resolver'} gave no clear answer for a name that does not exist."
        if names_invented is None
        else f"{', '.join(invented)} said of a made-up name that it does not exist."
    )
    priorities = {record.priority for record in offered}
    return Facts(
        name=name,
        answers=answers,
        targets=targets,
        srv_found=srv_found,
        targets_resolve=resolve,
        targets_in_networks=in_networks,
        site_count=len(sites) if resolve is not None else None,
        aliases_found=bool(aliased) if targets else None,
        resolvers_agree=agree,
        names_invented=names_invented,
        ttl_max_s=max(ttls, default=None),
        arrangement=(
            None
            if not offered
            else "single"
            if len(offered) == 1
            else "load-sharing"
            if len(priorities) == 1
            else "active-standby"
        ),
        fallback_addresses=fallback,
        evidence=evidence,
    )


def _resolved(targets: list[Target]) -> bool | None:
    """True when every target has an address, False when one surely has none, None when a resolver did not say."""
    if any(not t.addresses and t.status.is_denial for t in targets):
        return False
    return None if not targets or any(not t.addresses for t in targets) else True


def _in_networks(targets: list[Target], networks: list[str]) -> bool | None:
    addresses = [address for t in targets for address in t.addresses]
    if any(not _network_of(address, networks) for address in addresses):
        return False
    return True if addresses and all(t.addresses for t in targets) else None


def _network_of(address: str, networks: list[str]) -> str | None:
    return next((network for network in networks if ip_address(address) in ip_network(network)), None)


def _agreement(answers: list[Answer]) -> tuple[bool | None, str]:
    """Do all resolvers give the same records, and the same addresses for their targets? TTLs count down in caches, so
    they are left out of the comparison.
    """
    records = {frozenset((r.priority, r.weight, r.port, r.target) for r in answer.records) for answer in answers}
    places = {frozenset((t.target, *sorted(t.addresses)) for t in answer.targets) for answer in answers}
    followed = "; ".join(f"{answer.resolver}: {_led(answer.targets)}" for answer in answers)
    failing = [answer for answer in answers if answer.status is not DnsStatus.ANSWERED and not answer.status.is_denial]
    if failing:
        return False, f"Not every resolver answers: {_said(failing)}."
    if len(records) > 1:
        return False, f"The resolvers differ: {_said(answers)}."
    if any(not t.addresses and not t.status.is_denial for answer in answers for t in answer.targets):
        return None, f"Not every resolver told the addresses of the targets, so they cannot be compared: {followed}."
    if len(places) > 1:
        return False, f"The resolvers give different addresses: {followed}."
    if len(answers) == 1:
        return True, f"There is one resolver, {answers[0].resolver}; add --dns-server to compare it with another."
    return True, f"{len(answers)} resolvers gave the same answer: {', '.join(answer.resolver for answer in answers)}."


def _led(targets: list[Target]) -> str:
    """`zt.example -> 192.0.2.1, 192.0.2.2; st.example -> nxdomain`."""
    return "; ".join(f"{t.target} -> {', '.join(t.addresses) if t.addresses else t.status}" for t in targets)


def _listed(records: list[SrvRecord]) -> str:
    return ", ".join(f"{r.target}:{r.port} (priority {r.priority}, weight {r.weight})" for r in in_order(records))


def _said(answers: list[Answer]) -> str:
    """`192.168.1.1: nxdomain; 192.168.1.2: timeout (no answer within 1 s)`."""
    return "; ".join(
        f"{a.resolver}: {_listed(a.records) if a.records else a.status}{f' ({a.detail})' if a.detail else ''}"
        for a in answers
    )


def _without_srv(options: Options, fallback: list[str]) -> str:
    """RFC 3263 4.2: without SRV a client asks for the domain's own address records and takes the default port."""
    if not fallback:
        return f"{options.domain} has no address of its own either, so no PBX could find the trunk."
    return (
        f"A PBX would fall back on the address of {options.domain} ({', '.join(fallback)}), port 5060 (RFC 3263), "
        "and lose the move to the other site when one fails."
    )


def _name(options: Options) -> str:
    return f"_{options.service}._{options.transport}.{options.domain}"


PROBE = Probe("srv", Options, Facts, measure, subject=_name)
