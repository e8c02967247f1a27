"""The router tells its name by UPnP: miniupnpd, which many routers run, at the gateway's address of the LAN."""

import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from gosip_check.form.form import load
from gosip_check.records import Equipment
from gosip_check.report.load import load as read_report
from gosip_check.report.summary import summary_of

from .namespaces import Rooms, rooms
from .site import CABLES, GENEROUS, site
from .tool import gosip_check

# The daemon names no address of a reserved range, as the lab's are: it is given one to name.
CONFIGURATION = """\
ext_ifname=to-isp
listening_ip=to-lan
http_port=0
enable_upnp=yes
secure_mode=yes
system_uptime=yes
notify_interval=900
friendly_name=The router of the shop
manufacturer_name=Example Routers Ltd
model_name=Shop Router 3000
model_number=7.2.1
ext_ip=217.22.190.9
uuid=00000000-0000-4000-8000-000000000001
allow 1024-65535 192.168.1.0/24 1024-65535
"""


def _started(built: Rooms) -> None:
    """miniupnpd runs in cpe, and answers."""
    if shutil.which("miniupnpd") is None:
        pytest.skip("needs Debian's miniupnpd")
    configuration, log = built.folder / "miniupnpd.conf", built.folder / "miniupnpd.log"
    configuration.write_text(CONFIGURATION)
    argv = ["miniupnpd", "-d", "-f", str(configuration), "-P", str(built.folder / "miniupnpd.pid")]
    daemon = built.start("cpe", argv, log)
    give_up = time.monotonic() + 10
    while not re.search(r"HTTP listening on port", log.read_text()):
        assert daemon.poll() is None, log.read_text()
        assert time.monotonic() < give_up, log.read_text()
        time.sleep(0.05)


@pytest.fixture(scope="module")
def shop() -> Iterator[Rooms]:
    """lan and cpe, whose other side stands for the internet."""
    with rooms(CABLES[:2], {}, {}) as built:
        _started(built)
        yield built


def test_the_router_tells_vendor_model_and_release(shop: Rooms, tmp_path: Path) -> None:
    path = tmp_path / "form.toml"
    done = shop.run("lan", gosip_check("form", "fill", str(path), "--no-questions"), timeout_s=30, check=False)
    assert done.returncode == 1, done.stderr
    form = load(path)
    assert form.router == Equipment(vendor="Example Routers Ltd", model="Shop Router 3000", release="7.2.1")
    assert form.internet_1.interface == "to-cpe"
    assert form.internet_1.address == "192.168.1.10"
    assert {"router.vendor", "router.model", "router.release"} <= set(form.discovered)


def test_what_an_unknown_line_waits_for_is_named_and_decided_once_it_is_let_in(tmp_path: Path) -> None:
    """The servers are silent, and every request leaves. The router's word is passed on as what it is."""
    report_file = tmp_path / "report.json"
    with site(hops=GENEROUS) as lab:
        lab.enter("all-silent")
        _started(lab.rooms)
        others = [word for name in ("media.*", "firewall.rtp", "nat.binding-lifetime") for word in ("--skip", name)]
        asked = ("run", *others, "--quiet", "--json")
        first = lab.run("lan", gosip_check(*asked, str(report_file)), check=False, timeout_s=90)
        assert first.returncode == 3, first.stderr
        waiting = summary_of(read_report(report_file)).sentence
        lab.enter("ready")
        again = gosip_check(*asked, str(tmp_path / "again.json"), "--again", str(report_file))
        lab.run("lan", again, check=False, timeout_s=90)
    assert waiting.startswith("NOT DECIDED: waiting for the provider to whitelist 217.22.190.9 (your router says so")
    after = read_report(tmp_path / "again.json")
    assert {v.outcome for v in after.verdicts if v.id.startswith(("firewall.sig", "firewall.large", "alg."))} == {
        "pass"
    }
    assert after.links[0].public_address == "192.88.99.2"
