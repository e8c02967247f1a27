"""The states a site can be in: what is wrong, and how the lab brings it about. What the tool must say of each stands in
test_run_table.py.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from .kamailio import PLAIN_PORT
from .rulesets import divert, forward

SITES = ("217.22.184.27", "217.22.185.27")
OUTSIDE = "192.31.196.60"
"""A third server, equally good, that does not lie in the provider's networks."""


def zone(
    targets: Mapping[str, str],
    *,
    priorities: tuple[int, int] = (45, 55),
    ttl_s: int = 300,
) -> str:
    """The SRV records of both products and the addresses of their targets: first label of the target -> address.

    The guide shows one record, `45 50 5060 zt.trunk.gotel.com.mt`, and says that there are two sites.
    """
    lines = []
    for product, transport, port in (("trunk", "udp", 5060), ("trunke", "tcp", 5061)):
        for (label, address), priority in zip(targets.items(), priorities, strict=False):
            lines.append(f"_sip._{transport}.{product} {ttl_s} SRV {priority} 50 {port} {label}.{product}")
            lines.append(f"{label}.{product} {ttl_s} A {address}")
    return "\n".join(lines) + "\n"


TWO_SITES = zone({"zt": SITES[0], "st": SITES[1]})
ONE_SITE = zone({"zt": SITES[0]})
LOAD_SHARING = zone({"zt": SITES[0], "st": SITES[1]}, priorities=(45, 45))
OUTSIDE_NETWORKS = zone({"zt": OUTSIDE, "st": SITES[1]})
LONG_LIVED = zone({"zt": SITES[0], "st": SITES[1]}, ttl_s=86400)
NO_SRV = f"trunk A {SITES[0]}\ntrunke A {SITES[0]}\n"
NO_ADDRESSES = "\n".join(line for line in TWO_SITES.splitlines() if " A " not in line) + "\n"
ALIASES = (
    TWO_SITES.replace("zt.trunk 300 A ", "zt.trunk 300 CNAME real\n;").replace(
        "zt.trunke 300 A ", "zt.trunke 300 CNAME real\n;"
    )
    + f"real A {SITES[0]}\n"
)
HIJACKED = zone({"zt": "10.1.2.3", "st": "203.0.113.7"})
INVENTING = TWO_SITES + "* A 203.0.113.80\n*.trunk A 203.0.113.80\n*.trunke A 203.0.113.80\n"

_ALL_DNS_TO_THE_LIAR = divert('iifname "to-lan" meta l4proto { tcp, udp } th dport 53 dnat to 192.88.99.53')
_FORWARDER_TO_THE_LIAR = divert(
    'iifname "to-lan" ip daddr 192.168.1.1 meta l4proto { tcp, udp } th dport 53 dnat to 192.88.99.53'
)
_SECOND_TO_THE_LIAR = divert(
    'iifname "to-lan" ip daddr 217.22.184.53 meta l4proto { tcp, udp } th dport 53 dnat to 192.88.99.53'
)


@dataclass(frozen=True)
class State:
    """What differs from a site where all is well.

    zone: what the provider's server holds. lie: what the other resolver holds (None: it refuses).
    options_status: what the servers of the two sites answer to OPTIONS (0: nothing).
    rules: room -> a further rule set. lan_up: is the plug of the laptop in.
    """

    zone: str = TWO_SITES
    lie: str | None = None
    options_status: tuple[int, int] = (200, 200)
    rules: Mapping[str, str] = field(default_factory=dict)
    lan_up: bool = True


STATES: Mapping[str, State] = {
    "ready": State(),
    "load-sharing": State(zone=LOAD_SHARING),
    "plain-sip-on-5061": State(rules={"go": divert(f"tcp dport 5061 dnat to :{PLAIN_PORT}")}),
    "options-403": State(options_status=(403, 403)),
    "options-404": State(options_status=(404, 404)),
    "options-405": State(options_status=(405, 405)),
    # the network between the site and the provider
    "site-2-cut": State(rules={"isp": forward("ip daddr 217.22.185.0/24 drop")}),
    "site-2-silent": State(options_status=(200, 0)),
    "all-silent": State(options_status=(0, 0)),
    # the edge device
    "drop-5060": State(rules={"cpe": forward("udp dport 5060 drop")}),
    "drop-5061": State(rules={"cpe": forward("tcp dport 5061 drop")}),
    "reject-5060": State(rules={"cpe": forward("udp dport 5060 reject with icmp type admin-prohibited")}),
    "reject-5061": State(rules={"cpe": forward("tcp dport 5061 reject with icmp type admin-prohibited")}),
    "reset-5061": State(rules={"cpe": forward("tcp dport 5061 reject with tcp reset")}),
    # the provider's zone
    "one-site": State(zone=ONE_SITE),
    "nxdomain": State(zone=NO_SRV),
    "no-addresses": State(zone=NO_ADDRESSES),
    "aliases": State(zone=ALIASES),
    "long-ttl": State(zone=LONG_LIVED),
    "targets-outside-networks": State(zone=OUTSIDE_NETWORKS),
    # the resolvers
    "dns-hijacked": State(lie=HIJACKED, rules={"cpe": _ALL_DNS_TO_THE_LIAR}),
    "dns-forwarder-poisoned": State(lie=HIJACKED, rules={"cpe": _FORWARDER_TO_THE_LIAR}),
    "dns-second-poisoned": State(lie=HIJACKED, rules={"cpe": _SECOND_TO_THE_LIAR}),
    "dns-inventing": State(lie=INVENTING, rules={"cpe": _ALL_DNS_TO_THE_LIAR}),
    "dns-refused": State(rules={"cpe": _ALL_DNS_TO_THE_LIAR}),
    "dns-dead": State(rules={"cpe": forward("meta l4proto { tcp, udp } th dport 53 drop")}),
    # this machine
    "no-network": State(lan_up=False),
}
