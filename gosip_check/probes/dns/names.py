"""Where is a host that a person or a checklist named? DNS questions of our own, over the link, instead of libc's.

libc asks over whatever line the routing table leads to. As there, /etc/hosts counts first. A resolver that
runs on this machine chooses the line by itself, so it is asked last, and the answer says so.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path

import dns.exception
import dns.name

from gosip_check.probes.dns.query import ask
from gosip_check.probes.dns.resolvers import Stub, line_to, named_resolvers, system_stub
from gosip_check.probes.probe import Context, ProbeFailed
from gosip_check.records import FailureKind, Link

_HOSTS = Path("/etc/hosts")


def address_of(context: Context, host: str) -> str:
    """The first address of a name, of the link's family. Every probe of a run gets the same one on a link.

    Raises ProbeFailed: unsupported where there is none, since a name that was given wrongly is no fault of the site.
    """
    if host not in context.addresses:
        address, who = _find(context, host)
        if address is None:
            raise ProbeFailed(FailureKind.UNSUPPORTED, f"The name {host} has no address on this line: {who}.")
        context.say(f"{host} is {address}, by {who}")
        context.addresses.setdefault(host, address)
    return context.addresses[host]


def _find(context: Context, host: str) -> tuple[str | None, str]:
    """The address and who gave it; without one, what each resolver said instead."""
    try:
        dns.name.from_text(host)
    except (dns.exception.DNSException, UnicodeError):
        return None, "it is not a name that DNS can have"
    for address in _in_hosts(host, context.link):
        return address, f"{_HOSTS} of this machine"
    stub = system_stub() if context.system_resolvers else Stub()
    resolvers = dict.fromkeys([*stub.own, *named_resolvers(context.dns_servers), *stub.upstream])
    lines = [(each, line) for each in resolvers if (line := line_to(each, context.link)) is not None]
    said = []
    for resolver, line in sorted(lines, key=lambda pair: pair[1] != context.link):
        who = str(resolver)
        if line != context.link:
            who += " (on this machine, which chooses the line by itself)"
        for kind in _kinds(context.link):
            reply = ask(replace(context, link=line), resolver, host, kind, stub.options)
            if reply.rrset:
                return str(reply.rrset[0].address), who
        said.append(f"{who} says {reply.status.in_words}")
    return None, "; ".join(said) or "no resolver is reached over it; name one with --dns-server"


def _kinds(link: Link) -> Sequence[str]:
    """IPv4 first where the link does not say."""
    return ("A", "AAAA") if link.source is None else ("AAAA",) if ":" in link.source else ("A",)


def _in_hosts(host: str, link: Link) -> Iterator[str]:
    """What hosts(5) has for the name, of the link's family."""
    try:
        lines = _HOSTS.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return
    for line in lines:
        address, *names = line.partition("#")[0].split() or [""]
        if host.lower().rstrip(".") not in (name.lower() for name in names):
            continue
        try:
            version = ip_address(address).version
        except ValueError:
            continue
        if link.source is None or version == ip_address(link.source).version:
            yield address
