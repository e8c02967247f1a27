"""The account against Kamailio, which counts what it receives: whatever goes wrong, never more than one authenticated
failing attempt a run, never a third in a row, and the password in nothing that anybody can read.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from .kamailio import PASSWORD, USER
from .quick import quick_checklist
from .rulesets import forward
from .site import Lab, site
from .tool import REPOSITORY, gosip_check

WRONG = "wr0ng-pl4nted-Pa55word"
ALG = """
table ip state {
    ct helper sip-udp {
        type "sip" protocol udp
    }
    chain helping {
        type filter hook prerouting priority -150
        udp dport 5060 ct helper set "sip-udp"
    }
}
"""


@pytest.fixture(scope="module")
def registrar() -> Iterator[Lab]:
    with site() as built:
        built.enter("ready")
        yield built


@dataclass
class Desk:
    """Somebody at the laptop, with a password file and a state folder of his own."""

    lab: Lab
    folder: Path

    def register(self, checklist: str, password: str, *options: str) -> dict[str, Any]:
        """The report; asserts that no output and no file of the tool holds the password."""
        file = self.folder / "password"
        file.write_text(password + "\n")
        file.chmod(0o600)
        report = self.folder / "report.json"
        tool = gosip_check("register", "--user", USER, "--password-file", str(file))
        tool += ["--checklist", str(quick_checklist(checklist, self.folder)), "--json", str(report), *options]
        done = self.run(tool)
        assert done.returncode in (0, 1, 3), done.stderr
        file.unlink()
        written = [path.read_text() for path in self.folder.rglob("*") if path.is_file()]
        for text in (done.stdout, done.stderr, *written):
            assert password not in text
        found: dict[str, Any] = json.loads(report.read_text())
        return found

    def run(self, argv: list[str]) -> "subprocess.CompletedProcess[str]":
        """A command line of the tool, or of a script that starts it, with the desk's own state folder."""
        return self.lab.run("lan", argv, check=False, timeout_s=120, environment=self.environment)

    @property
    def environment(self) -> dict[str, str]:
        return {"XDG_STATE_HOME": str(self.folder / "state")}

    def password_file(self) -> Path:
        """The right password."""
        file = self.folder / "password"
        file.write_text(PASSWORD)
        file.chmod(0o600)
        return file


def _verdict(report: dict[str, Any], id_: str) -> tuple[str, str]:
    verdict = next(v for v in report["verdicts"] if v["id"] == id_)
    return verdict["outcome"], verdict["reason"]


@pytest.fixture
def desk(registrar: Lab, tmp_path: Path) -> Desk:
    return Desk(registrar, tmp_path)


# fault -> what the right password, tried once, comes to: outcome, words, authenticated requests
RIGHT = {
    "none": ("pass", "takes user name and password", 1),
    "no qop": ("pass", "takes user name and password", 1),
    "unknown algorithm first": ("pass", "takes user name and password", 1),
    "nonce stale once": ("pass", "takes user name and password", 2),
    "nonce stale always": ("fail", "does not take", 2),
    "403 before the challenge": ("unknown", "none was sent", 0),
    "403 after the challenge": ("fail", "does not take user name and password (403 Forbidden)", 1),
    "silent after the challenge": ("unknown", "no answer came", 1),
    "cut after the challenge": ("unknown", "no answer came", 1),
}


@pytest.mark.parametrize("checklist", ["go-native", "go-gateway"])
@pytest.mark.parametrize("fault", RIGHT)
def test_the_right_password_meets_every_fault(desk: Desk, fault: str, checklist: str) -> None:
    outcome, words, authenticated = RIGHT[fault]
    kamailio = desk.lab.kamailio
    kamailio.register(fault)
    said = _verdict(desk.register(checklist, PASSWORD), "account.registers")
    assert said[0] == outcome, said
    assert words in said[1]
    assert (kamailio.count("authenticated"), kamailio.count("failed")) == (authenticated, 0)
    if outcome != "pass" and authenticated:
        again = desk.register(checklist, PASSWORD)
        assert _verdict(again, "account.registers")[0] == "unknown"
        assert "Not tried" in _verdict(again, "account.registers")[1]
        assert _verdict(again, "account.no-lockout-risk")[0] == "warn"
        assert kamailio.count("authenticated") == authenticated


@pytest.mark.parametrize("checklist", ["go-native", "go-gateway"])
@pytest.mark.parametrize("fault", ["none", "no qop", "nonce stale once"])
def test_a_wrong_password_never_fails_three_times(desk: Desk, fault: str, checklist: str) -> None:
    """Five runs of somebody who does not give up: what reaches the registrar stays below three in a row."""
    kamailio = desk.lab.kamailio
    kamailio.register(fault)
    counts = []
    for options in ([], [], ["--i-know"], ["--i-know"], ["--i-know", "--bind"]):
        report = desk.register(checklist, WRONG, *options)
        counts.append((kamailio.count("authenticated"), kamailio.count("failed")))
        assert _verdict(report, "account.registers")[0] in ("fail", "unknown")
    assert counts[0] == ((2, 1) if fault == "nonce stale once" else (1, 1))
    assert counts[1] == counts[0]
    steps = [after[1] - before[1] for before, after in zip([(0, 0), *counts], counts, strict=False)]
    assert max(steps) == 1
    assert counts[-1][0] <= 2
    assert kamailio.count("succeeded") == 0


def test_a_registrar_that_wants_sha_256(tmp_path: Path) -> None:
    with site(algorithm="SHA-256") as built:
        built.enter("ready")
        built.kamailio.register("none")
        own = Desk(built, tmp_path)
        assert "(SHA-256)" in _verdict(own.register("go-gateway", PASSWORD, "--bind"), "account.registers")[1]
        assert _verdict(own.register("go-native", WRONG), "account.registers")[0] == "fail"
        assert (built.kamailio.count("succeeded"), built.kamailio.count("failed")) == (2, 1)


def test_a_binding_is_made_and_taken_back(desk: Desk) -> None:
    kamailio = desk.lab.kamailio
    kamailio.register("none")
    report = desk.register("go-native", PASSWORD, "--bind")
    facts = next(m["facts"] for m in report["measurements"] if m["probe"] == "registration")
    assert (facts["granted_s"], facts["removed"], facts["realm"]) == (295, True, "trunk.gotel.com.mt")
    assert facts["service_route"] == ["<sip:217.22.184.27:5060;lr>"]
    assert facts["received"] == "192.88.99.2"
    assert _verdict(report, "account.expiry")[0] == "pass"
    assert kamailio.bindings() == []


def test_asking_leaves_the_binding_of_a_pbx_alone(desk: Desk) -> None:
    """sipsak stands for the PBX: its binding is there before and after, and the tool tells of it."""
    kamailio = desk.lab.kamailio
    kamailio.register("none")
    sipsak = ["sipsak", "-U", "-C", f"sip:{USER}@192.0.2.5:5060", "-x", "295", "-u", USER, "-a", PASSWORD]
    done = desk.lab.run("go", [*sipsak, "-s", f"sip:{USER}@217.22.184.27:5060"], check=False)
    if kamailio.bindings() == []:
        pytest.skip(f"this sipsak cannot answer the challenge: {done.stdout[-200:]}")
    report = desk.register("go-native", PASSWORD)
    assert "192.0.2.5" in _verdict(report, "account.registers")[1]
    assert kamailio.bindings() == [f"sip:{USER}@192.0.2.5:5060"]


def test_an_alg_on_the_way_costs_at_most_one_attempt(desk: Desk) -> None:
    desk.lab.nft("cpe", ALG)
    desk.lab.flush()
    desk.lab.kamailio.register("none")
    desk.register("go-native", WRONG, "--bind")
    desk.register("go-native", WRONG, "--bind")
    desk.lab.enter("ready")
    assert desk.lab.kamailio.count("authenticated") <= 1


def test_the_whole_checklist_and_an_alg(desk: Desk) -> None:
    """The shipped checklist as it is: no password is sent before `alg.absent` has passed, where it has that."""
    file = desk.password_file()
    argv = gosip_check("register", "--user", USER, "--password-file", str(file), "--json", "-", "--quiet")
    for rules, alg, account, sent in ((None, "pass", "pass", 1), (ALG, "fail", "skipped", 0)):
        desk.lab.enter("ready")
        if rules:
            desk.lab.nft("cpe", rules)
            desk.lab.flush()
        desk.lab.kamailio.register("none")
        report = json.loads(desk.run(argv).stdout)
        assert _verdict(report, "alg.absent")[0] == alg
        assert _verdict(report, "account.registers")[0] == account
        assert desk.lab.kamailio.count("authenticated") == sent
    desk.lab.enter("ready")


def test_no_password_is_sent_where_signalling_fails(desk: Desk) -> None:
    desk.lab.nft("cpe", forward("udp dport 5060 drop"))
    desk.lab.kamailio.register("none")
    report = desk.register("go-native", PASSWORD)
    desk.lab.enter("ready")
    assert _verdict(report, "account.registers")[0] == "skipped"
    assert (desk.lab.kamailio.count("asked"), desk.lab.kamailio.count("authenticated")) == (0, 0)


def test_the_password_is_in_no_process_list(desk: Desk) -> None:
    """While the tool waits for an answer that does not come."""
    desk.lab.kamailio.register("silent after the challenge")
    file = desk.password_file()
    tool = gosip_check("register", "--user", USER, "--password-file", str(file))
    tool += ["--checklist", str(quick_checklist("go-native", desk.folder))]
    log = desk.folder / "log"
    process = desk.lab.rooms.start("lan", ["env", f"XDG_STATE_HOME={desk.folder / 'state'}", *tool], log)
    while desk.lab.kamailio.count("authenticated") == 0:
        assert process.poll() is None, log.read_text()
    seen = [Path(f"/proc/{process.pid}/{name}").read_bytes() for name in ("cmdline", "environ")]
    process.wait(30)
    assert b"gosip_check" in seen[0]
    assert all(PASSWORD.encode() not in text for text in (*seen, log.read_bytes()))


@pytest.mark.parametrize(
    "where", ["gosip_check.wire.digest.response", "gosip_check.probes.account.registration._bindings"]
)
def test_the_password_is_in_no_crash(desk: Desk, where: str) -> None:
    """A bug at the worst place, whose very words are the password."""
    module, _, name = where.rpartition(".")
    script = desk.folder / "crash.py"
    script.write_text(
        f"import sys, {module} as module\n"
        f"def crash(*a, **k): raise RuntimeError(open({str(desk.folder / 'password')!r}).read())\n"
        f"module.{name} = crash\n"
        "from gosip_check.__main__ import main\n"
        "main()\n"
    )
    file = desk.password_file()
    desk.lab.kamailio.register("none")
    tool = ["env", f"PYTHONPATH={REPOSITORY}", sys.executable, str(script)]
    tool += ["register", "--user", USER, "--password-file", str(file), "--json", "-"]
    done = desk.run([*tool, "--checklist", str(quick_checklist("go-native", desk.folder))])
    assert "RuntimeError: its words are kept back" in done.stdout
    assert PASSWORD not in done.stdout + done.stderr
    assert os.listdir(desk.folder / "state" / "gosip-check")


def test_the_shipped_checklist_tries_the_account_once(desk: Desk) -> None:
    """`run --account FILE` with two lines: one attempt, on the first of them."""
    account = desk.folder / "account.toml"
    account.write_text(f'user = "{USER}"\npassword = "{PASSWORD}"\n')
    account.chmod(0o600)
    desk.lab.kamailio.register("none")
    tool = gosip_check("run", "--account", str(account), "--json", "-", "--quiet")
    tool += ["--link", "Internet-1=to-cpe", "--link", "Internet-2=192.168.1.10"]
    done = desk.run([*tool, "--checklist", str(quick_checklist("go-native", desk.folder))])
    assert PASSWORD not in done.stdout + done.stderr
    verdicts = [v for v in json.loads(done.stdout)["verdicts"] if v["id"] == "account.registers"]
    assert [(v["link"], v["outcome"]) for v in verdicts] == [("Internet-1", "pass")]
    assert desk.lab.kamailio.count("authenticated") == 1
