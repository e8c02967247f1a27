"""Where does the trunk's DNS lead? SRV records and their targets' addresses, through every resolver of this machine.

Each resolver is asked on its own, and its targets are resolved by itself. No PBX: only resolvers are contacted.
RFC 2782 (SRV), RFC 3263 4 (how a SIP client uses it). What the answers come to is decided in `srv_facts`.
"""

import dataclasses
import secrets
from typing import Literal

from msgspec.structs import replace

from gosip_check.probes import probe
from gosip_check.probes.dns.query import DnsStatus, Reply, Resolver, ask
from gosip_check.probes.dns.resolvers import line_to, parse_resolver, system_resolvers
from gosip_check.probes.dns.srv_facts import Answer, Asked, Facts, SrvRecord, Target, facts_of, in_order, other_line
from gosip_check.probes.probe import Context, Probe, ProbeFailed, side_by_side
from gosip_check.records import FailureKind

__all__ = ["PROBE", "Answer", "Facts", "Options", "SrvRecord", "Target", "in_order", "measure"]


class Options(probe.Options, frozen=True):
    """`dns_servers` are asked beside the machine's own resolvers, or instead of them without `system_resolvers`."""

    domain: str
    service: str
    transport: Literal["udp", "tcp"]
    port: int
    networks: list[str]
    dns_servers: list[str] = []
    system_resolvers: bool = True


def measure(options: Options, context: Context) -> Facts:
    """Raises ProbeFailed when there is no resolver to ask on this line, or the run was stopped."""
    configured = system_resolvers() if options.system_resolvers else []
    named = [parse_resolver(text) for text in options.dns_servers]
    lines = {resolver: line_to(resolver, context.link) for resolver in configured + named}
    asked = {resolver: dataclasses.replace(context, link=line) for resolver, line in lines.items() if line is not None}
    elsewhere = [str(resolver) for resolver in lines if resolver not in asked]
    if not asked:
        raise ProbeFailed(FailureKind.UNSUPPORTED, _nobody(elsewhere))
    own = [resolver for resolver in configured if resolver in asked] or list(asked)
    context.say(f"SRV {_name(options)}")
    answers = side_by_side(lambda each: _look_up(asked[each], each, each in own, options), list(asked))
    denying = next((r for r, answer in zip(asked, answers, strict=True) if answer.status.is_denial), None)
    plain = SrvRecord(priority=0, weight=0, port=5060, target=options.domain, ttl_s=0)
    fallback = _resolve(asked[denying], denying, plain) if denying is not None else None
    context.say("a name that does not exist")
    return facts_of(
        Asked(
            name=_name(options),
            domain=options.domain,
            port=options.port,
            networks=options.networks,
            answers=answers,
            elsewhere=elsewhere,
            fallback=fallback,
            invented=_invented(asked, answers, options),
        )
    )


def _nobody(elsewhere: list[str]) -> str:
    if not elsewhere:
        return "This machine has no DNS resolver configured; name one with --dns-server."
    return f"{other_line(elsewhere)}; name one that is reached over this line with --dns-server."


def _look_up(context: Context, resolver: Resolver, is_own: bool, options: Options) -> Answer:
    """What one resolver says of the SRV records, and where it says that their targets are."""
    answer = _answer(resolver, is_own, ask(context, resolver, _name(options), "SRV"))
    offered = [record for record in in_order(answer.records) if record.target != "."]
    return replace(answer, targets=side_by_side(lambda record: _resolve(context, resolver, record), offered))


def _answer(resolver: Resolver, is_own: bool, reply: Reply) -> Answer:
    return Answer(
        resolver=str(resolver),
        is_own=is_own,
        status=reply.status,
        detail=reply.detail,
        records=[
            SrvRecord(
                priority=item.priority,
                weight=item.weight,
                port=item.port,
                target=item.target.to_text(omit_final_dot=len(item.target) > 1).lower(),
                ttl_s=reply.ttl_s,
            )
            for item in reply.rrset or []
        ],
        rtt_ms=reply.rtt_ms,
        truncated=reply.truncated,
        tcp_retry_worked=reply.tcp_retry_worked,
    )


def _resolve(context: Context, resolver: Resolver, record: SrvRecord) -> Target:
    """A and AAAA of a target, the aliases on the way, and how the question went when there is no address."""
    replies = [ask(context, resolver, record.target, kind) for kind in ("A", "AAAA")]
    addresses = [item.address for reply in replies for item in reply.rrset or []]
    undecided = [r.status for r in replies if r.status is not DnsStatus.ANSWERED and not r.status.is_denial]
    denied = next((reply.status for reply in replies if reply.status.is_denial), DnsStatus.NO_RECORDS)
    return Target(
        target=record.target,
        port=record.port,
        priority=record.priority,
        weight=record.weight,
        addresses=addresses,
        aliases=list(dict.fromkeys(alias for reply in replies for alias in reply.aliases)),
        status=DnsStatus.ANSWERED if addresses else undecided[0] if undecided else denied,
    )


def _invented(asked: dict[Resolver, Context], answers: list[Answer], options: Options) -> dict[str, bool | None]:
    """Resolver -> does it answer for a name that nobody made? None where it did not answer that question."""
    made_up = f"{secrets.token_hex(8)}.{options.domain}"
    found: dict[str, bool | None] = {}
    for (resolver, context), answer in zip(asked.items(), answers, strict=True):
        if answer.status in (DnsStatus.TIMEOUT, DnsStatus.UNREACHABLE, DnsStatus.FORBIDDEN):
            continue
        replies = [
            ask(context, resolver, f"_{options.service}._{options.transport}.{made_up}", "SRV"),
            ask(context, resolver, made_up, "A"),
        ]
        if any(reply.message is not None and reply.message.answer for reply in replies):
            found[str(resolver)] = True
        else:
            found[str(resolver)] = False if all(reply.status.is_denial for reply in replies) else None
    return found


def _name(options: Options) -> str:
    return f"_{options.service}._{options.transport}.{options.domain}"


PROBE = Probe("srv", Options, Facts, measure, subject=_name)
