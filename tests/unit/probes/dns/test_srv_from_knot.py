"""The SRV facts from Knot DNS, a server that nobody here wrote."""

import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from gosip_check.probes.dns.query import DnsStatus
from gosip_check.probes.dns.srv import Options, measure
from gosip_check.probes.probe import Context
from gosip_check.records import Link
from tests.unit.far_ends import unused_port

CONTEXT = Context(Link("Internet-1"))

KNOT_CONFIG = """\
server:
    listen: 127.0.0.1@{port}
    rundir: {folder}
database:
    storage: {folder}
log:
  - target: stdout
    any: info
zone:
  - domain: trunk.example
    file: {folder}/zone
"""

KNOT_ZONE = r"""
$ORIGIN trunk.example.
$TTL 1200
@ SOA ns hostmaster 1 3600 900 604800 60
@ NS ns
ns A 127.0.0.1
@ A 192.0.2.27
_sip._udp SRV 55 50 5060 site-b
_sip._udp SRV 45 50 5060 site-a
site-a A 192.0.2.27
site-b A 198.51.100.27
site-b AAAA 2001:db8:1::27
_alias._udp 60 SRV 45 50 5060 alias
alias CNAME site-a
_nowhere._udp SRV 45 50 5060 nothing
nothing TXT "no address"
_missing._udp SRV 45 50 5060 missing
_elsewhere._udp SRV 45 50 5060 host.example.
_off._udp SRV 0 0 0 .
_odd._udp SRV 45 50 5060 sp\032ace\255
sp\032ace\255 A 192.0.2.28
"""


def options(server: str, service: str = "sip", domain: str = "trunk.example") -> Options:
    return Options(
        domain=domain,
        service=service,
        transport="udp",
        port=5060,
        networks=["192.0.2.0/24", "198.51.100.0/24", "2001:db8:1::/48"],
        dns_servers=[server],
        system_resolvers=False,
    )


@pytest.fixture(scope="module")
def knot() -> Iterator[str]:
    """A server that nobody here wrote; the address at which it answers for trunk.example."""
    knotd = shutil.which("knotd") or shutil.which("knotd", path="/usr/sbin")
    if knotd is None:
        pytest.skip("Knot DNS (knotd) is not installed")
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder, port = Path(name), unused_port(socket.SOCK_STREAM)
        many = "".join(f"_many._udp SRV {n} 50 5060 host-{n}\nhost-{n} A 192.0.2.{n}\n" for n in range(100))
        (folder / "zone").write_text(KNOT_ZONE + many)
        (folder / "conf").write_text(KNOT_CONFIG.format(port=port, folder=folder))
        server = stack.enter_context(
            subprocess.Popen([knotd, "-c", str(folder / "conf")], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        )
        stack.callback(server.terminate)
        assert server.stdout is not None
        said = b""
        while b"server started" not in said:
            line = server.stdout.readline()
            assert line, f"Knot did not start: {said.decode()}"
            said += line
        yield f"127.0.0.1:{port}"


@pytest.mark.waits
def test_knot_two_sites(knot: str) -> None:
    facts = measure(options(knot), CONTEXT)
    assert facts.srv_found is True
    assert [(t.priority, t.target, t.addresses) for t in facts.targets] == [
        (45, "site-a.trunk.example", ["192.0.2.27"]),
        (55, "site-b.trunk.example", ["198.51.100.27", "2001:db8:1::27"]),
    ]
    assert (facts.targets_resolve, facts.targets_in_networks, facts.site_count) == (True, True, 2)
    assert (facts.aliases_found, facts.names_invented, facts.ttl_max_s) == (False, False, 1200)
    assert facts.arrangement == "active-standby"
    assert facts.answers[0].truncated is False


@pytest.mark.waits
def test_knot_truncates_a_hundred_records_and_gives_them_over_tcp(knot: str) -> None:
    facts = measure(options(knot, service="many"), CONTEXT)
    assert (facts.answers[0].truncated, facts.answers[0].tcp_retry_worked) == (True, True)
    assert [target.addresses for target in facts.targets] == [[f"192.0.2.{n}"] for n in range(100)]


@pytest.mark.waits
def test_knot_has_no_such_name(knot: str) -> None:
    facts = measure(options(knot, service="gone"), CONTEXT)
    assert facts.answers[0].status is DnsStatus.NXDOMAIN
    assert (facts.srv_found, facts.fallback_addresses) == (False, ["192.0.2.27"])


@pytest.mark.waits
def test_knot_refuses_what_is_not_its_own(knot: str) -> None:
    facts = measure(options(knot, domain="other.example"), CONTEXT)
    assert facts.answers[0].status is DnsStatus.REFUSED
    assert (facts.srv_found, facts.names_invented) == (False, None)


@pytest.mark.waits
@pytest.mark.parametrize(
    ("service", "resolves", "aliased", "status"),
    [
        ("alias", True, True, DnsStatus.ANSWERED),
        ("nowhere", False, False, DnsStatus.NO_RECORDS),
        ("missing", False, False, DnsStatus.NXDOMAIN),
        ("elsewhere", None, False, DnsStatus.REFUSED),
        ("odd", True, False, DnsStatus.ANSWERED),
    ],
)
def test_knot_targets(knot: str, service: str, resolves: bool | None, aliased: bool, status: DnsStatus) -> None:
    facts = measure(options(knot, service=service), CONTEXT)
    assert (facts.targets_resolve, facts.aliases_found, facts.targets[0].status) == (resolves, aliased, status)


@pytest.mark.waits
def test_knot_says_that_the_service_is_not_offered(knot: str) -> None:
    facts = measure(options(knot, service="off"), CONTEXT)
    assert (facts.srv_found, facts.targets) == (False, [])
