"""People who do not give up: runs of `register` with a wrong password, from whatever user, with whatever spelling and
checklist, one after the other or at once, and Kamailio's count of failures in a row after each of them.

The provider locks an account after three. What must hold: never above two, and above one only after `--i-know`.
"""

import itertools
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from .kamailio import PASSWORD, USER
from .machine import ANNA, BERT, ROOT, SUDO, Machine, User
from .site import Lab

WRONG = "wr0ng-pl4nted-Pa55word"
SPELLINGS = (USER, f"+{USER}", f"00{USER}", "356.2100-0000", "21000000")
CHECKLISTS = ("go-native", "go-gateway", "own")

_ENDS_WITHIN_S = 90.0
_numbers = itertools.count(1)


@dataclass(frozen=True)
class Step:
    """One run. silent: its digest is counted and gets no answer. killed: by SIGKILL, once that has arrived.

    beside: another run, started at the same moment.
    """

    user: User = ROOT
    account: str = USER
    checklist: str = "go-native"
    auth_user: str | None = None
    again: bool = False
    bind: bool = False
    right: bool = False
    silent: bool = False
    killed: bool = False
    beside: "Step | None" = None

    def __str__(self) -> str:
        options = ["--i-know"] * self.again + ["--bind"] * self.bind
        options += [f"--auth-user {self.auth_user}"] if self.auth_user else []
        ends = ["(right password)"] * self.right + ["(killed)"] * self.killed + ["(no answer)"] * self.silent
        words = " ".join([f"{self.user.name}: {self.account} {self.checklist}", *options, *ends])
        return words if self.beside is None else f"{words} | {self.beside}"


@dataclass
class Lockout:
    """A provider and a machine that never saw the account. told: a line for each step; broken: what must not be."""

    lab: Lab
    machine: Machine
    told: list[str] = field(default_factory=list)
    broken: str | None = None
    _knows: bool = False

    def __post_init__(self) -> None:
        self.machine.forget()
        self.lab.kamailio.register("none")

    @property
    def worst(self) -> int:
        """Failures in a row, at any time."""
        return self.lab.kamailio.count("worst")

    def take(self, step: Step) -> None:
        """Carry a step out to its end, and look whether all that must hold still does."""
        kamailio = self.lab.kamailio
        succeeded, tried = kamailio.count("succeeded"), kamailio.count("authenticated")
        together = [step] if step.beside is None else [step, step.beside]
        self._knows = self._knows or any(one.again for one in together)
        kamailio.meet("silent after the challenge" if step.killed or step.silent else "none")
        runs = [(one, *self._start(one)) for one in together]
        for one, process, log in runs:
            while one.killed and process.poll() is None:
                if kamailio.count("authenticated") > tried:
                    process.kill()
                    break
            code = process.wait(_ENDS_WITHIN_S)
            if code not in (0, 1, 2, 3) and not one.killed:
                raise AssertionError(f"{one}: exit code {code}\n{log.read_text()}")
        row, worst, used = kamailio.count("row"), self.worst, kamailio.count("authenticated") - tried
        self.told.append(f"{used:>7} {row:>7} {worst:>6}  {step}")
        if worst > 2:
            self.broken = "three failures in a row: the account is locked"
        elif row > 1 and not self._knows:
            self.broken = "a second failure in a row without --i-know"
        if kamailio.count("succeeded") > succeeded:
            self._knows = False

    def _start(self, step: Step) -> "tuple[subprocess.Popen[bytes], Path]":
        number = next(_numbers)
        password = self.machine.private(f"password-{number}", PASSWORD if step.right else WRONG, step.user)
        checklist = self.machine.checklist("go-native", "own") if step.checklist == "own" else None
        arguments = ["register", "--user", step.account, "--password-file", str(password), "--quiet"]
        arguments += ["--checklist", str(checklist or self.machine.checklist(step.checklist))]
        arguments += ["--i-know"] * step.again + ["--bind"] * step.bind
        arguments += ["--auth-user", step.auth_user] if step.auth_user else []
        log = self.machine.home(step.user) / f"log-{number}"
        return self.lab.rooms.start("lan", self.machine.tool(*arguments, user=step.user), log), log


SHORT: tuple[tuple[Step, ...], ...] = (
    (
        Step(ANNA),
        Step(BERT, SPELLINGS[1]),
        Step(SUDO, SPELLINGS[2], "go-gateway", again=True),
        Step(ROOT, again=True),
        Step(BERT, SPELLINGS[3], "own", again=True),
    ),
    (
        Step(BERT, killed=True),
        Step(ANNA),
        Step(ANNA, SPELLINGS[1], again=True, silent=True, beside=Step(ROOT, checklist="go-gateway", again=True)),
        Step(SUDO, again=True, bind=True),
    ),
)
"A few steps of each kind, for every run of the tests."
