"""The ends of every option's range: what is legal loads and measures, all else is refused with a sentence.

This machine refuses every packet here, so that a measurement goes as far as it can without a network.
"""

import contextlib
import json
import math
import socket
from typing import Any, get_args, get_type_hints

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.inspect import BoolType, FloatType, IntType, type_info
from msgspec.structs import fields

from gosip_check.checklist import parse
from gosip_check.probes import PROBES
from gosip_check.probes.dns import resolvers
from gosip_check.probes.dns import srv_facts as srv_facts_module
from gosip_check.probes.dns.query import DnsStatus
from gosip_check.probes.dns.srv_facts import Answer, Asked, SrvRecord, Target, facts_of
from gosip_check.probes.firewall import port_sample
from gosip_check.probes.nat import binding_lifetime
from gosip_check.probes.net import sockets
from gosip_check.probes.path import hops
from gosip_check.probes.probe import Context, Facts, LinkResult, Options, Probe, ProbeFailed, fill_options
from gosip_check.probes.sip.mapping import SeenBy
from gosip_check.records import Checklist, FailureKind, Link, Settings, Trunk
from gosip_check.tomlfile import TomlError
from tests.unit.test_checklist import HEAD, TRUNK, requirement

NETWORKS_OF_ONE = ["192.0.2.27/32"], ["192.0.2.26/31"], ["2001:db8::1/128"], ["2001:db8::/127"]
NETWORKS_OF_ALL = ["0.0.0.0/0"], ["::/0"]
OTHER_NETWORKS = (
    ["192.0.2.0/30"],
    ["2001:db8::/32"],
    ["127.0.0.1"],
    ["255.255.255.255/32"],
    ["0.0.0.0/32"],
    ["224.0.0.0/4"],
    ["::ffff:192.0.2.0/120"],
    ["2001:db8::/32", "192.0.2.0/24"],
    ["192.0.2.0/24"] * 9,
)
NETWORKS = [*NETWORKS_OF_ONE, *NETWORKS_OF_ALL, *OTHER_NETWORKS]
NO_NETWORKS = (["192.0.2.1/24"], ["192.0.2.0/33"], ["192.0.2.0/-1"], ["example"], [""], ["fe80::1%eth0/64"])
PORTS, NO_PORTS = (1, 5060, 65535), (0, -1, 65536, 10**30)
SECONDS, NO_SECONDS = (1, 2, 295, 2**32 - 1), (0, -1, 2**32)
ADDRESSES = (["192.0.2.1"], ["::1"], ["fe80::1%eth0"], ["0.0.0.0"], ["255.255.255.255"], ["192.0.2.1"] * 9)
NO_ADDRESSES = (["example"], [""], ["192.0.2.1:80"], ["192.0.2.256"], ["fe80::1%"])
TEXTS = ("", " ", "x" * 500, "\u0000\u001b[31m\u202e", "\u00e9\u00e9")
LONGEST_DOMAIN = ".".join(["x" * 63] * 3 + ["y" * 51])
"With `_sip._udp.` before it, just a name."

# Option -> values that it can have, and values that are refused. A switch, and a number whose type has both bounds
# (`Annotated[int, Meta(ge=1, le=50)]`), need no line here.
URLS = ("http://192.0.2.1/", "https://speed.example:8443/100MB?x=1", "http://[2001:db8::1]/x")
NO_URLS = ("", "speed.example/x", "ftp://speed.example/", "http://", "http://me:secret@speed.example/", "http://a b/")
LINES = ("GO", "\u00c9", "x" * 200)
NO_LINES = ("x" * 201, "a\nb", "\u001b[31m", "\u202e")
ENDS: dict[str, tuple[Any, Any]] = {
    "domain": (
        ("x", "1", "a-b.example", LONGEST_DOMAIN),
        ("", ".", "a.", "a b", "\u00e9.example", "x" * 64, LONGEST_DOMAIN + ".yyyyyyyyyy"),
    ),
    "service": (("s", "sip", "x" * 62), ("", "a.b", "_sip", "x" * 63, "\u00e9")),
    "transport": (("udp", "tcp"), ("", "UDP", "tls")),
    "port": (PORTS, NO_PORTS),
    "networks": (NETWORKS, ([], *NO_NETWORKS)),
    "own_networks": (([], *NETWORKS), NO_NETWORKS),
    "own_networks_date": (("", "2026-11-27", "2000-02-29"), ("x", "2026-02-29", "20261127", "2026-11-27T00:00")),
    "provider": (LINES, NO_LINES),
    "rtp_ports": (
        ([1, 1], [5060, 5060], [65535, 65535], [1, 2], [1, 65535]),
        ([2, 1], [0, 1], [1, 65536], [0, 0], [10**30, 1]),
    ),
    "reregistration_s": (SECONDS, NO_SECONDS),
    "session_timer_s": (SECONDS, NO_SECONDS),
    "codec": (("PCMA", "opus", "x" * 127), ("", "A law", "x" * 128, "\u00e9", "PCMA\n")),
    "country_code": (("", "1", "356", "999"), ("+356", "0", "0356", "3567", "x", "\u0661")),
    "national_digits": ((0, 8, 15), (-1, 16)),
    "dns_servers": (
        (
            [],
            ["127.1.1.1"],
            ["0.0.0.0"],
            ["::"],
            ["[::1]:65535"],
            ["192.0.2.1:1"],
            ["fe80::1%no-such"],
            ["fe80::1%\u00b2"],
        ),
        ([""], ["127.1"], ["dns.example"], ["192.0.2.1:0"], ["192.0.2.1:65536"], ["[::1"]),
    ),
    "ntp_servers": (
        ([], ["192.0.2.1"], ["::1"], ["x"], [LONGEST_DOMAIN]),
        ([""], ["a..b"], ["x" * 64], ["192.0.2.1:123"]),
    ),
    "ntp_port": (PORTS, NO_PORTS),
    "management_addresses": (([], *ADDRESSES), NO_ADDRESSES),
    "management_ports": (([], [1], [65535], [1] * 9), ([0], [65536])),
    "requests": ((1, 50), (0, -1, 51)),
    "channels": ((1, 2000), (0, -1, 2001)),
    "duration_s": ((0.1, 1, 600), (0, -1.0, 600.1, math.nan, math.inf)),
    "idle_s": ((0, 0.0, 60), (-1, 61, math.nan, math.inf)),
    "listen_s": ((0, 0.0, 130), (-1, 131, math.nan, math.inf)),
    "carried_delivered_pct": ((0, 100), (-1, 101, math.nan)),
    "carried_loss_pct": ((0, 100), (-1, 101)),
    "ordered_share_pct": ((0, 100), (-1, 101)),
    "seed": ((0, -1, 2**63), (0.5,)),
    "reflector": (("192.0.2.1", "[::1]:65535", "192.0.2.1:1"), ("", ":1", "a:0", "[::1]x", "a\nb")),
    "download": (URLS, NO_URLS),
    "upload": (URLS, NO_URLS),
    "stun": (([], ["192.0.2.1"], ["[::1]:65535", "a:1"]), ([""], ["a:0"], ["a\nb"])),
    "far_end_link": (("a=b", "phone=192.0.2.1", "x=lo", "a=b=c"), ("", "a", "=b", "a=", "a\nb=c")),
    "reflector_key_file": (("", "/", "/no/such/file", "x\u0000y"), ()),
    "edge_snmp": (("", "/", "/no/such/file", "x\u0000y"), ()),
    "account": (TEXTS, ()),
    "auth_user": (TEXTS, ()),
}
# Of a trunk, as far as no option has the same name.
TRUNK_ENDS: dict[str, tuple[Any, Any]] = {
    "kbps_per_channel": ((1, 1_000_000), (0, -1)),
    "dtmf": (("telephone-event", "x" * 127), ("", "x y", "x" * 128)),
    "guide": (("", *LINES), NO_LINES),
    "data_sheet": (("", *LINES), NO_LINES),
    "device": (LINES, NO_LINES),
}
ALL_ENDS = {name: ENDS[name] for name in ENDS if name in Trunk.__struct_fields__ and name != "provider"} | TRUNK_ENDS
NONE: tuple[Any, Any] = (), ()
OPTIONS = [(probe, option) for probe in PROBES.values() for option in probe.options.__struct_fields__]


def ends_of(probe: Probe, option: str) -> tuple[Any, Any]:
    """Of the table; of an option that is not in it, what its type says: a switch, or a number between two bounds."""
    if option in ENDS:
        return ENDS[option]
    (kind,) = [type_info(field.type) for field in fields(probe.options) if field.name == option]
    if isinstance(kind, BoolType):
        return (True, False), ()
    if isinstance(kind, IntType | FloatType) and kind.ge is not None and kind.le is not None:
        return (kind.ge, kind.le), (kind.ge - 1, kind.le + 1)
    return NONE


def named(value: Any) -> str:
    """The name of a case."""
    return value.name if isinstance(value, Probe) else ascii(value)[:40]


def targets(*addresses: str) -> list[Target]:
    return [
        Target(target="zt", port=5060, priority=45, weight=50, addresses=[each], aliases=[], status=DnsStatus.ANSWERED)
        for each in addresses
    ]


def srv_facts(networks: list[str], *addresses: str, ttl_s: int = 300, port: int = 5060) -> srv_facts_module.Facts:
    records = [SrvRecord(priority=0, weight=0, port=port, target=f"t{n}", ttl_s=ttl_s) for n in range(len(addresses))]
    answer = Answer("192.0.2.53", True, DnsStatus.ANSWERED, "", records, 1.0, False, None, targets(*addresses))
    return facts_of(Asked("_sip._udp.x", "x", 5060, networks, [answer], False, [], None, {}))


PATH = hops.Facts(
    destination="192.0.2.27",
    local_address="192.168.1.10",
    local_kind="private",
    control_port=33434,
    hops=[hops.Hop(1, "192.168.1.1", 520, "private"), hops.Hop(2, "198.51.100.1", 520, "public")],
    reached_at=None,
    edge_ttl=1,
    evidence={},
)
SEEN: dict[str, Facts] = {
    "srv": srv_facts(["192.0.2.0/24"], "192.0.2.27", "192.0.2.26", "2001:db8::1"),
    "path": PATH,
}
LINKS = [LinkResult(Link(name), True, {"srv": msgspec.to_builtins(SEEN["srv"])}) for name in ("A", "B")]


def toml(value: Any) -> str:
    """JSON is TOML for such values; a float may be none in JSON."""
    return str(value) if isinstance(value, float) else json.dumps(value)


def fact_of(probe: Probe) -> str:
    """A requirement's line that expects something of one of its facts."""
    kinds = {name: {hint, *get_args(hint)} for name, hint in get_type_hints(probe.facts).items()}
    for kind, expectation in ((bool, 'operator = "is", value = true'), (int, 'operator = "max", value = 1')):
        for name in kinds:
            if kind in kinds[name]:
                return f'[{{ fact = "{name}", {expectation} }}]'
    pytest.skip(f"{probe.name} is only asked by others: no requirement can expect something of it")


def loaded(probe: Probe, **chosen: Any) -> Checklist:
    """A checklist with one requirement, which asks this probe with these options."""
    options = ", ".join(f"{name} = {toml(value)}" for name, value in chosen.items())
    ways = {"ways": '["trace"]'} if probe.listens else {}
    text = requirement(probe=f'"{probe.name}"', expect=fact_of(probe), options=f"{{ {options} }}", **ways)
    return parse((HEAD + TRUNK + text).encode(), "x.toml")


def options_of(checklist: Checklist, probe: Probe) -> Options:
    """As a run fills them."""
    trunk, settings = msgspec.structs.asdict(checklist.trunk), msgspec.structs.asdict(Settings())
    return fill_options(probe, checklist.requirements[0].options, settings, trunk)


def test_every_option_and_every_number_of_a_trunk_has_its_ends_here() -> None:
    assert [f"{probe.name}: {option}" for probe, option in OPTIONS if not ends_of(probe, option)[0]] == []
    assert set(ENDS) <= {option for _, option in OPTIONS}
    assert {name for name, hint in get_type_hints(Trunk).items() if hint is not str} <= {*ENDS, *TRUNK_ENDS}


@pytest.mark.parametrize(("probe", "option"), OPTIONS, ids=named)
def test_what_an_option_cannot_be_is_refused_with_a_sentence(probe: Probe, option: str) -> None:
    for value in ends_of(probe, option)[1]:
        with pytest.raises(TomlError, match=rf"^x\.toml: requirement 'dns.srv-answers': options: {option}\b.*\.$"):
            loaded(probe, **{option: value})


@pytest.mark.parametrize(("probe", "option"), OPTIONS, ids=named)
def test_what_an_option_can_be_is_measured_with_or_fails_in_a_known_way(
    probe: Probe, option: str, no_network: None
) -> None:
    for value in ends_of(probe, option)[0]:
        options = options_of(loaded(probe, **{option: value}), probe)
        assert probe.subject(options), value
        for seen in ({}, SEEN):
            with contextlib.suppress(ProbeFailed):
                facts = probe.measure(options, Context(Link("Internet-1"), seen=seen, links=LINKS))
                assert isinstance(facts, probe.facts), value


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """This machine opens no socket, reads no resolvers of its own and waits for nothing."""

    def refuse(*_: object, **__: object) -> socket.socket:
        raise ProbeFailed(FailureKind.UNSUPPORTED, "This machine refused it.")

    monkeypatch.setattr(sockets, "_open", refuse)
    monkeypatch.setattr(sockets, "icmp_socket", lambda *_: None)
    monkeypatch.setattr(Context, "wait", lambda *_: None)
    monkeypatch.setattr(resolvers, "_RESOLV_CONF", "/no/such/file")


@pytest.mark.parametrize("field", ALL_ENDS)
def test_what_a_trunk_can_be(field: str) -> None:
    for value in ALL_ENDS[field][0]:
        assert getattr(trunk_with(field, value), field) is not None, value


@pytest.mark.parametrize("field", ALL_ENDS)
def test_what_a_trunk_cannot_be_is_refused_with_a_sentence(field: str) -> None:
    for value in ALL_ENDS[field][1]:
        with pytest.raises(TomlError, match=rf"^x\.toml: \[trunk\]: {field}\b.*\.$"):
            trunk_with(field, value)


def trunk_with(field: str, value: Any) -> Trunk:
    lines = [line for line in TRUNK.splitlines() if not line.startswith(f"{field} =")]
    text = "\n".join([HEAD, *lines, f"{field} = {toml(value)}", requirement()])
    return parse(text.encode(), "x.toml").trunk


@pytest.mark.parametrize("number", ["9" * 5000, "-" + "9" * 5000, "0x" + "f" * 5000])
def test_a_number_of_thousands_of_digits(number: str) -> None:
    with pytest.raises(TomlError, match=r"^x\.toml: .*\.$"):
        parse((HEAD + TRUNK.replace("5060", number) + requirement()).encode(), "x.toml")


def test_a_domain_that_leaves_no_room_for_its_service() -> None:
    with pytest.raises(TomlError, match=r"is too long: with _sip\._udp\. before it"):
        trunk_with("domain", LONGEST_DOMAIN + "y")


@pytest.mark.parametrize("networks", NETWORKS, ids=named)
@pytest.mark.parametrize("ttl_s", [0, 1, 2**31 - 1])
@pytest.mark.parametrize("port", [0, 1, 65535])
def test_what_dns_may_give_for_any_networks(networks: list[str], ttl_s: int, port: int) -> None:
    facts = srv_facts(networks, "192.0.2.27", "2001:db8::1", "0.0.0.0", "255.255.255.255", "::", ttl_s=ttl_s, port=port)
    assert facts.ttl_max_s == ttl_s
    assert facts.targets_in_networks is False  # no network has IPv4 and IPv6 addresses


@pytest.mark.parametrize(
    ("network", "taken", "address"),
    [
        ("192.0.2.0/24", [], "192.0.2.254"),
        ("192.0.2.0/24", ["192.0.2.254", "192.0.2.253"], "192.0.2.252"),
        ("192.0.2.0/30", ["192.0.2.2"], "192.0.2.1"),
        ("192.0.2.0/30", ["192.0.2.1", "192.0.2.2"], None),
        ("192.0.2.0/31", [], "192.0.2.1"),
        ("192.0.2.0/31", ["192.0.2.1"], "192.0.2.0"),
        ("192.0.2.0/31", ["192.0.2.0", "192.0.2.1"], None),
        ("192.0.2.27/32", [], "192.0.2.27"),
        ("192.0.2.27/32", ["192.0.2.27"], None),
        ("2001:db8::/127", ["2001:db8::1"], "2001:db8::"),
        ("2001:db8::1/128", ["2001:db8::1"], None),
        ("::/0", [], "ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe"),
        ("0.0.0.0/0", ["255.255.255.254"], "255.255.255.253"),
    ],
)
def test_an_address_that_has_no_server(network: str, taken: list[str], address: str | None) -> None:
    assert hops.address_without_server(network, taken) == address


@given(st.integers(1, 65535), st.integers(0, 65534), st.integers())
def test_a_sample_of_any_range_of_ports(first: int, length: int, seed: int) -> None:
    last = min(first + length, 65535)
    ports = port_sample.sample(first, last, seed)
    assert ports[0] == first
    assert ports[-1] == last
    (blocked,) = port_sample.runs(dict.fromkeys(ports, True), first, last)
    assert (blocked.low, blocked.high, blocked.below, blocked.above) == (first, last, first - 1, last + 1)
    assert blocked.is_settled
    assert set(port_sample.inside(blocked, ports, seed)) <= set(range(first, last + 1))


@pytest.mark.parametrize(
    ("idle_s", "every_s", "outlives"), [(5, 1, None), (5, 5, False), (0, 1, False), (60, 295, False)]
)
def test_a_binding_that_went_in_a_silence_longer_than_the_re_registration(
    idle_s: float, every_s: int, outlives: bool | None
) -> None:
    before, later = SeenBy(server="s", address="192.0.2.1", port=1), SeenBy(server="s", address="192.0.2.1", port=2)
    facts = binding_lifetime.facts_of_mappings([before], [later], "10.0.0.1", idle_s, every_s)
    assert (facts.outlives_reregistration, facts.expired_before_s) == (outlives, idle_s)


def test_every_field_of_a_trunk_has_values_that_are_refused() -> None:
    assert {name for name in Trunk.__struct_fields__ if not {**ENDS, **TRUNK_ENDS}.get(name, NONE)[1]} == set()
