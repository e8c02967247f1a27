"""The interfaces of this machine, as the system's tables show them."""

from ipaddress import ip_interface
from pathlib import Path

import pytest

from gosip_check.probes.net import interfaces
from gosip_check.records import Link


@pytest.fixture
def two_lines(monkeypatch: pytest.MonkeyPatch) -> Link:
    """A machine with two lines; the second of them."""
    here = {
        "lo": [ip_interface("127.0.0.1/8"), ip_interface("::1/128")],
        "eth0": [ip_interface("192.0.2.77/24"), ip_interface("fe80::77/64")],
        "eth1": [ip_interface("198.51.100.77/24"), ip_interface("2001:db8::77/64"), ip_interface("fe80::77/64")],
    }
    monkeypatch.setattr(interfaces, "addresses", lambda: here)
    return Link("Internet-2", source="198.51.100.77", interface="eth1")


@pytest.mark.parametrize("address", ["127.0.0.1", "127.9.9.9", "192.0.2.77", "::1", "2001:db8::77", "fe80::77%eth1"])
def test_what_is_this_machine(two_lines: Link, address: str) -> None:
    assert interfaces.is_this_machine(address)
    assert interfaces.way_to(address, two_lines) == Link("Internet-2")


@pytest.mark.parametrize("address", ["198.51.100.1", "203.0.113.5", "2001:db8::1", "2001:db8:1::1", "fe80::1%eth1"])
def test_who_is_reached_over_the_link(two_lines: Link, address: str) -> None:
    assert not interfaces.is_this_machine(address)
    assert interfaces.way_to(address, two_lines) == two_lines


@pytest.mark.parametrize("address", ["192.0.2.1", "fe80::1%eth0"])
def test_who_is_beside_another_line(two_lines: Link, address: str) -> None:
    assert interfaces.way_to(address, two_lines) is None
    anywhere = Link("Internet-1")
    assert interfaces.way_to(address, anywhere) == anywhere


@pytest.mark.parametrize(
    ("address", "name"),
    [("192.0.2.77", "eth0"), ("2001:DB8:0::77", "eth1"), ("127.3.2.1", "lo"), ("192.0.2.1", None)],
)
@pytest.mark.usefixtures("two_lines")
def test_the_interface_that_has_an_address(address: str, name: str | None) -> None:
    assert interfaces.interface_with(address) == name


def test_this_machine_has_a_loopback() -> None:
    assert ip_interface("127.0.0.1/8") in interfaces.addresses()["lo"]


@pytest.mark.parametrize(
    ("before", "after", "is_disturbed"),
    [("2\n", "2\n", False), ("2\n", "4\n", True), ("2\n", None, True), (None, "1\n", True), (None, None, False)],
)
def test_a_carrier_that_was_lost_or_found(
    tmp_path: Path, before: str | None, after: str | None, is_disturbed: bool
) -> None:
    """None: there is no such interface, as after a dial-up line or an adapter was pulled out."""
    count = tmp_path / "eth0" / "carrier_changes"
    count.parent.mkdir()
    if before is not None:
        count.write_text(before)
    carrier = interfaces.Carrier("eth0", tmp_path)
    if after is None:
        count.unlink(missing_ok=True)
    else:
        count.write_text(after)
    assert (carrier.disturbance() is not None) == is_disturbed
    assert not is_disturbed or "eth0" in str(carrier.disturbance())


def test_where_no_interface_is_known_nothing_disturbs() -> None:
    assert interfaces.Carrier(None).disturbance() is None
    assert interfaces.Carrier("lo").disturbance() is None
