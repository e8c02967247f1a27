"""Where a rehearsal may listen on this machine: address, ports, who answers for other names. Refuses in a sentence.

Finds out all that can be wrong before the PBX is touched. Nothing is sent, but for an ARP request for a second address.
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from itertools import chain
from typing import Any

from gosip_check.cli.exits import UsageProblem, input_errors
from gosip_check.heard import Place
from gosip_check.servers import second_address
from gosip_check.servers.rehearsal.rehearsal import trouble_at

DNS_PORT = 53
SIP_PORT, SECOND_SIP_PORT = 5060, 5062
ALLOW_53 = "sudo sysctl net.ipv4.ip_unprivileged_port_start=53"
"For every user and until the next start of this machine; DNS is the only port below 1024 that is needed."

_ANYWHERE = "192.0.2.1"
"Documentation (RFC 5737): what has a route at all has one to there. Nothing is sent."


@dataclass(frozen=True)
class Ground:
    """The addresses of the laptop. second: of site B, None where it has another port of the first address.

    pbx: None where the first that registers is the PBX. resolver: of other names, None where they are refused.
    """

    address: str
    second: str | None
    pbx: str | None
    has_dns: bool
    resolver: Place | None

    @property
    def dns_place(self) -> Place | None:
        return (self.address, DNS_PORT) if self.has_dns else None

    @property
    def sites(self) -> tuple[Place, Place]:
        second = (self.address, SECOND_SIP_PORT) if self.second is None else (self.second, SIP_PORT)
        return (self.address, SIP_PORT), second


def ground_of(options: Mapping[str, Any]) -> Ground:
    """As the options want it. Raises UsageProblem."""
    pbx, second = (_address(name, options[key]) for name, key in (("--pbx", "pbx"), ("--second-address", "second")))
    address = _own_address(_address("--address", options["address"]), pbx)
    if pbx is not None and IPv4Address(pbx).is_global and not IPv4Address(address).is_global:
        raise UsageProblem(
            f"{pbx} is a public address: a hosted PBX cannot reach this laptop at {address}. "
            "Judge a capture of it with `gosip-check pbx trace` once the trunk is there."
        )
    has_dns = not options["no_dns"]
    resolver = _resolver(address) if has_dns and not options["no_forward"] else None
    return Ground(address, second, pbx, has_dns, resolver)


@contextlib.contextmanager
def taken(ground: Ground) -> Iterator[None]:
    """With the second address, where one was named, and every port free and allowed. Raises UsageProblem."""
    with contextlib.ExitStack() as stack:
        if ground.second is not None:
            _add_second(ground, stack)
        for place in (ground.dns_place, *ground.sites):
            trouble = None if place is None else trouble_at(place)
            if place is not None and trouble is not None:
                raise UsageProblem(_sentence(place, trouble))
        yield


def _address(option: str, text: str | None) -> str | None:
    with input_errors(ValueError, prefix=f"{option} {text!r}: use an IPv4 address, such as 192.168.1.50. "):
        return None if text is None else str(IPv4Address(text))


def _own_address(named: str | None, pbx: str | None) -> str:
    """The one that was named, else the one that packets to the PBX leave from, else the only one there is."""
    from gosip_check.probes.net import interfaces, sockets
    from gosip_check.probes.probe import ProbeFailed
    from gosip_check.records import Link

    if named is not None:
        if not interfaces.is_this_machine(named):
            raise UsageProblem(f"--address {named}: this machine does not have that address.")
        return named
    try:
        return sockets.source_address(Link(name="PBX"), pbx or _ANYWHERE)
    except ProbeFailed as failed:
        here = [str(each.ip) for each in chain(*interfaces.addresses().values()) if _is_of_a_network(each.ip)]
        if pbx is None and len(here) == 1:
            return here[0]
        known = f" There are {', '.join(here)}." if here else ""
        raise UsageProblem(f"{failed.failure.message} Name this laptop's address with --address.{known}") from failed


def _is_of_a_network(ip: IPv4Address | IPv6Address) -> bool:
    return ip.version == 4 and not ip.is_loopback


def _resolver(address: str) -> Place | None:
    """The first that this machine asks itself and has a route to; None where that is nobody, or this rehearsal."""
    from gosip_check.probes.dns.resolvers import system_stub

    stub = system_stub()
    places = [(each.address, each.port) for each in stub.own if ":" not in each.address and not stub.is_assumed]
    return next((place for place in places if place != (address, DNS_PORT) and _has_route(place[0])), None)


def _has_route(address: str) -> bool:
    from gosip_check.probes.net import sockets
    from gosip_check.probes.probe import ProbeFailed
    from gosip_check.records import Link

    try:
        return bool(sockets.source_address(Link(name="PBX"), address))
    except ProbeFailed:
        return False


def _add_second(ground: Ground, stack: contextlib.ExitStack) -> None:
    from gosip_check.probes.net import interfaces

    assert ground.second is not None
    if ground.second == ground.address:
        raise UsageProblem(f"--second-address {ground.second}: it is the first one; name another one of this network.")
    if interfaces.is_this_machine(ground.second):
        return
    name = interfaces.interface_with(ground.address)
    networks = [each.network for each in interfaces.addresses().get(name or "", []) if str(each.ip) == ground.address]
    if name is None or not networks or IPv4Address(ground.second) not in networks[0]:
        raise UsageProblem(f"--second-address {ground.second}: it is not in the network of {ground.address}.")
    if os.geteuid() != 0:
        raise UsageProblem("--second-address needs root. Without it site B is port 5062 of the first address.")
    if second_address.is_taken(ground.second):
        raise UsageProblem(f"--second-address {ground.second}: another machine of this network has it.")
    with input_errors(OSError, prefix=f"--second-address {ground.second}: "):
        stack.enter_context(second_address.added(ground.second, networks[0].prefixlen, name))


def _sentence(place: Place, trouble: OSError) -> str:
    address, port = place
    without = " Or go on without DNS: --no-dns." if port == DNS_PORT else ""
    if trouble.errno in (errno.EACCES, errno.EPERM):
        return f"This user may not open UDP port {port}. Allow it: `{ALLOW_53}`.{without}"
    if trouble.errno == errno.EADDRINUSE:
        return f"UDP port {port} of {address} is taken by {_taken_by(place)}. End that program first.{without}"
    return f"UDP port {port} of {address} cannot be opened: {trouble.strerror or trouble}."


def _taken_by(place: Place) -> str:
    """The program, where this user may see it."""
    import psutil

    address, port = place
    with contextlib.suppress(psutil.Error, OSError):
        for each in psutil.net_connections("udp"):
            if each.laddr and each.laddr.port == port and each.laddr.ip in (address, "0.0.0.0", "::") and each.pid:
                return f"{psutil.Process(each.pid).name()} (process {each.pid})"
    return f"another program (`sudo ss -ulpn sport = :{port}` names it)"
