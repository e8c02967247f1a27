"""`pbx rehearse` as a program: a scripted PBX registers at it, its report is used like any other, and how it ends."""

import itertools
import json
import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import dns.message
import pytest

from gosip_check.servers.rehearsal.rehearsal import Rehearsal
from tests.rehearsed import DOMAIN, USER, password_on, places, read_until, rehearsing
from tests.saved import here
from tests.unit.servers.rehearsal import test_rehearsal as scripted

LIST = "PUT BACK"
OWN = f"127.{100 + os.getpid() // 250 % 100}.{os.getpid() % 250}"
"Tests side by side share a network: those of this process have addresses of their own."
PBX = f"{OWN}.1"
_hosts = itertools.count(2)


@pytest.fixture
def laptop() -> str:
    return f"{OWN}.{next(_hosts)}"


@pytest.fixture
def sock() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind((PBX, 0))
        sock.settimeout(20)
        yield sock


@pytest.fixture
def pbx(laptop: str, sock: socket.socket, monkeypatch: pytest.MonkeyPatch) -> scripted.Pbx:
    monkeypatch.setattr(scripted, "DOMAIN", DOMAIN)
    monkeypatch.setattr(scripted, "USER", USER)
    return scripted.Pbx(cast(Rehearsal, places(laptop)), sock, "")


def test_a_pbx_registers_and_the_report_is_one_like_any_other(laptop: str, pbx: scripted.Pbx, tmp_path: Path) -> None:
    file, again = tmp_path / "pbx.json", tmp_path / "again.json"
    with rehearsing(laptop, PBX, "--numbers", "21669015", "--json", file, "--skip", "pbx.rport") as program:
        slip = read_until(program, "1 of 2")
        assert "--json" not in slip
        pbx.password = password_on(slip)
        pbx.look_up(f"_sip._udp.{DOMAIN}", "SRV")
        for site in ("site-a", "site-b"):
            pbx.look_up(f"{site}.{DOMAIN}", "A")
        assert pbx.register().status == 200
        read_until(program, "2 of 2")
        assert pbx.register().status == 200
        _, said = program.communicate(timeout=60)
    assert "  SIP  REGISTER to site A: 200\n" in said
    assert LIST in said
    assert said.endswith("put back, as far as can be seen.\n")
    assert program.returncode == 3
    report = json.loads(file.read_text())
    outcomes = {verdict["id"]: verdict["outcome"] for verdict in report["verdicts"]}
    assert {outcomes[f"pbx.{id_}"] for id_ in ("asks-srv", "srv-order", "auth", "register-ruri")} == {"pass"}
    assert outcomes["pbx.rport"] == "skipped"
    assert "pbx.contact-public" not in outcomes  # a capture alone can show it
    assert pbx.password not in file.read_text()
    assert here("report", "judge", file, "--checklist", "go-native", "--json", again)[0] == 3
    judged = {verdict["id"]: verdict["outcome"] for verdict in json.loads(again.read_text())["verdicts"]}
    assert judged == outcomes
    assert "undecided" in here("report", "check", file)[1]
    assert here("report", "compare", file, again)[1].startswith("fixed 0, worse 0,")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_it_with_a_report_and_the_list(laptop: str, number: int, tmp_path: Path) -> None:
    file = tmp_path / "pbx.json"
    with rehearsing(laptop, PBX, "--json", file) as program:
        read_until(program, "1 of 2")
        program.send_signal(number)
        said = read_until(program, LIST)
        program.communicate(timeout=60)
    assert LIST in said
    assert program.returncode == 3
    assert json.loads(file.read_text())["outcome"] == "inconclusive"


def test_what_was_killed_is_listed_by_the_next_start_and_nothing_listens(laptop: str, pbx: scripted.Pbx) -> None:
    with rehearsing(laptop, PBX) as program:
        assert "name a file with --json" in read_until(program, "1 of 2")
        program.kill()
        program.wait()
    pbx.sock.sendto(dns.message.make_query(DOMAIN, "A").to_wire(), places(laptop).dns_place)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind((laptop, 5060))
    code, said = here("pbx", "rehearse", "--user", USER, "--pbx", "8.8.8.8", "--address", laptop)
    assert code == 2
    assert said.index("was not seen to be put back") < said.index(LIST) < said.index("is a public address")
