"""`schedule`: have the system run the light check. Shows what it would write before it writes anything."""

from __future__ import annotations

import getpass
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import click

from gosip_check.cli.commands import Commands, example
from gosip_check.cli.exits import EXIT_INCONCLUSIVE, EXIT_READY, ToolFailed, UsageProblem, input_errors, output_errors
from gosip_check.cli.health import check_options, health, seconds_of

_kind = click.option(
    "--kind", type=click.Choice(["systemd", "cron"]), help="What keeps the time. [default: systemd where it runs]"
)
_system = click.option("--system", is_flag=True, help="For the whole machine, not for this user; needs root.")


@click.group(cls=Commands, epilog=example("schedule install --every 15m"))
def schedule() -> None:
    """Have this machine run `gosip-check health` by itself."""


@schedule.command(epilog=example("schedule install --every 15m"))
@click.option("--every", metavar="TIME", default="15m", show_default=True, help="Such as 5m, 15m or 1h.")
@_kind
@_system
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.argument("options", nargs=-1, metavar="[-- OPTIONS OF health]")
def install(every: str, kind: str | None, system: bool, yes: bool, options: tuple[str, ...]) -> int:
    """Write a timer, after showing it.

    What stands behind -- goes to `gosip-check health`.
    """
    from gosip_check.health.schedule import ScheduleError

    every_s = int(seconds_of(every, "--every", 30))
    with health.make_context("health", list(options)) as context:
        check_options(**context.params)  # said now, and not every quarter of an hour to nobody
    # -P: what lies in the folder where it runs must not be taken for a module of ours.
    command = [sys.executable, "-P", "-m", "gosip_check", "health", "--quiet", *options]
    kind = kind or _usual_kind()
    with input_errors(ScheduleError):
        texts = _texts(kind, system, command, every_s)
    _print(texts)
    if not yes:
        if not sys.stdin.isatty():
            raise UsageProblem("Nothing was written: there is nobody to ask here; --yes goes ahead.")
        if not click.confirm("Write this?", default=False):
            click.echo("Nothing was written.")
            return EXIT_READY
    _install(kind, system, texts)
    _say_what_to_know(kind, system, options)
    return EXIT_READY


@schedule.command(epilog=example("schedule show"))
@_kind
@_system
def show(kind: str | None, system: bool) -> int:
    """What is scheduled now.

    Exit code 3 when nothing is.
    """
    installed: dict[str, str] = {}
    troubles = []
    for known, of_machine in _kinds(kind, system):
        try:
            installed |= _installed(known, of_machine)
        except ToolFailed as trouble:
            troubles.append(trouble.message)
    _print(installed)
    if troubles:
        raise ToolFailed(" ".join(troubles))
    if not installed:
        click.echo("Nothing is scheduled.")
        return EXIT_INCONCLUSIVE
    return EXIT_READY


@schedule.command(epilog=example("schedule remove"))
@_kind
@_system
def remove(kind: str | None, system: bool) -> int:
    """Take it out again; the history stays."""
    removed: list[str] = []
    troubles = []
    for known, of_machine in _kinds(kind, system):
        try:
            removed += _remove(known, of_machine)
        except ToolFailed as trouble:
            troubles.append(trouble.message)
    if removed:
        click.echo(f"Removed: {', '.join(removed)}.")
    if troubles:
        raise ToolFailed(" ".join(troubles))
    if not removed:
        click.echo("Nothing is scheduled.")
    return EXIT_READY


def _kinds(kind: str | None, system: bool) -> list[tuple[str, bool]]:
    """Where to look: (kind, for the whole machine). Everywhere where nothing is named, whatever is usual here."""
    kinds = [("systemd", False), ("systemd", True), ("cron", False)]
    if system:
        return [("systemd", True)] if kind in (None, "systemd") else [(kind, True)]
    if kind is None and shutil.which("crontab") is None:
        kinds.remove(("cron", False))
    return [(known, of_machine) for known, of_machine in kinds if kind in (None, known)]


def _print(texts: Mapping[str, str]) -> None:
    """Each under the name of its file."""
    from gosip_check.report.text import visible

    for file, text in texts.items():
        click.echo(f"{file}:")
        click.echo("".join(f"    {visible(line)}\n" for line in text.splitlines()))


def _remove(kind: str, system: bool) -> list[str]:
    """What was removed. Raises ToolFailed."""
    from gosip_check.health.schedule import NAME, without_cron_line

    installed = list(_installed(kind, system))
    if not installed:
        return []
    if kind == "cron":
        _write_crontab(without_cron_line(_crontab()))
        return installed
    trouble = _systemctl(system, "disable", "--now", f"{NAME}.timer")
    for file in installed:
        try:
            Path(file).unlink()
        except OSError as error:
            raise ToolFailed(f"{file}: cannot be removed: {error.strerror}.") from error
    trouble = trouble or _systemctl(system, "daemon-reload")
    if trouble:
        again = _by_hand(system, trouble, f"stop {NAME}.timer", "daemon-reload")
        raise ToolFailed(
            f"{', '.join(installed)}: removed, but systemd may run it until the next start: {trouble}. {again}"
        )
    return installed


def _usual_kind() -> str:
    return "systemd" if Path("/run/systemd/system").is_dir() else "cron"


def _texts(kind: str, system: bool, command: list[str], every_s: int) -> dict[str, str]:
    """Where -> what."""
    from gosip_check.health.schedule import NAME, cron_line, systemd_service, systemd_timer

    folder = str(Path.cwd())
    if kind == "systemd":
        units = _unit_folder(system)
        return {
            str(units / f"{NAME}.service"): systemd_service(command, folder, system=system),
            str(units / f"{NAME}.timer"): systemd_timer(every_s),
        }
    return {_CRONTAB: f"{cron_line(command, folder, every_s)}\n"}


_CRONTAB = "crontab of this user"
SYSTEM_UNITS = Path("/etc/systemd/system")


def _unit_folder(system: bool) -> Path:
    """Raises ToolFailed."""
    from gosip_check.folders import NoHomeFolder, unit_folder

    with output_errors(NoHomeFolder):
        return SYSTEM_UNITS if system else unit_folder()


def _installed(kind: str, system: bool) -> dict[str, str]:
    from gosip_check.health.schedule import MARK, NAME

    if kind == "cron":
        lines = [line for line in _crontab().split("\n") if line.endswith(MARK)]
        return {_CRONTAB: "\n".join(lines)} if lines else {}
    files = [_unit_folder(system) / f"{NAME}.{end}" for end in ("service", "timer")]
    try:
        return {str(file): file.read_text(encoding="utf-8") for file in files if file.exists()}
    except OSError as error:
        raise ToolFailed(f"{error.filename or files[0]}: cannot be read: {error.strerror}.") from error
    except UnicodeError as error:
        raise ToolFailed(f"{files[0]}: cannot be read: it is not UTF-8 text.") from error


def _install(kind: str, system: bool, texts: dict[str, str]) -> None:
    from gosip_check.health.schedule import NAME, without_cron_line
    from gosip_check.report.output import Output, OutputError

    if kind == "cron":
        _write_crontab(without_cron_line(_crontab()) + texts[_CRONTAB])
        click.echo("Written to the crontab of this user.")
        return
    for file, text in texts.items():
        try:
            Path(file).parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ToolFailed(f"{file}: cannot be written: {error.strerror}.") from error
        with output_errors(OutputError):
            Output(file).write(text, mode=0o644)
    trouble = _systemctl(system, "daemon-reload") or _systemctl(system, "enable", "--now", f"{NAME}.timer")
    if not trouble:
        click.echo("Written, and started.")
        return
    again = _by_hand(system, trouble, "daemon-reload", f"enable --now {NAME}.timer")
    raise ToolFailed(
        f"The units are written, but systemd did not take them: {trouble}. {again}. Or choose --kind cron, or --system."
    )


def _say_what_to_know(kind: str, system: bool, options: tuple[str, ...]) -> None:
    """Where the history will be, and that a user's own timer ends with the user's last session."""
    from gosip_check.folders import MACHINE_FOLDER

    if kind != "systemd":
        return
    if system and not any(option.startswith(("--history", "--no-history")) for option in options):
        click.echo(f"See what it finds: gosip-check history show --history {MACHINE_FOLDER}/history.sqlite")
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a user without a name
        return
    if not system and not Path("/var/lib/systemd/linger", user).exists():
        click.echo(f"It stops when you log out. To go on: loginctl enable-linger {user}; or install it with --system.")


_NO_SESSION = (
    "connect to bus",
    "connect to user scope bus",
    "No medium found",
    "XDG_RUNTIME_DIR",
    "DBUS_SESSION_BUS_ADDRESS",
)
"In what systemctl(1) says where this user has no systemd of its own: after su(1), or in a service."


def _by_hand(system: bool, trouble: str, *commands: str) -> str:
    """What to do about it. Where this user has no session of systemd the commands would only fail again here."""
    scope = "" if system else "--user "
    listed = "; ".join(f"systemctl {scope}{command}" for command in commands)
    if not system and any(sign in trouble for sign in _NO_SESSION):
        return f"`su` and `sudo -u` open no session of systemd. Log in as this user, and run: {listed}"
    return f"Run: {listed}"


def _systemctl(system: bool, *arguments: str) -> str:
    """Empty, or what is wrong."""
    command = ["systemctl", *([] if system else ["--user"]), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=30, check=False)
    except OSError as error:
        return f"systemctl cannot be run: {error.strerror}"
    except subprocess.TimeoutExpired:
        return "systemctl did not end within 30 s"
    return "" if done.returncode == 0 else done.stderr.strip().rstrip(".") or f"systemctl ended with {done.returncode}"


def _crontab() -> str:
    """Empty where the user has none, which crontab(1) says by a failure; any other failure is one: what cannot be read
    must not be written over.
    """
    done = _run_crontab("-l")
    if done.returncode == 0:
        return done.stdout.decode("utf-8", "surrogateescape")
    complaint = done.stderr.decode("utf-8", "replace").strip()
    if "no crontab for" in complaint:
        return ""
    raise ToolFailed(f"The crontab cannot be read, so nothing was done: {complaint or f'exit code {done.returncode}'}.")


def _write_crontab(table: str) -> None:
    done = _run_crontab("-", table.encode("utf-8", "surrogateescape"))
    if done.returncode != 0:
        raise ToolFailed(f"crontab refused the new table: {done.stderr.decode('utf-8', 'replace').strip()}")


def _run_crontab(word: str, table: bytes | None = None) -> subprocess.CompletedProcess[bytes]:
    environment = {**os.environ, "LC_ALL": "C"}  # what it says is read
    try:
        return subprocess.run(
            ["crontab", word], input=table, capture_output=True, timeout=30, check=False, env=environment
        )
    except OSError as error:
        raise ToolFailed(f"crontab cannot be run: {error.strerror}.") from error
    except subprocess.TimeoutExpired as error:
        raise ToolFailed("crontab did not end within 30 s.") from error
