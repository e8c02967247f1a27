"""At which public address is this line seen, where no server of the provider says so? For the provider's whitelist.

SOURCES are asked in order, the most trusted first; a source that knows nothing costs nothing but its time.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network, ip_address
from typing import Literal

from gosip_check.probes import far_end
from gosip_check.probes.far_link import stun
from gosip_check.probes.host import interface
from gosip_check.probes.nat import upnp
from gosip_check.probes.net import interfaces, sockets
from gosip_check.probes.path import hops
from gosip_check.probes.probe import Context, ProbeFailed

Source = Literal["server", "reflector", "stun", "router"]
"Who says so: a server of the provider, a reflector, a STUN server, or this line's router, which nobody confirms."


@dataclass(frozen=True)
class Asked:
    """What a source may need. local_address: this machine's, towards the provider."""

    local_address: str
    reflector: str | None = None
    reflector_key_file: str | None = None
    stun_servers: Sequence[str] = ()


@dataclass(frozen=True)
class Outside:
    """A public address, and who says so."""

    address: str
    source: Source


def find(context: Context, asked: Asked) -> Outside | None:
    """None where no source knows a public address. Raises ProbeFailed(interrupted)."""
    for source, ask in SOURCES.items():
        address = ask(context, asked)
        if address is not None and hops.kind_of(address) == "public":
            return Outside(address, source)
    return None


def _by_reflector(context: Context, asked: Asked) -> str | None:
    if asked.reflector is None:
        return None
    try:
        reflector = far_end.reflector_of(context, asked.reflector, asked.reflector_key_file)
        far = far_end.ask(context, reflector)
    except ProbeFailed:
        context.check()
        return None
    return far.mapped[0] if far is not None and far.mapped is not None else None


def _by_stun(context: Context, asked: Asked) -> str | None:
    """Where two servers say two things, none is believed: one of them, or something between, lies."""
    if not asked.stun_servers:
        return None
    try:
        with sockets.udp_socket(context.link) as sock:
            seen = {each.address for each in stun.ask(context, sock, asked.stun_servers)}
    except ProbeFailed:
        context.check()
        return None
    return seen.pop() if len(seen) == 1 else None


def router_says(context: Context, local_address: str) -> str | None:
    """The address outside of the router next to this address, public or not, by UPnP; None where it does not say.

    Only that router: another one is another line's. Raises ProbeFailed(interrupted).
    """
    place = interfaces.interface_with(local_address)
    gateway = None if place is None else interface.default_gateway(place)
    here = [each.network for each in interfaces.addresses().get(place or "", []) if str(each.ip) == local_address]
    subnet = here[0] if here else None
    if gateway is None or not isinstance(subnet, IPv4Network) or ip_address(gateway) not in subnet:
        return None
    context.say("Its address outside: asking the router (UPnP)")
    return upnp.external_address(context, subnet, gateway)


SOURCES: dict[Source, Callable[[Context, Asked], str | None]] = {
    "reflector": _by_reflector,
    "stun": _by_stun,
    "router": lambda context, asked: router_says(context, asked.local_address),
}
