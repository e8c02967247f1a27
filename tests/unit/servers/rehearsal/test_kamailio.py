"""The rehearsal against a registrant that nobody here wrote: Kamailio's uac, on loopback."""

import shutil
import socket
import subprocess
from pathlib import Path

import pytest

from gosip_check.heard import Heard
from gosip_check.probes.pbx import keepalive, refusals, registration
from gosip_check.probes.probe import Context
from gosip_check.records import Link
from gosip_check.servers.rehearsal.phases import Phase
from gosip_check.servers.rehearsal.rehearsal import Rehearsal, Slip, made_up_password

DOMAIN, USER, PBX = "trunk.example", "35621669015", "127.0.0.50"
CONFIG = """\
#!KAMAILIO
dns=no
rev_dns=no
auto_aliases=no
dns_cache_init=off
log_stderror=yes
children=1
disable_tcp=yes
listen=udp:{pbx}:{port}
mpath="{modules}"
loadmodule "tm.so"
loadmodule "sl.so"
loadmodule "pv.so"
loadmodule "rr.so"
loadmodule "db_text.so"
loadmodule "uac.so"
modparam("uac", "reg_db_url", "text://{folder}")
modparam("uac", "reg_contact_addr", "{pbx}:{port}")
modparam("uac", "reg_timer_interval", 1)
request_route {{
    sl_send_reply("200", "OK");
}}
"""
COLUMNS = (
    "id(int,auto) l_uuid(string) l_username(string) l_domain(string) r_username(string) r_domain(string) "
    "realm(string) auth_username(string) auth_password(string) auth_ha1(string,null) auth_proxy(string) "
    "expires(int) flags(int) reg_delay(int) contact_addr(string,null) socket(string,null)\n"
)
GRANTED_S = 5
PHASES = (
    Phase("register", "registered", 30, 0.5, grants_s=GRANTED_S),
    Phase("refresh", "registered", 30, grants_s=GRANTED_S),
    Phase("refuse-401-new", "refused", 30, 0.5, refuses="401-new"),
)


@pytest.fixture
def heard(tmp_path: Path) -> Heard:
    """A rehearsal with a Kamailio that knows the slip's user and password, and site A as its outbound proxy."""
    program = shutil.which("kamailio", path="/usr/sbin:/usr/local/sbin:/usr/bin")
    modules = next(Path("/usr").glob("lib*/**/kamailio/modules"), None)
    if program is None or modules is None:
        pytest.skip("Kamailio is not installed")
    slip = Slip(DOMAIN, USER, made_up_password())
    sites = (("127.22.184.27", 0), ("127.22.185.27", 0))
    with Rehearsal(slip, PBX, ("127.0.0.1", 0), sites, keepalive_s=0.2) as rehearsal:
        address, port = rehearsal.sites[0]
        (tmp_path / "version").write_text("table_name(string) table_version(int)\nversion:1\nuacreg:5\n")
        account = f"1:{USER}:{USER}:{DOMAIN}:{USER}:{DOMAIN}:{DOMAIN}:{USER}:{slip.password}::"
        (tmp_path / "uacreg").write_text(f"{COLUMNS}{account}sip\\:{address}\\:{port}:300:0:0::\n")
        config = tmp_path / "kamailio.cfg"
        config.write_text(CONFIG.format(pbx=PBX, port=_free_port(), modules=modules, folder=tmp_path))
        command: list[str | Path] = [
            program,
            "-DD",
            "-E",
            "-f",
            config,
            "-Y",
            tmp_path,
            "-P",
            tmp_path / "pid",
            "-m",
            "16",
            "-M",
            "4",
        ]
        with (tmp_path / "log").open("w") as log, subprocess.Popen(command, stdout=log, stderr=log) as kamailio:
            try:
                return rehearsal.run(PHASES)
            finally:
                kamailio.terminate()


def _free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind((PBX, 0))
        return int(sock.getsockname()[1])


@pytest.mark.waits
def test_kamailio_registers_is_kept_alive_refreshes_and_is_refused(heard: Heard) -> None:
    context = Context(link=Link(name="PBX"), heard=heard)
    registered = registration.measure(registration.Options(domain=DOMAIN), context)
    assert registered.credentials == "right"
    alive = keepalive.measure(keepalive.Options(), context)
    assert (alive.answer, alive.second_site) == ("200", "accepted")
    granted = [each for each in heard.requests("REGISTER") if each.status == 200]
    assert 0 < granted[1].sent_s[0] - granted[0].sent_s[0] <= GRANTED_S + 2  # its timer counts whole seconds
    tries = [each for each in heard.requests("REGISTER") if each.request.header("Authorization")]
    assert tries[-1].status == 401
    assert refusals.measure(refusals.Options(), context).third_try is not None
