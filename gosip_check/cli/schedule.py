"""`schedule`: have the system run the light check. Shows what it would write before it writes anything."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import click

from gosip_check.cli.exits import EXIT_INCONCLUSIVE, EXIT_READY, ToolFailed, UsageProblem
from gosip_check.cli.health import health, seconds_of

TASK_FILE = "gosip-check-task.xml"

_kind = click.option(
    "--kind", type=click.Choice(["systemd", "cron", "windows"]), help="What keeps the time; the usual one unless told."
)
_system = click.option("--system", is_flag=True, help="For the whole machine, not for this user; needs root.")


@click.group()
def schedule() -> None:
    """Have this machine run `gosip-check health` by itself."""


@schedule.command()
@click.option("--every", metavar="TIME", default="15m", show_default=True, help="Such as 5m, 15m or 1h.")
@_kind
@_system
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.argument("options", nargs=-1, metavar="[-- OPTIONS OF health]")
def install(every: str, kind: str | None, system: bool, yes: bool, options: tuple[str, ...]) -> int:
    """Write a timer, after showing it. What stands behind -- goes to `gosip-check health`."""
    from gosip_check.report.text import visible
    from gosip_check.schedule import ScheduleError

    every_s = int(seconds_of(every, "--every", 30))
    with health.make_context("health", list(options)):
        pass  # wrong options are told now, and not every quarter of an hour to nobody
    # -P: what lies in the folder where it runs must not be taken for a module of ours.
    command = [sys.executable, "-P", "-m", "gosip_check", "health", "--quiet", *options]
    kind = kind or _usual_kind()
    try:
        texts = _texts(kind, system, command, every_s)
    except ScheduleError as error:
        raise UsageProblem(str(error)) from error
    for place, text in texts.items():
        click.echo(f"{place}:")
        click.echo("".join(f"    {visible(line)}\n" for line in text.splitlines()))
    if not yes:
        if not sys.stdin.isatty():
            raise UsageProblem("Nothing was written: there is nobody to ask here; --yes goes ahead.")
        if not click.confirm("Write this?", default=False):
            click.echo("Nothing was written.")
            return EXIT_READY
    _install(kind, system, texts)
    return EXIT_READY


@schedule.command()
@_kind
@_system
def show(kind: str | None, system: bool) -> int:
    """What is scheduled now; exit code 3 when nothing is."""
    from gosip_check.report.text import visible

    texts = _installed(kind or _usual_kind(), system)
    for place, text in texts.items():
        click.echo(f"{place}:")
        click.echo("".join(f"    {visible(line)}\n" for line in text.splitlines()))
    if not texts:
        click.echo("Nothing is scheduled.")
        return EXIT_INCONCLUSIVE
    return EXIT_READY


@schedule.command()
@_kind
@_system
def remove(kind: str | None, system: bool) -> int:
    """Take it out again; what was found so far stays in the history."""
    from gosip_check.schedule import NAME, without_cron_line

    kind = kind or _usual_kind()
    found = _installed(kind, system)
    if not found:
        click.echo("Nothing is scheduled.")
        return EXIT_READY
    if kind == "systemd":
        _systemctl(system, "disable", "--now", f"{NAME}.timer")
    if kind == "cron":
        _write_crontab(without_cron_line(_crontab()))
    else:
        for place in found:
            try:
                Path(place).unlink()
            except OSError as error:
                raise ToolFailed(f"{place}: cannot be removed: {error.strerror}.") from error
    if kind == "systemd":
        _systemctl(system, "daemon-reload")
    if kind == "windows":
        click.echo(f"Also, on Windows: schtasks /Delete /TN {NAME}")
    click.echo(f"Removed: {', '.join(found)}.")
    return EXIT_READY


def _usual_kind() -> str:
    if sys.platform == "win32":
        return "windows"
    return "systemd" if Path("/run/systemd/system").is_dir() else "cron"


def _texts(kind: str, system: bool, command: list[str], every_s: int) -> dict[str, str]:
    """Where -> what."""
    from gosip_check.schedule import NAME, cron_line, systemd_service, systemd_timer, task_xml

    folder = str(Path.cwd())
    if kind == "systemd":
        units = _unit_folder(system)
        return {
            str(units / f"{NAME}.service"): systemd_service(command, folder),
            str(units / f"{NAME}.timer"): systemd_timer(every_s),
        }
    if kind == "cron":
        return {_CRONTAB: f"{cron_line(command, folder, every_s)}\n"}
    return {TASK_FILE: task_xml(command, folder, every_s)}


_CRONTAB = "crontab of this user"


def _unit_folder(system: bool) -> Path:
    if system:
        return Path("/etc/systemd/system")
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "systemd" / "user"


def _installed(kind: str, system: bool) -> dict[str, str]:
    from gosip_check.schedule import MARK, NAME

    if kind == "cron":
        lines = [line for line in _crontab().split("\n") if line.endswith(MARK)]
        return {_CRONTAB: "\n".join(lines)} if lines else {}
    if kind == "systemd":
        places = [_unit_folder(system) / f"{NAME}.{end}" for end in ("service", "timer")]
    else:
        places = [Path(TASK_FILE)]
    encoding = "utf-16" if kind == "windows" else "utf-8"
    try:
        return {str(place): place.read_text(encoding=encoding) for place in places if place.exists()}
    except (OSError, UnicodeError) as error:
        raise ToolFailed(f"{places[0]}: cannot be read: {error}.") from error


def _install(kind: str, system: bool, texts: dict[str, str]) -> None:
    from gosip_check.report.output import Output, OutputError
    from gosip_check.schedule import NAME, without_cron_line

    if kind == "cron":
        _write_crontab(without_cron_line(_crontab()) + texts[_CRONTAB])
        click.echo("Written to the crontab of this user.")
        return
    for place, text in texts.items():
        try:
            Path(place).parent.mkdir(parents=True, exist_ok=True)
            # Task Scheduler reads UTF-16, which is what the XML declares.
            Output(place).write(text.encode("utf-16") if kind == "windows" else text, mode=0o644)
        except OSError as error:
            raise ToolFailed(f"{place}: cannot be written: {error.strerror}.") from error
        except OutputError as error:
            raise ToolFailed(str(error)) from error
    if kind == "windows":
        click.echo(f"Written. To install it, on Windows: schtasks /Create /TN {NAME} /XML {TASK_FILE}")
        return
    if _systemctl(system, "daemon-reload") and _systemctl(system, "enable", "--now", f"{NAME}.timer"):
        click.echo("Written, and started.")
        return
    scope = "" if system else "--user "
    raise ToolFailed(
        f"The units are written, but systemd did not take them. Run: systemctl {scope}daemon-reload; "
        f"systemctl {scope}enable --now {NAME}.timer"
    )


def _systemctl(system: bool, *words: str) -> bool:
    command = ["systemctl", *([] if system else ["--user"]), *words]
    try:
        return subprocess.run(command, capture_output=True, timeout=30, check=False).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def _crontab() -> str:
    """Empty where the user has none, which crontab(1) tells by a failure; any other failure is one: what cannot be read
    must not be written over.
    """
    done = _run_crontab("-l")
    if done.returncode == 0:
        return done.stdout.decode("utf-8", "surrogateescape")
    words = done.stderr.decode("utf-8", "replace").strip()
    if "no crontab for" in words:
        return ""
    raise ToolFailed(f"The crontab cannot be read, so nothing was done: {words or f'exit code {done.returncode}'}.")


def _write_crontab(table: str) -> None:
    done = _run_crontab("-", table.encode("utf-8", "surrogateescape"))
    if done.returncode != 0:
        raise ToolFailed(f"crontab refused the new table: {done.stderr.decode('utf-8', 'replace').strip()}")


def _run_crontab(word: str, table: bytes | None = None) -> subprocess.CompletedProcess[bytes]:
    environment = {**os.environ, "LC_ALL": "C"}  # its words are read
    try:
        return subprocess.run(
            ["crontab", word], input=table, capture_output=True, timeout=30, check=False, env=environment
        )
    except OSError as error:
        raise ToolFailed(f"crontab cannot be run: {error.strerror}.") from error
    except subprocess.TimeoutExpired as error:
        raise ToolFailed("crontab did not end within 30 s.") from error
