"""The router tells its name by UPnP: miniupnpd, which many routers run, at the gateway's address of the LAN."""

import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from gosip_check.form.form import load
from gosip_check.records import Equipment

from .namespaces import Rooms, rooms
from .site import CABLES
from .tool import gosip_check

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
uuid=00000000-0000-4000-8000-000000000001
allow 1024-65535 192.168.1.0/24 1024-65535
"""


@pytest.fixture(scope="module")
def shop() -> Iterator[Rooms]:
    """lan and cpe, whose other side stands for the internet; miniupnpd runs in cpe."""
    if shutil.which("miniupnpd") is None:
        pytest.skip("needs Debian's miniupnpd")
    with rooms(CABLES[:2], {}, {}) as built:
        configuration, log = built.folder / "miniupnpd.conf", built.folder / "miniupnpd.log"
        configuration.write_text(CONFIGURATION)
        argv = ["miniupnpd", "-d", "-f", str(configuration), "-P", str(built.folder / "miniupnpd.pid")]
        daemon = built.start("cpe", argv, log)
        give_up = time.monotonic() + 10
        while not re.search(r"HTTP listening on port", log.read_text()):
            assert daemon.poll() is None, log.read_text()
            assert time.monotonic() < give_up, log.read_text()
            time.sleep(0.05)
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
