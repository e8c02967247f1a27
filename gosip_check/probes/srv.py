"""Where does the trunk's DNS lead? SRV records and their targets' addresses, through every resolver of this machine.

Each resolver is asked on its own, and its targets are resolved by itself. No PBX: only resolvers are contacted.
RFC 2782 (SRV), RFC 3263 4 (how a SIP client uses it). What the answers come to is decided in `srv_facts`.
"""

import secrets
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Literal

import dns.message
import dns.rdataclass
import dns.rdatatype
import dns.rrset
from msgspec.structs import replace

from gosip_check.probes import probe
from gosip_check.probes.dns_query import DnsStatus, Reply, Resolver, ask
from gosip_check.probes.probe import Context, Probe, ProbeFailed
from gosip_check.probes.resolvers import parse_resolver, system_resolvers
from gosip_check.probes.srv_facts import Answer, Asked, Facts, SrvRecord, Target, facts_of, in_order
from gosip_check.records import FailureKind

__all__ = ["PROBE", "Answer", "Facts", "Options", "SrvRecord", "Target", "in_order", "measure"]

_SIDE_BY_SIDE = 16
"So many targets are resolved at once: a hundred names that nobody answers for must not take minutes."


class Options(probe.Options, frozen=True):
    """`dns_servers` are asked beside the machine's own resolvers, or instead of them without `system_resolvers`."""

    domain: str
    service: str
    transport: Literal["udp", "tcp"]
    networks: list[str]
    dns_servers: list[str] = []
    system_resolvers: bool = True


def measure(options: Options, context: Context) -> Facts:
    """Raises ProbeFailed when there is no resolver to ask, this machine cannot send, or the run was stopped."""
    own = system_resolvers() if options.system_resolvers else []
    named = [parse_resolver(text) for text in options.dns_servers]
    own, others = (own, [r for r in named if r not in own]) if own else (list(dict.fromkeys(named)), [])
    resolvers = own + others
    if not resolvers:
        raise ProbeFailed(
            FailureKind.UNREACHABLE,
            "This machine has no DNS resolver configured; name one with --dns-server.",
        )
    context.say(f"SRV {_name(options)}")
    with ThreadPoolExecutor(len(resolvers)) as pool:
        answers = list(pool.map(lambda resolver: _look_up(context, resolver, resolver in own, options), resolvers))
    denying = next((r for r, answer in zip(resolvers, answers, strict=True) if answer.status.is_denial), None)
    plain = SrvRecord(priority=0, weight=0, port=5060, target=options.domain, ttl_s=0)
    fallback = _resolve(context, denying, plain) if denying is not None else None
    context.say("a name that does not exist")
    asked = Asked(
        name=_name(options),
        domain=options.domain,
        networks=options.networks,
        answers=answers,
        fallback=fallback,
        invented=_invented(context, resolvers, answers, options),
    )
    return facts_of(asked)


def _look_up(context: Context, resolver: Resolver, is_own: bool, options: Options) -> Answer:
    """What one resolver says of the SRV records, and where it says that their targets are."""
    answer = _answer(resolver, is_own, ask(context, resolver, _name(options), "SRV"))
    offered = [record for record in in_order(answer.records) if record.target != "."]
    if not offered:
        return answer
    with ThreadPoolExecutor(_SIDE_BY_SIDE) as pool:
        targets = list(pool.map(lambda record: _resolve(context, resolver, record), offered))
    return replace(answer, targets=targets)


def _answer(resolver: Resolver, is_own: bool, reply: Reply) -> Answer:
    records: list[SrvRecord] = []
    if reply.message is not None and reply.status is DnsStatus.ANSWERED:
        for rrset in _of_kind(reply.message, dns.rdatatype.SRV):
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
    return Answer(
        resolver=str(resolver),
        is_own=is_own,
        status=DnsStatus.NO_RECORDS if reply.status is DnsStatus.ANSWERED and not records else reply.status,
        detail=reply.detail,
        records=records,
        rtt_ms=reply.rtt_ms,
        truncated=reply.truncated,
        tcp_retry_worked=reply.tcp_retry_worked,
    )


def _of_kind(message: dns.message.Message, kind: dns.rdatatype.RdataType) -> Sequence[dns.rrset.RRset]:
    """The answers of one type in the Internet class; a record of another class is not what its type says."""
    return [rrset for rrset in message.answer if (rrset.rdclass, rrset.rdtype) == (dns.rdataclass.IN, kind)]


def _resolve(context: Context, resolver: Resolver, record: SrvRecord) -> Target:
    """A and AAAA of a target, the aliases on the way, and how the question went when there is no address."""
    addresses: list[str] = []
    aliases: list[str] = []
    statuses = []
    for kind in (dns.rdatatype.A, dns.rdatatype.AAAA):
        reply = ask(context, resolver, record.target, kind.name)
        statuses.append(reply.status)
        if reply.message is None:
            continue
        for rrset in _of_kind(reply.message, dns.rdatatype.CNAME):
            aliases += [item.target.to_text(omit_final_dot=True) for item in rrset]
        for rrset in _of_kind(reply.message, kind):
            addresses += [item.address for item in rrset]
    undecided = [status for status in statuses if status is not DnsStatus.ANSWERED and not status.is_denial]
    denied = next((status for status in statuses if status.is_denial), DnsStatus.NO_RECORDS)
    status = DnsStatus.ANSWERED if addresses else undecided[0] if undecided else denied
    return Target(
        target=record.target,
        port=record.port,
        priority=record.priority,
        weight=record.weight,
        addresses=addresses,
        aliases=list(dict.fromkeys(aliases)),
        status=status,
    )


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


def _name(options: Options) -> str:
    return f"_{options.service}._{options.transport}.{options.domain}"


PROBE = Probe("srv", Options, Facts, measure, subject=_name)
