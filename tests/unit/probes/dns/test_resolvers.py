"""Resolvers as people and systems write them."""

from pathlib import Path

import pytest

from gosip_check.probes.dns import resolvers
from gosip_check.probes.dns.query import Resolver, StubOptions
from gosip_check.probes.dns.resolvers import parse_resolver, system_stub
from tests.unit.probes.dns.resolv_confs import OPTIONS, RESOLVERS


@pytest.mark.parametrize(
    ("text", "address", "port", "shown"),
    [
        ("192.0.2.1", "192.0.2.1", 53, "192.0.2.1"),
        ("192.0.2.1:5353", "192.0.2.1", 5353, "192.0.2.1:5353"),
        ("2001:DB8::1", "2001:db8::1", 53, "2001:db8::1"),
        ("[2001:db8::1]", "2001:db8::1", 53, "2001:db8::1"),
        ("[2001:db8::1]:5353", "2001:db8::1", 5353, "[2001:db8::1]:5353"),
        ("fe80::1%eth0", "fe80::1%eth0", 53, "fe80::1%eth0"),
        ("0.0.0.0", "127.0.0.1", 53, "127.0.0.1"),
        ("::ffff:192.0.2.1", "192.0.2.1", 53, "192.0.2.1"),
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


@pytest.mark.parametrize(("text", "asked"), RESOLVERS.items())
def test_resolv_conf_is_read_as_glibc_reads_it(tmp_path: Path, text: str, asked: list[str]) -> None:
    file = tmp_path / "resolv.conf"
    file.write_text(text, encoding="utf-8", newline="")
    stub = system_stub(str(file))
    assert stub.own == [Resolver(address) for address in asked]


@pytest.mark.parametrize(("text", "expected"), OPTIONS.items())
def test_options_are_read_as_glibc_reads_them(tmp_path: Path, text: str, expected: tuple[int, int]) -> None:
    file = tmp_path / "resolv.conf"
    file.write_text(text)
    options = system_stub(str(file)).options
    assert (options.attempts, 1200 if options.edns0 else 0) == expected


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("", StubOptions()),
        ("options timeout:1 rotate use-vc\n", StubOptions(timeout_s=1, rotate=True, use_vc=True)),
        ("options timeout:0\n", StubOptions(timeout_s=1)),
        ("options timeout:-3\n", StubOptions(timeout_s=1)),
        ("options timeout:99\n", StubOptions(timeout_s=30)),
        ("options xrotate timeout:soon single-request\n", StubOptions()),
    ],
)
def test_the_other_options(tmp_path: Path, text: str, options: StubOptions) -> None:
    file = tmp_path / "resolv.conf"
    file.write_text(text)
    assert system_stub(str(file)).options == options


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("fe80::1%eth0", "fe80::1%eth0"),  # a router's link-local address is none without its interface
        ("fe80::1%", "fe80::1"),
        ("fe80::1%a%b", "fe80::1"),
        ("fe80::1", "fe80::1"),
        ("2001:db8::1%eth0", "2001:db8::1"),
    ],
)
def test_scopes(tmp_path: Path, text: str, address: str) -> None:
    file = tmp_path / "resolv.conf"
    file.write_text(f"nameserver {text}\n")
    assert system_stub(str(file)).own == [Resolver(address)]


def test_lines_behind_the_third_are_for_comparison(tmp_path: Path) -> None:
    file = tmp_path / "resolv.conf"
    addresses = ["192.0.2.1", "192.0.2.2", "192.0.2.1", "192.0.2.3", "192.0.2.2", "192.0.2.4"]
    file.write_text("".join(f"nameserver {address}\n" for address in addresses))
    stub = system_stub(str(file))
    assert [r.address for r in stub.own] == ["192.0.2.1", "192.0.2.2"]  # the third line is the first again
    assert [r.address for r in stub.beyond] == ["192.0.2.3", "192.0.2.4"]


@pytest.mark.parametrize("content", [None, b"", b"\xff\xfe nameserver \x00 what\n", b"options timeout:1\n"])
def test_where_no_line_names_a_resolver_this_machine_is_one(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "resolv.conf"
    if content is not None:
        file.write_bytes(content)
    stub = system_stub(str(file))
    assert (stub.own, stub.is_assumed) == ([Resolver("127.0.0.1")], True)
    file.write_text("nameserver 127.0.0.1\n")
    assert not system_stub(str(file)).is_assumed


def test_behind_the_stub_of_systemd_are_those_that_it_asks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file, upstreams = tmp_path / "resolv.conf", tmp_path / "upstreams"
    monkeypatch.setattr(resolvers, "_SYSTEMD_UPSTREAMS", str(upstreams))
    upstreams.write_text("".join(f"nameserver 192.0.2.{number}\n" for number in (1, 2, 1, 3, 4)))
    file.write_text("nameserver 127.0.0.53\noptions edns0 trust-ad\n")
    stub = system_stub(str(file))
    assert [r.address for r in stub.own] == ["127.0.0.53"]
    assert [r.address for r in stub.upstream] == ["192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4"]
    file.write_text("nameserver 192.0.2.9\n")
    assert system_stub(str(file)).upstream == []
