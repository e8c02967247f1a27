"""Which servers of the trunk did DNS give? Read from what `srv` found on this link; sends nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_address, ip_network

from gosip_check.probes.dns.srv_facts import Facts
from gosip_check.probes.probe import Context

_MOST_INSIDE = 4


@dataclass(frozen=True)
class Server:
    """A server of the trunk: one address of one SRV target. name: the target."""

    name: str
    address: str
    port: int

    @property
    def is_ipv4(self) -> bool:
        return ip_address(self.address).version == 4


def servers_offered(context: Context) -> list[Server]:
    """Every address of every target, in the order to be tried; empty where DNS gave none, or was not asked."""
    srv = context.facts_of(Facts)
    targets = srv.targets if srv else []
    offered = [Server(each.target, address, each.port) for each in targets for address in each.addresses]
    return list(dict.fromkeys(offered))


def servers_inside(context: Context, networks: Sequence[str]) -> list[Server]:
    """The first few of them in the provider's networks, IPv4 only: whoever else DNS names is not asked."""
    inside = [ip_network(network) for network in networks]
    offered = [server for server in servers_offered(context) if server.is_ipv4]
    return [each for each in offered if any(ip_address(each.address) in network for network in inside)][:_MOST_INSIDE]
