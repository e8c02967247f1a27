"""Carries `pbx rehearse` out: what is missing, the slip, the phases, the report, and what to put back.

However it ends, the list of what to put back is printed, or stays noted for the next start (put_back.py).
"""

from __future__ import annotations

import contextlib
import math
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from ipaddress import IPv4Address
from typing import TYPE_CHECKING, Any, Literal

import click

from gosip_check.cli.carry_out import check, exit_code, is_the_same_wish
from gosip_check.cli.exits import UsageProblem
from gosip_check.cli.inputs import signing_key
from gosip_check.cli.outputs import outputs_of
from gosip_check.cli.rehearsal.place import DNS_PORT, SECOND_SIP_PORT, SIP_PORT, Ground, ground_of, taken
from gosip_check.cli.rehearsal.put_back import Begun, PutBack, say_what_was_left
from gosip_check.cli.rehearsal.screen import screen
from gosip_check.cli.rehearsal.slip import slip_text
from gosip_check.servers.rehearsal.media import PORTS
from gosip_check.servers.rehearsal.phases import PHASES, Phase
from gosip_check.servers.rehearsal.rehearsal import Rehearsal, RehearsalStop, Slip, made_up_password

if TYPE_CHECKING:
    from gosip_check.heard import Heard
    from gosip_check.plan import Plan
    from gosip_check.records import Trunk

LONG = "long"
"What --skip calls all phases that take long."

_TWO_SITES = ("srv-swapped", "a-silent")
"Without DNS the PBX knows of one site only."

_IN = ("incoming", "routing", "site-b-call", "forward")
_OUT = ("outgoing", "outgoing-international", "withheld", "session-refresh", "transfer", "a-silent")
_CALLS = (*_IN, *_OUT)

SHOWN_BY = {
    "pbx.follows-ttl": ("srv-swapped",),
    "pbx.invite-target": _OUT,
    "pbx.ppi": _OUT,
    "pbx.from-national": _OUT,
    "pbx.from-forwarded": ("forward",),
    "pbx.clir": ("withheld",),
    "pbx.to-format": _OUT,
    "pbx.invite-contact": _OUT,
    "pbx.invite-auth": ("outgoing-international",),
    "pbx.codec-alaw": _CALLS,
    "pbx.ptime": _CALLS,
    "pbx.no-extras": _OUT,
    "pbx.rtp-both-ways": _CALLS,
    "pbx.dtmf-rfc2833": _CALLS,
    "pbx.dtmf-receives": ("incoming",),
    "pbx.session-timer": _OUT,
    "pbx.session-refresh": ("session-refresh",),
    "pbx.session-refreshed": ("incoming",),
    "pbx.incoming-call": _IN,
    "pbx.routes-by-to": ("routing",),
    "pbx.incoming-number": ("incoming", "site-b-call"),
    "pbx.tolerates-headers": _IN,
    "pbx.100rel": _IN,
    "pbx.early-media": ("outgoing",),
    "pbx.hold": ("incoming",),
    "pbx.hangs-up": _CALLS,
    "pbx.fails-over": ("a-silent",),
    "pbx.fails-over-call": ("a-silent",),
    "pbx.fails-back": ("a-back",),
    "pbx.retry-polite": ("a-silent", "a-503"),
    "pbx.lockout-safe": ("refuse-401-new", "refuse-401-same", "refuse-403"),
    "pbx.unregisters": ("trunk-off",),
}
"Requirement -> the phases of which one shows it. Where all are left out on request, so is the requirement."

_NOTHING_CAME = (
    "Nothing of the PBX came. Can the PBX ping this laptop? From it, the laptop's firewall must let in UDP "
    f"{DNS_PORT}, {SIP_PORT}, {SECOND_SIP_PORT} and {PORTS[0]} to {PORTS[-1]}."
)
_NOT_REGISTERED = "The PBX did not register here, so the rest was not tried. Is the password that of the slip?"


def rehearse(plan: Plan, numbers: Sequence[str], options: Mapping[str, Any]) -> int:
    """The exit code. phases: by their names in options. Raises UsageProblem before the PBX is touched."""
    say_what_was_left()
    _find_out_what_cannot_be_written(options)
    has_dns = not options["no_dns"]
    phases = phases_of(options["left_out"], options["only"], has_dns=has_dns)
    ground = ground_of(options)
    trunk = plan.checklist.trunk
    slip = Slip(trunk.domain, options["user"], made_up_password(), tuple(_national(each, trunk) for each in numbers))
    begun = Begun(datetime.now(UTC), slip.domain, ground.address, has_dns, ground.second)
    signals = _Signals()
    with taken(ground), PutBack(begun) as to_put_back, signals.heeded():
        click.echo(slip_text(slip, ground, phases, trunk.provider), err=True)
        if options["json"] is None:
            click.echo("\nNothing of it is kept: Ctrl-C, and name a file with --json, to keep the report.", err=True)
        if sys.stdin.isatty() and not options["yes"]:
            click.prompt("\nReturn to begin", default="", show_default=False, prompt_suffix=" ", err=True)
        with Rehearsal(slip, ground.pbx, ground.dns_place, ground.sites, resolver=ground.resolver) as rehearsal:
            plan.remains.extend(_play(rehearsal, phases, signals, quiet=options["quiet"]))
            heard = rehearsal.heard()
            heard = replace(
                heard,
                show_numbers=options["show_numbers"],
                is_inside=not IPv4Address(ground.address).is_global,
                pointed_by=_pointed_by(heard, ground),
            )
            skip = [*plan.skip, *not_shown(phases, has_dns=has_dns)]
            ended = check(replace(plan, heard=heard, skip=skip), options)
            to_put_back.say()
            if not ended.stopped and signals.first in (None, signal.SIGINT):
                to_put_back.watch(rehearsal, signals)
    return exit_code(ended.report.outcome)


def _find_out_what_cannot_be_written(options: Mapping[str, Any]) -> None:
    """Before, and not after half an hour. Raises UsageProblem."""
    from gosip_check.report import FORMATS

    signing_key(options["sign_key_file"], signs=True)
    with contextlib.ExitStack() as stack:
        outputs_of({name: options[name] for name in FORMATS}, stack)


def _national(number: str, trunk: Trunk) -> str:
    """Without the country code, should it have one."""
    code, digits = trunk.country_code, number.removeprefix("+")
    has_code = code != "" and digits.startswith(code) and len(digits) == len(code) + trunk.national_digits
    return digits.removeprefix(code) if has_code else number


def phases_of(left_out: Sequence[str], only: Sequence[str], *, has_dns: bool) -> list[Phase]:
    """Those to play, in their order; the registration always. Raises UsageProblem for a name that there is not."""
    names = [phase.name for phase in PHASES]
    for option, name in [*(("--skip", name) for name in left_out), *(("--only", name) for name in only)]:
        if name not in names and not (option == "--skip" and name == LONG):
            known = ", ".join([*names, *[LONG] * (option == "--skip")])
            raise UsageProblem(f"{option} {name!r}: there is no such phase; there are {known}.")
    return [
        phase
        for number, phase in enumerate(PHASES)
        if number == 0
        or (
            phase.name not in left_out
            and not (phase.is_long and LONG in left_out)
            and (not only or phase.name in only)
            and (has_dns or phase.name not in _TWO_SITES)
        )
    ]


def not_shown(phases: Sequence[Phase], *, has_dns: bool) -> list[str]:
    """The requirements that nothing shows any more, because it was left out on request."""
    not_asked = {phase.name for phase in PHASES} - {phase.name for phase in phases}
    if not has_dns:
        not_asked -= {*_TWO_SITES}
    return [id_ for id_, names in SHOWN_BY.items() if not_asked and not_asked.issuperset(names)]


def _play(rehearsal: Rehearsal, phases: Sequence[Phase], signals: _Signals, *, quiet: bool) -> list[str]:
    """A sentence where it ended before the last phase by itself."""
    with screen(rehearsal, len(phases), quiet=quiet) as shown, signals.stopping(rehearsal.stop, shown.ended):
        try:
            for number, phase in enumerate(phases):
                shown.repeats = True
                while shown.repeats and signals.first is None:
                    rehearsal.run([phase], shown.began, shown.say, shown.ask)
                if number == 0 and signals.first is None and not _is_registered(rehearsal.heard()):
                    return [_NOT_REGISTERED if rehearsal.signs else _NOTHING_CAME]
        except RehearsalStop as stop:
            return [str(stop)]
    return []


def _is_registered(heard: Heard) -> bool:
    return any(each.status == 200 for each in heard.requests("REGISTER"))


def _pointed_by(heard: Heard, ground: Ground) -> Literal["dns", "proxy", "address"]:
    """Without DNS: by a proxy where the PBX still names the trunk, else by the laptop's address as its server."""
    if ground.has_dns:
        return "dns"
    asked = [f"{each.request.sip.uri}" for each in heard.requests("REGISTER")]  # type: ignore[union-attr]
    return "address" if any(ground.address in uri for uri in asked) else "proxy"


@dataclass
class _Signals:
    """first: the signal that ended the phases. Before them, and when a second one comes, it is left at once."""

    first: int | None = None
    _first_s: float = -math.inf
    _has_begun: bool = False
    _stop: Callable[[], None] | None = None

    @contextlib.contextmanager
    def heeded(self) -> Iterator[None]:
        """SIGINT, SIGTERM, and SIGHUP for a terminal that was closed."""
        before = {
            number: signal.signal(number, self._came) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        }
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    @contextlib.contextmanager
    def stopping(self, *stop: Callable[[], None]) -> Iterator[None]:
        """Meanwhile the next one calls these. From then on the first one alone ends nothing else: no report is lost."""

        def stop_all() -> None:
            for each in stop:
                each()

        self._stop, self._has_begun = stop_all, True
        try:
            yield
        finally:
            self._stop = None

    def _came(self, number: int, frame: object) -> None:
        del frame
        if self.first is not None and is_the_same_wish(number, self._first_s):
            return
        if self.first is None:
            self._first_s = time.monotonic()
        stop, self._stop = self._stop, None
        is_first, self.first = self._has_begun and self.first is None, self.first or number
        if stop is not None:
            stop()
        elif not is_first:
            raise KeyboardInterrupt
