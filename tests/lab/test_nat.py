"""What `nat` says of the ways a site can be translated, against the kernel's own NAT."""

from typing import Any

import pytest

from .edge_matrix import SITES
from .edges import LET_ALL_IN, kernel_alg, translate, without_translation
from .site import Lab, site
from .tool import facts_of, run_tool, verdict_of
from .ways import WAYS

PUBLIC = "192.88.99.2"


def _nat(lab: Lab) -> tuple[dict[str, Any], dict[str, str]]:
    report = run_tool(lab, "nat")
    ids = ("nat.single", "nat.consistent", "nat.binding-lifetime", "link.go-internet")
    return facts_of(report, "nat"), {id_: verdict_of(report, id_)["outcome"] for id_ in ids}


def _enter(lab: Lab, rules: str = "") -> None:
    lab.enter("ready")
    if rules:
        lab.nft("cpe", rules)
        lab.flush()


def test_one_nat_that_keeps_ports(lab: Lab) -> None:
    _enter(lab)
    facts, outcomes = _nat(lab)
    assert (facts["public_address"], facts["translated"], facts["port_kept"]) == (PUBLIC, True, True)
    assert {seen["server"] for seen in facts["seen_by"]} == {"217.22.184.27", "217.22.185.27"}
    assert outcomes == {
        "nat.single": "pass",
        "nat.consistent": "pass",
        "nat.binding-lifetime": "unknown",  # not seen to expire, which proves nothing
        "link.go-internet": "warn",
    }


def test_one_nat_that_changes_ports_alike_for_everyone(lab: Lab) -> None:
    _enter(lab, translate("to-isp", "to :20000-30000 persistent"))
    facts, _ = _nat(lab)
    assert facts["port_kept"] is False


def test_a_mapping_for_each_destination_is_inconsistent(lab: Lab) -> None:
    _enter(lab, translate("to-isp", "random"))
    facts, outcomes = _nat(lab)
    assert (facts["one_mapping"], outcomes["nat.consistent"]) == (False, "warn")


def test_a_binding_that_expires_is_seen_and_the_verdict_says_how_little_that_is(lab: Lab) -> None:
    _enter(lab, translate("to-isp", "random"))
    names = ("nf_conntrack_udp_timeout", "nf_conntrack_udp_timeout_stream")
    before = [lab.run("cpe", ["sysctl", "-n", f"net.netfilter.{name}"]).stdout.strip() for name in names]
    try:
        for name in names:
            lab.run("cpe", ["sysctl", "-qw", f"net.netfilter.{name}=2"])
        report = run_tool(lab, "nat")
    finally:
        for name, value in zip(names, before, strict=True):
            lab.run("cpe", ["sysctl", "-qw", f"net.netfilter.{name}={value}"])
    verdict = verdict_of(report, "nat.binding-lifetime")
    assert verdict["outcome"] == "warn"
    assert "expired before 5 s" in verdict["reason"]


def test_no_nat() -> None:
    with site(SITES["public LAN"]) as lab:
        lab.enter("ready")
        with without_translation(lab):
            facts, outcomes = _nat(lab)
    assert (facts["public_address"], facts["translated"]) == ("192.175.48.10", False)
    assert (outcomes["nat.single"], outcomes["nat.consistent"]) == ("pass", "pass")


@pytest.mark.parametrize(
    ("kind", "hop", "outcome"), [("two NATs", "10.0.0.1", "unknown"), ("CGNAT", "100.64.0.1", "warn")]
)
def test_a_second_layer_is_named(kind: str, hop: str, outcome: str) -> None:
    """A private hop may be the carrier's own: many number their routers so. Only the first router can tell."""
    with site(SITES[kind]) as lab:
        lab.enter("ready")
        lab.nft("cpe", translate("to-modem"))
        lab.nft("modem", translate("to-isp"))
        report = run_tool(lab, "nat")
    verdict = verdict_of(report, "nat.single")
    assert verdict["outcome"] == outcome
    assert hop in verdict["reason"]
    assert ("CGNAT" in verdict["reason"]) == (kind == "CGNAT")
    assert facts_of(report, "nat")["public_address"] == PUBLIC


def _other_site(lab: Lab) -> tuple[str, list[bool | None]]:
    report = run_tool(lab, "nat", "--skip", "nat.binding-lifetime")
    trials = facts_of(report, "other_site")["trials"]
    return verdict_of(report, "nat.other-site-comes-in")["outcome"], [trial["came"] for trial in trials]


def test_the_other_site_through_filters_of_each_kind() -> None:
    with site() as lab:
        _enter(lab)
        assert _other_site(lab) == (
            "unknown",
            [False, False],
        )  # masquerade: only who was spoken to; the PBX may have a rule
        lab.nft("cpe", kernel_alg())
        lab.flush()
        assert _other_site(lab)[0] != "pass"  # an ALG may send an answer elsewhere: that is no proof
        _enter(lab, LET_ALL_IN)
        assert _other_site(lab) == ("pass", [True, True])
        lab.kamailio.force_rport(True)
        assert _other_site(lab) == ("unknown", [None, None])


def test_where_every_hop_is_private_the_site_ends_at_its_public_address() -> None:
    way = WAYS["all hops private"]
    with site(way.cables) as lab:
        lab.enter("ready")
        with way.laid(lab):
            report = run_tool(lab, "nat")
    path = facts_of(report, "path")
    assert {hop["kind"] for hop in path["hops"]} == {"private"}
    assert (path["public_address_at"], path["edge_ttl"]) == (1, 1)
    assert verdict_of(report, "nat.single")["outcome"] == "pass"
