"""The account against Kamailio, which counts what it receives: whatever goes wrong, never more than one authenticated
failing attempt a run, never a third in a row, and the password in nothing that anybody can read.
"""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from .kamailio import PASSWORD, USER
from .lockout import SHORT, Lockout
from .machine import ROOT, Machine, User, machine, why_no_other_user
from .rulesets import forward
from .site import Lab, site

REPOSITORY = Path(__file__).parents[2]
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
    """Somebody at the laptop, with a password file."""

    lab: Lab
    machine: Machine

    def start(self, password: str, *options: str) -> tuple["subprocess.Popen[bytes]", Path]:
        """`register` in the background, and where it writes."""
        file, log = self.machine.private("password", password), self.machine.home() / "log"
        arguments = ["register", "--user", USER, "--password-file", str(file), *options]
        arguments += ["--checklist", str(self.machine.checklist("go-native"))]
        return self.lab.rooms.start("lan", self.machine.tool(*arguments), log), log

    def wait_until(self, counter: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
        """Until Kamailio has counted one."""
        while self.lab.kamailio.count(counter) == 0:
            assert process.poll() is None, log.read_text()

    def register(self, checklist: str, password: str, *options: str, user: User = ROOT) -> dict[str, Any]:
        """The report; asserts that no output and no file of the tool holds the password."""
        file = self.machine.private("password", password + "\n", user)
        report = self.machine.home(user) / "report.json"
        report.unlink(missing_ok=True)
        arguments = ["register", "--user", USER, "--password-file", str(file)]
        arguments += ["--checklist", str(self.machine.checklist(checklist)), "--json", str(report), *options]
        done = self.lab.run("lan", self.machine.tool(*arguments, user=user), check=False, timeout_s=60)
        assert done.returncode in (0, 1, 3), done.stderr
        file.unlink()
        written = [path.read_text() for path in self.machine.written]
        for text in (done.stdout, done.stderr, *written):
            assert password not in text
        found: dict[str, Any] = json.loads(report.read_text())
        return found


def _verdict(report: dict[str, Any], id_: str) -> tuple[str, str]:
    verdict = next(v for v in report["verdicts"] if v["id"] == id_)
    return verdict["outcome"], verdict["reason"]


def _options(report: dict[str, Any]) -> dict[str, Any]:
    options: dict[str, Any] = next(m["options"] for m in report["measurements"] if m["probe"] == "registration")
    return options


@pytest.fixture
def desk(registrar: Lab) -> Iterator[Desk]:
    with machine() as built:
        yield Desk(registrar, built)


# fault -> what the right password, tried once, comes to: outcome, words, authenticated requests
RIGHT = {
    "none": ("pass", "takes user name and password", 1),
    "no qop": ("pass", "takes user name and password", 1),
    "unknown algorithm first": ("pass", "takes user name and password", 1),
    "nonce stale once": ("pass", "takes user name and password", 2),
    "two challenges in one field": ("pass", "takes user name and password", 1),
    "a TAB behind Digest": ("pass", "takes user name and password", 1),
    "407": ("pass", "takes user name and password", 1),
    "no challenge": ("unknown", "asks for no password", 0),
    "nonce stale always": ("unknown", "neither yes nor no", 2),
    "403 before the challenge": ("unknown", "none was sent", 0),
    "403 after the challenge": ("unknown", '403 Forbidden, Warning: 399 trunk "not from here" to the password', 1),
    "503 after the challenge": ("unknown", "503 Service Unavailable to the password", 1),
    "silent after the challenge": ("unknown", "no answer came", 1),
    "cut after the challenge": ("unknown", "no answer came", 1),
}


OVER_A_STREAM = ("none", "407", "nonce stale once", "silent after the challenge", "cut after the challenge")


@pytest.mark.parametrize(
    ("fault", "checklist"),
    [*((fault, "go-native") for fault in RIGHT), *((fault, "go-gateway") for fault in OVER_A_STREAM)],
)
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


@pytest.mark.parametrize(
    ("fault", "checklist"),
    [("none", "go-native"), ("407", "go-native"), ("nonce stale once", "go-native"), ("none", "go-gateway")],
)
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


def test_a_registrar_that_wants_sha_256() -> None:
    with site(algorithm="SHA-256") as built, machine() as at:
        built.enter("ready")
        built.kamailio.register("none")
        own = Desk(built, at)
        assert "(SHA-256)" in _verdict(own.register("go-gateway", PASSWORD, "--bind"), "account.registers")[1]
        assert _verdict(own.register("go-native", WRONG), "account.registers")[0] == "fail"
        assert (built.kamailio.count("succeeded"), built.kamailio.count("failed")) == (3, 1)


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


# fault -> what comes of the right password and --bind: registered, granted, removed, authenticated requests, words
BOUND = {
    "407": (True, 295, True, 3, "It was taken back."),
    "no challenge": (None, 295, True, 0, "asks for no password"),
    "no challenge, and a port altered": (None, 295, True, 0, ":1234"),
    "423 for a contact": (True, None, None, 2, "no time below 600 s"),
    "403 for a contact": (True, None, None, 2, '403 Forbidden, Warning: 399 trunk "the only contact is taken"'),
    "200 without a contact": (True, None, True, 3, "does not say for how long"),
}


@pytest.mark.parametrize("fault", BOUND)
def test_nothing_stays_bound(desk: Desk, fault: str) -> None:
    desk.lab.kamailio.register(fault)
    report = desk.register("go-native", PASSWORD, "--bind")
    facts = next(m["facts"] for m in report["measurements"] if m["probe"] == "registration")
    registered, granted_s, removed, authenticated, words = BOUND[fault]
    assert (facts["registered"], facts["granted_s"], facts["removed"]) == (registered, granted_s, removed)
    assert words in facts["evidence"]["registered"]
    assert "None" not in facts["evidence"]["registered"]
    assert desk.lab.kamailio.bindings() == []
    assert (desk.lab.kamailio.count("authenticated"), desk.lab.kamailio.count("failed")) == (authenticated, 0)


def test_a_registrar_whose_nonces_are_good_for_one_request() -> None:
    """It never says stale: every second request is challenged anew, and answered once."""
    with site(one_time_nonces=True) as built, machine() as at:
        built.enter("ready")
        for checklist in ("go-native", "go-gateway"):
            built.kamailio.register("none")
            report = Desk(built, at).register(checklist, PASSWORD, "--bind")
            facts = next(m["facts"] for m in report["measurements"] if m["probe"] == "registration")
            assert (facts["registered"], facts["granted_s"], facts["removed"]) == (True, 295, True)
            assert (facts["attempts_used"], facts["failures_now"]) == (5, 0)
            assert built.kamailio.bindings() == []
        built.kamailio.register("none")
        report = Desk(built, at).register("go-native", WRONG, "--bind")
        assert _verdict(report, "account.registers")[0] == "fail"
        assert (built.kamailio.count("authenticated"), built.kamailio.count("failed")) == (1, 1)


@pytest.mark.parametrize("fault", ["silent to a contact", "silent to a contact, and to taking it back"])
def test_a_run_that_is_interrupted_while_it_is_bound(desk: Desk, fault: str) -> None:
    """Ctrl-C where the provider holds our contact and has not answered yet."""
    desk.lab.kamailio.register(fault)
    process, log = desk.start(PASSWORD, "--bind")
    desk.wait_until("bound", process, log)
    process.send_signal(signal.SIGINT)
    process.wait(30)
    last = log.read_text().rstrip().splitlines()[-1]
    assert ("This computer may still be registered as" in last) == fault.endswith("taking it back")
    held = desk.lab.kamailio.bindings()
    assert (held == []) == (fault == "silent to a contact")
    assert all(contact in last for contact in held)


def test_an_authentication_name_of_its_own(desk: Desk) -> None:
    """Kamailio takes any name, and computes the digest with the one that came."""
    desk.lab.kamailio.register("none")
    report = desk.register("go-native", PASSWORD, "--bind", "--auth-user", "\u00dc ess:47 @x, y")
    assert _options(report)["auth_user"] == "\u00dc ess:47 @x, y"
    assert _verdict(report, "account.registers")[0] == "pass"
    assert desk.lab.kamailio.bindings() == []


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
    file = desk.machine.private("password", PASSWORD)
    tool = desk.machine.tool("register", "--user", USER, "--password-file", str(file), "--json", "-", "--quiet")
    for rules, alg, account, sent in ((None, "pass", "pass", 1), (ALG, "fail", "skipped", 0)):
        desk.lab.enter("ready")
        if rules:
            desk.lab.nft("cpe", rules)
            desk.lab.flush()
        desk.lab.kamailio.register("none")
        report = json.loads(desk.lab.run("lan", tool, check=False, timeout_s=120).stdout)
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
    process, log = desk.start(PASSWORD)
    desk.wait_until("authenticated", process, log)
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
    file, script = desk.machine.private("password", PASSWORD), desk.machine.home() / "crash.py"
    script.write_text(
        f"import sys, {module} as module\n"
        f"def crash(*a, **k): raise RuntimeError(open({str(file)!r}).read())\n"
        f"module.{name} = crash\n"
        "from gosip_check.__main__ import main\n"
        "main()\n"
    )
    desk.lab.kamailio.register("none")
    tool = [sys.executable, str(script), "register", "--user", USER, "--password-file", str(file), "--json", "-"]
    tool += ["--checklist", str(desk.machine.checklist("go-native"))]
    done = desk.lab.run("lan", desk.machine.command(tool), check=False, timeout_s=60)
    assert "RuntimeError: its words are kept back" in done.stdout
    assert PASSWORD not in done.stdout + done.stderr
    assert (desk.machine.folder / "lib" / "gosip-check" / "attempts.json").exists()


def test_the_shipped_checklist_tries_the_account_once(desk: Desk) -> None:
    """`run --account FILE` with two lines: one attempt, on the first of them."""
    lines = f'user = "{USER}"\nauth_user = "ess 47 @x"\npassword = "{PASSWORD}"\n'
    account = desk.machine.private("account.toml", lines)
    desk.lab.kamailio.register("none")
    tool = ["run", "--account", str(account), "--gentle", "--json", "-", "--quiet"]
    tool += ["--link", "Internet-1=to-cpe", "--link", "Internet-2=192.168.1.10"]
    tool += ["--checklist", str(desk.machine.checklist("go-native"))]
    done = desk.lab.run("lan", desk.machine.tool(*tool), check=False, timeout_s=60)
    assert PASSWORD not in done.stdout + done.stderr
    report = json.loads(done.stdout)
    assert _options(report)["auth_user"] == "ess 47 @x"
    verdicts = [v for v in report["verdicts"] if v["id"] == "account.registers"]
    assert [(v["link"], v["outcome"]) for v in verdicts] == [("Internet-1", "pass")]
    assert desk.lab.kamailio.count("authenticated") == 1


def test_whoever_tries_the_account_is_not_locked_out(desk: Desk) -> None:
    """Users, sudo, checklists, spellings, two runs at once, and one that is killed; tests/bench/bench_lockout.py tries
    many more.
    """
    reason = why_no_other_user()
    if reason is not None:
        pytest.skip(reason)
    for steps in SHORT:
        trial = Lockout(desk.lab, desk.machine)
        for step in steps:
            trial.take(step)
            assert trial.broken is None, trial.told
        assert trial.worst == 2, trial.told  # somebody who knows did reach the registrar
