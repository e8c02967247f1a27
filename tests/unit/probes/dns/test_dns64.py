"""What DNS64 made is told from what it was made of: by the RFC's own table, and by Unbound, which nobody here wrote."""

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from ipaddress import IPv6Network
from pathlib import Path

import dns.message
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gosip_check.probes.dns import dns64
from gosip_check.probes.dns.srv import Facts, measure
from gosip_check.servers.endpoint import Peer
from tests.unit.far_ends import DnsAnswers, from_zone, nano_dns, unused_port
from tests.unit.probes.dns.srv_sites import CONTEXT, DOMAIN, SITES, options

# RFC 6052 2.4: prefix -> 192.0.2.33 with it.
TABLE = {
    "2001:db8::/32": "2001:db8:c000:221::",
    "2001:db8:100::/40": "2001:db8:1c0:2:21::",
    "2001:db8:122::/48": "2001:db8:122:c000:2:2100::",
    "2001:db8:122:300::/56": "2001:db8:122:3c0:0:221::",
    "2001:db8:122:344::/64": "2001:db8:122:344:c0:2:2100::",
    "2001:db8:122:344::/96": "2001:db8:122:344::c000:221",
    "64:ff9b::/96": "64:ff9b::c000:221",
}


@pytest.mark.parametrize(("prefix", "address"), TABLE.items())
def test_the_table_of_the_rfc(prefix: str, address: str) -> None:
    assert dns64.original(address, [IPv6Network(prefix)]) == "192.0.2.33"


def test_what_was_not_made_with_the_prefix_is_itself() -> None:
    assert dns64.original("2001:db9::1", [IPv6Network("2001:db8::/32")]) is None
    assert dns64.original("192.0.2.33", [IPv6Network("64:ff9b::/96")]) is None


def test_prefixes_show_themselves_in_the_known_name() -> None:
    """RFC 7050 3. Two resolvers behind each other may show two."""
    well_known = IPv6Network("64:ff9b::/96")
    assert dns64.prefixes([]) == [well_known]
    assert dns64.prefixes(["64:ff9b::c000:aa", "64:ff9b::c000:ab"]) == [well_known]
    shown = dns64.prefixes(["2001:db8:1c0:0:aa::", "2001:db8:122:344::c000:ab"])
    assert shown == [well_known, IPv6Network("2001:db8:100::/40"), IPv6Network("2001:db8:122:344::/96")]
    assert dns64.prefixes(["2001:db8::1", "::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"]) == [well_known]


@given(st.ip_addresses(v=6), st.lists(st.ip_addresses(v=6), max_size=3))
def test_no_address_is_too_odd(address: object, shown: list[object]) -> None:
    original = dns64.original(str(address), dns64.prefixes(str(each) for each in shown))
    assert original is None or "." in original


UNBOUND = """\
server:
    directory: "{folder}"
    chroot: ""
    username: ""
    pidfile: ""
    use-syslog: no
    interface: 127.0.0.1@{port}
    do-not-query-localhost: no
    module-config: "dns64 iterator"
    dns64-prefix: {prefix}
    dns64-synthall: {whatever_there_is}
    local-zone: "ipv4only.arpa" transparent
    do-ip6: no
remote-control:
    control-enable: no
forward-zone:
    name: "."
    forward-addr: 127.0.0.1@{upstream}
"""

KNOWN = {(dns64.KNOWN_NAME, "A"): ["192.0.0.170", "192.0.0.171"]}


@contextmanager
def unbound(prefix: str, upstream: int, *, whatever_there_is: bool = False) -> Iterator[str]:
    """A resolver with DNS64 before the one at `upstream`; its address. whatever_there_is: AAAA are made up always."""
    program = shutil.which("unbound") or shutil.which("unbound", path="/usr/sbin")
    if program is None:
        pytest.skip("Unbound (unbound) is not installed")
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder, port = Path(name), unused_port()
        always = "yes" if whatever_there_is else "no"
        conf = UNBOUND.format(folder=folder, port=port, prefix=prefix, upstream=upstream, whatever_there_is=always)
        (folder / "conf").write_text(conf)
        server = stack.enter_context(
            subprocess.Popen([program, "-d", "-c", str(folder / "conf")], stderr=subprocess.PIPE, text=True)
        )
        stack.callback(server.terminate)
        assert server.stderr is not None
        said = ""
        while "start of service" not in said:
            line = server.stderr.readline()
            assert line, f"Unbound did not start: {said}"
            said += line
        yield f"127.0.0.1:{port}"


def behind_dns64(prefix: str, zone: dict[tuple[str, str], list[str]] = SITES, **changes: bool) -> tuple[Facts, Facts]:
    """What DNS leads to through Unbound alone, and through both Unbound and what it asks."""
    with nano_dns(from_zone({**KNOWN, **zone})) as upstream, unbound(prefix, upstream.port, **changes) as resolver:
        return measure(options(resolver), CONTEXT), measure(options(resolver, upstream), CONTEXT)


@pytest.mark.waits
@pytest.mark.parametrize("prefix", TABLE)
def test_addresses_made_by_unbound_stand_for_the_providers(prefix: str) -> None:
    alone, both = behind_dns64(prefix)
    assert [target.addresses for target in alone.targets] == [["192.0.2.27"], ["198.51.100.27"]]
    assert all(IPv6Network(prefix).supernet_of(IPv6Network(t.synthesised[0])) for t in alone.targets)
    assert (alone.srv_found, alone.targets_resolve, alone.targets_in_networks) == (True, True, True)
    assert (alone.site_count, alone.names_invented) == (2, False)
    assert (
        f"site-a.{DOMAIN} -> 192.0.2.27 (DNS64: {alone.targets[0].synthesised[0]})" in alone.evidence["targets_resolve"]
    )
    assert both.resolvers_agree is True  # equivalent is equal


@pytest.mark.waits
def test_an_address_of_somebody_else_stays_one_whoever_makes_it_ipv6() -> None:
    facts, _ = behind_dns64("64:ff9b::/96", {**SITES, (f"site-a.{DOMAIN}", "A"): ["203.0.113.9"]})
    assert facts.targets_in_networks is False
    assert "203.0.113.9 (from " in facts.evidence["targets_in_networks"]


@pytest.mark.waits
def test_a_made_up_address_beside_one_of_the_providers_own() -> None:
    """RFC 6147 5.1.1 has DNS64 leave a name alone that has AAAA records; some can be told not to."""
    zone = {**SITES, (f"site-a.{DOMAIN}", "AAAA"): ["2001:db8:1::27"]}
    facts, _ = behind_dns64("64:ff9b::/96", zone)
    assert facts.targets[0].addresses == ["192.0.2.27", "2001:db8:1::27"]
    facts, _ = behind_dns64("64:ff9b::/96", zone, whatever_there_is=True)
    assert facts.targets[0].addresses == ["192.0.2.27"]
    assert facts.targets_in_networks is True


def test_without_ipv4_addresses_beside_them() -> None:
    """A resolver for a network without IPv4 may leave the A records out."""
    made = {
        (f"site-a.{DOMAIN}", "AAAA"): ["2001:db8:64::c000:21b"],
        (dns64.KNOWN_NAME, "AAAA"): ["2001:db8:64::c000:aa"],
    }
    zone = {key: records for key, records in SITES.items() if key[1] != "A"} | made
    zone[f"site-b.{DOMAIN}", "AAAA"] = ["2001:db8:64::c633:641b"]
    with nano_dns(from_zone(zone)) as resolver:
        facts = measure(options(resolver), CONTEXT)
    assert [target.addresses for target in facts.targets] == [["192.0.2.27"], ["198.51.100.27"]]
    assert (facts.targets_resolve, facts.targets_in_networks, facts.site_count) == (True, True, 2)


@pytest.mark.parametrize("known", [[], ["2001:db8:bad::1"]], ids=["no DNS64", "one answer for every name"])
def test_ipv6_addresses_outside_without_dns64_are_somebody_elses(known: list[str]) -> None:
    zone = {**SITES, (f"site-a.{DOMAIN}", "AAAA"): ["2001:db8:bad::1"], (dns64.KNOWN_NAME, "AAAA"): known}
    with nano_dns(from_zone(zone)) as resolver:
        facts = measure(options(resolver), CONTEXT)
    assert facts.targets_in_networks is False
    assert "2001:db8:bad::1 (from " in facts.evidence["targets_in_networks"]


def test_the_known_name_is_asked_for_only_where_an_address_calls_for_it() -> None:
    asked: set[str] = set()

    def answer(query: dns.message.Message, peer: Peer, transport: str) -> DnsAnswers:
        asked.add(query.question[0].name.to_text(omit_final_dot=True))
        return from_zone(SITES)(query, peer, transport)

    with nano_dns(answer) as resolver:
        measure(options(resolver), CONTEXT)
    assert dns64.KNOWN_NAME not in asked
