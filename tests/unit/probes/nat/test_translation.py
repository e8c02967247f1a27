"""NAT facts from what servers and hops say: nothing is claimed that was not seen."""

from typing import Any

import msgspec
import pytest

from gosip_check.probes.nat import translation
from gosip_check.probes.nat.outside import Outside
from gosip_check.probes.nat.translation import Options
from gosip_check.probes.path import hops
from gosip_check.probes.path.hops import Hop
from gosip_check.probes.sip.mapping import SeenBy

LOCAL = ("192.168.1.10", 5062)
OPTIONS = Options(
    domain="trunk.example",
    transport="udp",
    networks=["198.51.100.0/24"],
    own_networks=["192.88.99.0/24"],
    own_networks_date="2026-11-23",
)


def _hop(ttl: int, address: str) -> Hop:
    return Hop(ttl=ttl, address=address, quoted_bytes=520, kind=hops.kind_of(address))


def _ways(*passed: Hop, edge_ttl: int = 1) -> hops.Facts:
    return hops.Facts(
        destination="198.51.100.7",
        local_address=LOCAL[0],
        local_kind="private",
        control_port=33434,
        hops=list(passed),
        reached_at=None,
        edge_ttl=edge_ttl,
        evidence={},
    )


ONE_NAT = _ways(_hop(1, "192.168.1.1"), _hop(2, "192.88.99.1"))


BEHIND_ANOTHER = _ways(_hop(1, "192.168.1.1"), _hop(2, "10.0.0.1"), _hop(3, "192.88.99.1"), edge_ttl=2)


def _seen(server: str, address: str, port: int) -> SeenBy:
    return SeenBy(server=server, address=address, port=port)


def _nat(
    seen: list[SeenBy],
    ways: hops.Facts | None = ONE_NAT,
    other: Outside | None = None,
    outer: str | None = None,
    **changes: Any,
) -> translation.Facts:
    return translation._facts(msgspec.structs.replace(OPTIONS, **changes), ways, LOCAL, seen, other, outer)


def test_two_servers_that_agree() -> None:
    facts = _nat([_seen("a", "192.88.99.2", 40000), _seen("b", "192.88.99.2", 40000)])
    assert (facts.public_address, facts.translated, facts.port_kept, facts.one_mapping) == (
        "192.88.99.2", True, False, True
    )  # fmt: skip
    assert facts.public_address_is_the_providers is True


@pytest.mark.parametrize("second", [("192.88.99.2", 40001), ("192.88.99.3", 40000)])
def test_two_servers_that_see_different_things(second: tuple[str, int]) -> None:
    facts = _nat([_seen("a", "192.88.99.2", 40000), _seen("b", *second)])
    assert facts.one_mapping is False


def test_one_server_says_nothing_of_consistency() -> None:
    assert _nat([_seen("a", "192.88.99.2", 40000)]).one_mapping is None


def test_silence_leaves_everything_open() -> None:
    facts = _nat([])
    assert {facts.public_address, facts.translated, facts.port_kept, facts.one_mapping} == {None}
    assert facts.public_address_is_the_providers is None


def test_a_private_address_seen_by_the_server_is_not_judged_as_public() -> None:
    assert _nat([_seen("a", *LOCAL)]).public_address_is_the_providers is None
    assert _nat([_seen("a", "198.18.0.9", 1)]).public_address_is_the_providers is False
    assert _nat([_seen("a", "198.18.0.9", 1)], own_networks=[]).public_address_is_the_providers is None


@pytest.mark.parametrize(
    ("ways", "single", "words"),
    [
        (ONE_NAT, True, "192.168.1.1"),
        (BEHIND_ANOTHER, None, "Hop 2 is 10.0.0.1"),
        (_ways(_hop(1, "192.168.1.1"), _hop(2, "100.64.0.1"), _hop(3, "192.88.99.1"), edge_ttl=2), False, "CGNAT"),
        (_ways(_hop(1, "192.168.1.1"), _hop(2, "192.0.0.1"), _hop(3, "192.88.99.1"), edge_ttl=2), False, "DS-Lite"),
        (_ways(_hop(1, "192.168.1.1"), _hop(3, "192.88.99.1")), None, "second hop"),
        (_ways(), None, "second hop"),
        (None, None, "could not be seen"),
    ],
)
def test_layers_of_translation(ways: hops.Facts | None, single: bool | None, words: str) -> None:
    facts = _nat([], ways=ways)
    assert facts.single_nat is single
    assert words in facts.evidence["single_nat"]


@pytest.mark.parametrize(("outer", "single"), [("10.0.0.2", False), ("192.88.99.2", True)])
def test_the_first_router_decides_whose_a_private_hop_is(outer: str, single: bool) -> None:
    """A second router of the site gives the first a private address; a carrier may number its own routers so."""
    facts = _nat([], ways=BEHIND_ANOTHER, outer=outer)
    assert (facts.single_nat, outer in facts.evidence["single_nat"]) == (single, True)


def test_servers_that_see_this_machine_itself_prove_that_nothing_translates() -> None:
    ways = _ways(_hop(1, "192.175.48.1"), _hop(2, "10.0.0.1"), edge_ttl=2)
    seen = [_seen("a", "192.175.48.10", 5062)]
    facts = translation._facts(OPTIONS, ways, ("192.175.48.10", 5062), seen, None, None)
    assert (facts.single_nat, facts.translated) == (True, False)
    assert "Nothing translates" in facts.evidence["single_nat"]


def test_only_who_saw_the_line_itself_says_whose_its_address_is() -> None:
    by_reflector = _nat([], other=Outside("192.88.99.2", "reflector"))
    by_router = _nat([], other=Outside("192.88.99.2", "router"))
    assert (by_reflector.outside_address, by_router.outside_address) == ("192.88.99.2", "192.88.99.2")
    assert by_reflector.public_address_is_the_providers is True
    assert by_router.public_address_is_the_providers is None
    assert "nobody confirms" in by_router.evidence["public_address_is_the_providers"]
    assert (by_reflector.public_address, by_router.public_address) == (None, None)


@pytest.mark.parametrize(
    ("address", "kind"),
    [
        ("10.0.0.1", "private"), ("172.16.0.1", "private"), ("172.32.0.1", "public"), ("192.168.255.1", "private"),
        ("100.63.255.255", "public"), ("100.64.0.0", "shared"), ("100.127.255.255", "shared"),
        ("192.0.0.1", "shared"), ("192.0.0.8", "public"),
        ("100.128.0.0", "public"), ("169.254.1.1", "private"), ("8.8.8.8", "public"), ("fd00::1", "private"),
    ],
)  # fmt: skip
def test_kinds_of_addresses(address: str, kind: str) -> None:
    assert hops.kind_of(address) == kind


def test_an_address_without_server_is_no_target() -> None:
    assert hops.address_without_server("192.0.2.0/29", []) == "192.0.2.6"
    assert hops.address_without_server("192.0.2.0/29", ["192.0.2.6", "192.0.2.5"]) == "192.0.2.4"
