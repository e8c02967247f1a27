"""Shapes of the way to the provider that are not a router, its carrier's hop and a core.

Each is a chain of rooms and what is done to them before the first run; all of it is gone with the site.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass

from .alone import TWO_HOPS
from .edge_matrix import SITES
from .edges import translate, without_translation
from .namespaces import Cable
from .site import CABLES, Lab
from .wire import Line, Wire

B4, AFTR = "192.0.0.2", "192.0.0.1"
"The two ends of a softwire (RFC 6333, 5.7)."
SOFTWIRE_MTU = 1460
"1500 octets of the line without the IPv6 header."

_PRIVATE_CORE = (
    *TWO_HOPS[:2],
    Cable("isp", "10.12.0.1", "core", "10.12.0.2"),
    TWO_HOPS[3],
)
_MOST_TTL = 40


@dataclass(frozen=True)
class Way:
    """cables: the rooms. laid: what is done to them."""

    cables: Sequence[Cable] = TWO_HOPS
    laid: Callable[[Lab], AbstractContextManager[None]] = lambda _: nullcontext()


def hidden() -> str:
    """The room gives back the TTL that it takes, as a core that labels packets does; none dies in it."""
    one_more = "\n        ".join(f"ip ttl {ttl} ip ttl set {ttl + 1}" for ttl in range(_MOST_TTL, 0, -1))
    return f"""
table ip hidden {{
    chain arriving {{
        type filter hook prerouting priority -400
        {one_more}
    }}
}}
"""


_FULL_TTL = """
table ip hidden {
    chain forward {
        type filter hook forward priority 10
        oifname "to-core" ip ttl set 64
    }
}
"""
"What has passed the room dies nowhere behind it."


def _rules(texts: Mapping[str, str]) -> Callable[[Lab], AbstractContextManager[None]]:
    @contextmanager
    def laid(lab: Lab) -> Iterator[None]:
        for room, text in texts.items():
            lab.nft(room, text)
        yield

    return laid


@contextmanager
def _bridge(lab: Lab) -> Iterator[None]:
    """Nothing of the site translates or filters: the first hop is the carrier's."""
    with without_translation(lab):
        lab.nft("cpe", "flush chain ip firewall forward\nadd rule ip firewall forward accept\n")
        yield


@contextmanager
def _ds_lite(lab: Lab) -> Iterator[None]:
    """The site's router sends IPv4 untranslated through a softwire; its carrier translates (RFC 6333)."""
    with Wire(lab.rooms.namespace("cpe"), lab.rooms.namespace("isp"), Line(), Line()):
        for room, address in (("cpe", B4), ("isp", AFTR)):
            lab.run(room, ["ip", "address", "add", f"{address}/32", "dev", "wire"])
            lab.run(room, ["ip", "link", "set", "wire", "mtu", str(SOFTWIRE_MTU)])
        lab.run("cpe", ["ip", "route", "replace", "default", "dev", "wire"])
        lab.run("isp", ["ip", "route", "replace", "192.168.1.0/24", "dev", "wire", "src", AFTR])
        lab.nft("isp", translate("to-core"))
        lab.flush()
        yield


@contextmanager
def _vpn(lab: Lab) -> Iterator[None]:
    """The laptop sends all but DNS through a tunnel that ends behind the edge: what the edge does is not met."""
    with Wire(lab.rooms.namespace("lan"), lab.rooms.namespace("isp"), Line(), Line()):
        lab.run("lan", ["ip", "route", "replace", "default", "dev", "wire"])
        lab.nft("isp", translate("to-core"))
        yield


@contextmanager
def _private_isp(lab: Lab) -> Iterator[None]:
    """The carrier's first hop quotes, and answers echoes, from a private address."""
    lab.run("isp", ["ip", "address", "add", "10.11.0.1/32", "dev", "lo"])
    lab.run("isp", ["ip", "route", "replace", "192.88.99.0/24", "dev", "to-cpe", "src", "10.11.0.1"])
    yield


WAYS: Mapping[str, Way] = {
    "two hops": Way(),
    "one hop": Way(CABLES),
    "two NATs": Way(SITES["two NATs"], _rules({"cpe": translate("to-modem"), "modem": translate("to-isp")})),
    "CGNAT": Way(SITES["CGNAT"], _rules({"cpe": translate("to-modem"), "modem": translate("to-isp")})),
    "DS-Lite": Way(laid=_ds_lite),
    "bridge": Way(SITES["public LAN"], _bridge),
    "VPN": Way(laid=_vpn),
    "core hidden": Way(laid=_rules({"core": hidden()})),
    "first hop hidden": Way(laid=_rules({"isp": hidden()})),
    "core gets full TTL": Way(laid=_rules({"isp": _FULL_TTL})),
    "no hop behind the edge": Way(CABLES, _rules({"isp": hidden()})),
    "first hop private": Way(laid=_private_isp),
    "core private": Way(_PRIVATE_CORE),
    "all hops private": Way(_PRIVATE_CORE, _private_isp),
}
