"""Resolvers as people and systems write them."""

from pathlib import Path

import pytest

from gosip_check.probes.dns import resolvers
from gosip_check.probes.dns.query import Resolver
from gosip_check.probes.dns.resolvers import parse_resolver


@pytest.mark.parametrize(
    ("text", "address", "port", "shown"),
    [
        ("192.0.2.1", "192.0.2.1", 53, "192.0.2.1"),
        ("192.0.2.1:5353", "192.0.2.1", 5353, "192.0.2.1:5353"),
        ("2001:DB8::1", "2001:db8::1", 53, "2001:db8::1"),
        ("[2001:db8::1]", "2001:db8::1", 53, "2001:db8::1"),
        ("[2001:db8::1]:5353", "2001:db8::1", 5353, "[2001:db8::1]:5353"),
        ("fe80::1%eth0", "fe80::1%eth0", 53, "fe80::1%eth0"),
    ],
)
def test_resolvers_as_people_write_them(text: str, address: str, port: int, shown: str) -> None:
    resolver = parse_resolver(text)
    assert (resolver.address, resolver.port, str(resolver)) == (address, port, shown)
    assert parse_resolver(str(resolver)) == resolver


@pytest.mark.parametrize("text", ["", "dns.example", "192.0.2.1:", "192.0.2.1:0", "192.0.2.1:65536", "192.0.2.1:5x"])
def test_what_is_no_resolver(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not an IP address|the port must be a number"):
        parse_resolver(text)


@pytest.mark.parametrize("text", ["[::1", "[::1]x", "[::1]:0", "192.0.2.1:\u0665\u0663", "192.0.2.256", ":53", "[]:53"])
def test_what_nearly_is_a_resolver(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not an IP address|the port must be a number"):
        parse_resolver(text)


def test_resolv_conf(tmp_path: Path) -> None:
    file = tmp_path / "resolv.conf"
    file.write_text("# nothing\nnameserver 192.0.2.1\nnameserver fe80::1%eth0\noptions ndots:1\n")
    # a router's link-local address is none without its interface
    assert resolvers._configured(str(file)) == [Resolver("192.0.2.1"), Resolver("fe80::1%eth0")]
    assert resolvers._configured(str(tmp_path / "missing")) == []
    file.write_text("nameserver 192.0.2.300\nnameserver\n nameserver 192.0.2.2 # second\nnameserver dns.example\n")
    assert resolvers._configured(str(file)) == [Resolver("192.0.2.2")]  # one wrong line does not lose the others
    file.write_bytes(b"\xff\xfe nameserver \x00 what\n")
    assert resolvers._configured(str(file)) == []


def test_behind_the_stub_of_systemd_the_real_resolvers_are_asked_too(monkeypatch: pytest.MonkeyPatch) -> None:
    configured = {
        resolvers._RESOLV_CONF: ["127.0.0.53"],
        resolvers._SYSTEMD_UPSTREAMS: ["192.0.2.1", "192.0.2.2", "192.0.2.1"],
    }
    monkeypatch.setattr(resolvers, "_configured", lambda path: [Resolver(address) for address in configured[path]])
    assert [r.address for r in resolvers.system_resolvers()] == ["127.0.0.53", "192.0.2.1", "192.0.2.2"]
    configured[resolvers._RESOLV_CONF] = ["192.0.2.9"]
    assert [r.address for r in resolvers.system_resolvers()] == ["192.0.2.9"]
