"""A PBX that nobody here wrote, under rehearsal: `python -m tests.lab.foreign_pbx CLIENT NAMESPACE PHASES PATIENCE`.

Runs in the laptop's room, and starts the client in the PBX's. Prints a line of JSON: requirement -> [outcome, reason].
The installer is a program too: he dials where the rehearsal says so, and says yes to every question.
"""

import json
import math
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import wave
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from gosip_check.cli.pbx import plan_of_pbx
from gosip_check.heard import Heard
from gosip_check.run import Observer, run
from gosip_check.servers.rehearsal.phases import PHASES
from gosip_check.servers.rehearsal.rehearsal import Rehearsal, Slip
from tests.unit.servers.rehearsal.test_kamailio import COLUMNS, CONFIG

from .namespaces import Cable

DOMAIN, USER = "trunk.gotel.com.mt", "35621669015"
LAPTOP, SITE_A, SITE_B, PBX = "10.99.1.1", "10.99.1.11", "10.99.1.12", "10.99.1.50"
CABLES = [Cable("laptop", LAPTOP, "pbx", PBX)]
HELD = {"laptop": [SITE_A, SITE_B]}
RESOLVERS = {"pbx": [LAPTOP]}
_CONTROL = 4444
_BARESIP = f"""\
sip_listen {PBX}:5060
net_interface to-laptop
call_local_timeout 120
call_max_calls 4
audio_player aufile,out.wav
audio_source aufile,in.wav
audio_alert aufile,none.wav
rtp_ports 10000-10100
module_path /usr/lib/baresip/modules
module g711.so
module aufile.so
module ctrl_tcp.so
ctrl_tcp_listen 0.0.0.0:{_CONTROL}
module_app account.so
module_app menu.so
module_tmp uuid.so
"""
_REGISTER = """\
<?xml version="1.0" encoding="ISO-8859-1"?>
<scenario name="register">
<send retrans="500"><![CDATA[{request}Expires: 300
Content-Length: 0

]]></send>
<recv response="401" auth="true"/>
<send retrans="500"><![CDATA[{request}[authentication username={user} password={password}]
Expires: 300
Content-Length: 0

]]></send>
<recv response="200"/>
</scenario>
"""
_REQUEST = """
REGISTER sip:{domain} SIP/2.0
Via: SIP/2.0/UDP [local_ip]:[local_port];rport;branch=[branch]
Max-Forwards: 70
From: <sip:{user}@{domain}>;tag=[call_number]
To: <sip:{user}@{domain}>
Call-ID: [call_id]
CSeq: [cseq] REGISTER
Contact: <sip:{user}@[local_ip]:[local_port];transport=udp>
"""

Dial = Callable[[str], None]


def baresip(slip: Slip, folder: Path) -> tuple[list[str], Dial]:
    """It answers each call at once, and plays a tone."""
    with wave.open(str(folder / "in.wav"), "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        turn = 2 * math.pi * 440 / 8000
        file.writeframes(
            b"".join(round(8000 * math.sin(turn * n)).to_bytes(2, "little", signed=True) for n in range(8000 * 60))
        )
    account = f"<sip:{slip.user}@{slip.domain}>;auth_pass={slip.password};regint=300;answermode=auto;audio_codecs=pcma"
    (folder / "accounts").write_text(f"{account};ptime=20\n")
    (folder / "contacts").write_text("")
    (folder / "config").write_text(_BARESIP)

    def dial(number: str) -> None:
        command = json.dumps({"command": "dial", "params": f"sip:{number}@{slip.domain}"}).encode()
        with socket.create_connection((PBX, _CONTROL), 10) as control:
            control.sendall(b"%d:%s," % (len(command), command))
            control.recv(4096)

    return ["baresip", "-f", str(folder)], dial


def sipp(slip: Slip, folder: Path) -> tuple[list[str], Dial]:
    """SIPp registers once at site A, then plays its own answering side: a bad PBX."""
    request = _REQUEST.format(domain=slip.domain, user=slip.user)
    (folder / "register.xml").write_text(
        _REGISTER.format(request=request, user=slip.user, password=slip.password).replace("<![CDATA[\n", "<![CDATA[")
    )
    register = f"sipp {SITE_A}:5060 -sf register.xml -m 1 -nostdin -i {PBX} -p 5060"
    return ["sh", "-c", f"{register}; exec sipp -sn uas -nostdin -i {PBX} -p 5060"], lambda _: None


def pjsua2(slip: Slip, _folder: Path) -> tuple[list[str], Dial]:
    """pjsua_phone.py, where pjsua2 is installed."""
    script = str(Path(__file__).with_name("pjsua_phone.py"))

    def dial(number: str) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
            control.sendto(number.encode(), (PBX, _CONTROL))

    return [sys.executable, script, PBX, LAPTOP, slip.domain, slip.user, slip.password, str(_CONTROL)], dial


def kamailio(slip: Slip, folder: Path) -> tuple[list[str], Dial]:
    """Its uac registers at site A; it answers OPTIONS, and makes no calls."""
    modules = next(Path("/usr").glob("lib*/**/kamailio/modules"))
    (folder / "version").write_text("table_name(string) table_version(int)\nversion:1\nuacreg:5\n")
    account = f"1:{slip.user}:{slip.user}:{slip.domain}:{slip.user}:{slip.domain}:{slip.domain}:{slip.user}"
    (folder / "uacreg").write_text(f"{COLUMNS}{account}:{slip.password}::sip\\:{SITE_A}\\:5060:300:0:0::\n")
    (folder / "kamailio.cfg").write_text(CONFIG.format(pbx=PBX, port=5060, modules=modules, folder=folder))
    options = f"-DD -E -f {folder}/kamailio.cfg -Y {folder} -P {folder}/pid -m 16 -M 4"
    return ["/usr/sbin/kamailio", *options.split()], lambda _: None


CLIENTS = {"baresip": baresip, "sipp": sipp, "pjsua2": pjsua2, "kamailio": kamailio}


def rehearse(client: str, namespace: str, phases: list[str], patience: float) -> Heard:
    """With the phases of these names; where there are none, with all that need no hand at the PBX."""
    slip = Slip(DOMAIN, USER, "madeup12345", ("21669015",))
    played = [each for each in PHASES if each.name in phases]
    with tempfile.TemporaryDirectory() as name:
        command, dial = CLIENTS[client](slip, Path(name))

        def say(text: str) -> None:
            print(text, file=sys.stderr, flush=True)
            at = text.find("ial ")
            if at >= 0:
                dial(text[at + 4 :].split()[0].strip(".,;"))

        sites = ((SITE_A, 5060), (SITE_B, 5060))
        with Rehearsal(slip, PBX, (LAPTOP, 53), sites, patience=patience) as rehearsal:
            process = subprocess.Popen(
                ["ip", "netns", "exec", namespace, *command],
                cwd=name,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
            signal.signal(signal.SIGTERM, lambda *_: rehearsal.stop())
            try:
                return rehearsal.run(played, lambda phase: say(f"== {phase.name}"), say, lambda _question, _text: True)
            finally:
                process.kill()
                process.wait()


def verdicts(heard: Heard) -> dict[str, tuple[str, str]]:
    plan = plan_of_pbx("pbx rehearse", {"checklist": "go-native", "skip": ()})
    report = run(replace(plan, heard=heard), threading.Event(), Observer())
    return {verdict.id: (verdict.outcome.value, verdict.reason) for verdict in report.verdicts}


if __name__ == "__main__":
    print(json.dumps(verdicts(rehearse(sys.argv[1], sys.argv[2], sys.argv[3].split(","), float(sys.argv[4])))))
