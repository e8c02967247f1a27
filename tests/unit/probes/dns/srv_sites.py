"""A trunk with two sites for the SRV tests, and the facts that resolvers of a few lines lead to."""

from contextlib import ExitStack
from typing import Any

from gosip_check.probes.dns.query import Resolver
from gosip_check.probes.dns.srv import Facts, Options, measure
from gosip_check.probes.probe import Context
from gosip_check.records import Link
from gosip_check.servers.endpoint import Endpoint
from tests.unit.far_ends import Zone, from_zone, nano_dns

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
