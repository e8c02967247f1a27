"""The edges that the ALG verdict is held against: which site, what is done to it, and what is true of it.

Two laws hold for every row, however often it is run: with an ALG never a pass, without one never a fail. `verdict` is
what one run says where nothing is lost.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from .edges import SILENT_HOP, kernel_alg, quoting_hop, translate, vendor_alg, without_translation
from .kamailio import SILENCE
from .namespaces import Cable
from .site import CABLES, Lab

PASS, FAIL, UNKNOWN = "pass", "fail", "unknown"

_TO_GO = CABLES[2]
SITES: dict[str, Sequence[Cable]] = {
    "one NAT": CABLES,
    "public LAN": (Cable("lan", "192.175.48.10", "cpe", "192.175.48.1"), *CABLES[1:]),
    "two NATs": (
        CABLES[0],
        Cable("cpe", "10.0.0.2", "modem", "10.0.0.1"),
        Cable("modem", "192.88.99.2", "isp", "192.88.99.1"),
        _TO_GO,
    ),
    "CGNAT": (
        CABLES[0],
        Cable("cpe", "100.64.0.2", "modem", "100.64.0.1"),
        Cable("modem", "192.88.99.2", "isp", "192.88.99.1"),
        _TO_GO,
    ),
}

Setting = Callable[[Lab], Iterator[None]]


@dataclass(frozen=True)
class Row:
    """has_alg: what is true. verdict, kind, culprit: what `alg.absent` says of it. checklist: the product asked for."""

    name: str
    site: str
    settings: tuple[Setting, ...]
    has_alg: bool
    verdict: str
    kind: str | None = None
    culprit: str | None = None
    checklist: str = "go-native"


def _rules(room: str, text: str) -> Setting:
    def bring_about(lab: Lab) -> Iterator[None]:
        lab.nft(room, text)
        yield

    return bring_about


def _silent_servers(lab: Lab) -> Iterator[None]:
    lab.kamailio.answer(SILENCE)
    yield


def _plain_sip_on_5061(lab: Lab) -> Iterator[None]:
    lab.enter("plain-sip-on-5061")
    yield


def _no_nat(lab: Lab) -> Iterator[None]:
    with without_translation(lab):
        yield


def _vendor(style: str) -> Setting:
    def bring_about(lab: Lab) -> Iterator[None]:
        with vendor_alg(lab, style):
            yield

    return bring_about


def _hop(style: str) -> Setting:
    def bring_about(lab: Lab) -> Iterator[None]:
        with quoting_hop(lab, "isp", "to-cpe", style):
            yield

    return bring_about


_ALG = _rules("cpe", kernel_alg())
_NEW_PORTS = _rules("cpe", translate("to-isp", "to :20000-30000"))
_SILENT_HOP = _rules("isp", SILENT_HOP)
_TWO_NATS = (_rules("cpe", translate("to-modem")), _rules("modem", translate("to-isp")))
_TCP_ALG = _rules("cpe", kernel_alg("tcp", 5061))
_EDGE = "192.168.1.1"
_REWRITES = ("rewrites-request", _EDGE)

MATRIX: tuple[Row, ...] = (
    Row("no NAT", "public LAN", (_no_nat,), False, PASS),
    Row("no NAT, server silent", "public LAN", (_no_nat, _silent_servers), False, UNKNOWN),
    Row("ALG loaded without NAT", "public LAN", (_no_nat, _ALG), True, FAIL, "drops", "192.175.48.1"),
    Row(
        "ALG loaded without NAT, server silent",
        "public LAN",
        (_no_nat, _ALG, _silent_servers),
        True,
        FAIL,
        "drops",
        "192.175.48.1",
    ),
    Row("no NAT, private addresses routed", "one NAT", (_no_nat,), False, UNKNOWN),
    Row("NAT", "one NAT", (), False, PASS, "nat-only"),
    Row("NAT, server silent", "one NAT", (_silent_servers,), False, UNKNOWN),
    Row("NAT, port changed", "one NAT", (_NEW_PORTS,), False, PASS, "nat-only"),
    Row("NAT + ALG", "one NAT", (_ALG,), True, FAIL, *_REWRITES),
    Row("NAT + ALG, server silent", "one NAT", (_ALG, _silent_servers), True, FAIL, *_REWRITES),
    Row("NAT + ALG, port changed", "one NAT", (_NEW_PORTS, _ALG), True, FAIL, *_REWRITES),
    Row(
        "NAT + ALG, port changed, server silent", "one NAT", (_NEW_PORTS, _ALG, _silent_servers), True, FAIL, *_REWRITES
    ),
    Row("two NATs", "two NATs", _TWO_NATS, False, PASS, "nat-only"),
    Row("two NATs, server silent", "two NATs", (*_TWO_NATS, _silent_servers), False, UNKNOWN),
    Row("two NATs, ALG at the first", "two NATs", (*_TWO_NATS, _ALG), True, FAIL, *_REWRITES),
    Row(
        "two NATs, ALG at the second",
        "two NATs",
        (*_TWO_NATS, _rules("modem", kernel_alg())),
        True,
        FAIL,
        "drops",  # the address that it looks for was translated before it
        "10.0.0.1",
    ),
    Row(
        "two NATs, ALG at the second, server silent",
        "two NATs",
        (*_TWO_NATS, _rules("modem", kernel_alg()), _silent_servers),
        True,
        FAIL,
        "drops",  # the address that it looks for was translated before it
        "10.0.0.1",
    ),
    Row("CGNAT", "CGNAT", _TWO_NATS, False, PASS, "nat-only"),
    Row("CGNAT, server silent", "CGNAT", (*_TWO_NATS, _silent_servers), False, UNKNOWN),
    Row("CGNAT + ALG", "CGNAT", (*_TWO_NATS, _ALG), True, FAIL, *_REWRITES),
    Row("TCP, NAT", "one NAT", (_plain_sip_on_5061,), False, PASS, "nat-only", checklist="go-gateway"),
    Row("TCP, NAT, TLS", "one NAT", (), False, PASS, "nat-only", checklist="go-gateway"),
    Row(
        "TCP, NAT + ALG on 5061",
        "one NAT",
        (_plain_sip_on_5061, _TCP_ALG),
        True,
        FAIL,
        "rewrites-request",
        checklist="go-gateway",
    ),
    Row(
        "TCP, NAT + ALG on 5061, server silent",
        "one NAT",
        (_plain_sip_on_5061, _TCP_ALG, _silent_servers),
        True,
        UNKNOWN,
        checklist="go-gateway",
    ),
    Row("hop quotes 28 octets", "one NAT", (_hop("28"),), False, UNKNOWN),
    Row("hop quotes 28 octets, ALG", "one NAT", (_hop("28"), _ALG), True, FAIL, "drops", _EDGE),
    Row(
        "hop quotes 28 octets, ALG, server silent",
        "one NAT",
        (_hop("28"), _ALG, _silent_servers),
        True,
        FAIL,
        "drops",
        _EDGE,
    ),
    Row("hop quotes 128 octets, padded", "one NAT", (_hop("128"),), False, UNKNOWN),
    Row("hop quotes 128 octets, padded, ALG", "one NAT", (_hop("128"), _ALG), True, FAIL, *_REWRITES),
    Row("hop quotes 128 octets, no length field, ALG", "one NAT", (_hop("128-old"), _ALG), True, FAIL, *_REWRITES),
    Row("hop garbles its quotes", "one NAT", (_hop("garbled"),), False, UNKNOWN),
    Row("silent hop", "one NAT", (_SILENT_HOP,), False, UNKNOWN),
    Row("silent hop, ALG", "one NAT", (_SILENT_HOP, _ALG), True, FAIL),
    Row("silent hop, ALG, server silent", "one NAT", (_SILENT_HOP, _ALG, _silent_servers), True, UNKNOWN),
    Row("vendor: rewrites Call-ID", "one NAT", (_vendor("call-id"),), True, FAIL, *_REWRITES),
    Row("vendor: proxy, adds a Via", "one NAT", (_vendor("proxy"),), True, FAIL, "proxy", _EDGE),
    Row("vendor: rewrites SDP only", "one NAT", (_vendor("sdp-only"),), True, FAIL, *_REWRITES),
    Row("vendor: answers by itself", "one NAT", (_vendor("answers"),), True, FAIL, "proxy", _EDGE),
    Row("vendor: swallows REGISTER", "one NAT", (_vendor("swallows"),), True, FAIL, "drops", _EDGE),
    Row("vendor: diverts replies", "one NAT", (_vendor("diverts"),), True, FAIL, "diverts"),
    Row("vendor: rewrites replies only", "one NAT", (_vendor("replies-only"),), True, FAIL, "rewrites-reply"),
    Row("vendor: hides the NAT in replies", "one NAT", (_vendor("hides-nat"),), True, UNKNOWN),
    Row(
        "vendor: rewrites replies only, server silent",
        "one NAT",
        (_vendor("replies-only"), _silent_servers),
        True,
        UNKNOWN,
    ),
)


@contextmanager
def entered(lab: Lab, row: Row) -> Iterator[None]:
    """The lab in the row's state, from a clean start. `verdict` is what is said where hops are generous."""
    lab.enter("ready")
    begun = []
    try:
        for setting in row.settings:
            step = setting(lab)
            next(step)
            begun.append(step)
        lab.flush()
        yield
    finally:
        for step in reversed(begun):
            next(step, None)
