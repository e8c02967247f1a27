"""What never crosses the line proves nothing of it: a router that both lines end at, and a proxy of the site's own.

The kernel's own NAT passes on between its two outside addresses; Python's http.server is the server, and the proxy.
"""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from .namespaces import Cable, Rooms, rooms
from .site import Lab
from .states import SITES
from .tool import gosip_check

FIRST, SECOND = "192.88.99.2", "192.88.99.3"
HAIRPIN = f"""
table ip both {{
    chain arriving {{
        type nat hook prerouting priority -100
        ip daddr {FIRST} udp dport 1024-65535 dnat to 10.0.1.10
        ip daddr {SECOND} udp dport 1024-65535 dnat to 10.0.2.10
    }}
    chain leaving {{
        type nat hook postrouting priority 100
        ip saddr 10.0.1.10 snat to {FIRST}
        ip saddr 10.0.2.10 snat to {SECOND}
    }}
}}
"""


@pytest.fixture
def dual(_possible: None) -> Iterator[Rooms]:
    """One router with two outside addresses, and a cable of the laptop for each."""
    cables = [Cable("lan", "10.0.1.10", "cpe", "10.0.1.1"), Cable("cpe", FIRST, "isp", "192.88.99.1")]
    with rooms(cables, {}, {}) as built:
        peer = ["peer", "name", "second", "netns", built.namespace("cpe")]
        built.run("lan", ["ip", "link", "add", "second", "type", "veth", *peer])
        for room, address in (("lan", "10.0.2.10/24"), ("cpe", "10.0.2.1/24")):
            built.run(room, ["ip", "address", "add", address, "dev", "second"])
            built.run(room, ["ip", "link", "set", "second", "up"])
        built.run("lan", ["ip", "route", "add", "default", "via", "10.0.2.1", "dev", "second", "metric", "200"])
        built.run("cpe", ["ip", "address", "add", f"{SECOND}/24", "dev", "to-isp"])
        built.nft("cpe", HAIRPIN)
        yield built


def test_two_lines_that_end_at_one_router_meet_inside_the_site(dual: Rooms) -> None:
    lines = ("A=to-cpe", FIRST, "B=second", SECOND)
    said = json.loads(dual.run("lan", gosip_check(*lines, module="tests.lab.meet_once"), timeout_s=60).stdout)
    assert said == {"punched": True, "meet": True}


def test_a_proxy_of_the_site_proves_nothing_of_the_line(lab: Lab, tmp_path: Path) -> None:
    lab.enter("ready")
    (tmp_path / "file").write_bytes(bytes(3_000_000))
    url = f"http://{SITES[0]}:8080/file"
    serve = ["python3", "-m", "http.server", "8080", "--directory", str(tmp_path)]
    servers = [lab.rooms.start(room, serve, tmp_path / f"{room}.log") for room in ("go", "cpe")]
    try:
        for room in ("go", "cpe"):
            lab.rooms.run(room, ["sh", "-c", "until ss -Hltn sport = :8080 | grep -q .; do sleep 0.05; done"])
        ask = gosip_check("Internet-1=to-cpe", url, module="tests.lab.transfer_once")
        assert json.loads(lab.run("lan", ask, timeout_s=60).stdout)["carries"] is True
        lab.nft(
            "cpe",
            "table ip proxy { chain c { type nat hook prerouting priority -100; "
            "iifname to-lan tcp dport 8080 redirect to :8080; }; }",
        )
        proxied = json.loads(lab.run("lan", ask, timeout_s=60).stdout)
        assert proxied["carries"] is False
        assert "something at this site answers in the server's name" in proxied["trouble"]
    finally:
        for server in servers:
            server.terminate()
            server.wait(10)
