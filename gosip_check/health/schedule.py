"""Texts that make a system run the light check by itself: a systemd timer or a cron line. Pure.

Installs nothing and runs nothing. Every word of the command is quoted as the reader of the text wants it; what cannot
be quoted is refused. `folder`: where the command runs, so that relative names in it lead where they led when asked.
"""

import shlex
from collections.abc import Sequence

NAME = "gosip-check"
MARK = "# gosip-check: the light check; `gosip-check schedule remove --kind cron` takes this line out"


class ScheduleError(ValueError):
    """What was asked for cannot be said in that form. The text is a sentence."""


def systemd_service(command: Sequence[str], folder: str, *, system: bool = False) -> str:
    """The unit that runs the check once. A site that is not ready is no failure of the service.

    system: for the whole machine; a user's manager knows of no network, and its history lies where the user's does.
    """
    if folder.endswith("\\"):  # systemd would take the next line for a part of this one
        raise ScheduleError(f"{folder!r} ends in a backslash, which cannot stand in a unit.")
    network = "Wants=network-online.target\nAfter=network-online.target\n" if system else ""
    state = "StateDirectory=gosip-check\n" if system else ""
    return f"""\
[Unit]
Description=gosip-check: is the SIP trunk of this site well?
Documentation=man:systemd.service(5)
{network}
[Service]
Type=oneshot
{state}WorkingDirectory={_checked([folder])[0].replace("%", "%%")}
ExecStart={" ".join(map(_systemd_word, command))}
SuccessExitStatus=1 3
TimeoutStartSec=60
NoNewPrivileges=yes
"""


def systemd_timer(every_s: int) -> str:
    """The unit that says when: counted from the last run, a little apart from everybody else's."""
    return f"""\
[Unit]
Description=gosip-check every {every_s} s

[Timer]
OnActiveSec=1min
OnUnitActiveSec={every_s}s
RandomizedDelaySec={max(1, every_s // 10)}s
FixedRandomDelay=true
AccuracySec=1s
Unit={NAME}.service

[Install]
WantedBy=timers.target
"""


def cron_line(command: Sequence[str], folder: str, every_s: int) -> str:
    """One line for crontab(5), whose own steps begin again with every hour and every day. Raises ScheduleError.

    What goes wrong with the check itself stands on standard error, which cron mails; its outcome is in the history.
    """
    minutes, rest = divmod(every_s, 60)
    if rest == 0 and minutes in _IN_AN_HOUR:
        when = f"*/{minutes} * * * *" if minutes > 1 else "* * * * *"
    elif rest == 0 and minutes % 60 == 0 and minutes // 60 in _IN_A_DAY:
        when = f"0 */{minutes // 60} * * *" if minutes > 60 else "0 * * * *"
    elif every_s == 86400:
        when = "0 6 * * *"
    else:
        raise ScheduleError(f"cron cannot keep an interval of {every_s} s; 5m, 10m, 15m, 30m, 1h or 1d would be right.")
    line = f"cd {shlex.join(_checked([folder]))} && {shlex.join(_checked(command))}".replace(
        "%", r"\%"
    )  # crontab(5): a bare % ends the command
    return f"{when} {line} >/dev/null {MARK}"


_IN_AN_HOUR = {1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30}
_IN_A_DAY = {1, 2, 3, 4, 6, 8, 12}


def without_cron_line(table: str) -> str:
    """A crontab without our line."""
    lines = table.removesuffix("\n").split("\n") if table else []  # cron's own line ends, and no others
    return "".join(f"{line}\n" for line in lines if not line.endswith(MARK))


def _systemd_word(word: str) -> str:
    r"""One word of ExecStart= (systemd.service(5), Command lines): in quotes, \ and " escaped, % and $ doubled."""
    (checked,) = _checked([word])
    checked = checked.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return f'"{checked}"'


def _checked(command: Sequence[str]) -> list[str]:
    for word in command:
        if not word.isprintable():
            raise ScheduleError(f"{word!r} holds a character that cannot stand in a schedule.")
    return list(command)
