"""A trunk with two sites for the SRV tests, and the facts that resolvers of a few lines lead to."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import dns.message
import pytest

from gosip_check.probes.dns import srv
from gosip_check.probes.dns.query import Resolver, StubOptions
from gosip_check.probes.dns.resolvers import Stub
from gosip_check.probes.dns.srv import Facts, Options, measure
from gosip_check.probes.probe import Context
from gosip_check.records import Link
from gosip_check.servers.endpoint import Endpoint, Peer
from tests.unit.far_ends import DnsAnswers, Zone, dns_reply, from_zone, nano_dns

Answer = Callable[[dns.message.Message, Peer, str], DnsAnswers]

CONTEXT = Context(Link("Internet-1"))
DOMAIN = "trunk.example"
NAME = f"_sip._udp.{DOMAIN}"
NETWORKS = ["192.0.2.0/24", "198.51.100.0/24", "2001:db8:1::/48"]
SITES: Zone = {
    (NAME, "SRV"): [f"55 50 5060 site-b.{DOMAIN}.", f"45 50 5060 site-a.{DOMAIN}."],
    (f"site-a.{DOMAIN}", "A"): ["192.0.2.27"],
    (f"site-b.{DOMAIN}", "A"): ["198.51.100.27"],
    (DOMAIN, "A"): ["192.0.2.27"],
}


def options(*servers: Endpoint | str, **changes: Any) -> Options:
    values: dict[str, Any] = {
        "domain": DOMAIN,
        "service": "sip",
        "transport": "udp",
        "port": 5060,
        "networks": NETWORKS,
        "dns_servers": [s if isinstance(s, str) else str(Resolver(s.address, s.port)) for s in servers],
        "system_resolvers": False,
    }
    return Options(**{**values, **changes})


def found(*zones: Zone, **changes: Any) -> Facts:
    """The facts, with one resolver for each zone."""
    with ExitStack() as stack:
        servers = [stack.enter_context(nano_dns(from_zone(zone))) for zone in zones]
        return measure(options(*servers, **changes), CONTEXT)


def one_target(records: Zone, target: str = f"site-a.{DOMAIN}.") -> Facts:
    return found({(NAME, "SRV"): [f"45 50 5060 {target}"], **records})


@contextmanager
def machine(
    *answers: Answer, behind: Sequence[Answer] = (), beyond: Sequence[Answer] = (), **stub_options: Any
) -> Iterator[list[Endpoint]]:
    """A machine whose libc asks resolvers that answer so, in this order; yields them.

    behind: those that a stub asks in turn. beyond: of lines behind the third.
    """
    with ExitStack() as stack:
        servers = [stack.enter_context(nano_dns(answer)) for answer in (*answers, *behind, *beyond)]
        resolvers = [Resolver(server.address, server.port) for server in servers]
        own, others = resolvers[: len(answers)], resolvers[len(answers) :]
        stub = Stub(
            own=own,
            upstream=others[: len(behind)],
            beyond=others[len(behind) :],
            options=StubOptions(**stub_options),
        )
        stack.enter_context(pytest.MonkeyPatch.context()).setattr(srv, "system_stub", lambda: stub)
        yield servers


def seen_by(*answers: Answer, named: Sequence[Endpoint] = (), **machine_of: Any) -> Facts:
    """The facts on such a machine; `named` with --dns-server."""
    with machine(*answers, **machine_of):
        return measure(options(*named, system_resolvers=True), CONTEXT)


def at_first(rcode: str, then: Answer, *, times: int = 1, flags: str = "RA") -> Answer:
    """The first answers to every question fail."""
    asked: Counter[str] = Counter()

    def answer(query: dns.message.Message, peer: Peer, transport: str) -> DnsAnswers:
        asked[query.question[0].to_text()] += 1
        if asked[query.question[0].to_text()] <= times:
            return dns_reply(query, rcode=rcode, flags=flags)
        return then(query, peer, transport)

    return answer


def failing(rcode: str) -> Answer:
    """Fails whatever it is asked."""
    return lambda query, *_: dns_reply(query, rcode=rcode, flags="RA")
