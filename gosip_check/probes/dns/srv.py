"""Where does the trunk's DNS lead? SRV records and their targets' addresses, through every resolver of this machine.

Each resolver is asked on its own, and its targets are resolved by itself. No PBX: only resolvers are contacted.
RFC 2782 (SRV), RFC 3263 4 (how a SIP client uses it). What the answers come to is decided in `srv_facts`.
"""

import dataclasses
import secrets
from dataclasses import dataclass
from ipaddress import IPv6Network, ip_address, ip_network
from typing import Literal

from msgspec.structs import replace

from gosip_check.probes import probe
from gosip_check.probes.dns import dns64
from gosip_check.probes.dns.query import DnsStatus, Reply, Resolver, StubOptions, ask
from gosip_check.probes.dns.resolvers import Stub, line_to, named_resolvers, system_stub
from gosip_check.probes.dns.srv_facts import Answer, Asked, Facts, SrvRecord, Target, facts_of, in_order, other_line
from gosip_check.probes.probe import Context, Probe, ProbeFailed, side_by_side
from gosip_check.records import FailureKind, Link

__all__ = ["PROBE", "Answer", "Facts", "Options", "SrvRecord", "Target", "in_order", "measure"]

_LONGEST_NAME = 253
"RFC 1035 2.3.4, as text."

_FEWEST_RANDOM = 8
"Characters of a name that surely does not exist."


class Options(probe.Options, frozen=True):
    """`dns_servers` are asked beside the machine's own resolvers, or instead of them without `system_resolvers`."""

    domain: str
    service: str
    transport: Literal["udp", "tcp"]
    port: int
    networks: list[str]
    dns_servers: list[str] = []
    system_resolvers: bool = True


@dataclass(frozen=True)
class _Source:
    """One resolver, and how it is asked: over which line, and as often as libc does."""

    resolver: Resolver
    context: Context
    stub_options: StubOptions

    def ask(self, name: str, kind: str) -> Reply:
        return ask(self.context, self.resolver, name, kind, self.stub_options)


def measure(options: Options, context: Context) -> Facts:
    """Raises ProbeFailed when there is no resolver to ask on this line, or the run was stopped."""
    stub = system_stub() if options.system_resolvers else Stub()
    own = stub.own if _runs(stub, options, context) else []
    named = named_resolvers(options.dns_servers)
    lines = {each: line_to(each, context.link) for each in [*own, *named, *stub.upstream, *stub.beyond]}
    sources = {
        resolver: _Source(resolver, dataclasses.replace(context, link=line), stub.options)
        for resolver, line in lines.items()
        if line is not None
    }
    elsewhere = [str(resolver) for resolver in lines if resolver not in sources]
    if not sources:
        raise ProbeFailed(FailureKind.UNSUPPORTED, _nobody(elsewhere))
    own = [resolver for resolver in own if resolver in sources] or list(sources)
    behind = [resolver for resolver in stub.upstream if resolver not in own + named]
    context.say(f"SRV {_name(options)}")
    answers = side_by_side(
        lambda source: _look_up(source, options, is_own=source.resolver in own, is_behind=source.resolver in behind),
        list(sources.values()),
    )
    by_source = list(zip(sources.values(), answers, strict=True))
    denying = next((source for source, answer in by_source if answer.is_own and answer.status.is_denial), None)
    plain = SrvRecord(priority=0, weight=0, port=5060, target=options.domain, ttl_s=0)
    context.say("a name that does not exist")
    return facts_of(
        Asked(
            name=_name(options),
            domain=options.domain,
            port=options.port,
            networks=options.networks,
            answers=answers,
            rotate=stub.options.rotate,
            elsewhere=elsewhere,
            fallback=_targets(denying, [plain], options)[0] if denying is not None else None,
            invented=_invented([source for source, answer in by_source if _would_tell(answer)], options),
        )
    )


def _runs(stub: Stub, options: Options, context: Context) -> bool:
    """False where no resolver is configured, and none runs where libc then looks for one."""
    if not stub.is_assumed:
        return True
    here = dataclasses.replace(context, link=Link(name=context.link.name))
    return ask(here, stub.own[0], _name(options), "SRV", stub.options).status is not DnsStatus.NOT_ASKED


def _nobody(elsewhere: list[str]) -> str:
    if not elsewhere:
        return "This machine has no DNS resolver configured; name one with --dns-server."
    return f"{other_line(elsewhere)}; name one that is reached over this line with --dns-server."


def _look_up(source: _Source, options: Options, *, is_own: bool, is_behind: bool) -> Answer:
    """What one resolver says of the SRV records, and where it says that their targets are."""
    reply = source.ask(_name(options), "SRV")
    records = [
        SrvRecord(
            priority=item.priority,
            weight=item.weight,
            port=item.port,
            target=item.target.to_text(omit_final_dot=len(item.target) > 1).lower(),
            ttl_s=reply.ttl_s,
        )
        for item in reply.rrset or []
    ]
    return Answer(
        resolver=str(source.resolver),
        is_own=is_own,
        is_behind_stub=is_behind,
        status=reply.status,
        detail=reply.detail,
        records=records,
        rtt_ms=reply.rtt_ms,
        truncated=reply.truncated,
        tcp_retry_worked=reply.tcp_retry_worked,
        tries=reply.tries,
        targets=_targets(source, [record for record in in_order(records) if record.target != "."], options),
    )


def _targets(source: _Source, records: list[SrvRecord], options: Options) -> list[Target]:
    """Where the records lead. What DNS64 made of an IPv4 address stands for that address."""
    targets = side_by_side(lambda record: _target(source, record), records)
    networks = [ip_network(network) for network in options.networks]
    addresses = [ip_address(address) for target in targets for address in target.addresses]
    if not any(ip.version == 6 and not any(ip in network for network in networks) for ip in addresses):
        return targets
    reply = source.ask(dns64.KNOWN_NAME, "AAAA")
    made_with = dns64.prefixes(item.address for item in reply.rrset or [])
    return [_as_it_was(target, made_with) for target in targets]


def _as_it_was(target: Target, made_with: list[IPv6Network]) -> Target:
    """The target with the IPv4 addresses that DNS64 began with."""
    originals = {address: dns64.original(address, made_with) for address in target.addresses}
    return replace(
        target,
        addresses=list(dict.fromkeys(original or address for address, original in originals.items())),
        synthesised=[address for address, original in originals.items() if original],
    )


def _target(source: _Source, record: SrvRecord) -> Target:
    """A and AAAA of a target, the aliases on the way, and how the question went when there is no address."""
    replies = side_by_side(lambda kind: source.ask(record.target, kind), ("A", "AAAA"))
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


def _would_tell(answer: Answer) -> bool:
    """Worth asking for a name that does not exist. Behind a stub it is not: the stub decides what comes of it."""
    silent = answer.status.is_of_this_machine or answer.status in (DnsStatus.TIMEOUT, DnsStatus.UNREACHABLE)
    return not silent and not answer.is_behind_stub


def _invented(sources: list[_Source], options: Options) -> dict[str, bool | None]:
    """Resolver -> does it answer for a name that nobody made? None where it did not answer that question."""
    free = _LONGEST_NAME - len(_name(options)) - 1
    if free < _FEWEST_RANDOM:
        return {}
    nobodys = f"{secrets.token_hex(8)[:free]}.{options.domain}"
    questions = [(f"_{options.service}._{options.transport}.{nobodys}", "SRV"), (nobodys, "A")]

    def invents(source: _Source) -> bool | None:
        replies = side_by_side(lambda question: source.ask(*question), questions)
        if any(reply.message is not None and reply.message.answer for reply in replies):
            return True
        return False if all(reply.status.is_denial for reply in replies) else None

    invented = side_by_side(invents, sources)
    return {str(source.resolver): each for source, each in zip(sources, invented, strict=True)}


def _name(options: Options) -> str:
    return f"_{options.service}._{options.transport}.{options.domain}"


PROBE = Probe("srv", Options, Facts, measure, subject=_name, deadline_s=120.0)
